"""What is remembered for people: chats they want kept, and answers to be given again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, LargeBinary, Text

revision = "0013"
down_revision = "0012"

_Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Flag = sa.Boolean().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "memory_terms",
        Column("owner", Text, primary_key=True),
        Column("history", _Flag, nullable=False),
        Column("history_days", _Int),
        Column("cache_ttl_s", _Int),
        Column("cache_models", Text),
        sqlite_strict=True,
    )
    op.create_table(
        "history",
        Column("id", Text, primary_key=True),
        Column("owner", Text, nullable=False),
        Column("at_ms", _Int, nullable=False),
        Column("key_id", Text),
        Column("sealed", LargeBinary),
        Column("lost", Text),
        CheckConstraint("(sealed IS NULL) = (lost IS NOT NULL)", name="history_kept_or_lost"),
        CheckConstraint("(sealed IS NULL) = (key_id IS NULL)", name="history_sealed_under_a_key"),
        sqlite_strict=True,
    )
    op.create_index("history_by_owner", "history", ["owner", "at_ms", "id"])
    op.create_table(
        "cached",
        Column("digest", LargeBinary, primary_key=True),
        *(Column(name, Text, nullable=False) for name in ("owner", "key_id")),
        Column("sealed", LargeBinary, nullable=False),
        *(Column(name, _Int, nullable=False) for name in ("size", "made_at_ms", "until_ms")),
        CheckConstraint("length(digest) = 32", name="cached_digest_of_32_bytes"),
        sqlite_strict=True,
    )
    op.create_index("cached_by_owner", "cached", ["owner", "made_at_ms"])
    op.create_table(
        "cache_hits",
        Column("id", Text, primary_key=True),
        Column("owner", Text, nullable=False),
        *(Column(name, Text) for name in ("token_id", "automation")),
        *(Column(name, Text, nullable=False) for name in ("provider", "model")),
        Column("at_ms", _Int, nullable=False),
        Column("priced", _Flag, nullable=False),
        Column("saved_nano", _Int, nullable=False),
        *(Column(name, _Int) for name in ("input_tokens", "output_tokens")),
        *(
            CheckConstraint(f"{name} BETWEEN 0 AND 9007199254740991", name=f"cache_hits_{name}_amount")
            for name in ("saved_nano", "input_tokens", "output_tokens")
        ),
        sqlite_strict=True,
    )
    op.create_index("cache_hits_by_owner", "cache_hits", ["owner", "at_ms"])
