"""Runs, as the faces see them: requests with all their tries, from the book."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from ownkey.store.book import BookRow
from ownkey.store.runs import Place, Wanted
from ownkey.talk.errors import InvalidRequest

if TYPE_CHECKING:
    from ownkey.app.house import House

_PLACE = re.compile(r"(\d{1,15})\.([!-~]{1,200})", re.ASCII)


class Run(Struct, frozen=True):
    """A request with all its tries, the first first."""

    id: str
    tries: tuple[BookRow, ...]

    @property
    def last(self) -> BookRow:
        return self.tries[-1]

    @property
    def cost_nano(self) -> int:
        return sum(one.cost_nano for one in self.tries)

    @property
    def priced(self) -> bool:
        """Whether what it cost is known."""
        return all(one.priced or one.state == "released" for one in self.tries)


class Page(Struct, frozen=True):
    """`next` is where the page after it begins; None where this is the last."""

    runs: list[Run]
    next: str | None


class RunBook:
    """Of one house, or of one `owner` in it."""

    def __init__(self, house: House, owner: str | None = None) -> None:
        self._house = house
        self._owner = owner

    def get(self, id: str) -> Run | None:
        rows = self._house.store.runs.tries([id], self._owner)
        return _run(id, rows) if rows else None

    def page(self, wanted: Wanted, limit: int, before: str | None = None) -> Page:
        """The newest first: runs of which a try is wanted. Each stands where its last such try does; `before` is a
        page's `next`. Raises InvalidRequest."""
        if self._owner is not None:
            wanted = structs.replace(wanted, where={**wanted.where, "owner": self._owner})
        place = None if before is None else _place(before)
        found: list[Run] = []
        while True:
            rows = self._house.store.runs.newest(wanted, limit + 1, place)
            runs = self._whole([row.request_id for row in rows[:limit]])
            for number, row in enumerate(rows[:limit]):
                place = _place_of(row)
                run = runs[row.request_id]
                if place == max(map(_place_of, filter(wanted.has, run.tries)), default=place):
                    found.append(run)
                if len(found) == limit:
                    more = number + 1 < len(rows)
                    return Page(found, f"{place[0]}.{place[1]}" if more else None)
            if len(rows) <= limit:
                return Page(found, None)

    def _whole(self, ids: Sequence[str]) -> dict[str, Run]:
        rows: dict[str, list[BookRow]] = {}
        for row in self._house.store.runs.tries(list(dict.fromkeys(ids)), self._owner):
            rows.setdefault(row.request_id, []).append(row)
        return {id: _run(id, found) for id, found in rows.items()}


def _run(id: str, rows: Sequence[BookRow]) -> Run:
    return Run(id, tuple(sorted(rows, key=lambda row: row.attempt)))


def _place_of(row: BookRow) -> Place:
    return row.started_at_ms, row.id


def _place(text: str) -> Place:
    found = _PLACE.fullmatch(text)
    if found is None:
        raise InvalidRequest("That is not where a page begins.", "Send the `next` of the page before.", param="before")
    return int(found[1]), found[2]
