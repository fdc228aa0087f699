"""A provider on a thread of this process, on a real port: it says the bytes it is told to, and remembers what it heard.

with answering({"/v1/embeddings": json_answer(b"{}")}) as provider:
    write_manifest(home, "vectors", provider, ...)
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from house import library
from scripted import Peer, Request, Server, answer, serve

Said = bytes | list[bytes]
"""One answer for every request, or one after the other, the last of them for ever."""


def json_answer(body: bytes, status: int = 200) -> bytes:
    return answer(body, status, "content-type: application/json")


@dataclass
class Provider:
    port: int
    says: dict[str, Said]
    _server: Server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def begin(self, says: Mapping[str, Said]) -> None:
        """From now on it says this, and has heard nothing."""
        self.says.clear()
        self.says.update(says)
        for peer in self._server.peers:
            peer.requests.clear()

    @property
    def requests(self) -> list[Request]:
        return self._server.requests

    def heard(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.target.partition("?")[0] == path]


@contextmanager
def answering(says: Mapping[str, Said]) -> Iterator[Provider]:
    loop, ready = asyncio.new_event_loop(), threading.Event()
    given: dict[str, Said] = dict(says)
    turns: dict[str, int] = {}
    made: list[Provider] = []
    stop = asyncio.Event()

    async def script(peer: Peer) -> None:
        while True:
            request = await peer.request()
            path = request.target.partition("?")[0]
            said = given.get(path, answer(b"{}", 404))
            if isinstance(said, list):
                turn = turns[path] = turns.get(path, -1) + 1
                said = said[min(turn, len(said) - 1)]
            await peer.send(said)

    async def main() -> None:
        async with serve(script) as server:
            made.append(Provider(server.port, given, server))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield made[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def write_manifest(home: Path, name: str, provider: Provider, text: str, key: str | None = None) -> None:
    """A file of a local provider, `text` after what it begins with; {url} stands for where the provider is."""
    folder = home / "providers"
    folder.mkdir(exist_ok=True)
    head = f'id = "{name}"\nname = "{name.title()}"\nkind = "local"\n'
    (folder / f"{name}.toml").write_text(head + text.replace("{url}", provider.url))
    if key is not None:
        with library(home) as ownkey:
            ownkey.keys.set(name, key)
