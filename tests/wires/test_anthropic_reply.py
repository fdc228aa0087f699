"""Whole answers, errors and lists of models of the Anthropic Messages wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ownkey.talk.chat import Opaque, Reasoning, Text, ToolCall
from ownkey.talk.errors import (
    ContentRefused,
    ContextTooLong,
    InvalidCredentials,
    ModelNotAvailable,
    ProviderError,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimitExceeded,
    RequestRefused,
    UnexpectedResponse,
)
from ownkey.talk.reply import Finish, Reply, Unified, Usage
from ownkey.wires.wire import Wire, wire

WIRE = wire("anthropic-messages")


def read(**fields: Any) -> Reply:
    message = {"type": "message", "id": "msg_1", "role": "assistant", "model": "claude-x", "content": []}
    message |= {"stop_reason": "end_turn", "usage": {"input_tokens": 3, "output_tokens": 4}}
    return WIRE.read_reply(json.dumps(message | fields).encode())


def test_it_is_a_wire() -> None:
    assert isinstance(WIRE, Wire)
    assert WIRE.paths["chat"] == WIRE.paths["stream"] == "/messages"
    assert WIRE.headers == {"anthropic-version": "2023-06-01"}


def test_a_whole_answer_keeps_every_piece_in_order() -> None:
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}}
    reply = read(
        content=[
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": "sealed"},
            {"type": "text", "text": "yes", "citations": None},
            {"type": "text", "text": ""},
            search,
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1, None]}, "caller": {"type": "direct"}},
        ],
        stop_reason="tool_use",
    )
    assert reply.parts[:4] == (
        Reasoning("hm", "sig", maker="anthropic-messages"),
        Reasoning("", sealed="sealed", maker="anthropic-messages"),
        Text("yes"),
        Opaque("anthropic-messages", search),
    )
    call = reply.parts[4]
    assert isinstance(call, ToolCall)
    assert (call.id, call.name, json.loads(call.arguments)) == ("t", "f", {"a": [1, None]})
    assert (reply.id, reply.model, reply.warnings) == ("msg_1", "claude-x", ())


@pytest.mark.parametrize(
    ("raw", "unified"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("novelty", "unknown"),
        (None, "unknown"),
    ],
)
def test_why_it_ended_is_kept_in_both_words(raw: str | None, unified: Unified) -> None:
    assert read(stop_reason=raw).finish == Finish(unified, raw)


def test_U13_input_holds_what_a_cache_gave_and_took() -> None:
    usage = {"input_tokens": 3, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20, "output_tokens": 4}
    assert read(usage=usage).usage == Usage(123, 4, cached_tokens=100, cache_write_tokens=20)
    hour = {"cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 15}}
    assert read(usage=usage | hour).usage == Usage(
        123, 4, cached_tokens=100, cache_write_tokens=20, cache_write_1h_tokens=15
    )


def test_U13_compaction_is_counted_though_the_totals_leave_it_out() -> None:
    rounds = [
        {"type": "compaction", "input_tokens": 500, "output_tokens": 60, "cache_read_input_tokens": 0},
        {"type": "message", "input_tokens": 3, "output_tokens": 4},
    ]
    usage = read(usage={"input_tokens": 3, "output_tokens": 4, "iterations": rounds}).usage
    assert (usage.input_tokens, usage.output_tokens) == (503, 64)


@pytest.mark.parametrize("value", [-1, 1.5, 2.0, "7", True, 2**63, []])
def test_U12_a_count_that_cannot_be_one_makes_the_sum_unknown(value: object) -> None:
    usage = {"input_tokens": 3, "cache_read_input_tokens": value, "output_tokens": value}
    assert read(usage=usage).usage == Usage()


def test_U12_nothing_is_unknown_and_zero_is_zero() -> None:
    assert read(usage=None).usage == Usage()
    assert read(usage={"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": None}).usage == Usage(0, 0)


def test_citations_are_named_as_left_out() -> None:
    reply = read(content=[{"type": "text", "text": "a", "citations": [{"cited_text": "b"}]}])
    assert reply.text == "a"
    assert len(reply.warnings) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"5",
        b"<html>sk-ant-secret</html>",
        b'{"content": null}',
        b'{"content": "text"}',
        b'{"content": [{"type": "text", "text": 5}]}',
        b'{"content": [{"type": "tool_use", "id": "t", "input": {}}]}',
        b'{"content": [5]}',
        b'{"content": [{}]}',
        b'{"content": [{"type": "text", "text": "\xff"}]}',
        b'{"content": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
        b'{"type": "message", "content": [{"type": "text", "text": "cut',
    ],
)
def test_U05_what_is_no_answer_is_an_unexpected_response(body: bytes) -> None:
    with pytest.raises(UnexpectedResponse) as raised:
        WIRE.read_reply(body)
    assert "sk-ant" not in str(raised.value)


def test_U17_an_error_in_a_good_answer_is_raised() -> None:
    with pytest.raises(ProviderUnavailable, match="Overloaded"):
        WIRE.read_reply(b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}')


@pytest.mark.parametrize(
    ("status", "kind", "message", "expected"),
    [
        (401, "authentication_error", "invalid x-api-key", InvalidCredentials),
        (403, "permission_error", "not for this key", InvalidCredentials),
        (404, "not_found_error", "model: claude-z", ModelNotAvailable),
        (413, "request_too_large", "Request exceeds the maximum size", ContextTooLong),
        (429, "rate_limit_error", "slow down", RateLimitExceeded),
        (529, "overloaded_error", "Overloaded", ProviderUnavailable),
        (500, "api_error", "Internal server error", ProviderUnavailable),
        (402, "billing_error", "no credit", QuotaExceeded),
        (400, "invalid_request_error", "max_tokens: must be positive", RequestRefused),
        (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", ContextTooLong),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 9 + 9 > 10",
            ContextTooLong,
        ),
        (400, "invalid_request_error", "Your credit balance is too low to access the API.", QuotaExceeded),
        (400, "invalid_request_error", "Output blocked by content filtering policy", ContentRefused),
    ],
)
def test_an_error_is_told_by_its_type_and_status(
    status: int, kind: str, message: str, expected: type[ProviderError]
) -> None:
    body = json.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}).encode()
    error = WIRE.read_error(status, {b"retry-after": b"7"}, body)
    assert type(error) is expected
    assert (error.status, error.retry_after_s) == (status, 7)
    assert message in error.message


@pytest.mark.parametrize(
    ("status", "body", "expected", "says"),
    [
        (404, b'{"error":"model not found"}', ModelNotAvailable, "model not found"),
        (
            400,
            b'{"error":{"code":400,"message":"too big","type":"exceed_context_size_error"}}',
            ContextTooLong,
            "too big",
        ),
        (403, b'[{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}]', InvalidCredentials, "no"),
        (403, b'{"message":"not yours"}', InvalidCredentials, "not yours"),
        (502, b"<html>internal host 10.0.0.1</html>", ProviderUnavailable, "502"),
        (503, b"", ProviderUnavailable, "503"),
        (400, b'{"error":{"message":5}}', RequestRefused, "400"),
        (400, b'{"error":null}', RequestRefused, "400"),
        (400, b"[]", RequestRefused, "400"),
    ],
)
def test_U04_errors_in_other_forms_are_read_and_pages_are_not_quoted(
    status: int, body: bytes, expected: type[ProviderError], says: str
) -> None:
    error = WIRE.read_error(status, {}, body)
    assert type(error) is expected
    assert says in error.message
    assert "html" not in str(error)


def test_U04_a_key_in_an_error_is_not_repeated() -> None:
    body = json.dumps(
        {"error": {"type": "authentication_error", "message": "bad key sk-ant-api03-abcdefghijkl"}}
    ).encode()
    assert "abcdefghijkl" not in str(WIRE.read_error(401, {}, body))


def test_a_page_of_models_is_read_and_the_next_one_asked_for() -> None:
    page = {
        "data": [
            {
                "type": "model",
                "id": "claude-x",
                "display_name": "Claude X",
                "created_at": "2026-01-01T00:00:00Z",
                "max_input_tokens": 200_000,
                "max_tokens": 64_000,
                "lifecycle": "active",
            },
            {"type": "model", "id": "claude-old", "display_name": "Claude Old", "lifecycle": "retired"},
            {"id": "plain", "object": "model", "max_tokens": 0},
        ],
        "has_more": True,
        "first_id": "claude-x",
        "last_id": "plain",
    }
    listed = WIRE.read_models(json.dumps(page).encode())
    assert [(model.id, model.name, model.context, model.max_output) for model in listed.models] == [
        ("claude-x", "Claude X", 200_000, 64_000),
        ("plain", None, None, None),
    ]
    assert listed.next_query == {"after_id": "plain"}


def test_the_last_page_of_models_asks_for_no_more() -> None:
    assert WIRE.read_models(b'{"data": [], "has_more": false, "last_id": null}').next_query is None
    assert WIRE.read_models(b'{"data": [{"id": "a"}]}').next_query is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"data": {}}', b'{"data": [{"name": "x"}]}'])
def test_what_is_no_list_of_models_is_an_unexpected_response(body: bytes) -> None:
    with pytest.raises(UnexpectedResponse):
        WIRE.read_models(body)
