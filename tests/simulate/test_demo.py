"""The demo provider, in process."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from ownkey.simulate.demo import MODEL, DemoAnswer, demo
from ownkey.simulate.speech import count

PATH = b"/v1/chat/completions"


def asked(method: bytes, target: bytes, body: bytes = b"") -> tuple[DemoAnswer, list[bytes], float]:
    async def main() -> tuple[DemoAnswer, list[bytes], float]:
        answer = await demo(method, target, body)
        start_s = time.monotonic()
        return answer, [chunk async for chunk in answer.chunks], time.monotonic() - start_s

    return asyncio.run(main())


def says(text: str, **more: Any) -> bytes:
    return json.dumps({"model": MODEL, "messages": [{"role": "user", "content": text}], **more}).encode()


def test_the_demo_says_that_it_is_one_and_counts_exactly() -> None:
    answer, chunks, _ = asked(b"POST", PATH, says("What is a key?"))
    assert answer.status == 200
    assert answer.headers[b"content-type"] == b"application/json"
    reply = json.loads(b"".join(chunks))
    text = reply["choices"][0]["message"]["content"]
    assert "demo" in text
    assert "no model was asked" in text
    assert "What is a key?" in text
    assert (reply["usage"]["prompt_tokens"], reply["usage"]["completion_tokens"]) == (5, count(text))


def test_the_demo_streams_piece_by_piece() -> None:
    _, whole, _ = asked(b"POST", PATH, says("Hi"))
    answer, chunks, took_s = asked(b"POST", PATH, says("Hi", stream=True, stream_options={"include_usage": True}))
    assert answer.headers[b"content-type"].startswith(b"text/event-stream")
    assert chunks[-1] == b"data: [DONE]\n\n"
    events = [json.loads(chunk.removeprefix(b"data: ")) for chunk in chunks[:-1]]
    text = "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event["choices"])
    reply = json.loads(b"".join(whole))
    assert text == reply["choices"][0]["message"]["content"]
    assert events[-1]["usage"] == reply["usage"]
    assert took_s >= 0.02 * (len(chunks) - 1)


def test_the_demo_lists_itself_alone() -> None:
    answer, chunks, _ = asked(b"GET", b"/v1/models")
    assert answer.status == 200
    assert [model["id"] for model in json.loads(b"".join(chunks))["data"]] == [MODEL]


def test_the_demo_refuses_what_it_does_not_know() -> None:
    for method, target, body, status in (
        (b"POST", b"/v1/messages", b"{}", 404),
        (b"GET", PATH, b"", 404),
        (b"POST", PATH, b"{", 400),
    ):
        answer, chunks, _ = asked(method, target, body)
        assert answer.status == status
        assert json.loads(b"".join(chunks))["error"]["message"]
