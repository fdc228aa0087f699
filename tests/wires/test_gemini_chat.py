"""A client's generateContent in full: every field has its word, or is refused by name."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.catalog.manifest import Quirks, ThinkingRules
from ownkey.talk.chat import (
    CacheMark,
    Chat,
    File,
    Image,
    JsonOutput,
    Message,
    Opaque,
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
from ownkey.wires.gemini.wire import Gemini
from ownkey.wires.seal import Seal, wrap
from ownkey.wires.wire import Named

WIRE = Gemini()
HELLO: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
Json = dict[str, Any]


def chat(**fields: Any) -> Chat:
    return WIRE.read_chat(WIRE.read_ask(json.dumps(HELLO | fields).encode(), Named("m", stream=False)))


def said(*parts: Json, role: str = "user") -> tuple[Message, ...]:
    return chat(contents=[{"role": role, "parts": list(parts)}]).messages


def refused(**fields: Any) -> tuple[type[OwnkeyError], str | None]:
    with pytest.raises((InvalidRequest, Unsupported)) as caught:
        chat(**fields)
    return type(caught.value), caught.value.param


def test_instructions_and_turns_are_messages() -> None:
    found = chat(
        systemInstruction={"role": "user", "parts": [{"text": "One."}, {"text": "Two."}]},
        contents=[
            {"parts": [{"text": "a"}]},
            {"role": "model", "parts": [{"text": "b"}]},
            {"role": "user", "parts": {"text": "c"}},
        ],
    )
    assert found.messages == (
        Message("system", (Text("One."), Text("Two."))),
        user("a"),
        Message("assistant", (Text("b"),)),
        user("c"),
    )
    assert chat(system_instruction="Be brief.").messages[0] == system("Be brief.")


DATA, MIME = "QUI=", "image/png"


@pytest.mark.parametrize(
    ("part", "read"),
    [
        ({"inlineData": {"mimeType": MIME, "data": DATA}}, Image(DATA, MIME)),
        ({"inline_data": {"mime_type": MIME, "data": "-_8="}}, Image("+/8=", MIME)),
        ({"inlineData": {"mimeType": "application/pdf", "data": DATA, "displayName": "a.pdf"}},
         File(DATA, "application/pdf", None, "a.pdf")),
        ({"inlineData": {"mimeType": "audio/wav", "data": DATA}}, File(DATA, "audio/wav")),
        ({"fileData": {"mimeType": MIME, "fileUri": "https://example.com/a"}},
         Image(None, MIME, "https://example.com/a")),
        ({"file_data": {"file_uri": "https://example.com/a.jpg"}}, Image(None, "image/jpeg", "https://example.com/a.jpg")),
        ({"fileData": {"fileUri": "https://example.com/a.pdf"}},
         File(None, "application/pdf", "https://example.com/a.pdf")),
        ({"inlineData": {"mimeType": MIME, "data": DATA}, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}},
         Image(DATA, MIME, None, "low")),
        ({"text": "a", "partMetadata": {"mine": 1}}, Text("a")),
    ],
)  # fmt: skip
def test_media_are_images_and_files(part: Json, read: object) -> None:
    assert said(part)[0].parts == (read,)


@pytest.mark.parametrize(
    "part",
    [
        {"fileData": {"mimeType": MIME, "fileUri": "gs://bucket/a"}},
        {"fileData": {"mimeType": MIME, "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a"}},
        {"fileData": {"fileUri": "https://www.youtube.com/watch?v=a"}},
        {"inlineData": {"mimeType": "video/mp4", "data": DATA}},
        {"inlineData": {"mimeType": MIME, "data": DATA}, "videoMetadata": {"fps": 1}},
        {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "s"},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"toolCall": {"toolType": "FILE_SEARCH", "id": "1"}, "thoughtSignature": "s"},
        {"inlineData": {"mimeType": MIME, "data": DATA}, "thought": True},
    ],
)
def test_what_only_google_understands_stays_as_it_is(part: Json) -> None:
    assert said(part, role="model")[0].parts == (Opaque("gemini", part),)


def test_results_find_their_calls_with_and_without_ids() -> None:
    contents = [
        {"role": "model", "parts": [
            {"functionCall": {"name": "f", "args": {"x": 1.0}}},
            {"functionCall": {"name": "f", "args": {"x": 2}}},
            {"functionCall": {"id": "own", "name": "g"}}]},
        {"role": "user", "parts": [
            {"text": "Here:"},
            {"functionResponse": {"name": "g", "response": {"output": "three"}}},
            {"functionResponse": {"id": "theirs", "name": "f", "response": {"result": "one"}}},
            {"functionResponse": {"name": "f", "response": {"error": "two"}}}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
        {"role": "function", "parts": [{"function_response": {"name": "f", "response": {"n": 4}}}]},
    ]  # fmt: skip
    found = chat(contents=contents).messages
    calls = [part for message in found for part in message.parts if isinstance(part, ToolCall)]
    results = [part for message in found for part in message.parts if isinstance(part, ToolResult)]
    assert [call.arguments for call in calls] == ['{"x":1.0}', '{"x":2}', "{}", "{}"]
    assert len({call.id for call in calls}) == 4
    assert [message.role for message in found] == ["assistant", "tool", "tool", "tool", "user", "assistant", "tool"]
    assert results == [
        ToolResult("own", (Text("three"),), "g"),
        ToolResult(calls[0].id, (Text("one"),), "f"),
        ToolResult(calls[1].id, (Text("two"),), "f", failed=True),
        ToolResult(calls[3].id, (Text('{"n":4}'),), "f"),
    ]
    assert chat(contents=contents[:2]).messages == found[:5], "ids are the same when the conversation goes on"


def test_a_result_holds_images_and_documents() -> None:
    image = {"inlineData": {"mimeType": MIME, "data": DATA}}
    pdf = {"fileData": {"mimeType": "application/pdf", "fileUri": "https://example.com/a"}}
    (message,) = said({"functionResponse": {"id": "1", "name": "f", "response": {}, "parts": [image, pdf]}})
    assert message.parts == (
        ToolResult("1", (Image(DATA, MIME), File(None, "application/pdf", "https://example.com/a")), "f"),
    )
    googles = {"fileData": {"mimeType": MIME, "fileUri": "gs://a"}}
    kind, param = refused(contents=[{"parts": [{"functionResponse": {"name": "f", "parts": [googles]}}]}])
    assert (kind, param) == (Unsupported, "contents[0].parts[0].functionResponse")


def test_a_streamed_answer_kept_chunk_by_chunk_is_one_answer_again() -> None:
    """Google's clients keep each chunk as a content, and write every seal in the alphabet for URLs."""
    seal = wrap(Seal("anthropic-messages", "signature", "sig?>~")).replace("+", "-").replace("/", "_")
    sealed = wrap(Seal("openai-responses", "sealed", "blob"))
    pieces: list[Json] = [
        {"text": "I th", "thought": True},
        {"text": "ink", "thought": True},
        {"text": "", "thought": True, "thoughtSignature": seal},
        {"text": "", "thought": True, "thought_signature": sealed},
        {"text": "Hel"},
        {"text": "lo"},
        {"functionCall": {"id": "1", "name": "f"}, "thoughtSignature": "skip_thought_signature_validator"},
        {"text": ""},
    ]
    (answer,) = chat(contents=[{"role": "model", "parts": [piece]} for piece in pieces]).messages
    assert answer.parts == (
        Reasoning("I think", "sig?>~", maker="anthropic-messages"),
        Reasoning("", sealed="blob", maker="openai-responses"),
        Text("Hello"),
        ToolCall("1", "f", "{}"),
    )


