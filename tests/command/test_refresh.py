"""`ownkey prices refresh`, `history` and `revert`: newer prices from a real server, for every process at once."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from answering import Provider, answering, json_answer
from attempts import exact, hold
from house import KEYS, Simulator, environment, gateway, library, make_home, run, until
from ownkey import Ownkey
from ownkey.store.catalogues import Edition
from ownkey.talk.errors import EndpointNotAllowed, InvalidRequest, OwnkeyError
from published_prices import Sellers, model, priced, published, seller
from scripted import answer

Env = dict[str, str]
PATH = "/prices/data.json"


@pytest.fixture
def mirror() -> Iterator[Provider]:
    with answering(
        {PATH: json_answer(published(priced("openai", "gpt-4o", input_mtok=3.5, output_mtok=10)))}
    ) as server:
        yield server


@pytest.fixture
def env(tmp_path: Path, mirror: Provider, simulator: Simulator) -> Env:
    """A home whose OpenAI is the simulator, and whose prices come from the mirror."""
    home = tmp_path / "home"
    make_home(home)
    given = environment(
        home,
        OWNKEY_ALLOW_PRIVATE_HOSTS=f"127.0.0.1:{simulator.port},127.0.0.1:{mirror.port}",
        OWNKEY_PRICES_URL=f"{mirror.url}{PATH}",
    )
    with library(home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=prices/v1")
        ownkey.keys.set("openai", KEYS["openai"])
    return given


def offer(mirror: Provider, change: Callable[[Sellers], None]) -> None:
    mirror.begin({PATH: json_answer(published(change))})


def used(env: Env, name: str) -> None:
    """That model of OpenAI's was used, at its price of now."""
    with library(Path(env["OWNKEY_HOME"])) as ownkey:
        now = datetime.now(UTC)
        rates = ownkey.house.prices.rates(ownkey.house.catalogue.get("openai"), name, now)
        at_ms = int(now.timestamp() * 1000) - 1_000
        row = hold(model=name, owner="owner", started_at_ms=at_ms, price=msgspec.json.encode(rates).decode())
        asyncio.run(ownkey.house.store.book.hold(row))
        ownkey.house.store.book.settle(exact(row.id, 600, status=200, ended_at_ms=at_ms + 5))


def price(env: Env, name: str = "gpt-4o") -> dict[str, Any]:
    with library(Path(env["OWNKEY_HOME"])) as ownkey:
        listed = ownkey.prices.listed("openai", f"openai/{name}")
    return next(msgspec.to_builtins(one) for one in listed if one.model == name)


def history(env: Env) -> list[Edition]:
    with library(Path(env["OWNKEY_HOME"])) as ownkey:
        return ownkey.prices.history()


def taken(env: Env, place: str | None = None, *, hosts: bool = True, large: bool = False) -> Edition:
    """The newer prices, taken without a shell."""

    async def main() -> Edition:
        allowed = env["OWNKEY_ALLOW_PRIVATE_HOSTS"] if hosts else None
        home, url = env["OWNKEY_HOME"], env["OWNKEY_PRICES_URL"]
        async with Ownkey(home, keychain=False, prices_url=url, allow_private_hosts=allowed) as ownkey:
            proposal = await ownkey.prices.look(place)
            return ownkey.prices.take(proposal, proposal.large if large else ())

    return asyncio.run(main())


def back(env: Env, number: int | None = None) -> int:
    with library(Path(env["OWNKEY_HOME"])) as ownkey:
        return ownkey.prices.revert(number)[0].used


