"""Keys have an order, terms, and what came of asking with them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, Text

revision = "0005"
down_revision = "0004"

_Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for name in ("position", "expires_at_ms", "paused_at_ms"):
        op.add_column("keys", Column(name, _Int))
    op.add_column("keys", Column("models", Text))
    op.add_column("keys", Column("checked_at_ms", _Int))
    op.add_column("keys", Column("refused", Text))
    op.execute(
        "UPDATE keys SET position = (SELECT count(*) FROM keys AS other WHERE other.owner = keys.owner"
        " AND other.provider = keys.provider AND (other.created_at_ms < keys.created_at_ms"
        " OR (other.created_at_ms = keys.created_at_ms AND other.id <= keys.id)))"
    )
