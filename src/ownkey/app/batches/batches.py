"""One person's batches: made, looked at, cancelled."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Literal

import msgspec

from ownkey.app.batches.asking import Terms
from ownkey.app.batches.line import DOORS
from ownkey.store.batches import OPEN, BatchRow, Tally
from ownkey.talk.errors import Conflict, InvalidRequest, NotFound, TooLarge
from ownkey.vault.boxes import Boxes

if TYPE_CHECKING:
    from ownkey.app.house import House

MOST_OPEN = 100
"""Of one person's, that are not over."""
WINDOW = "24h"
WINDOW_MS = 86_400_000
KEPT_MS = 30 * WINDOW_MS


class BatchBook:
    """All of it blocks."""

    def __init__(self, house: House, owner: str, runs_in: Literal["gateway", "command"] = "gateway") -> None:
        self._house = house
        self._store = house.store.batches
        self._boxes = Boxes(house.store, house.vault)
        self._owner = owner
        self._runs_in: Literal["gateway", "command"] = runs_in

    def create(
        self,
        source: str,
        endpoint: str,
        terms: Terms,
        token_id: str | None = None,
    ) -> BatchRow:
        """Raises InvalidRequest, TooLarge and VaultSealed."""
        if self._runs_in == "gateway" and endpoint not in DOORS:
            raise InvalidRequest(f"endpoint is one of {', '.join(DOORS)}.", param="endpoint")
        newest = self._store.listed(self._owner, self._runs_in, limit=MOST_OPEN)
        if len([one for one in newest if one.status in OPEN]) >= MOST_OPEN:
            raise TooLarge(f"{MOST_OPEN} batches of yours are not over.", "Wait for some of them, or cancel them.")
        id, now_ms = f"batch_{time.time_ns() // 1_000_000:011x}{secrets.token_hex(8)}", time.time_ns() // 1_000_000
        box = self._boxes.make(self._owner, id)
        row = BatchRow(
            id,
            self._owner,
            token_id,
            self._runs_in,
            source,
            endpoint,
            "validating",
            msgspec.json.encode(terms).decode(),
            now_ms,
            now_ms + (WINDOW_MS if self._runs_in == "gateway" else KEPT_MS),
            box.id,
        )
        self._store.add(row)
        if self._runs_in == "gateway":
            self._house.store.uploads.keep_until(self._owner, source, row.expires_at_ms + WINDOW_MS)
        return row

    def tally(self, row: BatchRow) -> Tally:
        return self._store.tally(row.id)

    def get(self, id: str) -> BatchRow:
        """Raises NotFound, for another's too."""
        row = self._store.get(self._owner, id)
        if row is None or row.runs_in != self._runs_in:
            raise NotFound("There is no such batch.", "GET /v1/batches lists those there are.")
        return row

    def listed(self, *, after: str | None = None, limit: int = 20) -> list[BatchRow]:
        """Newest first."""
        last = None if after is None else self.get(after)
        return self._store.listed(self._owner, self._runs_in, after=last, limit=limit)

    def cancel(self, id: str) -> BatchRow:
        """What is under way comes to its end; nothing more is begun. Raises NotFound, and Conflict where it is over."""
        row = self.get(id)
        now_ms = time.time_ns() // 1_000_000
        begun = ("validating", "in_progress")
        if not self._store.change(self._owner, id, when=begun, status="cancelling", cancelling_at_ms=now_ms):
            row = self.get(id)
            if row.status != "cancelling":
                raise Conflict(f"This batch is {row.status.replace('_', ' ')} already.", "There is nothing to cancel.")
        return self.get(id)
