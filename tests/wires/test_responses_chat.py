"""Requests for a response read in full, and what other wires make of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ownkey.catalog.manifest import Quirks
from ownkey.talk.chat import (
    Chat,
    JsonOutput,
    Message,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    system,
    user,
)
from ownkey.talk.errors import InvalidRequest, OwnkeyError, Unsupported
from ownkey.wires.openai_responses.wire import OpenAIResponses
from ownkey.wires.wire import wire
from recordings import Record, records

WIRE = OpenAIResponses()
FOUND = [record for record in records(endpoint="responses") if isinstance(record.request_body, dict)]
READ = [record for record in FOUND if not record.request_body.get("background")]

Json = dict[str, Any]
WEATHER: Json = {"type": "function", "name": "weather", "description": "Tells it.", "parameters": {"type": "object"}}
TIME: Json = {"type": "function", "name": "time", "parameters": None, "strict": True}


def chat(**fields: Any) -> Chat:
    return WIRE.read_chat(WIRE.read_ask(json.dumps({"model": "m", "input": "Hi", **fields}).encode()))


def refused(**fields: Any) -> OwnkeyError:
    with pytest.raises((InvalidRequest, Unsupported)) as raised:
        chat(**fields)
    assert raised.value.hint or raised.value.param
    return raised.value


OWN_ONLY = ("item_reference", "compaction", "additional_tools", "configuration_update")


@pytest.mark.parametrize("record", READ, ids=[f"{record.provider}-{record.id}" for record in READ])
def test_a_recorded_request_is_understood_or_refused_by_what_only_openai_has(record: Record) -> None:
    body = record.request_body
    items = body["input"] if isinstance(body["input"], list) else []
    kinds = [tool["type"] for tool in body.get("tools") or []]
    hosted = next((f"tools[{at}].type" for at, kind in enumerate(kinds) if kind != "function"), None)
    needed = {f"input[{at}].type" for at, item in enumerate(items) if item.get("type") in OWN_ONLY}
    asked = WIRE.read_ask(json.dumps(body).encode())
    files = "file_id" in json.dumps([item.get("output") for item in items])
    if hosted or needed or files:
        with pytest.raises(Unsupported) as raised:
            WIRE.read_chat(asked)
        assert raised.value.param in {hosted, *needed} or str(raised.value.param).endswith(".output")
        return
    read = WIRE.read_chat(asked)
    compare(read, body, items)


def compare(read: Chat, body: Json, items: list[Json]) -> None:
    told = [body["instructions"]] if body.get("instructions") else []
    texts = told + ([body["input"]] if isinstance(body["input"], str) else [])
    for item in items:
        content = item.get("content") if item.get("type", "message") == "message" else None
        pieces = [{"text": content}] if isinstance(content, str) else content or []
        texts += [one["text"] for one in pieces if "text" in one]
    found = [part for message in read.messages for part in message.parts]
    assert [part.text for part in found if isinstance(part, Text)] == texts
    assert [(one.id, one.name, one.arguments) for one in found if isinstance(one, ToolCall)] == [
        (item["call_id"], item["name"], item["arguments"]) for item in items if item.get("type") == "function_call"
    ]
    assert [one.call_id for one in found if isinstance(one, ToolResult)] == [
        item["call_id"] for item in items if item.get("type") == "function_call_output"
    ]
    assert [one.sealed for one in found if isinstance(one, Reasoning) and one.sealed] == [
        item["encrypted_content"] for item in items if item.get("type") == "reasoning" and item.get("encrypted_content")
    ]
    choice = body.get("tool_choice")
    allowed = choice["tools"] if isinstance(choice, dict) and choice["type"] == "allowed_tools" else body.get("tools")
    assert {tool.name for tool in read.tools} == {tool["name"] for tool in allowed or []}
    said = {name for name, value in body.items() if value not in (None, [])}
    words = {"model", "input", "stream", "instructions", "tools", "tool_choice", "text", "reasoning", "include", "user"}
    plain = words | {"temperature", "top_p", "max_output_tokens", "parallel_tool_calls", "stream_options"}
    assert said - plain <= read.other.keys(), "nothing is dropped in silence"


def test_a_whole_request_is_read() -> None:
    read = chat(
        instructions="Be brief.",
        input=[
            {"role": "developer", "content": "Be kind."},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Wait."}]},
            {"type": "function_call", "call_id": "a", "name": "weather", "arguments": '{"x":1}'},
            {"type": "function_call", "call_id": "b", "name": "time", "arguments": ""},
            {"type": "function_call_output", "call_id": "a", "output": "Sunny"},
            {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "Noon"}]},
        ],
        tools=[WEATHER, TIME],
        tool_choice="required",
        parallel_tool_calls=False,
        temperature=0.5,
        top_p=0.9,
        max_output_tokens=100,
        user="u",
        text={"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}},
        reasoning={"effort": "low", "summary": "auto"},
        include=["reasoning.encrypted_content"],
        stream=True,
        stream_options={"include_obfuscation": False},
        metadata={"a": "b"},
    )
    assert read == Chat(
        messages=(
            system("Be brief."),
            Message("developer", (Text("Be kind."),)),
            user("Weather?"),
            Message(
                "assistant",
                (Reasoning("Hm"), Text("Wait."), ToolCall("a", "weather", '{"x":1}'), ToolCall("b", "time", "{}")),
            ),
            Message("tool", (ToolResult("a", (Text("Sunny"),), "weather"),)),
            Message("tool", (ToolResult("b", (Text("Noon"),), "time"),)),
        ),
        max_output_tokens=100,
        temperature=0.5,
        top_p=0.9,
        tools=(Tool("weather", "Tells it.", {"type": "object"}), Tool("time", strict=True)),
        tool_choice=ToolChoice("required"),
        parallel_tools=False,
        output=JsonOutput({"type": "object"}, "n", None, True),
        thinking=Thinking("low"),
        user="u",
        other={"metadata": {"a": "b"}},
    )


@pytest.mark.parametrize("name", ["prompt", "previous_response_id", "conversation"])
def test_what_stands_at_openai_is_needed(name: str) -> None:
    error = refused(input=None, **{name: "x"})
    assert (type(error), error.param) == (Unsupported, name)
    read = chat(**{name: "x"})
    for other in ("openai-chat", "anthropic-messages", "gemini"):
        with pytest.raises(Unsupported) as raised:
            wire(other).write_request(read, "m", stream=False, max_output=9, quirks=Quirks())
        assert raised.value.param == name


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"include": ["message.output_text.logprobs"]}, "logprobs"),
        ({"include": ["file_search_call.results", "message.output_text.logprobs"]}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
    ],
)
def test_what_would_change_the_answer_is_not_left_out(fields: Json, param: str) -> None:
    with pytest.raises(Unsupported) as raised:
        wire("anthropic-messages").write_request(chat(**fields), "m", stream=False, max_output=9, quirks=Quirks())
    assert raised.value.param == param


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"include": ["file_search_call.results"]}, "include"),
        ({"store": True}, "store"),
        ({"truncation": "auto"}, "truncation"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"safety_identifier": "u"}, "safety_identifier"),
        ({"prompt_cache_key": "k"}, "prompt_cache_key"),
        ({"max_tool_calls": 3}, "max_tool_calls"),
        ({"text": {"verbosity": "low"}}, "verbosity"),
        ({"text": {"new": 1}}, "text.new"),
        ({"reasoning": {"effort": "low", "context": "all_turns"}}, "reasoning.context"),
    ],
)
def test_what_cannot_be_honoured_is_told(fields: Json, named: str) -> None:
    written = wire("anthropic-messages").write_request(
        chat(**fields), "m", stream=False, max_output=9_000, quirks=Quirks()
    )
    assert len([warning for warning in written.warnings if warning.startswith(f"{named} ")]) == 1


IDLE: Json = {
    "store": False,
    "truncation": "disabled",
    "service_tier": "auto",
    "metadata": {},
    "background": False,
    "include": ["reasoning.encrypted_content"],
    "top_logprobs": 0,
    "text": {"format": {"type": "text"}, "verbosity": None},
    "reasoning": {"effort": None, "summary": None},
    "previous_response_id": None,
}


@pytest.mark.parametrize("name", IDLE)
def test_what_asks_for_nothing_is_not_told(name: str) -> None:
    read = chat(**{name: IDLE[name]})
    assert (read.output, read.thinking) == (None, None)
    written = wire("anthropic-messages").write_request(read, "m", stream=False, max_output=9, quirks=Quirks())
    assert written.warnings == ()


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({"text": {"format": {"type": "json_object"}}}, JsonOutput()),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"a": 1}}}},
            JsonOutput({"a": 1}, "n"),
        ),
        ({"text": {"format": None}}, None),
    ],
)
def test_the_form_of_the_answer(fields: Json, output: JsonOutput | None) -> None:
    assert chat(**fields).output == output


@pytest.mark.parametrize(
    ("given", "thinking"),
    [
        ({"effort": "high"}, Thinking("high")),
        ({"effort": "none"}, Thinking("none")),
        ({"summary": "auto"}, Thinking()),
        ({"generate_summary": "concise", "effort": None}, Thinking()),
        ({}, None),
        (None, None),
    ],
)
def test_how_much_to_think(given: Json | None, thinking: Thinking | None) -> None:
    assert chat(reasoning=given).thinking == thinking


ALLOWED: Json = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "time"}]}


@pytest.mark.parametrize(
    ("given", "choice", "names"),
    [
        (None, None, ["weather", "time"]),
        ("auto", ToolChoice("auto"), ["weather", "time"]),
        ("none", ToolChoice("none"), ["weather", "time"]),
        ({"type": "function", "name": "time"}, ToolChoice("named", "time"), ["weather", "time"]),
        (ALLOWED, ToolChoice("required"), ["time"]),
        ({**ALLOWED, "mode": "auto"}, ToolChoice("auto"), ["time"]),
    ],
)
def test_the_choice_of_tools(given: Any, choice: ToolChoice | None, names: list[str]) -> None:
    read = chat(tools=[WEATHER, TIME], tool_choice=given)
    assert (read.tool_choice, [tool.name for tool in read.tools]) == (choice, names)


@pytest.mark.parametrize(
    ("fields", "kind", "param"),
    [
        ({"tools": [WEATHER, {"type": "web_search"}]}, Unsupported, "tools[1].type"),
        ({"tools": [{"type": "custom", "name": "x"}]}, Unsupported, "tools[0].type"),
        ({"tools": [{"type": "mcp", "server_label": "x"}]}, Unsupported, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, InvalidRequest, "tools[0]"),
        ({"tools": [{"type": "function", "name": "f", "parameters": 5}]}, InvalidRequest, "tools[0].parameters"),
        ({"tools": [WEATHER], "tool_choice": {"type": "web_search"}}, Unsupported, "tool_choice.type"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function"}}, InvalidRequest, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": "maybe"}, InvalidRequest, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": ALLOWED}, InvalidRequest, "tool_choice.tools"),
        (
            {"tools": [TIME], "tool_choice": {**ALLOWED, "tools": [*ALLOWED["tools"], {**WEATHER, "name": "x"}]}},
            InvalidRequest,
            "tool_choice.tools",
        ),
        (
            {"tools": [WEATHER], "tool_choice": {**ALLOWED, "tools": [{"type": "mcp"}]}},
            InvalidRequest,
            "tool_choice.tools",
        ),
        ({"text": {"format": {"type": "grammar"}}}, Unsupported, "text.format"),
        ({"text": {"format": {"type": "json_schema"}}}, InvalidRequest, "text.format.schema"),
        ({"text": {"format": {"type": 5}}}, InvalidRequest, "text.format.type"),
        ({"text": 5}, InvalidRequest, "text"),
        ({"reasoning": {"effort": "huge"}}, InvalidRequest, "reasoning.effort"),
        ({"reasoning": {"effort": 5}}, InvalidRequest, "reasoning.effort"),
        ({"temperature": "hot"}, InvalidRequest, "temperature"),
        ({"include": "all"}, InvalidRequest, "include"),
    ],
)
def test_a_setting_that_cannot_be_read_is_refused_by_its_name(fields: Json, kind: type, param: str) -> None:
    error = refused(**fields)
    assert (type(error), error.param) == (kind, param)
