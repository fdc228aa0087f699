"""Sound, what is cached for an hour, and the tier that was answered in: what a charge is come to again from.

Runs beside tries in the rollups.
"""

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
        for name in (*_KEPT[:2], "runs"):
            op.add_column(table, sa.Column(name, _Int, nullable=False, server_default="0"))
    _count_runs()


def _count_runs() -> None:
    """Of the hours by their attempts, of the days by their hours."""
    named = ("key_id", "token_id", "automation")
    same = " AND ".join(f"book.{name} = usage_hours.{name}" for name in ("owner", "provider", "model"))
    same += "".join(f" AND coalesce(book.{name}, '') = usage_hours.{name}" for name in named)
    op.execute(
        "UPDATE usage_hours SET runs = (SELECT count(*) FROM book WHERE attempt = 1 AND state <> 'held'"  # noqa: S608
        " AND started_at_ms >= usage_hours.start_ms AND started_at_ms < usage_hours.start_ms + 3600000"
        f" AND {same})"
    )
    same = " AND ".join(f"hours.{name} = usage_days.{name}" for name in ("owner", "provider", "model", *named))
    op.execute(
        "UPDATE usage_days SET runs = (SELECT coalesce(sum(hours.runs), 0) FROM usage_hours AS hours"  # noqa: S608
        " WHERE hours.start_ms >= usage_days.start_ms AND hours.start_ms < usage_days.start_ms + 86400000"
        f" AND {same})"
    )
