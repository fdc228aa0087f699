"""The book and its sums as files for other programs: CSV, JSON, Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ownkey.store.audit_trail import Actor
from ownkey.store.book import BookRow
from ownkey.store.runs import Wanted
from ownkey.store.usage import Dimension, UsageTotal
from ownkey.talk.errors import BadConfiguration, InvalidRequest
from ownkey.talk.money import show_usd

if TYPE_CHECKING:
    from ownkey.app.house import House

PAGE = 5_000
FORMATS = ("csv", "json", "parquet")
_LEFT_OUT = ("holder", "price")
_BY: tuple[Dimension, ...] = ("day", "owner", "provider", "model", "key_id", "token_id", "automation")

Progress = Callable[[int], None]
Form = Literal["csv", "json"]
Lines = Callable[[Sequence[str], Iterable[dict[str, Any]]], Iterable[bytes]]
PIECE_BYTES = 64 << 10


def export(
    house: House,
    path: Path,
    *,
    owner: str,
    since_ms: int,
    until_ms: int,
    rollups: bool = False,
    progress: Progress | None = None,
) -> int:
    """Every attempt that began in [since, until), oldest first, to `path`, whose ending says the format; how many.

    With `rollups` it is a row for each day (UTC), person, provider, model, key, token and automation instead.

    The file is there whole or not at all. Amounts stand in nano-USD and, exactly, in dollars; times in ISO 8601, UTC.
    Raises InvalidRequest where the ending is another or the file cannot be written, and BadConfiguration where
    Parquet is asked for and pyarrow is not installed.
    """
    write = {"csv": _csv, "json": _json, "parquet": _parquet}.get(path.suffix.removeprefix(".").lower())
    if write is None:
        raise InvalidRequest(f"{path.name} ends in none of: {', '.join(f'.{one}' for one in FORMATS)}.", param="path")
    fresh = path.with_name(f".{path.name}.new")
    told = {"since_ms": since_ms, "until_ms": until_ms, "format": path.suffix.removeprefix("."), "rollups": rollups}
    with house.audit.around("usage.exported", path.name, owner=owner, detail=told) as told:
        try:
            if rollups:
                count = write(fresh, _DAY_COLUMNS, _days(house, since_ms, until_ms))
            else:
                count = write(fresh, _COLUMNS, _told(house, since_ms, until_ms, progress))
            fresh.replace(path)
        except OSError as error:
            raise InvalidRequest(f"{path} cannot be written: {error.strerror}.") from None
        finally:
            fresh.unlink(missing_ok=True)
        told["rows"] = count
    return count


def stream(house: House, form: Form, wanted: Wanted, actor: Actor) -> Iterator[bytes]:
    """Every attempt that is wanted, oldest first, as the pieces of a file. Raises AuditUnavailable, VaultSealed."""
    told: dict[str, Any] = {"since_ms": wanted.since_ms, "until_ms": wanted.until_ms, "format": form}
    house.audit.record("usage.exported", "", actor=actor, detail=told, outcome="begun")
    return _streamed(house, form, wanted, actor, told)


def _streamed(house: House, form: Form, wanted: Wanted, actor: Actor, told: dict[str, Any]) -> Iterator[bytes]:
    rows = 0

    def counted() -> Iterator[dict[str, Any]]:
        nonlocal rows
        for rows, row in enumerate(house.store.runs.every(wanted, PAGE), 1):  # noqa: B007
            yield _plain(row)

    outcome = "failed"
    try:
        yield from joined(_csv_lines(_COLUMNS, counted()) if form == "csv" else _json_lines(counted()))
        outcome = "succeeded"
    finally:
        house.audit.later("usage.exported", "", actor=actor, detail=told | {"rows": rows}, outcome=outcome)


def joined(lines: Iterable[bytes]) -> Iterator[bytes]:
    """In pieces that are worth sending."""
    gathered: list[bytes] = []
    size = 0
    for line in lines:
        gathered.append(line)
        size += len(line)
        if size >= PIECE_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join(gathered)


def _told(house: House, since_ms: int, until_ms: int, progress: Progress | None) -> Iterator[dict[str, Any]]:
    for told, row in enumerate(house.store.book.every(since_ms, until_ms, PAGE), 1):
        yield _plain(row)
        if progress is not None and told % 1_000 == 0:
            progress(told)


def _plain(row: BookRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in BookRow.__struct_fields__ if name not in _LEFT_OUT}
    started, ended = values.pop("started_at_ms"), values.pop("ended_at_ms")
    cost = show_usd(row.cost_nano) if row.priced and row.state != "held" else None
    return {"started_at": _iso(started), "ended_at": _iso(ended), "cost_usd": cost} | values


def _iso(at_ms: int | None) -> str | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _days(house: House, since_ms: int, until_ms: int) -> Iterator[dict[str, Any]]:
    for one in house.store.usage.totals(_BY, since_ms=since_ms, until_ms=until_ms, times=True):
        day = datetime.fromtimestamp(int(one.group["day"]) / 1000, UTC).date().isoformat()
        known = one.cost_nano or one.calls > one.unpriced
        cost = show_usd(one.cost_nano) if known else None
        yield one.group | {"day": day, "cost_usd": cost} | {name: getattr(one, name) for name in _SUMS}


_SUMS = tuple(name for name in UsageTotal.__struct_fields__ if name != "group")
_DAY_COLUMNS = (*_BY, "cost_usd", *_SUMS)
_COLUMNS = (
    *("started_at", "ended_at", "cost_usd"),
    *(name for name in BookRow.__struct_fields__ if name not in (*_LEFT_OUT, "started_at_ms", "ended_at_ms")),
)


def _csv(path: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> int:
    return _written(path, columns, rows, _csv_lines)


def _json(path: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> int:
    return _written(path, columns, rows, lambda _, counted: _json_lines(counted))


def _written(path: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]], lines: Lines) -> int:
    count = 0

    def counted() -> Iterator[dict[str, Any]]:
        nonlocal count
        for row in rows:
            count += 1
            yield row

    with path.open("wb") as file:
        file.writelines(lines(columns, counted()))
    return count


def _csv_lines(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    line = io.StringIO(newline="")
    writer = csv.writer(line)
    for values in chain((columns,), ([_cell(row[name]) for name in columns] for row in rows)):
        writer.writerow(values)
        yield line.getvalue().encode()
        line.seek(0)
        line.truncate()


def _json_lines(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    begins = b"[\n"
    for row in rows:
        yield begins + msgspec.json.encode(row)
        begins = b",\n"
    yield (b"[" if begins == b"[\n" else b"") + b"\n]\n"


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula is marked as text (OWASP, CSV Injection)."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return f"'{value}"
    return value


def _parquet(path: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> int:
    try:
        import pyarrow as arrow  # pyright: ignore
        import pyarrow.parquet as parquet  # pyright: ignore
    except ImportError:
        raise BadConfiguration(
            "Parquet needs the package pyarrow, which is not installed.",
            "Install `ownkey[parquet]`, or export to .csv or .json.",
        ) from None
    module: Any = arrow
    schema = module.schema([(name, _arrow_type(module, name)) for name in columns])
    count = 0
    writer: Any = parquet.ParquetWriter(path, schema)  # pyright: ignore
    try:
        for batch in _batches(rows):
            writer.write_table(module.Table.from_pylist(batch, schema=schema))  # pyright: ignore
            count += len(batch)
    finally:
        writer.close()  # pyright: ignore
    return count


def _arrow_type(arrow: Any, name: str) -> Any:
    if name in ("stream", "priced"):
        return arrow.bool_()
    whole = name.endswith(("_nano", "_tokens", "_ms")) or name in (
        "attempt",
        "status",
        "calls",
        "failed",
        "unpriced",
        "runs",
    )
    return arrow.int64() if whole else arrow.string()


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == PAGE:
            yield batch
            batch = []
    if batch:
        yield batch
