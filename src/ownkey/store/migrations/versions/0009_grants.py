"""Whom an admin lets use a key of the environment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, Text

revision = "0009"
down_revision = "0008"

_Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "grants",
        Column("user_id", Text, primary_key=True),
        Column("provider", Text, primary_key=True),
        Column("budget", Text, nullable=False),
        Column("created_at_ms", _Int, nullable=False),
        sqlite_strict=True,
    )
