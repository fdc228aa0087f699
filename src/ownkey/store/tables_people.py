"""The tables of people: who they are, how they sign in, what their tokens are for."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary, Table, Text, UniqueConstraint

from ownkey.store.columns import Int, column, metadata

# Who may sign in. `owner` is there from the beginning, and in one-person mode nobody else. `totp_step`: the last step
# of a one-time code that was taken; without one, no second factor is asked for.
users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    column("name", Text),
    Column("email", Text),
    column("role", Text),
    column("status", Text),
    Column("password", Text),
    Column("totp_step", Int),
    column("created_at_ms", Int),
    UniqueConstraint("email", name="users_email_once"),
    CheckConstraint("role IN ('owner', 'admin', 'member', 'viewer')", name="users_role_known"),
    CheckConstraint("status IN ('active', 'suspended')", name="users_status_known"),
    sqlite_strict=True,
)

# What a token is for, where it is not for everything of its owner's.
token_terms = Table(
    "token_terms",
    metadata,
    Column("token_id", Text, primary_key=True),
    column("kind", Text),
    Column("scope", Text),
    Column("expires_at_ms", Int),
    CheckConstraint("kind IN ('use', 'service')", name="token_terms_kind_known"),
    sqlite_strict=True,
)

# Of browsers. `proved_at_ms`: when whoever it is last showed more than the cookie.
sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    column("user_id", Text),
    column("digest", LargeBinary),
    column("created_at_ms", Int),
    column("seen_at_ms", Int),
    column("until_ms", Int),
    column("proved_at_ms", Int),
    column("agent", Text),
    column("address", Text),
    UniqueConstraint("digest", name="sessions_digest_once"),
    CheckConstraint("length(digest) = 32", name="sessions_digest_of_32_bytes"),
    Index("sessions_by_user", "user_id"),
    sqlite_strict=True,
)

# Whatever is good once: sign-in links, invitations, the step between password and code, recovery codes.
tickets = Table(
    "tickets",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    column("purpose", Text),
    Column("user_id", Text),
    column("facts", Text),
    column("created_at_ms", Int),
    column("until_ms", Int),
    Column("used_at_ms", Int),
    Index("tickets_by_user", "user_id", "purpose"),
    sqlite_strict=True,
)

# Who somebody is for an issuer that signs people in (OpenID Connect).
identities = Table(
    "identities",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    column("user_id", Text),
    column("created_at_ms", Int),
    sqlite_strict=True,
)

# Failed sign-ins since a time, by the name that was tried or the address it was tried from; digests of both.
sign_ins = Table(
    "sign_ins",
    metadata,
    Column("who", LargeBinary, primary_key=True),
    column("failures", Int),
    column("since_ms", Int),
    sqlite_strict=True,
)

# `id` is the credential's own, in base64url. `signs` is how often its authenticator says that it was used.
passkeys = Table(
    "passkeys",
    metadata,
    Column("id", Text, primary_key=True),
    column("user_id", Text),
    column("public_key", LargeBinary),
    column("signs", Int),
    column("name", Text),
    column("created_at_ms", Int),
    Column("used_at_ms", Int),
    Index("passkeys_by_user", "user_id"),
    sqlite_strict=True,
)

# What a page of an application's shows, for one of its users, who is `owner`. `token_id` is the application's token.
page_tokens = Table(
    "page_tokens",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    column("token_id", Text),
    column("owner", Text),
    column("created_at_ms", Int),
    column("until_ms", Int),
    CheckConstraint("length(digest) = 32", name="page_tokens_digest_of_32_bytes"),
    sqlite_strict=True,
)

# Whom an admin lets use the environment's key for a provider, within a budget. One without its budget lets nobody.
grants = Table(
    "grants",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("provider", Text, primary_key=True),
    column("budget", Text),
    column("created_at_ms", Int),
    sqlite_strict=True,
)
