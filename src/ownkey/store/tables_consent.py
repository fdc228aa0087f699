"""The tables of what people want, and of what they have said yes to."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table, Text, UniqueConstraint

from ownkey.store.columns import Int, column, metadata

# What one person wants, as JSON.
preferences = Table(
    "preferences",
    metadata,
    Column("owner", Text, primary_key=True),
    column("document", Text),
    column("changed_at_ms", Int),
    sqlite_strict=True,
)

# A yes that is remembered: of a kind, from a provider or for a field, to a provider, a model or a budget.
consents = Table(
    "consents",
    metadata,
    Column("id", Text, primary_key=True),
    column("owner", Text),
    column("kind", Text),
    column("source", Text),
    column("target", Text),
    column("created_at_ms", Int),
    column("until_ms", Int),
    UniqueConstraint("owner", "kind", "source", "target", name="consents_once"),
    sqlite_strict=True,
)

# Tokens of consent that were used, until they would have expired.
consents_used = Table(
    "consents_used",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    column("until_ms", Int),
    sqlite_strict=True,
)
