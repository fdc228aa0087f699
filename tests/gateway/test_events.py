"""`GET /api/events`: what happens is told to those whose it is, and to nobody else."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from browsing import Browser, signed_in
from house import Gateway, Simulator, gateway, library, until
from inside import Inside, inside
from ownkey import Ownkey
from ownkey.server.doors import Doors, Principal
from ownkey.server.events import MOST_OF_ONE, MOST_WAITING, Feed, event
from ownkey.server.exchange import Exchange
from ownkey.store.alerts import Alerts
from ownkey.store.posting import Alert
from ownkey.talk.errors import StorageUnavailable

PATH = "/api/events"


class Listening:
    """A page that listens."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.answer = answer
        self.events: list[tuple[str, Any]] = []

    def next(self, *names: str) -> Any:
        """The next event of one of these names."""
        while True:
            name, told = self._read()
            if name in names:
                return told

    def _read(self) -> tuple[str, Any]:
        lines: list[str] = []
        while (line := self.answer.readline().decode()) not in ("\n", ""):
            lines.append(line.rstrip("\n"))
        assert lines, "the stream has ended"
        if lines == [":"]:
            return self._read()
        name, data = lines
        found = name.removeprefix("event: "), json.loads(data.removeprefix("data: "))
        self.events.append(found)
        return found

    def rest(self) -> bytes:
        """What comes until the stream ends."""
        return self.answer.read()


@contextmanager
def listening(served: Gateway, headers: dict[str, str]) -> Iterator[Listening]:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=15)
    try:
        connection.request("GET", PATH, headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        page = Listening(answer)
        page.next("ready")
        yield page
    finally:
        connection.close()


@pytest.fixture(scope="module")
def home(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Ownkey]]:
    place = tmp_path_factory.mktemp("events") / "home"
    with gateway(place, simulator, OWNKEY_RETRY_DELAY_S="0.01") as served, library(place) as ownkey:
        yield served, ownkey


@pytest.fixture
def here(simulator: Simulator, tmp_path: Path) -> Iterator[Inside]:
    with library(tmp_path / "home") as ownkey:
        _, shown = ownkey.house.tokens.create(ownkey.owner, "tests")
        with inside(ownkey, simulator) as running:
            running.gateway.token = shown.reveal().decode()
            yield running
            running.settle(idle=True)


def token(ownkey: Ownkey, owner: str, name: str) -> dict[str, str]:
    shown = ownkey.house.tokens.create(owner, name)[1].reveal().decode()
    return {"Authorization": f"Bearer {shown}", "Content-Type": "application/json"}


@pytest.mark.row("C12")
def test_a_run_is_told_with_its_cost_when_it_has_ended(home: tuple[Gateway, Ownkey]) -> None:
    served, _ = home
    name = served.provider()
    with listening(served, served.own) as page:
        answer = served.ask(f"{name}/gpt-4o", headers={"x-ownkey-automation": "nightly"})
        told = page.next("usage")
    assert told["run"] == answer.headers["x-request-id"]
    assert told["cost_nano"] == round(float(answer.headers["x-ownkey-cost-usd"]) * 1e9) > 0
    assert (told["provider"], told["model"], told["automation"]) == (name, "gpt-4o", "nightly")
    assert (told["state"], told["error"], told["attempt"]) == ("exact", None, 1)


