"""Input items of a request for a response, read into messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ownkey.talk.chat import (
    CacheMark,
    Chat,
    File,
    Image,
    Message,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from ownkey.talk.errors import InvalidRequest, OwnkeyError, Unsupported
from ownkey.wires.openai_responses.wire import OpenAIResponses
from ownkey.wires.seal import MARK, Seal, wrap

WIRE = OpenAIResponses()

Json = dict[str, Any]


def chat(**fields: Any) -> Chat:
    return WIRE.read_chat(WIRE.read_ask(json.dumps({"model": "m", "input": "Hi", **fields}).encode()))


def parts(*items: Json) -> tuple[Any, ...]:
    messages = chat(input=list(items)).messages
    assert len(messages) == 1
    return messages[0].parts


def piece(given: Json) -> tuple[Any, ...]:
    return parts({"role": "user", "content": [given]})


def refused(**fields: Any) -> OwnkeyError:
    with pytest.raises((InvalidRequest, Unsupported)) as raised:
        chat(**fields)
    assert raised.value.hint or raised.value.param
    return raised.value


OWN_ONLY = ("item_reference", "compaction", "additional_tools", "configuration_update")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"type": "input_text", "text": "a"}, (Text("a"),)),
        ({"type": "refusal", "refusal": "no"}, (Refusal("no"),)),
        ({"type": "input_image", "image_url": "https://e/a.png"}, (Image(url="https://e/a.png"),)),
        (
            {"type": "input_image", "image_url": "data:image/png;base64,QUJD", "detail": "low"},
            (Image("QUJD", "image/png", detail="low"),),
        ),
        (
            {"type": "input_file", "file_data": "data:text/csv;base64,QUJD", "filename": "a.csv"},
            (File("QUJD", "text/csv", name="a.csv"),),
        ),
        ({"type": "input_file", "file_data": "QUJD"}, (File("QUJD", "application/pdf"),)),
        (
            {"type": "input_file", "file_url": "https://e/a.pdf"},
            (File(url="https://e/a.pdf", media_type="application/pdf"),),
        ),
        ({"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}}, (File("QUJD", "audio/mp3"),)),
        (
            {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}},
            (Text("a"), CacheMark()),
        ),
    ],
)
def test_a_piece_of_content_is_read(given: Json, read: tuple[Any, ...]) -> None:
    assert piece(given) == read
    if given["type"] != "refusal":
        message = chat(input=[{"type": "function_call_output", "call_id": "c", "output": [given]}]).messages[0]
        assert message == Message("tool", (ToolResult("c", read),))


@pytest.mark.parametrize("kind", ["input_image", "input_file", "input_video"])
def test_a_file_that_lies_at_openai_is_openais(kind: str) -> None:
    given = {"type": kind, "file_id": "file-1"}
    assert piece(given) == (Opaque("openai-responses", given),)
    error = refused(input=[{"type": "function_call_output", "call_id": "c", "output": [given]}])
    assert (type(error), error.param) == (Unsupported, "input[0].output")


@pytest.mark.parametrize(
    ("items", "param"),
    [
        ([{"role": "user", "content": [{"type": "input_text"}]}], "input[0].content[0]"),
        ([{"role": "user", "content": [{"type": "input_image"}]}], "input[0].content[0]"),
        ([{"role": "user", "content": [{"type": "input_file"}]}], "input[0].content[0]"),
        ([{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}], "input[0].content[0]"),
        ([{"role": "user", "content": [{"type": "input_text", "text": 5}]}], "input[0].content[0].text"),
        ([{"role": "user", "content": [{}]}], "input[0].content[0]"),
        ([{"role": "user", "content": 5}], "input[0].content"),
        ([{"role": "user", "content": "a"}, {"role": "tool", "content": "a"}], "input[1].role"),
        ([{"content": "a"}], "input[0]"),
        ([5], "input[0]"),
        ([{"type": []}], "input[0].type"),
        ([{"type": "function_call", "call_id": "c", "arguments": "{}"}], "input[0]"),
        ([{"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}], "input[0].arguments"),
        ([{"type": "function_call_output", "call_id": "c"}], "input[0]"),
        ([{"type": "function_call_output", "call_id": "c", "output": None}], "input[0].output"),
        ([{"type": "reasoning", "summary": 5}], "input[0].summary"),
    ],
)
def test_an_item_that_is_wrong_is_refused_by_its_place(items: list[Any], param: str) -> None:
    error = refused(input=items)
    assert (type(error), error.param) == (InvalidRequest, param)


def test_an_error_quotes_nothing_of_the_request() -> None:
    error = refused(input=[{"role": "secret words", "content": "a"}])
    assert "secret" not in str(error)


HOSTED = ("web_search_call", "tool_search_call", "custom_tool_call", "custom_tool_call_output", "mcp_approval_request")


@pytest.mark.parametrize("kind", HOSTED)
def test_a_call_of_openais_own_tools_is_openais(kind: str) -> None:
    item = {"type": kind, "call_id": "c", "arguments": {"a": 1}, "output": {"b": 2}}
    assert parts(item) == (Opaque("openai-responses", item),)


@pytest.mark.parametrize("kind", [*OWN_ONLY, "something_new"])
def test_an_item_that_changes_the_conversation_is_needed(kind: str) -> None:
    error = refused(input=[{"role": "user", "content": "a"}, {"type": kind, "id": "x"}])
    assert type(error) is Unsupported
    assert str(error.param).startswith("input[1]")


def test_who_refers_to_a_stored_item_hears_how_to_send_it() -> None:
    error = refused(input=[{"type": "item_reference", "id": "msg_1"}])
    assert "`store` is false" in error.hint


def reasoning(sealed: str | None, text: str = "", **more: Any) -> Json:
    summary = [{"type": "summary_text", "text": text}] if text else []
    return {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": sealed, **more}


SAID: Json = {"role": "assistant", "content": [{"type": "output_text", "text": "a"}]}
CALLED: Json = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
ON_TEXT, ON_CALL = wrap(Seal("gemini", "text", "t")), wrap(Seal("gemini", "call", "c"))


@pytest.mark.parametrize(
    ("items", "read"),
    [
        ([reasoning("gAA", "Hm")], (Reasoning("Hm", sealed="gAA", maker="openai-responses"),)),
        ([reasoning(None, "Hm")], (Reasoning("Hm"),)),
        (
            [reasoning(None, content=[{"type": "reasoning_text", "text": "Hm"}]), SAID],
            (Reasoning("Hm"), Text("a")),
        ),
        (
            [reasoning(wrap(Seal("anthropic-messages", "signature", "s")), "Hm")],
            (Reasoning("Hm", "s", maker="anthropic-messages"),),
        ),
        (
            [reasoning(wrap(Seal("anthropic-messages", "sealed", "s")))],
            (Reasoning("", sealed="s", maker="anthropic-messages"),),
        ),
        ([reasoning(MARK + "AA", "Hm"), SAID], (Reasoning("Hm"), Text("a"))),
        ([reasoning(ON_TEXT), SAID], (Text("a", "t"),)),
        ([reasoning(ON_CALL), CALLED], (ToolCall("c", "f", "{}", "c"),)),
        ([SAID, reasoning(ON_TEXT)], (Text("a"), Text("", "t"))),
        ([reasoning(ON_TEXT), CALLED], (Text("", "t"), ToolCall("c", "f", "{}"))),
        ([reasoning(ON_CALL), SAID, CALLED], (Text("a"), ToolCall("c", "f", "{}"))),
        ([reasoning(None), SAID], (Text("a"),)),
    ],
)
def test_reasoning_comes_back_with_its_seal_and_its_maker(items: list[Json], read: tuple[Any, ...]) -> None:
    assert parts(*items) == read


def test_a_seal_belongs_to_its_own_answer() -> None:
    read = chat(input=[SAID, reasoning(ON_TEXT), {"role": "user", "content": "b"}, SAID])
    assert [message.parts for message in read.messages] == [
        (Text("a"), Text("", "t")),
        (Text("b"),),
        (Text("a"),),
    ]


def test_a_picture_that_was_made_here_is_one_again() -> None:
    item = {"type": "image_generation_call", "status": "completed", "result": "QUJD", "output_format": "webp"}
    assert parts(item | {"id": "ig_ownkey_x_1"}) == (Image("QUJD", "image/webp"),)
    own = item | {"id": "ig_1"}
    assert parts(own) == (Opaque("openai-responses", own),)
