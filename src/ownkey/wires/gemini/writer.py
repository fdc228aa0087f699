"""Answers written for clients who speak Gemini's form: whole, or as a stream of responses."""

from __future__ import annotations

from typing import Any

from msgspec import Raw, json

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
    Unified,
    Usage,
    UsageReport,
    WholePart,
)
from ownkey.wires.gemini.reply import NAME
from ownkey.wires.gemini.values import Object
from ownkey.wires.seal import Kind, Seal, wrap

_REASONS: dict[Unified, str] = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "content_filter": "SAFETY",
    "unknown": "STOP",
}
_OWN_REASONS = frozenset({"STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT"})

# google.rpc.Code, by HTTP status (google/rpc/code.proto).
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    504: "DEADLINE_EXCEEDED",
}
_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


def error_object(error: OwnkeyError, status: int) -> dict[str, object]:
    """`{"error": {"code", "message", "status", "details"}}`, as Google's error model has it (AIP-193)."""
    name = _STATUSES.get(status) or ("INVALID_ARGUMENT" if status < 500 else "UNAVAILABLE")
    info = {"@type": _INFO, "reason": error.code.upper(), "domain": "ownkey"}
    if error.param:
        info["metadata"] = {"field": error.param}  # type: ignore[assignment]
    return {"error": {"code": status, "message": str(error), "status": name, "details": [info]}}


def write_count(tokens: int) -> bytes:
    return json.encode({"totalTokens": tokens})


def write_reply(reply: Reply, model: str) -> bytes:
    """A GenerateContentResponse. Seals of other providers stand wrapped where Gemini's would."""
    parts = [made for part in reply.parts for made in _parts(part)]
    return json.encode(_response(parts, model, reply.id, _reason(reply.finish), reply.usage))


def usage_object(usage: Usage) -> Object:
    """UsageMetadata: what was thought is no part of the candidates' count here."""
    inward, outward, thought = usage.input_tokens or 0, usage.output_tokens or 0, usage.reasoning_tokens
    counts: Object = {
        "promptTokenCount": inward,
        "candidatesTokenCount": max(0, outward - (thought or 0)),
        "totalTokenCount": inward + outward,
    }
    if thought:
        counts["thoughtsTokenCount"] = thought
    if usage.cached_tokens:
        counts["cachedContentTokenCount"] = usage.cached_tokens
    return counts


class GeminiWriter:
    """Writes responses, each with the parts of one event. A part waits for the next one, so that the last carries the
    reason to finish: Google's clients take a response without a part for a broken answer. Calls are written whole."""

    def __init__(self, model: str, *, sse: bool) -> None:
        self._model = model
        self._sse = sse
        self._id: str | None = None
        self._usage = Usage()
        self._waiting: list[Object] = []
        self._calls: dict[int, tuple[ToolCallStart, list[str]]] = {}
        self._finish = Finish("unknown")
        self._written = False

    def write(self, event: Event) -> bytes:
        match event:
            case Start():
                self._id = event.id
            case UsageReport(usage=usage):
                self._usage = self._usage.merged(usage)
            case Finish():
                self._finish = event
            case ToolCallStart(index=index):
                self._calls[index] = (event, [])
            case ToolCallDelta(index=index, arguments=arguments):
                self._calls[index][1].append(arguments)
            case Notice():
                pass
            case _:
                return self._part([*self._called(), *_event_parts(event)])
        return b""

    def end(self) -> bytes:
        written = self._part(self._called())
        parts = self._waiting or [{"text": ""}]
        last = _response(parts, self._model, self._id, _reason(self._finish), self._usage)
        return written + self._framed(last) + (b"" if self._sse else b"]")

    def fail(self, error: OwnkeyError, status: int) -> bytes:
        return self._framed(error_object(error, status)) + (b"" if self._sse else b"]")

    def _part(self, parts: list[Object]) -> bytes:
        if not parts:
            return b""
        before, self._waiting = self._waiting, parts
        return self._framed(_response(before, self._model, self._id)) if before else b""

    def _called(self) -> list[Object]:
        """The calls that were told by now."""
        calls = [ToolCall(start.id, start.name, "".join(text), start.signature) for start, text in self._calls.values()]
        self._calls.clear()
        return [made for call in calls for made in _parts(call)]

    def _framed(self, response: dict[str, Any]) -> bytes:
        data = json.encode(response)
        if self._sse:
            return b"data: %b\r\n\r\n" % data
        first, self._written = not self._written, True
        return (b"[" if first else b",\r\n") + data


def _response(
    parts: list[Object], model: str, id: str | None, reason: str | None = None, usage: Usage | None = None
) -> Object:
    candidate: Object = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = reason
    made: Object = {"candidates": [candidate], "modelVersion": model}
    if usage is not None:
        made["usageMetadata"] = usage_object(usage)
    if id is not None:
        made["responseId"] = id
    return made


def _reason(finish: Finish) -> str:
    return finish.raw if finish.raw in _OWN_REASONS else _REASONS[finish.unified]


def _event_parts(event: Event) -> list[Object]:
    match event:
        case TextDelta(text=text) | RefusalDelta(text=text):
            return [{"text": text}]
        case ReasoningDelta(text=text):
            return [{"text": text, "thought": True}]
        case ReasoningSeal(signature=signature, sealed=sealed, maker=maker):
            return [_thought("", signature, sealed, maker)]
        case WholePart(part=part):
            return _parts(part)
        case _:
            return []


def _parts(part: Part) -> list[Object]:
    match part:
        case Text(text=text, signature=signature):
            return [_signed({"text": text}, signature)] if text or signature else []
        case Refusal(text=text):
            return [{"text": text}]
        case Reasoning():
            return [_thought(part.text, part.signature, part.sealed, part.maker)]
        case ToolCall():
            return [_signed({"functionCall": _call(part)}, part.signature)]
        case Image(data=data, media_type=media_type, url=url):
            if data is None:
                return [{"fileData": {"mimeType": media_type or "image/png", "fileUri": url}}]
            return [{"inlineData": {"mimeType": media_type or "image/png", "data": data}}]
        case Opaque(wire=wire, raw=raw) if wire == NAME:
            return [raw]
        case _:
            return []


def _signed(part: Object, signature: str | None) -> Object:
    return part | {"thoughtSignature": signature} if signature else part


def _thought(text: str, signature: str | None, sealed: str | None, maker: str | None) -> Object:
    value, kind = signature or sealed, "signature" if signature else "sealed"
    if value is not None and maker != NAME:
        chosen: Kind = "signature" if kind == "signature" else "sealed"
        value = wrap(Seal(maker or "", chosen, value)) if maker else None
    return _signed({"text": text, "thought": True}, value)


def _call(call: ToolCall) -> Object:
    """Arguments are an object here; what is none stands within one."""
    arguments = call.arguments.strip() or "{}"
    try:
        args: Raw | Object = Raw(arguments.encode())
        if not isinstance(json.decode(arguments), dict):
            args = {"value": json.decode(arguments)}
    except (ValueError, RecursionError):
        args = {"invalid_json": call.arguments}
    return {"id": call.id, "name": call.name, "args": args}
