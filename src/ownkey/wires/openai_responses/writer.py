"""Answers streamed to clients who speak OpenAI's responses: its typed events, in their documented order.

Source: OpenAI's API reference (Responses: streaming events).
"""

from __future__ import annotations

from typing import Any

from msgspec import json

from ownkey.talk.chat import Image, Opaque, Text
from ownkey.talk.errors import ContentRefused, OwnkeyError, RequestError, RequestRefused
from ownkey.talk.reply import (
    Event,
    Finish,
    Notice,
    ReasoningDelta,
    ReasoningSeal,
    RefusalDelta,
    Start,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
    UsageReport,
    WholePart,
)
from ownkey.wires.openai_error import error_object
from ownkey.wires.openai_responses.output import Json, Made, cut_short, linked, output_text, response

# The codes of a failed response that clients know; Codex tries again where it knows none.
_CODES = {
    "rate_limited": "rate_limit_exceeded",
    "quota_exceeded": "insufficient_quota",
    "context_length_exceeded": "context_length_exceeded",
}


class _Open:
    """An item under way: where it stands, its id, and the text it has by now. `full`: nothing is added to it."""

    def __init__(self, kind: str, place: int, id: str) -> None:
        self.kind = kind
        self.place = place
        self.id = id
        self.texts: list[str] = []
        self.full = False
        self.seal = ReasoningSeal()
        self.start = ToolCallStart(0, "", "")

    @property
    def text(self) -> str:
        return "".join(self.texts)


