"""Anthropic's messages, from the provider's side.

Forms after Anthropic's API reference (messages, streaming, extended thinking, prompt caching, models, errors) and
answers of the real service, which pads the JSON of its events with blanks. As there, a signature that is not the one
given with a thought is refused, and `anthropic-version` is insisted on.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from ownkey.simulate.failing import Failure, Reason, Usage, reports, with_usage
from ownkey.simulate.speech import IMAGE_TOKENS, Asked, Said, Tool, asked_of, count, stable, tokens
from ownkey.talk.errors import InvalidRequest, UnknownModel

JSON_TYPE: bytes = b"application/json"

UNBEGUN = ("claude-opus-4-6", "claude-sonnet-4-6")
"""They take no answer that was begun for them."""
STREAM_TYPE: bytes = b"text/event-stream; charset=utf-8"

_FINISH = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tools": "tool_use",
    "refusal": "refusal",
}
_ERRORS: Mapping[Reason, tuple[int, str, str]] = {
    "request": (400, "invalid_request_error", "The simulator was told to call this request wrong."),
    "key": (401, "authentication_error", "invalid x-api-key"),
    "permission": (403, "permission_error", "This key may not do that."),
    "model": (404, "not_found_error", "model: not found"),
    "large": (413, "request_too_large", "Request exceeds the maximum size"),
    "context": (400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum"),
    "content": (400, "invalid_request_error", "Output blocked by content filtering policy"),
    "rate": (429, "rate_limit_error", "This request would exceed the rate limit of requests per minute."),
    "quota": (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
    "server": (500, "api_error", "Internal server error"),
    "overloaded": (529, "overloaded_error", "Overloaded"),
    "timeout": (504, "timeout_error", "Request timed out"),
}
_STATUSES = {402: "billing_error", 409: "conflict_error"}


class _Block(Struct):
    type: str
    text: str = ""
    thinking: str = ""
    signature: str = ""
    content: str | list[_Block] | None = None
    cache_control: dict[str, Any] | None = None


class _Message(Struct):
    role: str
    content: str | list[_Block]


class _Tool(Struct):
    name: str
    input_schema: dict[str, Any] = field(default_factory=dict[str, Any])


class _Choice(Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool = False


class _Thinking(Struct):
    type: str


class _Format(Struct):
    schema: dict[str, Any] | None = None


class _OutputConfig(Struct):
    format: _Format | None = None


class _Body(Struct):
    model: str
    max_tokens: int
    messages: list[_Message]
    system: str | list[_Block] | None = None
    stream: bool = False
    stop_sequences: list[str] | None = None
    tools: Raw = Raw(b"null")
    tool_choice: _Choice | None = None
    thinking: _Thinking | None = None
    output_config: _OutputConfig | None = None


_decode = msgspec.json.Decoder(_Body).decode
_decode_tools = msgspec.json.Decoder(list[_Tool]).decode


def lacks(headers: Mapping[bytes, bytes]) -> Failure | None:
    key = headers.get(b"x-api-key") or headers.get(b"authorization", b"").removeprefix(b"Bearer ")
    if not key:
        return Failure("key", message="x-api-key header is required")
    if key.startswith(b"bad"):
        return Failure("key")
    if b"anthropic-version" not in headers:
        return Failure("request", message="anthropic-version: header is required")
    return None


def read(target: str, body: bytes) -> Asked:
    asked = _decode(body)
    if asked.model.startswith("missing"):
        raise UnknownModel(f"model: {asked.model}")
    if not asked.messages:
        raise InvalidRequest("messages: at least one message is required")
    if asked.max_tokens < 1:
        raise InvalidRequest("max_tokens: must be greater than or equal to 1")
    if asked.messages[-1].role == "assistant" and asked.model.startswith(UNBEGUN):
        raise InvalidRequest(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    blocks = [block for message in asked.messages for block in _blocks(message.content)]
    for block in blocks:
        if block.type == "thinking" and block.signature != _signature(block.thinking):
            raise InvalidRequest("Invalid `signature` in `thinking` block")
    return _asked(asked, _blocks(asked.system or []) + blocks, body)


def _text(message: _Message) -> str:
    return " ".join(block.text for block in _blocks(message.content) if block.type == "text")


def _asked(asked: _Body, blocks: list[_Block], body: bytes) -> Asked:
    tools = b"" if bytes(asked.tools) == b"null" else bytes(asked.tools)
    counts = [count(tools.decode()), *(_tokens(block) for block in blocks)]
    marks = [place for place, block in enumerate(blocks, 1) if block.cache_control is not None]
    cached = sum(counts[: marks[-1] + 1]) if marks else 0
    last = _blocks(asked.messages[-1].content)
    text, begun = asked_of([(message.role, _text(message)) for message in asked.messages])
    results = [block for block in last if block.type == "tool_result"]
    wanted = asked.tool_choice or _Choice("auto")
    writes = "write the cache" in text.lower()
    form = asked.output_config.format if asked.output_config else None
    return Asked(
        seed=stable(body),
        model=asked.model,
        stream=asked.stream,
        text=text,
        begun=begun,
        tool_result=" ".join(_result(block) for block in results) if results else None,
        prompt_tokens=sum(counts),
        images=sum(block.type == "image" for block in last),
        max_tokens=asked.max_tokens,
        stop=tuple(asked.stop_sequences or ()),
        tools=tuple(Tool(tool.name, tool.input_schema) for tool in _decode_tools(tools or b"[]")),
        choice=wanted.name or {"any": "required"}.get(wanted.type, wanted.type),
        parallel=not wanted.disable_parallel_tool_use,
        output=form.schema if form else None,
        reasoning="shown" if asked.thinking and asked.thinking.type != "disabled" else "none",
        cache_read=0 if writes else cached,
        cache_written=cached if writes else 0,
    )


def whole(asked: Asked, said: Said, usage: Usage) -> bytes:
    content: list[dict[str, Any]] = []
    for start, pieces in _content(asked, said):
        block = dict(start)
        for piece in pieces:
            _grow(block, piece)
        if block["type"] == "tool_use":
            block["input"] = msgspec.json.decode(block.pop("partial_json"))
        content.append(block)
    body = _message(asked) | {"content": content} | _ending(said)
    return with_usage(body, "usage", reports(_usage(asked, _written(said)) | {"service_tier": "standard"}, usage))


def stream(asked: Asked, said: Said, usage: Usage) -> list[bytes]:
    begun = reports(_usage(asked, 1) | {"service_tier": "standard"}, usage)[:1]
    message = with_usage(_message(asked), "usage", begun)
    events = [_event("message_start", {"message": Raw(message)})]
    for index, (start, pieces) in enumerate(_content(asked, said)):
        events.append(_event("content_block_start", {"index": index, "content_block": start}))
        if index == 0:
            events.append(_event("ping", {}))
        events += [_event("content_block_delta", {"index": index, "delta": piece}) for piece in pieces]
        events.append(_event("content_block_stop", {"index": index}))
    told = reports(_usage(asked, _written(said)), usage)
    for report in told or [{}]:
        end: dict[str, Any] = {"delta": _ending(said)} | ({"usage": report} if report else {})
        events.append(_event("message_delta", end))
    return [*events, _event("message_stop", {})]


def _content(asked: Asked, said: Said) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each block as it begins, and the deltas that fill it."""
    if said.reasoning:
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in said.reasoning]
        seal = {"type": "signature_delta", "signature": _signature("".join(said.reasoning))}
        yield {"type": "thinking", "thinking": "", "signature": ""}, [*deltas, seal]
    if said.text:
        yield {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in said.text]
    for call in said.calls:
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *tokens(call.arguments))]
        yield {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": {}}, deltas


def _grow(block: dict[str, Any], delta: dict[str, Any]) -> None:
    for name, value in delta.items():
        if name != "type":
            block[name] = block.get(name, "") + value


def error(failure: Failure) -> tuple[int, dict[str, Any]]:
    rows = {row[0]: row for row in reversed(list(_ERRORS.values()))}
    status = failure.status or 400
    kind = _STATUSES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    row = _ERRORS[failure.reason] if failure.reason else rows.get(status, (status, kind, "The simulator refuses."))
    told = {"type": row[1], "message": failure.message or row[2]}
    return failure.status or row[0], {"type": "error", "error": told, "request_id": f"req_{failure.seed[:24]}"}


def error_event(body: dict[str, Any]) -> bytes:
    return b"event: error\ndata: " + msgspec.json.encode(body) + b"\n\n"


def models(ids: tuple[str, ...]) -> bytes:
    listed = [
        {
            "type": "model",
            "id": each,
            "display_name": each.replace("-", " ").title(),
            "created_at": "2025-10-09T00:00:00Z",
        }
        for each in ids
    ]
    return msgspec.json.encode({"data": listed, "has_more": False, "first_id": ids[0], "last_id": ids[-1]})


def headers(seed: str) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"request-id", b"req_" + seed[:24].encode()),
        (b"anthropic-ratelimit-requests-limit", b"4000"),
        (b"anthropic-ratelimit-requests-remaining", b"3999"),
    )


