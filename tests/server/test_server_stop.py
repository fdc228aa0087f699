"""What a client of the gateway hears at the end: of the server, of its patience, of a defect."""

from __future__ import annotations

import asyncio
import json
from asyncio import Task
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import scripted
from ownkey.app.house import House
from ownkey.server.connection import Connection
from ownkey.server.refusal import Limits
from ownkey.server.site import Site
from ownkey.settings import load
from ownkey.store.book import BookRow
from ownkey.talk.errors import OwnkeyError
from scripted import Peer, chunk

PROVIDER = """
id       = "sim"
name     = "Simulated"
kind     = "local"
wire     = "openai-chat"
base_url = "{url}/v1"

[[models]]
id         = "gpt-4o"
max_output = 100000
price      = {{ input = "2.50", output = "10.00" }}
"""

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def event(text: str) -> bytes:
    return b"data: %b\n\n" % json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode()


def url_of(provider: scripted.Server) -> str:
    return f"http://127.0.0.1:{provider.port}"


@dataclass
class Running:
    house: House
    port: int = 0
    connections: set[asyncio.Protocol] = field(default_factory=set)
    tasks: set[Task[None]] = field(default_factory=set)
    token: bytes = b""

    def ask(self, **fields: Any) -> bytes:
        body = json.dumps({"model": "sim/gpt-4o", "messages": [{"role": "user", "content": "Hi"}], **fields}).encode()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        return b"%bAuthorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b" % (head, self.token, len(body), body)

    async def row(self) -> BookRow:
        async with asyncio.timeout(5):
            while not (rows := self.house.store.book.rows()) or any(row.state == "held" for row in rows):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        (row,) = rows
        return row


@asynccontextmanager
async def running(home: Path, url: str, limits: Limits | None = None) -> AsyncIterator[Running]:
    (home / "providers").mkdir()
    (home / "providers" / "sim.toml").write_text(PROVIDER.format(url=url))
    house = House(load({}, home=home, keychain=False))
    await asyncio.to_thread(house.open)
    _, token = house.tokens.create("owner", "tests")
    here, site, loop = Running(house, token=token.reveal()), Site(house), asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(site, here, loop, limits or Limits()), "127.0.0.1", 0)
    here.port = server.sockets[0].getsockname()[1]
    try:
        yield here
    finally:
        server.close()
        for connection in list(here.connections):
            assert isinstance(connection, Connection)
            connection.shutdown()
        await house.aclose()


def test_S18_a_stream_that_is_cut_off_by_the_stop_ends_once(tmp_path: Path) -> None:
    async def begins(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD, chunk(event("Hello")))
        await peer.until_gone()

    async def main() -> None:
        async with scripted.serve(begins) as provider, running(tmp_path, url_of(provider)) as here:
            reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
            writer.write(here.ask(stream=True))
            heard = await asyncio.wait_for(reader.read(1000), 5)
            for connection in here.connections:
                assert isinstance(connection, Connection)
                connection.shutdown()
            for task in here.tasks:
                task.cancel()
            heard += await asyncio.wait_for(reader.read(), 5)
            assert heard.count(b"HTTP/1.1 ") == 1
            assert b"Ownkey is stopping" in heard
            assert heard.endswith(b"\r\n0\r\n\r\n")
            assert (await here.row()).state == "counted"
            writer.close()

    asyncio.run(main())


def test_G18_a_reader_too_slow_for_its_stream_is_cut_its_provider_let_go_and_what_came_is_charged(
    tmp_path: Path,
) -> None:
    piece = event("word " * 1600)
    sent: list[int] = []

    async def endless(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD)
        while True:
            await peer.send(chunk(piece))
            sent.append(len(piece))

    async def main() -> None:
        limits = Limits(room_s=0.4)
        async with scripted.serve(endless) as provider, running(tmp_path, url_of(provider), limits) as here:
            _, writer = await asyncio.open_connection("127.0.0.1", here.port, limit=1024)
            writer.write(here.ask(stream=True))
            row = await here.row()
            assert row.state == "counted"
            assert row.output_tokens
            assert 0 < row.cost_nano <= row.held_nano
            await asyncio.wait_for(provider.peers[0].gone.wait(), 5)
            assert sum(sent) < 48 << 20, "no more than the kernels' buffers on both sides and ours"
            writer.close()

    asyncio.run(main())


def test_a_defect_has_the_form_of_every_other_error(tmp_path: Path) -> None:
    class Answered:
        method, path = "POST", "/v1/chat/completions"
        said: tuple[int, Any] = (0, None)

        def answer_json(self, status: int, value: Any, headers: object) -> None:
            self.said = (status, value)

    async def main() -> None:
        async with running(tmp_path, "http://127.0.0.1:9") as here:
            answered: Any = Answered()
            Site(here.house).refuse(answered, OwnkeyError("Something went wrong.", "Look at the log."))
            status, value = answered.said
            assert status == 500
            assert value["error"]["type"] == "server_error"

    asyncio.run(main())
