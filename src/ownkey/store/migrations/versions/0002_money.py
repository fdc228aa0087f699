"""Budgets with their counters, rollups of usage, alerts, and the owner's own prices."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, Text

revision = "0002"
down_revision = "0001"

_Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Flag = sa.Boolean().with_variant(sa.Integer(), "sqlite")

_ENDED_OR_FORGED = (
    "OLD.state <> 'held' OR NEW.id <> OLD.id OR NEW.owner <> OLD.owner OR NEW.held_nano <> OLD.held_nano"
    " OR NEW.price <> OLD.price OR NEW.started_at_ms <> OLD.started_at_ms OR NEW.held_tokens <> OLD.held_tokens"
    " OR NEW.provider <> OLD.provider OR NEW.model <> OLD.model"
)
_GUARDS = {
    "sqlite": (
        f"CREATE TRIGGER book_stays BEFORE UPDATE ON book WHEN {_ENDED_OR_FORGED}"
        " BEGIN SELECT RAISE(ABORT, 'the book is not rewritten'); END",
        "CREATE TRIGGER book_keeps BEFORE DELETE ON book BEGIN SELECT RAISE(ABORT, 'the book is not rewritten'); END",
    ),
    "postgresql": (
        "DROP TRIGGER book_stays ON book",
        f"CREATE TRIGGER book_stays BEFORE UPDATE ON book FOR EACH ROW WHEN ({_ENDED_OR_FORGED})"
        " EXECUTE FUNCTION book_refuses()",
    ),
}
_TOKENS = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
_BOUNDS_MS = (
    *(25, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 1500),
    *(2000, 3000, 5000, 7500, 10000, 15000, 20000, 30000, 60000, 120000, 300000),
)
_SUMMED = (
    *("calls", "failed", "unpriced", "cost_nano", *_TOKENS, "total_ms_sum"),
    *(f"{kind}_le_{bound}" for kind in ("total", "first") for bound in (*_BOUNDS_MS, "more")),
)


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    if dialect == "sqlite":
        _book_anew()
    else:
        op.add_column("book", Column("automation", Text))
        op.add_column("book", Column("held_tokens", _Int, nullable=False, server_default="0"))
        op.alter_column("book", "held_tokens", server_default=None)
        op.create_check_constraint("book_held_tokens_amount", "book", "held_tokens BETWEEN 0 AND 9007199254740991")
    for statement in _GUARDS[dialect]:
        op.execute(statement)
    _budgets()
    for name in ("usage_hours", "usage_days"):
        _rollup(name)
    _others()
    _sum_up(dialect)


def _book_anew() -> None:
    """SQLite adds no checks to a table: a new one takes the rows of the old. What the old had goes with it."""
    op.execute("DROP TRIGGER book_stays")
    op.execute("DROP TRIGGER book_keeps")
    op.execute("ALTER TABLE book RENAME TO book_before")
    op.execute("DROP INDEX book_by_time")
    op.execute("DROP INDEX book_open")
    columns = (
        *("id", "request_id", "attempt", "owner", "token_id", "key_id", "provider", "model", "wire", "stream"),
        *("held_nano", "priced", "price", "started_at_ms", "holder", "state", "cost_nano", *_TOKENS),
        *("finish", "error", "status", "first_ms", "total_ms", "ended_at_ms"),
    )
    integers = ("attempt", "held_nano", "started_at_ms", "cost_nano", *_TOKENS, "status", "first_ms", "total_ms")
    may_be_null = ("token_id", "key_id", *_TOKENS, "finish", "error", "status", "first_ms", "total_ms", "ended_at_ms")
    kinds: dict[str, sa.types.TypeEngine[Any]] = {"stream": _Flag, "priced": _Flag, "ended_at_ms": _Int}
    kinds.update(dict.fromkeys(integers, _Int))
    op.create_table(
        "book",
        Column("id", Text, primary_key=True),
        *(Column(name, kinds.get(name, Text()), nullable=name in may_be_null) for name in columns[1:]),
        Column("automation", Text),
        Column("held_tokens", _Int, nullable=False),
        CheckConstraint("state IN ('held', 'exact', 'counted', 'assumed', 'released')", name="book_state_known"),
        CheckConstraint("(state = 'held') = (ended_at_ms IS NULL)", name="book_ended_has_a_time"),
        *_amounts("book", "held_nano", "cost_nano", "held_tokens", *_TOKENS),
        sqlite_strict=True,
    )
    named = ", ".join(columns)
    op.execute(f"INSERT INTO book ({named}, held_tokens) SELECT {named}, 0 FROM book_before")  # noqa: S608
    op.execute("DROP TABLE book_before")
    op.create_index("book_by_time", "book", ["started_at_ms"])
    op.create_index("book_open", "book", ["holder"], sqlite_where=sa.text("state = 'held'"))


def _amounts(table: str, *columns: str) -> list[CheckConstraint]:
    return [
        CheckConstraint(f"{column} BETWEEN 0 AND 9007199254740991", name=f"{table}_{column}_amount")
        for column in columns
    ]


def _budgets() -> None:
    caps = ("run_soft_nano", "run_hard_nano", "run_soft_tokens", "run_hard_tokens")
    op.create_table(
        "budgets",
        Column("id", Text, primary_key=True),
        Column("name", Text, nullable=False),
        *(Column(name, Text) for name in ("owner", "provider", "key_id", "token_id", "automation")),
        Column("unit", Text, nullable=False),
        Column("most", _Int),
        *(Column(name, Text, nullable=False) for name in ("period", "zone")),
        Column("anchor_day", _Int, nullable=False),
        Column("exhausted", Text, nullable=False),
        Column("alert_percent", _Int),
        Column("run_soft", Text, nullable=False),
        *(Column(name, _Int) for name in caps),
        Column("share_percent", _Int),
        Column("created_at_ms", _Int, nullable=False),
        CheckConstraint("unit IN ('usd', 'tokens', 'requests')", name="budgets_unit_known"),
        CheckConstraint("exhausted IN ('refuse', 'fall_back', 'ask')", name="budgets_exhausted_known"),
        *_amounts("budgets", "most", *caps),
        sqlite_strict=True,
    )
    op.create_table(
        "budget_state",
        Column("one", _Int, primary_key=True, autoincrement=False),
        Column("version", _Int, nullable=False),
        Column("closed_ms", _Int, nullable=False),
        CheckConstraint("one = 1", name="budget_state_is_one_row"),
        sqlite_strict=True,
    )
    op.create_table(
        "counters",
        Column("budget", Text, primary_key=True),
        Column("start_ms", _Int, primary_key=True, autoincrement=False),
        Column("who", Text, primary_key=True),
        Column("spent", _Int, nullable=False),
        Column("pending", _Int, nullable=False),
        CheckConstraint("spent >= 0 AND pending >= 0", name="counters_are_not_negative"),
        sqlite_strict=True,
    )


def _rollup(name: str) -> None:
    dimensions = ("owner", "provider", "model", "key_id", "token_id", "automation")
    op.create_table(
        name,
        Column("start_ms", _Int, primary_key=True, autoincrement=False),
        *(Column(dimension, Text, primary_key=True) for dimension in dimensions),
        *(Column(column, _Int, nullable=False) for column in _SUMMED),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _others() -> None:
    op.create_table(
        "alerts",
        Column("id", Text, primary_key=True),
        Column("kind", Text, nullable=False),
        Column("owner", Text),
        Column("budget_id", Text),
        *(Column(name, Text, nullable=False) for name in ("message", "facts")),
        Column("at_ms", _Int, nullable=False),
        *(Column(name, _Int) for name in ("seen_at_ms", "sent_at_ms")),
        Column("claimed_by", Text),
        Column("claimed_at_ms", _Int),
        Column("tries", _Int, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "deliveries",
        Column("alert_id", Text, primary_key=True),
        Column("channel", Text, primary_key=True),
        Column("sent_at_ms", _Int),
        Column("error", Text),
        Column("tries", _Int, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "prices",
        Column("provider", Text, primary_key=True),
        Column("model", Text, primary_key=True),
        Column("facts", Text, nullable=False),
        Column("set_at_ms", _Int, nullable=False),
        sqlite_strict=True,
    )


def _sum_up(dialect: str) -> None:
    """The attempts of before belong into the rollups too."""
    op.execute("INSERT INTO budget_state (one, version, closed_ms) VALUES (1, 0, 0)")
    sums = {
        "calls": "count(*)",
        "failed": "count(CASE WHEN error IS NOT NULL THEN 1 END)",
        "unpriced": f"count(CASE WHEN NOT {'priced' if dialect == 'postgresql' else 'priced = 1'}"
        " AND state <> 'released' THEN 1 END)",
        "cost_nano": "sum(cost_nano)",
        **{name: f"coalesce(sum({name}), 0)" for name in _TOKENS},
        "total_ms_sum": "coalesce(sum(total_ms), 0)",
    }
    for kind in ("total", "first"):
        below = -1
        for bound in (*_BOUNDS_MS, "more"):
            most = "" if bound == "more" else f" AND {kind}_ms <= {bound}"
            sums[f"{kind}_le_{bound}"] = f"count(CASE WHEN {kind}_ms > {below}{most} THEN 1 END)"
            below = bound if isinstance(bound, int) else below
    dimensions = "owner, provider, model, coalesce(key_id, ''), coalesce(token_id, ''), coalesce(automation, '')"
    start = "started_at_ms - started_at_ms % 3600000"
    columns = f"start_ms, owner, provider, model, key_id, token_id, automation, {', '.join(sums)}"
    op.execute(
        f"INSERT INTO usage_hours ({columns})"  # noqa: S608
        f" SELECT {start}, {dimensions}, {', '.join(sums.values())} FROM book WHERE state <> 'held'"
        f" GROUP BY {start}, {dimensions}"
    )
