"""Chat completions: files, sounds, marks for the cache and what tools show, to a provider and from a client."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openai_samples import WIRE
from ownkey.catalog.manifest import Quirks
from ownkey.talk.chat import (
    CacheMark,
    Chat,
    File,
    Image,
    Message,
    Opaque,
    Part,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    user,
)
from ownkey.talk.errors import InvalidRequest, Unsupported
from ownkey.wires.wire import Written

MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
PNG = Image(data="QUJD", media_type="image/png")
LINK = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}


def written(*messages: Message, tools: tuple[Tool, ...] = (), **quirks: Any) -> Written:
    chat = Chat(messages, tools=tools)
    return WIRE.write_request(chat, "m", stream=False, max_output=None, quirks=Quirks(**quirks))


def sent(*messages: Message, **quirks: Any) -> list[dict[str, Any]]:
    return json.loads(written(*messages, **quirks).body)["messages"]


def chat(**fields: Any) -> Chat:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]} | fields
    return WIRE.read_chat(WIRE.read_ask(json.dumps(body).encode()))


def read(*content: dict[str, Any]) -> tuple[Part, ...]:
    return chat(messages=[{"role": "user", "content": content}]).messages[0].parts


# --- of a client ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "given", "part"),
    [
        (
            "file",
            {"file_data": "data:text/plain;base64,QUJD", "filename": "a.txt"},
            File("QUJD", "text/plain", None, "a.txt"),
        ),
        ("file", {"file_data": "QUJD"}, File("QUJD", "application/pdf")),
        ("file", {"file_data": "https://a.test/b.pdf"}, File(None, "application/pdf", "https://a.test/b.pdf")),
        ("file", {"file_id": "file-1"}, Opaque("openai-chat", {"type": "file", "file": {"file_id": "file-1"}})),
        ("input_audio", {"data": "QUJD", "format": "mp3"}, File("QUJD", "audio/mp3")),
        ("input_audio", {"data": "QUJD"}, File("QUJD", "audio/wav")),
        ("input_audio", {"data": "QUJD", "format": None}, File("QUJD", "audio/wav")),
    ],
)
def test_files_and_sounds_of_a_client_are_read(kind: str, given: dict[str, Any], part: Part) -> None:
    assert read({"type": kind, kind: given}) == (part,)


def test_marks_for_the_cache_stand_after_what_they_mark() -> None:
    assert read({"type": "text", "text": "a", "cache_control": HOUR}, {"type": "text", "text": "b"}) == (
        Text("a"),
        CacheMark("1h"),
        Text("b"),
    )
    tool = {"type": "function", "function": {"name": "f"}, "cache_control": MARK}
    whole = {"role": "user", "content": "a", "cache_control": MARK}
    assert chat(tools=[tool]).tools == (Tool("f", cache=CacheMark()),)
    assert chat(messages=[whole]).messages[0].parts == (Text("a"), CacheMark())


def test_a_file_that_lies_at_the_provider_goes_back_to_it_alone_and_its_mark_is_told_once() -> None:
    part = {"type": "file", "file": {"file_id": "file-1"}}
    parts = read({**part, "cache_control": MARK})
    assert parts == (Opaque("openai-chat", part), CacheMark())
    assert sent(Message("user", parts))[0]["content"] == [part]
    assert sent(Message("user", parts), cache_marks=True)[0]["content"] == [{**part, "cache_control": MARK}]
    assert parts[0] == Opaque("openai-chat", part)


def test_what_a_tool_showed_is_read_with_its_text() -> None:
    content = [{"type": "text", "text": "see", "cache_control": MARK}, LINK]
    said = chat(messages=[{"role": "tool", "tool_call_id": "c", "content": content}]).messages[0]
    assert said.parts == (ToolResult("c", (Text("see"), CacheMark(), PNG)),)


def test_pictures_of_an_earlier_answer_are_read() -> None:
    said = {"role": "assistant", "content": "here", "images": [LINK]}
    assert chat(messages=[said]).messages[0].parts == (Text("here"), PNG)


@pytest.mark.parametrize(
    ("name", "value"), [("audio", {"id": "a"}), ("prefix", True), ("function_call", {"name": "f"})]
)
def test_G08_a_member_of_a_message_that_changes_the_answer_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(Unsupported) as caught:
        chat(messages=[{"role": "assistant", "content": "a", name: value}])
    assert caught.value.param == f"messages[0].{name}"
    assert chat(messages=[{"role": "assistant", "content": "a", name: None}]).messages[0].parts == (Text("a"),)


def test_G08_a_choice_among_some_tools_is_refused_and_one_that_names_none_is_wrong() -> None:
    with pytest.raises(Unsupported) as refused:
        chat(tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}})
    with pytest.raises(InvalidRequest) as wrong:
        chat(tool_choice={"type": "function"})
    assert (refused.value.param, wrong.value.param) == ("tool_choice", "tool_choice.function")


@pytest.mark.parametrize(
    ("fields", "thinking", "other"),
    [
        ({"reasoning": {"effort": "high"}}, Thinking("high"), {}),
        ({"reasoning": {"max_tokens": 2000}}, Thinking(budget_tokens=2000), {}),
        ({"reasoning": {"enabled": False}}, Thinking("none"), {}),
        ({"reasoning": {"enabled": True}}, Thinking(), {}),
        ({"reasoning": {"effort": "low", "exclude": True}}, Thinking("low"), {"reasoning": {"exclude": True}}),
        ({"reasoning": {"effort": "odd"}}, None, {"reasoning": {"effort": "odd"}}),
        ({"reasoning": True}, None, {"reasoning": True}),
        ({"reasoning_effort": "low", "reasoning": None}, Thinking("low"), {}),
        ({"reasoning_effort": "odd"}, None, {"reasoning_effort": "odd"}),
    ],
)
def test_how_much_to_think_is_read_in_both_forms(
    fields: dict[str, Any], thinking: Thinking | None, other: dict[str, Any]
) -> None:
    read = chat(**fields)
    assert (read.thinking, read.other) == (thinking, other)


# --- towards a provider -----------------------------------------------------------------------------------------------


def test_files_and_sounds_are_sent_with_their_data() -> None:
    parts = (
        File("QUJD", "text/plain", None, "a.txt"),
        File("QUJD"),
        File("QUJD", "audio/mpeg"),
        File("QQ", "audio/x-wav"),
    )
    assert sent(Message("user", parts))[0]["content"] == [
        {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,QUJD"}},
        {"type": "file", "file": {"filename": "file.pdf", "file_data": "data:application/pdf;base64,QUJD"}},
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
        {"type": "input_audio", "input_audio": {"data": "QQ", "format": "wav"}},
    ]


@pytest.mark.parametrize(
    "file",
    [
        File(url="https://a.test/b.pdf"),
        File(url="https://a.test/b.mp3", media_type="audio/mp3"),
        File("QQ", "video/mp4"),
    ],
)
def test_G08_a_file_that_this_form_cannot_hold_is_refused_by_name(file: File) -> None:
    with pytest.raises(Unsupported) as caught:
        sent(user("a"), Message("user", (file,)))
    assert caught.value.param == "messages[1]"


def test_a_file_is_named_by_its_address_where_the_provider_takes_that() -> None:
    message = Message("user", (File(url="https://a.test/b.pdf", name="b.pdf"),))
    given = sent(message, file_urls=True)[0]["content"][0]["file"]
    assert given == {"filename": "b.pdf", "file_data": "https://a.test/b.pdf"}


def test_what_tools_show_follows_once_all_their_results_are_told() -> None:
    asked = Message("assistant", (ToolCall("a", "look", "{}"), ToolCall("b", "hear", "{}")))
    shown = Message("tool", (ToolResult("a", (Text("see"), PNG), "look"),))
    silent = Message("tool", (ToolResult("b", (PNG,), failed=True),))
    messages = sent(asked, shown, silent, user("And?"))
    assert [message["role"] for message in messages] == ["assistant", "tool", "tool", "user", "user"]
    assert [message["content"] for message in messages[1:3]] == ["see", "Error: It follows."]
    words = [part.get("text", "") for part in messages[3]["content"]]
    assert ("look" in words[0], "a" in words[0].split()[-1], words[1], "b" in words[2].split()[-1]) == (
        True,
        True,
        "",
        True,
    )
    assert messages[3]["content"][1::2] == [LINK, LINK]
    assert messages[4]["content"] == "And?"
    assert sent(asked, shown)[-1]["content"][-1] == LINK


MARKED = (
    Message("system", (Text("be brief"), CacheMark("1h"))),
    Message("user", (Text("a"), CacheMark(), Text("b"))),
    Message("assistant", (Text("c"), ToolCall("x", "f", "{}"), CacheMark())),
    Message("tool", (ToolResult("x", (Text("d"), CacheMark())), ToolResult("y", (Text("e"),)), CacheMark())),
)


def test_marks_are_written_where_the_provider_takes_them() -> None:
    def text(said: str, mark: dict[str, str] | None = None) -> dict[str, Any]:
        return {"type": "text", "text": said} | ({"cache_control": mark} if mark else {})

    made = written(*MARKED, tools=(Tool("f", cache=CacheMark()),), cache_marks=True)
    body = json.loads(made.body)
    assert [message["content"] for message in body["messages"]] == [
        [text("be brief", HOUR)],
        [text("a", MARK), text("b")],
        [text("c", MARK)],
        [text("d", MARK)],
        [text("e", MARK)],
    ]
    assert body["tools"][0]["cache_control"] == MARK
    assert made.warnings == ()


@pytest.mark.parametrize("message", MARKED)
def test_marks_that_are_left_out_are_one_warning(message: Message) -> None:
    made = written(message, message, tools=(Tool("f", cache=CacheMark()),))
    assert b"cache_control" not in made.body
    assert len(made.warnings) == 1
    assert "cache" in made.warnings[0]


@pytest.mark.parametrize(
    "message",
    [Message("user", (CacheMark(), Text("a"))), Message("assistant", (ToolCall("x", "f", "{}"), CacheMark()))],
)
def test_a_mark_that_stands_on_no_text_is_a_warning(message: Message) -> None:
    made = written(message, cache_marks=True)
    assert b"cache_control" not in made.body
    assert len(made.warnings) == 1
