"""Whole chat completions, counts, errors and lists of models, in every dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openai_samples import WIRE, answer, read, streamed
from ownkey.talk.chat import (
    Image,
    Reasoning,
    ToolCall,
)
from ownkey.talk.errors import ProviderError, UnexpectedResponse
from ownkey.talk.reply import Usage


def error_of(body: bytes, status: int = 400) -> ProviderError:
    return WIRE.read_error(status, {}, body)


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        ({"content": "a"}, "a", ""),
        ({"content": None, "refusal": None, "tool_calls": None}, "", ""),
        ({"content": "a", "reasoning_content": "r"}, "a", "r"),
        ({"content": "a", "reasoning": "r"}, "a", "r"),
        ({"content": "a", "reasoning": "r", "reasoning_content": "r"}, "a", "r"),
        ({"content": "a", "reasoning": {"effort": "high"}}, "a", ""),
        ({"content": "a", "reasoning_details": [{"type": "reasoning.summary", "summary": "r"}]}, "a", "r"),
        (
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "r"}]}, {"text": "a"}, "b"]},
            "ab",
            "r",
        ),
    ],
)
def test_every_dialect_of_text_and_reasoning_is_read(message: Any, text: str, reasoning: str) -> None:
    for reply in (WIRE.read_reply(answer(message)), read(streamed(message))):
        assert (reply.text, reply.reasoning) == (text, reasoning)


def test_seals_of_reasoning_are_kept() -> None:
    details = [{"type": "reasoning.text", "text": "r", "signature": "s"}, {"type": "reasoning.encrypted", "data": "e"}]
    for reply in (WIRE.read_reply(answer({"reasoning": "r", "reasoning_details": details})),):
        assert reply.parts == (Reasoning("r", "s"), Reasoning("", None, "e"))


def test_an_answer_with_everything_is_read() -> None:
    message = {
        "refusal": "no",
        "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}],
        "tool_calls": [
            {"function": {"name": "f", "arguments": {"a": 1}}, "extra_content": {"google": {"thought_signature": "t"}}},
            {"id": "x", "index": 0, "type": "function", "function": {"name": "g", "arguments": ""}},
        ],
    }
    reply = WIRE.read_reply(answer(message, finish="tool_calls"))
    assert reply.refusal == "no"
    assert Image(data="QUJD", media_type="image/png") in reply.parts
    first, second = reply.tool_calls
    assert (first.name, first.arguments, first.signature) == ("f", '{"a":1}', "t")
    assert first.id
    assert second == ToolCall("x", "g", "")
    assert (reply.id, reply.model, reply.created) == ("c1", "m1", 1)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "upstream_invalid"),
        (b"null", "upstream_invalid"),
        (b"[]", "upstream_invalid"),
        (b"<html></html>", "upstream_invalid"),
        (answer({"content": "a"})[:-5], "upstream_invalid"),
        (answer({"content": 5}), "upstream_invalid"),
        (b'{"choices":[]}', "upstream_invalid"),
        (b'{"choices":null}', "upstream_invalid"),
        (b"[" * 100_000, "upstream_invalid"),
        (answer({"content": "a"}, finish="error"), "upstream_unavailable"),
        (b'{"error":{"message":"x","code":429}}', "rate_limited"),
        (b'{"error":"overloaded","code":"overloaded"}', "upstream_unavailable"),
        (b'{"error":{"message":"x","code":"content_filter","status":400}}', "content_refused"),
        (b'{"detail":"Invalid API Key"}', "upstream_auth"),
    ],
)
def test_U05_a_body_that_is_no_answer_is_one_clear_error(body: bytes, code: str) -> None:
    for read_it in (WIRE.read_reply, WIRE.pass_reply):
        with pytest.raises(ProviderError) as caught:
            read_it(body)
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        (None, Usage()),
        ({}, Usage()),
        ([], Usage()),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(0, 0)),
        ({"prompt_tokens": -1, "completion_tokens": 2.0}, Usage()),
        ({"prompt_tokens": "3", "completion_tokens": True}, Usage()),
        ({"prompt_tokens": 2**53, "completion_tokens": 2**53 + 1}, Usage(2**53)),
        ({"prompt_tokens": 2**63, "completion_tokens": 1}, Usage(None, 1)),
        (
            {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13, "prompt_cache_hit_tokens": 5},
            Usage(9, 4, 5),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 4, "num_cached_tokens": 5}, Usage(9, 4, 5)),
        ({"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 10}}, Usage(9, 4)),
        (
            {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cache_write_tokens": 3}},
            Usage(9, 4, cache_write_tokens=3),
        ),
    ],
)
def test_U12_counts_are_checked_and_a_missing_one_is_unknown(said: object, usage: Usage) -> None:
    assert WIRE.read_reply(answer({"content": "a"}, said)).usage == usage
    assert WIRE.pass_reply(answer({"content": "a"}, said)).usage == usage


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        # Reasoning within the output, as OpenAI counts it.
        ((12, 300, 312, {}, {"reasoning_tokens": 290}), Usage(12, 300, reasoning_tokens=290)),
        # Outside it, as xAI does.
        ((12, 1, 303, {}, {"reasoning_tokens": 290}), Usage(12, 291, reasoning_tokens=290)),
        ((12, 1, None, {}, {"reasoning_tokens": 290}), Usage(12, 291, reasoning_tokens=290)),
        # Thinking that stands in the total alone, as in Google's OpenAI form.
        ((66, 6, 100, {}, {}), Usage(66, 34)),
        # Audio that stands outside the prompt, as at Mistral.
        ((9, 201, 585, {"audio_tokens": 375}, {}), Usage(384, 201, input_audio_tokens=375)),
        ((9, 1, 100, {"audio_tokens": 50}, {"reasoning_tokens": 40}), Usage(59, 41, None, None, 40, 50)),
        # A total that is less than its parts says nothing.
        ((9, 4, 1, {}, {}), Usage(9, 4)),
    ],
)
def test_U13_tokens_outside_the_sums_are_found_by_the_total(said: tuple[Any, ...], usage: Usage) -> None:
    names = ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details")
    given = {name: value for name, value in zip(names, said, strict=True) if value is not None}
    assert WIRE.read_reply(answer({"content": "a"}, given)).usage == usage


def test_usage_in_groqs_own_place_is_read() -> None:
    end = b'data: {"choices":[],"x_groq":{"usage":{"prompt_tokens":3,"completion_tokens":4}}}\n\ndata: [DONE]\n\n'
    assert read(streamed({"content": "a"}, done=False) + end).usage == Usage(3, 4)


@pytest.mark.parametrize(
    ("raw", "unified"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("length", "length"),
        ("model_length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("something_new", "unknown"),
    ],
)
def test_why_it_ended_is_said_twice(raw: str, unified: str) -> None:
    for reply in (WIRE.read_reply(answer({"content": "a"}, finish=raw)), read(streamed({"content": "a"}, finish=raw))):
        assert (reply.finish.raw, reply.finish.unified) == (raw, unified)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, {"code": "invalid-argument", "error": "Incorrect API key provided."}, "upstream_auth"),
        (401, {"error": {"code": "401", "message": "Access denied"}}, "upstream_auth"),
        (401, {"error": {"message": "Missing Authentication header", "code": 401}}, "upstream_auth"),
        (402, {"error": {"message": "Insufficient Balance", "code": "invalid_request_error"}}, "quota_exceeded"),
        (403, {"error": {"code": 403, "message": "x", "metadata": {"flagged_input": "y"}}}, "content_refused"),
        (404, {"error": "model 'x' not found"}, "model_not_available"),
        (400, {"error": {"code": 400, "message": "x", "type": "exceed_context_size_error"}}, "context_length_exceeded"),
        (400, {"error": {"type": "invalid_request_error", "param": "top_p", "message": "x"}}, "upstream_refused"),
        (
            400,
            [{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}],
            "upstream_auth",
        ),
        (422, {"object": "error", "message": {"detail": []}, "type": "invalid_request_error"}, "upstream_refused"),
        (429, {"error": {"type": "insufficient_quota", "code": "insufficient_quota"}}, "quota_exceeded"),
        (500, "text", "upstream_unavailable"),
    ],
)
def test_U02_every_dialect_of_error_is_told_apart(status: int, body: object, code: str) -> None:
    error = error_of(json.dumps(body).encode(), status)
    assert (error.code, error.status) == (code, status)
    in_a_stream = error_of(b"data: " + json.dumps(body).encode() + b"\n\n", status)
    assert (in_a_stream.code, str(in_a_stream)) == (code, str(error))


def test_the_field_that_the_provider_names_is_kept() -> None:
    assert error_of(b'{"error":{"message":"x","param":"messages[3]"}}').param == "messages[3]"
    assert error_of(b'{"error":{"message":"x","param":"a\\nb"}}').param is None


@pytest.mark.parametrize("body", [b"", b"<html><b>secret page</b></html>", b"\x00\xff", b"[" * 100_000, b"secret page"])
def test_U04_a_body_that_is_no_json_is_not_quoted(body: bytes) -> None:
    assert "secret" not in str(error_of(body, 500))


def test_models_are_read_in_every_form() -> None:
    body = {
        "data": [
            {"id": "a", "context_length": 10, "top_provider": {"max_completion_tokens": 5}, "name": "A"},
            {"id": "b", "max_model_len": 20, "max_completion_tokens": 6, "context_window": None},
            {"id": 5},
            "x",
        ]
    }
    for listed in (body, body["data"]):
        first, second = WIRE.read_models(json.dumps(listed).encode()).models
        assert (first.id, first.name, first.context, first.max_output) == ("a", "A", 10, 5)
        assert (second.id, second.context, second.max_output) == ("b", 20, 6)
    for wrong in (b"", b"{}", b'{"data":{}}', b"nope"):
        with pytest.raises(UnexpectedResponse):
            WIRE.read_models(wrong)
