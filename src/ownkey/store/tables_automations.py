"""The tables of automations: saved prompts, the model for new ones, and what runs of them gave."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary, Table, Text

from ownkey.store.columns import Int, column, metadata

automations = Table(
    "automations",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    column("document", Text),
    column("created_at_ms", Int),
    column("changed_at_ms", Int),
    sqlite_strict=True,
)

# The model that a person wants for new automations; no row: whichever provider of theirs comes first.
automation_defaults = Table(
    "automation_defaults",
    metadata,
    Column("owner", Text, primary_key=True),
    column("model", Text),
    sqlite_strict=True,
)

# What a run cost stands in the book, under ids that begin with the run's. `result` is sealed, and gone at `until_ms`.
automation_runs = Table(
    "automation_runs",
    metadata,
    Column("id", Text, primary_key=True),
    column("owner", Text),
    column("automation", Text),
    column("model", Text),
    column("status", Text),
    Column("error", Text),
    column("at_ms", Int),
    Column("ended_at_ms", Int),
    Column("result", LargeBinary),
    Column("until_ms", Int),
    CheckConstraint("status IN ('running', 'done', 'partly', 'failed')", name="automation_runs_status_known"),
    Index("automation_runs_by_owner", "owner", "automation", "at_ms"),
    sqlite_strict=True,
)
