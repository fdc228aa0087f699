"""The first steps of each person, what they agreed to, and in which order providers are shown."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, Text

revision = "0017"
down_revision = "0016"

_Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Flag = sa.Boolean().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "onboarding",
        Column("owner", Text, primary_key=True),
        Column("step", Text, nullable=False),
        Column("mode", Text),
        Column("demo", _Flag, nullable=False),
        Column("done_at_ms", _Int),
        Column("changed_at_ms", _Int, nullable=False),
        CheckConstraint("mode IN ('cloud', 'local')", name="onboarding_mode_known"),
        sqlite_strict=True,
    )
    op.create_table(
        "agreements",
        Column("owner", Text, primary_key=True),
        Column("version", Text, primary_key=True),
        Column("accepted_at_ms", _Int, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "provider_places",
        Column("provider", Text, primary_key=True),
        Column("place", _Int, nullable=False),
        sqlite_strict=True,
    )
