# ruff: noqa: E501
"""Requests in every wire that clients speak here, with something wrong in each: whatever it is, one clear error says so,
and it is the sender's. What looks like a key is told to nobody again, wherever it stood."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from house import KEYS, Gateway

CANARY = KEYS["openai"]
USER = [{"role": "user", "content": "Hello"}]
TOOL = {"type": "object", "properties": {"a": {"type": "string"}}}
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}

WHOLE: dict[str, Any] = {
    "/v1/chat/completions": {
        "model": "demo",
        "messages": [
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "a", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "1", "content": "x"},
        ],
        "tools": [{"type": "function", "function": {"name": "a", "parameters": TOOL}}],
        "tool_choice": "auto", "max_tokens": 5, "temperature": 1, "n": 1, "stop": ["x"], "stream": False,
        "response_format": {"type": "json_object"}, "stream_options": {"include_usage": True}, "metadata": {"a": "b"},
    },
    "/v1/messages": {
        "model": "demo", "max_tokens": 5, "system": [{"type": "text", "text": "Be brief"}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "a", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "x"}]},
        ],
        "tools": [{"name": "a", "input_schema": TOOL}], "tool_choice": {"type": "auto"}, "stop_sequences": ["x"],
    },
    "/v1/messages/count_tokens": {"model": "demo", "messages": USER, "system": "Be brief"},
    "/v1/responses": {
        "model": "demo", "instructions": "Be brief", "max_output_tokens": 5,
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
                  {"type": "function_call", "call_id": "1", "name": "a", "arguments": "{}"},
                  {"type": "function_call_output", "call_id": "1", "output": "x"}],
        "tools": [{"type": "function", "name": "a", "parameters": TOOL}], "text": {"format": {"type": "text"}},
    },
    "/v1beta/models/demo:generateContent": GEMINI | {
        "systemInstruction": {"parts": [{"text": "Be brief"}]}, "generationConfig": {"maxOutputTokens": 5, "stopSequences": ["x"]},
        "tools": [{"functionDeclarations": [{"name": "a", "parameters": TOOL}]}],
    },
    "/v1beta/models/demo:streamGenerateContent?alt=sse": GEMINI,
    "/v1beta/models/demo:countTokens": GEMINI,
    "/v1beta/models/openai%2Ftext-embedding-3-small:embedContent": {"content": {"parts": [{"text": "Hi"}]}, "outputDimensionality": 8},
    "/v1/embeddings": {"model": "openai/text-embedding-3-small", "input": ["a", "b"], "dimensions": 8},
    "/v1/moderations": {"model": "openai/omni-moderation-latest", "input": "a"},
    "/v1/images/generations": {"model": "openai/gpt-image-1", "prompt": "a", "n": 1, "size": "1024x1024"},
    "/v1/audio/speech": {"model": "openai/tts-1", "input": "a", "voice": "alloy"},
    "/v1/rerank": {"model": "openai/rerank", "query": "a", "documents": ["a", "b"], "top_n": 1},
    "/api/byok/quote": {"request": {"model": "demo", "messages": USER}, "models": ["demo"], "automation": "nightly"},
}  # fmt: skip
"""A body at each path that is taken."""

ODD = (
    None, True, -1, 0, 1.5, 2**31, 2**63, 2**64, 10**400, 1e308, "", CANARY, CANARY * 2_000, "\0", "\u202e", "a\r\nb: c",
    [], [None], [[]], [{}], {}, {CANARY: CANARY}, {"type": CANARY}, {"text": [CANARY]}, [CANARY], [[CANARY] * 3],
    "data:image/png;base64,%%%", "http://169.254.169.254/", {"type": "image_url", "image_url": {"url": CANARY}},
)  # fmt: skip


def places(value: Any, so_far: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything in it."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in members:
        yield (*so_far, name)
        yield from places(one, (*so_far, name))


def changed(body: Any, way: tuple[Any, ...], to: Any, how: str) -> Any:
    body = copy.deepcopy(body)
    at = body
    for step in way[:-1]:
        at = at[step]
    if how == "gone":
        del at[way[-1]]
    elif how == "twice" and isinstance(at, list):
        at.append(copy.deepcopy(at[way[-1]]))
    elif how == "more" and isinstance(at, dict):
        at[CANARY] = to
    else:
        at[way[-1]] = to
    return body


@st.composite
def mistakes(draw: st.DrawFn) -> tuple[str, bytes]:
    path = draw(st.sampled_from(sorted(WHOLE)))
    body = WHOLE[path]
    for _ in range(draw(st.integers(1, 2))):
        if ways := list(places(body)):
            how = draw(st.sampled_from(("other", "other", "other", "gone", "twice", "more")))
            body = changed(body, draw(st.sampled_from(ways)), draw(st.sampled_from(ODD)), how)
    said = json.dumps(body).encode()
    cut = draw(st.integers(0, 40))
    return path, said[: len(said) * cut // 40] if cut < 3 else said


def check(served: Gateway, path: str, body: bytes, **headers: str) -> None:
    """Nothing here is the provider's fault: the simulator answers whatever it understands."""
    answer = served.send("POST", path, body, served.own | headers)
    assert answer.status < 500, (path, body, answer.body)
    if answer.status >= 400:
        assert CANARY.encode() not in answer.body, (path, body, answer.body)
        assert b"Traceback" not in answer.body
        assert len(answer.body) < 4_096


