"""What came of a line at a provider's batch endpoint: what it cost, and what is shown of it."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
from msgspec import Struct

from ownkey.app.batches.asking import chat_door
from ownkey.app.batches.line import DOORS, Line, answered, cost_told, ended
from ownkey.spending.count import counted
from ownkey.spending.price import Rates, cost
from ownkey.store.batches import LineState
from ownkey.store.book import BookRow
from ownkey.store.entry import Ending
from ownkey.talk.errors import OwnkeyError
from ownkey.talk.money import Money
from ownkey.talk.reply import Usage
from ownkey.wires.batches import Result
from ownkey.wires.wire import wire


class Landed(Struct, frozen=True):
    """How its hold ends, and what the line has to show."""

    ending: Ending
    state: LineState
    shown: bytes


def landed(
    batch_id: str, line: Line, hold: BookRow, result: Result, failed: Callable[[OwnkeyError], tuple[int, bytes]]
) -> Landed:
    """`failed` gives the status and the body for an error. What was not answered costs nothing: providers charge for
    completed requests only (OpenAI, Batch API: charged are tokens of completed requests)."""
    name, request_id = (line.number, line.custom_id), hold.request_id
    if result.status is None:
        shown = ended(batch_id, name, result.code, result.message)
        return Landed(_released(hold, result.code, None), "failed", shown)
    if result.status >= 300:
        error = wire(hold.wire).read_error(result.status, {}, result.body)
        status, body = failed(error)
        shown = answered(batch_id, name, request_id, status, body, {})
        return Landed(_released(hold, error.code, result.status), "failed", shown)
    try:
        body, usage, finish, text_bytes = _read(line, hold, result.body)
    except OwnkeyError as error:
        status, body = failed(error)
        ending = Ending(hold.id, "assumed", hold.held_nano, error=error.code, status=result.status, ended_at_ms=_now())
        told = cost_told(hold.provider, hold.model, Money(hold.held_nano))
        return Landed(ending, "failed", answered(batch_id, name, request_id, status, body, told))
    ending = _charged(hold, usage, finish, line.length, text_bytes)
    told = cost_told(hold.provider, hold.model, Money(ending.cost_nano))
    return Landed(ending, "done", answered(batch_id, name, request_id, 200, body, told))


def _read(line: Line, hold: BookRow, body: bytes) -> tuple[bytes, Usage, str | None, int]:
    door = chat_door(line.url)
    if DOORS[line.url] == hold.wire:
        passed = door.pass_reply(body)
        return passed.body, passed.usage, passed.finish, passed.text_bytes
    reply = wire(hold.wire).read_reply(body)
    return door.write_reply(reply, hold.model), reply.usage, reply.finish.raw, len(body)


def _charged(hold: BookRow, usage: Usage, finish: str | None, size_bytes: int, text_bytes: int) -> Ending:
    rates, exact = msgspec.json.decode(hold.price, type=Rates), usage.known
    if not exact:
        usage = counted(usage, size_bytes=size_bytes, text_bytes=text_bytes)
    nano = cost(rates, usage)
    now_ms = _now()
    return Ending(
        hold.id,
        "exact" if exact else "counted",
        nano if exact else min(nano, hold.held_nano),
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
        finish,
        status=200,
        total_ms=max(0, now_ms - hold.started_at_ms),
        ended_at_ms=now_ms,
        input_audio_tokens=usage.input_audio_tokens,
        output_audio_tokens=usage.output_audio_tokens,
        cached_audio_tokens=usage.cached_audio_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        tier=usage.tier,
    )


def _released(hold: BookRow, code: str, status: int | None) -> Ending:
    return Ending(hold.id, "released", error=code, status=status, ended_at_ms=_now())


def _now() -> int:
    return time.time_ns() // 1_000_000
