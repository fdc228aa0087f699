"""What is sent to providers that speak OpenAI's responses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.responses import FunctionToolParam, ResponseInputItemParam, ResponseTextConfigParam
from openai.types.shared_params import Reasoning as ReasoningParam
from pydantic import TypeAdapter

from ownkey.catalog.manifest import Quirks, ThinkingRules
from ownkey.talk.chat import (
    CacheMark,
    Chat,
    File,
    Image,
    JsonOutput,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    system,
    user,
)
from ownkey.talk.errors import InvalidRequest, Unsupported
from ownkey.wires.wire import Door, Written, wire
from shipped import quirks_for

WIRE = wire("openai-responses")
NAME = "openai-responses"
PLAIN = Quirks(thinking=ThinkingRules(by="none"))
WEATHER = Tool("weather", "Tells it.", {"type": "object", "properties": {"city": {"type": "string"}}}, strict=True)


def write(chat: Chat, *, stream: bool = False, max_output: int | None = None, quirks: Quirks = PLAIN) -> Written:
    return WIRE.write_request(chat, "m", stream=stream, max_output=max_output, quirks=quirks)


def ask(*messages: Message, **fields: Any) -> Chat:
    return Chat(messages or (user("hi"),), **fields)


def body(chat: Chat, **how: Any) -> dict[str, Any]:
    return json.loads(write(chat, **how).body)


def said(*parts: Part) -> Message:
    return Message("assistant", parts)


def items(*messages: Message, warned: int = 0) -> list[dict[str, Any]]:
    """The items that these messages become, each of which OpenAI's own package takes for one."""
    written = write(ask(*messages))
    assert len(written.warnings) == warned
    found: list[dict[str, Any]] = json.loads(written.body)["input"]
    for place, item in enumerate(found):
        # The package's types want what only an answer has; OpenAI itself does not.
        answered = item["type"] == "reasoning" or item.get("role") == "assistant"
        extra = {"id": f"x_{place}", "status": "completed"} if answered else {}
        TypeAdapter(ResponseInputItemParam).validate_python({**item, **extra})
    return found


def test_the_wire_is_in_the_table_and_is_a_door() -> None:
    assert isinstance(WIRE, Door)
    assert WIRE.paths["chat"] == WIRE.paths["stream"] == "/responses"


def test_the_least_request_is_stored_nowhere() -> None:
    assert body(ask()) == {
        "model": "m",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "store": False,
    }
    assert body(ask(), stream=True)["stream"] is True
    assert body(ask(), max_output=5)["max_output_tokens"] == 5
    assert "max_output_tokens" not in body(ask(max_output_tokens=5))
    assert body(ask(other={"store": True}))["store"] is True


@pytest.mark.parametrize("role", ["system", "developer"])
def test_instructions_stand_where_they_were_said(role: Any) -> None:
    chat = ask(system("be brief"), user("1"), Message(role, (Text("now long"),)), user("2"))
    assert [item["role"] for item in body(chat)["input"]] == ["system", "user", "system", "user"]
    openai = body(chat, quirks=quirks_for("openai", "gpt-5"))
    assert [item["role"] for item in openai["input"]] == ["developer", "user", "developer", "user"]
    assert "instructions" not in openai


def test_pictures_and_documents_are_carried_as_bytes_and_by_url() -> None:
    [item] = items(
        Message(
            "user",
            (
                Text("see"),
                Image(data="QUJD", media_type="image/jpeg", detail="high"),
                Image(url="https://example.org/a.png"),
                File(data="QUJD", media_type="application/pdf", name="a.pdf"),
                File(data="QUJD", media_type="text/csv"),
                File(url="https://example.org/a.pdf", media_type="application/pdf"),
            ),
        )
    )
    assert item["content"] == [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "data:image/jpeg;base64,QUJD", "detail": "high"},
        {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"},
        {"type": "input_file", "filename": "file.csv", "file_data": "data:text/csv;base64,QUJD"},
        {"type": "input_file", "file_url": "https://example.org/a.pdf"},
    ]


