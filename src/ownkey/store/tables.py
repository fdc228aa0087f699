"""The schema as it is today, for queries. Databases are made by the migrations; a test holds the two together.

Times are epoch milliseconds, UTC. Money is whole nano-USD.
"""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)

from ownkey.spending.latency import BOUNDS_MS
from ownkey.store.columns import Flag as _Flag
from ownkey.store.columns import Int as _Int
from ownkey.store.columns import amounts as _amounts
from ownkey.store.columns import column as _column
from ownkey.store.columns import metadata as metadata
from ownkey.store.guards import AUDIT_GUARDS, GUARDS
from ownkey.store.tables_automations import automation_defaults as automation_defaults
from ownkey.store.tables_automations import automation_runs as automation_runs
from ownkey.store.tables_automations import automations as automations
from ownkey.store.tables_batches import batch_lines as batch_lines
from ownkey.store.tables_batches import batch_parts as batch_parts
from ownkey.store.tables_batches import batches as batches
from ownkey.store.tables_batches import file_parts as file_parts
from ownkey.store.tables_batches import files as files
from ownkey.store.tables_consent import consents as consents
from ownkey.store.tables_consent import consents_used as consents_used
from ownkey.store.tables_consent import preferences as preferences
from ownkey.store.tables_first import agreements as agreements
from ownkey.store.tables_first import onboarding as onboarding
from ownkey.store.tables_first import provider_places as provider_places
from ownkey.store.tables_limits import limits as limits
from ownkey.store.tables_memory import cache_hits as cache_hits
from ownkey.store.tables_memory import cached as cached
from ownkey.store.tables_memory import history as history
from ownkey.store.tables_memory import memory_terms as memory_terms
from ownkey.store.tables_people import grants as grants
from ownkey.store.tables_people import identities as identities
from ownkey.store.tables_people import page_tokens as page_tokens
from ownkey.store.tables_people import passkeys as passkeys
from ownkey.store.tables_people import sessions as sessions
from ownkey.store.tables_people import sign_ins as sign_ins
from ownkey.store.tables_people import tickets as tickets
from ownkey.store.tables_people import token_terms as token_terms
from ownkey.store.tables_people import users as users
from ownkey.store.tables_routes import learned as learned
from ownkey.store.tables_routes import routes as routes
from ownkey.store.tables_routes import thumbs as thumbs

install = Table(
    "install",
    metadata,
    Column("one", _Int, primary_key=True, autoincrement=False),
    _column("id", Text),
    Column("root_source", Text),
    Column("root_check", LargeBinary),
    _column("created_at_ms", _Int),
    Column("root_probe", LargeBinary),
    *(Column(name, _Int) for name in ("root_since_ms", "root_wraps", "sealed_at_ms")),
    CheckConstraint("one = 1", name="install_is_one_row"),
    sqlite_strict=True,
)

# A root key that takes over from another; no row where none does.
rotation = Table(
    "rotation",
    metadata,
    Column("one", _Int, primary_key=True, autoincrement=False),
    *(_column(name, Text) for name in ("step", "from_source", "to_source")),
    *(_column(name, LargeBinary) for name in ("from_check", "to_check")),
    Column("to_probe", LargeBinary),
    Column("to_place", Text),
    *(Column(name, LargeBinary) for name in ("forward", "backward")),
    *(_column(name, _Int) for name in ("wraps", "started_at_ms")),
    CheckConstraint("one = 1", name="rotation_is_one_row"),
    CheckConstraint("step IN ('making', 'sharing', 'wrapping', 'leaving')", name="rotation_step_known"),
    sqlite_strict=True,
)

keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    _column("owner", Text),
    _column("provider", Text),
    _column("origin", Text),
    _column("version", _Int),
    _column("sealed", LargeBinary),
    _column("masked", Text),
    _column("label", Text),
    _column("created_at_ms", _Int),
    Column("used_at_ms", _Int),
    *(Column(name, _Int) for name in ("position", "expires_at_ms", "paused_at_ms")),
    Column("models", Text),
    Column("checked_at_ms", _Int),
    Column("refused", Text),
    Column("weight", _Int, CheckConstraint("weight BETWEEN 0 AND 1000", name="keys_weight_amount")),
    Column("rests_until_ms", _Int),
    UniqueConstraint("owner", "provider", "label", name="keys_one_for_each_label"),
    sqlite_strict=True,
)

