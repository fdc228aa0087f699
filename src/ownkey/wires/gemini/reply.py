"""Reads what Gemini answers, one GenerateContentResponse at a time: a whole answer, or a piece of a streamed one.

Source: the Gemini API reference (GenerateContentResponse, Candidate, Part, UsageMetadata); Vertex AI answers alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import cast

from ownkey.talk.chat import Image, Opaque, Text
from ownkey.talk.reply import (
    Event,
    Finish,
    ReasoningDelta,
    ReasoningSeal,
    Start,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Unified,
    Usage,
    UsageReport,
    WholePart,
)
from ownkey.wires.gemini.arguments import Pieces
from ownkey.wires.gemini.error import error_of, status_of
from ownkey.wires.gemini.usage import read_usage
from ownkey.wires.gemini.values import NAME, Object, as_list, as_object, as_text, cut, unreadable

# FinishReason. Google APIs may send an enum by its number (`$alt=json;enum-encoding=int`); the two APIs number alike up
# to 5, and 6 to 8 are kinds of refused content in both.
_REFUSED = (
    "SAFETY RECITATION LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT "
    "IMAGE_RECITATION MODEL_ARMOR 3 4 6 7 8"
)
_FINISHES: Mapping[str, Unified] = {
    "STOP": "stop",
    "1": "stop",
    "MAX_TOKENS": "length",
    "2": "length",
    **dict.fromkeys(_REFUSED.split(), "content_filter"),
}


def unified(reason: str | None) -> Unified:
    """What one of Google's reasons to finish means."""
    return _FINISHES.get(reason or "", "unknown")


class Reading:
    """Reads the chunks of one answer in their order."""

    def __init__(self) -> None:
        self.finish: str | None = None
        self.blocked: str | None = None
        self.answered = False
        self._id: str | None = None
        self._begun = False
        self._calls = 0
        self._pieces: Pieces | None = None
        self._usage = Usage()

    @property
    def told(self) -> bool:
        """Whether a reason to finish, or to refuse the prompt, was given."""
        return self.finish is not None or self.blocked is not None

    def chunk(self, value: object) -> list[Event]:
        """Raises the error that a chunk tells of, and UnexpectedResponse where it is none."""
        if not isinstance(value, dict):
            raise unreadable()
        body = as_object(cast("object", value))
        if body.get("error"):
            raise error_of(body, status_of(body))
        events: list[Event] = []
        if not self._begun:
            self._begun = True
            self._id = as_text(body.get("responseId"))
            events.append(Start(self._id, as_text(body.get("modelVersion")), _created(body)))
        self.blocked = enum(as_object(body.get("promptFeedback")).get("blockReason")) or self.blocked
        candidate = _first(body)
        if candidate is not None:
            self.answered = True
            for part in as_list(as_object(candidate.get("content")).get("parts")):
                events += self._part(as_object(part))
            self.finish = enum(candidate.get("finishReason")) or self.finish
        usage = read_usage(as_object(body.get("usageMetadata")), self._usage)
        if usage != self._usage:
            self._usage = usage
            events.append(UsageReport(usage))
        return events

    def end(self) -> list[Event]:
        """The finish. It is told at the end and no sooner, since older models give a reason with every chunk.

        Raises StreamCut where the provider gave no reason.
        """
        if not self.told:
            raise cut()
        return [*self._close_call(), self._finish()]

    def whole(self) -> list[Event]:
        """The finish of an answer that came at once. Raises UnexpectedResponse where it holds no answer."""
        if not self.answered and self.blocked is None:
            raise unreadable("holds no candidate and no reason why")
        return [*self._close_call(), self._finish()]

    def _finish(self) -> Finish:
        raw = self.finish
        if raw is None and self.blocked is not None:
            return Finish("content_filter", self.blocked)
        said = unified(raw)
        return Finish("tool_calls" if said == "stop" and self._calls else said, raw)

    def _part(self, part: Object) -> list[Event]:
        signature = as_text(part.get("thoughtSignature"))
        if isinstance(part.get("functionCall"), dict):
            return self._call(as_object(part["functionCall"]), signature)
        text = part.get("text")
        if isinstance(text, str):
            return [*self._close_call(), *_text(text, signature, thought=part.get("thought") is True)]
        events = [*self._close_call()]
        image = _image(part)
        if image is not None:
            events.append(WholePart(image))
            part = {"thoughtSignature": signature} if signature else {}
        if part.keys() == {"thoughtSignature"} and image is None:
            events.append(WholePart(Text("", signature)))
        elif part:
            events.append(WholePart(Opaque(NAME, part)))
        return events

    def _call(self, call: Object, signature: str | None) -> list[Event]:
        events: list[Event] = []
        name = as_text(call.get("name"))
        if name is not None:
            events += self._close_call()
            events.append(ToolCallStart(self._calls, as_text(call.get("id")) or self._made_id(), name, signature))
            self._pieces = Pieces(as_object(call.get("args")))
            self._calls += 1
        if self._pieces is None:
            if call.keys() & {"args", "partialArgs"}:
                raise unreadable("calls a function without a name")
            return []
        for piece in as_list(call.get("partialArgs")):
            self._pieces.put(as_object(piece))
        return events if call.get("willContinue") is True else [*events, *self._close_call()]

    def _made_id(self) -> str:
        """Most models give a call no id. One of the answer's own keeps the calls of a conversation apart."""
        return f"call_{self._id}_{self._calls}" if self._id else f"call_{self._calls}"

    def _close_call(self) -> list[Event]:
        """Arguments are told when they are whole: pieces of them are set into a tree, and not written in order."""
        if self._pieces is None:
            return []
        arguments = json.dumps(self._pieces.tree, ensure_ascii=False, separators=(",", ":"))
        self._pieces = None
        return [ToolCallDelta(self._calls - 1, arguments)]


def _created(body: Object) -> int | None:
    """Unix seconds, of Vertex AI's `createTime` (RFC 3339)."""
    try:
        return int(datetime.fromisoformat(as_text(body.get("createTime")) or "").timestamp())
    except (ValueError, OverflowError):
        return None


def _first(body: Object) -> Object | None:
    candidates = [as_object(candidate) for candidate in as_list(body.get("candidates"))]
    return next((one for one in candidates if one.get("index") in (None, 0)), None)


def enum(value: object) -> str | None:
    """The name of an enum's value, or its number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return as_text(value)


def _text(text: str, signature: str | None, *, thought: bool) -> list[Event]:
    if thought:
        events: list[Event] = [ReasoningDelta(text)] if text else []
        return [*events, ReasoningSeal(signature, maker=NAME)] if signature else events
    if signature:
        return [WholePart(Text(text, signature))]
    return [TextDelta(text)] if text else []


def _image(part: Object) -> Image | None:
    """An image that belongs to the answer; one that was only thought of, or a sound, is not one."""
    inline = as_object(part.get("inlineData"))
    media_type, data = as_text(inline.get("mimeType")), as_text(inline.get("data"))
    if part.get("thought") is True or data is None or media_type is None or not media_type.startswith("image/"):
        return None
    return Image(data=data, media_type=media_type)
