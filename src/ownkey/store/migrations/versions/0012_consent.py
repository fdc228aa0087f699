"""What people want, and what they have said yes to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, LargeBinary, Text, UniqueConstraint

revision = "0012"
down_revision = "0011"

_Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "preferences",
        Column("owner", Text, primary_key=True),
        Column("document", Text, nullable=False),
        Column("changed_at_ms", _Int, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "consents",
        Column("id", Text, primary_key=True),
        Column("owner", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("source", Text, nullable=False),
        Column("target", Text, nullable=False),
        Column("created_at_ms", _Int, nullable=False),
        Column("until_ms", _Int, nullable=False),
        UniqueConstraint("owner", "kind", "source", "target", name="consents_once"),
        sqlite_strict=True,
    )
    op.create_table(
        "consents_used",
        Column("owner", Text, primary_key=True),
        Column("digest", LargeBinary, primary_key=True),
        Column("until_ms", _Int, nullable=False),
        sqlite_strict=True,
    )
