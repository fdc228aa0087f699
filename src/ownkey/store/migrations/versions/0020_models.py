"""Budgets for one model."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.add_column("budgets", Column("model", sa.Text))
