"""What each person wants, kept for a second where it is asked for at every request."""

from __future__ import annotations

import time

import msgspec
from msgspec import Struct, field
from sqlalchemy import select, text

from ownkey.store import tables
from ownkey.store.connect import Database

KEPT_S = 1.0
_KEPT_AT_MOST = 4096


class Preferences(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """`provider` leads where `auto` chooses, and before it the `preferred` models, `PROVIDER/MODEL`; `fallback`, a
    provider or a model of one, is asked when all others have failed; `models` is the one for each provider, by its id.
    `cheapest`: `auto` asks whoever costs least first. Without `auto_switch` nobody but the first provider is asked;
    `ask` asks the person before another one is. `park`: what needs a yes waits for it. `max_tokens` of output for one
    request. `low_quota`: alerts of budgets that come to their end are told.
    """

    provider: str | None = None
    fallback: str | None = None
    preferred: tuple[str, ...] = ()
    models: dict[str, str] = field(default_factory=dict[str, str])
    auto_switch: bool = True
    ask: bool = False
    park: bool = False
    max_tokens: int | None = None
    cheapest: bool = False
    low_quota: bool = True


NONE = Preferences()


class PreferenceTable:
    """Safe to use from many threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[float, Preferences]] = {}

    def of(self, owner: str) -> Preferences:
        """Those of the last second."""
        known = self._known.get(owner)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        return self.get(owner)

    def get(self, owner: str) -> Preferences:
        """Those of now."""
        with self._database.reading() as connection:
            kept = connection.execute(_ONE.where(tables.preferences.c.owner == owner)).scalar()
        found = NONE if kept is None else msgspec.json.decode(kept, type=Preferences)
        if len(self._known) >= _KEPT_AT_MOST:
            self._known.clear()
        self._known[owner] = (time.monotonic() + KEPT_S, found)
        return found

    def set(self, owner: str, wanted: Preferences) -> None:
        values = {
            "owner": owner,
            "document": msgspec.json.encode(wanted).decode(),
            "at": time.time_ns() // 1_000_000,
        }
        with self._database.writing() as connection:
            connection.execute(_SET, values)
        self._known.pop(owner, None)


_ONE = select(tables.preferences.c.document)
_SET = text(
    "INSERT INTO preferences (owner, document, changed_at_ms) VALUES (:owner, :document, :at)"
    " ON CONFLICT (owner) DO UPDATE SET document = excluded.document, changed_at_ms = excluded.changed_at_ms"
)
