"""The first schema: install, keys, choices, tokens, models, book."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, LargeBinary, Text, UniqueConstraint

revision = "0001"
down_revision = None

_Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Flag = sa.Boolean().with_variant(sa.Integer(), "sqlite")

_ENDED_OR_FORGED = (
    "OLD.state <> 'held' OR NEW.id <> OLD.id OR NEW.owner <> OLD.owner OR NEW.held_nano <> OLD.held_nano"
    " OR NEW.price <> OLD.price OR NEW.started_at_ms <> OLD.started_at_ms"
)
_GUARDS = {
    "sqlite": (
        f"CREATE TRIGGER book_stays BEFORE UPDATE ON book WHEN {_ENDED_OR_FORGED}"
        " BEGIN SELECT RAISE(ABORT, 'the book is not rewritten'); END",
        "CREATE TRIGGER book_keeps BEFORE DELETE ON book BEGIN SELECT RAISE(ABORT, 'the book is not rewritten'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION book_refuses() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the book is not rewritten'; END $$",
        f"CREATE TRIGGER book_stays BEFORE UPDATE ON book FOR EACH ROW WHEN ({_ENDED_OR_FORGED})"
        " EXECUTE FUNCTION book_refuses()",
        "CREATE TRIGGER book_keeps BEFORE DELETE OR TRUNCATE ON book FOR EACH STATEMENT"
        " EXECUTE FUNCTION book_refuses()",
    ),
}


def upgrade() -> None:
    _settings()
    _book()
    for statement in _GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)


def _settings() -> None:
    op.create_table(
        "install",
        Column("one", _Int, primary_key=True, autoincrement=False),
        Column("id", Text, nullable=False),
        Column("root_source", Text),
        Column("root_check", LargeBinary),
        Column("created_at_ms", _Int, nullable=False),
        CheckConstraint("one = 1", name="install_is_one_row"),
        sqlite_strict=True,
    )
    op.create_table(
        "keys",
        Column("id", Text, primary_key=True),
        Column("owner", Text, nullable=False),
        Column("provider", Text, nullable=False),
        Column("origin", Text, nullable=False),
        Column("version", _Int, nullable=False),
        Column("sealed", LargeBinary, nullable=False),
        Column("masked", Text, nullable=False),
        Column("label", Text, nullable=False),
        Column("created_at_ms", _Int, nullable=False),
        Column("used_at_ms", _Int),
        UniqueConstraint("owner", "provider", "label", name="keys_one_for_each_label"),
        sqlite_strict=True,
    )
    op.create_table(
        "choices",
        Column("provider", Text, primary_key=True),
        Column("enabled", _Flag, nullable=False),
        Column("endpoint", Text),
        Column("fields", Text, nullable=False),
        Column("default_model", Text),
        sqlite_strict=True,
    )
    op.create_table(
        "tokens",
        Column("id", Text, primary_key=True),
        Column("owner", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("shown", Text, nullable=False),
        Column("created_at_ms", _Int, nullable=False),
        Column("revoked_at_ms", _Int),
        UniqueConstraint("digest", name="tokens_digest_once"),
        CheckConstraint("length(digest) = 32", name="tokens_digest_of_32_bytes"),
        sqlite_strict=True,
    )
    op.create_table(
        "models",
        Column("provider", Text, primary_key=True),
        Column("id", Text, primary_key=True),
        Column("place", _Int, nullable=False),
        Column("facts", Text, nullable=False),
        Column("found_at_ms", _Int, nullable=False),
        sqlite_strict=True,
    )


def _book() -> None:
    tokens = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
    op.create_table(
        "book",
        Column("id", Text, primary_key=True),
        Column("request_id", Text, nullable=False),
        Column("attempt", _Int, nullable=False),
        Column("owner", Text, nullable=False),
        Column("token_id", Text),
        Column("key_id", Text),
        *(Column(name, Text, nullable=False) for name in ("provider", "model", "wire")),
        Column("stream", _Flag, nullable=False),
        Column("held_nano", _Int, nullable=False),
        Column("priced", _Flag, nullable=False),
        Column("price", Text, nullable=False),
        Column("started_at_ms", _Int, nullable=False),
        Column("holder", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("cost_nano", _Int, nullable=False),
        *(Column(name, _Int) for name in tokens),
        Column("finish", Text),
        Column("error", Text),
        *(Column(name, _Int) for name in ("status", "first_ms", "total_ms", "ended_at_ms")),
        CheckConstraint("state IN ('held', 'exact', 'counted', 'assumed', 'released')", name="book_state_known"),
        CheckConstraint("(state = 'held') = (ended_at_ms IS NULL)", name="book_ended_has_a_time"),
        *(
            CheckConstraint(f"{name} BETWEEN 0 AND 9007199254740991", name=f"book_{name}_amount")
            for name in ("held_nano", "cost_nano", *tokens)
        ),
        sqlite_strict=True,
    )
    still_held = sa.text("state = 'held'")
    op.create_index("book_by_time", "book", ["started_at_ms"])
    op.create_index("book_open", "book", ["holder"], sqlite_where=still_held, postgresql_where=still_held)
