"""Price catalogues that were taken, beside the shipped one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, LargeBinary, Text

revision = "0004"
down_revision = "0003"

_Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "catalogues",
        Column("number", _Int, primary_key=True, autoincrement=False),
        Column("back_to", _Int),
        Column("source", Text, nullable=False),
        Column("sha256", Text, nullable=False),
        Column("shipped", Text, nullable=False),
        Column("data", LargeBinary, nullable=False),
        Column("data_sha256", Text, nullable=False),
        Column("at_ms", _Int, nullable=False),
        sqlite_strict=True,
    )
