"""Tables of files that were uploaded, and of batches. What people say in them is sealed (`vault/boxes`)."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary, Table, Text

from ownkey.store.columns import Int, amounts, column, metadata

# A file is what was uploaded, in parts; or what a batch has to show, which is read from its lines.
files = Table(
    "files",
    metadata,
    Column("id", Text, primary_key=True),
    *(column(name, Text) for name in ("owner", "purpose", "name")),
    column("size_bytes", Int),
    Column("box", Text),
    Column("batch_id", Text),
    column("created_at_ms", Int),
    column("expires_at_ms", Int),
    Index("files_by_owner", "owner", "created_at_ms"),
    Index("files_by_batch", "batch_id"),
    sqlite_strict=True,
)

file_parts = Table(
    "file_parts",
    metadata,
    Column("file_id", Text, primary_key=True),
    Column("number", Int, primary_key=True, autoincrement=False),
    column("sealed", LargeBinary),
    sqlite_strict=True,
)

# `source` is the id of the input's file, or the digest of one that the command reads. `holder` works on it.
batches = Table(
    "batches",
    metadata,
    Column("id", Text, primary_key=True),
    column("owner", Text),
    Column("token_id", Text),
    *(column(name, Text) for name in ("runs_in", "source", "endpoint", "status", "terms")),
    Column("box", Text),
    *(Column(name, Text) for name in ("holder", "waits_for", "problems", "output_file_id", "error_file_id")),
    *(column(name, Int) for name in ("total", "completed", "failed", "created_at_ms", "expires_at_ms")),
    *(Column(name, Int) for name in ("begun_at_ms", "cancelling_at_ms", "ended_at_ms")),
    CheckConstraint(
        "status IN ('validating', 'failed', 'in_progress', 'finalizing', 'completed', 'expired', 'cancelling',"
        " 'cancelled')",
        name="batches_status",
    ),
    CheckConstraint("runs_in IN ('gateway', 'command')", name="batches_runs_in"),
    Index("batches_by_owner", "owner", "created_at_ms"),
    Index("batches_by_status", "status"),
    sqlite_strict=True,
)

# `attempt` is the next to be made: the book tells by its number what became of those before. `part`: which part of the
# batch it is in that a provider's own batch endpoint works on; 0 where it waits for one, null where it is sent here.
batch_lines = Table(
    "batch_lines",
    metadata,
    Column("batch_id", Text, primary_key=True),
    Column("number", Int, primary_key=True, autoincrement=False),
    column("state", Text),
    *(column(name, Int) for name in ("start", "length", "attempt", "cost_nano", "result_bytes")),
    column("custom_id", LargeBinary),
    Column("result", LargeBinary),
    Column("part", Int),
    *amounts("batch_lines", "cost_nano"),
    CheckConstraint("state IN ('waiting', 'done', 'failed', 'doubtful')", name="batch_lines_state"),
    Index("batch_lines_by_state", "batch_id", "state", "number"),
    sqlite_strict=True,
)

# What was made of some of its lines at a provider, whose id for it is `remote_id`; `tried_at_ms`: when that was asked.
batch_parts = Table(
    "batch_parts",
    metadata,
    Column("batch_id", Text, primary_key=True),
    Column("number", Int, primary_key=True, autoincrement=False),
    *(column(name, Text) for name in ("provider", "model", "wire", "origin")),
    Column("key_id", Text),
    column("state", Text),
    *(Column(name, Text) for name in ("upload_id", "remote_id")),
    Column("tried_at_ms", Int),
    CheckConstraint("state IN ('holding', 'held', 'creating', 'running', 'ended')", name="batch_parts_state"),
    sqlite_strict=True,
)
