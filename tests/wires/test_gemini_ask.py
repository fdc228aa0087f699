"""A client's generateContent as the hot path needs it: checked, counted, and sent on with its own bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ownkey.catalog.manifest import Quirks, ThinkingRules
from ownkey.talk.errors import InvalidRequest
from ownkey.wires.gemini.wire import Gemini
from ownkey.wires.seal import Seal, wrap
from ownkey.wires.wire import Ask, Door, Named

WIRE = Gemini()
NAMED = Named("gemini-x", stream=False)
HELLO: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def body(**fields: Any) -> bytes:
    return json.dumps(HELLO | fields).encode()


def ask(raw: bytes | None = None, named: Named | None = NAMED, **fields: Any) -> Ask:
    return WIRE.read_ask(raw or body(**fields), named)


def refused(raw: bytes, named: Named | None = NAMED) -> str | None:
    with pytest.raises(InvalidRequest) as caught:
        WIRE.read_ask(raw, named)
    return caught.value.param


def sent(found: Ask, max_output: int | None = None, **quirks: Any) -> dict[str, Any]:
    return json.loads(WIRE.forward(found, "another", max_output=max_output, quirks=Quirks(**quirks)))


def test_the_wire_is_a_door() -> None:
    assert isinstance(WIRE, Door)
    assert WIRE.paths["count"] == "/models/{model}:countTokens"


def test_model_and_form_come_from_the_path() -> None:
    found = ask(named=Named("gemini-x", stream=True, sse=False), model="models/another")
    assert (found.model, found.stream, found.sse, found.usage_in_stream) == ("gemini-x", True, False, True)
    assert "model" not in sent(found)


@pytest.mark.parametrize("named", [None, Named("", stream=False), Named("a\nb", stream=False)])
def test_G06_a_path_without_a_model_is_refused(named: Named | None) -> None:
    assert refused(body(), named) == "model"


@pytest.mark.parametrize("config", ["generationConfig", "generation_config"])
@pytest.mark.parametrize("cap", ["maxOutputTokens", "max_output_tokens"])
@pytest.mark.parametrize("value", [5, "5"])
def test_cap_and_choices_are_read_in_either_spelling(config: str, cap: str, value: object) -> None:
    found = ask(**{config: {cap: value, "candidate_count": 2}})
    assert (found.max_output, found.choices) == (5, 2)
    assert sent(found, 3) == HELLO | {"generationConfig": {"candidate_count": 2, "maxOutputTokens": 3}}


@pytest.mark.parametrize("name", ["maxOutputTokens", "candidateCount"])
@pytest.mark.parametrize("value", [0, -1, 1.5, 1.0, True, [], {}, "-5", "0x5", "٣", "9" * 30, 2**31])
def test_G06_a_count_that_is_no_count_is_refused_by_name(name: str, value: object) -> None:
    assert refused(body(generationConfig={name: value})) == f"generationConfig.{name}"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"contents": None}, "contents"),
        ({"contents": []}, "contents"),
        ({"contents": "hi"}, "contents"),
        ({"contents": [5]}, "contents[0]"),
        ({"contents": [{"parts": "hi"}]}, "contents[0].parts"),
        ({"generationConfig": []}, "generationConfig"),
        ({"generationConfig": {"candidateCount": 9}}, "generationConfig.candidateCount"),
        ({"generationConfig": {}, "generation_config": {}}, "generationConfig"),
        ({"generationConfig": {"maxOutputTokens": 1, "max_output_tokens": 9}}, "generationConfig.maxOutputTokens"),
        ({"generationConfig": {"routingConfig": {"autoMode": {}}}}, "generationConfig.routingConfig"),
        ({"generation_config": {"model_selection_config": {}}}, "generationConfig.modelSelectionConfig"),
        ({"api_base": "http://example.com"}, "api_base"),
    ],
)
def test_G06_a_field_that_cannot_be_taken_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refused(body(**fields)) == param


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"contents": [{"parts": [{"text": "\xff"}]}]}', b"[" * 200_000])
def test_G03_what_is_no_good_json_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequest):
        WIRE.read_ask(raw, NAMED)


IMAGE = {"inlineData": {"mimeType": "image/png", "data": "QQ=="}}


@pytest.mark.parametrize(
    ("fields", "only"),
    [
        ({}, True),
        ({"contents": HELLO["contents"][0]}, True),
        ({"systemInstruction": {"parts": [{"text": "a"}]}, "tools": [{"functionDeclarations": [{"name": "f"}]}]}, True),
        ({"contents": [{"parts": [{"functionResponse": {"name": "f", "response": {"fileData": 1}}}]}]}, True),
        ({"contents": [{"parts": [{"text": "a"}, IMAGE]}]}, False),
        ({"contents": [{"parts": [{"file_data": {"file_uri": "gs://a"}}]}]}, False),
        ({"contents": [{"parts": [{"function_response": {"name": "f", "parts": [IMAGE]}}]}]}, False),
        ({"system_instruction": {"parts": [IMAGE]}}, False),
        ({"cached_content": "cachedContents/a"}, False),
        ({"tools": [{"googleSearch": {}}]}, False),
        ({"tools": {"url_context": {}}}, False),
    ],
)
def test_what_bounds_no_tokens_by_its_bytes_is_known(fields: dict[str, Any], only: bool) -> None:
    assert ask(**fields).text_only is only


def test_every_member_goes_on_with_its_own_bytes_but_the_cap() -> None:
    raw = (
        b'{"contents":[{"parts":[{"text":"a \\u00e9"}]}], "unknown": {"x":  1.50},'
        b' "generationConfig": {"temperature":1.0, "maxOutputTokens" : 9, "topK": 40.0}}'
    )
    out = WIRE.forward(ask(raw), "m", max_output=7, quirks=Quirks())
    for member in (b'[{"parts":[{"text":"a \\u00e9"}]}]', b'{"x":  1.50}', b'"temperature":1.0', b'"topK":40.0'):
        assert member in out
    assert json.loads(out)["generationConfig"] == {"temperature": 1.0, "maxOutputTokens": 7, "topK": 40.0}
    assert sent(ask(raw))["generationConfig"]["maxOutputTokens"] == 9
    assert sent(ask(), 4) == HELLO | {"generationConfig": {"maxOutputTokens": 4}}
    assert sent(ask(generation_config=None), 4) == HELLO | {"generationConfig": {"maxOutputTokens": 4}}


def test_of_a_member_given_twice_the_one_that_was_read_goes_on_alone() -> None:
    raw = b'{"contents":[{"parts":[]}],"generationConfig":{"candidateCount":8,"candidateCount":1}}'
    found = ask(raw)
    assert found.choices == 1
    assert b"8" not in WIRE.forward(found, "m", max_output=None, quirks=Quirks())


FOREIGN = wrap(Seal("anthropic-messages", "signature", "s"))


def test_what_another_provider_sealed_does_not_go_on() -> None:
    contents = [
        {"role": "user", "parts": [{"text": "Go"}]},
        {"role": "model", "parts": [{"text": "pie", "thought": True}]},
        {"role": "model", "parts": [{"text": "ce", "thought": True}]},
        {"role": "model", "parts": [{"text": "", "thought": True, "thoughtSignature": FOREIGN}]},
        {"role": "model", "parts": [{"text": "own", "thought": True}, {"text": "A", "thought_signature": FOREIGN}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"x": 1.0}}, "thoughtSignature": "own"}]},
    ]
    assert sent(ask(contents=contents))["contents"] == [
        contents[0],
        {"role": "model", "parts": [{"text": "own", "thought": True}, {"text": "A"}]},
        contents[5],
    ]


def test_the_word_for_an_unsealed_call_goes_only_to_models_that_ask_for_it() -> None:
    call = {"functionCall": {"name": "f"}, "thoughtSignature": "skip_thought_signature_validator"}
    contents = [{"role": "model", "parts": [call]}]
    found = ask(contents=contents)
    assert sent(found, thinking=ThinkingRules("effort"))["contents"] == contents
    assert sent(found, thinking=ThinkingRules("budget"))["contents"][0]["parts"] == [{"functionCall": {"name": "f"}}]


@pytest.mark.parametrize("name", ["generateContentRequest", "generate_content_request"])
def test_a_count_is_asked_for_bare_or_by_a_whole_request(name: str) -> None:
    whole = HELLO | {"model": "models/m", "systemInstruction": {"parts": [{"text": "Be brief."}]}}
    found = WIRE.read_count_ask(json.dumps({name: whole}).encode(), NAMED)
    assert found.fields.keys() == {"contents", "systemInstruction"}
    assert WIRE.read_chat(found).messages[0].text == "Be brief."
    assert WIRE.read_chat(WIRE.read_count_ask(body(), NAMED)) == WIRE.read_chat(ask())
    with pytest.raises(InvalidRequest):
        WIRE.read_count_ask(body(**{name: whole}), NAMED)


def test_a_count_is_written_and_read() -> None:
    chat = WIRE.read_chat(ask(systemInstruction={"parts": [{"text": "Be brief."}]}))
    written = json.loads(WIRE.write_count(chat, "gemini-x", Quirks()))
    assert written == {
        "generateContentRequest": {
            "model": "models/gemini-x",
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            **HELLO,
        }
    }
    assert WIRE.read_count(WIRE.write_count_reply(17)) == 17
    for raw in (b"{}", b"[]", b"no", b'{"totalTokens": -1}', b'{"error": {"code": 400, "message": "no"}}'):
        with pytest.raises(Exception, match="provider"):
            WIRE.read_count(raw)


def test_a_thought_of_many_pieces_is_taken_out_whole() -> None:
    seal = {"text": "", "thought": True, "thoughtSignature": FOREIGN}
    raw = body(contents=[{"role": "model", "parts": [*[{"text": "a", "thought": True}] * 20_000, seal]}])
    assert sent(ask(raw))["contents"] == []