def good(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_newer_prices_are_shown_asked_about_taken_and_gone_back_from(env: Env, mirror: Provider) -> None:
    shipped = price(env)
    assert (shipped["origin"], shipped["taken"], shipped["rates"]["input"]) == ("shipped", None, 2_500_000_000)
    refused = run(env, "prices", "refresh", given="n\n")
    assert refused.returncode == 1
    assert "openai/gpt-4o\tkey\tdearer\t$2.50 to $3.50 (+40 %)\t$10.00" in refused.stdout
    assert price(env) == shipped
    assert "as number 1" in good(run(env, "prices", "refresh", given="y\n"))
    today = datetime.now(UTC).date().isoformat()
    newer = price(env)
    assert (newer["origin"], newer["taken"], newer["rates"]["input"]) == ("refreshed", today, 3_500_000_000)
    assert today in newer["rates"]["source"]
    (edition,) = history(env)
    assert edition.source == f"{mirror.url}{PATH}"
    assert len(edition.sha256) == 64
    assert f"of {today}, from {mirror.url}" in good(run(env, "doctor"))
    assert "No price changes." in good(run(env, "prices", "refresh"))
    assert "the shipped prices" in good(run(env, "prices", "revert"))
    assert price(env) == shipped
    assert "in use already" in run(env, "prices", "revert", "--shipped").stderr
    assert back(env, 1) == 1
    assert price(env)["rates"] == newer["rates"]
    assert "back to 1" in good(run(env, "prices", "history"))
    assert [one.back_to for one in history(env)] == [1, 0, None]


def test_each_return_goes_one_further_back(env: Env, mirror: Provider, tmp_path: Path) -> None:
    for dollars in (3, 4, 5):
        file = tmp_path / f"{dollars}.json"
        file.write_bytes(published(priced("openai", "gpt-4o", input_mtok=dollars, output_mtok=10)))
        taken(env, str(file))
    for dollars in (4, 3, 2.5):
        back(env)
        assert price(env)["rates"]["input"] == dollars * 10**9
    assert mirror.requests == []


def test_E20_nothing_is_fetched_that_was_not_asked_for(env: Env, mirror: Provider, simulator: Simulator) -> None:
    with gateway(Path(env["OWNKEY_HOME"]), simulator, OWNKEY_PRICES_URL=env["OWNKEY_PRICES_URL"]) as running:
        assert running.ask("openai/gpt-4o").status == 200
        for command in (["prices", "list"], ["doctor"]):
            good(run(env, *command))
    assert mirror.requests == []
    run(env, "prices", "refresh", given="n\n")
    (request,) = mirror.requests
    assert (request.method, request.header("user-agent")) == ("GET", "ownkey")
    assert request.header("authorization") is None


def test_a_running_gateway_takes_newer_prices_within_seconds_and_its_rows_keep_theirs(
    env: Env, mirror: Provider, simulator: Simulator
) -> None:
    with gateway(Path(env["OWNKEY_HOME"]), simulator) as running:
        assert running.ask("openai/gpt-4o").status == 200
        before = running.rows("openai")[-1]
        taken(env)

        def dearer() -> bool:
            assert running.ask("openai/gpt-4o").status == 200
            row = running.rows("openai")[-1]
            return row.cost_nano == row.input_tokens * 3_500 + row.output_tokens * 10_000

        assert until(dearer)
        assert running.rows("openai")[0] == before
        assert before.cost_nano == before.input_tokens * 2_500 + before.output_tokens * 10_000
        back(env)
        assert until(
            lambda: running.ask("openai/gpt-4o").status == 200 and running.rows("openai")[-1].price == before.price
        )


@pytest.mark.parametrize(
    ("prices", "told"),
    [
        ({"input_mtok": 2_500, "output_mtok": 10_000}, "dearer"),
        ({"input_mtok": 0.0025, "output_mtok": 0.01}, "cheaper"),
        ({"input_mtok": 0, "output_mtok": 0}, "cheaper"),
        ({"input_mchars": 1}, "gone"),
    ],
)
def test_B16_a_thousandfold_price_or_none_is_not_taken_unasked(
    env: Env, mirror: Provider, prices: dict[str, float], told: str
) -> None:
    used(env, "gpt-4o")
    offer(mirror, priced("openai", "gpt-4o", **prices))
    refused = run(env, "prices", "refresh", "--yes")
    assert refused.returncode == 2
    assert f"openai/gpt-4o\tused\t{told}, LARGE" in refused.stdout
    assert "Nothing was taken: the price of openai/gpt-4o" in refused.stderr
    with pytest.raises(InvalidRequest, match="Nothing was taken"):
        taken(env)
    assert history(env) == []
    if told == "dearer":
        assert run(env, "prices", "refresh", given="n\n").returncode == 1
        assert run(env, "prices", "refresh", given="y\nn\n").returncode == 1
        assert run(env, "prices", "refresh", "--json", "--yes").returncode == 2
        assert history(env) == []
        good(run(env, "prices", "refresh", given="y\ny\n"))
    else:
        good(run(env, "prices", "refresh", "--yes", "--accept-large-changes"))
    assert len(history(env)) == 1


def test_a_price_that_is_gone_and_one_that_changed_raise_alerts_and_the_doctor_tells_them(
    env: Env, mirror: Provider
) -> None:
    used(env, "gpt-4o")
    used(env, "gpt-4o-mini")

    def change(sellers: Sellers) -> None:
        model(sellers, "openai", "gpt-4o")["prices"]["input_mtok"] = 3
        seller(sellers, "openai")["models"].remove(model(sellers, "openai", "gpt-4o-mini"))
        model(sellers, "openai", "gpt-4o")["match"] = {"equals": "gpt-4o"}

    offer(mirror, change)
    good(run(env, "prices", "refresh", "--yes", "--accept-large-changes"))
    alerts = json.loads(good(run(env, "alerts", "--json")))
    assert sorted(one["kind"] for one in alerts) == ["price_changed", "price_missing"]
    told = good(run(env, "doctor"))
    assert "The price of openai/gpt-4o has changed: input $2.50 to $3.00" in told
    assert "The price of openai/gpt-4o-mini is not known any more" in told


def test_B16_prices_that_were_tampered_with_are_not_used(env: Env, simulator: Simulator) -> None:
    taken(env)
    database = Path(env["OWNKEY_HOME"]) / "ownkey.db"
    with sqlite3.connect(database) as connection:
        (data,) = connection.execute("SELECT data FROM catalogues").fetchone()
        connection.execute("UPDATE catalogues SET data = ?", (data[:500] + bytes([data[500] ^ 1]) + data[501:],))
    connection.close()
    assert (price(env)["origin"], price(env)["rates"]["input"]) == ("shipped", 2_500_000_000)
    done = run(env, "doctor")
    assert done.returncode == 1
    assert "WRONG prices" in done.stdout
    assert "sha256 is not the one that was noted" in done.stdout
    with gateway(Path(env["OWNKEY_HOME"]), simulator) as running:
        assert running.ask("openai/gpt-4o").status == 200
        row = running.rows("openai")[-1]
        assert row.cost_nano == row.input_tokens * 2_500 + row.output_tokens * 10_000
        assert "sha256 is not the one that was noted" in running.log.read_text()
    taken(env)
    assert price(env)["origin"] == "refreshed"
    with pytest.raises(InvalidRequest, match="cannot be used"):
        back(env, 1)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (answer(b"", 404), "answered 404"),
        (answer(b"", 302, "location: https://elsewhere.example/data.json"), "redirects are not followed"),
        (answer(b"", 503), "answered 503"),
        (json_answer(b"<html>"), "cannot be taken"),
        (json_answer(published(priced("openai", "gpt-4o", input_mtok=-1))), "openai/gpt-4o: -1 is not a price"),
        (json_answer(published(lambda sellers: sellers.__delitem__(slice(9, None)))), "providers are gone"),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + b" " * (17 << 20), "larger than"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "."),
    ],
    ids=["404", "302", "503", "page", "negative", "vanished", "large", "malformed"],
)
def test_P11_what_cannot_be_fetched_or_read_changes_nothing(env: Env, mirror: Provider, said: bytes, why: str) -> None:
    mirror.begin({PATH: said})
    with pytest.raises(OwnkeyError, match=why):
        taken(env, large=True)
    assert history(env) == []


