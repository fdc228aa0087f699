"""Chats that are kept, as the faces see them: switched on and off, listed, searched, exported, deleted."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, structs

from ownkey.engine.remember import ENTRY, kept_since_ms
from ownkey.engine.said import Entry
from ownkey.store.remembered import KeptRow, Place, Terms
from ownkey.talk.errors import InvalidRequest, KeyUnreadable, NotFound

if TYPE_CHECKING:
    from ownkey.app.house import House

PAGE, MOST_PAGE = 50, 200
READ_AT_ONCE = 100
SEARCHED_S = 0.5
"""How long one page of a search may look; there is always another."""
LONGEST_DAYS = 36_500
LONGEST_TEXT = 200
_PLACE = re.compile(r"([0-9]{1,15})\.([0-9A-Za-z_-]{1,64})")


class Kept(Struct, frozen=True):
    """One request. `entry` is None where it could not be kept, or does not open: `lost` says why. `cost_nano` is what
    the book says of it; None where that is not known."""

    id: str
    at_ms: int
    entry: Entry | None
    lost: str | None = None
    cost_nano: int | None = None


class Page(Struct, frozen=True):
    """Newest first. `next` is where the following page begins, None at the end; `looked_at`: so many were read."""

    entries: list[Kept]
    next: str | None
    looked_at: int


class HistoryBook:
    """One person's. Raises VaultSealed where their chats cannot be opened."""

    def __init__(self, house: House, owner: str) -> None:
        self._house = house
        self._owner = owner
        self._store = house.store.kept

    @property
    def terms(self) -> Terms:
        return self._house.store.memory_terms.get(self._owner)

    def on(self, days: int | None = None) -> Terms:
        """From the next answer on. `days`: for how long each is kept; None until it is deleted.

        Raises InvalidRequest.
        """
        if days is not None and not 1 <= days <= LONGEST_DAYS:
            raise InvalidRequest(f"Chats are kept for 1 to {LONGEST_DAYS} days.", param="days")
        self._house.personal_keys.first(self._owner)
        terms = self._put("history.on", {"days": days}, history=True, history_days=days)
        if days is not None:
            self._store.remove(self._owner, before_ms=kept_since_ms(terms))
        return terms

    def off(self) -> Terms:
        """At once: nothing is written from now on, not even of what is under way. What is there stays."""
        return self._put("history.off", {}, history=False)

    def count(self) -> int:
        self._house.memory.settle()
        return self._store.count(self._owner)

    def page(self, before: str | None = None, limit: int = PAGE) -> Page:
        """Raises InvalidRequest for a `before` that no page told."""
        rows = self._rows(_place(before), _checked(limit))
        return Page(self._opened(rows), _after(rows) if len(rows) == limit else None, len(rows))

    def search(self, text: str, before: str | None = None, limit: int = PAGE) -> Page:
        """Those in which the text stands, whatever its case: in a message, an answer, a call or a tool's name. A page
        may be short, or empty, and have a next one: it looks for half a second at most. Raises InvalidRequest."""
        folded = text.casefold()
        if not folded.strip() or len(text) > LONGEST_TEXT:
            raise InvalidRequest(f"A text to look for has 1 to {LONGEST_TEXT} characters.", param="text")
        ends_s, place, found, looked = time.monotonic() + SEARCHED_S, _place(before), list[KeptRow](), 0
        wanted = _checked(limit)
        while time.monotonic() < ends_s:
            rows = self._rows(place, READ_AT_ONCE)
            for row in rows:
                looked += 1
                entry = self._entry(row)
                if entry is not None and entry.finds(folded):
                    found.append(row)
                    if len(found) == wanted:
                        return Page(self._opened(found), _after([row]), looked)
            if len(rows) < READ_AT_ONCE:
                return Page(self._opened(found), None, looked)
            place = rows[-1].at_ms, rows[-1].id
        return Page(self._opened(found), None if place is None else f"{place[0]}.{place[1]}", looked)

    def get(self, id: str) -> Kept:
        """Raises NotFound."""
        self._house.memory.settle()
        row = self._store.get(self._owner, id)
        if row is None or row.at_ms < kept_since_ms(self.terms):
            raise _nothing()
        return self._opened([row])[0]

    def export(self) -> Iterator[Kept]:
        """All of them, newest first."""
        place: Place | None = None
        count = 0
        with self._house.audit.around("history.exported", self._owner, owner=self._owner) as told:
            while rows := self._rows(place, READ_AT_ONCE):
                yield from self._opened(rows)
                count += len(rows)
                place = rows[-1].at_ms, rows[-1].id
            told["count"] = count

    def delete(self, id: str) -> None:
        """Raises NotFound."""
        if not self._delete("one", id=id):
            raise _nothing()

    def clear(self, older_than_days: int | None = None) -> int:
        """All, or those that are older; how many there were. Raises InvalidRequest."""
        if older_than_days is None:
            return self._delete("all")
        if not 0 <= older_than_days <= LONGEST_DAYS:
            raise InvalidRequest(f"A number of days from 0 to {LONGEST_DAYS}.", param="older_than_days")
        before_ms = time.time_ns() // 1_000_000 - older_than_days * 86_400_000
        return self._delete(str(before_ms), before_ms=before_ms)

    def _delete(self, which: str, *, id: str | None = None, before_ms: int | None = None) -> int:
        self._house.memory.settle()
        with self._house.audit.within("history.deleted", self._owner, owner=self._owner, detail={"which": which}):
            return self._store.remove(self._owner, id=id, before_ms=before_ms)

    def _rows(self, place: Place | None, limit: int) -> list[KeptRow]:
        self._house.memory.settle()
        # Sealed, it says so before anything else.
        self._house.personal_keys.all(self._owner)
        return self._store.page(self._owner, place, limit, kept_since_ms(self.terms))

    def _opened(self, rows: Sequence[KeptRow]) -> list[Kept]:
        costs = self._store.costs(self._owner, [row.id for row in rows])
        return [self._kept(row, costs.get(row.id)) for row in rows]

    def _kept(self, row: KeptRow, cost_nano: int | None) -> Kept:
        entry = self._entry(row)
        lost = row.lost or (None if entry is not None else KeyUnreadable.code)
        return Kept(row.id, row.at_ms, entry, lost, 0 if entry is not None and entry.cached else cost_nano)

    def _entry(self, row: KeptRow) -> Entry | None:
        key = self._house.personal_keys.of(self._owner, row.key_id)
        if key is None or row.sealed is None:
            return None
        try:
            return _decode(key.unseal(ENTRY, row.id, row.sealed))
        except (KeyUnreadable, msgspec.MsgspecError):
            return None

    def _put(self, action: str, told: dict[str, object], **columns: object) -> Terms:
        terms = structs.replace(self.terms, **columns)
        with self._house.audit.within(action, self._owner, owner=self._owner, detail=told):
            self._house.memory.put_terms(terms)
        return terms


_decode = msgspec.json.Decoder(Entry).decode


def _place(before: str | None) -> Place | None:
    if before is None:
        return None
    found = _PLACE.fullmatch(before)
    if found is None:
        raise InvalidRequest("No page begins there.", "Give what the page before says as `next`.", param="before")
    return int(found[1]), found[2]


def _after(rows: Sequence[KeptRow]) -> str | None:
    return f"{rows[-1].at_ms}.{rows[-1].id}" if rows else None


def _checked(limit: int) -> int:
    if not 1 <= limit <= MOST_PAGE:
        raise InvalidRequest(f"A page has 1 to {MOST_PAGE} entries.", param="limit")
    return limit


def _nothing() -> NotFound:
    return NotFound("There is no such chat in your history.", "`ownkey history list` shows what there is.")
