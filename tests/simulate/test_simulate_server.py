"""The simulator as a server: its connections, its log, its command."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from canaries import MARK
from ownkey.simulate.server import Server, serve
from raw_http import KEYS, Line, ask

PATH = "/v1/chat/completions"
HELLO = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}


def with_server(act: Callable[[Server], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        server = await serve(**options)
        try:
            await act(server)
        finally:
            await server.aclose()

    asyncio.run(main())


def test_a_connection_carries_many_requests_and_survives_a_refusal() -> None:
    async def act(server: Server) -> None:
        line = await Line.to(server.port)
        for path in (PATH, f"/fault/status=503{PATH}", f"/fault/chunk-delay=0.001{PATH}", PATH):
            line.send("POST", path, HELLO | {"stream": True})
            assert (await line.read()).ended == "whole"
        await line.close()
        assert {seen.connection for seen in server.log} == {1}
        await ask(server.port, PATH, HELLO)
        assert server.log[-1].connection == 2

    with_server(act)


def test_pipelined_requests_are_answered_in_their_order() -> None:
    async def act(server: Server) -> None:
        line = await Line.to(server.port)
        line.send("POST", f"/fault/status=429;delay=0.05{PATH}", HELLO)
        line.send("POST", PATH, HELLO)
        # Both answers may come in one read, so the second is asked to close the connection and all is read.
        line.send("GET", "/v1/models", headers=KEYS | {"connection": "close"})
        data = await line.rest()
        await line.close()
        assert [part[:3] for part in data.split(b"HTTP/1.1 ")[1:]] == [b"429", b"200", b"200"]

    with_server(act)


def test_a_request_may_come_in_single_bytes_and_in_chunks() -> None:
    async def act(server: Server) -> None:
        line = await Line.to(server.port)
        head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer good\r\ntransfer-encoding: chunked\r\n\r\n"
        content = b'{"model":"gpt-4o","messages":[{"role":"user","content":"Hello"}]}'
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (content[:9], content[9:]))
        for byte in head.encode() + chunks + b"0\r\n\r\n":
            line.send_raw(bytes([byte]))
            await asyncio.sleep(0)
        assert (await line.read()).status == 200
        assert server.log[0].body == content
        await line.close()

    with_server(act)


def test_what_is_no_http_is_refused_and_the_connection_closed() -> None:
    async def act(server: Server) -> None:
        line = await Line.to(server.port)
        line.send_raw(b"NONSENSE\r\n\r\n")
        assert (await line.rest()).startswith(b"HTTP/1.1 400 ")
        await line.close()

    with_server(act)


def test_the_log_tells_what_came_and_shows_no_key() -> None:
    async def act(server: Server) -> None:
        before = time.monotonic()
        await ask(server.port, f"/fault/none{PATH}?x=1", HELLO, KEYS | {"X-Extra": "Value"})
        [seen] = server.log
        assert (seen.method, seen.path) == ("POST", f"/fault/none{PATH}?x=1")
        assert (seen.header("X-EXTRA"), seen.header("authorization")) == ("Value", KEYS["authorization"])
        assert seen.header("absent") is None
        assert b"Hello" in seen.body
        assert before <= seen.at_s <= (seen.ended_at_s or 0) <= time.monotonic()
        assert not seen.closed_early
        assert MARK not in repr(server.log)

    with_server(act)


def test_a_client_that_leaves_before_the_end_is_noted() -> None:
    async def act(server: Server) -> None:
        await ask(server.port, f"/fault/silence{PATH}", HELLO, patience_s=0.05)
        await ask(server.port, f"/fault/stall=1{PATH}", HELLO | {"stream": True}, patience_s=0.05)
        await ask(server.port, f"/fault/cut=1{PATH}", HELLO | {"stream": True})
        await ask(server.port, f"/fault/chunk-delay=0.001{PATH}", HELLO | {"stream": True})
        await asyncio.wait_for(server.idle(), 5)
        assert [seen.closed_early for seen in server.log] == [True, True, False, False]
        assert all(seen.ended_at_s for seen in server.log)

    with_server(act)


def test_the_log_keeps_no_more_than_its_limit() -> None:
    async def act(server: Server) -> None:
        for _ in range(5):
            await ask(server.port, PATH, HELLO)
        assert len(server.log) == 3

    with_server(act, log_limit=3)


def test_keys_may_be_left_out_where_the_server_says_so() -> None:
    async def act(server: Server) -> None:
        assert (await ask(server.port, PATH, HELLO, {})).status == 200
        assert (await ask(server.port, f"/fault/chunk-delay=0{PATH}", HELLO, {})).status == 200

    with_server(act, keys=False)


def test_a_good_key_and_a_bad_one_are_told_apart_each_time() -> None:
    async def act(server: Server) -> None:
        for key, status in (("good", 200), ("bad-1", 401), ("good", 200)):
            assert (await ask(server.port, PATH, HELLO, {"authorization": f"Bearer {key}"})).status == status

    with_server(act)


def test_closing_ends_open_connections_at_once() -> None:
    async def main() -> None:
        server = await serve()
        line = await Line.to(server.port)
        line.send("POST", f"/fault/stall=1{PATH}", HELLO | {"stream": True})
        assert (await line.read(patience_s=0.2)).status == 200
        await asyncio.wait_for(server.aclose(), 5)
        assert await line.rest() == b""
        await line.close()
        with pytest.raises(ConnectionRefusedError):
            await Line.to(server.port)

    asyncio.run(main())


def test_run_announces_itself_and_serves_with_its_fault() -> None:
    code = (
        "from ownkey.simulate.server import run\n"
        "run('127.0.0.1', 0, 'status=503;times=1', lambda server: print(server.port, flush=True))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())

            async def act() -> list[int]:
                return [(await ask(port, PATH, HELLO)).status for _ in range(2)]

            assert asyncio.run(act()) == [503, 200]
        finally:
            process.kill()
