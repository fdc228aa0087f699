"""Good answers in which something is odd, as the clients of each wire get them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from answering import Provider, answering, json_answer, write_manifest
from house import Gateway
from scripted import answer

CHAT = "/v1/chat/completions"
PATHS = {"chat": CHAT, "responses": "/v1/responses"}
HELLO = [{"role": "user", "content": "Hello"}]
TOOLS = [{"name": "delete", "input_schema": {"type": "object"}}]


@pytest.fixture(scope="module")
def provider(served: Gateway) -> Iterator[Provider]:
    with answering({}) as made:
        for wire in PATHS:
            text = f'wire = "openai-{wire}"\nbase_url = "{{url}}/v1"\n[[models]]\nid = "m"\nmax_output = 1000'
            write_manifest(served.home, f"odd-{wire}", made, text)
        yield made


def chunks(*deltas: dict[str, Any], finish: str) -> bytes:
    told: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    told.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    told[-1]["usage"] = {"prompt_tokens": 10, "completion_tokens": 9}
    lines = [json.dumps(one) for one in told] + ["[DONE]"]
    return answer("".join(f"data: {line}\n\n" for line in lines).encode(), 200, "content-type: text/event-stream")


def called(place: int, arguments: str, **more: str) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": "delete"} if more else {})}
    return {"tool_calls": [{"index": place, "function": function, **more}]}


def blocks(body: bytes) -> list[tuple[str, str]]:
    """Type and content of each block of a stream of messages."""
    found: list[tuple[str, str]] = []
    for line in body.decode().splitlines():
        told: dict[str, Any] = json.loads(line[6:]) if line.startswith("data: ") else {}
        if told.get("type") == "content_block_start":
            found.append((told["content_block"]["type"], ""))
        if told.get("type") == "content_block_delta":
            _, piece = told["delta"].values()
            found[-1] = (found[-1][0], found[-1][1] + piece)
    return found


@pytest.mark.parametrize(
    ("between", "block"),
    [({"content": "\n"}, ("text", "\n")), ({"reasoning_content": "Hm."}, ("thinking", "Hm."))],
    ids=["text", "reasoning"],
)
def test_a_call_with_words_in_its_midst_is_whole_for_a_client_of_anthropics(
    served: Gateway, provider: Provider, between: dict[str, Any], block: tuple[str, str]
) -> None:
    first = (called(0, "", id="a"), called(0, '{"path":'), called(1, "", id="b"), called(1, '{"path":'))
    rest = (called(1, '"/tmp/y"}'), called(0, '"/tmp/x"}'))
    provider.begin({CHAT: chunks(*first, between, *rest, finish="tool_calls")})
    body = {"model": "odd-chat/m", "max_tokens": 99, "stream": True, "tools": TOOLS, "messages": HELLO}
    told = served.send("POST", "/v1/messages", json.dumps(body).encode(), served.own)
    calls = [("tool_use", '{"path":"/tmp/x"}'), ("tool_use", '{"path":"/tmp/y"}')]
    assert (told.status, blocks(told.body)) == (200, [*calls, block])
    assert b'"stop_reason":"tool_use"' in told.body


@pytest.mark.parametrize("created", [1_700_000_000_000, 1e15, 1e18, 1e308, -1, 0])
def test_a_time_that_is_no_date_breaks_no_answer(served: Gateway, provider: Provider, created: float) -> None:
    choice = {"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "input_tokens": 10, "output_tokens": 2}
    said = {"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
    answers = {
        "chat": {"created": created, "choices": [choice], "usage": usage},
        "responses": {"id": "r", "created_at": created, "status": "completed", "output": [said], "usage": usage},
    }
    provider.begin({path: json_answer(json.dumps(answers[one]).encode()) for one, path in PATHS.items()})
    contents = json.dumps({"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}).encode()
    for wire in PATHS:
        told = served.send("POST", f"/v1beta/models/odd-{wire}/m:generateContent", contents, served.own)
        assert (told.status, "createTime" in told.json) == (200, False), told.body
        assert told.json["candidates"][0]["content"]["parts"] == [{"text": "Hi"}]
    chat = served.ask("odd-responses/m")
    assert (chat.status, chat.text) == (200, "Hi")
    assert 0 <= chat.json["created"] < 2**53
