"""A form with files (multipart/form-data), read only as far as its short fields, and written back byte for byte but for
one of them.

Source: RFC 7578, RFC 2046 section 5.1.
"""

from __future__ import annotations

import re

from msgspec import Struct

from ownkey.talk.errors import InvalidRequest

MOST_PARTS = 256
MOST_FIELD_BYTES = 4096
"""Of a field that is read here: a name, a number, a word."""

_BOUNDARY = re.compile(
    rb";\s*boundary\s*=\s*(?:\"([A-Za-z0-9'()+_,./:=? -]{1,70})\"|([A-Za-z0-9'()+_,./:=?-]{1,70}))\s*(?=;|$)",
    re.IGNORECASE,
)
_DISPOSITION = re.compile(rb"(?:^|\r\n)content-disposition\s*:\s*form-data\s*((?:;[^\r\n]*)?)(?=\r\n|$)", re.IGNORECASE)
_PARAMETER = re.compile(rb";\s*([A-Za-z*]+)\s*=\s*(?:\"((?:[^\"\\\r\n]|\\.)*)\"|([^\s;\"]+))")


class FormPart(Struct, frozen=True):
    """Where the content of one part stands in the body. A file has a file name."""

    name: str
    is_file: bool
    start: int
    end: int


class Form(Struct, frozen=True):
    """`content_type` is what it is to be sent with."""

    body: bytes
    content_type: bytes
    parts: tuple[FormPart, ...]

    def value(self, name: str) -> str | None:
        """A short text field. Raises InvalidRequest where it is there more than once, or is no short text."""
        found = [part for part in self.parts if part.name == name]
        if not found:
            return None
        part = found[0]
        if len(found) > 1 or part.is_file or part.end - part.start > MOST_FIELD_BYTES:
            raise InvalidRequest(f"{name} must be one short text.", "Send the field once, as a text.", param=name)
        try:
            return self.body[part.start : part.end].decode()
        except UnicodeDecodeError:
            raise InvalidRequest(f"{name} is not UTF-8.", "Send it as text.", param=name) from None

    def replaced(self, name: str, value: str) -> bytes:
        """The body with another value of the field, every other byte as it was."""
        part = next(part for part in self.parts if part.name == name)
        return b"%b%b%b" % (self.body[: part.start], value.encode(), self.body[part.end :])


def read_form(body: bytes, content_type: bytes) -> Form:
    """Raises InvalidRequest for what two readers could read differently."""
    boundary = _boundary(content_type)
    parts: list[FormPart] = []
    mark = b"--" + boundary
    place = 0 if body.startswith(mark) else body.find(b"\r\n" + mark) + 2
    if place == 1:
        raise _wrong("The form does not begin with its boundary.")
    while True:
        place += len(mark)
        if body.startswith(b"--", place):
            return Form(body, b'multipart/form-data; boundary="%b"' % boundary, tuple(parts))
        if not body.startswith(b"\r\n", place) or len(parts) >= MOST_PARTS:
            raise _wrong("A part of the form cannot be read, or there are too many.")
        # The head of a part may be empty: then its end follows the boundary's line at once.
        head_end = body.find(b"\r\n\r\n", place)
        end = -1 if head_end < 0 else body.find(b"\r\n" + mark, head_end + 2)
        if end < 0:
            raise _wrong("The form breaks off.")
        parts.append(_part(body[place + 2 : head_end], head_end + 4, end))
        place = end + 2


