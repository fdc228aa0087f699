"""The vault: sealed by its owner, and a root key that takes over from another."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, LargeBinary, Text

revision = "0007"
down_revision = "0006"

_Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("install", Column("root_probe", LargeBinary))
    for name in ("root_since_ms", "root_wraps", "sealed_at_ms"):
        op.add_column("install", Column(name, _Int))
    op.execute("UPDATE install SET root_since_ms = created_at_ms WHERE root_check IS NOT NULL")
    op.create_table(
        "rotation",
        Column("one", _Int, primary_key=True, autoincrement=False),
        *(Column(name, Text, nullable=False) for name in ("step", "from_source", "to_source")),
        *(Column(name, LargeBinary, nullable=False) for name in ("from_check", "to_check")),
        Column("to_probe", LargeBinary),
        Column("to_place", Text),
        *(Column(name, LargeBinary) for name in ("forward", "backward")),
        *(Column(name, _Int, nullable=False) for name in ("wraps", "started_at_ms")),
        CheckConstraint("one = 1", name="rotation_is_one_row"),
        CheckConstraint("step IN ('making', 'sharing', 'wrapping', 'leaving')", name="rotation_step_known"),
        sqlite_strict=True,
    )
