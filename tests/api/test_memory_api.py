"""History and cache over the API: one's own, and nothing for a token that only asks models."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from browsing import Browser, signed_in
from house import Simulator
from remembering import Remembering, remembering

HISTORY, CACHE = "/api/byok/history", "/api/byok/cache"


@pytest.fixture(scope="module")
def house(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remembering]:
    with remembering(tmp_path_factory.mktemp("memory") / "home", simulator) as made:
        yield made


@pytest.fixture
def browser(house: Remembering) -> Browser:
    return signed_in(house.here.gateway, house.ids["a"])


@pytest.mark.row("C4")
def test_it_is_switched_on_searched_shown_and_deleted(house: Remembering, browser: Browser) -> None:
    assert browser.get(f"{HISTORY}-terms").json == {"keep": False, "days": None, "count": 0}
    assert browser.ask("PUT", f"{HISTORY}-terms", {"keep": True, "days": 7}).json["days"] == 7
    for number in range(3):
        house.texts("a", "openai-chat", {"say": f"Say 2 words about number {number}"})
    first = browser.get(f"{HISTORY}?limit=2").json
    assert (len(first["entries"]), first["looked_at"]) == (2, 2)
    (last,) = browser.get(f"{HISTORY}?limit=2&before={first['next']}").json["entries"]
    assert last["entry"]["messages"][0]["pieces"][0]["text"].endswith("number 0")
    (found,) = browser.get(f"{HISTORY}?text=NUMBER%201").json["entries"]
    assert browser.get(f"{HISTORY}/{found['id']}").json == found
    assert browser.ask("DELETE", f"{HISTORY}/{found['id']}").json == {"removed": 1}
    assert browser.get(f"{HISTORY}/{found['id']}").status == 404
    assert browser.ask("DELETE", f"{HISTORY}?older_than_days=1").json == {"removed": 0}
    assert browser.ask("DELETE", HISTORY).json == {"removed": 2}
    off = browser.ask("PUT", f"{HISTORY}-terms", {"keep": False})
    assert off.json == {"keep": False, "days": 7, "count": 0}


def test_A05_what_is_somebody_elses_is_not_there(house: Remembering, browser: Browser) -> None:
    browser.ask("PUT", f"{HISTORY}-terms", {"keep": True})
    answer, _ = house.texts("a", "openai-chat", {"say": "Say 2 words"})
    house.here.settle(idle=True)
    other = signed_in(house.here.gateway, house.ids["b"])
    path = f"{HISTORY}/{answer.headers['x-request-id']}"
    assert browser.get(path).status == 200
    theirs, missing = other.get(path), other.get(f"{HISTORY}/nothing")
    assert (theirs.status, theirs.body) == (missing.status, missing.body) == (404, theirs.body)
    assert other.get(HISTORY).json["entries"] == []
    token = {"Authorization": f"Bearer {house.people['a']}"}
    assert house.here.gateway.send("GET", path, None, token).status == 403


@pytest.mark.parametrize(
    ("body", "param"),
    [({"on": True, "ttl_s": 0}, "ttl"), ({"on": True, "ttl_s": 10**9}, "ttl"), ({"on": True, "models": " "}, "models")],
)
def test_what_the_cache_cannot_be_is_refused(browser: Browser, body: dict[str, object], param: str) -> None:
    refused = browser.ask("PUT", CACHE, body)
    assert (refused.status, refused.error["param"]) == (422, param)


@pytest.mark.row("C14")
def test_the_cache_is_switched_on_counted_and_cleared(house: Remembering, browser: Browser) -> None:
    assert browser.get(CACHE).json["ttl_s"] is None
    assert browser.ask("PUT", CACHE, {"on": True, "ttl_s": 60}).json["ttl_s"] == 60
    for _ in range(3):
        house.texts("a", "openai-chat", {"say": "Say 8 words"})
    told = browser.get(CACHE).json
    assert (told["answers"], told["hits"], told["unpriced"]) == (1, 2, 0)
    assert told["saved_nano"] > 0
    assert browser.ask("DELETE", CACHE).json == {"removed": 1}
    assert browser.ask("PUT", CACHE, {"on": False}).json["ttl_s"] is None