choices = Table(
    "choices",
    metadata,
    Column("provider", Text, primary_key=True),
    _column("enabled", _Flag),
    Column("endpoint", Text),
    _column("fields", Text),
    Column("default_model", Text),
    sqlite_strict=True,
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    _column("owner", Text),
    _column("name", Text),
    _column("digest", LargeBinary),
    _column("shown", Text),
    _column("created_at_ms", _Int),
    Column("revoked_at_ms", _Int),
    UniqueConstraint("digest", name="tokens_digest_once"),
    CheckConstraint("length(digest) = 32", name="tokens_digest_of_32_bytes"),
    sqlite_strict=True,
)

models = Table(
    "models",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    _column("place", _Int),
    _column("facts", Text),
    _column("found_at_ms", _Int),
    sqlite_strict=True,
)

SOUND_AND_CACHE = ("input_audio_tokens", "output_audio_tokens", "cached_audio_tokens", "cache_write_1h_tokens")

book = Table(
    "book",
    metadata,
    Column("id", Text, primary_key=True),
    _column("request_id", Text),
    _column("attempt", _Int),
    _column("owner", Text),
    Column("token_id", Text),
    Column("key_id", Text),
    _column("provider", Text),
    _column("model", Text),
    _column("wire", Text),
    _column("stream", _Flag),
    _column("held_nano", _Int),
    _column("priced", _Flag),
    _column("price", Text),
    _column("started_at_ms", _Int),
    _column("holder", Text),
    _column("state", Text),
    _column("cost_nano", _Int),
    Column("input_tokens", _Int),
    Column("output_tokens", _Int),
    Column("cached_tokens", _Int),
    Column("cache_write_tokens", _Int),
    Column("reasoning_tokens", _Int),
    Column("finish", Text),
    Column("error", Text),
    Column("status", _Int),
    Column("first_ms", _Int),
    Column("total_ms", _Int),
    Column("ended_at_ms", _Int),
    Column("automation", Text),
    _column("held_tokens", _Int),
    *(Column(name, _Int, *_amounts("book", name)) for name in SOUND_AND_CACHE),
    Column("tier", Text),
    Column("sent_ms", _Int),
    CheckConstraint("state IN ('held', 'exact', 'counted', 'assumed', 'released')", name="book_state_known"),
    CheckConstraint("(state = 'held') = (ended_at_ms IS NULL)", name="book_ended_has_a_time"),
    *_amounts("book", "held_nano", "cost_nano", "held_tokens"),
    *_amounts("book", "input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens"),
    Index("book_by_time", "started_at_ms"),
    Index("book_open", "holder", sqlite_where=text("state = 'held'"), postgresql_where=text("state = 'held'")),
    sqlite_strict=True,
)

budgets = Table(
    "budgets",
    metadata,
    Column("id", Text, primary_key=True),
    _column("name", Text),
    *(Column(name, Text) for name in ("owner", "provider", "model", "key_id", "token_id", "automation")),
    _column("unit", Text),
    Column("most", _Int),
    _column("period", Text),
    _column("zone", Text),
    _column("anchor_day", _Int),
    _column("exhausted", Text),
    Column("alert_percent", _Int),
    _column("run_soft", Text),
    *(Column(name, _Int) for name in ("run_soft_nano", "run_hard_nano", "run_soft_tokens", "run_hard_tokens")),
    Column("share_percent", _Int),
    _column("created_at_ms", _Int),
    CheckConstraint("unit IN ('usd', 'tokens', 'requests')", name="budgets_unit_known"),
    CheckConstraint("exhausted IN ('refuse', 'fall_back', 'ask')", name="budgets_exhausted_known"),
    *_amounts("budgets", "most", "run_soft_nano", "run_hard_nano", "run_soft_tokens", "run_hard_tokens"),
    sqlite_strict=True,
)

# One row. Its version rises with every change of a budget, and who changes one waits for it. The days before
# `closed_ms` are summed up in `usage_days`; of later ones there are hours only.
budget_state = Table(
    "budget_state",
    metadata,
    Column("one", _Int, primary_key=True, autoincrement=False),
    _column("version", _Int),
    _column("closed_ms", _Int),
    CheckConstraint("one = 1", name="budget_state_is_one_row"),
    sqlite_strict=True,
)