def _message(asked: Asked) -> dict[str, Any]:
    return {
        "model": asked.model,
        "id": f"msg_{asked.seed[:24]}",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _ending(said: Said) -> dict[str, Any]:
    ending: dict[str, Any] = {"stop_reason": _FINISH[said.finish], "stop_sequence": said.stop_sequence}
    if said.refusal:
        explanation = "".join(said.refusal)
        ending["stop_details"] = {"type": "refusal", "category": None, "explanation": explanation}
    return ending


def _usage(asked: Asked, written: int) -> dict[str, Any]:
    return {
        "input_tokens": asked.prompt_tokens - asked.cache_read - asked.cache_written,
        "cache_creation_input_tokens": asked.cache_written,
        "cache_read_input_tokens": asked.cache_read,
        "output_tokens": written,
    }


def _written(said: Said) -> int:
    return said.answer_tokens + said.reasoning_tokens


def _event(name: str, members: dict[str, Any]) -> bytes:
    encoded = msgspec.json.encode({"type": name, **members})
    blanks = b" " * (len(encoded) % 12)
    return b"event: %b\ndata: %b%b}\n\n" % (name.encode(), encoded[:-1], blanks)


def _signature(thinking: str) -> str:
    return base64.b64encode(bytes.fromhex(stable(b"thinking", thinking.encode()))).decode()


def _blocks(content: str | list[_Block]) -> list[_Block]:
    return [_Block("text", content)] if isinstance(content, str) else content


def _result(block: _Block) -> str:
    return " ".join(each.text for each in _blocks(block.content or []) if each.type == "text")


def _tokens(block: _Block) -> int:
    if block.type == "image":
        return IMAGE_TOKENS
    return count(block.text) + count(block.thinking) + sum(_tokens(each) for each in _blocks(block.content or []))
