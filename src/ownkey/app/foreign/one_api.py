"""The SQLite database of One API and New API: table `channels`, of github.com/songquanpeng/one-api and of
github.com/QuantumNous/new-api, `model/channel.go`.

`key` may be several, one to a line; `status` 1 is in use; in New API `channel_info` says which keys of several are not.
Each program has its own numbers for `type`, so the columns must say which of them wrote the file.

Nothing in the file is run: it is opened read-only, its schema is not trusted (https://sqlite.org/security.html), and
the authorizer lets nothing be done but reading this one table.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ownkey.app.foreign import names
from ownkey.app.foreign.channels import NEW_API, ONE_API, Channel
from ownkey.app.foreign.finding import (
    MOST_BYTES,
    MOST_FINDINGS,
    Finding,
    Names,
    held,
    mapping,
    named_models,
    shown,
    unreadable,
)

MAGIC = b"SQLite format 3\0"

MOST_STEPS = 20_000_000
"""Of SQLite's own machine; a thousand channels take some ten thousand."""

_EVERY_STEPS = 100_000
_COLUMNS = ("id", "type", "key", "status", "name", "base_url", "models", "other", "priority", "weight", "channel_info")
_CHAT = re.compile(r"(?:/v1)?/chat/completions/?$")
_VERSION = re.compile(r"20\d\d-\d\d-\d\d(?:-preview)?")


def read_one_api(path: Path, known: Names) -> tuple[Finding, ...]:
    """Those in use first, as the program itself would take them. Raises InvalidRequest."""
    try:
        with closing(_opened(path)) as connection:
            columns, rows = _rows(connection)
    except sqlite3.Error:
        raise unreadable("This SQLite database cannot be read, or its channels are no plain table.") from None
    table = NEW_API if "channel_info" in columns or "auto_ban" in columns else ONE_API
    rows.sort(key=lambda row: (-_number(row, "priority"), -_number(row, "weight"), _number(row, "id")))
    found = [finding for row in rows for finding in _findings(row, table, known)]
    return tuple(found[:MOST_FINDINGS])


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=2)
    for limit, value in (
        (sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES),
        (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
        (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 20),
        (sqlite3.SQLITE_LIMIT_COLUMN, 200),
        (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1),
    ):
        connection.setlimit(limit, value)
    steps = iter(range(MOST_STEPS // _EVERY_STEPS))
    connection.set_progress_handler(lambda: next(steps, None) is None, _EVERY_STEPS)
    for pragma in ("trusted_schema = off", "query_only = on", "cell_size_check = on", "mmap_size = 0"):
        connection.execute(f"PRAGMA {pragma}")
    connection.set_authorizer(_allowed)
    return connection


def _allowed(action: int, first: str | None, second: str | None, schema: str | None, source: str | None) -> int:
    """`source` is the view or trigger that asks: no such one may."""
    if source is not None:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_SELECT:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_READ and first in ("channels", "sqlite_master"):
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA and first == "table_info" and second == "channels":
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _rows(connection: sqlite3.Connection) -> tuple[set[str], list[dict[str, Any]]]:
    query = "SELECT type, sql FROM sqlite_master WHERE name = 'channels'"
    (kind, sql), *others = connection.execute(query).fetchmany(2) or [("", "")]
    if others or kind != "table" or not re.match(r"\s*create\s+table\b", str(sql), re.IGNORECASE):
        raise unreadable("This SQLite database has no table of channels, as One API and New API have one.")
    columns = {row[1] for row in connection.execute("PRAGMA table_info(channels)")}
    if not {"type", "key", "status"} <= columns:
        raise unreadable("The channels of this SQLite database are not those of One API or New API.")
    wanted = [name for name in _COLUMNS if name in columns]
    asked = ", ".join(f'"{name}"' for name in wanted)
    rows = connection.execute(f"SELECT {asked} FROM channels LIMIT {MOST_FINDINGS}")  # noqa: S608
    return columns, [dict(zip(wanted, row, strict=True)) for row in rows]


def _findings(row: dict[str, Any], table: dict[int, Channel], known: Names) -> Iterator[Finding]:
    text = _text(row, "key")
    if not text.lstrip().startswith(("[", "{")):
        keys = [line.strip() for line in text.split("\n") if line.strip()] or [""]
    else:
        # A service account in JSON: Google's, of which there is no one key.
        keys = [""]
    off = _off(_text(row, "channel_info"))
    for number, key in enumerate(keys):
        which = f", key {number + 1}" if len(keys) > 1 else ""
        yield _finding(row, f"channel {_number(row, 'id')}{which}", key, table, known, off=number in off)


def _finding(
    row: dict[str, Any], place: str, key: str, table: dict[int, Channel], known: Names, *, off: bool
) -> Finding:
    channel = table.get(_number(row, "type"))
    named = shown(row.get("name")) or place
    if channel is None:
        return Finding(place, named, why=f"its type {_number(row, 'type')} is of no provider that is known here")
    if off or _number(row, "status") != 1:
        return Finding(place, named, why="switched off there")
    own = names.ours(channel.provider, {}, known)
    base_url = _text(row, "base_url").strip() or channel.base_url
    version = _VERSION.fullmatch(_text(row, "other"))
    secret = held(key)
    return Finding(
        place,
        named,
        own,
        key=None if isinstance(secret, str) else secret,
        base_url=_CHAT.sub("", base_url) or None,
        root=names.root_of(own, channel.root),
        label=named,
        models=named_models(_text(row, "models").split(",")),
        fields={"api_version": version.group()} if version else {},
        why=secret if isinstance(secret, str) else None,
    )


def _off(text: str) -> set[int]:
    """The numbers of the keys that are switched off, or put aside by the program."""
    try:
        said: Any = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return set()
    states = mapping(mapping(said).get("multi_key_status_list"))
    return {int(number) for number, state in states.items() if re.fullmatch(r"\d{1,4}", number) and state != 1}


def _text(row: dict[str, Any], column: str) -> str:
    value = row.get(column)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def _number(row: dict[str, Any], column: str) -> int:
    value = row.get(column)
    return value if isinstance(value, int) else 0
