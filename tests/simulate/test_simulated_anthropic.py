"""The simulator on Anthropic's wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ownkey.simulate.server import Server, serve
from ownkey.simulate.speech import count
from raw_http import KEYS, Came, ask

PATH = "/v1/messages"
TOOLS = [
    {
        "name": "get_weather",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
    {"name": "get_time", "input_schema": {"type": "object"}},
]


def with_server(act: Callable[[Server], Awaitable[None]]) -> None:
    async def main() -> None:
        server = await serve()
        try:
            await act(server)
        finally:
            await server.aclose()

    asyncio.run(main())


def says(text: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": "claude-sonnet-4-5", "max_tokens": 1000, "messages": messages, **more}


def collected(came: Came) -> dict[str, Any]:
    """The message that a stream adds up to, by the rules of Anthropic's streaming reference."""
    message: dict[str, Any] = {}
    names = [line.removeprefix("event: ") for line in came.body.decode().splitlines() if line.startswith("event: ")]
    assert names == [event["type"] for event in came.events]
    assert names[0] == "message_start"
    assert names[-1] == "message_stop"
    for event in came.events:
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                assert event["index"] == len(message["content"])
                message["content"].append(event["content_block"] | {"json": ""})
            case "content_block_delta":
                block = message["content"][event["index"]]
                for name, value in event["delta"].items():
                    if name != "type":
                        block["json" if name == "partial_json" else name] += value
            case "content_block_stop":
                block = message["content"][event["index"]]
                arguments = block.pop("json")
                if block["type"] == "tool_use":
                    block["input"] = json.loads(arguments)
            case "message_delta":
                message |= event["delta"]
                message["usage"] |= event["usage"]
    return message


@pytest.mark.parametrize(
    "request_body",
    [
        says("Hello there"),
        says("use tool get_weather", tools=TOOLS),
        says("use all tools", tools=TOOLS),
        says("Hello", thinking={"type": "enabled", "budget_tokens": 1024}),
        says("Please refuse this."),
        says("say 9 words", max_tokens=4),
        says("say 9 words", stop_sequences=[" word3"]),
    ],
    ids=["text", "tool", "tools", "thinking", "refusal", "length", "stop"],
)
def test_a_stream_adds_up_to_the_whole_answer(request_body: dict[str, Any]) -> None:
    async def act(server: Server) -> None:
        whole = (await ask(server.port, PATH, request_body)).json
        streamed = await ask(server.port, PATH, request_body | {"stream": True})
        assert streamed.headers["content-type"] == "text/event-stream; charset=utf-8"
        added = collected(streamed)
        assert added["usage"] == whole["usage"]
        assert added["stop_reason"] == whole["stop_reason"]
        assert added["stop_sequence"] == whole["stop_sequence"]
        assert [_without_id(block) for block in added["content"]] == [_without_id(block) for block in whole["content"]]

    with_server(act)


def _without_id(block: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name != "id"}


def test_each_way_to_end_has_its_stop_reason() -> None:
    async def act(server: Server) -> None:
        async def reason(**more: Any) -> str:
            return (await ask(server.port, PATH, says("Hello") | more)).json["stop_reason"]

        assert await reason() == "end_turn"
        assert await reason(max_tokens=1) == "max_tokens"
        assert await reason(stop_sequences=["simulator"]) == "stop_sequence"
        assert await reason(tools=TOOLS, tool_choice={"type": "any"}) == "tool_use"
        assert await reason(tools=TOOLS, tool_choice={"type": "tool", "name": "get_time"}) == "tool_use"
        assert await reason(tools=TOOLS, tool_choice={"type": "none"}) == "end_turn"
        assert await reason(messages=[{"role": "user", "content": "refuse this"}]) == "refusal"

    with_server(act)


def test_a_thought_goes_back_only_with_its_own_signature() -> None:
    async def act(server: Server) -> None:
        thinking = {"type": "enabled", "budget_tokens": 1024}
        request = says("use tool get_time", tools=TOOLS, thinking=thinking)
        answer = (await ask(server.port, PATH, request)).json
        thought, call = answer["content"]
        assert (thought["type"], call["type"]) == ("thinking", "tool_use")
        assert answer["usage"]["output_tokens"] == count(thought["thinking"]) + count(call["name"]) + count("{}")
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": [{"type": "text", "text": "noon"}]}
        turns = [*request["messages"], {"role": "assistant", "content": [thought, call]}]
        turns.append({"role": "user", "content": [result]})
        good = await ask(server.port, PATH, request | {"messages": turns})
        assert "The tool answered: noon" in good.json["content"][1]["text"]
        turns[1] = {"role": "assistant", "content": [thought | {"signature": "forged"}, call]}
        bad = await ask(server.port, PATH, request | {"messages": turns})
        assert (bad.status, bad.json["error"]["type"]) == (400, "invalid_request_error")

    with_server(act)


def test_marked_tokens_are_cached_and_stand_apart_from_the_input() -> None:
    async def act(server: Server) -> None:
        marked = {"type": "text", "text": "one two three", "cache_control": {"type": "ephemeral"}}
        read = (await ask(server.port, PATH, says("Hello there", system=[marked]))).json["usage"]
        assert (read["input_tokens"], read["cache_read_input_tokens"], read["cache_creation_input_tokens"]) == (2, 3, 0)
        written = (await ask(server.port, PATH, says("write the cache", system=[marked]))).json["usage"]
        assert (written["cache_read_input_tokens"], written["cache_creation_input_tokens"]) == (0, 3)

    with_server(act)


def test_structured_output_and_images() -> None:
    async def act(server: Server) -> None:
        schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
        form = {"format": {"type": "json_schema", "schema": schema}}
        answer = (await ask(server.port, PATH, says("Where?", output_config=form))).json
        assert json.loads(answer["content"][0]["text"]) == {"city": "city"}
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
        content = [image, {"type": "text", "text": "Look"}]
        seen = (await ask(server.port, PATH, says("") | {"messages": [{"role": "user", "content": content}]})).json
        assert "You sent 1 image." in seen["content"][0]["text"]
        assert seen["usage"]["input_tokens"] == 86

    with_server(act)


def test_refusals_have_anthropics_own_form() -> None:
    async def act(server: Server) -> None:
        async def refused(body: Any, **headers: str) -> tuple[int, str]:
            came = await ask(server.port, PATH, body, headers)
            assert came.json["type"] == "error"
            assert came.json["request_id"] == came.headers["request-id"]
            return came.status, came.json["error"]["type"]

        version = {"anthropic-version": "2023-06-01"}
        assert await refused(says("Hi"), **version) == (401, "authentication_error")
        assert await refused(says("Hi"), **version, **{"x-api-key": "bad-key"}) == (401, "authentication_error")
        assert await refused(says("Hi"), **{"x-api-key": "sk-good"}) == (400, "invalid_request_error")
        assert await refused(says("Hi", model="missing"), **KEYS) == (404, "not_found_error")
        assert await refused({"model": "m", "messages": []}, **KEYS) == (400, "invalid_request_error")
        assert await refused(says("Hi", max_tokens=0), **KEYS) == (400, "invalid_request_error")

    with_server(act)


def test_models_are_listed_for_anthropics_headers() -> None:
    async def act(server: Server) -> None:
        headers = {"x-api-key": "sk-good", "anthropic-version": "2023-06-01"}
        listed = (await ask(server.port, "/v1/models", headers=headers)).json
        ids = [model["id"] for model in listed["data"]]
        assert "claude-sonnet-4-5" in ids
        assert (listed["first_id"], listed["last_id"], listed["has_more"]) == (ids[0], ids[-1], False)

    with_server(act)
