"""The tables of people's first steps, what they agreed to, and in which order providers are shown."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Table, Text

from ownkey.store.columns import Flag, Int, column, metadata

# How far somebody is; no row where they have not begun.
onboarding = Table(
    "onboarding",
    metadata,
    Column("owner", Text, primary_key=True),
    column("step", Text),
    Column("mode", Text),
    column("demo", Flag),
    Column("done_at_ms", Int),
    column("changed_at_ms", Int),
    CheckConstraint("mode IN ('cloud', 'local')", name="onboarding_mode_known"),
    sqlite_strict=True,
)

# Every version that somebody has accepted, and when.
agreements = Table(
    "agreements",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    column("accepted_at_ms", Int),
    sqlite_strict=True,
)

# The providers that were put into an order, from 0; the others come after.
provider_places = Table(
    "provider_places",
    metadata,
    Column("provider", Text, primary_key=True),
    column("place", Int),
    sqlite_strict=True,
)
