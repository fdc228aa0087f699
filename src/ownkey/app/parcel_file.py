"""What stands in an exported file, once it is opened: lines of JSON.

The first says what it is; then, for each table, its name and its columns, and a line for each row; files of the data
folder; settings; last how many lines there were before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import msgspec
from msgspec import Struct

from ownkey.store.columns import metadata
from ownkey.store.parcel import PARTS, SCHEMA, Part, Values, checked
from ownkey.store.schema import REVISIONS
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.secret import clean

FORMAT, VERSION = "ownkey", 1
MOST_LINE = 4 << 20


class Head(Struct, frozen=True):
    """`ownkey` is the version that wrote it, `with_keys`: keys, and what else opens something, are in it."""

    format: str
    version: int
    made_at_ms: int
    ownkey: str
    schema: str
    with_keys: bool


class Row(Struct, frozen=True):
    part: Part
    values: Values


class File(Struct, frozen=True):
    """`name` is its place in the data folder."""

    name: str
    text: str


class Written(Struct, frozen=True):
    """What `config.toml` says, by name."""

    settings: dict[str, Any]


Said = Head | Row | File | Written


def lines(
    head: Head,
    rows: Iterable[tuple[Part, Sequence[str], Iterable[Values]]],
    files: Iterable[File],
    settings: Mapping[str, Any],
) -> Iterator[bytes]:
    """The lines, as `said` reads them. Of a row of keys `sealed` is the key itself, and is called so."""
    count = 1
    yield _line(head)
    for part, columns, values in rows:
        names = [_told(part, name) for name in columns]
        yield _line({"table": part.table, "columns": names})
        count += 1
        for row in values:
            yield _line([row[name] for name in columns])
            count += 1
    for file in files:
        yield _line({"file": file.name, "text": file.text})
        count += 1
    yield _line({"settings": settings})
    yield _line({"lines": count + 1})


def said(pieces: Iterable[bytes]) -> Iterator[Said]:
    """What it says, in its order, each row checked. Raises InvalidRequest."""
    table: tuple[Part, list[str]] | None = None
    ended = False
    for count, line in enumerate(_lines(pieces)):
        if ended:
            _unreadable("something stands behind its end")
        found = _decoded(line)
        if count == 0:
            yield _head(found)
        elif isinstance(found, list):
            if table is None:
                _unreadable("a row belongs to no table")
            yield _row(*table, found)  # pyright: ignore[reportUnknownArgumentType]
        else:
            table = _table(found)
            if "file" in found:
                yield _converted(found, {"name": found["file"], "text": found.get("text")}, File)
            elif "settings" in found:
                yield _converted(found, found, Written)
            elif "lines" in found:
                ended = found["lines"] == count
    if not ended:
        _unreadable("its end is missing")


def _line(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    waiting = b""
    for piece in pieces:
        *whole, waiting = (waiting + piece).split(b"\n")
        yield from whole
        if len(waiting) > MOST_LINE:
            _unreadable("a line is too long")
    if waiting:
        _unreadable("its last line is not whole")


def _decoded(line: bytes) -> Any:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict | list):
        _unreadable("a line is not what it should be")
    return found  # pyright: ignore[reportUnknownVariableType]


def _head(found: Any) -> Head:
    if not isinstance(found, dict) or found.get("format") != FORMAT:  # pyright: ignore[reportUnknownMemberType]
        raise InvalidRequest("This file was not exported by Ownkey.", "It opens, but holds something else.")
    if found.get("version") != VERSION:  # pyright: ignore[reportUnknownMemberType]
        _newer()
    head = _converted(found, found, Head)
    if head.schema not in REVISIONS:
        _newer()
    return head


def _table(found: dict[str, Any]) -> tuple[Part, list[str]] | None:
    if "table" not in found:
        return None
    name, columns = found["table"], found.get("columns")
    part = PARTS.get(name) if isinstance(name, str) else None
    if part is None:
        _unreadable(f"there is no table {clean(str(name), limit=40)!r}")
    if not isinstance(columns, list):
        _unreadable(f"{part.table} has no columns")
    return part, [_OURS.get((part.table, str(name)), ("", str(name)))[1] for name in columns]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _told(part: Part, name: str) -> str:
    return next((told for (_, told), ours in _OURS.items() if ours == (part.table, name)), name)


def _row(part: Part, columns: list[str], found: list[Any]) -> Row:
    if len(found) != len(columns):
        _unreadable(f"a row of {part.table} has not as many values as columns")
    values = dict(zip(columns, found, strict=True))
    try:
        for name in columns:
            if (part.table, name) in _OURS.values():
                values[name] = msgspec.convert(values[name], str).encode("ascii")
            elif name in _BINARY[part.table] and values[name] is not None:
                values[name] = msgspec.convert(values[name], bytes)
        return Row(part, checked(part, values))
    except msgspec.ValidationError:
        _unreadable(f"a row of {part.table} is not what it should be")
    except ValueError as error:
        _unreadable(str(error))


def _converted(found: Any, values: Any, kind: type[Any]) -> Any:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError:
        _unreadable(f"what it says of {clean(str(next(iter(found), '')), limit=20)!r} is not what it should be")


def _newer() -> NoReturn:
    raise InvalidRequest(
        "This file is of another version of Ownkey than this one reads.",
        f"This one reads version {VERSION}, up to schema {SCHEMA}: update Ownkey.",
        param="file",
    )


def _unreadable(why: str) -> NoReturn:
    raise InvalidRequest(f"This file cannot be read: {why}.", "Nothing was changed.", param="file")


# A key is the sealed one here, opened.
_OURS = {("keys", "key"): ("keys", "sealed")}
_BINARY = {
    table: {column.name for column in metadata.tables[table].columns if column.type.python_type is bytes}
    for table in PARTS
}