# `who` is an owner where it counts what that owner has pending of a budget that many share.
counters = Table(
    "counters",
    metadata,
    Column("budget", Text, primary_key=True),
    Column("start_ms", _Int, primary_key=True, autoincrement=False),
    Column("who", Text, primary_key=True),
    _column("spent", _Int),
    _column("pending", _Int),
    CheckConstraint("spent >= 0 AND pending >= 0", name="counters_are_not_negative"),
    sqlite_strict=True,
)

SUMMED = (
    *("calls", "failed", "unpriced", "cost_nano"),
    *("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens"),
    *("input_audio_tokens", "output_audio_tokens", "runs", "total_ms_sum"),
    *(f"{kind}_le_{bound}" for kind in ("total", "first") for bound in (*BOUNDS_MS, "more")),
)
"""The sums of a rollup: `runs` counts first tries; the last are counts by how long it took, to the end and to the first
of the answer."""


# Columns that came later.
_DEFAULTS: dict[str, str] = dict.fromkeys((*SOUND_AND_CACHE, "runs"), "0")


def _rollup(name: str) -> Table:
    """What has ended, summed up for each span of time that begins at `start_ms`."""
    dimensions = ("owner", "provider", "model", "key_id", "token_id", "automation")
    return Table(
        name,
        metadata,
        Column("start_ms", _Int, primary_key=True, autoincrement=False),
        *(Column(dimension, Text, primary_key=True) for dimension in dimensions),
        *(Column(column, _Int, nullable=False, server_default=_DEFAULTS.get(column)) for column in SUMMED),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


usage_hours = _rollup("usage_hours")
usage_days = _rollup("usage_days")

# The id says what it is about, so that nothing is told twice.
alerts = Table(
    "alerts",
    metadata,
    Column("id", Text, primary_key=True),
    _column("kind", Text),
    Column("owner", Text),
    Column("budget_id", Text),
    _column("message", Text),
    _column("facts", Text),
    _column("at_ms", _Int),
    Column("seen_at_ms", _Int),
    Column("sent_at_ms", _Int),
    Column("claimed_by", Text),
    Column("claimed_at_ms", _Int),
    _column("tries", _Int),
    sqlite_strict=True,
)

# What became of an alert at each channel that was tried.
deliveries = Table(
    "deliveries",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("sent_at_ms", _Int),
    Column("error", Text),
    _column("tries", _Int),
    sqlite_strict=True,
)

# The owner's own prices; without a model, of all that the provider has.
prices = Table(
    "prices",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    _column("facts", Text),
    _column("set_at_ms", _Int),
    sqlite_strict=True,
)

# A record's hash covers all its other columns, and with `previous` every record before it.
audit = Table(
    "audit",
    metadata,
    Column("seq", _Int, primary_key=True, autoincrement=False),
    _column("at_ms", _Int),
    *(_column(name, Text) for name in ("actor_kind", "actor", "action", "target_kind", "target", "outcome")),
    Column("request_id", Text),
    _column("detail", Text),
    _column("previous", LargeBinary),
    _column("hash", LargeBinary),
    CheckConstraint("seq > 0", name="audit_begins_with_one"),
    Index("audit_by_time", "at_ms"),
    Index("audit_by_action", "action", "seq"),
    sqlite_strict=True,
)

# One row: how many records there are and the hash of the last, sealed with what the root key gives.
audit_head = Table(
    "audit_head",
    metadata,
    Column("one", _Int, primary_key=True, autoincrement=False),
    _column("count", _Int),
    _column("hash", LargeBinary),
    _column("kek_id", LargeBinary),
    _column("seal", LargeBinary),
    CheckConstraint("one = 1", name="audit_head_is_one_row"),
    sqlite_strict=True,
)

# The price catalogues that were taken, in the order of their numbers; the last row says which is in use. Going back to
# one is a row too, without data: `back_to` is its number, 0 for the shipped one.
catalogues = Table(
    "catalogues",
    metadata,
    Column("number", _Int, primary_key=True, autoincrement=False),
    Column("back_to", _Int),
    _column("source", Text),
    _column("sha256", Text),
    _column("shipped", Text),
    _column("data", LargeBinary),
    _column("data_sha256", Text),
    _column("at_ms", _Int),
    sqlite_strict=True,
)

for _table, _guards in ((book, GUARDS), (audit_head, AUDIT_GUARDS)):
    for _dialect, _statements in _guards.items():
        for _statement in _statements:
            event.listen(_table, "after_create", DDL(_statement).execute_if(dialect=_dialect))
