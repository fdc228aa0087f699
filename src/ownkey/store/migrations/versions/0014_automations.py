"""Automations: saved prompts, and what runs of them gave."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, LargeBinary, Text

revision = "0014"
down_revision = "0013"

_Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "automations",
        Column("owner", Text, primary_key=True),
        Column("name", Text, primary_key=True),
        Column("document", Text, nullable=False),
        Column("created_at_ms", _Int, nullable=False),
        Column("changed_at_ms", _Int, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "automation_defaults",
        Column("owner", Text, primary_key=True),
        Column("model", Text, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "automation_runs",
        Column("id", Text, primary_key=True),
        *(Column(name, Text, nullable=False) for name in ("owner", "automation", "model", "status")),
        Column("error", Text),
        Column("at_ms", _Int, nullable=False),
        Column("ended_at_ms", _Int),
        Column("result", LargeBinary),
        Column("until_ms", _Int),
        CheckConstraint("status IN ('running', 'done', 'partly', 'failed')", name="automation_runs_status_known"),
        sqlite_strict=True,
    )
    op.create_index("automation_runs_by_owner", "automation_runs", ["owner", "automation", "at_ms"])