class FormReader:
    """A form that is read as it comes: short fields, and one file, which is given piece by piece.

    `filename` is the file's, once its part has begun.
    """

    def __init__(self, content_type: bytes) -> None:
        """Raises InvalidRequest, as `feed` does, for what two readers could read differently."""
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self.ended = False
        self._mark = b"\r\n--" + _boundary(content_type)
        # The first boundary may stand at the very beginning.
        self._left = bytearray(b"\r\n")
        self._take = self._skip
        self._step = self._content
        self._field = ("", bytearray())
        self._parts = 0

    def feed(self, data: bytes) -> list[bytes]:
        """What of the file has come by now."""
        self._left += data
        given: list[bytes] = []
        while not self.ended and self._step(given):
            pass
        return given

    def close(self) -> None:
        """At the end of the body. Raises InvalidRequest where the form is not whole."""
        if not self.ended:
            raise _wrong("The form breaks off.")
        if self.filename is None:
            raise InvalidRequest("There is no file in the form.", "Send it as `file`.", param="file")

    def _content(self, given: list[bytes]) -> bool:
        end = self._left.find(self._mark)
        if end < 0:
            safe = len(self._left) - len(self._mark) + 1
            if safe > 0:
                self._take(bytes(self._left[:safe]), given)
                del self._left[:safe]
            return False
        self._take(bytes(self._left[:end]), given)
        del self._left[: end + len(self._mark)]
        self._step = self._after
        return True

    def _after(self, given: list[bytes]) -> bool:
        if len(self._left) < 2:
            return False
        name, value = self._field
        if name:
            self.fields[name] = _text(name, bytes(value))
        self._field = ("", bytearray())
        self.ended = self._left.startswith(b"--")
        self._parts += 1
        if not self.ended and (not self._left.startswith(b"\r\n") or self._parts > MOST_PARTS):
            raise _wrong("A part of the form cannot be read, or there are too many.")
        self._step = self._head
        return True

    def _head(self, given: list[bytes]) -> bool:
        end = self._left.find(b"\r\n\r\n")
        if end < 0:
            if len(self._left) > MOST_FIELD_BYTES:
                raise _wrong("The head of a part of the form is too long.")
            return False
        name, filename = _named(bytes(self._left[2:end]))
        del self._left[: end + 4]
        if filename is None:
            if name in self.fields:
                raise InvalidRequest(f"{name[:80]} must be one short text.", param=name[:80])
            self._field = (name, bytearray())
            self._take = self._keep
        elif name != "file" or self.filename is not None:
            raise InvalidRequest("One file is taken, as `file`.", param="file")
        else:
            self.filename = filename
            self._take = self._give
        self._step = self._content
        return True

    def _skip(self, data: bytes, given: list[bytes]) -> None:
        if data.strip():
            raise _wrong("The form does not begin with its boundary.")

    def _keep(self, data: bytes, given: list[bytes]) -> None:
        self._field[1].extend(data)
        if len(self._field[1]) > MOST_FIELD_BYTES:
            raise _text_wrong(self._field[0])

    def _give(self, data: bytes, given: list[bytes]) -> None:
        if data:
            given.append(data)


def _part(head: bytes, start: int, end: int) -> FormPart:
    if start > end:
        raise _wrong("A part of the form does not say what it is.")
    name, filename = _named(head)
    return FormPart(name, filename is not None, start, end)


def _named(head: bytes) -> tuple[str, str | None]:
    """The name of a part, and that of its file, where it is one."""
    found = _DISPOSITION.findall(head)
    if len(found) != 1:
        raise _wrong("A part of the form does not say what it is.")
    named = [(name.lower(), quoted or plain) for name, quoted, plain in _PARAMETER.findall(found[0])]
    names = [value for name, value in named if name == b"name"]
    if len(names) != 1:
        raise _wrong("A part of the form has no name, or more than one.")
    files = [value for name, value in named if name in (b"filename", b"filename*")]
    return names[0].decode("utf-8", "replace"), files[0].decode("utf-8", "replace") if files else None


def _boundary(content_type: bytes) -> bytes:
    found = [quoted or plain for quoted, plain in _BOUNDARY.findall(content_type)]
    if len(found) != 1 or found[0].endswith(b" "):
        raise _wrong("The form has no boundary that can be read.")
    return found[0]


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"{name[:80]} is not UTF-8.", "Send it as text.", param=name[:80]) from None


def _text_wrong(name: str) -> InvalidRequest:
    return InvalidRequest(f"{name[:80]} must be one short text.", "Send it once, as a text.", param=name[:80])


def _wrong(message: str) -> InvalidRequest:
    return InvalidRequest(message, "Send multipart/form-data, as an HTTP client makes it.", param="body")
