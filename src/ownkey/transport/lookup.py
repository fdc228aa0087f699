"""Names to addresses, by the system's resolver.

It cannot be interrupted, and a DNS server that says nothing holds it for half a minute. So each name is looked up on a
thread of its own, which nothing waits for: neither the other names, nor the end of the program.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio import Future
from contextlib import suppress
from threading import Lock, Thread

from ownkey.talk.errors import NetworkError

MOST_AT_ONCE = 64

Place = tuple[str, int]
Found = list[str] | OSError

_waiting: dict[Place, list[Future[list[str]]]] = {}
_lock = Lock()


async def system_resolver(host: str, port: int) -> list[str]:
    """The addresses, in the system's order. Raises OSError, and NetworkError where too many names are asked for."""
    answer: Future[list[str]] = asyncio.get_running_loop().create_future()
    place = (host, port)
    with _lock:
        begun = place in _waiting
        if not begun and len(_waiting) >= MOST_AT_ONCE:
            raise NetworkError(f"{host} is not looked up: the DNS does not answer.", "Check the network's DNS.")
        _waiting.setdefault(place, []).append(answer)
    if not begun:
        Thread(target=_look_up, args=(place,), name="ownkey-dns", daemon=True).start()
    return await answer


def _look_up(place: Place) -> None:
    found: Found
    try:
        addresses = socket.getaddrinfo(*place, type=socket.SOCK_STREAM)
        found = list(dict.fromkeys(str(address[0]) for *_, address in addresses))
    except (OSError, UnicodeError):
        found = OSError("not found")
    with _lock:
        waiting = _waiting.pop(place)
    for answer in waiting:
        # Its loop may have been closed meanwhile.
        with suppress(RuntimeError):
            answer.get_loop().call_soon_threadsafe(_tell, answer, found)


def _tell(answer: Future[list[str]], found: Found) -> None:
    if answer.done():
        return
    if isinstance(found, OSError):
        answer.set_exception(found)
    else:
        answer.set_result(found)
