"""Whole responses."""

from __future__ import annotations

from ownkey.talk.chat import Part, ToolCall
from ownkey.talk.reply import Reply
from ownkey.wires.openai_error import unreadable
from ownkey.wires.openai_responses.form import (
    CITED,
    UNREADABLE,
    Response,
    failed,
    fault,
    finish_of,
    parts_of,
    response_in,
    usage_of,
)
from ownkey.wires.wire import Passed

# What a response is while it is made in the background.
_UNFINISHED = frozenset({"queued", "in_progress"})


def read_reply(body: bytes) -> Reply:
    """Raises UnexpectedResponse, or the error that the body tells of."""
    response = _read(body)
    parts: list[Part] = []
    cited = False
    try:
        for raw in response.output or ():
            found, cites = parts_of(raw)
            parts += found
            cited = cited or cites
    except UNREADABLE:
        raise unreadable("an item of its output is not what it should be") from None
    return Reply(
        parts=tuple(parts),
        finish=finish_of(response, called=any(isinstance(part, ToolCall) for part in parts)),
        usage=usage_of(response.usage, response.service_tier),
        id=response.id,
        model=response.model,
        created=response.created,
        warnings=(CITED,) if cited else (),
    )


def pass_reply(body: bytes) -> Passed:
    """A whole response, read only as far as money and health need it."""
    response = _read(body)
    finish = finish_of(response, called=False).raw
    size = sum(len(bytes(item)) for item in response.output or ())
    return Passed(body, usage_of(response.usage, response.service_tier), finish, text_bytes=size)


def _read(body: bytes) -> Response:
    try:
        response = response_in(body)
    except UNREADABLE:
        raise fault(body) or unreadable("it is not what a response looks like") from None
    if response.error or response.status in ("failed", "cancelled"):
        raise failed(response)
    if response.status in _UNFINISHED:
        raise unreadable(f"it is not whole yet ({response.status})")
    if response.output is None:
        raise fault(body) or unreadable("it holds no output")
    return response
