"""What was used, from the rollups: by person, provider, model, key, token, automation, day and hour.

Days and hours are those of UTC. Whole days that are over come from `usage_days`, everything else from `usage_hours`:
a span that begins or ends within an hour takes the whole of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import Connection, Row, Table, func, select, text

from ownkey.spending.latency import BUCKETS, quantile
from ownkey.store.connect import Database
from ownkey.store.posting import DAY_MS, HOUR_MS
from ownkey.store.tables import SUMMED, usage_days, usage_hours

Dimension = Literal["owner", "provider", "model", "key_id", "token_id", "automation", "day", "hour"]

FOREVER_MS = 2**53
_PLAIN = SUMMED.index("total_le_25")


class UsageTotal(Struct, frozen=True):
    """Sums over the attempts that agree in `group`: `day` and `hour` are the times, in epoch ms, at which they begin.

    `runs` counts first tries; `calls` all, those that failed too; `unpriced` those whose cost is not known.
    `p50_ms` and `p95_ms` are times to the end of an answer, `first_*` to its beginning; None where there are none.
    """

    group: dict[str, str | int]
    calls: int
    failed: int
    unpriced: int
    cost_nano: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    input_audio_tokens: int
    output_audio_tokens: int
    runs: int
    p50_ms: int | None = None
    p95_ms: int | None = None
    first_p50_ms: int | None = None
    first_p95_ms: int | None = None

    @property
    def succeeded(self) -> float | None:
        """The share of tries that did not fail."""
        return None if self.calls == 0 else 1 - self.failed / self.calls

    @property
    def nano_a_run(self) -> int | None:
        """What a run costs on average, every try of it; None where none began here, or a price is not known."""
        return None if self.runs == 0 or self.unpriced else self.cost_nano // self.runs


class Usage:
    def __init__(self, database: Database) -> None:
        self._database = database

    def totals(
        self,
        by: Sequence[Dimension] = (),
        *,
        since_ms: int = 0,
        until_ms: int = FOREVER_MS,
        where: Mapping[str, str] | None = None,
        times: bool = False,
    ) -> list[UsageTotal]:
        """Of attempts that began in [since, until), dearest first, or by time where that is asked for.

        `times`: how long they took, too; it takes some times as long to find out.
        """
        found: dict[tuple[Any, ...], list[int]] = {}
        with self._database.reading() as connection:
            closed_ms = connection.execute(text("SELECT closed_ms FROM budget_state")).scalar_one()
            for table, start_ms, end_ms in _spans(since_ms, until_ms, closed_ms, hourly="hour" in by):
                columns = SUMMED if times else SUMMED[:_PLAIN]
                for row in _sums(connection, table, by, columns, start_ms, end_ms, where or {}):
                    key, sums = tuple(row[: len(by)]), list(map(int, row[len(by) :]))
                    before = found.get(key)
                    found[key] = sums if before is None else [a + b for a, b in zip(before, sums, strict=True)]
        totals = [_total(dict(zip(by, key, strict=True)), sums) for key, sums in found.items()]
        if "day" in by or "hour" in by:
            time = "hour" if "hour" in by else "day"
            return sorted(totals, key=lambda one: (one.group[time], -one.cost_nano))
        return sorted(totals, key=lambda one: (-one.cost_nano, *map(str, one.group.values())))


def _spans(since_ms: int, until_ms: int, closed_ms: int, *, hourly: bool) -> Iterable[tuple[Table, int, int]]:
    """Which table has which part of the span."""
    first, last = since_ms - since_ms % HOUR_MS, until_ms
    days_from = -(-first // DAY_MS) * DAY_MS
    days_until = min(last - last % DAY_MS, closed_ms)
    if hourly or days_from >= days_until:
        yield usage_hours, first, last
        return
    if first < days_from:
        yield usage_hours, first, days_from
    yield usage_days, days_from, days_until
    if days_until < last:
        yield usage_hours, days_until, last


def _sums(
    connection: Connection,
    table: Table,
    by: Sequence[str],
    columns: Sequence[str],
    start_ms: int,
    end_ms: int,
    where: Mapping[str, str],
) -> Sequence[Row[Any]]:
    start = table.c.start_ms
    times = {"day": (start - start % DAY_MS), "hour": start}
    groups = [times[name].label(name) if name in times else table.c[name] for name in by]
    sums = [func.sum(table.c[name]) for name in columns]
    query = select(*groups, *sums).where(start >= start_ms, start < end_ms)
    query = query.where(*(table.c[name] == value for name, value in where.items()))
    query = query.group_by(*groups) if groups else query.having(func.count() > 0)
    return connection.execute(query).all()


def _total(group: dict[str, str | int], sums: list[int]) -> UsageTotal:
    total, first = sums[_PLAIN : _PLAIN + BUCKETS], sums[_PLAIN + BUCKETS :]
    return UsageTotal(
        group,
        *sums[: _PLAIN - 1],
        p50_ms=quantile(total, 0.5),
        p95_ms=quantile(total, 0.95),
        first_p50_ms=quantile(first, 0.5),
        first_p95_ms=quantile(first, 0.95),
    )
