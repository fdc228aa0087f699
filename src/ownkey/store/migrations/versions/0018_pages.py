"""Tokens of pages that an application shows to one of its users."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, LargeBinary, Text

revision = "0018"
down_revision = "0017"

_Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "page_tokens",
        Column("digest", LargeBinary, primary_key=True),
        Column("token_id", Text, nullable=False),
        Column("owner", Text, nullable=False),
        Column("created_at_ms", _Int, nullable=False),
        Column("until_ms", _Int, nullable=False),
        CheckConstraint("length(digest) = 32", name="page_tokens_digest_of_32_bytes"),
        sqlite_strict=True,
    )
