"""One connection, one exchange after another. Bytes are read by llhttp, in its strict mode."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future, Protocol, TimerHandle, Transport
from collections.abc import Callable
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from msgspec import Struct

from ownkey.talk.errors import NetworkError, OwnkeyError, ProviderTimeout, StreamCut, UnexpectedResponse
from ownkey.talk.origin import Origin
from ownkey.transport.answer import HIGH_WATER_BYTES, Received
from ownkey.transport.request import Deadlines, Written

Key = tuple[Origin, str]

# A connection that the other side had closed shows it within a round trip. Later it took the request and may bill it.
_STALE_S = 1.0
_INFORMATIONAL = 16
_NEVER = float("inf")


class Limits(Struct, frozen=True):
    """`idle_s`: how long an unused connection is kept, less where the provider says so. Sizes are of one answer."""

    idle_s: float = 50.0
    idle_per_key: int = 128
    idle_in_all: int = 1024
    head_bytes: int = 64 * 1024
    headers: int = 100
    body_bytes: int = 256 * 1024 * 1024


class Connection(Protocol):
    """Owned by one exchange, or by the pool; `done` gives it back, `gone` is told when it is closed."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        key: Key,
        limits: Limits,
        done: Callable[[Connection], None],
        gone: Callable[[Connection], None],
    ) -> None:
        self.key = key
        self.closed: Future[None] = loop.create_future()
        self.idle_s = limits.idle_s
        self.idle_until = 0.0
        self._loop = loop
        self._limits = limits
        self._done = done
        self._gone = gone
        self._transport: Transport | None = None
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._answer: Received | None = None
        self._deadlines: Deadlines
        self._timer: TimerHandle | None = None
        self._timer_at = _NEVER
        self._waiting_from: float
        self._interim: bool
        self._asked_at = 0.0
        self._served = 0
        self._paused = False
        self._saw_eof = False
        self._start_message()

    def _start_message(self) -> None:
        self._complete = False
        self._keep = False
        self._heard = False
        self._interims = 0
        self._head_bytes = 0
        self._header_count = 0
        self._body_bytes = 0
        self._bodiless_bytes = 0

    # What its owner does.

    @property
    def alive(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def ask(self, request: Written, deadlines: Deadlines, now: float) -> Received:
        """Sends `request`. `now` is the loop's time."""
        transport = self._transport
        answer = self._answer = Received(self)
        self._deadlines = deadlines
        self._asked_at = now
        self._start_message()
        self._watch(now + min(deadlines.headers_s, deadlines.total_s))
        if transport is None or transport.is_closing():
            self.fail(NetworkError(f"The connection to {self.key[0].host} is closed."))
        else:
            transport.write(request.raw)
        return answer

    def expect_bytes(self) -> None:
        """Somebody waits for more of the body."""
        now = self._waiting_from = self._loop.time()
        self._watch(min(now + self._deadlines.idle_s, self._asked_at + self._deadlines.total_s))

    def resume(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def fail(self, error: OwnkeyError) -> None:
        """Ends the exchange with `error`, and the connection with it."""
        answer, self._answer = self._answer, None
        self.abort()
        if answer is not None:
            answer.fail(error)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # What the loop calls.

    def connection_made(self, transport: object) -> None:
        self._transport = cast("Transport", transport)

    def data_received(self, data: bytes) -> None:
        answer, parser = self._answer, self._parser
        if answer is None or parser is None:
            self.abort()
            return
        self._heard = True
        self._bodiless_bytes += len(data)
        try:
            parser.feed_data(data)
        except HttpParserUpgrade:
            self._fail_reading("it switches to another protocol")
            return
        except HttpParserError as error:
            if not self._complete:
                reason = error.__context__
                self._fail_reading(reason.why if isinstance(reason, _Refused) else "it is not HTTP/1.1")
                return
            self._keep = False
        if self._complete:
            self._finish(answer)
        elif self._bodiless_bytes > self._limits.head_bytes:
            self._fail_reading("its headers are too large")
        else:
            if answer.unread_bytes > HIGH_WATER_BYTES and not self._paused and self._transport is not None:
                self._paused = True
                self._transport.pause_reading()
            if answer.status:
                answer.wake()

    def eof_received(self) -> None:
        self._saw_eof = True

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._parser = self._timer = None
        if not self.closed.done():
            self.closed.set_result(None)
        answer, self._answer = self._answer, None
        if answer is not None:
            self._lose(answer, clean=self._saw_eof and exc is None)
        self._gone(self)

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._complete:
            raise _Refused("more follows after its end")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        self._head_bytes += len(name) + len(value)
        if self._header_count > self._limits.headers or self._head_bytes > self._limits.head_bytes:
            raise _Refused("its headers are too many or too large")
        answer = self._answer
        if answer is None or answer.status:
            return
        name = name.lower()
        headers = answer.headers
        if name not in headers:
            headers[name] = value
        elif name != b"set-cookie":
            headers[name] = headers[name] + b", " + value

    def on_headers_complete(self) -> None:
        answer, parser = self._answer, self._parser
        if answer is None or parser is None:
            return
        status = parser.get_status_code()
        self._interim = 100 <= status < 200
        if self._interim:
            self._interims += 1
            answer.headers.clear()
            if self._interims > _INFORMATIONAL or status == 101:
                raise _Refused("it goes on announcing an answer")
            return
        headers = answer.headers
        if not 200 <= status <= 599:
            raise _Refused("its status is not one of HTTP")
        if headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
            raise _Refused("it is compressed, which was not asked for")
        if headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            raise _Refused("its transfer encoding is not `chunked`")
        if b"keep-alive" in headers:
            self._obey_keep_alive(headers[b"keep-alive"])
        answer.status = status

    def on_body(self, body: bytes) -> None:
        answer = self._answer
        if answer is None:
            return
        self._bodiless_bytes = 0
        self._body_bytes += len(body)
        if self._body_bytes > self._limits.body_bytes:
            raise _Refused("it is too large")
        answer.add(body)

    def on_message_complete(self) -> None:
        if not self._interim and self._parser is not None:
            self._complete = True
            self._keep = self._parser.should_keep_alive()

    # The rest is its own.

    def _obey_keep_alive(self, value: bytes) -> None:
        """`timeout=5` (RFC 2068 section 19.7.1.1): a second less, for a request that is under way."""
        for item in value.split(b","):
            name, _, number = item.strip().partition(b"=")
            if name.lower() == b"timeout" and number.isdigit() and len(number) < 10:
                self.idle_s = min(self._limits.idle_s, int(number) - 1.0)

    def _finish(self, answer: Received) -> None:
        self._answer = None
        self._served += 1
        transport = self._transport
        if self._keep and transport is not None and not transport.get_write_buffer_size() and self.idle_s > 0:
            self.resume()
            self._done(self)
        else:
            self.abort()
        answer.end()

    def _fail_reading(self, why: str) -> None:
        status = self._answer.status or None if self._answer is not None else None
        self.fail(UnexpectedResponse(f"The answer of {self.key[0].host} cannot be read: {why}.", status=status))

    def _lose(self, answer: Received, *, clean: bool) -> None:
        host = self.key[0].host
        taken = self._loop.time() - self._asked_at >= _STALE_S
        if not answer.status:
            answer.stale = bool(self._served) and not self._heard and not taken
            why = f"{host} closed the connection before it answered."
            answer.fail(NetworkError(why, "Try again in a moment.", perhaps_billed=taken))
        elif clean and not answer.headers.keys() & {b"content-length", b"transfer-encoding"}:
            answer.end()
        else:
            why = f"{host} closed the connection before its answer was whole."
            answer.fail(StreamCut(why, status=answer.status, perhaps_billed=taken and answer.status < 300))

    def _watch(self, due: float) -> None:
        """One timer serves all deadlines: set anew only for an earlier one, it looks what is due when it fires."""
        if due < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = due
            self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._timer, self._timer_at = None, _NEVER
        answer = self._answer
        if answer is None:
            return
        limits = self._deadlines
        due, phase = self._asked_at + limits.total_s, f"in all, {limits.total_s:g} s"
        if not answer.status and self._asked_at + limits.headers_s < due:
            due, phase = self._asked_at + limits.headers_s, f"to the first byte, {limits.headers_s:g} s"
        elif answer.status and answer.awaited and self._waiting_from + limits.idle_s < due:
            due, phase = self._waiting_from + limits.idle_s, f"between bytes, {limits.idle_s:g} s"
        if self._loop.time() < due - 0.001:
            self._watch(due)
        else:
            self.fail(too_slow(self.key[0], phase, answer.status or None, asked=True))


class _Refused(Exception):
    """Raised through the parser, which then stops."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def too_slow(origin: Origin, phase: str, status: int | None = None, *, asked: bool = False) -> ProviderTimeout:
    """`asked`: the request is out. Only an answer that refuses it says that it is not billed."""
    return ProviderTimeout(
        f"{origin.host} took too long: {phase}.",
        "Try again, or raise the time limit in the settings.",
        status=status,
        perhaps_billed=asked and (status is None or status < 300),
    )
