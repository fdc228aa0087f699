"""The simulator on Gemini's wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ownkey.simulate.server import Server, serve
from ownkey.simulate.speech import count
from raw_http import KEYS, ask

WHOLE = "/v1beta/models/gemini-2.5-flash:generateContent"
STREAM = "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
SCHEMA = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}
TOOLS = [{"functionDeclarations": [{"name": "get_weather", "parameters": SCHEMA}, {"name": "get_time"}]}]
THINKING = {"thinkingConfig": {"includeThoughts": True}}


def with_server(act: Callable[[Server], Awaitable[None]]) -> None:
    async def main() -> None:
        server = await serve()
        try:
            await act(server)
        finally:
            await server.aclose()

    asyncio.run(main())


def says(text: str, **more: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


def joined(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts of a stream, texts of the same kind put together."""
    parts: list[dict[str, Any]] = []
    for part in (part for chunk in chunks for part in chunk["candidates"][0].get("content", {}).get("parts", [])):
        if parts and "text" in part and "text" in parts[-1] and part.get("thought") == parts[-1].get("thought"):
            parts[-1] = parts[-1] | part | {"text": parts[-1]["text"] + part["text"]}
        else:
            parts.append(part)
    return parts


@pytest.mark.parametrize(
    "request_body",
    [
        says("Hello there"),
        says("use tool get_weather", tools=TOOLS),
        says("use all tools", tools=TOOLS),
        says("Hello", generationConfig=THINKING),
        says("Please refuse this."),
        says("say 9 words", generationConfig={"maxOutputTokens": 4}),
    ],
    ids=["text", "tool", "tools", "thinking", "refusal", "length"],
)
def test_both_forms_of_a_stream_add_up_to_the_whole_answer(request_body: dict[str, Any]) -> None:
    async def act(server: Server) -> None:
        whole = (await ask(server.port, WHOLE, request_body)).json
        events = await ask(server.port, f"{STREAM}?alt=sse", request_body)
        array = await ask(server.port, STREAM, request_body)
        assert events.headers["content-type"] == "text/event-stream"
        assert all(chunk.endswith(b"\r\n\r\n") for chunk in events.chunks)
        assert array.headers["content-type"] == "application/json; charset=UTF-8"
        assert array.json == events.events
        last = events.events[-1]
        assert joined(events.events) == whole["candidates"][0].get("content", {}).get("parts", [])
        assert last["candidates"][0]["finishReason"] == whole["candidates"][0]["finishReason"]
        assert last["usageMetadata"] == whole["usageMetadata"]

    with_server(act)


def test_usage_counts_by_the_rule_and_grows_along_a_stream() -> None:
    async def act(server: Server) -> None:
        events = (await ask(server.port, f"{STREAM}?alt=sse", says("say 9 words"))).events
        assert [event["usageMetadata"]["candidatesTokenCount"] for event in events] == [4, 8, 9]
        assert events[-1]["usageMetadata"]["promptTokenCount"] == 3
        assert events[-1]["usageMetadata"]["totalTokenCount"] == 12
        long = (await ask(server.port, WHOLE, says("tell " * 1100))).json
        assert long["usageMetadata"]["cachedContentTokenCount"] == 1024

    with_server(act)


def test_thoughts_are_sealed_and_names_may_have_underscores() -> None:
    async def act(server: Server) -> None:
        config = {"thinking_config": {"include_thoughts": True}}
        answer = (await ask(server.port, WHOLE, says("say 2 words", generation_config=config))).json
        thought, text = answer["candidates"][0]["content"]["parts"]
        assert thought["thought"] is True
        assert (text["text"], bool(text["thoughtSignature"])) == ("word1 word2", True)
        assert answer["usageMetadata"]["thoughtsTokenCount"] == count(thought["text"])
        hidden = (await ask(server.port, WHOLE, says("say 2 words", generationConfig={"thinkingConfig": {}}))).json
        assert [part["text"] for part in hidden["candidates"][0]["content"]["parts"]] == ["word1 word2"]
        assert hidden["usageMetadata"]["thoughtsTokenCount"] > 0
        none = {"thinkingConfig": {"thinkingBudget": 0}}
        off = (await ask(server.port, WHOLE, says("say 2 words", generationConfig=none))).json
        assert "thoughtsTokenCount" not in off["usageMetadata"]

    with_server(act)


