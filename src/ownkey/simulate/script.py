"""What a fault makes of an answer: the steps by which a connection plays it."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from http import HTTPStatus

import msgspec
from msgspec.structs import replace

from ownkey.simulate.answers import Answer, Headers, Request, answer, failed, failing_event
from ownkey.simulate.failing import Failure
from ownkey.simulate.faults import Fault

_HTML = b"<!doctype html><html><head><title>Welcome</title></head><body><h1>It works</h1></body></html>"
_BODILESS = (204, 304)
_LABEL = (b"x-simulated-by", b"ownkey")
_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}


class End(Enum):
    """How a connection stops where its answer does not."""

    CLOSE = "close"
    RESET = "reset"
    SILENCE = "silence"


Step = bytes | float | End
"""Bytes to send, seconds to wait, or an end."""


def plain(told: Answer) -> bytes:
    """A healthy answer in one piece: its chunks are there, but nothing is between them."""
    if told.streamed:
        return b"".join((_head(told, b"chunked"), *map(_chunk, told.pieces), b"0\r\n\r\n"))
    return _head(told, b"length") + b"".join(told.pieces)


def script(
    request: Request, fault: Fault, *, keys: bool = True, healthy: Callable[[], Answer] | None = None
) -> tuple[Step, ...]:
    """The steps of the answer to `request` with that fault. `healthy`: what is answered where it is not in the way."""
    if fault.reset:
        return (fault.delay, End.RESET)
    if fault.silence:
        return (End.SILENCE,)
    told = _shaped(_told(request, fault, keys, healthy), fault)
    framing = b"close" if fault.close_delimited else b"chunked" if told.streamed else b"length"
    steps: list[Step] = [fault.delay]
    begin: list[Step] = [_head(told, framing), fault.first_token]
    steps += begin if told.streamed else reversed(begin)
    if told.status not in _BODILESS:
        steps += _body(request, told, fault, framing)
    return (*steps, End.CLOSE) if framing == b"close" else tuple(steps)


def _told(request: Request, fault: Fault, keys: bool, healthy: Callable[[], Answer] | None) -> Answer:
    if fault.html:
        return Answer(fault.status or 200, ((b"content-type", b"text/html; charset=utf-8"),), (_HTML,))
    if fault.echo_key:
        message = f"Incorrect API key provided: {_key(request).decode('latin-1')}."
        reason = fault.reason or (None if fault.status else "key")
        return failed(request, Failure(reason, fault.status, message))
    if fault.status or fault.reason:
        return failed(request, Failure(fault.reason, fault.status, retry_after=fault.retry_after))
    told = answer(request, usage=fault.usage, keys=keys) if healthy is None else healthy()
    if fault.error is not None and not told.streamed and told.status < 400:
        return replace(failed(request, Failure("server")), status=200)
    return told


def _shaped(told: Answer, fault: Fault) -> Answer:
    """The answer with the pieces, the headers and the encoding that the fault gives it."""
    pieces = list(told.pieces[:-1] if fault.no_done and told.streamed else told.pieces)
    if fault.malformed is not None and told.status < 400:
        place = min(fault.malformed, len(pieces) - 1)
        pieces[place] = _broken(pieces[place])
    added: Headers = ()
    if fault.retry_after is not None:
        added += ((b"retry-after", fault.retry_after.encode()),)
    if fault.location is not None:
        added += ((b"location", fault.location.encode()),)
    if fault.gzip or fault.bomb:
        added += ((b"content-encoding", b"gzip"),)
        pieces = [_bomb(fault.bomb) if fault.bomb else gzip.compress(b"".join(pieces), mtime=0)]
    return replace(told, headers=told.headers + added, pieces=tuple(pieces))


def _body(request: Request, told: Answer, fault: Fault, framing: bytes) -> list[Step]:
    """The pieces, as far as they go, and how they end."""
    at = next((at for at in (fault.cut, fault.end, fault.stall, fault.error) if at is not None), None)
    if not told.streamed:
        return _whole(told.pieces[0], fault)
    frame = _chunk if framing == b"chunked" else bytes
    wait = fault.chunk_delay or 0.0
    steps: list[Step] = [step for piece in told.pieces[:at] for step in (frame(piece), wait)]
    if fault.error is not None and at == fault.error:
        steps.append(frame(failing_event(request, Failure("overloaded"))))
    if fault.stall is not None:
        return [*steps, End.SILENCE]
    if fault.cut is not None:
        return [*steps, End.RESET if fault.rst else End.CLOSE]
    return [*steps, b"0\r\n\r\n"] if framing == b"chunked" else steps


def _whole(body: bytes, fault: Fault) -> list[Step]:
    """A body that was announced whole: cut or stalled in its middle, or all of it."""
    half = body[: len(body) // 2]
    if fault.stall is not None:
        return [half, End.SILENCE]
    if fault.cut is not None or fault.end is not None:
        return [half, End.RESET if fault.rst else End.CLOSE]
    return [body]


def _head(told: Answer, framing: bytes) -> bytes:
    lines = [b"HTTP/1.1 %d %b" % (told.status, _PHRASES.get(told.status, b"Unknown"))]
    lines += [b"%b: %b" % header for header in (*told.headers, _LABEL)]
    if framing == b"chunked":
        lines.append(b"transfer-encoding: chunked")
    elif framing == b"close":
        lines.append(b"connection: close")
    elif told.status not in _BODILESS:
        lines.append(b"content-length: %d" % sum(map(len, told.pieces)))
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def _broken(piece: bytes) -> bytes:
    """The first half of an event, ended as an event ends."""
    blank = b"\r\n\r\n" if piece.endswith(b"\r\n\r\n") else b"\n\n" if piece.endswith(b"\n\n") else b""
    return piece[: len(piece) // 2] + blank


@lru_cache(4)
def _bomb(mebibytes: int) -> bytes:
    packer = zlib.compressobj(1, wbits=31)
    blanks = b" " * (1 << 20)
    return b"".join(packer.compress(blanks) for _ in range(mebibytes)) + packer.flush()


def _key(request: Request) -> bytes:
    names = (b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key")
    key = next((request.headers[name] for name in names if name in request.headers), b"")
    return key.removeprefix(b"Bearer ")


def unreadable(message: str) -> bytes:
    """Said to a request that asks for a fault which is none."""
    body = msgspec.json.encode({"error": {"message": message, "type": "simulator", "param": None, "code": None}})
    return plain(Answer(400, ((b"content-type", b"application/json"),), (body,)))
