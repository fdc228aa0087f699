"""Answers streamed to clients who speak OpenAI's responses: its typed events, in their documented order."""

from __future__ import annotations

from typing import Any

from msgspec import json

from ownkey.talk.errors import OwnkeyError
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
from ownkey.wires.openai_responses.output import Json, Made, output_text, response


class _Open:
    """An item under way: where it stands, its id, and the text it has by now."""

    def __init__(self, kind: str, place: int, id: str) -> None:
        self.kind = kind
        self.place = place
        self.id = id
        self.texts: list[str] = []
        self.seal: ReasoningSeal | None = None
        self.start: ToolCallStart | None = None

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
        written = self._begin() + self._close() + self._close_calls()
        whole = response(self._made.id, self._model, self._start.created, self._output, self._finish, self._usage)
        kind = "response.incomplete" if whole["status"] == "incomplete" else "response.completed"
        return written + self._event(kind, response=whole)

    def fail(self, error: OwnkeyError, status: int) -> bytes:
        told: Any = error_object(error)["error"]
        return self._event("error", code=error.code, message=str(error), param=error.param, error=told)

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        whole = response(self._made.id, self._model, self._start.created, [], None, None)
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
                opened = (
                    b"" if self._open is not None and self._open.kind == "reasoning" else self._begin_item("reasoning")
                )
                assert self._open is not None
                self._open.seal = event
                return opened + self._close()
            case ToolCallStart():
                return self._call(event)
            case ToolCallDelta(index=index, arguments=arguments):
                return self._argue(self._calls[index], arguments)
            case WholePart(part=part):
                return self._close() + b"".join(map(self._whole, self._made.items(part)))
            case _:
                return b""

    def _say(self, kind: str, text: str) -> bytes:
        written = b"" if self._open is not None and self._open.kind == kind else self._begin_item(kind)
        assert self._open is not None
        self._open.texts.append(text)
        name = "response.output_text.delta" if kind == "text" else "response.refusal.delta"
        more: Json = {"logprobs": []} if kind == "text" else {}
        return written + self._at(self._open, name, content_index=0, delta=text, **more)

    def _think(self, text: str) -> bytes:
        written = b""
        if self._open is None or self._open.kind != "reasoning":
            written = self._begin_item("reasoning")
        assert self._open is not None
        if not self._open.texts:
            part = {"type": "summary_text", "text": ""}
            written += self._at(self._open, "response.reasoning_summary_part.added", summary_index=0, part=part)
        self._open.texts.append(text)
        return written + self._at(self._open, "response.reasoning_summary_text.delta", summary_index=0, delta=text)

    def _sealed(self, seal: ReasoningSeal) -> bytes:
        thinks = self._open is not None and self._open.kind == "reasoning"
        written = b"" if thinks else self._begin_item("reasoning")
        assert self._open is not None
        self._open.seal = seal
        return written + self._close()

    def _begin_item(self, kind: str) -> bytes:
        written = self._close()
        self._open = opened = self._placed(kind, "rs" if kind == "reasoning" else "msg")
        item = self._item(opened, "in_progress", empty=True)
        written += self._event("response.output_item.added", output_index=opened.place, item=item)
        if kind != "reasoning":
            written += self._at(opened, "response.content_part.added", content_index=0, part=_piece(kind, ""))
        return written

    def _placed(self, kind: str, prefix: str) -> _Open:
        self._output.append({})
        return _Open(kind, len(self._output) - 1, self._made.new_id(prefix))

    def _call(self, start: ToolCallStart) -> bytes:
        written = self._close()
        if start.signature:
            written += self._whole(self._made.sealed("call", start.signature))
        self._calls[start.index] = opened = self._placed("call", "fc")
        opened.start = start
        item = self._item(opened, "in_progress", empty=True)
        return written + self._event("response.output_item.added", output_index=opened.place, item=item)

    def _argue(self, opened: _Open, arguments: str) -> bytes:
        opened.texts.append(arguments)
        return self._at(opened, "response.function_call_arguments.delta", delta=arguments)

    def _whole(self, item: Json) -> bytes:
        self._output.append(item)
        place = len(self._output) - 1
        added = self._event("response.output_item.added", output_index=place, item=item)
        return added + self._event("response.output_item.done", output_index=place, item=item)

    def _close(self) -> bytes:
        opened, self._open = self._open, None
        if opened is None:
            return b""
        text, written = opened.text, b""
        if opened.kind == "reasoning":
            if text:
                part = {"type": "summary_text", "text": text}
                written += self._at(opened, "response.reasoning_summary_text.done", summary_index=0, text=text)
                written += self._at(opened, "response.reasoning_summary_part.done", summary_index=0, part=part)
        else:
            done: Json = {"text": text, "logprobs": []} if opened.kind == "text" else {"refusal": text}
            name = "response.output_text.done" if opened.kind == "text" else "response.refusal.done"
            written += self._at(opened, name, content_index=0, **done)
            written += self._at(opened, "response.content_part.done", content_index=0, part=_piece(opened.kind, text))
        return written + self._done(opened)

    def _close_calls(self) -> bytes:
        written = b""
        for opened in self._calls.values():
            arguments = opened.text or "{}"
            assert opened.start is not None
            name = opened.start.name
            written += self._at(opened, "response.function_call_arguments.done", name=name, arguments=arguments)
            written += self._done(opened)
        self._calls.clear()
        return written

    def _done(self, opened: _Open) -> bytes:
        item = self._output[opened.place] = self._item(opened, "completed")
        return self._event("response.output_item.done", output_index=opened.place, item=item)

    def _item(self, opened: _Open, status: str, *, empty: bool = False) -> Json:
        text = "" if empty else opened.text
        if opened.kind == "call":
            assert opened.start is not None
            arguments = text if empty else text or "{}"
            return self._made.call(opened.start.id, opened.start.name, arguments, status, opened.id)
        if opened.kind == "reasoning":
            seal = opened.seal or ReasoningSeal()
            return self._made.reasoning(text, seal.signature, seal.sealed, seal.maker, opened.id)
        return self._made.message([] if empty else [_piece(opened.kind, text)], status, opened.id)

    def _at(self, opened: _Open, kind: str, **more: Any) -> bytes:
        return self._event(kind, item_id=opened.id, output_index=opened.place, **more)

    def _event(self, kind: str, **more: Any) -> bytes:
        self._number += 1
        data = {"type": kind, "sequence_number": self._number, **more}
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.encode(data))


def _piece(kind: str, text: str) -> Json:
    return output_text(text) if kind == "text" else {"type": "refusal", "refusal": text}
