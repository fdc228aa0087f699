"""What other processes on this database have begun lately and have under way: limits are for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from msgspec import Struct
from sqlalchemy import func, select

from ownkey.store import tables
from ownkey.store.connect import Database
from ownkey.store.holder import PARKED

MOST_ROWS = 20_000
"""That are looked at: the newest."""

OVERLAP_MS = 2_000
"""A hold is in the book a little after it was begun: so far back is looked again."""

LONGEST_MS = 600_000
"""What has been running for longer has lost its process."""


class Begun(Struct, frozen=True):
    """A try of another process: so long ago. `tokens`: what it took, as far as it has ended. `running`: how many like
    it are under way."""

    owner: str
    provider: str
    model: str
    key_id: str | None
    token_id: str | None
    age_s: float = 0.0
    tokens: int = 0
    running: int = 0


class Recent:
    """Of the book of one process: `holder` is its id there. What is parked is under way at a batch endpoint, which has
    limits of its own."""

    def __init__(self, database: Database, holder: Callable[[], str]) -> None:
        self._database = database
        self._holder = holder
        self._seen: frozenset[str] = frozenset()
        self._until_ms = 0

    def begun(self, within_s: float) -> list[Begun]:
        """What the others have begun since this was asked last, `within_s` at most, oldest first."""
        now_ms = time.time_ns() // 1_000_000
        since_ms = max(now_ms - round(within_s * 1000), self._until_ms - OVERLAP_MS)
        others = (_T.started_at_ms >= since_ms, _T.holder.not_in((self._holder(), PARKED)))
        tokens = func.coalesce(_T.input_tokens + _T.output_tokens, 0)
        query = select(_T.id, *_WHO, _T.started_at_ms, tokens.label("tokens")).where(*others)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(_T.started_at_ms.desc()).limit(MOST_ROWS)).all()
        known, self._seen, self._until_ms = self._seen, frozenset(row.id for row in rows), now_ms
        return [_begun(row, now_ms) for row in reversed(rows) if row.id not in known]

    def running(self) -> list[Begun]:
        """What of theirs is under way, how many of each."""
        since_ms = time.time_ns() // 1_000_000 - LONGEST_MS
        under_way = (_T.state == "held", _T.holder.not_in((self._holder(), PARKED)), _T.started_at_ms >= since_ms)
        query = select(*_WHO, func.count().label("running")).where(*under_way).group_by(*_WHO)
        with self._database.reading() as connection:
            return [Begun(*row[:5], running=row.running) for row in connection.execute(query).all()]


_T = tables.book.c
_WHO = (_T.owner, _T.provider, _T.model, _T.key_id, _T.token_id)


def _begun(row: Any, now_ms: int) -> Begun:
    age_s = max(0, now_ms - row.started_at_ms) / 1000
    return Begun(row.owner, row.provider, row.model, row.key_id, row.token_id, age_s, row.tokens)