NOT_AT_THE_SIMULATOR = ("/v1/moderations", "/v1/images/generations", "/v1/audio/speech", "/v1/rerank")
"""Refused for their price, or because the provider has no such thing."""


@pytest.mark.parametrize("path", [path for path in WHOLE if path not in NOT_AT_THE_SIMULATOR])
def test_G20_without_a_mistake_they_are_answered(served: Gateway, path: str) -> None:
    answer = served.send("POST", path, json.dumps(WHOLE[path]).encode(), served.own)
    assert answer.status == 200, answer.body


@settings(max_examples=250, derandomize=True, database=None)
@given(mistakes())
def test_G20_a_mistake_of_the_clients_is_never_the_servers(served: Gateway, mistake: tuple[str, bytes]) -> None:
    check(served, *mistake)


@pytest.mark.soak
@settings(max_examples=10_000, database=None)
@given(mistakes())
def test_G20_a_mistake_of_the_clients_is_never_the_servers_at_length(
    served: Gateway, mistake: tuple[str, bytes]
) -> None:
    check(served, *mistake)


DEEP = '{"a":' * 1_400 + "1" + "}" * 1_400
DEEP_QUOTE = '{"request": {"model": "demo", "messages": [{"role": "user", "content": "Hi"}], "tools": ' + DEEP + "}}"
DIGITS = {"type": "string", "minLength": "9" * 5_000}
FOUND = {
    "a type that is a list": ("/v1/messages", ("system", 0, "type"), []),
    "a type that is an object": ("/v1/messages", ("messages", 0, "content", 0, "type"), {}),
    "a schema's type": ("/v1beta/models/demo:generateContent", ("tools", 0, "functionDeclarations", 0, "parameters", "type"), [{}]),
    "a count of many digits": ("/v1beta/models/demo:generateContent", ("tools", 0, "functionDeclarations", 0, "parameters"), DIGITS),
}  # fmt: skip


@pytest.mark.parametrize("what", FOUND)
def test_G20_what_was_once_a_failure_is_one_no_more(served: Gateway, what: str) -> None:
    path, way, to = FOUND[what]
    check(served, path, json.dumps(changed(WHOLE[path], way, to, "other")).encode())


def test_G03_a_quote_of_what_is_nested_too_deeply_is_refused(served: Gateway) -> None:
    assert served.send("POST", "/api/byok/quote", DEEP_QUOTE.encode(), served.own).status == 422


HEADERS = ("x-ownkey-automation", "x-ownkey-user", "x-ownkey-hops", "anthropic-beta", "content-type", "cookie", "origin",
           "sec-fetch-site", "x-ownkey-csrf", "x-api-key", "x-goog-api-key", "authorization", "range", "if-none-match",
           "accept", "x-forwarded-for", "transfer-encoding", "expect", "content-encoding")  # fmt: skip


@settings(max_examples=150, derandomize=True, database=None)
@given(
    st.sampled_from(HEADERS),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f\x85"), max_size=200),
    st.sampled_from(sorted(WHOLE)),
)
def test_G20_no_header_makes_the_server_fail(served: Gateway, name: str, value: str, path: str) -> None:
    answer = served.send("POST", path, json.dumps(WHOLE[path]).encode(), served.own | {name: value})
    assert answer.status < 500 or answer.status == 508, (name, value, answer.body)


@settings(max_examples=150, derandomize=True, database=None)
@given(
    st.sampled_from(("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE")),
    st.sampled_from(("/v1/models/{}", "/v1beta/models/{}", "/v1beta/models/{}:generateContent", "/v1/{}", "/api/{}", "/{}",
                     "/v1/models?{}", "/api/byok/usage?{}=1", "/api/byok/{}/x", "/v1beta/models/a:{}")),
    st.text(max_size=40) | st.sampled_from(("..", "../..", "%00", "a" * 60_000, "models/x", "openai/a:b", "\0", "//", ";")),
)  # fmt: skip
def test_G20_no_path_makes_the_server_fail(served: Gateway, method: str, path: str, name: str) -> None:
    asked = path.format(quote(name.encode("utf-8", "surrogatepass"), safe="/:;%"))
    answer = served.send(method, asked, b"{}" if method in ("POST", "PUT", "PATCH") else None, served.own)
    assert answer.status < 500, (method, asked, answer.body)
