"""Runs of another installation, taken into the book: their rows, and the sums they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from msgspec import convert
from sqlalchemy import Connection, insert, text

from ownkey.spending.budget import Budgets
from ownkey.store import tables
from ownkey.store.entry import Ending
from ownkey.store.posting import COLUMNS_OF_A_ROLLUP, COLUMNS_OF_ENDED, Posting
from ownkey.store.tables import SUMMED

BATCH = 500


def add_past(connection: Connection, rows: Iterable[dict[str, Any]]) -> None:
    """Inside a transaction that nobody holds or settles beside. Counters have to be counted anew afterwards."""
    closed_ms = connection.execute(text("SELECT closed_ms FROM budget_state")).scalar_one()
    for batch in _batches(rows):
        connection.execute(insert(tables.book), [row | {"holder": ""} for row in batch])
        posting = Posting(Budgets(version=0), closed_ms)
        for row in batch:
            told: Any = tuple(row[name] for name in COLUMNS_OF_ENDED)
            posting.ended(told, _ending(row))
        for table, sums in (("usage_hours", posting.hours), ("usage_days", posting.days())):
            if sums:
                columns = (*COLUMNS_OF_A_ROLLUP, *SUMMED)
                added = [dict(zip(columns, (*key, *counts), strict=True)) for key, counts in sums.items()]
                connection.execute(_ROLL_UP[table], added)


def _ending(row: dict[str, Any]) -> Ending:
    return convert({name: row[name] for name in Ending.__struct_fields__ if name in row}, Ending)


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    found = iter(rows)
    while batch := list(islice(found, BATCH)):
        yield batch


def _roll_up(table: str) -> str:
    columns = (*COLUMNS_OF_A_ROLLUP, *SUMMED)
    sums = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in SUMMED)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(f':{name}' for name in columns)})"  # noqa: S608
        f" ON CONFLICT ({', '.join(COLUMNS_OF_A_ROLLUP)}) DO UPDATE SET {sums}"
    )


_ROLL_UP = {name: text(_roll_up(name)) for name in ("usage_hours", "usage_days")}
