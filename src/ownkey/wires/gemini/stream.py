"""Gemini's streams: server-sent events with `alt=sse`, and without it one JSON array that grows."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from ownkey.talk.errors import UnexpectedResponse
from ownkey.talk.reply import Event
from ownkey.wires.gemini.reply import Reading
from ownkey.wires.gemini.values import cut, decoded, unreadable
from ownkey.wires.sse import EVENT_BYTES, Splitter

Chunk = TypeVar("Chunk")

_BEFORE = b"\xef\xbb\xbf \t\r\n"


class GeminiReader:
    """Reads one stream of either form.

    An answer is whole where a reason to finish was given and the body ended with a whole event, or with the array's
    own end. The reason alone is no proof: older models give one with every chunk, and counts may follow it.
    """

    def __init__(self) -> None:
        self._reading = Reading()
        self._payloads = Payloads()
        self._whole = False

    @property
    def ended(self) -> bool:
        return self._whole

    def feed(self, data: bytes) -> list[Event]:
        """Raises UnexpectedResponse, or the error that the stream tells of."""
        if self._whole:
            return []
        events = [event for payload in self._payloads.feed(data) for event in self._read(payload)]
        if self._payloads.closed and self._reading.told:
            events += self._reading.end()
            self._whole = True
        return events

    def close(self) -> list[Event]:
        """Raises StreamCut where the answer is not whole."""
        events: list[Event] = []
        if self._whole:
            return events
        for payload in self._payloads.last():
            events += self._read(payload, last=True)
        if self._payloads.open:
            raise cut()
        events += self._reading.end()
        self._whole = True
        return events

    def _read(self, payload: bytes, *, last: bool = False) -> list[Event]:
        return [event for value in each(payload, decoded, last=last) for event in self._reading.chunk(value)]


def each(payload: bytes, decode: Callable[[bytes], Chunk], *, last: bool) -> list[Chunk]:
    """The chunk of one event; or several, where a server between has dropped the blank lines: Gemini's JSON is on one
    line. Raises UnexpectedResponse; StreamCut for what the body's end left behind."""
    try:
        try:
            return [decode(payload)]
        except UnexpectedResponse:
            return [decode(line) for line in payload.split(b"\n")]
    except UnexpectedResponse:
        raise cut() if last else unreadable() from None


class Payloads:
    """Cuts a stream into the JSON of its chunks. The first byte that is no blank tells which form it has."""

    def __init__(self) -> None:
        self._events: Splitter | None = None
        self._array: Elements | None = None

    @property
    def closed(self) -> bool:
        """Whether it is an array that has ended."""
        return self._array is not None and self._array.closed

    @property
    def open(self) -> bool:
        """Whether it is an array that has not."""
        return self._array is not None and not self._array.closed

    def feed(self, data: bytes) -> list[bytes]:
        """What is whole by now. Raises UnexpectedResponse where one chunk is too large."""
        if self._events is None and self._array is None:
            first = data.lstrip(_BEFORE)
            if not first:
                return []
            if first.startswith(b"["):
                self._array = Elements()
            else:
                self._events = Splitter()
            data = first
        if self._array is not None:
            return self._array.feed(data)
        return self._events.feed(data) if self._events is not None else []

    def last(self) -> list[bytes]:
        """An event that lacks only its blank line, or an error that came as plain JSON."""
        if self._events is None:
            return []
        last = self._events.feed(b"\n\n")
        plain = self._events.rest.strip()
        return [*last, plain] if plain else last


class Elements:
    """Cuts a JSON array into its elements, which are objects, wherever the bytes were cut."""

    _MARK = re.compile(rb'["{}\[\]]')
    _IN_TEXT = re.compile(rb'["\\]')

    def __init__(self) -> None:
        self.closed = False
        self._depth = 0
        self._in_text = False
        self._escaped = False
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The elements that are whole by now.

        Raises UnexpectedResponse where one is over 32 MiB or something follows the array.
        """
        found: list[bytes] = []
        start = at = 0
        while at < len(data):
            if self._escaped:
                self._escaped = False
                at += 1
                continue
            mark = (self._IN_TEXT if self._in_text else self._MARK).search(data, at)
            if mark is None:
                break
            at = mark.end()
            if self._turn(mark.group()):
                start = at - 1
            elif self._depth == 1 and mark.group() == b"}":
                found.append(bytes(self._pending) + data[start:at])
                self._pending.clear()
        if self._depth > 1:
            self._pending += data[start:]
        if len(self._pending) > EVENT_BYTES or any(len(element) > EVENT_BYTES for element in found):
            raise unreadable("holds one event of over 32 MiB")
        return found

    def _turn(self, mark: bytes) -> bool:
        """Follows one mark; True where an element begins."""
        if mark == b"\\":
            self._escaped = True
        elif mark == b'"':
            self._in_text = not self._in_text
        elif mark in b"{[":
            if self.closed or (self._depth == 1 and mark == b"["):
                raise unreadable("is not an array of objects")
            self._depth += 1
            return self._depth == 2
        else:
            self._depth -= 1
            self.closed = self._depth == 0
            if self._depth < 0:
                raise unreadable("goes on after its end")
        return False
