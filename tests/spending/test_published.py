"""A price catalogue that was fetched: read strictly, and compared with the one in use."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ownkey.catalog.manifest import Provider
from ownkey.spending.catalogue import Listing, Prices
from ownkey.spending.changes import Change, changes, vanished
from ownkey.spending.compile import compiled
from ownkey.spending.listing import matches
from ownkey.spending.override import Override
from ownkey.spending.published import read
from ownkey.talk.errors import InvalidRequest
from published_prices import Sellers, model, priced, published, seller

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OPENAI = Provider("openai", "OpenAI", "cloud", "openai-chat", "https://a", prices="openai")
ONE: dict[str, Any] = {"id": "m", "match": {"equals": "m"}, "prices": {"input_mtok": 1, "output_mtok": 2}}


def one(**differs: Any) -> bytes:
    return json.dumps([{"id": "s", "models": [ONE | differs]}]).encode()


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Prices:
    return Prices.load(tmp_path_factory.mktemp("prices"))


def compared(prices: Prices, change: Callable[[Sellers], None], *used: str, key: tuple[str, ...] = ()) -> list[Change]:
    after = prices.with_listing(Listing(read(published(change)), "new"))
    near = [(OPENAI, name, "used") for name in used] + [(OPENAI, name, "key") for name in key]
    return changes(prices, after, near, NOW)  # type: ignore[arg-type]


def test_what_genai_prices_publishes_is_read_as_what_it_ships() -> None:
    assert read(published()).sellers == compiled().sellers


def test_a_whole_catalogue_is_read_in_a_second(prices: Prices) -> None:
    data = published()
    begun = time.thread_time()
    read(data)
    assert time.thread_time() - begun < 1


@pytest.mark.parametrize(
    "price",
    [
        *("NaN", "Infinity", "-Infinity", "-1", "-1e-9", "1e999", "1e-999999999", "10001", "true", '"1"', "[]", "1e21"),
        *('{"base":1}', '{"base":1,"tiers":[{"start":-1,"price":1}]}', '{"base":1,"tiers":[{"start":5,"price":-1}]}'),
        '{"base":1,"tiers":[{"start":5,"price":1},{"start":5,"price":2}]}',
        *("0." + "3" * 50, "9" * 5_000, '{"base":1,"tiers":[],"more":1}', '{"base":NaN,"tiers":[]}'),
    ],
)
def test_B10_a_price_that_is_none_is_refused_with_all_that_came_with_it(price: str) -> None:
    data = one().replace(b'"input_mtok": 1', f'"input_mtok": {price}'.encode())
    with pytest.raises(InvalidRequest, match="cannot be taken"):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"<html>",
        b"\xef\xbb\xbf[]",
        one().decode().encode("utf-16"),
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'[{"id":"s","models":[],"extractors":' + b"[" * 100_000 + b"]" * 100_000 + b"}]",
        one() + b" trailing",
        one().replace(b'"output_mtok": 2', b'"input_mtok": 2'),
        one(id=""),
        one(id="two words"),
        one(id="a" * 201),
        one(id="bell\x07"),
        one(price_per_page=3),
        one(prices=[]),
        one(prices=[{"prices": {"input_mtok": 1}, "constraint": {"from": "2026-01-01"}}]),
        one(prices=[{"prices": {"input_mtok": 1}, "constraint": {"start_date": "2026-13-01"}}]),
        one(prices=[{"prices": {"input_mtok": 1}, "constraint": {}}]),
        one(prices=[{"prices": {"input_mtok": 1}, "constraint": {"start_time": "01:00:00"}}]),
        one(price_variants=[{"when": {}, "prices": {"input_mtok": 1}}]),
        one(context_window=-1),
        one(match={}),
        one(match={"equals": "m", "contains": "n"}),
        one(match={"sounds_like": "m"}),
        one(match={"or": ["m"]}),
        json.dumps([{"id": "s", "models": [ONE, ONE]}]).encode(),
        json.dumps([{"id": "s", "models": [ONE]}] * 2).encode(),
        json.dumps([{"id": f"s{n}", "models": []} for n in range(1_001)]).encode(),
        b" " * ((16 << 20) + 1),
    ],
    ids=lambda data: data[:40].decode("latin-1"),
)
def test_P11_what_is_no_catalogue_is_refused_in_one_sentence(data: bytes) -> None:
    begun = time.thread_time()
    with pytest.raises(InvalidRequest, match=r"^These prices cannot be taken: ") as refused:
        read(data)
    assert len(str(refused.value)) < 500
    assert "\n" not in str(refused.value)
    assert time.thread_time() - begun < 2


def nested(depth: int) -> dict[str, Any]:
    return {"equals": "m"} if depth == 0 else {"or": [nested(depth - 1)]}


@pytest.mark.parametrize(
    "match",
    [
        *(
            {"regex": text}
            for text in ("(a+)+$", "(a|a)*$", "(a*){9}", "a*a*a*a*b", "(", r"(a)\1", "a?" * 40, "x" * 201)
        ),
        {"regex": r"(\w|a){3,}"},
        {"or": [{"equals": str(n)} for n in range(300)]},
        nested(20),
    ],
    ids=lambda match: str(match)[:40],
)
def test_a_rule_that_could_take_long_to_compare_is_refused(match: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="match"):
        read(one(match=match))


def test_the_longest_name_is_compared_with_every_rule_in_a_moment() -> None:
    listing = Listing(read(published()), "new")
    begun = time.thread_time()
    for name in ("a" * 256, "gpt-" * 64, "1" * 256, "-tts" * 64):
        for place in listing.sellers:
            found = listing.seller(place)
            assert found is not None
            for listed in found.models:
                matches(listed.match, name)
    assert time.thread_time() - begun < 5


def test_nothing_changes_where_nothing_did(prices: Prices) -> None:
    assert compared(prices, lambda sellers: None, "gpt-4o", key=("gpt-4o-mini",)) == []


def test_models_that_are_used_stand_first_then_those_with_a_key_then_large_changes(prices: Prices) -> None:
    def change(sellers: Sellers) -> None:
        model(sellers, "openai", "gpt-4o")["prices"] = {"input_mtok": 3, "output_mtok": 10}
        model(sellers, "openai", "gpt-4o-mini")["prices"]["input_mtok"] = 0.1
        model(sellers, "openai", "o3-mini")["prices"] = {"input_mtok": 9_000, "output_mtok": 9_000}
        seller(sellers, "groq")["models"].append(ONE | {"id": "brand-new"})
        seller(sellers, "anthropic")["models"].remove(model(sellers, "anthropic", "claude-2"))

    found = compared(prices, change, "gpt-4o", key=("gpt-4o-mini",))
    assert [(one.provider, one.model, one.near, one.kind, one.large) for one in found] == [
        ("openai", "gpt-4o", "used", "dearer", False),
        ("openai", "gpt-4o-mini", "key", "cheaper", False),
        ("openai", "o3-mini", "", "dearer", True),
        ("anthropic", "claude-2", "", "gone", False),
        ("groq", "brand-new", "", "new", False),
    ]
    assert (found[0].before.input, found[0].after.input) == (2_500_000_000, 3_000_000_000)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("after", "large"),
    [
        ({"input_mtok": 24.99, "output_mtok": 10}, False),
        ({"input_mtok": 25, "output_mtok": 10}, True),
        ({"input_mtok": 2.5, "output_mtok": 1.01}, False),
        ({"input_mtok": 2.5, "output_mtok": 1}, True),
        ({"input_mtok": 0, "output_mtok": 0}, True),
        ({"input_mtok": 2.5, "output_mtok": 10, "cache_read_mtok": 0}, True),
        ({"input_mtok": {"base": 2.5, "tiers": [{"start": 100_000, "price": 2_500}]}, "output_mtok": 10}, True),
        ({"input_mtok": 2.5, "output_mtok": 10, "requests_kcount": 14}, True),
        ({"input_mchars": 1}, True),
    ],
)
def test_B16_a_tenfold_price_a_tenth_of_it_or_nothing_is_large(
    prices: Prices, after: dict[str, Any], large: bool
) -> None:
    (found,) = compared(prices, priced("openai", "gpt-4o", **{"cache_read_mtok": 1.25} | after), "gpt-4o")
    assert found.large is large


def test_B16_a_price_that_will_be_wrong_from_a_later_day_on_is_large_today(prices: Prices) -> None:
    def change(sellers: Sellers) -> None:
        gpt = model(sellers, "openai", "gpt-4o")
        gpt["prices"] = [
            {"prices": gpt["prices"]},
            {"constraint": {"start_date": "2027-02-01"}, "prices": {"input_mtok": 0, "output_mtok": 0}},
        ]

    for near in (("gpt-4o",), ()):
        (found,) = compared(prices, change, *near)
        assert (found.large, found.since) == (True, "2027-02-01")


def test_B16_a_price_that_is_wrong_at_one_hour_of_the_day_is_large(prices: Prices) -> None:
    def change(sellers: Sellers) -> None:
        gpt = model(sellers, "openai", "gpt-4o")
        hour = {"start_time": "03:00:00Z", "end_time": "03:30:00Z"}
        gpt["prices"] = [{"prices": gpt["prices"]}, {"constraint": hour, "prices": {"input_mtok": 0, "output_mtok": 0}}]

    (found,) = compared(prices, change, "gpt-4o")
    assert found.large


def test_B16_a_price_that_is_wrong_for_one_tier_of_service_is_large(prices: Prices) -> None:
    def change(sellers: Sellers) -> None:
        for variant in model(sellers, "openai", "gpt-4o")["price_variants"]:
            variant["prices"] = {"input_mtok": 0, "output_mtok": 0}

    (found,) = compared(prices, change, "gpt-4o")
    assert found.large
    assert found.asked


def test_B16_a_rule_that_takes_the_name_of_a_model_in_use_is_seen(prices: Prices) -> None:
    def change(sellers: Sellers) -> None:
        thief = {"id": "thief", "match": {"starts_with": "gpt-4o"}, "prices": {"input_mtok": 0, "output_mtok": 0}}
        seller(sellers, "openai")["models"].insert(0, thief)

    found = compared(prices, change, "gpt-4o")
    assert (found[0].model, found[0].large, found[0].kind) == ("gpt-4o", True, "cheaper")


def test_a_price_of_the_owner_s_own_does_not_change(prices: Prices, tmp_path: Path) -> None:
    mine = prices.with_listing(prices.listing)
    mine.override({("openai", "gpt-4o"): Override(rates={"input": "1", "output": "2"})})
    change = priced("openai", "gpt-4o", input_mtok=50, output_mtok=50)
    assert compared(mine, change, "gpt-4o") == []


def test_P11_providers_and_models_do_not_vanish_wholesale(prices: Prices) -> None:
    def fewer_sellers(sellers: Sellers) -> None:
        del sellers[20:]

    def fewer_models(sellers: Sellers) -> None:
        for one in sellers:
            del one["models"][len(one["models"]) // 2 :]

    for change in (fewer_sellers, fewer_models):
        assert "are gone" in str(vanished(prices.listing, Listing(read(published(change)), "new")))
    kept = Listing(read(published(lambda sellers: seller(sellers, "avian")["models"].clear())), "new")
    assert vanished(prices.listing, kept) is None
