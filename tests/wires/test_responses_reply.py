"""Whole responses, from small written cases."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ownkey.talk.chat import Opaque, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.errors import (
    ContentRefused,
    ContextTooLong,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimitExceeded,
    RequestRefused,
    UnexpectedResponse,
)
from ownkey.talk.reply import Finish, Reply, Usage
from ownkey.wires.wire import wire

WIRE = wire("openai-responses")
NAME = "openai-responses"


def whole(*output: dict[str, Any], **more: Any) -> bytes:
    head = {"id": "resp_1", "object": "response", "created_at": 1_700_000_000, "model": "gpt-x", "status": "completed"}
    return json.dumps({**head, "error": None, "incomplete_details": None, "output": output, **more}).encode()


def read(*output: dict[str, Any], **more: Any) -> Reply:
    return WIRE.read_reply(whole(*output, **more))


def message(*content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": list(content)}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": said, "annotations": [], **more}


CALL = {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "f", "arguments": '{"x":1}'}


def test_an_answer_with_everything_in_it() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "action": {"novel": [1]}, "content": 5, "arguments": {"a": 1}}
    summary = [{"type": "summary_text", "text": "one"}, {"type": "summary_text", "text": "two"}]
    reply = read(
        {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "seal"},
        message(text("Hello"), text(" there")),
        search,
        message({"type": "refusal", "refusal": "no"}),
        CALL,
        {**CALL, "call_id": "b", "arguments": ""},
        usage={
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 7},
            "output_tokens": 50,
            "output_tokens_details": {"reasoning_tokens": 30},
            "total_tokens": 150,
        },
        service_tier="flex",
    )
    assert reply == Reply(
        parts=(
            Reasoning("one\n\ntwo", sealed="seal", maker=NAME),
            Text("Hello"),
            Text(" there"),
            Opaque(NAME, search),
            Refusal("no"),
            ToolCall("a", "f", '{"x":1}'),
            ToolCall("b", "f", "{}"),
        ),
        finish=Finish("tool_calls", "completed"),
        usage=Usage(100, 50, cached_tokens=40, cache_write_tokens=7, reasoning_tokens=30, tier="flex"),
        id="resp_1",
        model="gpt-x",
        created=1_700_000_000,
    )


def test_reasoning_is_read_in_full_where_there_is_no_summary_and_empty_where_it_is_only_sealed() -> None:
    full = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
    assert read(full).parts == (Reasoning("hm"),)
    sealed = {"type": "reasoning", "summary": [], "content": None, "encrypted_content": "seal"}
    assert read(sealed).parts == (Reasoning("", sealed="seal", maker=NAME),)
    assert read({"type": "reasoning", "summary": [], "encrypted_content": ""}, message(text("x"))).parts == (Text("x"),)


@pytest.mark.parametrize(
    ("more", "finish"),
    [
        ({}, Finish("stop", "completed")),
        ({"status": None}, Finish("stop", None)),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            Finish("length", "max_output_tokens"),
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            Finish("content_filter", "content_filter"),
        ),
        ({"status": "incomplete"}, Finish("length", "incomplete")),
    ],
)
def test_why_it_ended(more: dict[str, Any], finish: Finish) -> None:
    assert read(message(text("x")), **more).finish == finish


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_response_that_is_not_whole_is_never_taken_for_one(status: str) -> None:
    with pytest.raises(UnexpectedResponse) as raised:
        read(message(text("half")), status=status)
    assert status in raised.value.message


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "server_error", "message": "Sorry."}, ProviderUnavailable),
        ({"code": "rate_limit_exceeded", "message": "Slow down."}, RateLimitExceeded),
        ({"code": "context_length_exceeded", "message": "Too long."}, ContextTooLong),
        ({"code": "invalid_prompt", "message": "Not this."}, ContentRefused),
        ({"code": "image_content_policy_violation", "message": "Not this."}, ContentRefused),
        ({"code": "bio_policy", "message": "Not this."}, ContentRefused),
        ({"code": "invalid_image", "message": "No image."}, RequestRefused),
        ({"code": "failed_to_download_image", "message": "No image."}, RequestRefused),
        ({"code": "vector_store_timeout", "message": "Slow."}, ProviderTimeout),
        ({"code": "novel", "message": "Sorry."}, ProviderUnavailable),
        (None, ProviderUnavailable),
    ],
)
def test_a_failed_response_is_the_error_that_it_tells_of(error: object, kind: type[ProviderError]) -> None:
    with pytest.raises(ProviderError) as raised:
        read(message(text("half")), status="failed", error=error)
    assert type(raised.value) is kind


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage()),
        ("many", Usage()),
        ({"input_tokens": 5}, Usage(5)),
        ({"input_tokens": -1, "output_tokens": True}, Usage()),
        ({"input_tokens": 5, "output_tokens": 2**60}, Usage(5)),
        ({"input_tokens": 5, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 6}}, Usage(5, 3)),
        ({"input_tokens": 5, "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 4}}, Usage(5, 3)),
        ({"input_tokens": 5, "output_tokens": 3, "input_tokens_details": None}, Usage(5, 3)),
    ],
)
def test_what_cannot_be_a_count_is_unknown(usage: object, expected: Usage) -> None:
    assert read(message(text("x")), usage=usage).usage == expected


@pytest.mark.parametrize(("tier", "read_as"), [("priority", "priority"), (None, None), (5, None), ("x" * 65, None)])
def test_the_tier_is_read_where_it_is_a_word(tier: object, read_as: str | None) -> None:
    assert read(message(text("x")), service_tier=tier).usage.tier == read_as


def test_citations_are_named_once_for_they_are_not_carried() -> None:
    cited = text("x", annotations=[{"type": "url_citation", "url": "https://example.org"}])
    assert len(read(message(cited), message(cited)).warnings) == 1
    assert read(message(text("x"))).warnings == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"output": null}',
        b'{"output": 5}',
        b'{"output": [5]}',
        whole({**CALL, "name": None}),
        whole({**CALL, "call_id": ""}),
        whole({**CALL, "arguments": {"x": 1}}),
        whole(message({"type": "output_text", "text": 5})),
        b"[" * 100_000,
    ],
)
def test_what_is_no_response_is_named_as_such(body: bytes) -> None:
    with pytest.raises(UnexpectedResponse):
        WIRE.read_reply(body)


def test_an_error_in_a_good_answer_is_that_error() -> None:
    with pytest.raises(RateLimitExceeded):
        WIRE.read_reply(b'{"error": {"code": "rate_limit_exceeded", "message": "Slow down."}}')
