"""A batch's lines, put down before the first of them is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ownkey.app.batches.asking import check
from ownkey.app.batches.line import Line, Problem, read_all
from ownkey.store.batches import BatchRow, LineRow
from ownkey.vault.boxes import Box

if TYPE_CHECKING:
    from ownkey.app.house import House

_AT_ONCE = 500


def put_down(house: House, batch: BatchRow, box: Box, pieces: Iterable[bytes], endpoint: str | None) -> list[Problem]:
    """All its lines, or what is wrong with them. It may take seconds."""
    store, problems = house.store.batches, list[Problem]()
    store.drop_lines(batch.owner, batch.id)
    rows: list[LineRow] = []
    total = 0
    for line in read_all(pieces, problems, endpoint, check):
        if problems:
            continue
        rows.append(_row(line, box))
        total += 1
        if len(rows) == _AT_ONCE:
            store.add_lines(batch.owner, batch.id, rows)
            rows = []
    if problems:
        return problems
    if rows:
        store.add_lines(batch.owner, batch.id, rows)
    store.change(batch.owner, batch.id, total=total)
    return problems


def _row(line: Line, box: Box) -> LineRow:
    sealed = box.seal(f"id {line.number}", line.custom_id.encode("utf-8", "replace"))
    return LineRow(line.number, "waiting", line.start, line.length, 1, sealed)
