"""A provider may quote the key it was sent, wherever it tells of an error: nobody gets to see it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from canaries import canary
from ownkey import Ownkey
from ownkey.engine.answer import Whole
from ownkey.engine.request import Request, new_id
from ownkey.talk.errors import OwnkeyError
from ownkey.wires.wire import Door, wire
from scripted import Peer, serve

MANIFEST = """
id       = "slow"
name     = "Slow"
kind     = "local"
wire     = "openai-chat"
base_url = "http://127.0.0.1:{port}/v1"
"""
# Of no shape that keys are known by.
KEY = canary("of no shape", "open.", between="()")
ERROR = b'{"error":{"message":"no credit for %b","type":"server_error","param":"%b"}}' % (KEY.encode(), KEY.encode())
CHUNK = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}\n\n'
EVENT = b"data: " + ERROR + b"\n\n"


def answer(status: bytes, kind: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (status, kind, len(body), body)


ANSWERS = {
    "a refusal": (answer(b"402 Payment Required", b"application/json", ERROR), False),
    "a whole answer": (answer(b"200 OK", b"application/json", ERROR), False),
    "a stream that does not begin": (answer(b"200 OK", b"text/event-stream", EVENT), True),
    "a stream that breaks off": (answer(b"200 OK", b"text/event-stream", CHUNK + EVENT), True),
}


def told_in(error: OwnkeyError) -> str:
    """All that it holds, as text."""
    return f"{error} {error.args} {vars(error)} {error.__cause__!r}"


async def to_its_end(ownkey: Ownkey, request: Request) -> None:
    given = await ownkey.house.engine.run(request)
    assert not isinstance(given, Whole)
    while await given.next() is not None:
        pass


async def told(home: Path, says: bytes, *, stream: bool, passes: bool) -> str:
    """The error that comes of it, as text; `passes`: through the door of the same wire."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(says)
        await peer.until_gone()

    async with serve(script) as server:
        (home / "providers").mkdir()
        (home / "providers" / "slow.toml").write_text(MANIFEST.format(port=server.port))
        async with Ownkey(home, keychain=False, retries=0) as ownkey:
            ownkey.keys.set("slow", KEY)
            request = Request(new_id(), ownkey.owner, "slow/m", stream)
            door = wire("openai-chat")
            assert isinstance(door, Door)
            asked = b'{"model":"slow/m","messages":[{"role":"user","content":"Hello"}],"stream":%b}'
            request.door, request.ask = door, door.read_ask(asked % (b"true" if stream else b"false"))
            if not passes:
                request.chat, request.door, request.ask = request.as_chat(), None, None
            with pytest.raises(OwnkeyError) as caught:
                await to_its_end(ownkey, request)
            return told_in(caught.value)


@pytest.mark.parametrize("passes", [False, True], ids=["translated", "passed through"])
@pytest.mark.parametrize(("says", "stream"), ANSWERS.values(), ids=ANSWERS)
def test_U04_a_key_that_a_provider_quotes_is_not_shown(tmp_path: Path, says: bytes, stream: bool, passes: bool) -> None:
    text = asyncio.run(told(tmp_path, says, stream=stream, passes=passes))
    assert "no credit for" in text
    assert KEY not in text


@pytest.mark.parametrize("status", [b"402 Payment Required", b"200 OK"])
def test_U04_a_key_that_is_quoted_when_it_is_tested_is_not_shown(tmp_path: Path, status: bytes) -> None:
    async def main() -> str:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(answer(status, b"application/json", ERROR))
            await peer.until_gone()

        async with serve(script) as server:
            (tmp_path / "providers").mkdir()
            (tmp_path / "providers" / "slow.toml").write_text(MANIFEST.format(port=server.port))
            async with Ownkey(tmp_path, keychain=False) as ownkey:
                ownkey.keys.set("slow", KEY)
                with pytest.raises(OwnkeyError) as caught:
                    await ownkey.keys.test("slow")
                return told_in(caught.value)

    text = asyncio.run(main())
    assert "no credit for" in text
    assert KEY not in text
