"""A provider said yes: its answer is read, whole or until it has begun."""

from __future__ import annotations

from msgspec import Struct, structs

from ownkey.engine.answer import Answer, ByteStream, EventStream, EventTap, Stream, Whole
from ownkey.engine.attempt import Attempt, is_answer
from ownkey.engine.request import Request
from ownkey.engine.target import Target
from ownkey.talk.errors import OwnkeyError
from ownkey.talk.reply import Event, Receipt, Usage
from ownkey.transport import Incoming

MAX_REPLY_BYTES = 64 << 20


class Sent(Struct):
    """A request under way at a target, with its answer's status and headers in hand.

    `number` counts the tries of the request. `passes`: the client's wire is the provider's, so that bytes go through.
    `first_s`: how long its first word is waited for.
    """

    request: Request
    target: Target
    attempt: Attempt
    incoming: Incoming
    warnings: tuple[str, ...]
    number: int
    passes: bool
    first_s: float | None = None

    def receipt(self) -> Receipt:
        hold = self.attempt.hold
        return Receipt(hold.request_id, hold.provider, hold.model, self.number, self.attempt.cost)


async def read(sent: Sent) -> Answer:
    """The answer; a stream has begun. Whatever is raised, the attempt has ended and the connection is let go."""
    if sent.request.stream:
        stream = _stream(sent)
        try:
            await stream.begin(sent.first_s)
        except BaseException:
            stream.close()
            raise
        return stream
    data = b""
    try:
        data = await sent.incoming.read(MAX_REPLY_BYTES)
        sent.attempt.first()
        return _passed(sent, data) if sent.passes else _translated(sent, data)
    except OwnkeyError as error:
        if is_answer(error):
            sent.attempt.cut(Usage(), None, error, text_bytes=len(data))
        else:
            sent.attempt.failed(error)
        raise
    except BaseException:
        sent.attempt.abandoned()
        raise
    finally:
        sent.incoming.close()


def _passed(sent: Sent, data: bytes) -> Whole:
    assert sent.request.door is not None
    passed = sent.request.door.pass_reply(data)
    sent.attempt.answered(passed.usage, passed.finish, text_bytes=passed.text_bytes)
    return Whole(sent.receipt(), body=passed.body, warnings=sent.warnings)


def _translated(sent: Sent, data: bytes) -> Whole:
    reply = sent.target.wire.read_reply(data)
    sent.attempt.answered(reply.usage, reply.finish.raw, text_bytes=len(data))
    receipt = sent.receipt()
    return Whole(receipt, reply=structs.replace(reply, warnings=(*reply.warnings, *sent.warnings), receipt=receipt))


def _stream(sent: Sent) -> ByteStream | EventStream:
    door, ask = sent.request.door, sent.request.ask
    if sent.passes and door is not None and ask is not None:
        return Stream[bytes](sent.target, sent.attempt, sent.incoming, door.relay(ask), sent.number, sent.warnings)
    tap = EventTap(sent.target.wire.reader())
    return Stream[list[Event]](sent.target, sent.attempt, sent.incoming, tap, sent.number, sent.warnings)
