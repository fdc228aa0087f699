"""Ollama's own API, from the provider's side: `/api/chat`, in lines or whole, and `/api/tags`.

Forms after Ollama's API reference and answers of the real service. It has no keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

from ownkey.simulate.failing import Failure, Usage, reports
from ownkey.simulate.speech import IMAGE_TOKENS, Asked, Said, Tool, count, stable
from ownkey.talk.errors import InvalidRequest, UnknownModel

Object = dict[str, Any]

JSON_TYPE: bytes = b"application/json; charset=utf-8"
STREAM_TYPE: bytes = b"application/x-ndjson"
MADE = "2026-01-01T00:00:00Z"

_STATUSES = {"request": 400, "key": 401, "permission": 403, "model": 404, "large": 413, "rate": 429, "quota": 429}
_FINISH = {"length": "length"}


class _Function(Struct):
    name: str
    parameters: Object = field(default_factory=dict[str, Any])


class _Tool(Struct):
    function: _Function


class _Message(Struct):
    role: str
    content: str = ""
    images: list[str] = field(default_factory=list[str])
    thinking: str = ""
    tool_calls: list[Object] = field(default_factory=list[Object])
    tool_name: str = ""


class _Body(Struct):
    messages: list[_Message]
    model: str | None = None
    stream: bool | None = None
    tools: list[_Tool] | None = None
    format: Object | str | None = None
    options: Object | None = None
    think: bool | str | None = None


_decode = msgspec.json.Decoder(_Body).decode


def lacks(headers: Mapping[bytes, bytes]) -> Failure | None:
    return None


def read(target: str, body: bytes) -> Asked:
    asked = _decode(body)
    if not asked.model or asked.model.startswith("missing"):
        raise UnknownModel(f"model '{asked.model}' not found")
    if not asked.messages:
        raise InvalidRequest("there are no messages")
    for message in asked.messages:
        if any(":" in image or not image for image in message.images):
            raise InvalidRequest("illegal base64 data")
        if any(not isinstance(call.get("function", {}).get("arguments"), dict) for call in message.tool_calls):
            raise InvalidRequest("arguments of a tool call must be an object")
    options = asked.options or {}
    last = asked.messages[-1]
    answers = last.role == "tool"
    tools = tuple(Tool(tool.function.name, tool.function.parameters) for tool in asked.tools or ())
    prompt = sum(count(message.content) + len(message.images) * IMAGE_TOKENS for message in asked.messages)
    most = options.get("num_predict")
    return Asked(
        seed=stable(body),
        model=asked.model,
        # It streams unless it is told not to.
        stream=asked.stream is not False,
        text="" if answers else last.content,
        tool_result=last.content if answers else None,
        prompt_tokens=prompt + sum(count(tool.name) for tool in tools),
        images=len(last.images),
        max_tokens=most if isinstance(most, int) and most > 0 else None,
        stop=tuple(options.get("stop") or ()),
        tools=tools,
        output=asked.format if isinstance(asked.format, dict) else {"type": "object"} if asked.format else None,
        reasoning="shown" if asked.think else "none",
    )


def whole(asked: Asked, said: Said, usage: Usage) -> bytes:
    return msgspec.json.encode(_line(asked, _message(said)) | _last(asked, said, usage))


def stream(asked: Asked, said: Said, usage: Usage) -> list[bytes]:
    pieces: list[Object] = [{"content": "", "thinking": piece} for piece in said.reasoning]
    pieces += [{"content": piece} for piece in (*said.refusal, *said.text)]
    if said.calls:
        pieces.append({"content": "", "tool_calls": _calls(said)})
    lines = [_line(asked, {"role": "assistant", **piece}) | {"done": False} for piece in pieces]
    lines.append(_line(asked, {"role": "assistant", "content": ""}) | _last(asked, said, usage))
    return [msgspec.json.encode(line) + b"\n" for line in lines]


def error(failure: Failure) -> tuple[int, Object]:
    status = failure.status or _STATUSES.get(failure.reason or "", 500)
    return status, {"error": failure.message or "the simulator refuses"}


def error_event(body: Object) -> bytes:
    return msgspec.json.encode(body) + b"\n"


def models(ids: tuple[str, ...]) -> bytes:
    return msgspec.json.encode({"models": [{"name": each, "model": each} for each in ids]})


def headers(seed: str) -> tuple[tuple[bytes, bytes], ...]:
    return ()


def _line(asked: Asked, message: Object) -> Object:
    return {"model": asked.model, "created_at": MADE, "message": message}


def _last(asked: Asked, said: Said, usage: Usage) -> Object:
    counts = {"prompt_eval_count": asked.prompt_tokens, "eval_count": said.answer_tokens + said.reasoning_tokens}
    told = reports(counts, usage)
    return {"done": True, "done_reason": _FINISH.get(said.finish, "stop"), **(told[-1] if told else {})}


def _message(said: Said) -> Object:
    message: Object = {"role": "assistant", "content": "".join((*said.refusal, *said.text))}
    if said.reasoning:
        message["thinking"] = "".join(said.reasoning)
    if said.calls:
        message["tool_calls"] = _calls(said)
    return message


def _calls(said: Said) -> list[Object]:
    return [{"function": {"name": call.name, "arguments": msgspec.json.decode(call.arguments)}} for call in said.calls]
