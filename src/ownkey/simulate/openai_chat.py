"""OpenAI's chat completions, from the provider's side.

Forms after OpenAI's API reference (chat completions, the chat completion chunk, models, error codes) and answers of the
real service. A model with `reasoner` in its name shows its thoughts in `reasoning_content`, as DeepSeek's does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from ownkey.simulate.failing import Failure, Reason, Usage, pretty, reports, with_usage
from ownkey.simulate.speech import IMAGE_TOKENS, Asked, Call, Said, Tool, asked_of, count, stable, tokens
from ownkey.talk.errors import InvalidRequest, UnknownModel

JSON_TYPE: bytes = b"application/json"
STREAM_TYPE: bytes = b"text/event-stream; charset=utf-8"
CREATED = 1_760_000_000

_FINISH = {"stop": "stop", "stop_sequence": "stop", "length": "length", "tools": "tool_calls", "refusal": "stop"}
_ERRORS: Mapping[Reason, tuple[int, str, str | None, str]] = {
    "request": (400, "invalid_request_error", None, "The simulator was told to call this request wrong."),
    "key": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    "permission": (403, "invalid_request_error", "insufficient_permissions", "This key may not do that."),
    "model": (404, "invalid_request_error", "model_not_found", "The model does not exist or you cannot use it."),
    "large": (413, "invalid_request_error", "request_too_large", "The request is too large."),
    "context": (400, "invalid_request_error", "context_length_exceeded", "The input exceeds the context window."),
    "content": (400, "invalid_request_error", "content_policy_violation", "The prompt was refused by policy."),
    "rate": (429, "requests", "rate_limit_exceeded", "Rate limit reached on requests per min (RPM)."),
    "quota": (429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota."),
    "server": (500, "server_error", None, "The server had an error while processing the request."),
    "overloaded": (503, "server_error", None, "The engine is currently overloaded."),
    "timeout": (504, "server_error", None, "The request timed out."),
}


class _Part(Struct):
    type: str
    text: str = ""


class _Message(Struct):
    role: str
    content: str | list[_Part] | None = None


class _Function(Struct):
    name: str
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])


class _Tool(Struct):
    function: _Function


class _Schema(Struct):
    schema: dict[str, Any] = field(default_factory=dict[str, Any])


class _Format(Struct):
    type: str
    json_schema: _Schema | None = None


class _StreamOptions(Struct):
    include_usage: bool = False


class _Body(Struct):
    messages: list[_Message]
    model: str | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    tools: Raw = Raw(b"null")
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: _Format | None = None
    reasoning_effort: str | None = None
    service_tier: str | None = None


_decode = msgspec.json.Decoder(_Body).decode
_decode_tools = msgspec.json.Decoder(list[_Tool]).decode


def lacks(headers: Mapping[bytes, bytes]) -> Failure | None:
    scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
    key = key if scheme.lower() == b"bearer" else headers.get(b"api-key", b"")
    if not key:
        return Failure("key", message="You didn't provide an API key.")
    return Failure("key") if key.startswith(b"bad") else None


def read(target: str, body: bytes) -> Asked:
    asked = _decode(body)
    if not asked.model:
        raise InvalidRequest("you must provide a model parameter")
    if asked.model.startswith("missing"):
        raise UnknownModel(f"The model `{asked.model}` does not exist or you do not have access to it.")
    if not asked.messages:
        raise InvalidRequest("Invalid 'messages': an empty array.", param="messages")
    if asked.max_tokens is not None and re.match(r"o\d", asked.model):
        raise InvalidRequest(
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", param="max_tokens"
        )
    return _asked(asked, asked.model, body)


def _asked(asked: _Body, model: str, body: bytes) -> Asked:
    tools = b"" if bytes(asked.tools) == b"null" else bytes(asked.tools)
    last = asked.messages[-1]
    text, begun = asked_of([(message.role, " ".join(_texts(message))) for message in asked.messages])
    prompt = sum(count(text) for message in asked.messages for text in _texts(message)) + count(tools.decode())
    images = [sum(part.type == "image_url" for part in _parts(message)) for message in asked.messages]
    prompt += sum(images) * IMAGE_TOKENS
    thinks = asked.reasoning_effort not in (None, "none")
    choice: Any = asked.tool_choice or "auto"
    most = asked.max_completion_tokens if asked.max_completion_tokens is not None else asked.max_tokens
    return Asked(
        seed=stable(body),
        model=model,
        stream=bool(asked.stream),
        text="" if last.role == "tool" else text,
        begun=begun,
        tool_result=" ".join(_texts(last)) if last.role == "tool" else None,
        prompt_tokens=prompt,
        images=images[-1],
        max_tokens=most,
        stop=tuple([asked.stop] if isinstance(asked.stop, str) else asked.stop or ()),
        tools=tuple(Tool(t.function.name, t.function.parameters) for t in _decode_tools(tools or b"[]")),
        choice=choice if isinstance(choice, str) else choice.get("function", {}).get("name", "auto"),
        parallel=asked.parallel_tool_calls is not False,
        output=_output(asked.response_format),
        reasoning="shown" if "reasoner" in model else "hidden" if thinks else "none",
        cache_read=prompt // 128 * 128 if prompt >= 1024 else 0,
        choices=asked.n or 1,
        usage_in_stream=bool(asked.stream_options and asked.stream_options.include_usage),
        tier=asked.service_tier if asked.service_tier in ("flex", "priority") else "default",
    )


def whole(asked: Asked, said: Said, usage: Usage) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(said.text) or None}
    if asked.reasoning == "shown":
        message["reasoning_content"] = "".join(said.reasoning)
    if said.calls:
        message["tool_calls"] = [_call(call) for call in said.calls]
    elif not said.refusal:
        message["content"] = "".join(said.text)
    message |= {"refusal": "".join(said.refusal) or None, "annotations": []}
    choice = {"message": message, "logprobs": None, "finish_reason": _FINISH[said.finish]}
    body = {
        "id": f"chatcmpl-{asked.seed[:29]}",
        "object": "chat.completion",
        "created": CREATED,
        "model": asked.model,
        "choices": [{"index": index, **choice} for index in range(asked.choices)],
        "service_tier": asked.tier,
        "system_fingerprint": f"fp_{asked.seed[:10]}",
    }
    return pretty(with_usage(body, "usage", reports(_usage(asked, said), usage)), usage) + b"\n"


def stream(asked: Asked, said: Said, usage: Usage) -> list[bytes]:
    events: list[bytes] = []
    for index in range(asked.choices):
        for delta, finish in _deltas(asked, said):
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
            events.append(_event(_chunk(asked, [choice]) | ({"usage": None} if asked.usage_in_stream else {})))
    if asked.usage_in_stream:
        told = reports(_usage(asked, said), usage)
        events += [_event(_chunk(asked, []) | {"usage": report}) for report in told]
    return [*events, b"data: [DONE]\n\n"]


def _deltas(asked: Asked, said: Said) -> Iterator[tuple[dict[str, Any], str | None]]:
    empty = None if said.calls or said.refusal else ""
    yield {"role": "assistant", "content": empty, "refusal": None}, None
    if asked.reasoning == "shown":
        for piece in said.reasoning:
            yield {"content": None, "reasoning_content": piece}, None
    for piece in said.refusal:
        yield {"refusal": piece}, None
    for piece in said.text:
        yield {"content": piece}, None
    for place, call in enumerate(said.calls):
        begun = _call(call)
        begun["function"]["arguments"] = ""
        yield {"tool_calls": [{"index": place, **begun}]}, None
        for piece in tokens(call.arguments):
            yield {"tool_calls": [{"index": place, "function": {"arguments": piece}}]}, None
    yield {}, _FINISH[said.finish]


def error(failure: Failure) -> tuple[int, dict[str, Any]]:
    rows = {row[0]: row for row in reversed(list(_ERRORS.values()))}
    status = failure.status or 400
    unlisted = (status, "server_error" if status >= 500 else "invalid_request_error", None, "The simulator refuses.")
    status, kind, code, message = _ERRORS[failure.reason] if failure.reason else rows.get(status, unlisted)
    message = failure.message or message
    if failure.retry_after:
        message += f" Please try again in {failure.retry_after}s."
    told = {"message": message, "type": kind, "param": failure.param, "code": code}
    return failure.status or status, {"error": told}


def error_event(body: dict[str, Any]) -> bytes:
    return _event(body)


def models(ids: tuple[str, ...]) -> bytes:
    listed = [{"id": each, "object": "model", "created": CREATED, "owned_by": "system"} for each in ids]
    return msgspec.json.format(msgspec.json.encode({"object": "list", "data": listed}), indent=2) + b"\n"


def headers(seed: str) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"x-request-id", b"req_" + seed[:32].encode()),
        (b"openai-version", b"2020-10-01"),
        (b"x-ratelimit-limit-requests", b"10000"),
        (b"x-ratelimit-remaining-requests", b"9999"),
    )


def _usage(asked: Asked, said: Said) -> dict[str, Any]:
    written = (said.answer_tokens + said.reasoning_tokens) * asked.choices
    return {
        "prompt_tokens": asked.prompt_tokens,
        "completion_tokens": written,
        "total_tokens": asked.prompt_tokens + written,
        "prompt_tokens_details": {"cached_tokens": asked.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": said.reasoning_tokens * asked.choices,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _chunk(asked: Asked, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{asked.seed[:29]}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": asked.model,
        "service_tier": asked.tier,
        "system_fingerprint": f"fp_{asked.seed[:10]}",
        "choices": choices,
    }


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(body) + b"\n\n"


def _call(call: Call) -> dict[str, Any]:
    return {
        "id": f"call_{call.id}",
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def _output(wanted: _Format | None) -> dict[str, Any] | None:
    if wanted is None or wanted.type == "text":
        return None
    return wanted.json_schema.schema if wanted.json_schema else {"type": "object"}


def _parts(message: _Message) -> list[_Part]:
    return message.content if isinstance(message.content, list) else []


def _texts(message: _Message) -> list[str]:
    if isinstance(message.content, str):
        return [message.content]
    return [part.text for part in _parts(message) if part.type == "text"]