@pytest.mark.parametrize(
    "part",
    [
        File(data="QUJD", media_type="audio/wav"),
        File(data="QUJD", media_type="video/mp4"),
        File(name="empty"),
        Image(),
        Opaque("anthropic-messages", {"type": "document"}),
        Reasoning("hm"),
        ToolCall("a", "f", "{}"),
    ],
)
def test_G08_what_this_api_does_not_take_is_refused_with_its_place(part: Part) -> None:
    with pytest.raises(Unsupported) as raised:
        write(ask(user("1"), Message("user", (Text("hear"), part))))
    assert raised.value.param == "messages[1]"
    with pytest.raises(Unsupported) as raised:
        write(ask(user("1"), user("2"), said(Image(url="https://example.org/a"))))
    assert raised.value.param == "messages[2]"


def test_an_answer_its_parallel_calls_and_their_results_keep_their_order() -> None:
    found = items(
        user("1"),
        said(Text("I look."), ToolCall("a", "weather", '{"city": "Rome"}'), ToolCall("b", "weather", "")),
        Message("tool", (ToolResult("a", (Text("sun"), Text("warm"))),)),
        Message("tool", (ToolResult("b", (Text("no city"),), failed=True),)),
        user("2"),
    )
    assert found[1:-1] == [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "I look.", "annotations": []}],
        },
        {"type": "function_call", "call_id": "a", "name": "weather", "arguments": '{"city": "Rome"}'},
        {"type": "function_call", "call_id": "b", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "sun\n\nwarm"},
        {"type": "function_call_output", "call_id": "b", "output": "Error: no city"},
    ]


def test_results_hold_pictures_and_files_and_go_before_what_was_said_with_them() -> None:
    pictured = (Text("a map"), Image(url="https://example.org/m"), File(data="QUJD", name="a.pdf"))
    found = items(
        said(ToolCall("a", "map", "{}"), ToolCall("b", "map", "{}")),
        Message("user", (Text("and hurry"), ToolResult("a", pictured), ToolResult("b", pictured[1:], failed=True))),
    )
    assert [item["type"] for item in found] == [*["function_call"] * 2, *["function_call_output"] * 2, "message"]
    assert found[2]["output"] == [
        {"type": "input_text", "text": "a map"},
        {"type": "input_image", "image_url": "https://example.org/m", "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"},
    ]
    assert found[3]["output"] == [{"type": "input_text", "text": "Error: "}, *found[2]["output"][1:]]


def test_reasoning_goes_back_sealed_between_what_was_said() -> None:
    found = items(
        said(
            Reasoning("hm", sealed="one", maker=NAME),
            Text("first"),
            Refusal("no"),
            Reasoning("", sealed="two", maker=NAME),
            ToolCall("a", "f", "{}"),
        )
    )
    assert found == [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "one"},
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "first", "annotations": []},
                {"type": "refusal", "refusal": "no"},
            ],
        },
        {"type": "reasoning", "summary": [], "encrypted_content": "two"},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
    ]


@pytest.mark.parametrize(
    "thought",
    [
        Reasoning("hm", "signed", maker="anthropic-messages"),
        Reasoning("", sealed="data", maker="gemini"),
        Reasoning("hm", sealed="data"),
        Reasoning("hm", maker=NAME),
    ],
)
def test_reasoning_that_this_provider_did_not_seal_is_never_sent_to_it(thought: Reasoning) -> None:
    found = items(user("1"), said(thought, Text("2")), said(thought, Text("3")), warned=1)
    assert "reasoning" not in {item["type"] for item in found}
    assert len(found) == 3


