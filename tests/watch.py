"""Which sockets this process opens: every attempt to connect is noted, and none leaves this machine.

with watching(leads_to) as watch:
    ...watch.port, watch.connects, watch.asked
"""

from __future__ import annotations

import errno
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from unittest.mock import patch

_active: list[Watch] = []
_hooked: list[bool] = []


@dataclass
class Watch:
    """`connects` are those that were tried, as (address, port); `asked` the names that were looked up.

    At `port` of 127.0.0.1 and ::1 something listens: it counts in `accepted`, and hangs up.
    """

    port: int
    connects: list[tuple[str, int]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _active and isinstance(arguments[1], tuple):
        address, port = arguments[1][:2]
        _active[-1].connects.append((address, port))
        if not ip_address(address.partition("%")[0]).is_loopback:
            raise OSError(errno.ECONNREFUSED, "not from a test")


@contextmanager
def watching(leads_to: Callable[[str], Sequence[str]]) -> Iterator[Watch]:
    """`leads_to` takes the place of the system's resolver."""
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked.append(True)
    four, six = _listeners()
    watch = Watch(four.getsockname()[1])
    threads = [threading.Thread(target=_count, args=(one, watch), daemon=True) for one in (four, six)]

    def resolve(host: str | bytes, port: int, *_: Any, **__: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else host
        watch.asked.append(name)
        addresses = leads_to(name)
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in addresses
        ]

    for thread in threads:
        thread.start()
    _active.append(watch)
    try:
        with patch.object(socket, "getaddrinfo", resolve):
            yield watch
    finally:
        _active.remove(watch)
        for one in (four, six):
            one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in threads:
            thread.join(5)


def _listeners() -> tuple[socket.socket, socket.socket]:
    """Of one port, on both families."""
    for _ in range(50):
        four = socket.create_server(("127.0.0.1", 0))
        six = socket.socket(socket.AF_INET6)
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            six.bind(("::1", four.getsockname()[1]))
            six.listen()
        except OSError:
            four.close()
            six.close()
        else:
            return four, six
    raise AssertionError("no port is free on both families")


def _count(listener: socket.socket, watch: Watch) -> None:
    while True:
        try:
            connection, (address, *_) = listener.accept()
        except OSError:
            return
        watch.accepted.append(address)
        connection.close()