def test_an_alert_that_comes_at_once_after_ready_is_told(home: tuple[Gateway, Ownkey]) -> None:
    """To a page that joins another's, too: between two looks."""
    served, ownkey = home
    headers = signed_in(served).headers()
    with listening(served, headers):
        for number in range(3):
            with listening(served, headers) as page:
                id = f"at-once:{number}"
                alert = Alert(id, "test", None, None, "Now.", "{}", time.time_ns() // 1_000_000)
                assert ownkey.house.store.alerts.raise_(alert)
                assert page.next("alert")["id"] == id


def test_A26_nobody_is_told_of_somebody_elses_runs_or_alerts(home: tuple[Gateway, Ownkey]) -> None:
    served, ownkey = home
    name = served.provider()
    one, other = (ownkey.people.add(who).id for who in ("One", "Other"))
    keeper = signed_in(served)
    with listening(served, token(ownkey, one, "one")) as page, listening(served, keeper.headers()) as all_:
        served.ask(f"{name}/gpt-4o")
        for owner in (other, one):
            alert = Alert(f"of:{owner}", "test", owner, None, f"For {owner}.", "{}", time.time_ns() // 1_000_000)
            assert ownkey.house.store.alerts.raise_(alert)
        assert page.next("alert", "usage")["id"] == f"of:{one}"
        assert all_.next("usage")["owner"] == "owner"
    assert [name for name, _ in page.events if name != "health"] == ["ready", "alert"]


@pytest.mark.row("D5")
def test_a_provider_that_fails_and_comes_back_is_told_as_it_happens(home: tuple[Gateway, Ownkey]) -> None:
    served, _ = home
    name = served.provider("status=503")
    statuses = set[int]()

    def answers() -> bool:
        statuses.add(status := served.ask(f"{name}/gpt-4o").status)
        return status == 200

    def told(state: str) -> Any:
        while (one := page.next("health"))["state"] != state:
            assert (one["provider"], one["model"]) == (name, "gpt-4o")
        return one

    # It is asked again and again: how it is, is looked at once in a second, and its first rest lasts no longer.
    with listening(served, served.own) as page, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(until, answers, 30)
        rests = told("resting")
        assert (rests["provider"], rests["model"]) == (name, "gpt-4o")
        assert rests["last_error"] == "upstream_unavailable"
        served.rewrite(name, "status=503;", "")
        told("well")
        assert asking.result()
    assert statuses == {502, 200}


def test_A09_A10_a_token_that_is_revoked_and_a_person_who_is_suspended_hear_no_more(
    home: tuple[Gateway, Ownkey],
) -> None:
    served, ownkey = home
    person = ownkey.people.add("Somebody").id
    with listening(served, token(ownkey, person, "gone")) as page:
        ownkey.house.tokens.revoke("gone", person)
        page.next("ended")
        assert page.rest() == b""
    browser: Browser = signed_in(served, person)
    with listening(served, browser.headers()) as page:
        ownkey.people.change(person, role="viewer")
        page.next("ended")
        assert page.rest() == b""
    with listening(served, browser.headers()) as page:
        ownkey.people.suspend(person)
        page.next("ended")
        assert page.rest() == b""
    assert browser.get(PATH).status in (401, 403)


def test_W15_only_a_page_of_ours_and_who_is_known_may_listen(home: tuple[Gateway, Ownkey]) -> None:
    served, _ = home
    assert served.send("GET", PATH, None, {}).status == 401
    assert served.send("GET", PATH, None, {"Authorization": "Bearer ok-nothing"}).status == 401
    browser = signed_in(served)
    assert browser.get(PATH, sec_fetch_site="cross-site").status == 403
    assert browser.get(PATH, origin="https://elsewhere.example").status == 403
    assert browser.ask("POST", PATH).status in (404, 405)
    assert served.send("GET", PATH, None, {**browser.headers(), "Host": "elsewhere.example"}).status == 421


def test_a_person_has_eight_of_them_at_most_and_those_that_are_gone_make_room(home: tuple[Gateway, Ownkey]) -> None:
    served, ownkey = home
    own = token(ownkey, ownkey.people.add("Many").id, "many")
    pages = [listening(served, own) for _ in range(MOST_OF_ONE)]
    for page in pages:
        page.__enter__()
    refused = served.send("GET", PATH, None, own)
    assert (refused.status, refused.error["code"]) == (503, "overloaded")
    for page in pages:
        page.__exit__(None, None, None)

    def again() -> bool:
        try:
            with listening(served, own):
                return True
        except AssertionError:
            return False

    assert until(again)


@contextmanager
def held(patch: pytest.MonkeyPatch, of: type, name: str) -> Iterator[threading.Event]:
    """Whoever calls it within waits, in a thread; said is that somebody does."""
    called, free, true = threading.Event(), threading.Event(), getattr(of, name)

    def waits(*given: Any, **named: Any) -> Any:
        called.set()
        assert free.wait(60)
        return true(*given, **named)

    with patch.context() as within:
        within.setattr(of, name, waits)
        try:
            yield called
        finally:
            free.set()


@pytest.mark.parametrize(("of", "name"), [(Doors, "known"), (Alerts, "listed")], ids=["coming in", "its alerts"])
def test_a_page_that_goes_before_it_is_told_anything_takes_no_room(
    here: Inside, monkeypatch: pytest.MonkeyPatch, of: type, name: str
) -> None:
    gone, lost = threading.Event(), Exchange.lost

    def noted(exchange: Exchange) -> None:
        lost(exchange)
        gone.set()

    monkeypatch.setattr(Exchange, "lost", noted)
    asked = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {here.gateway.own['Authorization']}\r\n\r\n"
    with held(monkeypatch, of, name) as called:
        page = socket.create_connection(("127.0.0.1", here.gateway.port))
        page.sendall(asked.encode())
        assert called.wait(30)
        page.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        page.close()
        assert gone.wait(30)
    here.settle(idle=True)
    with ExitStack() as pages:
        for _ in range(MOST_OF_ONE):
            pages.enter_context(listening(here.gateway, here.gateway.own))


def test_a_page_whose_alerts_cannot_be_read_is_told_so_and_takes_no_room(
    here: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise StorageUnavailable("The database does not answer.")

    with monkeypatch.context() as within:
        within.setattr(Alerts, "listed", fails)
        for _ in range(MOST_OF_ONE):
            refused = here.gateway.send("GET", PATH, None, here.gateway.own)
            assert (refused.status, refused.error["code"]) == (503, "storage_unavailable")
    with listening(here.gateway, here.gateway.own):
        pass


def test_a_gateway_with_listeners_stops_at_once(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("stops") / "home"
    with gateway(place, simulator) as served, listening(served, served.own) as page:
        began_s = time.monotonic()
        assert served.stop() == 0
        assert time.monotonic() - began_s < 5
        assert page.rest() == b""
        assert "Traceback" not in served.log.read_text()


def test_who_reads_too_slowly_is_told_to_read_everything_anew() -> None:
    async def main() -> None:
        feed = Feed(Principal("somebody", "somebody", "member", "token"))
        for number in range(MOST_WAITING + 3):
            feed.put(event("usage", {"number": number}))
        told = await feed.next()
        assert told.startswith(b"event: reset\ndata: {}\n\nevent: usage\n")
        assert told.count(b"event:") == 3
        assert await feed.next(0.01) == b":\n\n"
        feed.put(event("alert", {"message": "two\nlines"}))
        feed.close()
        assert await feed.next() == b'event: alert\ndata: {"message":"two\\nlines"}\n\n'

    asyncio.run(main())
