"""Keys that stopped working and prices that changed are noticed from the book, and told once."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from attempts import exact, hold
from house import KEYS, library
from ownkey.app.watching import REFUSED_WITHIN_MS
from ownkey.store.entry import Ending
from ownkey.store.posting import DAY_MS, HOUR_MS, Alert

MINUTE_MS = 60_000

FILE = """
id = "maker"
name = "Maker"
kind = "cloud"
wire = "openai-chat"
base_url = "https://api.maker.example/v1"
auth = {{ header = "authorization", scheme = "Bearer" }}
[[models]]
id = "large"
context = 128_000
max_output = 16_384
does = ["chat", "stream"]
{price}
"""


class Book:
    """A home with one provider, whose book is written as time goes on."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.price("2.50", "10.00")
        with library(home) as ownkey:
            self.key_id = ownkey.keys.set("maker", KEYS["openai"]).row.id
        self.at_ms = int(datetime.now(UTC).timestamp()) // 3600 * HOUR_MS + 2 * DAY_MS

    def price(self, input: str | None, output: str = "") -> None:
        folder = self.home / "providers"
        folder.mkdir(exist_ok=True)
        price = f'price = {{ input = "{input}", output = "{output}" }}' if input else ""
        (folder / "maker.toml").write_text(FILE.format(price=price))

    def ran(self, *errors: str | None, cost_nano: int = 600, **differs: Any) -> None:
        """Runs a minute apart, each with that error, or answered."""
        with library(self.home) as ownkey:
            rates = ownkey.house.prices.rates(
                ownkey.house.catalogue.get("maker"), "large", datetime.fromtimestamp(self.at_ms / 1000, UTC)
            )
            known = {"priced": rates is not None, "price": msgspec.json.encode(rates).decode() if rates else "{}"}
            for error in errors:
                wanted = hold(
                    **{"provider": "maker", "model": "large", "key_id": self.key_id, "owner": "owner"}
                    | {"started_at_ms": self.at_ms}
                    | known
                    | differs
                )
                book = ownkey.house.store.book
                asyncio.run(book.hold(wanted))
                if error is None:
                    book.settle(exact(wanted.id, cost_nano, status=200, ended_at_ms=self.at_ms + 5))
                else:
                    book.settle(Ending(wanted.id, "released", error=error, status=401, ended_at_ms=self.at_ms + 5))
                self.at_ms += MINUTE_MS

    def look(self) -> list[Alert]:
        with library(self.home) as ownkey:
            return ownkey.alerts.look(self.at_ms)


@pytest.fixture
def book(home: Path) -> Book:
    return Book(home)


REFUSED = "upstream_auth"


def test_a_key_that_was_refused_three_times_in_a_row_is_told_once(book: Book) -> None:
    book.ran(None, REFUSED, REFUSED)
    assert book.look() == []
    book.ran(REFUSED)
    (alert,) = book.look()
    assert (alert.kind, alert.owner) == ("key_failing", "owner")
    assert alert.message == "Maker refuses your key default: the last 3 tries failed."
    assert KEYS["openai"][-4:] not in f"{alert}"
    book.ran(REFUSED, REFUSED)
    assert book.look() == []


def test_a_key_that_worked_again_and_then_stopped_is_told_again(book: Book) -> None:
    book.ran(REFUSED, REFUSED, REFUSED)
    assert len(book.look()) == 1
    book.ran(None)
    assert book.look() == []
    book.ran(REFUSED, REFUSED, REFUSED)
    assert len(book.look()) == 1
    assert book.look() == []


def test_other_errors_say_nothing_of_a_key(book: Book) -> None:
    book.ran("upstream_unavailable", "upstream_unavailable", "rate_limited", "upstream_timeout")
    assert book.look() == []
    book.ran(REFUSED, "upstream_unavailable", REFUSED, "rate_limited", REFUSED)
    assert len(book.look()) == 1


