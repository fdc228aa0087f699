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
    found = [quoted or plain for quoted, plain in _BOUNDARY.findall(content_type)]
    if len(found) != 1 or found[0].endswith(b" "):
        raise _wrong("The form has no boundary that can be read.")
    boundary = found[0]
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


def _part(head: bytes, start: int, end: int) -> FormPart:
    found = _DISPOSITION.findall(head)
    if len(found) != 1 or start > end:
        raise _wrong("A part of the form does not say what it is.")
    named = [(name.lower(), quoted or plain) for name, quoted, plain in _PARAMETER.findall(found[0])]
    names = [value for name, value in named if name == b"name"]
    if len(names) != 1:
        raise _wrong("A part of the form has no name, or more than one.")
    is_file = any(name in (b"filename", b"filename*") for name, _ in named)
    return FormPart(names[0].decode("utf-8", "replace"), is_file, start, end)


def _wrong(message: str) -> InvalidRequest:
    return InvalidRequest(message, "Send multipart/form-data, as an HTTP client makes it.", param="body")
