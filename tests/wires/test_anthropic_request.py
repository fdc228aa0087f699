"""Requests of the Anthropic Messages wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ownkey.catalog.manifest import Quirks, ThinkingRules
from ownkey.talk.chat import (
    Chat,
    Effort,
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
from ownkey.wires.wire import Written, wire

WIRE = wire("anthropic-messages")
OLDER = Quirks(thinking=ThinkingRules("budget", least=1_024))
WEATHER = Tool("weather", "Tells it.", {"type": "object", "properties": {"city": {"type": "string"}}})


def write(chat: Chat, *, stream: bool = False, max_output: int | None = 1000, quirks: Quirks | None = None) -> Written:
    return WIRE.write_request(chat, "claude-x", stream=stream, max_output=max_output, quirks=quirks or Quirks())


def ask(*messages: Message, **fields: Any) -> Chat:
    return Chat(messages or (user("hi"),), **fields)


def body(chat: Chat, **how: Any) -> dict[str, Any]:
    return json.loads(write(chat, **how).body)


def said(*parts: Part) -> Message:
    return Message("assistant", parts)


def test_the_least_request() -> None:
    assert body(ask()) == {
        "model": "claude-x",
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    }
    assert body(ask(), stream=True)["stream"] is True


def test_every_setting_that_has_a_word_here_is_carried() -> None:
    chat = ask(temperature=0.5, top_k=40, stop=("END", "\nQ:"), user="u-1")
    assert {name: value for name, value in body(chat).items() if name not in ("model", "messages")} == {
        "max_tokens": 1000,
        "temperature": 0.5,
        "top_k": 40,
        "stop_sequences": ["END", "\nQ:"],
        "metadata": {"user_id": "u-1"},
    }
    assert body(ask(top_p=0.9))["top_p"] == 0.9


@pytest.mark.row("B18")
def test_the_cap_is_the_one_given_and_there_always_is_one() -> None:
    assert body(ask(max_output_tokens=9), max_output=77)["max_tokens"] == 77
    assert body(ask(max_output_tokens=9), max_output=None)["max_tokens"] == 9
    assert body(ask(), max_output=None)["max_tokens"] == 4096
    assert body(ask(thinking=Thinking(budget_tokens=9000)), max_output=None, quirks=OLDER)["max_tokens"] > 9000


def test_one_instruction_is_text_and_several_are_kept_apart() -> None:
    assert body(ask(system("Be brief."), user("hi")))["system"] == "Be brief."
    chat = ask(system("Be brief."), Message("developer", (Text("Be kind."),)), user("hi"))
    assert body(chat)["system"] == [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]


def test_a_later_instruction_moves_to_the_start_and_is_named() -> None:
    written = write(ask(system("a"), user("1"), said(Text("2")), system("b"), user("3")))
    sent = json.loads(written.body)
    assert [block["text"] for block in sent["system"]] == ["a", "b"]
    assert [turn["role"] for turn in sent["messages"]] == ["user", "assistant", "user"]
    assert "moved to its start" in written.warnings[0]


def test_instructions_alone_are_no_conversation() -> None:
    with pytest.raises(Unsupported):
        write(ask(system("a")))


def test_neighbours_of_one_role_become_one_turn() -> None:
    sent = body(ask(user("1"), user("2"), said(Text("3")), said(Text("4")), user("5")))
    assert [(turn["role"], [block["text"] for block in turn["content"]]) for turn in sent["messages"]] == [
        ("user", ["1", "2"]),
        ("assistant", ["3", "4"]),
        ("user", ["5"]),
    ]


def test_empty_texts_are_left_out() -> None:
    sent = body(ask(user("1"), said(Text("")), user("2")))
    assert [len(turn["content"]) for turn in sent["messages"]] == [2]


def test_images_go_by_data_and_by_url() -> None:
    image, link = Image(data="aGk=", media_type="image/png"), Image(url="https://example.org/a.png")
    assert body(ask(Message("user", (Text("see"), image, link))))["messages"][0]["content"] == [
        {"type": "text", "text": "see"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
    ]


@pytest.mark.parametrize("image", [Image(), Image(data="aGk=")])
def test_an_incomplete_image_is_refused(image: Image) -> None:
    with pytest.raises(InvalidRequest) as raised:
        write(ask(Message("user", (image,))))
    assert raised.value.param == "messages"


def test_parallel_tool_results_go_first_in_one_turn() -> None:
    sent = body(
        ask(
            user("weather?"),
            said(Text("looking"), ToolCall("a", "weather", '{"city": "Rome"}'), ToolCall("b", "weather", "")),
            Message("tool", (ToolResult("a", (Text("sun"),), "weather"),)),
            user("and hurry"),
            Message(
                "tool",
                (
                    ToolResult("b", (Text("no city"), Image(url="https://example.org/x")), failed=True),
                    ToolResult("c", ()),
                ),
            ),
            tools=(WEATHER,),
        )
    )
    assert sent["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "looking"},
                {"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Rome"}},
                {"type": "tool_use", "id": "b", "name": "weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "sun"},
                {
                    "type": "tool_result",
                    "tool_use_id": "b",
                    "content": [
                        {"type": "text", "text": "no city"},
                        {"type": "image", "source": {"type": "url", "url": "https://example.org/x"}},
                    ],
                    "is_error": True,
                },
                {"type": "tool_result", "tool_use_id": "c"},
                {"type": "text", "text": "and hurry"},
            ],
        },
    ]


def test_ids_that_this_wire_refuses_are_mended_on_both_sides() -> None:
    sent = body(
        ask(user("1"), said(ToolCall("f.get:0", "f", "{}")), Message("tool", (ToolResult("f.get:0", (Text("x"),)),)))
    )
    assert sent["messages"][1]["content"][0]["id"] == sent["messages"][2]["content"][0]["tool_use_id"] == "f_get_0"


@pytest.mark.parametrize("arguments", ['{"city": "Ro', "[1]", "5", "null", "not json"])
def test_arguments_that_are_no_object_are_wrapped_and_named(arguments: str) -> None:
    written = write(ask(user("1"), said(ToolCall("a", "f", arguments))))
    assert json.loads(written.body)["messages"][1]["content"][0]["input"] == {"invalid_json": arguments}
    assert len(written.warnings) == 1


def test_reasoning_goes_back_sealed_as_it_came() -> None:
    written = write(
        ask(
            user("1"),
            said(
                Reasoning("hm", "sig", maker="anthropic-messages"),
                Reasoning("", sealed="data", maker="anthropic-messages"),
                Reasoning("x"),
                Text("2"),
            ),
        )
    )
    assert json.loads(written.body)["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "data"},
        {"type": "text", "text": "2"},
    ]
    assert "signature" in written.warnings[0]


def test_pieces_of_this_wire_go_back_as_they_were_and_others_do_not() -> None:
    mine = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}, "novel": [1]}
    written = write(ask(user("1"), said(Opaque("anthropic-messages", mine), Opaque("gemini", {"x": 1}), Refusal("no"))))
    assert json.loads(written.body)["messages"][1]["content"] == [mine, {"type": "text", "text": "no"}]
    assert len(written.warnings) == 1
    with pytest.raises(Unsupported) as raised:
        write(ask(Message("user", (Text("hear"), Opaque("openai-chat", {"type": "input_audio"})))))
    assert raised.value.param == "messages"


def test_an_answer_can_be_sent_back_as_history() -> None:
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "sealed"},
        {"type": "text", "text": "on it"},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
    ]
    reply = WIRE.read_reply(json.dumps({"content": content}).encode())
    assert body(ask(user("1"), Message("assistant", reply.parts)))["messages"][1]["content"] == content


def test_tools_are_carried_with_a_schema_that_is_an_object() -> None:
    bare, loose = Tool("ping", strict=True), Tool("loose", None, {"properties": {}})
    assert body(ask(tools=(WEATHER, bare, loose)))["tools"] == [
        {"name": "weather", "description": "Tells it.", "input_schema": WEATHER.parameters},
        {"name": "ping", "input_schema": {"type": "object", "properties": {}}, "strict": True},
        {"name": "loose", "input_schema": {"type": "object", "properties": {}}},
    ]


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("auto"), None, {"type": "auto"}),
        (ToolChoice("none"), False, {"type": "none"}),
        (ToolChoice("required"), None, {"type": "any"}),
        (ToolChoice("named", "weather"), False, {"type": "tool", "name": "weather", "disable_parallel_tool_use": True}),
    ],
)
def test_the_choice_of_tools(choice: ToolChoice | None, parallel: bool | None, expected: object) -> None:
    assert body(ask(tools=(WEATHER,), tool_choice=choice, parallel_tools=parallel)).get("tool_choice") == expected
    assert "tool_choice" not in body(ask(tool_choice=choice, parallel_tools=parallel))


def test_a_schema_is_asked_for_and_json_of_any_form_is_refused() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    sent = body(ask(output=JsonOutput(schema, "thing"), thinking=Thinking("low")))
    assert sent["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": schema}}
    for chat, quirks in (
        (ask(output=JsonOutput()), Quirks()),
        (ask(output=JsonOutput(schema)), Quirks(json_schema=False)),
    ):
        with pytest.raises(Unsupported) as raised:
            write(chat, quirks=quirks)
        assert raised.value.param == "response_format"


@pytest.mark.parametrize(
    ("thinking", "expected", "output", "warned"),
    [
        (Thinking(), {"type": "adaptive"}, None, 0),
        (Thinking("high"), {"type": "adaptive"}, {"effort": "high"}, 0),
        (Thinking("max"), {"type": "adaptive"}, {"effort": "max"}, 0),
        (Thinking("minimal"), {"type": "adaptive"}, {"effort": "low"}, 1),
        (Thinking("none"), {"type": "disabled"}, None, 0),
        (Thinking(budget_tokens=999), {"type": "adaptive"}, {"effort": "low"}, 1),
        (Thinking(budget_tokens=20_000), {"type": "adaptive"}, {"effort": "high"}, 1),
        (Thinking("low", 500), {"type": "adaptive"}, {"effort": "low"}, 0),
    ],
)
def test_thinking_by_effort(thinking: Thinking, expected: object, output: object, warned: int) -> None:
    written = write(ask(thinking=thinking))
    sent = json.loads(written.body)
    assert (sent["thinking"], sent.get("output_config"), len(written.warnings)) == (expected, output, warned)


@pytest.mark.parametrize(
    ("thinking", "cap", "expected", "warned"),
    [
        (Thinking(), 20_000, 8_192, 0),
        (Thinking("low"), 20_000, 1_024, 0),
        (Thinking("medium"), 20_000, 8_192, 0),
        (Thinking("high"), 64_000, 24_576, 0),
        (Thinking("max"), 64_000, 32_768, 0),
        (Thinking("high"), 20_000, 20_000 - 4_096, 1),
        (Thinking("medium"), 4_096, 2_048, 1),
        (Thinking("medium"), 1_500, 1_024, 1),
        (Thinking("low"), 1_025, 1_024, 0),
        (Thinking("low"), 1_024, None, 1),
        (Thinking("high"), 1, None, 1),
        (Thinking(budget_tokens=1_999), 2_000, 1_999, 0),
        (Thinking("high", 1_500), 2_000, 1_500, 0),
        (Thinking(budget_tokens=500), 2_000, 1_024, 1),
    ],
)
def test_thinking_by_budget_leaves_room_for_the_answer(
    thinking: Thinking, cap: int, expected: int | None, warned: int
) -> None:
    written = write(ask(thinking=thinking), max_output=cap, quirks=OLDER)
    sent = json.loads(written.body)
    assert sent.get("thinking") == ({"type": "enabled", "budget_tokens": expected} if expected else None)
    assert "output_config" not in sent
    assert len(written.warnings) == warned


@pytest.mark.parametrize("off", [Thinking("none"), Thinking(budget_tokens=0)])
def test_thinking_is_switched_off_where_it_can_be(off: Thinking) -> None:
    assert body(ask(thinking=off), quirks=OLDER)["thinking"] == {"type": "disabled"}
    always = write(ask(thinking=off), quirks=Quirks(thinking=ThinkingRules(off=False)))
    assert json.loads(always.body)["output_config"] == {"effort": "low"}
    assert len(always.warnings) == 1
    never = write(ask(thinking=off), quirks=Quirks(thinking=ThinkingRules("none")))
    assert "thinking" not in json.loads(never.body)
    assert never.warnings == ()


@pytest.mark.parametrize("budget", [1024, 5000])
def test_a_thinking_budget_that_does_not_fit_under_the_cap_is_refused(budget: int) -> None:
    with pytest.raises(Unsupported) as raised:
        write(ask(thinking=Thinking(budget_tokens=budget)), quirks=OLDER)
    assert raised.value.param == "thinking"


@pytest.mark.parametrize("effort", ["high", "minimal"])
def test_an_effort_that_a_provider_does_not_take_is_named(effort: Effort) -> None:
    written = write(ask(thinking=Thinking(effort)), quirks=Quirks(thinking=ThinkingRules("none")))
    assert not {"output_config", "thinking"} & json.loads(written.body).keys()
    assert len(written.warnings) == 1


def test_settings_that_thinking_forbids_are_left_out_and_named() -> None:
    written = write(ask(thinking=Thinking("high"), temperature=0.2, top_p=0.5, top_k=9))
    sent = json.loads(written.body)
    assert not {"temperature", "top_p", "top_k"} & sent.keys()
    assert len(written.warnings) == 3
    assert write(ask(thinking=Thinking("high"), temperature=1)).warnings == ()
    assert body(ask(thinking=Thinking("none"), temperature=0.2))["temperature"] == 0.2
    forced = write(ask(thinking=Thinking("high"), tools=(WEATHER,), tool_choice=ToolChoice("required")))
    assert "thinking" not in json.loads(forced.body)
    assert len(forced.warnings) == 1


def test_temperature_goes_up_to_one_and_not_together_with_top_p() -> None:
    written = write(ask(temperature=1.6, top_p=0.5))
    sent = json.loads(written.body)
    assert (sent["temperature"], sent.get("top_p"), len(written.warnings)) == (1, None, 2)
    assert write(ask(temperature=0, top_p=1)).warnings == ()


def test_G09_what_promises_nothing_is_left_out_and_named() -> None:
    written = write(
        ask(
            seed=7,
            frequency_penalty=0.5,
            presence_penalty=0.5,
            other={"metadata": {"a": 1}, "prediction": {"type": "x"}},
        )
    )
    assert json.loads(written.body).keys() == {"model", "max_tokens", "messages"}
    for name in ("seed", "frequency_penalty", "presence_penalty", "metadata", "prediction"):
        assert sum(warning.startswith(f"{name} ") for warning in written.warnings) == 1


def test_what_asks_for_nothing_needs_no_word() -> None:
    other = {
        "n": 1,
        "logprobs": False,
        "modalities": ["text"],
        "store": False,
        "audio": None,
        "stream_options": {"a": 1},
    }
    assert write(ask(other=other, frequency_penalty=0)).warnings == ()


def test_a_seed_of_zero_is_named_too() -> None:
    assert len(write(ask(seed=0)).warnings) == 1


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
        ("previous_response_id", "r"),
    ],
)
def test_G08_what_would_change_the_answer_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(Unsupported) as raised:
        write(ask(other={name: value}))
    assert raised.value.param == name


def test_a_stop_sequence_of_blanks_and_text_that_is_no_unicode_are_refused() -> None:
    with pytest.raises(Unsupported) as raised:
        write(ask(stop=("END", "\n\n")))
    assert raised.value.param == "stop"
    with pytest.raises(InvalidRequest):
        write(ask(user("\ud800")))


def test_names_of_speakers_and_image_details_are_named_once() -> None:
    image = Image(url="https://example.org/a.png", detail="high")
    written = write(ask(Message("user", (image, image), "ann"), Message("user", (Text("x"),), "ben")))
    assert len(written.warnings) == 2