@pytest.mark.parametrize(
    "place", ["http://127.0.0.1:9/x", "http://169.254.169.254/x", "ftp://a/b", "http://10.0.0.1/x"]
)
def test_prices_are_fetched_only_from_where_keys_may_go(env: Env, place: str) -> None:
    with pytest.raises(OwnkeyError):
        taken(env, place)


def test_a_mirror_on_a_private_network_needs_its_owner_s_word(env: Env, mirror: Provider) -> None:
    with pytest.raises(EndpointNotAllowed):
        taken(env, hosts=False)
    assert mirror.requests == []


@pytest.mark.parametrize("place", ["missing.json", ".", "/dev/null", "/dev/zero", "a\x01b"])
def test_a_place_that_is_no_file_is_said_clearly(env: Env, place: str) -> None:
    with pytest.raises(InvalidRequest):
        taken(env, place)


def test_of_two_that_take_prices_at_the_same_moment_one_does(env: Env, tmp_path: Path) -> None:
    file = tmp_path / "newer.json"
    file.write_bytes(published(priced("openai", "gpt-4o", input_mtok=4, output_mtok=10)))
    home = Path(env["OWNKEY_HOME"])
    with library(home) as first, library(home) as second:
        proposals = [asyncio.run(one.prices.look(str(file))) for one in (first, second)]
        first.prices.take(proposals[0])
        with pytest.raises(InvalidRequest, match="at this moment"):
            second.prices.take(proposals[1])
    assert len(history(env)) == 1


def test_json_shows_every_change_and_takes_none_without_yes(env: Env) -> None:
    told = json.loads(good(run(env, "prices", "refresh", "--json")))
    (change,) = told["changes"]
    assert (change["provider"], change["model"], change["kind"]) == ("openai", "gpt-4o", "dearer")
    assert (change["input_percent"], change["output_percent"], told["taken"]) == (40.0, 0.0, None)
    assert history(env) == []
    assert json.loads(good(run(env, "prices", "refresh", "--json", "--yes")))["taken"]["number"] == 1


def test_the_origin_of_each_price_is_told(env: Env) -> None:
    good(run(env, "prices", "set", "openai/gpt-4o-mini", "--input", "1", "--output", "2", "--per-request", "0.025"))
    today = datetime.now(UTC).date().isoformat()
    own = price(env, "gpt-4o-mini")
    assert (own["origin"], own["taken"], own["rates"]["per_request"]) == ("own", today, 25_000_000)
