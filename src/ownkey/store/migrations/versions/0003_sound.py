"""Sound, what is cached for an hour, and the tier that was answered in: what a charge is come to again from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_KEPT = ("input_audio_tokens", "output_audio_tokens", "cached_audio_tokens", "cache_write_1h_tokens")


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name in _KEPT:
        check = f"CONSTRAINT book_{name}_amount CHECK ({name} BETWEEN 0 AND 9007199254740991)"
        op.execute(f"ALTER TABLE book ADD COLUMN {name} {'INTEGER' if sqlite else 'BIGINT'} {check}")
    op.add_column("book", sa.Column("tier", sa.Text()))
    for table in ("usage_hours", "usage_days"):
        for name in _KEPT[:2]:
            op.add_column(table, sa.Column(name, _Int, nullable=False, server_default="0"))
