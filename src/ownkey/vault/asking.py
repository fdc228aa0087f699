"""Questions to a server over HTTP for code that has no event loop, or must not wait on the one that it is on."""

from __future__ import annotations

import asyncio
import ssl
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Lock, Thread
from typing import TypeVar

from ownkey.talk.errors import BadConfiguration, OwnkeyError, VaultSealed
from ownkey.talk.origin import Origin
from ownkey.transport import Deadlines, KeyHeader, Outgoing, Transport
from ownkey.transport.tls import make_context

T = TypeVar("T")

DEADLINE_S = 4.0
MOST_BYTES = 65_536

_DEADLINES = Deadlines(connect_s=2.0, headers_s=DEADLINE_S, idle_s=DEADLINE_S, total_s=DEADLINE_S)


class Asking:
    """One server, by the project's own transport on a thread of its own. Safe to use from many threads."""

    def __init__(self, origin: Origin, ca_file: Path | None = None) -> None:
        self._origin = origin
        self._ca_file = ca_file
        self._starting = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._transport: Transport | None = None

    def post(
        self, target: bytes, headers: tuple[tuple[bytes, bytes], ...], body: bytes, key: KeyHeader
    ) -> tuple[int, bytes]:
        """Status and body. Raises VaultSealed where that takes more than 4 s, 64 KiB or a whole connection."""
        out = Outgoing(b"POST", self._origin, target, (*headers, *_HEADERS), body, "transit", key)

        async def ask(transport: Transport) -> tuple[int, bytes]:
            async with asyncio.timeout(DEADLINE_S):
                answer = await transport.send(out, _DEADLINES)
                return answer.status, await answer.read(MOST_BYTES)

        try:
            return self._run(ask)
        except BadConfiguration:
            raise
        except (OwnkeyError, TimeoutError) as wrong:
            why = wrong.message if isinstance(wrong, OwnkeyError) else f"It took more than {DEADLINE_S:g} s."
            raise VaultSealed(f"The transit server that keeps the root key does not answer: {why}", _HINT) from None

    def _run(self, work: Callable[[Transport], Awaitable[T]]) -> T:
        loop, transport = self._started()
        answer: Future[T] = Future()

        async def run() -> None:
            try:
                answer.set_result(await work(transport))
            except BaseException as wrong:  # noqa: BLE001  it is raised again where it was asked
                answer.set_exception(wrong)

        asyncio.run_coroutine_threadsafe(run(), loop)
        return answer.result(DEADLINE_S + 1)

    def _started(self) -> tuple[asyncio.AbstractEventLoop, Transport]:
        with self._starting:
            if self._loop is None or self._transport is None:
                self._transport = Transport(
                    allow_private={(self._origin.host, self._origin.port)}, ssl_context=self._context()
                )
                self._loop = asyncio.new_event_loop()
                Thread(target=_serve, args=(self._loop, self._transport), name="transit", daemon=True).start()
                weakref.finalize(self, self._loop.call_soon_threadsafe, self._loop.stop)
            return self._loop, self._transport

    def _context(self) -> ssl.SSLContext | None:
        if self._ca_file is None:
            return None
        context = make_context()
        try:
            context.load_verify_locations(self._ca_file)
        except OSError:
            raise BadConfiguration(f"{self._ca_file} holds no certificates in PEM.") from None
        return context


def _serve(loop: asyncio.AbstractEventLoop, transport: Transport) -> None:
    loop.run_forever()
    loop.run_until_complete(transport.aclose())
    loop.close()


_HEADERS = ((b"content-type", b"application/json"), (b"user-agent", b"ownkey"))
_HINT = "Look at OWNKEY_TRANSIT_URL and at that server."
