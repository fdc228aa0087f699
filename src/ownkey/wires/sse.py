"""Server-sent events, as the WHATWG HTML standard frames them: bytes in, the data of whole events out."""

from __future__ import annotations

from ownkey.talk.errors import UnexpectedResponse

EVENT_BYTES = 32 << 20
"""Enough for an image of 4096 by 4096, which comes whole in one event, in base64."""
PLAIN_BYTES = 1 << 20
EVENT_LINES = 10_000

_BOM = b"\xef\xbb\xbf"


class Splitter:
    """Cuts one event stream into events. What comes out does not depend on where the bytes were cut.

    Lines may end in LF, CR or CRLF. Names, ids, `retry`, comments and unknown fields are passed over, and so is an
    event whose data are empty: every provider here says what an event is within its data.
    """

    __slots__ = ("_after_cr", "_begun", "_lines", "_pending", "_plain")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._lines = 0
        self._plain = bytearray()
        self._after_cr = False
        self._begun = False

    @property
    def rest(self) -> bytes:
        """What no blank line has ended yet; and text that was no event stream at all, such as a JSON error body."""
        rest = bytes(self._plain + self._pending)
        return rest if self._begun else rest.removeprefix(_BOM)

    def feed(self, data: bytes) -> list[bytes]:
        """The data of the events that are whole by now, the lines of each joined by LF.

        Raises UnexpectedResponse where one event is over 32 MiB or 10,000 lines, or 1 MiB came that is no event.
        """
        if self._after_cr or b"\r" in data:
            data = self._unified(data)
        pending = self._pending
        if pending:
            seen = len(pending) - 1
            pending += data
            end = pending.rfind(b"\n\n", seen)
            if end < 0:
                return self._wait(data)
            whole = bytes(pending[:end])
            del pending[: end + 2]
        else:
            end = data.rfind(b"\n\n")
            if end < 0:
                pending += data
                return self._wait(data)
            whole = data[:end]
            if end + 2 < len(data):
                pending += data[end + 2 :]
        self._lines = 0
        if pending:
            self._wait(pending)
        if not self._begun:
            self._begun = True
            whole = whole.removeprefix(_BOM)
        if whole.startswith(b"data: ") and len(whole) <= EVENT_BYTES:
            # The common case: each event is one `data: ` line, and no other line feed is left.
            events = whole[6:].split(b"\n\ndata: ")
            if whole.count(b"\n") == 2 * (len(events) - 1) and b"" not in events:
                return events
        return [data for block in whole.split(b"\n\n") if (data := self._data(block))]

    def _data(self, block: bytes) -> bytes:
        if len(block) > EVENT_BYTES:
            raise _too_large()
        if block.count(b"\n") >= EVENT_LINES:
            raise _too_large()
        lines = block.split(b"\n")
        data = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:") or line == b"data"]
        if not data and (self._plain or block.lstrip().startswith(b"{")):
            self._plain += block + b"\n"
            if len(self._plain) > PLAIN_BYTES:
                raise _too_large()
        return b"\n".join(data) if any(data) else b""

    def _wait(self, added: bytes | bytearray) -> list[bytes]:
        self._lines += added.count(b"\n")
        if len(self._pending) > EVENT_BYTES or self._lines > EVENT_LINES:
            raise _too_large()
        return []

    def _unified(self, data: bytes) -> bytes:
        """With every line end as LF. A CR at the end counts at once; an LF that follows it belongs to it."""
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            self._after_cr = False
        if data:
            self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _too_large() -> UnexpectedResponse:
    return UnexpectedResponse(
        "The provider sent one event of over 32 MiB or 10,000 lines.", "Try again, or use another model."
    )