def test_pieces_of_this_wire_go_back_as_they_were_and_others_do_not() -> None:
    mine = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"novel": [1]}}
    written = write(ask(user("1"), said(Opaque(NAME, mine), Opaque("gemini", {"x": 1}), Text("2"))))
    assert json.loads(written.body)["input"][1] == mine
    assert len(written.warnings) == 1
    stored = {"type": "input_file", "file_id": "file-1"}
    assert items(Message("user", (Opaque(NAME, stored),)))[0]["content"] == [stored]


def test_cache_marks_and_names_of_speakers_are_named_once() -> None:
    marked = Message("user", (Text("1"), CacheMark("1h"), Text("2"), CacheMark()), "ann")
    answered = said(Text("3"), CacheMark(), ToolCall("a", "f", "{}"))
    result = Message("tool", (ToolResult("a", (Text("4"), CacheMark())),))
    written = write(ask(marked, answered, result, marked, tools=(Tool("f", cache=CacheMark()),)))
    assert len(written.warnings) == 2
    assert b"cache" not in written.body
    assert b"ann" not in written.body.replace(b"annotations", b"")


def test_tools_are_flat_and_strict_only_where_it_was_asked() -> None:
    made = body(ask(tools=(WEATHER, Tool("ping"))))["tools"]
    assert made == [
        {
            "type": "function",
            "name": "weather",
            "description": "Tells it.",
            "parameters": WEATHER.parameters,
            "strict": True,
        },
        {"type": "function", "name": "ping", "parameters": {"type": "object", "properties": {}}, "strict": False},
    ]
    for tool in made:
        TypeAdapter(FunctionToolParam).validate_python(tool)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, None),
        (ToolChoice("auto"), "auto"),
        (ToolChoice("none"), "none"),
        (ToolChoice("required"), "required"),
        (ToolChoice("named", "weather"), {"type": "function", "name": "weather"}),
    ],
)
def test_the_choice_of_tools(choice: ToolChoice | None, expected: object) -> None:
    assert body(ask(tools=(WEATHER,), tool_choice=choice)).get("tool_choice") == expected


@pytest.mark.parametrize("parallel", [True, False])
def test_parallel_calls_are_asked_for_or_forbidden(parallel: bool) -> None:
    chat = ask(tools=(WEATHER,), parallel_tools=parallel)
    assert body(chat)["parallel_tool_calls"] is parallel
    without = write(chat, quirks=Quirks(parallel_tools=False))
    assert "parallel_tool_calls" not in json.loads(without.body)
    assert len(without.warnings) == 1


def test_the_form_of_the_answer() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    full = body(ask(output=JsonOutput(schema, "thing", "A thing.", True), other={"verbosity": "low"}))["text"]
    assert full == {
        "format": {
            "type": "json_schema",
            "name": "thing",
            "description": "A thing.",
            "schema": schema,
            "strict": True,
        },
        "verbosity": "low",
    }
    TypeAdapter(ResponseTextConfigParam).validate_python(full)
    bare = {"type": "json_schema", "name": "answer", "schema": schema, "strict": False}
    assert body(ask(output=JsonOutput(schema)))["text"] == {"format": bare}
    assert body(ask(output=JsonOutput()))["text"] == {"format": {"type": "json_object"}}
    loose = write(ask(output=JsonOutput(schema)), quirks=Quirks(json_schema=False))
    assert json.loads(loose.body)["text"] == {"format": {"type": "json_object"}}
    assert len(loose.warnings) == 1