class ResponsesWriter:
    """Text and reasoning follow each other; calls may be open side by side, since each event names its item."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._start = Start()
        self._made = Made(None)
        self._usage = Usage()
        self._finish = Finish("unknown")
        self._number = -1
        self._begun = False
        self._output: list[Json] = []
        self._open: _Open | None = None
        self._calls: dict[int, _Open] = {}

    def write(self, event: Event) -> bytes:
        match event:
            case Start():
                if not self._begun:
                    self._start, self._made = event, Made(event.id)
                return self._begin()
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
        """The last item of an answer that was cut short is told to be incomplete."""
        written, cut = self._begin(), cut_short(self._finish)
        left = [*self._calls.values(), *([self._open] if self._open else [])]
        for opened in left:
            last = opened.place == len(self._output) - 1
            written += self._done(opened, "incomplete" if cut and last else "completed")
        whole = self._response(self._output, self._finish) | self._finish.mark
        return written + self._event(f"response.{whole['status']}", response=whole)

    def fail(self, error: OwnkeyError, status: int) -> bytes:
        """OpenAI tells it twice; of its clients some hear the one and some the other."""
        told: Any = error_object(error)["error"]
        mendable = isinstance(error, RequestError | RequestRefused | ContentRefused)
        code = _CODES.get(error.code, "invalid_prompt" if mendable else "server_error")
        failed = self._response([], None) | {"status": "failed", "error": {"code": code, "message": str(error)}}
        return self._event("error", code=told["code"], message=str(error), param=error.param, error=told) + self._event(
            "response.failed", response=failed
        )

    def _response(self, output: list[Json], finish: Finish | None) -> Json:
        usage = None if finish is None else self._usage
        return response(self._made.id, self._model, self._start.created, output, finish, usage)

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        whole = self._response([], None)
        return self._event("response.created", response=whole) + self._event("response.in_progress", response=whole)

    def _write(self, event: Event) -> bytes:
        match event:
            case TextDelta(text=text):
                return self._say("text", text)
            case RefusalDelta(text=text):
                return self._say("refusal", text)
            case ReasoningDelta(text=text):
                return self._think(text)
            case ReasoningSeal():
                written, opened = self._opened("reasoning")
                opened.seal = event
                return written + self._close()
            case ToolCallStart():
                return self._call(event)
            case ToolCallDelta(index=index, arguments=arguments):
                opened = self._calls[index]
                opened.texts.append(arguments)
                return self._at(opened, "response.function_call_arguments.delta", delta=arguments)
            case WholePart(part=part):
                return self._close() + self._whole(part)
            case _:
                return b""

    def _say(self, kind: str, text: str) -> bytes:
        if not text:
            return b""
        written, opened = self._opened(kind)
        opened.texts.append(text)
        if kind == "refusal":
            return written + self._at(opened, "response.refusal.delta", content_index=0, delta=text)
        return written + self._at(opened, "response.output_text.delta", content_index=0, delta=text, logprobs=[])

    def _think(self, text: str) -> bytes:
        if not text:
            return b""
        written, opened = self._opened("reasoning")
        if not opened.texts:
            part = {"type": "summary_text", "text": ""}
            written += self._at(opened, "response.reasoning_summary_part.added", summary_index=0, part=part)
        opened.texts.append(text)
        return written + self._at(opened, "response.reasoning_summary_text.delta", summary_index=0, delta=text)

    def _whole(self, part: Image | Opaque | Text) -> bytes:
        """Text is told in pieces too, for clients who read nothing else. Whether it was cut short is not known yet."""
        written = b""
        match part:
            case Text(text=text, signature=signature):
                if signature:
                    written = self._at_once(self._made.sealed("text", signature))
                written += self._say("text", text)
            case Image(data=None):
                written = self._say("text", linked(part))
            case _:
                return b"".join(map(self._at_once, self._made.items(part)))
        if self._open is not None:
            self._open.full = True
        return written

    def _call(self, start: ToolCallStart) -> bytes:
        written = self._close()
        if start.signature:
            written += self._at_once(self._made.sealed("call", start.signature))
        self._calls[start.index] = opened = self._placed("call", "fc")
        opened.start = start
        return written + self._added(opened)

    def _at_once(self, item: Json) -> bytes:
        self._output.append(item)
        place = len(self._output) - 1
        added = self._event("response.output_item.added", output_index=place, item=item)
        return added + self._event("response.output_item.done", output_index=place, item=item)

    def _opened(self, kind: str) -> tuple[bytes, _Open]:
        """The item of this kind that is open; else a new one, and what says so."""
        if self._open is not None and self._open.kind == kind and not self._open.full:
            return b"", self._open
        written = self._close()
        self._open = opened = self._placed(kind, "rs" if kind == "reasoning" else "msg")
        written += self._added(opened)
        if kind != "reasoning":
            written += self._at(opened, "response.content_part.added", content_index=0, part=_piece(kind, ""))
        return written, opened

    def _placed(self, kind: str, prefix: str) -> _Open:
        self._output.append({})
        return _Open(kind, len(self._output) - 1, self._made.new_id(prefix))

    def _close(self) -> bytes:
        opened, self._open = self._open, None
        return b"" if opened is None else self._done(opened, "completed")

    def _added(self, opened: _Open) -> bytes:
        item = self._item(opened, "in_progress")
        return self._event("response.output_item.added", output_index=opened.place, item=item)

    def _done(self, opened: _Open, status: str) -> bytes:
        text, written = opened.text, b""
        if opened.kind == "call":
            name, arguments = opened.start.name, text or "{}"
            written = self._at(opened, "response.function_call_arguments.done", name=name, arguments=arguments)
        elif opened.kind == "reasoning":
            if text:
                part = {"type": "summary_text", "text": text}
                written = self._at(opened, "response.reasoning_summary_text.done", summary_index=0, text=text)
                written += self._at(opened, "response.reasoning_summary_part.done", summary_index=0, part=part)
        else:
            name = "response.refusal.done" if opened.kind == "refusal" else "response.output_text.done"
            told: Json = {"refusal": text} if opened.kind == "refusal" else {"text": text, "logprobs": []}
            written = self._at(opened, name, content_index=0, **told)
            written += self._at(opened, "response.content_part.done", content_index=0, part=_piece(opened.kind, text))
        item = self._output[opened.place] = self._item(opened, status)
        return written + self._event("response.output_item.done", output_index=opened.place, item=item)

    def _item(self, opened: _Open, status: str) -> Json:
        begins = status == "in_progress"
        text = "" if begins else opened.text
        match opened.kind:
            case "call":
                start, arguments = opened.start, text if begins else text or "{}"
                return self._made.call(start.id, start.name, arguments, status, opened.id)
            case "reasoning":
                seal = opened.seal
                return self._made.reasoning(text, seal.signature, seal.sealed, seal.maker, opened.id)
            case kind:
                return self._made.message([] if begins else [_piece(kind, text)], status, opened.id)

    def _at(self, opened: _Open, kind: str, **more: Any) -> bytes:
        return self._event(kind, item_id=opened.id, output_index=opened.place, **more)

    def _event(self, kind: str, **more: Any) -> bytes:
        self._number += 1
        data = {"type": kind, "sequence_number": self._number, **more}
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.encode(data))


def _piece(kind: str, text: str) -> Json:
    return {"type": "refusal", "refusal": text} if kind == "refusal" else output_text(text)
