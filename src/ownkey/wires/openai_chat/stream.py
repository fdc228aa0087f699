"""Chat completions as providers stream them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ownkey.talk.errors import ProviderError, StreamCut, UnexpectedResponse
from ownkey.talk.reply import (
    Event,
    ReasoningDelta,
    ReasoningSeal,
    RefusalDelta,
    Start,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
    WholePart,
)
from ownkey.wires.openai_chat import form as form
from ownkey.wires.openai_chat.details import details, sealed
from ownkey.wires.openai_chat.usage import failed, finish_of, usage_of
from ownkey.wires.openai_error import unreadable
from ownkey.wires.sse import Splitter

MOST_CALLS = 1000
DONE = b"[DONE]"

T = TypeVar("T")


class Speech:
    """Turns what is said, piece by piece, into events. Keeps count of the tool calls that are open."""

    def __init__(self, answer_id: object) -> None:
        self._answer_id = answer_id
        self._plainly = False
        self._calls: list[_OpenCall] = []

    def add(self, said: form.Said) -> list[Event]:
        """The events of one delta or of a whole message: reasoning, text, refusal, pictures, tool calls."""
        events: list[Event] = []
        if text := self._thought(said):
            events.append(ReasoningDelta(text))
        if said.reasoning_details is not None:
            thoughts = (one.thought for one in details(said.reasoning_details))
            events.extend(ReasoningSeal(one.signature, one.sealed, one.maker) for one in thoughts if sealed(one))
        for kind, piece in form.pieces(said.content):
            events.append(TextDelta(piece) if kind == "text" else ReasoningDelta(piece))
        if said.refusal:
            events.append(RefusalDelta(said.refusal))
        if said.images is not None:
            events.extend(WholePart(image) for image in form.pictures(said.images))
        for call in said.tool_calls or ():
            self._call(call, events)
        if said.function_call is not None:
            self._call(form.Call(index=-1, function=said.function_call), events)
        return events

    def _thought(self, said: form.Said) -> str:
        """Once reasoning came plainly, the text in `reasoning_details` is the same again."""
        plain = form.plain_thought(said)
        self._plainly = self._plainly or bool(plain)
        return plain if self._plainly else form.thought(said)

    def check(self) -> None:
        """Raises UnexpectedResponse where a tool call never got its name."""
        if any(not call.named for call in self._calls):
            raise unreadable("it has a tool call without a name")

    def _call(self, call: form.Call, events: list[Event]) -> None:
        function = call.function or form.Function()
        own = self._open(call, function.name)
        if function.name and not own.named:
            own.named = True
            id = form.call_id(own.given, self._answer_id, own.place)
            events.append(ToolCallStart(own.place, id, function.name, form.signature(call)))
        own.waiting += form.arguments(function)
        if own.named and own.waiting:
            events.append(ToolCallDelta(own.place, own.waiting))
            own.waiting = ""

    def _open(self, call: form.Call, name: str | None) -> _OpenCall:
        """The call that this piece belongs to. A new one begins with a new index, or with another id and a name."""
        given = "" if call.id is None else str(call.id)
        known = (own for own in reversed(self._calls) if call.index is None or own.index == call.index)
        own = next(known, None)
        if own is None or (given and name and own.named and given != own.given):
            if len(self._calls) == MOST_CALLS:
                raise unreadable(f"it has more than {MOST_CALLS} tool calls")
            own = _OpenCall(len(self._calls), call.index, given)
            self._calls.append(own)
        own.given = own.given or given
        return own


class _OpenCall:
    """`index` is the provider's, `place` ours; `waiting` are arguments that came before the name."""

    __slots__ = ("given", "index", "named", "place", "waiting")

    def __init__(self, place: int, index: int | None, given: str) -> None:
        self.place = place
        self.index = index
        self.given = given
        self.named = False
        self.waiting = ""


class Reader:
    """Reads a stream of chunks. It is whole at `[DONE]`, or where it ends cleanly after a finish reason."""

    def __init__(self) -> None:
        self.ended = False
        self._splitter = Splitter()
        self._speech: Speech | None = None
        self._finished = False

    def feed(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        if self.ended:
            return events
        for payload in self._splitter.feed(data):
            if payload.startswith(DONE):
                self._end(events)
                break
            self._take(payload, events)
        return events

    def close(self) -> list[Event]:
        if self.ended:
            return []
        events = last_of(self._splitter, self.feed)
        if not self.ended and not self._finished:
            raise cut()
        self.ended = True
        return events

    def _end(self, events: list[Event]) -> None:
        if self._speech is None:
            raise unreadable("it holds no choice")
        if not self._finished:
            events.append(finish_of(None))
        self.ended = self._finished = True

    def _take(self, payload: bytes, events: list[Event]) -> None:
        try:
            chunk = form.answer.decode(payload)
        except (ValueError, RecursionError):
            raise form.broken(payload) from None
        if (chunk.error or chunk.choices is None) and (told := form.fault(payload)) is not None:
            raise told
        for choice in chunk.choices or ():
            # Another choice than the first is no part of this answer.
            if not choice.index:
                self._choice(choice, chunk, events)
        if chunk.usage is not None or chunk.x_groq is not None:
            usage = usage_of(chunk.usage, chunk.x_groq, chunk.service_tier)
            if usage.input_tokens is not None or usage.output_tokens is not None:
                events.append(UsageReport(usage))

    def _choice(self, choice: form.Choice, chunk: form.Answer, events: list[Event]) -> None:
        if self._speech is None:
            self._speech = Speech(chunk.id)
            events.append(start_of(chunk))
        if choice.error or failed(choice.finish_reason):
            raise form.broke_off(choice)
        said = choice.delta or choice.message
        if said is not None:
            events.extend(self._speech.add(said))
        if choice.finish_reason and not self._finished:
            self._speech.check()
            self._finished = True
            events.append(finish_of(choice.finish_reason))


def start_of(said: form.Answer) -> Start:
    """Id, model and time as the provider says them; SambaNova gives the time as a float."""
    created = said.created
    return Start(
        id=said.id if isinstance(said.id, str) and said.id else None,
        model=said.model if isinstance(said.model, str) and said.model else None,
        created=int(created) if isinstance(created, int | float) and 0 < created < 2**53 else None,
    )


def last_of(splitter: Splitter, feed: Callable[[bytes], T]) -> T:
    """What the last event gives, where the body ended without the blank line after it.

    Raises StreamCut where it is cut: a JSON object that is cut cannot be read. Where the body was no stream, raises
    the error that it tells of.
    """
    rest = splitter.rest.strip()
    if not rest or rest.startswith(b":"):
        return feed(b"")
    if rest.startswith((b"{", b"[")):
        raise form.fault(rest) or unreadable("it is not a stream of events")
    if not rest.rpartition(b"data:")[2].strip() or b"data:" not in rest:
        raise cut()
    try:
        return feed(b"\n\n")
    except UnexpectedResponse:
        raise cut() from None


def cut() -> ProviderError:
    return StreamCut("The provider's answer was cut off before its end.", "Try again.")
