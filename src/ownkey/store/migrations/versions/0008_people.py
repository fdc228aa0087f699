"""People, what their tokens are for, their sessions, and what is good once."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, LargeBinary, Text, UniqueConstraint

revision = "0008"
down_revision = "0007"

_Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    users = op.create_table(
        "users",
        Column("id", Text, primary_key=True),
        Column("name", Text, nullable=False),
        Column("email", Text),
        Column("role", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("password", Text),
        Column("totp_step", _Int),
        Column("created_at_ms", _Int, nullable=False),
        UniqueConstraint("email", name="users_email_once"),
        CheckConstraint("role IN ('owner', 'admin', 'member', 'viewer')", name="users_role_known"),
        CheckConstraint("status IN ('active', 'suspended')", name="users_status_known"),
        sqlite_strict=True,
    )
    op.create_table(
        "token_terms",
        Column("token_id", Text, primary_key=True),
        Column("kind", Text, nullable=False),
        Column("scope", Text),
        Column("expires_at_ms", _Int),
        CheckConstraint("kind IN ('use', 'service')", name="token_terms_kind_known"),
        sqlite_strict=True,
    )
    _sessions()
    now_ms = time.time_ns() // 1_000_000
    owner = {"id": "owner", "name": "Owner", "role": "owner", "status": "active", "created_at_ms": now_ms}
    op.bulk_insert(users, [owner])


def _sessions() -> None:
    op.create_table(
        "sessions",
        Column("id", Text, primary_key=True),
        Column("user_id", Text, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        *(Column(name, _Int, nullable=False) for name in ("created_at_ms", "seen_at_ms", "until_ms", "proved_at_ms")),
        Column("agent", Text, nullable=False),
        Column("address", Text, nullable=False),
        UniqueConstraint("digest", name="sessions_digest_once"),
        CheckConstraint("length(digest) = 32", name="sessions_digest_of_32_bytes"),
        sqlite_strict=True,
    )
    op.create_index("sessions_by_user", "sessions", ["user_id"])
    op.create_table(
        "tickets",
        Column("digest", LargeBinary, primary_key=True),
        Column("purpose", Text, nullable=False),
        Column("user_id", Text),
        Column("facts", Text, nullable=False),
        Column("created_at_ms", _Int, nullable=False),
        Column("until_ms", _Int, nullable=False),
        Column("used_at_ms", _Int),
        sqlite_strict=True,
    )
    op.create_index("tickets_by_user", "tickets", ["user_id", "purpose"])
    op.create_table(
        "identities",
        Column("issuer", Text, primary_key=True),
        Column("subject", Text, primary_key=True),
        Column("user_id", Text, nullable=False),
        Column("created_at_ms", _Int, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "passkeys",
        Column("id", Text, primary_key=True),
        Column("user_id", Text, nullable=False),
        Column("public_key", LargeBinary, nullable=False),
        Column("signs", _Int, nullable=False),
        Column("name", Text, nullable=False),
        Column("created_at_ms", _Int, nullable=False),
        Column("used_at_ms", _Int),
        sqlite_strict=True,
    )
    op.create_index("passkeys_by_user", "passkeys", ["user_id"])
    op.create_table(
        "sign_ins",
        Column("who", LargeBinary, primary_key=True),
        Column("failures", _Int, nullable=False),
        Column("since_ms", _Int, nullable=False),
        sqlite_strict=True,
    )
