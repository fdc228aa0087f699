"""The audit trail outside of the database: a file of JSON lines, the system's log, and an anchor in the data folder.

Each follows the database: what it does not have yet is written by whoever comes next, in the trail's order. So one that
could not be written for a while lags, and then has everything.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from logging.handlers import SysLogHandler
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from ownkey.store.audit_chain import Head, Row

_LONGEST = 1 << 16
_PLACE = 512


class Line(Struct, frozen=True, omit_defaults=True):
    """A record in the file. `seq` is 0 where the database could not take it."""

    seq: int
    at_ms: int
    actor_kind: str
    actor: str
    action: str
    target_kind: str
    target: str
    outcome: str
    request_id: str | None
    detail: msgspec.Raw
    previous: str
    hash: str

    @classmethod
    def of(cls, row: Row) -> Line:
        values = structs.asdict(row)
        values |= {"detail": msgspec.Raw(row.detail.encode()), "previous": row.previous.hex(), "hash": row.hash.hex()}
        return cls(**values)

    def row(self) -> Row:
        """Raises ValueError where a hash is none."""
        values: dict[str, Any] = {name: getattr(self, name) for name in self.__struct_fields__}
        values["detail"] = bytes(self.detail).decode()
        values |= {"previous": bytes.fromhex(self.previous), "hash": bytes.fromhex(self.hash)}
        return Row(**values)


_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Line).decode


class TrailFile:
    """A file that is only added to, for its owner's eyes. Raises OSError where it cannot be written.

    Callers see to it that one process writes at a time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: tuple[os.stat_result, int] | None = None

    def follow(self, after: Callable[[int], Iterable[Row]]) -> None:
        """Add what comes after the last record that is there."""
        descriptor = _private(self.path)
        try:
            last = self._last(descriptor)
            for row in after(last):
                _write(descriptor, _encode(Line.of(row)) + b"\n")
                last = row.seq
            os.fsync(descriptor)
            self._known = os.fstat(descriptor), last
        finally:
            os.close(descriptor)

    def spare(self, row: Row) -> None:
        """Add a record that the database did not take."""
        descriptor = _private(self.path)
        try:
            self._last(descriptor)
            _write(descriptor, _encode(Line.of(row)) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def lines(self) -> Iterator[Row | None]:
        """The record on each line, or None for one that holds none; nothing where there is no file."""
        with suppress(FileNotFoundError), self.path.open("rb") as file:
            for line in file:
                try:
                    yield _decode(line).row()
                except (msgspec.DecodeError, ValueError):
                    yield None

    def _last(self, descriptor: int) -> int:
        """The last record's number. A line that was cut in writing is ended, so that the next stands by itself."""
        state = os.fstat(descriptor)
        if self._known is not None and _same(self._known[0], state):
            return self._known[1]
        start, tail = state.st_size, b""
        while start > 0:
            size = min(start, _LONGEST)
            start -= size
            os.lseek(descriptor, start, os.SEEK_SET)
            tail = os.read(descriptor, size) + tail
            for line in reversed(tail.split(b"\n")[0 if start == 0 else 1 :]):
                with suppress(msgspec.DecodeError):
                    if line and (seq := _decode(line).seq):
                        _end_line(descriptor, tail)
                        return seq
        _end_line(descriptor, tail)
        return 0


class Anchor(Struct, frozen=True):
    """A head that was there once, as the data folder remembers it."""

    count: int
    hash: str
    kek_id: str
    seal: str

    @property
    def head(self) -> Head:
        return Head(self.count, bytes.fromhex(self.hash), bytes.fromhex(self.kek_id), bytes.fromhex(self.seal))


class AnchorFile:
    """Two places of one size, written in turn: a write that is cut off leaves the other. Nobody waits for the disk:
    what is remembered after a loss of power may be an earlier head, which is true as well."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Head | None:
        """The latest that is remembered; None where there is none. Raises ValueError where nothing there is one."""
        places = self._places()
        if places is None:
            return None
        found = [head for head in places if head is not None]
        if not found:
            raise ValueError("this is no anchor")
        return max(found, key=lambda head: head.count)

    def write(self, head: Head) -> None:
        """Raises OSError."""
        first, second = self._places() or (None, None)
        place = 0 if first is None or (second is not None and first.count < second.count) else 1
        told = Anchor(head.count, head.hash.hex(), head.kek_id.hex(), head.seal.hex())
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(self.path, flags, 0o600)
        try:
            os.lseek(descriptor, place * _PLACE, os.SEEK_SET)
            _write(descriptor, _encode(told).ljust(_PLACE - 1) + b"\n")
        finally:
            os.close(descriptor)

    def _places(self) -> tuple[Head | None, Head | None] | None:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        if not data.strip(b"\0"):
            return None  # the power failed before what was written got there
        return _anchored(data[:_PLACE]), _anchored(data[_PLACE : 2 * _PLACE])


def _anchored(data: bytes) -> Head | None:
    try:
        return msgspec.json.decode(data, type=Anchor).head
    except (msgspec.DecodeError, ValueError):
        return None


MARK = b"ownkey-audit: "
"""What stands before a record in the system's log."""


def logged(path: Path) -> Iterator[Row]:
    """The records in a file that the system's log, or an export, has written; other lines are passed over.

    Raises OSError.
    """
    with path.open("rb") as file:
        for line in file:
            with suppress(msgspec.DecodeError, ValueError):
                yield _decode(line.rpartition(MARK)[2].rstrip(b"\0\r\n")).row()


class SystemLog:
    """The system's log at a local socket such as /dev/log. What it does not take is not told again."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._handler: _Handler | None = None

    def tell(self, rows: Iterable[Row]) -> None:
        """Raises OSError where nobody listens there."""
        handler = self._handler = self._handler or _Handler(self._path, SysLogHandler.LOG_AUTH)
        for row in rows:
            said = MARK.decode() + _encode(Line.of(row)).decode()
            handler.emit(logging.LogRecord("ownkey", logging.INFO, "", 0, said, None, None))

    def close(self) -> None:
        if self._handler is not None:
            self._handler.close()


def _private(path: Path) -> int:
    """Raises OSError for a link, or a file that others may change."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, flags, 0o600)
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode) or (os.name == "posix" and state.st_mode & 0o022):
        os.close(descriptor)
        raise PermissionError(f"{path.name} can be changed by others")
    return descriptor


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_ino, one.st_dev, one.st_size) == (other.st_ino, other.st_dev, other.st_size)


def _end_line(descriptor: int, tail: bytes) -> None:
    if tail and not tail.endswith(b"\n"):
        _write(descriptor, b"\n")


def _write(descriptor: int, data: bytes) -> None:
    """All of it, or an error: a disk that is full takes a part."""
    while data:
        data = data[os.write(descriptor, data) :]


class _Handler(SysLogHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        raise  # noqa: PLE0704  called where the error is being handled
