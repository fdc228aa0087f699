"""Usage from the rollups: what the rows add up to, quickly, however many they are."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from attempts import exact, hold
from ownkey.spending.latency import BOUNDS_MS, BUCKETS, bucket, quantile
from ownkey.store.db import Store
from ownkey.store.entry import Ending, Hold
from ownkey.store.tables import SUMMED
from store_asked import ask, settle

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
TODAY_MS = time.time_ns() // 1_000_000 // DAY_MS * DAY_MS


def some(number: int, seed: int) -> list[tuple[Hold, Ending]]:
    """Attempts of the last days, the present one among them."""
    chance = random.Random(seed)
    made: list[tuple[Hold, Ending]] = []
    for _ in range(number):
        mine = hold(
            owner=chance.choice(("ann", "bob")),
            model=chance.choice(("a", "b")),
            token_id=chance.choice((None, "t")),
            automation=chance.choice((None, "nightly")),
            started_at_ms=TODAY_MS - 3 * DAY_MS + chance.randrange(4 * DAY_MS - HOUR_MS),
        )
        ending = exact(
            mine.id,
            chance.randrange(1_000),
            input_tokens=chance.randrange(100),
            output_tokens=chance.randrange(100),
            cached_tokens=chance.choice((None, 7)),
            error=chance.choice((None, None, "upstream_unavailable")),
            total_ms=chance.randrange(5_000),
            first_ms=chance.randrange(1_000),
        )
        made.append((mine, ending))
    return made


def write(store: Store, made: list[tuple[Hold, Ending]]) -> None:
    ask(store, *(mine for mine, _ in made))
    settle(store, *(ending for _, ending in made))


@pytest.mark.row("C5")
@pytest.mark.row("B12")
@pytest.mark.parametrize("by", [(), ("owner",), ("model", "automation"), ("day",), ("hour", "token_id"), ("provider",)])
def test_totals_are_what_the_rows_add_up_to(store: Store, by: Any) -> None:
    made = some(80, 1)
    write(store, made[:40])
    write(store, made[40:])
    open_ = hold()
    ask(store, open_)
    since_ms, until_ms = TODAY_MS - 2 * DAY_MS - 5 * HOUR_MS, TODAY_MS + 3 * HOUR_MS

    def group(mine: Hold) -> tuple[Any, ...]:
        times = {"day": mine.started_at_ms // DAY_MS * DAY_MS, "hour": mine.started_at_ms // HOUR_MS * HOUR_MS}
        return tuple(times[name] if name in times else getattr(mine, name) or "" for name in by)

    wanted: dict[tuple[Any, ...], list[int]] = {}
    for mine, ending in made:
        if since_ms <= mine.started_at_ms < until_ms:
            sums = wanted.setdefault(group(mine), [0] * 5)
            for place, value in enumerate(
                (1, ending.error is not None, ending.cost_nano, ending.input_tokens, ending.cached_tokens or 0)
            ):
                sums[place] += int(value or 0)
    found = {
        tuple(one.group.values()): [one.calls, one.failed, one.cost_nano, one.input_tokens, one.cached_tokens]
        for one in store.usage.totals(by, since_ms=since_ms, until_ms=until_ms)
    }
    assert found == wanted


def test_an_answer_that_ends_after_its_day_was_summed_up_counts_in_it(store: Store) -> None:
    late = hold(started_at_ms=TODAY_MS - 5 * DAY_MS)
    ask(store, late)
    write(store, some(3, 2))
    settle(store, exact(late.id, 123))
    (total,) = store.usage.totals(("day",), until_ms=TODAY_MS - 4 * DAY_MS)
    assert (total.cost_nano, total.group["day"]) == (123, TODAY_MS - 5 * DAY_MS)


def test_what_is_not_known_is_counted_apart_and_never_as_nothing(store: Store) -> None:
    known, unknown, freed = hold(), hold(priced=False, held_nano=0), hold()
    ask(store, known, unknown, freed)
    settle(store, exact(known.id, 600), exact(unknown.id, 0), replace(exact(freed.id, 0), state="released"))
    (total,) = store.usage.totals()
    assert (total.calls, total.cost_nano, total.unpriced) == (3, 600, 1)
    assert total.p50_ms is None


def test_a_run_costs_what_all_its_tries_cost(store: Store) -> None:
    first, second = hold(automation="nightly"), hold(automation="nightly", attempt=2)
    other = hold(automation="nightly")
    ask(store, first, second, other)
    settle(store, exact(first.id, 100, error="timeout"), exact(second.id, 500), exact(other.id, 200))
    (total,) = store.usage.totals(("automation",))
    assert (total.calls, total.runs, total.nano_a_run) == (3, 2, 400)


def test_quantiles_are_within_a_bucket_of_the_truth() -> None:
    chance = random.Random(3)
    times = sorted(int(chance.lognormvariate(6.5, 1.0)) for _ in range(5_000))
    counts = [0] * BUCKETS
    for one in times:
        counts[bucket(one)] += 1
    for share in (0.01, 0.5, 0.95, 0.999):
        true, found = times[int(share * len(times))], quantile(counts, share)
        assert found is not None
        assert abs(bucket(found) - bucket(true)) <= 1
    assert quantile([0] * BUCKETS, 0.5) is None
    assert quantile([0] * (BUCKETS - 1) + [4], 0.5) == BOUNDS_MS[-1]


def rolled_up(days: int, people: int, seed: int) -> Iterator[tuple[Any, ...]]:
    """Hours as attempts by so many people, at two models and with one token each, would be summed up."""
    chance = random.Random(seed)
    models = [(f"provider-{number % 6}", f"model-{number}") for number in range(12)]
    for day in range(days):
        for person in range(people):
            for hour in chance.sample(range(24), 3):
                provider, model = chance.choice(models)
                sums = [0] * len(SUMMED)
                sums[0], sums[3], sums[4], sums[5] = 230, 1_000_000, 4_000, 900
                sums[-40] = 230
                start = TODAY_MS - (days - day) * DAY_MS + hour * HOUR_MS
                yield (start, f"person-{person}", provider, model, "key", f"token-{person % 10}", "", *sums)


def fill(url: str, days: int, people: int) -> int:
    columns = ("start_ms", "owner", "provider", "model", "key_id", "token_id", "automation", *SUMMED)
    rows = [dict(zip(columns, row, strict=True)) for row in rolled_up(days, people, 5)]
    insert = f"INSERT INTO usage_hours ({', '.join(columns)}) VALUES ({', '.join(':' + name for name in columns)})"
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text(insert), rows)
    return sum(row["calls"] for row in rows)


def slowest_ms(store: Store) -> float:
    """Of the queries that a dashboard makes, the quickest of twenty times each: what beside it runs takes time too."""
    month_ms = TODAY_MS - 30 * DAY_MS
    year_ms = TODAY_MS - 365 * DAY_MS
    asked: list[dict[str, Any]] = [
        {"since_ms": month_ms, "times": True},
        {"by": ("provider", "model"), "since_ms": month_ms, "times": True},
        {"by": ("owner", "day"), "since_ms": month_ms, "times": True},
        {"by": ("day",), "since_ms": month_ms},
        {"by": ("hour",), "since_ms": TODAY_MS - 2 * DAY_MS},
        {"by": ("owner",), "since_ms": year_ms},
        {"by": ("day", "provider"), "since_ms": year_ms},
        {"by": ("token_id",), "since_ms": year_ms},
        {"by": ("model",), "where": {"owner": "person-3"}, "since_ms": year_ms},
    ]
    slowest = 0.0
    for each in asked:
        took: list[float] = []
        for _ in range(20):
            began_s = time.perf_counter()
            store.usage.totals(**each)
            took.append((time.perf_counter() - began_s) * 1000)
        print(f"{min(took):6.1f} ms {each}")
        slowest = max(slowest, min(took))
    return slowest


@pytest.mark.row("C12")
def test_S19_ten_million_attempts_of_a_year_are_told_in_a_tenth_of_a_second(store: Store, url: str) -> None:
    calls = fill(url, 365, 40)
    # The first write of a day sums up those that are over.
    write(store, some(1, 9))
    took_ms = slowest_ms(store)
    print(f"{calls:,} attempts, the slowest query took {took_ms:.0f} ms")
    assert calls > 10_000_000
    assert took_ms < 100
