"""Where the client's wire is the provider's: the same bytes, both ways; and a long stream in little memory."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ownkey import Ownkey
from ownkey.engine.answer import Whole
from ownkey.engine.request import Request, new_id
from ownkey.wires.wire import Door, Named, wire
from scripted import Peer, answer, chunk, serve

REQUESTS = {
    "openai-chat": b'{"messages":[{"role":"user","content":"Hi","x":[1, 2]}],"model":"m",'
    b'"zz":{"a":1.50},"max_tokens":9}',
    "openai-responses": b'{"input":[{"role":"user","content":"Hi","x":[1, 2]}],"model":"m","zz":{"a":1.50}}',
    "anthropic-messages": b'{"max_tokens":9,"messages":[{"role":"user","content":"Hi","x":[1, 2]}],"model":"m",'
    b'"zz":{"a":1.50}}',
    "gemini": b'{"contents":[{"parts":[{"text":"Hi","x":[1, 2]}]}],"zz":{"a":1.50},"generationConfig":{"new":  true}}',
}
ANSWERS = {
    "openai-chat": b'{"id":"1", "choices":[{"index":0,"message":{"role":"assistant","content":"Yo","new":[1]},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2},"zz":  1.50}',
    "openai-responses": b'{"id":"r","status":"completed","output":[{"type":"new_item","a":1.50}],'
    b'"usage":{"input_tokens":1,"output_tokens":2},"zz":  1.50}',
    "anthropic-messages": b'{"type":"message","content":[{"type":"new_block","a":1.50}],"stop_reason":"end_turn",'
    b'"usage":{"input_tokens":1,"output_tokens":2},"zz":  1.50}',
    "gemini": b'{"candidates":[{"content":{"parts":[{"newPart":{"a":1.50}}]},"finishReason":"STOP"}],'
    b'"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2},"zz":  1.50}',
}
WORD = "x" * 1000
PIECES = {
    "openai-chat": {"choices": [{"index": 0, "delta": {"content": WORD}, "finish_reason": None}]},
    "openai-responses": {"type": "response.output_text.delta", "output_index": 0, "delta": WORD},
    "anthropic-messages": {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": WORD},
    },
    "gemini": {"candidates": [{"content": {"parts": [{"text": WORD}]}}]},
}
ENDS = {
    "openai-chat": [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, "[DONE]"],
    "openai-responses": [{"type": "response.completed", "response": {"status": "completed", "output": []}}],
    "anthropic-messages": [
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ],
    "gemini": [{"candidates": [{"content": {"parts": []}, "finishReason": "STOP"}]}],
}
STARTS = {
    "anthropic-messages": [
        {"type": "message_start", "message": {"id": "a", "usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    ]
}
MOST_MEMORY = 3 << 20


def manifest(name: str, port: int) -> str:
    return f"""
        id = "here"
        name = "Here"
        kind = "local"
        wire = "{name}"
        base_url = "http://127.0.0.1:{port}/v1"
        free = true
        [[models]]
        id = "m"
        context = 100_000
    """


async def at(
    home: Path, name: str, script: Callable[[Peer], Awaitable[None]], work: Callable[[Ownkey, Any], Awaitable[None]]
) -> None:
    async with serve(script) as server:
        (home / "providers").mkdir(parents=True)
        (home / "providers" / "here.toml").write_text(manifest(name, server.port))
        async with Ownkey(home, keychain=False) as ownkey:
            await work(ownkey, server)


def asked(door_name: str, *, stream: bool) -> Request:
    door = wire(door_name)
    assert isinstance(door, Door)
    body = json.loads(REQUESTS[door_name].replace(b',"x":[1, 2]', b""))
    if stream and door_name != "gemini":
        body["stream"] = True
    raw = json.dumps(body).encode() if stream else REQUESTS[door_name]
    ask = door.read_ask(raw, Named("m", stream))
    return Request(new_id(), "owner", "here/m", stream, door=door, ask=ask)


@pytest.mark.parametrize("name", REQUESTS)
def test_fields_that_nobody_here_knows_pass_both_ways_byte_for_byte(tmp_path: Path, name: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(ANSWERS[name], 200, "content-type: application/json"))

    async def work(ownkey: Ownkey, server: Any) -> None:
        given = await ownkey.house.engine.run(asked(name, stream=False))
        assert isinstance(given, Whole)
        assert given.body == ANSWERS[name]
        sent = server.requests[0].body
        for piece in (b'"x":[1, 2]', b'"zz":{"a":1.50}'):
            assert piece in sent
        without = {key: value for key, value in json.loads(REQUESTS[name]).items() if key != "model"}
        assert {key: value for key, value in json.loads(sent).items() if key != "model"} == without

    asyncio.run(at(tmp_path / "home", name, script, work))


@pytest.mark.parametrize("inward", [*REQUESTS])
@pytest.mark.parametrize("outward", [*REQUESTS])
def test_a_stream_of_ten_megabytes_runs_in_constant_memory(tmp_path: Path, inward: str, outward: str) -> None:
    def event(data: Any) -> bytes:
        text = data if isinstance(data, str) else json.dumps(data)
        return f"data: {text}\n\n".encode()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for start in STARTS.get(outward, ()):
            await peer.send(chunk(event(start)))
        block = chunk(event(PIECES[outward]) * 50)
        for _ in range(200):
            await peer.send(block)
        await peer.send(*(chunk(event(end)) for end in ENDS[outward]), chunk(b""))

    async def work(ownkey: Ownkey, server: Any) -> None:
        request = asked(inward, stream=True)
        stream = await ownkey.house.engine.run(request)
        assert not isinstance(stream, Whole)
        assert request.door is not None
        assert request.ask is not None
        writer = request.door.writer(request.ask, "m")
        size = 0
        tracemalloc.start()
        try:
            while (piece := await stream.next()) is not None:
                size += len(piece) if isinstance(piece, bytes) else sum(len(writer.write(one)) for one in piece)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            stream.close()
        assert size > 10_000_000
        # A wire whose last event tells the whole answer again has to keep it.
        kept = 25_000_000 if inward == "openai-responses" != outward else 0
        assert peak < MOST_MEMORY + kept, peak

    asyncio.run(at(tmp_path / "home", outward, script, work))
