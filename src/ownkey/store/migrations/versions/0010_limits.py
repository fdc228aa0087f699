"""Limits on requests and tokens a minute and on parallel calls; how much a key weighs, and until when it rests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, Text

revision = "0010"
down_revision = "0009"

_Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    parts = ("requests_per_minute", "tokens_per_minute", "parallel")
    op.create_table(
        "limits",
        Column("id", Text, primary_key=True),
        Column("owner", Text),
        Column("kind", Text, nullable=False),
        Column("name", Text, nullable=False),
        *(Column(name, _Int) for name in parts),
        Column("created_at_ms", _Int, nullable=False),
        CheckConstraint("kind IN ('provider', 'model', 'key', 'user', 'token')", name="limits_kind_known"),
        *(CheckConstraint(f"{name} BETWEEN 0 AND 9007199254740991", name=f"limits_{name}_amount") for name in parts),
        sqlite_strict=True,
    )
    op.create_index("limits_by_name", "limits", ["kind", "name"])
    weight = Column("weight", _Int, CheckConstraint("weight BETWEEN 0 AND 1000", name="keys_weight_amount"))
    op.add_column("keys", weight)
    op.add_column("keys", Column("rests_until_ms", _Int))
