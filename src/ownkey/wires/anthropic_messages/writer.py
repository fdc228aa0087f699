"""Answers written for clients who speak Anthropic's form: whole, or as a stream of its events."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from msgspec import Raw, json

from ownkey.talk.chat import Image, Opaque, Part, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.errors import ConsentRequired, OwnkeyError, code_told
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
from ownkey.wires.anthropic_messages.reply import NAME
from ownkey.wires.seal import Kind, Seal, wrap

Json = dict[str, Any]

_NO_ID = "msg_ownkey"
_REASONS: dict[Unified, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_OWN_REASONS = frozenset({"end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"})

# Anthropic's API reference, Errors.
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "invalid_request_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def error_object(error: OwnkeyError, status: int) -> Json:
    """`{"type": "error", "error": {"type", "message"}}`, with Ownkey's code and the field beside them, and `consent`
    where that is what is wanted."""
    kind = _TYPES.get(status) or ("invalid_request_error" if status < 500 else "api_error")
    told: Json = {"type": kind, "message": str(error), "code": code_told(type(error)), "param": error.param}
    if isinstance(error, ConsentRequired):
        told["consent"] = error.plain()
    return {"type": "error", "error": told}


def write_count(tokens: int) -> bytes:
    return json.encode({"input_tokens": tokens})


def write_reply(reply: Reply, model: str) -> bytes:
    """A `message`. Seals of other providers stand wrapped where Anthropic's would."""
    blocks = [block for part in reply.parts for block in _blocks(part)]
    return json.encode(
        {
            **_head(reply.id, model),
            "content": blocks,
            **_reason(reply.finish, called=bool(reply.tool_calls)),
            "usage": usage_object(reply.usage),
        }
    )


