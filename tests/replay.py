"""Recorded answers served on a real port, cut in pieces as a network might cut them.

The first part of the path chooses: `/r/ID/…` cuts at random places, always the same; `/r/ID@7/…` at other random
places; `/r/ID@every/…` makes each byte a chunk; `/r/ID@whole/…` does not cut; `/r/ID@at120/…` cuts once, after 120
bytes, and pauses there, so that the two parts are read apart. `/r/ID@single/…` writes every byte that goes over the
connection by itself. `/r/ID@ends120/…` ends the body as HTTP wants it, 120 bytes in; `/r/ID@gone120/…` closes the
connection there. What follows does not matter.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from typing import Protocol
from urllib.parse import unquote

from ownkey.simulate.faults import HEALTHY
from ownkey.simulate.script import End, Step
from ownkey.simulate.server import Seen, Server

_PATH = re.compile(r"/r/([^/@]+)(?:@(every|whole|single|at(\d+)|ends(\d+)|gone(\d+)|\d+))?(?:/|$)")
_FRAMING = {"content-length", "transfer-encoding", "content-encoding", "connection", "keep-alive", "date"}
_PAUSE_S = 0.002
# Too short to wait for, and long enough for the other side to read.
_TURN_S = 1e-9


class Recorded(Protocol):
    """What is needed of a record."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def streaming(self) -> bool: ...
    @property
    def response_headers(self) -> Mapping[str, str]: ...
    @property
    def response_body(self) -> bytes: ...


class Replay(Server):
    """A running server of records. `base(record, cut)` is the URL to give a client."""

    def __init__(self, records: Iterable[Recorded]) -> None:
        super().__init__(HEALTHY, keys=False, log_limit=1000)
        self._records = {record.id: record for record in records}

    def base(self, record: Recorded, cut: str = "") -> str:
        return f"{self.url}/r/{record.id}{'@' + cut if cut else ''}"

    def steps(self, seen: Seen) -> bytes | tuple[Step, ...]:
        found = _PATH.match(unquote(seen.path))
        record = self._records.get(found[1]) if found else None
        if found is None or record is None:
            return b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
        head, body = _head(record), record.response_body
        if found[2] in ("every", "whole"):
            size = 1 if found[2] == "every" else max(1, len(body))
            return head + b"".join(_chunk(body[at : at + size]) for at in range(0, len(body), size)) + _LAST
        if found[2] == "single":
            sent = head + _chunk(body) + _LAST if body else head + _LAST
            return _apart(sent[at : at + 1] for at in range(len(sent)))
        if found[4] or found[5]:
            part = body[: int(found[4] or found[5])]
            return (head + (_chunk(part) if part else b""), _LAST if found[4] else End.CLOSE)
        if found[3]:
            at = int(found[3])
            parts = [_chunk(part) for part in (body[:at], body[at:]) if part]
            return (head + parts[0], _PAUSE_S, *parts[1:], _LAST) if parts else head + _LAST
        return (head, *_apart(_chunk(piece) for piece in _pieces(body, f"{found[1]}@{found[2]}")), _LAST)


async def replay(records: Iterable[Recorded]) -> Replay:
    """Serves them on a free port; `aclose()` ends it."""
    server = Replay(records)
    await server.listen("127.0.0.1", 0)
    return server


_LAST = b"0\r\n\r\n"


def _head(record: Recorded) -> bytes:
    kind = "text/event-stream" if record.streaming else "application/json"
    headers = {"content-type": kind} | {name.lower(): value for name, value in record.response_headers.items()}
    lines = [f"{name}: {value}" for name, value in headers.items() if name not in _FRAMING and value.isprintable()]
    status = f"HTTP/1.1 {record.status} Recorded"
    return "\r\n".join([status, *lines, "transfer-encoding: chunked"]).encode() + b"\r\n\r\n"


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def _apart(pieces: Iterable[bytes]) -> tuple[Step, ...]:
    """Each piece is read before the next is written."""
    return tuple(step for piece in pieces for step in (piece, _TURN_S))


def _pieces(body: bytes, seed: str) -> list[bytes]:
    """Between one and forty pieces."""
    chance = random.Random(seed)
    places = sorted(chance.randrange(1, len(body)) for _ in range(chance.randrange(40))) if len(body) > 1 else []
    ends = zip([0, *places], [*places, len(body)], strict=True)
    return [body[start:end] for start, end in ends if end > start]
