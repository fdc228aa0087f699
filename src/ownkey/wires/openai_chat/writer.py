"""Answers written for clients who speak OpenAI's form: whole, or as a stream of chunks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from msgspec import json

from ownkey.talk.chat import Image, Opaque, Part, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.errors import OwnkeyError
from ownkey.talk.reply import (
    Event,
    Finish,
    Notice,
    ReasoningDelta,
    ReasoningSeal,
    RefusalDelta,
    Reply,
    Start,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
    UsageReport,
    WholePart,
)
from ownkey.wires.openai_chat.details import sealed_details, text_details
from ownkey.wires.openai_chat.usage import usage_object
from ownkey.wires.openai_error import error_object
from ownkey.wires.wire import Ask

_NO_ID = "chatcmpl-ownkey"


def write_reply(reply: Reply, model: str) -> bytes:
    """A `chat.completion`. Reasoning stands in `reasoning_content`, its seals in `reasoning_details`."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": reply.refusal}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if details := [detail for part in reply.parts for detail in _details(part)]:
        message["reasoning_details"] = details
    if pictures := [_picture(part) for part in reply.parts if isinstance(part, Image)]:
        message["images"] = pictures
    if calls := [_call(part) for part in reply.tool_calls]:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(reply.finish, bool(calls))}
    body: dict[str, Any] = {
        "id": reply.id or _NO_ID,
        "object": "chat.completion",
        "created": reply.created or 0,
        "model": model,
        "choices": [choice],
    }
    if reply.usage != Usage():
        body["usage"] = usage_object(reply.usage)
    return json.encode(body)


class ChatWriter:
    """Writes `chat.completion.chunk`s: the role first, the reason last, then the usage where it was asked for."""

    def __init__(self, ask: Ask, model: str) -> None:
        self._wants_usage = ask.usage_in_stream
        self._head: dict[str, Any] = {
            "id": _NO_ID,
            "object": "chat.completion.chunk",
            "created": 0,
            "model": model,
        }
        self._opened = False
        self._usage = Usage()
        self._thought: list[str] = []
        self._called = False

    def write(self, event: Event) -> bytes:
        match event:
            case Start():
                self._head |= {"id": event.id or _NO_ID, "created": event.created or 0}
                return self._open()
            case UsageReport(usage=usage):
                self._usage = self._usage.merged(usage)
                return b""
            case Finish():
                return self._open() + self._chunk({}, _reason(event, self._called), event.mark)
            case _:
                delta = self._delta(event)
                return self._open() + self._chunk(delta) if delta else b""

    def end(self) -> bytes:
        last = b""
        if self._wants_usage and self._usage.known:
            last = _event({**self._head, "choices": [], "usage": usage_object(self._usage)})
        return last + b"data: [DONE]\n\n"

    def fail(self, error: OwnkeyError, status: int) -> bytes:
        return _event(error_object(error))

    def _open(self) -> bytes:
        if self._opened:
            return b""
        self._opened = True
        return self._chunk({"role": "assistant", "content": ""})

    def _delta(self, event: Event) -> dict[str, Any]:
        match event:
            case TextDelta(text=text):
                return {"content": text}
            case ReasoningDelta(text=text):
                self._thought.append(text)
                return {"reasoning_content": text}
            case ReasoningSeal(signature=signature, sealed=sealed, maker=maker):
                details = sealed_details(Reasoning("".join(self._thought), signature, sealed, maker))
                self._thought.clear()
                return {"reasoning_details": details} if details else {}
            case RefusalDelta(text=text):
                return {"refusal": text}
            case ToolCallStart():
                self._called = True
                call = _call(ToolCall(event.id, event.name, "", event.signature))
                return {"tool_calls": [{"index": event.index, **call}]}
            case ToolCallDelta(index=index, arguments=arguments):
                return {"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}
            case WholePart(part=part):
                return _whole(part)
            case Notice() | Start() | UsageReport() | Finish():
                return {}

    def _chunk(
        self, delta: dict[str, Any], reason: str | None = None, mark: Mapping[str, object] = MappingProxyType({})
    ) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _event({**self._head, "choices": [choice], **mark})


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.encode(data) + b"\n\n"


def _reason(finish: Finish, called: bool) -> str:
    """One of OpenAI's own; where the provider gave none that is known, what the answer itself shows."""
    if finish.unified != "unknown":
        return finish.unified
    return "tool_calls" if called else "stop"


def _whole(part: Part) -> dict[str, Any]:
    match part:
        case Text(text=text):
            details = _details(part)
            return {"content": text} | ({"reasoning_details": details} if details else {})
        case Image():
            return {"images": [_picture(part)]}
        case Opaque() | Reasoning() | Refusal() | ToolCall() | _:
            return {}


def _call(call: ToolCall) -> dict[str, Any]:
    """Google's seal on a call stands where Google's own OpenAI form has it."""
    made: dict[str, Any] = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
    if call.signature:
        made["extra_content"] = {"google": {"thought_signature": call.signature}}
    return made


def _details(part: Part) -> list[dict[str, Any]]:
    match part:
        case Reasoning():
            return sealed_details(part)
        case Text(signature=signature) if signature:
            return text_details(signature)
        case _:
            return []


def _picture(image: Image) -> dict[str, Any]:
    url = image.url or f"data:{image.media_type or 'image/png'};base64,{image.data or ''}"
    return {"type": "image_url", "image_url": {"url": url}}
