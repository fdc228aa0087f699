"""The server itself."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, cast

import uvicorn
from uvicorn.server import ServerState

from ownkey.app.alerting import AlertBox
from ownkey.app.batches.worker import Worker
from ownkey.app.budgets import BudgetBook
from ownkey.app.house import House
from ownkey.app.limits import LimitBook
from ownkey.app.ownkey import OWNER
from ownkey.app.probing import Prober
from ownkey.server.connection import Connection
from ownkey.server.pages import SIGN_IN, address
from ownkey.server.problems import status_of
from ownkey.server.refusal import Limits
from ownkey.server.site import Site
from ownkey.settings import Settings
from ownkey.talk.errors import BadConfiguration, OwnkeyError
from ownkey.vault.memory import keep_private

_log = logging.getLogger("ownkey")

DRAIN_S = 10
BACKLOG = 2048

_FILES = 16_384
_FILES_OF_OUR_OWN = 192
"""The database, the log, connections to providers that are kept, and those who are told that there is no room."""

BESIDE_S = 2
"""That what runs beside the server is waited for when it stops."""


def run(
    settings: Settings,
    *,
    announce: Callable[[str], None],
    command: str = "ownkey",
    reload: Callable[[], Settings] | None = None,
    links: bool = False,
    show: Callable[[str], None] | None = None,
    or_any_port: bool = False,
    until: Callable[[], object] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; open answers have ten seconds to end. Raises BadConfiguration at a taken port.

    `command` is how `ownkey` is called in the shell that reads what is announced. `reload` reads the settings anew, at
    SIGHUP. Where the owner is signed in nowhere, `links` has what is announced sign them in, and `show` is given such
    an address of the page; otherwise a plain one. With `or_any_port` a free port is taken instead of one that is not.
    `until` waits, on a thread, for another reason to stop.
    """
    _check_reach(settings)
    listener = _listen(settings.host, settings.port, or_any_port=or_any_port)
    keep_private()
    _log.setLevel(settings.log_level.upper())
    house = _opened(settings)
    unwatch = house.vault.latch.watch()
    _spare_the_collector()
    site = Site(house)
    config = uvicorn.Config(
        _no_asgi,
        http=_protocol(site, Limits(connections=_room_for_connections())),
        loop="auto",
        lifespan="off",
        interface="asgi3",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=DRAIN_S,
    )
    worker = Worker(house, status_of, settings.batch_parallel)
    server = _Server(config, worker, AlertBox(house, OWNER).run, Prober(house).run)
    _stop_quietly(server)
    _heed_hangups(server, lambda: _reload(house, reload))
    if until is not None:
        _stop_after(until, server)
    with contextlib.closing(listener):
        port = listener.getsockname()[1]
        link = site.doors.sign_in.first_link() if links or show is not None else None
        page = address(settings, port, link)
        announce(_welcome(settings.host, port, command, page if links else address(settings, port)))
        if show is not None:
            show(page)
        try:
            server.run(sockets=[listener])
        finally:
            unwatch()
            house.close()


