"""Files that were uploaded, and batches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, LargeBinary, Text

revision = "0015"
down_revision = "0014"

_Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _texts(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


def _numbers(*names: str) -> list[Column[int]]:
    return [Column(name, _Int, nullable=False) for name in names]


def upgrade() -> None:
    _files()
    op.create_table(
        "batches",
        Column("id", Text, primary_key=True),
        *_texts("owner"),
        Column("token_id", Text),
        *_texts("runs_in", "source", "endpoint", "status", "terms"),
        Column("box", Text),
        *(Column(name, Text) for name in ("holder", "waits_for", "problems", "output_file_id", "error_file_id")),
        *_numbers("total", "completed", "failed", "created_at_ms", "expires_at_ms"),
        *(Column(name, _Int) for name in ("begun_at_ms", "cancelling_at_ms", "ended_at_ms")),
        CheckConstraint(
            "status IN ('validating', 'failed', 'in_progress', 'finalizing', 'completed', 'expired', 'cancelling',"
            " 'cancelled')",
            name="batches_status",
        ),
        CheckConstraint("runs_in IN ('gateway', 'command')", name="batches_runs_in"),
        sqlite_strict=True,
    )
    op.create_index("batches_by_owner", "batches", ["owner", "created_at_ms"])
    op.create_index("batches_by_status", "batches", ["status"])
    op.create_table(
        "batch_lines",
        Column("batch_id", Text, primary_key=True),
        Column("number", _Int, primary_key=True, autoincrement=False),
        *_texts("state"),
        *_numbers("start", "length", "attempt", "cost_nano", "result_bytes"),
        Column("custom_id", LargeBinary, nullable=False),
        Column("result", LargeBinary),
        CheckConstraint("cost_nano BETWEEN 0 AND 9007199254740991", name="batch_lines_cost_nano_amount"),
        CheckConstraint("state IN ('waiting', 'done', 'failed', 'doubtful')", name="batch_lines_state"),
        sqlite_strict=True,
    )
    op.create_index("batch_lines_by_state", "batch_lines", ["batch_id", "state", "number"])


def _files() -> None:
    op.create_table(
        "files",
        Column("id", Text, primary_key=True),
        *_texts("owner", "purpose", "name"),
        *_numbers("size_bytes"),
        Column("box", Text),
        Column("batch_id", Text),
        *_numbers("created_at_ms", "expires_at_ms"),
        sqlite_strict=True,
    )
    op.create_index("files_by_owner", "files", ["owner", "created_at_ms"])
    op.create_index("files_by_batch", "files", ["batch_id"])
    op.create_table(
        "file_parts",
        Column("file_id", Text, primary_key=True),
        Column("number", _Int, primary_key=True, autoincrement=False),
        Column("sealed", LargeBinary, nullable=False),
        sqlite_strict=True,
    )
