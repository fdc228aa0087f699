"""The book's rows as they are looked through: page by page, by anything that they agree in, and with all of a request's
tries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, false, func, or_, select

from ownkey.store.book import MOST_ATTEMPTS, BookRow
from ownkey.store.connect import Database
from ownkey.store.tables import book

_USUAL_ATTEMPTS = 4

Place = tuple[int, str]
"""Where a row stands: when it began, and its id."""


class Wanted(Struct, frozen=True):
    """Rows that began in [since, until) and have these values in these columns, the empty one where there is none;
    `failed`: that did, or did not, end in an error."""

    where: Mapping[str, str] = {}
    since_ms: int | None = None
    until_ms: int | None = None
    failed: bool | None = None

    def has(self, row: BookRow) -> bool:
        return (
            all((getattr(row, name) or "") == value for name, value in self.where.items())
            and (self.failed is None or (row.error is not None) is self.failed)
            and (self.since_ms is None or row.started_at_ms >= self.since_ms)
            and (self.until_ms is None or row.started_at_ms < self.until_ms)
        )

    def terms(self) -> list[ColumnElement[bool]]:
        terms: list[ColumnElement[bool]] = [_is(name, value) for name, value in self.where.items()]
        if self.since_ms is not None:
            terms.append(_T.started_at_ms >= self.since_ms)
        if self.until_ms is not None:
            terms.append(_T.started_at_ms < self.until_ms)
        if self.failed is not None:
            terms.append(_T.error.is_not(None) if self.failed else _T.error.is_(None))
        return terms


class Runs:
    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self, wanted: Wanted, limit: int, before: Place | None = None) -> list[BookRow]:
        """Newest first; those that come after `before` in that order."""
        query = _ROWS.where(*wanted.terms())
        if before is not None:
            earlier = (_T.started_at_ms < before[0]) | (_T.id < before[1])
            query = query.where(_T.started_at_ms <= before[0], earlier)
        return self._rows(query.order_by(_T.started_at_ms.desc(), _T.id.desc()).limit(limit))

    def tries(self, request_ids: Sequence[str], owner: str | None = None) -> list[BookRow]:
        """All of these requests, in no order."""
        found: list[BookRow] = []
        wanted, first, last = list(request_ids), 1, _USUAL_ATTEMPTS
        while wanted and first <= last:
            ids = [f"{id}.{attempt}" for id in wanted for attempt in range(first, last + 1)]
            query = _ROWS.where(_T.id.in_(ids))
            rows = self._rows(query if owner is None else query.where(_T.owner == owner))
            found += rows
            wanted = [row.request_id for row in rows if row.attempt == last]
            first, last = last + 1, MOST_ATTEMPTS
        return found

    def every(self, wanted: Wanted, page: int) -> Iterator[BookRow]:
        """Oldest first, read so many at a time: however many there are, memory stays as it is."""
        place: Place = (0, "")
        while True:
            later = (_T.started_at_ms > place[0]) | (_T.id > place[1])
            query = _ROWS.where(_T.started_at_ms >= place[0], later, *wanted.terms())
            rows = self._rows(query.order_by(_T.started_at_ms, _T.id).limit(page))
            yield from rows
            if len(rows) < page:
                return
            place = (rows[-1].started_at_ms, rows[-1].id)

    def above(self, wanted: Wanted, nano: int | None, tokens: int | None) -> tuple[int, int]:
        """How many were answered, and how many of them took more than so many nano-USD or tokens."""
        took = func.coalesce(_T.input_tokens, 0) + func.coalesce(_T.output_tokens, 0)
        over = [_T.cost_nano > nano] if nano is not None else []
        over += [took > tokens] if tokens is not None else []
        query = select(func.count(), func.count().filter(or_(false(), *over)))
        query = query.where(*wanted.terms(), _T.state.not_in(("held", "released")))
        with self._database.reading() as connection:
            answered, above = connection.execute(query).one()
        return answered, above

    def charged(self, price: str, wanted: Wanted) -> list[tuple[str, int, int]]:
        """By the prices in whose text that stands: how many were charged at it, and how much in nano-USD."""
        sums = (_T.price, func.count(), func.sum(_T.cost_nano))
        query = select(*sums).where(*wanted.terms(), _T.price.contains(price, autoescape=True)).group_by(_T.price)
        with self._database.reading() as connection:
            return [(text, calls, int(cost)) for text, calls, cost in connection.execute(query).all()]

    def _rows(self, query: Select[Any]) -> list[BookRow]:
        with self._database.reading() as connection:
            return [_row(dict(row)) for row in connection.execute(query).mappings().all()]


def _row(values: dict[str, Any]) -> BookRow:
    values["stream"], values["priced"] = bool(values["stream"]), bool(values["priced"])
    return BookRow(**values)


def _is(name: str, value: str) -> ColumnElement[bool]:
    return _T[name] == value if value else _T[name].is_(None)


_T = book.c
_ROWS = select(*(_T[name] for name in BookRow.__struct_fields__))
