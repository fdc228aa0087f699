"""A database of before is brought up to date with everything that is in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from attempts import hold
from ownkey.spending.budget import Budget
from ownkey.store import schema
from ownkey.store.db import Store
from store_asked import ask

AT_MS = 1_700_000_000_000
_ROW: dict[str, Any] = {
    "id": "r.1", "request_id": "r", "attempt": 1, "owner": "ann", "token_id": None, "key_id": "k", "provider": "openai",
    "model": "gpt-4o", "wire": "openai-chat", "stream": False, "held_nano": 900, "priced": True, "price": "{}",
    "started_at_ms": AT_MS, "holder": "0" * 16, "state": "exact", "cost_nano": 700, "input_tokens": 5,
    "output_tokens": 6, "cached_tokens": 2, "cache_write_tokens": None, "reasoning_tokens": None, "finish": "stop",
    "error": None, "status": 200, "first_ms": 30, "total_ms": 400, "ended_at_ms": AT_MS + 400,
}  # fmt: skip


def test_S08_keys_of_before_are_in_the_order_in_which_they_were_stored(url: str) -> None:
    rows = [("k1", "ann", "a", 5), ("k2", "ann", "b", 3), ("k3", "ann", "c", 5), ("k4", "bob", "a", 1)]
    with _before(url, "0002") as connection:
        for id, owner, label, created_at_ms in rows:
            connection.execute(
                text(
                    "INSERT INTO keys (id, owner, provider, origin, version, sealed, masked, label, created_at_ms)"
                    " VALUES (:id, :owner, 'openai', 'https://o:443', 1, :sealed, '...', :label, :at)"
                ),
                {"id": id, "owner": owner, "label": label, "at": created_at_ms, "sealed": b"s"},
            )
    store = Store.open(url)
    assert [(row.id, row.position) for row in store.keys.of("ann", "openai")] == [("k2", 1), ("k1", 2), ("k3", 3)]
    (other,) = store.keys.of("bob", "openai")
    assert (other.position, other.paused_at_ms, other.models, other.refused) == (1, None, None, None)
    store.close()


@contextmanager
def _before(url: str, revision: str) -> Iterator[Connection]:
    """A database of that schema."""
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(mode=0o700)
        Path(url.removeprefix("sqlite:///")).touch(mode=0o600)
    with create_engine(url, poolclass=NullPool).begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA journal_mode = DELETE")
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(Path(schema.__file__).with_name("migrations")))
        command.upgrade(config, revision)
        yield connection


def test_S08_a_book_of_the_first_schema_keeps_its_rows_and_gets_its_sums(url: str) -> None:
    with _before(url, "0001") as connection:
        insert = f"INSERT INTO book ({', '.join(_ROW)}) VALUES ({', '.join(':' + name for name in _ROW)})"
        connection.execute(text(insert), _ROW)
        later = {"id": "r.2", "state": "held", "cost_nano": 0, "ended_at_ms": None, "total_ms": None, "first_ms": None}
        connection.execute(text(insert), _ROW | later)
    store = Store.open(url)
    rows = {row.id: row for row in store.book.rows()}
    assert {name: getattr(rows["r.1"], name) for name in _ROW if name != "holder"} == {
        name: value for name, value in _ROW.items() if name != "holder"
    }
    assert (rows["r.2"].state, rows["r.2"].held_tokens, rows["r.2"].automation) == ("held", 0, None)
    (total,) = store.usage.totals(("owner", "model"), times=True)
    assert (total.calls, total.cost_nano, total.input_tokens, total.cached_tokens) == (1, 700, 5, 2)
    assert total.runs == 1
    assert total.p50_ms is not None
    assert 300 < total.p50_ms <= 500
    store.budgets.set(Budget(id="b", limit=2_000))
    ask(store, hold(held_nano=400))
    assert [(room.spent, room.pending) for room in store.budgets.rooms(AT_MS)] == [(700, 1_300)]
    assert store.budgets.wrong_counters() == []
    store.close()
