"""Price catalogues in the database: one order for all processes, on SQLite and on PostgreSQL; and large sums."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from attempts import exact, hold
from ownkey.catalog.manifest import Provider
from ownkey.spending.catalogue import Prices
from ownkey.spending.published import read
from ownkey.store.catalogues import Edition
from ownkey.store.db import Store
from ownkey.talk.errors import OwnkeyError
from published_prices import priced, published
from store_asked import ask, settle

OPENAI = Provider("openai", "OpenAI", "cloud", "openai-chat", "https://a", prices="openai")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MOST = 2**53 - 1


def edition(number: int, back_to: int | None = None) -> Edition:
    return Edition(number, back_to, "a mirror", "0" * 64, "genai-prices 1", 1_790_000_000_000)


def test_every_process_of_a_database_has_the_catalogue_that_was_taken_last(
    store: Store, url: str, tmp_path: Path
) -> None:
    prices, other = Prices.load(tmp_path), Store.open(url)

    def costs() -> int:
        other.bring(prices)
        rates = prices.rates(OPENAI, "gpt-4o", NOW)
        assert rates is not None
        return rates.input

    assert costs() == 2_500_000_000
    for number, dollars in ((1, 3), (2, 4)):
        file = read(published(priced("openai", "gpt-4o", input_mtok=dollars, output_mtok=10)))
        assert store.catalogues.add(edition(number), file)
        assert not store.catalogues.add(edition(number), file)
        assert costs() == dollars * 10**9
    assert store.catalogues.add(edition(3, back_to=1))
    assert costs() == 3 * 10**9
    assert store.catalogues.add(edition(4, back_to=0))
    assert costs() == 2_500_000_000
    assert [(one.number, one.used) for one in other.catalogues.listed()] == [(4, 0), (3, 1), (2, 2), (1, 1)]
    other.close()


@pytest.mark.parametrize("amount", [2**53, 2**63, 2**64, 10**30])
def test_B11_an_amount_that_is_too_large_to_be_kept_is_refused_whole(store: Store, amount: int) -> None:
    (refused,) = ask(store, hold(held_nano=amount))
    assert isinstance(refused, OwnkeyError)
    ask(store, hold(held_nano=1))
    assert sum(total.pending_nano for total in store.book.totals()) == 1


def test_B11_a_hundred_of_the_greatest_amounts_are_summed_without_a_wrap(store: Store) -> None:
    for _ in range(100):
        row = hold(held_nano=MOST)
        ask(store, row)
        settle(store, exact(row.id, MOST))
    (total,) = store.usage.totals(())
    assert total.cost_nano == 100 * MOST


def test_B12_many_tiny_charges_are_summed_to_the_nano_dollar(store: Store) -> None:
    charges = [1 + number % 7 for number in range(500)]
    for nano in charges:
        row = hold(held_nano=10)
        ask(store, row)
        settle(store, exact(row.id, nano))
    (total,) = store.usage.totals(())
    (booked,) = store.book.totals(())
    assert (total.cost_nano, booked.cost_nano, booked.pending_nano) == (sum(charges), sum(charges), 0)
