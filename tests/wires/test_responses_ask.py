"""Requests for a response as the hot path reads them, and as they go on to a provider of the same wire."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.catalog.manifest import Quirks
from ownkey.talk.chat import Reasoning, Text, ToolCall
from ownkey.talk.errors import InvalidRequest, OwnkeyError, Unsupported
from ownkey.talk.reply import Finish, Reply, Usage
from ownkey.wires.members import REFUSED
from ownkey.wires.openai_responses.wire import OpenAIResponses
from ownkey.wires.seal import MARK, Seal, wrap
from ownkey.wires.wire import Ask
from recordings import Record, records

WIRE = OpenAIResponses()
FOUND = [record for record in records(endpoint="responses") if record.request_body is not None]

Json = dict[str, Any]


def ask(**fields: Any) -> Ask:
    return WIRE.read_ask(json.dumps({"model": "m", "input": "Hi", **fields}).encode())


def sent(asked: Ask, cap: int | None = None) -> Json:
    return json.loads(WIRE.forward(asked, "upstream", max_output=cap, quirks=Quirks()))


def as_bytes(record: Record) -> bytes:
    body = record.request_body
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


@pytest.mark.parametrize("record", FOUND, ids=[f"{record.provider}-{record.id}" for record in FOUND])
def test_a_recorded_request_is_read_and_goes_on_as_it_came(record: Record) -> None:
    body = as_bytes(record)
    try:
        said = json.loads(body)
    except ValueError:  # one whose long text was cut out by hand
        with pytest.raises(InvalidRequest):
            WIRE.read_ask(body)
        return
    if said.get("background"):
        with pytest.raises(Unsupported) as raised:
            WIRE.read_ask(body)
        assert raised.value.param == "background"
        return
    asked = WIRE.read_ask(body)
    assert (asked.model, asked.stream) == (said["model"], bool(said.get("stream")))
    assert asked.max_output == said.get("max_output_tokens")
    assert sent(asked) == said | {"model": "upstream"}
    assert sent(asked, 77) == said | {"model": "upstream", "max_output_tokens": 77}


def test_what_is_read_of_a_request() -> None:
    asked = ask(stream=True, max_output_tokens=50, input=[{"role": "user", "content": "Hi"}])
    assert (asked.model, asked.stream, asked.max_output, asked.choices) == ("m", True, 50, 1)
    assert asked.text_only
    assert ask(prompt={"id": "p"}, input=None).max_output is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"input": {}, "prompt": {"id": "p"}}, "input"),
        ({"model": None}, "model"),
        ({"model": "a\nb"}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"background": 1}, "background"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": 1.5}, "max_output_tokens"),
        ({"max_output_tokens": True}, "max_output_tokens"),
        ({"max_output_tokens": 2**31}, "max_output_tokens"),
    ],
)
def test_a_request_that_is_wrong_is_refused_by_the_field(fields: Json, param: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        ask(**fields)
    assert raised.value.param == param


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_no_request_says_where_it_goes(name: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        ask(**{name: "x"})
    assert raised.value.param == name


def test_an_answer_in_the_background_is_refused_for_its_cost_comes_later() -> None:
    with pytest.raises(Unsupported) as raised:
        ask(background=True, stream=True)
    assert raised.value.param == "background"
    assert ask(background=False).text_only


TEXT: list[Json] = [
    {"role": "user", "content": "a"},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a", "annotations": []}]},
    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": "a"},
    {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "a"}]},
    {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "a"}]},
]
MORE: list[Json] = [
    {"role": "user", "content": [{"type": "input_image", "image_url": "https://example.com/a.png"}]},
    {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_file", "file_id": "f"}]},
    {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}}]},
    {"role": "user", "content": ["a"]},
    {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "file_id": "f"}]},
    {"type": "item_reference", "id": "msg_1"},
    {"type": "compaction", "encrypted_content": "x"},
    {"type": "image_generation_call", "id": "ig_1", "result": "QUJD", "status": "completed"},
    {"type": None, "role": "user", "content": "a"},
]


@pytest.mark.parametrize("item", TEXT, ids=str)
def test_text_is_bounded_by_its_bytes(item: Json) -> None:
    assert ask(input=[item]).text_only


@pytest.mark.parametrize("item", MORE, ids=str)
def test_what_stands_elsewhere_is_not_bounded_by_bytes(item: Json) -> None:
    assert not ask(input=[TEXT[0], item]).text_only


@pytest.mark.parametrize(
    ("fields", "text_only"),
    [
        ({"previous_response_id": "resp_1"}, False),
        ({"conversation": "conv_1"}, False),
        ({"prompt": {"id": "pmpt_1"}}, False),
        ({"previous_response_id": None}, True),
        ({"tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "g"}]}, True),
        ({"tools": [{"type": "function", "name": "f"}, {"type": "web_search"}]}, False),
        ({"tools": [5]}, False),
        ({"instructions": "Be brief."}, True),
        ({"instructions": [{"type": "input_image", "file_id": "f"}]}, False),
    ],
)
def test_what_a_provider_adds_to_the_input_is_not_bounded_by_bytes(fields: Json, text_only: bool) -> None:
    assert ask(**fields).text_only is text_only


def test_escapes_hide_no_kind_of_input() -> None:
    body = rb'{"model":"m","input":[{"role":"user","content":[{"type":"input_im\u0061ge","image_url":"x"}]}]}'
    assert not WIRE.read_ask(body).text_only


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["message", "reasoning", MARK]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "output", "id", "encrypted_content", "summary", "text"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(values, values, values)
def test_U05_a_body_of_odd_types_is_read_or_refused_and_never_breaks(given_input: Any, tools: Any, text: Any) -> None:
    body = json.dumps({"model": "m", "input": given_input, "tools": tools, "text": text, "reasoning": text}).encode()
    errors: list[OwnkeyError] = []
    try:
        asked = WIRE.read_ask(body)
        assert sent(asked)["model"] == "upstream"
        assert WIRE.read_chat(asked).messages
    except OwnkeyError as error:
        errors.append(error)
    assert all(error.param for error in errors)


def test_members_nobody_knows_go_on_with_their_own_bytes() -> None:
    body = b'{"model":"m","input":[ {"role":"user", "content":"a\\/b"} ],"new":{"big":123456789012345678901234567890}}'
    out = WIRE.forward(WIRE.read_ask(body), "upstream", max_output=None, quirks=Quirks())
    assert out == body.replace(b'"model":"m"', b'"model":"upstream"')


FOREIGN = wrap(Seal("anthropic-messages", "signature", "sig"))


@pytest.mark.parametrize("sealed", [FOREIGN, MARK, MARK + "AA"], ids=["whole", "the mark alone", "broken"])
def test_reasoning_that_another_provider_sealed_stays_behind(sealed: str) -> None:
    own = (
        b'{"type":"reasoning", "id":"rs_1","summary":[],"encrypted_content":"gAAAA","n":123456789012345678901234567890}'
    )
    asked = WIRE.read_ask(
        b'{"model":"m","input":[{"role":"user","content":"%b"},'
        b'{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"%b"},%b]}'
        % (sealed.encode(), sealed.encode(), own)
    )
    out = WIRE.forward(asked, "upstream", max_output=None, quirks=Quirks())
    assert json.loads(out)["input"] == [{"role": "user", "content": sealed}, json.loads(own)]
    assert own in out


@pytest.mark.parametrize("text", [MARK, "_ownkey_", f'["{MARK}"]'])
def test_text_that_looks_like_a_mark_goes_on(text: str) -> None:
    assert sent(ask(input=text))["input"] == text
    said = [{"role": "user", "content": text}, "odd"]
    assert sent(ask(input=said))["input"] == said


def test_items_made_here_go_on_without_what_openai_would_look_up() -> None:
    parts = (
        Reasoning("unsealed"),
        Reasoning("theirs", "sig", maker="anthropic-messages"),
        Reasoning("own", sealed="gAAAA", maker="openai-responses"),
        Text("Hello", "gemini's"),
        ToolCall("toolu_1", "f", "{}", "gemini's"),
    )
    made = json.loads(WIRE.write_reply(Reply(parts, Finish("stop"), Usage(), "msg_01"), "m"))["output"]
    assert len(made) == 7
    assert sent(ask(input=made))["input"] == [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "own"}], "encrypted_content": "gAAAA"},
        {key: value for key, value in made[4].items() if key != "id"},
        {key: value for key, value in made[6].items() if key != "id"},
    ]


def test_items_that_openai_made_keep_their_ids() -> None:
    said = [
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": MARK}]},
    ]
    assert sent(ask(input=said))["input"] == said
