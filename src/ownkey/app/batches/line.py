"""One line of a batch's input, and what it has to show.

Source: OpenAI's API reference, Batch: "The request input object", "The request output object", and the guide Batch API
for lines that came to nothing (`response` null, `error` with a code and a message).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from ownkey.talk.errors import InvalidRequest, OwnkeyError
from ownkey.talk.money import Money, show_usd
from ownkey.talk.secret import clean

MOST_LINES = 50_000
"""As OpenAI takes."""
MOST_LINE_BYTES = 10 << 20
MOST_ID_BYTES = 512
MOST_PROBLEMS = 20

EMBEDDINGS = "/v1/embeddings"
DOORS: Mapping[str, str] = {
    "/v1/chat/completions": "openai-chat",
    "/v1/responses": "openai-responses",
    EMBEDDINGS: "openai-embeddings",
}
"""The wire of a line, by its `url`."""


class Line(Struct, frozen=True):
    """One request. `start` and `length` say where in the file it stands; `number` counts lines from 1."""

    number: int
    start: int
    length: int
    custom_id: str
    url: str
    body: bytes


class Problem(Struct, frozen=True):
    """What is wrong with a line."""

    line: int
    message: str
    param: str | None = None
    code: str = "invalid_line"


class _Read(Struct):
    custom_id: str
    url: str
    body: Raw
    method: Literal["POST"] = "POST"


def read_line(raw: bytes, number: int, start: int = 0) -> Line:
    """Raises InvalidRequest, naming the line."""
    try:
        read = msgspec.json.decode(raw, type=_Read)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _wrong(number, clean(str(error), limit=160)) from None
    if not 1 <= len(read.custom_id.encode("utf-8", "replace")) <= MOST_ID_BYTES:
        raise _wrong(number, f"custom_id is of 1 to {MOST_ID_BYTES} bytes")
    if read.url not in DOORS:
        raise _wrong(number, f"url is one of {', '.join(DOORS)}")
    body = bytes(read.body)
    if not body.startswith(b"{"):
        raise _wrong(number, "body is not an object")
    return Line(number, start, len(raw), read.custom_id, read.url, body)


def split(pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Lines with where they start, without their ends; one of them in memory. Raises InvalidRequest."""
    left, start, number = bytearray(), 0, 0
    for piece in pieces:
        left += piece
        begin = 0
        while (end := left.find(b"\n", begin)) >= 0:
            yield start + begin, bytes(left[begin:end])
            number += 1
            begin = end + 1
        del left[:begin]
        start += begin
        if len(left) > MOST_LINE_BYTES:
            raise _wrong(number + 1, f"it is over {MOST_LINE_BYTES >> 20} MiB")
    if left:
        yield start, bytes(left)


def read_all(
    pieces: Iterable[bytes],
    problems: list[Problem],
    endpoint: str | None = None,
    check: Callable[[Line], None] | None = None,
) -> Iterator[Line]:
    """Every line that can be read; what is wrong with others goes to `problems`, and ends it where there are many.

    `endpoint`: the one `url` that all have; `check` raises OwnkeyError for what is wrong with a line's body.
    """
    seen: set[bytes] = set()
    number = 0
    try:
        for number, (start, raw) in enumerate(split(pieces), 1):
            if not raw.strip():
                continue
            if len(seen) >= MOST_LINES:
                raise _wrong(number, f"a batch is of at most {MOST_LINES:,} lines")
            try:
                line = read_line(raw.removesuffix(b"\r"), number, start)
                if endpoint is not None and line.url != endpoint:
                    raise _wrong(number, f"url is not the batch's {endpoint}")
                digest = sha256(line.custom_id.encode("utf-8", "replace")).digest()[:16]
                if digest in seen:
                    raise _wrong(number, "its custom_id is that of a line before")
                seen.add(digest)
                if check is not None:
                    check(line)
            except OwnkeyError as error:
                problems.append(_told(number, error))
                if len(problems) >= MOST_PROBLEMS:
                    return
            else:
                yield line
    except InvalidRequest as error:
        problems.append(_told(number + 1, error))
    if not seen and not problems:
        problems.append(Problem(1, "There is no line in it.", code="empty_file"))


def answered(
    batch_id: str, line: tuple[int, str], request_id: str, status: int, body: bytes, told: dict[str, Any]
) -> bytes:
    """The output of a line that was answered; `line` is its number and custom_id, `told` what Ownkey says of it."""
    response = {"status_code": status, "request_id": request_id, "body": Raw(msgspec.json.format(body, indent=-1))}
    return _shown(batch_id, line, response, None, told)


def ended(batch_id: str, line: tuple[int, str], code: str, message: str, cost_nano: int = 0) -> bytes:
    """The output of a line that was not answered."""
    told = {"cost_usd": show_usd(cost_nano)} if cost_nano else {}
    return _shown(batch_id, line, None, {"code": code, "message": message}, told)


def cost_told(provider: str, model: str, cost: Money | None) -> dict[str, Any]:
    return {"provider": provider, "model": model, "cost_usd": None if cost is None else show_usd(cost.nano_usd)}


def _shown(batch_id: str, line: tuple[int, str], response: Any, error: Any, told: dict[str, Any]) -> bytes:
    number, custom_id = line
    shown = {"id": f"batch_req_{batch_id.removeprefix('batch_')}_{number}", "custom_id": custom_id}
    shown |= {"response": response, "error": error} | ({"ownkey": told} if told else {})
    return msgspec.json.encode(shown) + b"\n"


def _told(number: int, error: OwnkeyError) -> Problem:
    message = error.message if error.message.startswith("Line ") else f"Line {number}: {error.message}"
    return Problem(number, message, error.param, error.code)


def _wrong(number: int, what: str) -> InvalidRequest:
    return InvalidRequest(f"Line {number}: {what}.")