def test_a_key_that_was_replaced_begins_anew(book: Book) -> None:
    book.at_ms = int(datetime.now(UTC).timestamp() * 1000) - 10 * MINUTE_MS
    book.ran(REFUSED, REFUSED, REFUSED)
    with library(book.home) as ownkey:
        ownkey.keys.set("maker", KEYS["openai"] + "new")
    assert book.look() == []
    book.at_ms += 10 * MINUTE_MS
    book.ran(REFUSED, REFUSED)
    assert book.look() == []
    book.ran(REFUSED)
    assert len(book.look()) == 1


def test_refusals_of_long_ago_and_of_a_key_that_is_gone_are_no_news(book: Book) -> None:
    book.ran(REFUSED, REFUSED, REFUSED)
    at_ms = book.at_ms
    book.at_ms += REFUSED_WITHIN_MS
    assert book.look() == []
    book.at_ms = at_ms
    with library(book.home) as ownkey:
        ownkey.keys.remove("maker")
    assert book.look() == []


def test_each_change_of_a_price_in_use_is_told_once(book: Book) -> None:
    book.ran(None)
    assert book.look() == []
    book.price("3.00", "10.00")
    (alert,) = book.look()
    assert alert.kind == "price_changed"
    assert alert.message == "The price of maker/large has changed: input $2.50 to $3.00 a million tokens."
    facts = json.loads(alert.facts)
    assert (facts["before"]["input"], facts["now"]["input"]) == (2_500_000_000, 3_000_000_000)
    book.ran(None)
    assert book.look() == []
    book.price("2.50", "10.00")
    assert [alert.kind for alert in book.look()] == ["price_changed"]
    book.price("3.00", "10.00")
    assert [alert.kind for alert in book.look()] == ["price_changed"]
    assert book.look() == []


def test_a_change_that_runs_were_charged_at_before_anybody_looked_is_told_too(book: Book) -> None:
    book.ran(None)
    book.at_ms += DAY_MS
    book.price("5.00", "20.00")
    book.ran(None, None)
    (alert,) = book.look()
    assert alert.message.endswith("input $2.50 to $5.00, output $10.00 to $20.00 a million tokens.")


def test_a_price_that_went_missing_and_came_back_is_told(book: Book) -> None:
    book.ran(None)
    book.price(None)
    (alert,) = book.look()
    assert (alert.kind, json.loads(alert.facts)["now"]) == ("price_missing", None)
    assert book.look() == []
    book.price("2.50", "10.00")
    (back,) = book.look()
    assert (back.kind, "known again" in back.message) == ("price_changed", True)


def test_prices_of_models_that_nobody_uses_are_no_news(book: Book) -> None:
    book.ran(None)
    book.price("9.00", "9.00")
    book.at_ms += 40 * DAY_MS
    assert book.look() == []
    book.price(None)
    book.ran(None)
    assert book.look() == []


def test_two_who_look_at_once_tell_a_change_once(book: Book) -> None:
    book.ran(None)
    book.price("3.00", "10.00")
    with library(book.home) as one, library(book.home) as other:
        told = one.alerts.look(book.at_ms) + other.alerts.look(book.at_ms)
    assert len(told) == 1


def test_spending_far_off_its_pattern_is_told_once_a_day(book: Book) -> None:
    cents = 10_000_000
    for day in range(20):
        book.ran(None, held_nano=100 * cents, cost_nano=(9 + day % 3) * cents)
        assert book.look() == []
        book.at_ms += DAY_MS - MINUTE_MS
    book.ran(None, held_nano=100 * cents, cost_nano=12 * cents)
    assert book.look() == []
    book.ran(*[None] * 4, held_nano=100 * cents, cost_nano=95 * cents)
    (alert,) = book.look()
    assert (alert.kind, alert.owner) == ("unusual_spending", None)
    assert alert.message.startswith("$3.92 have been spent today; usual is ")
    assert json.loads(alert.facts)["spent_nano"] == 392 * cents
    book.ran(None)
    assert book.look() == []
