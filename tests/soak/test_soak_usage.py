"""A year of ten million attempts, spread as widely as a busy house spreads them: the slow side of a dashboard."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from house import library, make_home
from ownkey.store.tables import SUMMED

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
TODAY_MS = time.time_ns() // 1_000_000 // DAY_MS * DAY_MS
PEOPLE, USES, HOURS, CALLS = 20, 6, 10, 23


def rows(*, hourly: bool) -> Iterator[tuple[Any, ...]]:
    """20 people, each with six of 12 models of 6 providers and 10 tokens, ten hours a day."""
    chance = random.Random(1)
    for person in range(PEOPLE):
        for use in range(USES):
            model = chance.randrange(12)
            for day in range(365):
                for hour in range(8, 8 + HOURS) if hourly else (0,):
                    calls = CALLS if hourly else CALLS * HOURS
                    sums = [0] * len(SUMMED)
                    sums[0], sums[3], sums[4], sums[5] = calls, 1_000 * calls, 400 * calls, 90 * calls
                    sums[-40] = calls
                    start = TODAY_MS - (365 - day) * DAY_MS + hour * HOUR_MS
                    who = (f"person-{person}", f"provider-{model % 6}", f"model-{model}", "key", f"token-{use}", "")
                    yield (start, *who, *sums)


@pytest.mark.soak
@pytest.mark.row("C12")
def test_S19_a_summary_of_a_widely_spread_year_takes_a_tenth_of_a_second(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(home)
    columns = ("start_ms", "owner", "provider", "model", "key_id", "token_id", "automation", *SUMMED)
    with library(home) as ownkey:
        assert ownkey.usage.totals(()) == []
        (file,) = (path for path in home.rglob("*.db"))
        with sqlite3.connect(file) as database:
            for table, hourly in (("usage_hours", True), ("usage_days", False)):
                insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
                database.executemany(insert, rows(hourly=hourly))
            database.execute("UPDATE budget_state SET closed_ms = ?", (TODAY_MS,))
        (total,) = ownkey.usage.totals(())
        assert total.calls == PEOPLE * USES * HOURS * CALLS * 365 > 10_000_000
        year_ms = TODAY_MS - 365 * DAY_MS
        asked: dict[str, Callable[[], object]] = {
            "summary, UTC": lambda: ownkey.usage.summary(UTC),
            "summary, New York": lambda: ownkey.usage.summary(ZoneInfo("America/New_York")),
            "days of a month": lambda: ownkey.usage.by_day(31, ZoneInfo("Asia/Tokyo")),
            "year by day and provider": lambda: ownkey.usage.totals(("day", "provider"), since_ms=year_ms, times=False),
            "month by owner and day": lambda: ownkey.usage.totals(("owner", "day"), since_ms=TODAY_MS - 30 * DAY_MS),
        }
        slowest = 0.0
        for name, ask in asked.items():
            took = sorted(_took_ms(ask) for _ in range(5))[2]
            print(f"{took:6.1f} ms {name}")
            slowest = max(slowest, took)
    assert slowest < 100


def _took_ms(ask: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    ask()
    return (time.perf_counter() - began_s) * 1000
