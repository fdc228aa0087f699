"""What Gemini answers: replies, counts, errors and lists, small cases of our own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ownkey.catalog.manifest import Quirks
from ownkey.talk.chat import Chat, Image, Message, Opaque, Reasoning, Text, ToolCall, user
from ownkey.talk.errors import (
    ContextTooLong,
    InvalidCredentials,
    ModelNotAvailable,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimitExceeded,
    RequestRefused,
    UnexpectedResponse,
)
from ownkey.talk.reply import Finish, Reply, Usage
from ownkey.wires.gemini.wire import Gemini


def reply(*parts: dict[str, Any], finish: object = "STOP", usage: object = None, **more: Any) -> Reply:
    body: dict[str, Any] = {"responseId": "r1", "modelVersion": "gemini-x", **more}
    body.setdefault("candidates", [{"content": {"role": "model", "parts": list(parts)}, "finishReason": finish}])
    if usage is not None:
        body["usageMetadata"] = usage
    return Gemini().read_reply(json.dumps(body).encode())


def error(status: int, told: object, headers: dict[bytes, bytes] | None = None) -> ProviderError:
    return Gemini().read_error(status, headers or {}, json.dumps({"error": told}).encode())


def test_a_reply_says_what_was_answered_by_whom_and_why_it_ended() -> None:
    found = reply({"text": "Hello"}, {"text": " you"})
    assert (found.id, found.model, found.text) == ("r1", "gemini-x", "Hello you")
    assert found.finish == Finish("stop", "STOP")


def test_thoughts_signatures_and_calls_keep_their_places() -> None:
    found = reply(
        {"text": "Hm", "thought": True},
        {"text": "So", "thoughtSignature": "s1"},
        {"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "s2"},
        {"functionCall": {"id": "own", "name": "g"}},
        {"text": "", "thoughtSignature": "s3"},
        {"text": "Hm", "thought": True, "thoughtSignature": "s4"},
        {"thoughtSignature": "s5"},
    )
    assert found.parts == (
        Reasoning("Hm"),
        Text("So", "s1"),
        ToolCall("call_r1_0", "f", '{"x":1}', "s2"),
        ToolCall("own", "g", "{}"),
        Text("", "s3"),
        Reasoning("Hm", "s4", maker="gemini"),
        Text("", "s5"),
    )
    assert found.finish == Finish("tool_calls", "STOP")


def test_an_answer_that_is_sent_back_is_what_was_received() -> None:
    parts: list[dict[str, Any]] = [
        {"text": "Hm", "thought": True, "thoughtSignature": "s0"},
        {"text": "So"},
        {"text": "it is", "thoughtSignature": "s1"},
        {"functionCall": {"id": "1", "name": "f", "args": {"x": [1.5, "é", None, True]}}, "thoughtSignature": "s2"},
        {"functionCall": {"id": "2", "name": "g", "args": {}}},
        {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "s3"},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"inlineData": {"mimeType": "image/png", "data": "QQ=="}, "thoughtSignature": "s4"},
        {"inlineData": {"mimeType": "audio/wav", "data": "QQ=="}},
        {"inlineData": {"mimeType": "image/png", "data": "Qg=="}, "thought": True},
        {"text": "", "thoughtSignature": "s5"},
    ]
    chat = Chat((user("Go"), Message("assistant", reply(*parts).parts)))
    written = Gemini().write_request(chat, "gemini-3-pro", stream=False, max_output=None, quirks=Quirks())
    assert json.loads(written.body)["contents"][1]["parts"] == parts


def test_images_and_what_only_gemini_understands() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "QQ=="}}
    sound = {"inlineData": {"mimeType": "audio/wav", "data": "QQ=="}}
    code = {"executableCode": {"language": "PYTHON", "code": "1"}}
    assert reply(picture, sound, code, {}).parts == (
        Image(data="QQ==", media_type="image/png"),
        Opaque("gemini", sound),
        Opaque("gemini", code),
    )


def test_numbers_in_arguments_stay_what_the_model_wrote() -> None:
    call = b'{"functionCall":{"name":"f","args":{"a":1.0,"b":98765432109876543210987}}}'
    raw = b'{"candidates":[{"content":{"parts":[' + call + b"]}}]}"
    (found,) = Gemini().read_reply(raw).tool_calls
    assert found.arguments == '{"a":1.0,"b":98765432109876543210987}'


@pytest.mark.parametrize(
    ("raw", "unified"),
    [("STOP", "stop"), ("MAX_TOKENS", "length"), (1, "stop"), (2, "length"), (3, "content_filter")]
    + [(name, "content_filter") for name in ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII")]
    + [(name, "content_filter") for name in ("IMAGE_SAFETY", "LANGUAGE", "MODEL_ARMOR")]
    + [(name, "unknown") for name in ("MALFORMED_FUNCTION_CALL", "OTHER", "FINISH_REASON_UNSPECIFIED", "NEW", 5)],
)
def test_the_finish_keeps_the_providers_own_word(raw: object, unified: Any) -> None:
    assert reply({"text": "a"}, finish=raw).finish == Finish(unified, str(raw))


def test_a_cut_call_is_not_told_as_a_finished_one() -> None:
    call = {"functionCall": {"name": "f", "args": {}}}
    assert reply(call, finish="MAX_TOKENS").finish == Finish("length", "MAX_TOKENS")
    assert reply(call, finish="UNEXPECTED_TOOL_CALL").finish == Finish("unknown", "UNEXPECTED_TOOL_CALL")


def test_a_refused_prompt_ends_with_its_reason() -> None:
    found = reply(
        candidates=[],
        promptFeedback={"blockReason": "PROHIBITED_CONTENT"},
        usage={"promptTokenCount": 9, "totalTokenCount": 9},
    )
    assert found.parts == ()
    assert found.finish == Finish("content_filter", "PROHIBITED_CONTENT")
    assert found.usage == Usage(9, 0)


def test_only_the_first_of_several_answers_is_read() -> None:
    candidates = [
        {"index": 1, "content": {"parts": [{"text": "two"}]}},
        {"index": 0, "content": {"parts": [{"text": "one"}]}},
    ]
    assert reply(candidates=candidates).text == "one"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"<html>",
        b'"text"',
        b'{"candidates":[]}',
        b'{"candidates":',
        b"\xff",
        b"[" * 200_000,
    ],
)
def test_U05_what_is_no_answer_is_an_unexpected_response(body: bytes) -> None:
    with pytest.raises(UnexpectedResponse):
        Gemini().read_reply(body)


@pytest.mark.parametrize(
    "candidate",
    [
        {},
        {"content": None},
        {"content": []},
        {"content": {"parts": None}},
        {
            "content": {
                "parts": [
                    None,
                    1,
                    "x",
                    [],
                    {"text": 5},
                    {"functionCall": None},
                    {"inlineData": {}},
                    {"functionCall": {}},
                ]
            }
        },
        {"content": {"parts": []}, "finishReason": {}},
        {"content": {"parts": [{"text": None, "thought": "yes", "thoughtSignature": 7}]}, "new": {"field": 1}},
    ],
)
def test_odd_candidates_never_crash(candidate: object) -> None:
    assert reply(candidates=[candidate]).text == ""


def test_U17_an_error_in_a_good_answer_is_the_error() -> None:
    with pytest.raises(ProviderUnavailable) as raised:
        Gemini().read_reply(b'{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}')
    assert raised.value.status == 503


def test_U13_thoughts_and_tools_are_counted_on_their_sides() -> None:
    counts = {
        "promptTokenCount": 10,
        "toolUsePromptTokenCount": 5,
        "candidatesTokenCount": 7,
        "thoughtsTokenCount": 20,
        "cachedContentTokenCount": 4,
        "totalTokenCount": 42,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 4}, {"modality": "AUDIO", "tokenCount": 6}],
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 3}],
    }
    assert reply(usage=counts).usage == Usage(
        input_tokens=15,
        output_tokens=27,
        cached_tokens=4,
        reasoning_tokens=20,
        input_audio_tokens=6,
        output_audio_tokens=3,
    )


@pytest.mark.parametrize(
    ("counts", "output"),
    [
        ({"promptTokenCount": 3, "totalTokenCount": 3}, 0),
        ({"promptTokenCount": 3, "thoughtsTokenCount": 8, "totalTokenCount": 11}, 8),
        ({"promptTokenCount": 3, "totalTokenCount": 12}, 9),
        ({"promptTokenCount": 3}, None),
        ({"promptTokenCount": 3, "candidatesTokenCount": 0}, 0),
        ({"candidatesTokenCount": 4}, 4),
        ({"trafficType": "ON_DEMAND"}, None),
    ],
)
def test_U12_output_that_was_not_counted_is_what_the_total_leaves(counts: dict[str, Any], output: int | None) -> None:
    assert reply(usage=counts).usage.output_tokens == output


@pytest.mark.parametrize("bad", [-1, 1.5, "7", True, 2**63, 2**31, [], {}])
def test_U12_a_count_that_is_none_is_unknown(bad: object) -> None:
    found = reply(usage={"promptTokenCount": bad, "candidatesTokenCount": bad, "totalTokenCount": 9}).usage
    assert (found.input_tokens, found.output_tokens) == (None, None)
    mixed = reply(usage={"promptTokenCount": 1, "candidatesTokenCount": 2, "thoughtsTokenCount": bad}).usage
    assert (mixed.input_tokens, mixed.output_tokens, mixed.reasoning_tokens) == (1, None, None)


@pytest.mark.parametrize("usage", [None, [], "x", 5])
def test_U12_no_counts_at_all_are_unknown(usage: object) -> None:
    assert reply({"text": "a"}, usage=usage).usage == Usage()


def info(reason: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}


def quota(*ids: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": one} for one in ids]}


@pytest.mark.parametrize(
    ("status", "name", "message", "details", "kind"),
    [
        (400, "INVALID_ARGUMENT", "API key not valid.", [info("API_KEY_INVALID")], InvalidCredentials),
        (400, "INVALID_ARGUMENT", "API key expired.", [info("API_KEY_INVALID")], InvalidCredentials),
        (401, "UNAUTHENTICATED", "No credentials.", [], InvalidCredentials),
        (403, "PERMISSION_DENIED", "Not used before.", [info("SERVICE_DISABLED")], InvalidCredentials),
        (403, "PERMISSION_DENIED", "Enable billing.", [info("BILLING_DISABLED")], QuotaExceeded),
        (404, "NOT_FOUND", "models/x is not found.", [], ModelNotAvailable),
        (400, "FAILED_PRECONDITION", "User location is not supported for the API use.", [], ModelNotAvailable),
        (400, "FAILED_PRECONDITION", "Free tier is not available, please enable billing.", [], QuotaExceeded),
        (400, "FAILED_PRECONDITION", "The file is not in an ACTIVE state.", [], RequestRefused),
        (
            400,
            "INVALID_ARGUMENT",
            "The input token count (9) exceeds the maximum number of tokens allowed (8).",
            [],
            ContextTooLong,
        ),
        (400, "INVALID_ARGUMENT", "The input token count is 9 but model only supports up to 8.", [], ContextTooLong),
        (400, "INVALID_ARGUMENT", "Please use a valid role: user, model.", [], RequestRefused),
        (429, "RESOURCE_EXHAUSTED", "Exhausted.", [quota("TokensPerModelPerMinute")], RateLimitExceeded),
        (
            429,
            "RESOURCE_EXHAUSTED",
            "Exhausted.",
            [quota("PerMinute", "RequestsPerDayPerProject-FreeTier")],
            QuotaExceeded,
        ),
        (429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.", [], QuotaExceeded),
        (500, "INTERNAL", "An internal error has occurred.", [], ProviderUnavailable),
        (503, "UNAVAILABLE", "The model is overloaded.", [], ProviderUnavailable),
        (504, "DEADLINE_EXCEEDED", "Too slow.", [], ProviderTimeout),
    ],
)
def test_U02_every_refusal_has_its_error(
    status: int, name: str, message: str, details: list[Any], kind: type[ProviderError]
) -> None:
    told = {"code": status, "message": message, "status": name, "details": details}
    for body in ({"error": told}, [{"error": told}]):
        found = Gemini().read_error(status, {}, json.dumps(body).encode())
        assert type(found) is kind
        assert found.status == status
        assert message in found.message


@pytest.mark.parametrize(
    ("delay", "wait_s"),
    [("34.4s", 34.4), ("0s", 0.0), ("21599.96s", 3600.0), ("-1s", None), ("x", None), (5, None), ("1e9s", None)],
)
def test_U03_the_wait_that_the_details_ask_for_is_told(delay: object, wait_s: float | None) -> None:
    told = {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": delay}]}
    assert error(429, told).retry_after_s == wait_s
    assert error(429, told, {b"retry-after": b"7"}).retry_after_s == (7.0 if wait_s is None else wait_s)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad gateway</html>",
        b"null",
        b"[]",
        b'{"error":null}',
        b'{"error":"text"}',
        b'{"error":{"details":[null,{"violations":[1]}]}}',
    ],
)
def test_U04_an_error_body_that_is_none_still_makes_an_error(body: bytes) -> None:
    found = Gemini().read_error(502, {}, body)
    assert type(found) is ProviderUnavailable
    assert "html" not in found.message


def test_U04_a_key_in_an_error_is_not_shown() -> None:
    key = "AIza" + "Sy0123456789abcdefghijklmnopqrstuvw"
    assert key not in str(error(400, {"message": f"API key {key} not valid", "status": "INVALID_ARGUMENT"}))


def test_models_are_listed_with_what_is_known_of_them() -> None:
    page = {
        "models": [
            {
                "name": "models/gemini-x",
                "displayName": "Gemini X",
                "inputTokenLimit": 1_048_576,
                "outputTokenLimit": 65_536,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
                "thinking": True,
            },
            {"name": "models/embed", "supportedGenerationMethods": ["embedContent"], "inputTokenLimit": "many"},
            {"displayName": "nameless"},
            None,
        ],
        "nextPageToken": "abc",
    }
    found = Gemini().read_models(json.dumps(page).encode())
    chatting, embedding = found.models
    assert (chatting.id, chatting.name, chatting.context, chatting.max_output) == (
        "gemini-x",
        "Gemini X",
        1_048_576,
        65_536,
    )
    assert chatting.does == ("chat", "stream", "reasoning")
    assert (embedding.id, embedding.does, embedding.context) == ("embed", ("embeddings",), None)
    assert found.next_query == {"pageToken": "abc"}


def test_the_last_page_of_models_asks_for_no_more() -> None:
    assert Gemini().read_models(b'{"models":[]}').next_query is None
    assert Gemini().read_models(b"{}").models == ()


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"data":[]}', b'{"error":{"code":401}}'])
def test_U05_what_is_no_list_of_models_is_an_unexpected_response(body: bytes) -> None:
    with pytest.raises(UnexpectedResponse):
        Gemini().read_models(body)