def test_googles_own_seals_keep_their_places() -> None:
    parts = [
        {"text": "Hm", "thought": True},
        {"text": "So", "thoughtSignature": "s1"},
        {"text": "it is"},
        {"functionCall": {"id": "1", "name": "f"}, "thoughtSignature": "s2"},
        {"inlineData": {"mimeType": MIME, "data": DATA}, "thoughtSignature": "s3"},
        {"text": "", "thoughtSignature": "s4"},
    ]
    (answer,) = said(*parts, role="model")
    assert answer.parts == (
        Reasoning("Hm"),
        Text("So", "s1"),
        Text("it is"),
        ToolCall("1", "f", "{}", "s2"),
        Image(DATA, MIME),
        Opaque("gemini", {"thoughtSignature": "s3"}),
        Text("", "s4"),
    )


def test_googles_schemas_become_json_schemas() -> None:
    schema = {
        "type": "OBJECT",
        "nullable": False,
        "property_ordering": ["b", "a"],
        "required": ["a"],
        "properties": {
            "a": {"type": "STRING", "nullable": True, "enum": ["x", "y"], "example": "x"},
            "b": {"type": "ARRAY", "items": {"type": "INTEGER", "format": "int32"}, "min_items": "1"},
            "any_of": {"anyOf": [{"type": "NUMBER"}, {"type": 4}], "nullable": True, "title": "Any"},
            "type": {"type": "TYPE_UNSPECIFIED"},
        },
    }
    plain = {
        "type": "object",
        "required": ["a"],
        "properties": {
            "b": {"type": "array", "items": {"type": "integer", "format": "int32"}, "minItems": 1},
            "a": {"type": ["string", "null"], "enum": ["x", "y", None], "examples": ["x"]},
            "any_of": {"anyOf": [{"type": "number"}, {"type": "boolean"}, {"type": "null"}], "title": "Any"},
            "type": {},
        },
    }
    tools = {"function_declarations": [{"name": "f", "description": "F", "parameters": schema}]}
    (tool,) = chat(tools=tools).tools
    assert tool == Tool("f", "F", plain)
    assert list((tool.parameters or {})["properties"])[:2] == ["b", "a"]
    found = chat(generationConfig={"responseMimeType": "application/json", "responseSchema": schema})
    assert found.output == JsonOutput(plain)
    kept = {"type": "object", "properties": {"OBJECT": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": ["null"]}}}
    for name in ("parametersJsonSchema", "parameters"):
        assert chat(tools=[{"functionDeclarations": [{"name": "f", name: kept}]}]).tools[0].parameters == kept


@pytest.mark.parametrize(
    ("config", "tools", "choice"),
    [
        ({"mode": "AUTO"}, "fg", ToolChoice("auto")),
        ({"mode": "any"}, "fg", ToolChoice("required")),
        ({"mode": "NONE", "allowedFunctionNames": ["f"]}, "fg", ToolChoice("none")),
        ({"mode": "ANY", "allowed_function_names": ["f"]}, "f", ToolChoice("named", "f")),
        ({"mode": "ANY", "allowedFunctionNames": ["g", "f"]}, "fg", ToolChoice("required")),
        ({}, "fg", None),
    ],
)
def test_the_choice_of_tools_is_read(config: Json, tools: str, choice: ToolChoice | None) -> None:
    declared = [{"functionDeclarations": [{"name": "f"}]}, {"functionDeclarations": [{"name": "g"}]}]
    found = chat(tools=declared, toolConfig={"functionCallingConfig": config})
    assert (found.tool_choice, "".join(tool.name for tool in found.tools), found.other) == (choice, tools, {})


def test_a_choice_that_has_no_word_is_named() -> None:
    found = chat(toolConfig={"functionCallingConfig": {"mode": "VALIDATED"}, "retrievalConfig": {"languageCode": "de"}})
    assert found.tool_choice == ToolChoice("auto")
    assert found.other.keys() == {"toolConfig.functionCallingConfig.mode", "toolConfig.retrievalConfig"}


@pytest.mark.parametrize("tool", ["googleSearch", "codeExecution", "urlContext", "fileSearch", "mcpServers", "new"])
def test_G09_a_tool_that_google_runs_is_unsupported_by_name(tool: str) -> None:
    assert refused(tools=[{"functionDeclarations": []}, {tool: {}}]) == (Unsupported, f"tools[1].{tool}")


def test_every_setting_has_its_word() -> None:
    found = chat(
        generationConfig={
            "maxOutputTokens": 9,
            "temperature": 0,
            "topP": "0.5",
            "top_k": 40.0,
            "stopSequences": ["a", "b"],
            "seed": "7",
            "frequencyPenalty": 0.1,
            "presence_penalty": -0.2,
            "thinkingConfig": {"thinkingLevel": "low", "includeThoughts": True},
        }
    )
    assert found == Chat(
        (user("hi"),), max_output_tokens=9, temperature=0, top_p=0.5, top_k=40, stop=("a", "b"), seed=7,
        frequency_penalty=0.1, presence_penalty=-0.2, thinking=Thinking("low"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("config", "thinking"),
    [
        ({"thinkingBudget": 512}, Thinking(budget_tokens=512)),
        ({"thinking_budget": 0}, Thinking(budget_tokens=0)),
        ({"thinkingBudget": -1}, Thinking()),
        ({"includeThoughts": True}, Thinking()),
        ({"includeThoughts": False}, None),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, None),
        ({"thinkingLevel": "XHIGH"}, Thinking("xhigh")),
    ],
)
def test_thinking_is_read(config: Json, thinking: Thinking | None) -> None:
    assert chat(generationConfig={"thinkingConfig": config}).thinking == thinking


@pytest.mark.parametrize(
    ("config", "output"),
    [
        ({"responseMimeType": "text/plain"}, None),
        ({"response_mime_type": "application/json"}, JsonOutput()),
        ({"responseJsonSchema": {"type": "array"}}, JsonOutput({"type": "array"})),
        ({"responseFormat": [{"text": {"mimeType": "APPLICATION_JSON", "schema": {"a": 1}}}]}, JsonOutput({"a": 1})),
        ({"responseFormat": {"text": {"mimeType": "TEXT_PLAIN"}}}, None),
    ],
)
def test_the_form_of_the_answer_is_read(config: Json, output: JsonOutput | None) -> None:
    assert chat(generationConfig=config).output == output


def test_G09_what_has_no_word_keeps_its_name_or_openais() -> None:
    found = chat(
        safetySettings=[{"category": "C", "threshold": "OFF"}],
        cached_content="cachedContents/a",
        labels={"team": "a"},
        serviceTier="STANDARD",
        store=False,
        generationConfig={
            "candidateCount": 2,
            "responseLogprobs": True,
            "logprobs": 3,
            "responseModalities": ["TEXT", "IMAGE"],
            "speechConfig": {"languageCode": "de"},
            "mediaResolution": "MEDIA_RESOLUTION_LOW",
            "responseFormat": [{"image": {}}],
        },
    )
    assert found.other == {
        "safetySettings": [{"category": "C", "threshold": "OFF"}],
        "cachedContent": "cachedContents/a",
        "labels": {"team": "a"},
        "service_tier": "default",
        "store": False,
        "n": 2,
        "logprobs": True,
        "top_logprobs": 3,
        "modalities": ["text", "image"],
        "speechConfig": {"languageCode": "de"},
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
        "responseFormat": [{"image": {}}],
    }


@pytest.mark.parametrize(
    ("fields", "kind", "param"),
    [
        ({"contents": [{"role": "system", "parts": []}]}, InvalidRequest, "contents[0].role"),
        ({"contents": [{"parts": [{"text": 5}]}]}, InvalidRequest, "contents[0].parts[0].text"),
        ({"contents": [{"parts": [{"functionCall": {}}]}]}, InvalidRequest, "contents[0].parts[0].functionCall.name"),
        ({"contents": [{"parts": [{"functionCall": {"name": "f", "args": []}}]}]}, InvalidRequest,
         "contents[0].parts[0].functionCall.args"),
        ({"contents": [{"parts": [{"functionCall": {"name": "f", "partialArgs": []}}]}]}, Unsupported,
         "contents[0].parts[0].functionCall"),
        ({"contents": [{"parts": [{"inlineData": {"data": "QQ=="}}]}]}, InvalidRequest,
         "contents[0].parts[0].inlineData.mimeType"),
        ({"systemInstruction": {"parts": [{"inlineData": {"mimeType": MIME, "data": DATA}}]}}, Unsupported,
         "systemInstruction.parts[0]"),
        ({"generationConfig": {"temperature": "hot"}}, InvalidRequest, "generationConfig.temperature"),
        ({"generationConfig": {"seed": 1.5}}, InvalidRequest, "generationConfig.seed"),
        ({"generationConfig": {"stopSequences": [1]}}, InvalidRequest, "generationConfig.stopSequences"),
        ({"generationConfig": {"responseMimeType": "text/x.enum"}}, Unsupported, "generationConfig.responseMimeType"),
        ({"generationConfig": {"thinkingConfig": {"thinkingLevel": "HUGE"}}}, InvalidRequest,
         "generationConfig.thinkingConfig.thinkingLevel"),
        ({"tools": [{"functionDeclarations": [{"name": "f", "behavior": "NON_BLOCKING"}]}]}, Unsupported,
         "tools[0].functionDeclarations[0].behavior"),
        ({"tools": [{"functionDeclarations": [{}]}]}, InvalidRequest, "tools[0].functionDeclarations[0].name"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}, InvalidRequest,
         "toolConfig.functionCallingConfig.mode"),
    ],
)  # fmt: skip
def test_G06_what_cannot_be_read_is_refused_by_its_place(fields: Json, kind: type, param: str) -> None:
    assert refused(**fields) == (kind, param)


def test_G03_a_schema_nested_too_deeply_is_refused() -> None:
    deep: Json = {"type": "OBJECT"}
    for _ in range(sys.getrecursionlimit() // 2):
        deep = {"items": deep}
    kind, _ = refused(tools=[{"functionDeclarations": [{"name": "f", "parameters": deep}]}])
    assert kind is InvalidRequest


IMAGES = (Image("QUI=", MIME), Image(None, MIME, "https://example.com/a"))
CHATS: dict[str, Chat] = {
    "text": Chat((system("Be brief."), user("a"), Message("assistant", (Text("b"),)), user("c"))),
    "images": Chat((Message("user", (Text("See"), *IMAGES)),)),
    "files": Chat((Message("user", (File("QUI=", "application/pdf"), File("QUI=", "audio/wav"))),)),
    "tools": Chat(
        (
            user("Go"),
            Message("assistant", (Reasoning("Hm"), ToolCall("1", "f", '{"x":1.0}', "s1"), ToolCall("2", "g", "{}"))),
            Message("tool", (ToolResult("1", (Text("sunny"),), "f"),)),
            Message("tool", (ToolResult("2", (Text("no"), *IMAGES), "g", failed=True),)),
        ),
        tools=(Tool("f", "F", {"type": "object", "properties": {}}), Tool("g")),
        tool_choice=ToolChoice("required"),
    ),
    "named tool": Chat((user("Go"),), tools=(Tool("f"),), tool_choice=ToolChoice("named", "f")),
    "seals": Chat(
        (
            user("Go"),
            Message("assistant", (Reasoning("Hm", "s0", maker="gemini"), Text("A", "s1"), Text("B"), Text("", "s2"))),
            user("On"),
        )
    ),
    "opaque": Chat((user("Go"), Message("assistant", (Opaque("gemini", {"executableCode": {"code": "1"}}),)))),
    "settings": Chat(
        (user("a"),), temperature=0.5, top_p=0.25, top_k=3, frequency_penalty=1.5, presence_penalty=-1.5,
        stop=("x",), seed=3, thinking=Thinking("low"), output=JsonOutput({"type": "object"}),
    ),
    "other": Chat((user("a"),), other={"modalities": ["text", "image"], "imageConfig": {"aspectRatio": "1:1"},
                                       "safetySettings": [], "mediaResolution": "MEDIA_RESOLUTION_LOW"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CHATS)
def test_what_is_written_is_read_as_it_was(name: str) -> None:
    written = WIRE.write_request(
        CHATS[name], "m", stream=False, max_output=None, quirks=Quirks(thinking=ThinkingRules())
    )
    assert WIRE.read_chat(WIRE.read_ask(written.body, Named("m", stream=False))) == CHATS[name]
    assert written.warnings == ()


def parts(*given: Any, role: Any = "assistant", quirks: Quirks | None = None) -> tuple[list[Json], tuple[str, ...]]:
    written = WIRE.write_request(
        Chat((user("Go"), Message(role, given))), "m", stream=False, max_output=None,
        quirks=quirks or Quirks(thinking=ThinkingRules("budget")),
    )  # fmt: skip
    contents = json.loads(written.body)["contents"]
    return [part for content in contents for part in content["parts"]][1:], written.warnings


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ((Reasoning("", "s", maker="gemini"), ToolCall("1", "f", "{}")), ["functionCall"]),
        ((Reasoning("", sealed="s", maker="gemini"), Text("a")), ["text"]),
        ((Reasoning("Hm", "s", maker="gemini"), ToolCall("1", "f", "{}")), ["text", "functionCall"]),
    ],
)
def test_a_seal_that_came_apart_is_put_back_on_what_it_stood_on(given: tuple[Any, ...], written: list[str]) -> None:
    found, warnings = parts(*given)
    assert [next(iter(part)) for part in found] == written
    assert [part.get("thoughtSignature") for part in found] == [*[None] * (len(found) - 1), "s"]
    assert not warnings


@pytest.mark.parametrize(
    "foreign",
    [
        Reasoning("Hm", "s", maker="anthropic-messages"),
        Reasoning("", sealed="s", maker="openai-responses"),
        Reasoning("Hm", "s"),
    ],
)
def test_no_other_makers_seal_is_ever_sent(foreign: Reasoning) -> None:
    found, warnings = parts(foreign, Text("A"))
    assert found == [{"text": "A"}]
    assert len(warnings) == 1


def test_cache_marks_are_left_out_with_one_warning() -> None:
    mark = CacheMark("1h")
    result = ToolResult("1", (Text("a"), mark), "f")
    chat = Chat(
        (Message("system", (Text("s"), mark)), Message("user", (Text("a"), mark, Text("b"), mark)),
         Message("tool", (result,))),
        tools=(Tool("f", cache=mark),),
    )  # fmt: skip
    written = WIRE.write_request(chat, "m", stream=False, max_output=None, quirks=Quirks())
    assert [warning for warning in written.warnings if "cache" in warning] == list(written.warnings)
    assert len(written.warnings) == 1
    assert b"1h" not in written.body


def test_an_instruction_that_holds_more_than_text_is_unsupported() -> None:
    with pytest.raises(Unsupported):
        parts(Image("QUI=", MIME), role="system")


def test_images_of_a_result_stand_in_it_where_the_model_takes_them_and_follow_it_elsewhere() -> None:
    result = ToolResult("1", (Text("done"), Image("QUI=", MIME), File("QUI=", "audio/wav")), "f")
    newer, _ = parts(result, role="tool", quirks=Quirks(thinking=ThinkingRules("effort")))
    assert [next(iter(part)) for part in newer] == ["functionResponse", "inlineData"]
    assert newer[0]["functionResponse"]["parts"] == [{"inlineData": {"mimeType": MIME, "data": "QUI="}}]
    assert newer[1]["inlineData"]["mimeType"] == "audio/wav"
    older, _ = parts(result, role="tool")
    assert [next(iter(part)) for part in older] == ["functionResponse", "inlineData", "inlineData"]
    assert "parts" not in older[0]["functionResponse"]


@pytest.mark.parametrize(
    ("file", "written"),
    [
        (File("QUI=", "text/csv"), {"inlineData": {"mimeType": "text/csv", "data": "QUI="}}),
        (File("QUI="), {"inlineData": {"mimeType": "application/pdf", "data": "QUI="}}),
        (File(url="data:application/pdf;base64,QUI="), {"inlineData": {"mimeType": "application/pdf", "data": "QUI="}}),
        (File(url="https://example.com/a.pdf?x=1"),
         {"fileData": {"mimeType": "application/pdf", "fileUri": "https://example.com/a.pdf?x=1"}}),
        (File(None, "audio/mp3", "gs://a"), {"fileData": {"mimeType": "audio/mp3", "fileUri": "gs://a"}}),
    ],
)  # fmt: skip
def test_files_go_inline_or_by_their_address(file: File, written: Json) -> None:
    assert parts(file, role="user") == ([written], ())


def test_a_file_without_data_or_address_is_unsupported_and_a_name_is_named() -> None:
    with pytest.raises(Unsupported):
        parts(File(name="a.pdf"), role="user")
    _, warnings = parts(File("QUI=", name="a.pdf"), role="user")
    assert len(warnings) == 1


NAMES = st.sampled_from(
    [
        *(
            "contents",
            "parts",
            "role",
            "text",
            "thought",
            "thoughtSignature",
            "functionCall",
            "function_response",
            "name",
        ),
        *("args", "inlineData", "fileData", "data", "mimeType", "fileUri", "systemInstruction", "tools", "toolConfig"),
        *(
            "functionDeclarations",
            "parameters",
            "generationConfig",
            "responseSchema",
            "responseFormat",
            "thinkingConfig",
        ),
        *("type", "properties", "anyOf", "items", "enum", "nullable", "maxOutputTokens", "temperature", "seed", "topK"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, JSON, max_size=5), JSON)
def test_G20_no_request_makes_the_door_fail_otherwise_than_by_an_error(fields: Json, parts: object) -> None:
    raw = json.dumps({"contents": [{"parts": parts}]} | fields).encode()
    with suppress(InvalidRequest, Unsupported):
        found = WIRE.read_ask(raw, Named("m", stream=True))
        assert "contents" in json.loads(WIRE.forward(found, "m", max_output=5, quirks=Quirks()))
        written = WIRE.read_chat(found)
        WIRE.write_request(written, "m", stream=True, max_output=5, quirks=Quirks())