class _Server(uvicorn.Server):
    """With what runs beside it, on its event loop, for as long as it serves."""

    def __init__(
        self, config: uvicorn.Config, worker: Worker, *beside: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        super().__init__(config)
        self._beside = beside
        self._worker = worker
        self._stops_at_s = 0.0
        self.hung_up: Callable[[], None] | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        if self.hung_up is not None and sys.platform != "win32":
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.hung_up)
        beside = [asyncio.create_task(one()) for one in self._beside]
        working = asyncio.create_task(self._worker.run())
        try:
            await super().serve(sockets)
        finally:
            for one in beside:
                one.cancel()
            self._worker.stop()
            await asyncio.wait(beside, timeout=BESIDE_S)
            await asyncio.wait([working], timeout=max(0.0, self._stops_at_s - time.monotonic()))
            working.cancel()
            await asyncio.wait([working], timeout=BESIDE_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Lines of batches have as long to end as open answers."""
        self._stops_at_s = time.monotonic() + DRAIN_S
        self._worker.stop()
        await super().shutdown(sockets)


def _room_for_connections() -> int:
    """As many as this process may have open files, of which a request takes two: its client's and its provider's."""
    if sys.platform == "win32":
        return Limits().connections
    import resource  # absent on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    files = _FILES if soft == resource.RLIM_INFINITY else min(soft, _FILES)
    return max(1, (files - _FILES_OF_OUR_OWN) // 2)


def _protocol(site: Site, limits: Limits) -> type[asyncio.Protocol]:
    """uvicorn makes its connections by this, in place of those of its own that speak ASGI."""

    def make(server_state: ServerState, _loop: asyncio.AbstractEventLoop | None, **_: object) -> asyncio.Protocol:
        return Connection(site, server_state, _loop or asyncio.get_running_loop(), limits)

    return cast("type[asyncio.Protocol]", make)


async def _no_asgi(scope: object, receive: object, send: object) -> None:
    """uvicorn wants an application; no connection of ours asks it anything."""


def _spare_the_collector() -> None:
    """What is there by now stays: it is not looked at again, and what comes is looked at less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _stop_quietly(server: uvicorn.Server) -> None:
    """uvicorn raises a signal again once it has stopped for it, and Python's own handlers would make that a failure.

    One that comes before it has started is noted: an exception raised here may be lost where no frame of ours stands.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)


def _stop_after(until: Callable[[], object], server: uvicorn.Server) -> None:
    def wait() -> None:
        until()
        server.should_exit = True

    threading.Thread(target=wait, name="until", daemon=True).start()


def _heed_hangups(server: _Server, reload: Callable[[], None]) -> None:
    """At SIGHUP it takes over its configuration; it stops where that came because its terminal is gone. Where whoever
    started it said that hangups are ignored, as nohup(1) does, they are."""
    if sys.platform == "win32" or signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        return
    in_terminal = _has_terminal()

    def hung_up() -> None:
        if in_terminal and not _has_terminal():
            server.should_exit = True
        else:
            reload()

    # Until its event loop runs.
    signal.signal(signal.SIGHUP, lambda number, frame: hung_up())
    server.hung_up = hung_up


def _has_terminal() -> bool:
    try:
        return os.isatty(0)
    except OSError:
        return False


def _reload(house: House, load: Callable[[], Settings] | None) -> None:
    """Take over what the settings and the providers' files say now. Where they are wrong everything stays as it is."""
    if load is None:
        return
    try:
        waiting = house.settle(load())
    except OwnkeyError as error:
        _log.error("The configuration was not taken over, what was before holds: %s", error)
        return
    _log.setLevel(house.settings.log_level.upper())
    for problem in house.catalogue.problems:
        _log.error("%s", problem)
    if waiting:
        _log.warning("These settings take effect at the next start: %s.", ", ".join(waiting))


def _listen(host: str, port: int, *, or_any_port: bool) -> socket.socket:
    try:
        return socket.create_server((host, port), family=_family(host), backlog=BACKLOG)
    except OSError as error:
        if or_any_port and port and error.errno == errno.EADDRINUSE:
            return _listen(host, 0, or_any_port=False)
        raise BadConfiguration(
            f"Nothing can listen at {host}:{port}: {os.strerror(error.errno or 0)}.",
            "Choose another with --port or --host.",
        ) from None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _opened(settings: Settings) -> House:
    house = House(settings)
    house.open()
    BudgetBook(house, OWNER).name_anew()
    LimitBook(house, OWNER).name_anew()
    return house


def _check_reach(settings: Settings) -> None:
    """Whoever listens in between would have tokens and cookies: other machines come by TLS, or not at all."""
    if settings.public_url is None and settings.host not in ("127.0.0.1", "::1", "localhost"):
        raise BadConfiguration(
            f"At {settings.host} other machines would be listened to, and nothing ends TLS there.",
            "Say under which https:// address they find this Ownkey: OWNKEY_PUBLIC_URL.",
            param="public_url",
        )


def _welcome(host: str, port: int, command: str, page: str) -> str:
    base = f"http://{_bracketed(host)}:{port}/v1"
    opens = (
        "; this signs you in, once and within 15 minutes"
        if SIGN_IN in page
        else f" (`{command} users sign-in` signs in)"
    )
    return f"""Ownkey answers at {base}

Open its page in a browser{opens}:
  {page}

Try it now, with no key: the demo answers.
  curl {base}/chat/completions -H 'Content-Type: application/json' \\
    -d '{{"model": "demo", "messages": [{{"role": "user", "content": "Hello"}}]}}'

Then, in another terminal:
  {command} keys set openai        store a provider's key
  {command} tokens create laptop   make a token for your programs
"""
