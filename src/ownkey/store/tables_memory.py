"""The tables of what is remembered for people: their chats where they want them kept, and answers to be given again."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary, Table, Text

from ownkey.store.columns import Flag, Int, amounts, column, metadata

# What each person wants remembered; no row where nothing is. `cache_models`: patterns with blanks between.
memory_terms = Table(
    "memory_terms",
    metadata,
    Column("owner", Text, primary_key=True),
    column("history", Flag),
    Column("history_days", Int),
    Column("cache_ttl_s", Int),
    Column("cache_models", Text),
    sqlite_strict=True,
)

# One row for each request; its id is that of its rows in the book. `key_id`: the personal key that it is sealed under.
# Without content it says why that was lost.
history = Table(
    "history",
    metadata,
    Column("id", Text, primary_key=True),
    column("owner", Text),
    column("at_ms", Int),
    Column("key_id", Text),
    Column("sealed", LargeBinary),
    Column("lost", Text),
    CheckConstraint("(sealed IS NULL) = (lost IS NOT NULL)", name="history_kept_or_lost"),
    CheckConstraint("(sealed IS NULL) = (key_id IS NULL)", name="history_sealed_under_a_key"),
    Index("history_by_owner", "owner", "at_ms", "id"),
    sqlite_strict=True,
)

# `digest` is keyed with the owner's own secret.
cached = Table(
    "cached",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    column("owner", Text),
    column("key_id", Text),
    column("sealed", LargeBinary),
    column("size", Int),
    column("made_at_ms", Int),
    column("until_ms", Int),
    CheckConstraint("length(digest) = 32", name="cached_digest_of_32_bytes"),
    Index("cached_by_owner", "owner", "made_at_ms"),
    sqlite_strict=True,
)

# One row for each answer that was given again; what it saved is what it cost the first time.
cache_hits = Table(
    "cache_hits",
    metadata,
    Column("id", Text, primary_key=True),
    column("owner", Text),
    Column("token_id", Text),
    Column("automation", Text),
    column("provider", Text),
    column("model", Text),
    column("at_ms", Int),
    column("priced", Flag),
    column("saved_nano", Int),
    Column("input_tokens", Int),
    Column("output_tokens", Int),
    *amounts("cache_hits", "saved_nano", "input_tokens", "output_tokens"),
    Index("cache_hits_by_owner", "owner", "at_ms"),
    sqlite_strict=True,
)
