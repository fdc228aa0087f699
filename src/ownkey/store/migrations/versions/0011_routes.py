"""Routes, what was learned of their targets, and what was said of answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, Text

revision = "0011"
down_revision = "0010"

_Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Flag = sa.Boolean().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "routes",
        Column("id", Text, primary_key=True),
        Column("owner", Text),
        Column("name", Text, nullable=False),
        Column("terms", Text, nullable=False),
        Column("changed_at_ms", _Int, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "learned",
        Column("owner", Text, primary_key=True),
        Column("kind", Text, primary_key=True),
        Column("arms", Text, nullable=False),
        Column("changed_at_ms", _Int, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "thumbs",
        Column("owner", Text, primary_key=True),
        Column("request_id", Text, primary_key=True),
        Column("target", Text, nullable=False),
        Column("up", _Flag, nullable=False),
        Column("at_ms", _Int, nullable=False),
        Column("heard", _Flag, nullable=False),
        sqlite_strict=True,
    )
