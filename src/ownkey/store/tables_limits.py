"""The table of limits on requests a minute, tokens a minute and parallel calls."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Table, Text

from ownkey.store.columns import Int, amounts, column, metadata

# Without an `owner` it holds for everybody. 0: any number.
limits = Table(
    "limits",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text),
    column("kind", Text),
    column("name", Text),
    *(Column(name, Int) for name in ("requests_per_minute", "tokens_per_minute", "parallel")),
    column("created_at_ms", Int),
    CheckConstraint("kind IN ('provider', 'model', 'key', 'user', 'token')", name="limits_kind_known"),
    *amounts("limits", "requests_per_minute", "tokens_per_minute", "parallel"),
    Index("limits_by_name", "kind", "name"),
    sqlite_strict=True,
)
