"""Routes, and what was learned of their targets. Part of the schema in `tables`."""

from __future__ import annotations

from sqlalchemy import Column, Table, Text

from ownkey.store.columns import Flag, Int, column, metadata

# `owner` null: everybody's. `id` is made of owner and name, so that nobody has two of one name. `terms` is JSON.
routes = Table(
    "routes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text),
    column("name", Text),
    column("terms", Text),
    column("changed_at_ms", Int),
    sqlite_strict=True,
)

# Of each kind of request, what the targets' answers were worth to one person. `arms` is JSON.
learned = Table(
    "learned",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    column("arms", Text),
    column("changed_at_ms", Int),
    sqlite_strict=True,
)

# What somebody said of an answer, and whether that was learned from yet.
thumbs = Table(
    "thumbs",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    column("target", Text),
    column("up", Flag),
    column("at_ms", Int),
    column("heard", Flag),
    sqlite_strict=True,
)