def usage_object(usage: Usage) -> Json:
    """Anthropic's `input_tokens` leaves out what a cache took or gave (Prompt caching). Unknown is told as 0, for the
    clients want numbers."""
    cached, written = usage.cached_tokens or 0, usage.cache_write_tokens or 0
    hour = min(usage.cache_write_1h_tokens or 0, written)
    return {
        "input_tokens": max(0, (usage.input_tokens or 0) - cached - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "cache_creation": {"ephemeral_5m_input_tokens": written - hour, "ephemeral_1h_input_tokens": hour},
        "output_tokens": usage.output_tokens or 0,
    }


class MessagesWriter:
    """Writes the events of one message, whose blocks follow each other.

    The first call is written as it comes. Its arguments are whole at the end of the answer: what begins after it, be it
    another call, waits for that.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._id: str | None = None
        self._usage = Usage()
        self._opened = False
        self._index = -1
        self._open: str | None = None
        self._live: int | None = None
        self._waiting: list[Event] = []
        self._arguments: defaultdict[int, list[str]] = defaultdict(list)
        self._called = False
        self._finish = Finish("unknown")

    def write(self, event: Event) -> bytes:
        match event:
            case Start():
                self._id = event.id
                return b""
            case UsageReport(usage=usage):
                self._usage = self._usage.merged(usage)
                return b""
            case Finish():
                self._finish = event
                return b""
            case Notice():
                return b""
            case _:
                return self._begin() + self._write(event)

    def end(self) -> bytes:
        last = {
            "type": "message_delta",
            "delta": _reason(self._finish, called=self._called),
            "usage": usage_object(self._usage),
            **self._finish.mark,
        }
        begun = self._begin() + self._close()
        waited = b"".join(map(self._waited, self._waiting)) + self._close()
        return begun + waited + _event(last) + _event({"type": "message_stop"})

    def fail(self, error: OwnkeyError, status: int) -> bytes:
        return _event(error_object(error, status))

    def _begin(self) -> bytes:
        if self._opened:
            return b""
        self._opened = True
        message: Json = {
            **_head(self._id, self._model),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {**usage_object(self._usage), "output_tokens": 0},
        }
        return _event({"type": "message_start", "message": message})

    def _write(self, event: Event) -> bytes:
        match event:
            case ToolCallDelta(index=index, arguments=arguments) if index == self._live:
                return self._grow_call(arguments)
            case ToolCallDelta(index=index, arguments=arguments):
                self._arguments[index].append(arguments)
            case _ if self._live is None:
                return self._piece(event)
            case _:
                self._waiting.append(event)
        return b""

    def _piece(self, event: Event) -> bytes:
        match event:
            case ToolCallStart():
                return self._call(event)
            case TextDelta(text=text) | RefusalDelta(text=text):
                return self._grow("text", {"type": "text", "text": ""}, {"type": "text_delta", "text": text})
            case ReasoningDelta(text=text):
                begun = {"type": "thinking", "thinking": "", "signature": ""}
                return self._grow("thinking", begun, {"type": "thinking_delta", "thinking": text})
            case ReasoningSeal():
                return self._sealed(event)
            case WholePart(part=part):
                return self._close() + b"".join(map(self._whole, _blocks(part)))
            case _:
                return b""

    def _sealed(self, event: ReasoningSeal) -> bytes:
        block = _thought("", event.signature, event.sealed, event.maker)
        if self._open != "thinking":
            return self._close() + self._whole(block)
        seal = block.get("signature") or block.get("data")
        return self._delta({"type": "signature_delta", "signature": seal}) + self._close()

    def _call(self, start: ToolCallStart) -> bytes:
        closed = self._close()
        sealed = self._whole(_redacted("gemini", "call", start.signature)) if start.signature else b""
        self._called, self._live = True, start.index
        begun = self._block("call", {"type": "tool_use", "id": start.id, "name": start.name, "input": {}})
        return closed + sealed + begun

    def _grow_call(self, arguments: str) -> bytes:
        return self._delta({"type": "input_json_delta", "partial_json": arguments})

    def _waited(self, event: Event) -> bytes:
        if isinstance(event, ToolCallStart):
            return self._call(event) + self._grow_call("".join(self._arguments[event.index]))
        return self._piece(event)

    def _grow(self, kind: str, begun: Json, delta: Json) -> bytes:
        if self._open == kind:
            return self._delta(delta)
        return self._close() + self._block(kind, begun) + self._delta(delta)

    def _block(self, kind: str, block: Json) -> bytes:
        self._open = kind
        self._index += 1
        return _event({"type": "content_block_start", "index": self._index, "content_block": block})

    def _whole(self, block: Json) -> bytes:
        """A block at once. Text and thoughts are told by deltas, for clients add those up."""
        if block["type"] == "text":
            return self._grow("text", {"type": "text", "text": ""}, {"type": "text_delta", "text": block["text"]})
        return self._block("whole", block) + self._close()

    def _delta(self, delta: Json) -> bytes:
        return _event({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _close(self) -> bytes:
        if self._open is None:
            return b""
        self._open = self._live = None
        return _event({"type": "content_block_stop", "index": self._index})


def _event(data: Json) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (data["type"].encode(), json.encode(data))


def _head(id: str | None, model: str) -> Json:
    return {"id": id or _NO_ID, "type": "message", "role": "assistant", "model": model}


def _reason(finish: Finish, *, called: bool) -> Json:
    """Anthropic's own reason where it is one; else what the answer itself shows."""
    if finish.stop_sequence is not None:
        return {"stop_reason": "stop_sequence", "stop_sequence": finish.stop_sequence}
    reason = finish.raw if finish.raw in _OWN_REASONS else _REASONS.get(finish.unified)
    return {"stop_reason": reason or ("tool_use" if called else "end_turn"), "stop_sequence": None}


def _blocks(part: Part) -> list[Json]:
    match part:
        case Text(text=text, signature=signature):
            sealed = [_redacted("gemini", "text", signature)] if signature else []
            return [*sealed, {"type": "text", "text": text}] if text or sealed else []
        case Refusal(text=text):
            return [{"type": "text", "text": text}]
        case Reasoning():
            return [_thought(part.text, part.signature, part.sealed, part.maker)]
        case ToolCall():
            sealed = [_redacted("gemini", "call", part.signature)] if part.signature else []
            arguments = part.arguments or "{}"
            block: Json = {"type": "tool_use", "id": part.id, "name": part.name, "input": _input(arguments)}
            return [*sealed, block]
        case Image(data=data, media_type=media_type, url=url):
            # There is no block for a picture in an answer.
            link = url or f"data:{media_type or 'image/png'};base64,{data or ''}"
            return [{"type": "text", "text": f"![image]({link})"}]
        case Opaque(wire=wire, raw=raw) if wire == NAME:
            return [raw]
        case _:
            return []


def _input(arguments: str) -> Raw | Json:
    """The arguments as the model wrote them; what is no JSON object within one, as Anthropic advises."""
    try:
        if isinstance(json.decode(arguments), dict):
            return Raw(arguments.encode())
    except (ValueError, RecursionError):
        pass
    return {"invalid_json": arguments}


def _thought(text: str, signature: str | None, sealed: str | None, maker: str | None) -> Json:
    """A block of reasoning. A seal that is not Anthropic's is wrapped."""
    if maker in (None, NAME):
        if sealed and not text:
            return {"type": "redacted_thinking", "data": sealed}
        return {"type": "thinking", "thinking": text, "signature": signature or ""}
    kind: Kind = "signature" if signature else "sealed"
    wrapped = wrap(Seal(maker, kind, signature or sealed or ""))
    if text:
        return {"type": "thinking", "thinking": text, "signature": wrapped}
    return {"type": "redacted_thinking", "data": wrapped}


def _redacted(maker: str, kind: Kind, value: str) -> Json:
    return {"type": "redacted_thinking", "data": wrap(Seal(maker, kind, value))}
