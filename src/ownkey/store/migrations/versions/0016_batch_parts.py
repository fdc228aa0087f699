"""Parts of batches that a provider's own batch endpoint works on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, Text

revision = "0016"
down_revision = "0015"

_Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("batch_lines", Column("part", _Int))
    op.create_table(
        "batch_parts",
        Column("batch_id", Text, primary_key=True),
        Column("number", _Int, primary_key=True, autoincrement=False),
        *(Column(name, Text, nullable=False) for name in ("provider", "model", "wire", "origin")),
        Column("key_id", Text),
        Column("state", Text, nullable=False),
        *(Column(name, Text) for name in ("upload_id", "remote_id")),
        Column("tried_at_ms", _Int),
        CheckConstraint("state IN ('holding', 'held', 'creating', 'running', 'ended')", name="batch_parts_state"),
        sqlite_strict=True,
    )