def test_each_way_to_end_has_its_finish_reason() -> None:
    async def act(server: Server) -> None:
        async def candidate(text: str, **more: Any) -> dict[str, Any]:
            return (await ask(server.port, WHOLE, says(text, **more))).json["candidates"][0]

        assert (await candidate("Hello"))["finishReason"] == "STOP"
        assert (await candidate("Hello", generationConfig={"maxOutputTokens": 2}))["finishReason"] == "MAX_TOKENS"
        assert (await candidate("refuse this"))["finishReason"] == "SAFETY"
        stopped = await candidate("say 9 words", generationConfig={"stopSequences": [" word2"]})
        assert stopped["content"]["parts"] == [{"text": "word1"}]
        config = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get_weather"]}}
        called = await candidate("Hello", tools=TOOLS, toolConfig=config)
        assert called["content"]["parts"] == [{"functionCall": {"name": "get_weather", "args": {"city": "city"}}}]

    with_server(act)


def test_structured_output_tool_results_and_images() -> None:
    async def act(server: Server) -> None:
        config = {"responseMimeType": "application/json", "responseSchema": SCHEMA}
        answer = (await ask(server.port, WHOLE, says("Where?", generationConfig=config))).json
        assert json.loads(answer["candidates"][0]["content"]["parts"][0]["text"]) == {"city": "city"}
        result = {"functionResponse": {"name": "get_time", "response": {"time": "noon"}}}
        turns = [{"role": "user", "parts": [result]}]
        answered = (await ask(server.port, WHOLE, {"contents": turns, "tools": TOOLS})).json
        assert 'The tool answered: {"time":"noon"}' in answered["candidates"][0]["content"]["parts"][0]["text"]
        image = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
        seen = (await ask(server.port, WHOLE, {"contents": [{"parts": [image, {"text": "Look"}]}]})).json
        assert "You sent 1 image." in seen["candidates"][0]["content"]["parts"][0]["text"]
        assert seen["usageMetadata"]["promptTokenCount"] == 86

    with_server(act)


def test_refusals_have_geminis_own_form() -> None:
    async def act(server: Server) -> None:
        async def refused(path: str, body: Any, headers: dict[str, str]) -> tuple[int, str]:
            came = await ask(server.port, path, body, headers)
            assert came.json["error"]["code"] == came.status
            return came.status, came.json["error"]["status"]

        bad = await ask(server.port, f"{STREAM}?alt=sse", says("Hi"), {"x-goog-api-key": "bad-key"})
        assert (bad.status, bad.json["error"]["details"][0]["reason"]) == (400, "API_KEY_INVALID")
        assert await refused(WHOLE, says("Hi"), {}) == (403, "PERMISSION_DENIED")
        assert await refused(WHOLE, {"contents": []}, KEYS) == (400, "INVALID_ARGUMENT")
        assert await refused(WHOLE, b"[", KEYS) == (400, "INVALID_ARGUMENT")
        missing = WHOLE.replace("gemini-2.5-flash", "missing")
        assert await refused(missing, says("Hi"), KEYS) == (404, "NOT_FOUND")

    with_server(act)


def test_models_are_listed() -> None:
    async def act(server: Server) -> None:
        listed = (await ask(server.port, "/v1beta/models", headers={"x-goog-api-key": "good"})).json
        assert "models/gemini-2.5-flash" in [model["name"] for model in listed["models"]]

    with_server(act)