@pytest.mark.parametrize(
    ("model", "thinking", "expected"),
    [
        ("openai/gpt-5", Thinking("low"), {"effort": "low"}),
        ("openai/gpt-5", Thinking(), None),
        ("openai/gpt-5", None, None),
        ("openai/gpt-5.1", Thinking("none"), {"effort": "none"}),
        ("openai/gpt-6.1-sol", Thinking(budget_tokens=20_000), {"effort": "high"}),
        ("xai/grok-4.3", Thinking("high"), {"effort": "high"}),
        ("openai/gpt-4o", Thinking("high"), None),
    ],
)
def test_thinking_is_told_and_what_was_thought_is_asked_back(
    model: str, thinking: Thinking | None, expected: dict[str, str] | None
) -> None:
    provider, _, name = model.partition("/")
    quirks = quirks_for(provider, name)
    sent = body(ask(thinking=thinking), quirks=quirks)
    assert sent.get("reasoning") == expected
    TypeAdapter(ReasoningParam).validate_python(expected or {})
    # Models that do not reason refuse the wish for what they thought.
    asked_back = None if quirks.thinking.by == "none" else ["reasoning.encrypted_content"]
    assert sent.get("include") == asked_back


@pytest.mark.parametrize("model", ["gpt-5.6-luna", "gpt-6-astra", "gpt-6.1-sol"])
def test_tools_are_taken_while_thinking_whatever_holds_for_chat_completions(model: str) -> None:
    quirks = quirks_for("openai", model)
    assert quirks.thinking.tools == "unthinking"
    written = write(ask(tools=(WEATHER,), thinking=Thinking("high")), quirks=quirks)
    sent = json.loads(written.body)
    assert sent["reasoning"]["effort"] == "high"
    assert sent["tools"]
    assert written.warnings == ()


def test_sampling_is_set_where_the_model_lets_it() -> None:
    assert body(ask(temperature=0.2, top_p=0.5))["temperature"] == 0.2
    fixed = quirks_for("openai", "gpt-5")
    written = write(ask(temperature=0.2, top_p=0.5), quirks=fixed)
    assert not {"temperature", "top_p"} & json.loads(written.body).keys()
    assert len(written.warnings) == 2
    assert write(ask(temperature=1, top_p=1), quirks=fixed).warnings == ()


def test_stop_sequences_are_refused_for_they_would_change_the_answer() -> None:
    with pytest.raises(Unsupported) as raised:
        write(ask(stop=("END",)))
    assert raised.value.param == "stop"


def test_G09_what_promises_nothing_is_left_out_and_named() -> None:
    settings = {"top_k": 0, "seed": 0, "frequency_penalty": 0.5, "presence_penalty": 0.5}
    written = write(ask(**settings, other={"prediction": {"type": "content"}}))
    assert json.loads(written.body).keys() == {"model", "input", "store"}
    for name in (*settings, "prediction"):
        assert sum(warning.startswith(f"{name} ") for warning in written.warnings) == 1
    assert write(ask(frequency_penalty=0, presence_penalty=0)).warnings == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 2),
        ("logprobs", True),
        ("top_logprobs", 3),
        ("logit_bias", {"1": 2}),
        ("audio", {"voice": "x"}),
        ("modalities", ["text", "audio"]),
        ("functions", [{"name": "f"}]),
        ("web_search_options", {}),
        ("mcp_servers", [{"url": "https://example.org"}]),
    ],
)
def test_G08_what_would_change_the_answer_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(Unsupported) as raised:
        write(ask(other={name: value}))
    assert raised.value.param == name


def test_what_this_api_knows_by_the_same_name_is_carried() -> None:
    other = {
        "metadata": {"a": "1"},
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "safety_identifier": "s",
        "truncation": "auto",
    }
    written = write(ask(user="u", other=other))
    sent = json.loads(written.body)
    assert {name: sent[name] for name in other} == other
    assert sent["user"] == "u"
    assert written.warnings == ()


@pytest.mark.parametrize(("tier", "sent", "warned"), [("flex", True, 0), ("priority", False, 1), ("auto", False, 0)])
def test_only_a_tier_that_is_never_dearer_goes_on(tier: str, sent: bool, warned: int) -> None:
    written = write(ask(other={"service_tier": tier}))
    assert ("service_tier" in json.loads(written.body)) is sent
    assert len(written.warnings) == warned


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        write(ask(user("\ud800")))
