"""What is sent to a target for a chat: its bytes, and how long the answer may be."""

from __future__ import annotations

from collections.abc import Sequence

from ownkey.engine.attempt import Made
from ownkey.engine.funds import LEAST_OUTPUT_TOKENS, affordable, bound
from ownkey.engine.request import Request
from ownkey.engine.sender import Least
from ownkey.engine.target import Target
from ownkey.store.book import Hold
from ownkey.talk.errors import RequestError
from ownkey.wires.thinking import fitted
from ownkey.wires.wire import Written

# What is asked for where the wire wants a cap and the caller set none: a long answer, for a model known to give it.
LONG_OUTPUT_TOKENS = 16_384


def can_come_in_pieces(request: Request, target: Target) -> bool:
    """Whether nothing is lost by it: what a client of the provider's own wire asks for beyond a chat goes through as it
    is only where it is not read."""
    if request.choices != 1 or (target.facts.does and "stream" not in target.facts.does):
        return False
    try:
        return not request.as_chat().other
    except RequestError:
        return False


def can_be_told(request: Request, targets: Sequence[Target]) -> bool:
    """Whether each of them takes in words what it takes as it came: not so two choices, for one."""
    try:
        for target in targets:
            if request.door is target.wire:
                write(request, target, passes=False)
    except RequestError:
        return False
    return True


def passes_through(request: Request, target: Target) -> bool:
    return request.door is target.wire and request.ask is not None and not request.carries


def write(request: Request, target: Target, *, passes: bool, usual: int | None = None) -> tuple[Written, int | None]:
    """The body that is sent, and the output cap in it. `usual`: the cap where the caller named none."""
    cap, limit = request.max_output, target.facts.max_output
    most = None if request.most is None else max(1, request.most // request.choices)
    if cap is None and (usual is not None or target.wire.default_output is not None):
        cap = usual or (LONG_OUTPUT_TOKENS if limit is not None else target.wire.default_output)
        assert cap is not None
        cap += _thought(request, target, passes=passes)
    if most is not None:
        cap = most if cap is None else min(cap, most)
    if cap is not None and limit is not None:
        cap = min(cap, limit)
    return _written(request, target, cap, passes=passes), cap


def limited(request: Request) -> tuple[str, ...]:
    """What is said where its owner's own cap is below what was asked for."""
    most, asked = request.most, request.max_output
    if most is None or asked is None or asked * request.choices <= most:
        return ()
    return (f"The answer is of {most} tokens at most: so the preferences have it.",)


def _written(request: Request, target: Target, cap: int | None, *, passes: bool) -> Written:
    if passes and request.door is not None and request.ask is not None:
        return Written(request.door.forward(request.ask, target.model, max_output=cap, quirks=target.quirks))
    chat = request.as_chat()
    return target.wire.write_request(chat, target.model, stream=request.stream, max_output=cap, quirks=target.quirks)


def _thought(request: Request, target: Target, *, passes: bool) -> int:
    """How many tokens of the answer were given to thinking."""
    try:
        thinking = fitted(request.as_chat(), target.quirks.thinking, [])
    except RequestError:
        # What passes through need not be known here.
        if not passes:
            raise
        return 0
    return max(0, thinking.budget_tokens or 0) if thinking else 0


def least_of(request: Request, target: Target, made: Made, *, passes: bool) -> Least:
    """Where nobody said how long the answer may be, a shorter one is better than none."""
    output = min(made.output_tokens, _thought(request, target, passes=passes) + LEAST_OUTPUT_TOKENS)

    def rewritten(hold: Hold) -> bytes:
        cap = affordable(made, hold.held_nano, hold.held_tokens)
        return _written(request, target, max(1, cap), passes=passes).body

    return Least(bound(made, output), made.input_tokens + output * made.choices, rewritten)
