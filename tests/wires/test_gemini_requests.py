"""What is sent to Gemini: golden bodies, read as plain JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from ownkey.catalog.manifest import ThinkingRules
from ownkey.talk.chat import (
    Chat,
    Image,
    JsonOutput,
    Message,
    Opaque,
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
from ownkey.wires.gemini.wire import Gemini
from ownkey.wires.wire import Wire, Written, wire
from shipped import quirks_for

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"$ref": "#/$defs/n"}},
    "$defs": {"n": {"type": "number"}},
}


def write(chat: Chat, model: str = "gemini-2.5-flash", max_output: int | None = None, **quirks: Any) -> Written:
    bent = replace(quirks_for("gemini", model), **quirks)
    return Gemini().write_request(chat, model, stream=False, max_output=max_output, quirks=bent)


def body(chat: Chat, model: str = "gemini-2.5-flash", max_output: int | None = None, **quirks: Any) -> dict[str, Any]:
    return json.loads(write(chat, model, max_output, **quirks).body)


def contents(*messages: Message, model: str = "gemini-2.5-flash") -> list[Any]:
    return body(Chat(messages), model)["contents"]


def config(chat: Chat, model: str = "gemini-2.5-flash", **quirks: Any) -> dict[str, Any]:
    return body(chat, model, **quirks).get("generationConfig", {})


def call(call_id: str, name: str = "f", arguments: str = "{}", signature: str | None = None) -> ToolCall:
    return ToolCall(call_id, name, arguments, signature)


def result(call_id: str, text: str, **more: Any) -> ToolResult:
    return ToolResult(call_id, (Text(text),), **more)


def test_the_wire_stands_in_the_table() -> None:
    found = wire("gemini")
    assert isinstance(found, Wire)
    assert found.paths["chat"] == "/models/{model}:generateContent"
    assert found.paths["stream"] == "/models/{model}:streamGenerateContent?alt=sse"
    assert found.paths["models"] == "/models?pageSize=1000"
    assert dict(found.headers) == {}


def test_a_plain_question_is_written_with_nothing_more() -> None:
    assert body(Chat((user("Hi"),))) == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


def test_instructions_of_both_roles_become_the_system_instruction() -> None:
    found = body(Chat((system("One."), user("Hi"), Message("developer", (Text("Two."),)))))
    assert found["systemInstruction"] == {"parts": [{"text": "One."}, {"text": "Two."}]}
    assert found["contents"] == [{"role": "user", "parts": [{"text": "Hi"}]}]


def test_neighbours_of_one_role_become_one_content() -> None:
    assert contents(user("a"), user("b"), Message("assistant", (Text("c"), Refusal("d"))), user("e")) == [
        {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
        {"role": "model", "parts": [{"text": "c"}, {"text": "d"}]},
        {"role": "user", "parts": [{"text": "e"}]},
    ]


def test_a_chat_of_instructions_alone_is_unsupported() -> None:
    with pytest.raises(Unsupported) as raised:
        write(Chat((system("Only me."),)))
    assert raised.value.param == "messages"


@pytest.mark.parametrize(
    ("image", "written"),
    [
        (Image(data="QUJD", media_type="image/png"), {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}),
        (Image(url="data:image/webp;base64,QUJD"), {"inlineData": {"mimeType": "image/webp", "data": "QUJD"}}),
        (
            Image(url="https://example.com/a.JPG?x=1"),
            {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.com/a.JPG?x=1"}},
        ),
        (Image(url="https://example.com/a"), {"fileData": {"fileUri": "https://example.com/a"}}),
        (
            Image(url="gs://bucket/a", media_type="image/png"),
            {"fileData": {"mimeType": "image/png", "fileUri": "gs://bucket/a"}},
        ),
    ],
)
def test_images_go_inline_or_by_their_address(image: Image, written: dict[str, Any]) -> None:
    assert contents(Message("user", (Text("See"), image)))[0]["parts"] == [{"text": "See"}, written]


@pytest.mark.parametrize("image", [Image(), Image(url="data:image/png,raw")])
def test_an_image_without_data_or_address_is_unsupported(image: Image) -> None:
    with pytest.raises(Unsupported):
        write(Chat((Message("user", (image,)),)))


def test_parallel_calls_and_their_results_stand_together() -> None:
    calls = Message("assistant", (call("1", "f", '{"x": 1.0}'), call("2", "g", "")))
    found = contents(
        user("Go"), calls, Message("tool", (result("1", "sunny"),)), Message("tool", (result("2", "no", failed=True),))
    )
    assert found[1]["parts"] == [
        {"functionCall": {"id": "1", "name": "f", "args": {"x": 1.0}}},
        {"functionCall": {"id": "2", "name": "g", "args": {}}},
    ]
    assert found[2] == {
        "role": "user",
        "parts": [
            {"functionResponse": {"id": "1", "name": "f", "response": {"result": "sunny"}}},
            {"functionResponse": {"id": "2", "name": "g", "response": {"error": "no"}}},
        ],
    }


@pytest.mark.parametrize(
    ("text", "response"),
    [
        ('{"t": 3}', {"t": 3}),
        ("[1]", {"result": "[1]"}),
        ('{"t": ', {"result": '{"t": '}),
        ("", {"result": ""}),
        ('{"big": 123456789012345678901234567890}', {"big": 123456789012345678901234567890}),
    ],
)
def test_a_tool_result_is_an_object(text: str, response: dict[str, Any]) -> None:
    found = contents(user("Go"), Message("assistant", (call("1"),)), Message("tool", (result("1", text),)))
    assert found[2]["parts"][0]["functionResponse"]["response"] == response


def test_a_tool_result_takes_its_own_name_and_images_follow_the_results() -> None:
    picture = ToolResult("1", (Text("done"), Image(data="QQ==", media_type="image/png")), name="draw")
    found = contents(user("Go"), Message("tool", (picture, result("2", "ok", name="other"))))
    assert [next(iter(part)) for part in found[0]["parts"]] == [
        "text",
        "functionResponse",
        "functionResponse",
        "inlineData",
    ]
    assert found[0]["parts"][1]["functionResponse"]["name"] == "draw"


def test_a_tool_result_that_no_call_names_is_unsupported() -> None:
    with pytest.raises(Unsupported):
        write(Chat((user("Go"), Message("tool", (result("9", "ok"),)))))


@pytest.mark.parametrize("arguments", ["[1]", "{", "null", "[" * 100_000])
def test_arguments_that_are_no_object_are_unsupported(arguments: str) -> None:
    with pytest.raises(Unsupported):
        write(Chat((user("Go"), Message("assistant", (call("1", "f", arguments),)))))


def test_everything_sealed_goes_back_where_it_stood() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "s5"}
    parts = (
        Reasoning("Hm", signature="s1", maker="gemini"),
        Text("A", signature="s2"),
        Text("B"),
        Text("", signature="s3"),
        call("1", signature="s4"),
        call("2"),
        Opaque("gemini", code),
        Image(data="QQ==", media_type="image/png"),
        Opaque("gemini", {"thoughtSignature": "s6"}),
    )
    assert contents(user("Go"), Message("assistant", parts), model="gemini-3-pro-preview")[1]["parts"] == [
        {"text": "Hm", "thought": True, "thoughtSignature": "s1"},
        {"text": "A", "thoughtSignature": "s2"},
        {"text": "B"},
        {"text": "", "thoughtSignature": "s3"},
        {"functionCall": {"id": "1", "name": "f", "args": {}}, "thoughtSignature": "s4"},
        {"functionCall": {"id": "2", "name": "f", "args": {}}},
        code,
        {"inlineData": {"mimeType": "image/png", "data": "QQ=="}, "thoughtSignature": "s6"},
    ]


def test_what_another_provider_sealed_is_left_out_and_named() -> None:
    parts = (Reasoning("", sealed="xyz"), Opaque("openai-chat", {"a": 1}), Text("A"))
    found = write(Chat((user("Go"), Message("assistant", parts))))
    assert json.loads(found.body)["contents"][1]["parts"] == [{"text": "A"}]
    assert len(found.warnings) == 2


@pytest.mark.parametrize(
    ("model", "sealed"), [("gemini-3-flash", True), ("gemini-flash-latest", True), ("gemini-2.5-pro", False)]
)
def test_calls_of_other_providers_do_not_stop_the_models_that_ask_for_signatures(model: str, sealed: bool) -> None:
    found = contents(user("Go"), Message("assistant", (call("1"), call("2"))), model=model)[1]["parts"]
    assert [part.get("thoughtSignature") for part in found] == (
        ["skip_thought_signature_validator", None] if sealed else [None, None]
    )


def test_tools_carry_whole_json_schemas() -> None:
    found = body(Chat((user("Go"),), tools=(Tool("f", "Does f.", SCHEMA), Tool("g"))))
    assert found["tools"] == [
        {
            "functionDeclarations": [
                {"name": "f", "description": "Does f.", "parametersJsonSchema": SCHEMA},
                {"name": "g"},
            ]
        }
    ]
    assert "toolConfig" not in found


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (ToolChoice("named", "f"), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ],
)
def test_the_choice_of_tools_is_written(choice: ToolChoice, written: dict[str, Any]) -> None:
    found = body(Chat((user("Go"),), tools=(Tool("f"),), tool_choice=choice))
    assert found["toolConfig"] == {"functionCallingConfig": written}
    assert "toolConfig" not in body(Chat((user("Go"),), tool_choice=choice))


def test_every_setting_has_its_field() -> None:
    chat = Chat(
        (user("Hi"),),
        max_output_tokens=999,
        temperature=0.0,
        top_p=0.5,
        top_k=3,
        frequency_penalty=0.1,
        presence_penalty=-0.2,
        stop=("a", "b"),
        seed=0,
    )
    assert body(chat, max_output=7)["generationConfig"] == {
        "maxOutputTokens": 7,
        "temperature": 0.0,
        "topP": 0.5,
        "topK": 3,
        "frequencyPenalty": 0.1,
        "presencePenalty": -0.2,
        "stopSequences": ["a", "b"],
        "seed": 0,
    }


def test_the_cap_that_is_sent_is_the_one_that_was_given_whatever_the_chat_says() -> None:
    assert "generationConfig" not in body(Chat((user("Hi"),), max_output_tokens=999))
    assert body(Chat((user("Hi"),)), max_output=5)["generationConfig"] == {"maxOutputTokens": 5}


def test_json_is_asked_for_with_its_schema() -> None:
    chat = Chat((user("Hi"),), output=JsonOutput(SCHEMA))
    assert config(chat) == {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}
    assert config(Chat((user("Hi"),), output=JsonOutput())) == {"responseMimeType": "application/json"}
    assert config(chat, json_schema=False) == {"responseMimeType": "application/json"}
    assert write(chat, json_schema=False).warnings


@pytest.mark.parametrize(
    ("thinking", "model", "written"),
    [
        (Thinking(), "gemini-2.5-flash", {"includeThoughts": True}),
        (Thinking(budget_tokens=512), "gemini-2.5-flash", {"includeThoughts": True, "thinkingBudget": 512}),
        (Thinking(budget_tokens=512), "gemini-3-pro-preview", {"includeThoughts": True, "thinkingLevel": "low"}),
        (Thinking(budget_tokens=-1), "gemini-3-pro-preview", {"includeThoughts": True}),
        (Thinking(budget_tokens=-1), "gemini-2.5-flash", {"includeThoughts": True, "thinkingBudget": -1}),
        (Thinking("low"), "gemini-2.5-flash-lite", {"includeThoughts": True, "thinkingBudget": 1024}),
        (Thinking(budget_tokens=9), "gemini-2.5-flash-lite", {"includeThoughts": True, "thinkingBudget": 512}),
        (Thinking("max"), "gemini-2.5-flash-preview-09-2025", {"includeThoughts": True, "thinkingBudget": 24576}),
        (Thinking("max"), "gemini-2.5-pro", {"includeThoughts": True, "thinkingBudget": 32768}),
        (Thinking(budget_tokens=0), "gemini-2.5-flash", {"thinkingBudget": 0}),
        (Thinking("none"), "gemini-2.5-flash", {"thinkingBudget": 0}),
        (Thinking("none"), "gemini-2.5-pro", {"thinkingBudget": 128}),
        (Thinking("low"), "gemini-2.5-pro", {"includeThoughts": True, "thinkingBudget": 1024}),
        (
            Thinking("high"),
            "publishers/google/models/gemini-2.5-pro",
            {"includeThoughts": True, "thinkingBudget": 24576},
        ),
        (Thinking("high", 100), "gemini-3-flash", {"includeThoughts": True, "thinkingLevel": "high"}),
        (Thinking("none"), "gemini-3-flash", {"thinkingLevel": "low"}),
        (Thinking("minimal"), "gemini-3.7-flash", {"includeThoughts": True, "thinkingLevel": "low"}),
        (Thinking("medium"), "gemini-flash-latest", {"includeThoughts": True, "thinkingLevel": "medium"}),
        (Thinking("max"), "gemini-4-argon", {"includeThoughts": True, "thinkingLevel": "high"}),
    ],
)
def test_thinking_is_told_as_the_family_takes_it(thinking: Thinking, model: str, written: dict[str, Any]) -> None:
    assert config(Chat((user("Hi"),), thinking=thinking), model) == {"thinkingConfig": written}


@pytest.mark.parametrize(
    ("effort", "model"), [("none", "gemini-3-flash"), ("max", "gemini-3-flash"), ("none", "gemini-2.5-pro")]
)
def test_an_effort_that_is_sent_as_another_is_named(effort: Any, model: str) -> None:
    (warning,) = write(Chat((user("Hi"),), thinking=Thinking(effort)), model).warnings
    assert warning.startswith("thinking:")


def test_what_a_provider_does_not_take_is_left_out_and_named() -> None:
    found = write(Chat((user("Hi"),), seed=1, thinking=Thinking("low")), seed=False, thinking=ThinkingRules("none"))
    assert "generationConfig" not in json.loads(found.body)
    assert [warning.split()[0] for warning in found.warnings] == ["seed", "thinking:"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("n", 2), ("logprobs", True), ("top_logprobs", 3), ("logit_bias", {"1": 5}), ("modalities", ["text", "audio"])],
)
def test_G09_a_field_that_would_change_the_answer_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(Unsupported) as raised:
        write(Chat((user("Hi"),), other={name: value}))
    assert raised.value.param == name


def test_G09_a_harmless_field_is_named_in_a_warning() -> None:
    usual = {"n": 1, "logprobs": False, "modalities": ["text"], "logit_bias": None, "store": False}
    assert write(Chat((user("Hi"),), other=usual)).warnings == ()
    named = write(Chat((user("Hi"),), user="me", parallel_tools=False, other={"store": True, "verbosity": "low"}))
    assert [warning.split()[0] for warning in named.warnings] == ["store", "verbosity", "user", "parallel_tools"]


def test_text_that_is_no_unicode_is_the_callers_fault() -> None:
    with pytest.raises(InvalidRequest):
        write(Chat((user("\ud800"),)))
