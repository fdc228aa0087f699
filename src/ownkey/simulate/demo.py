"""The demo provider, inside the program: no socket, no key, no model. It speaks OpenAI's chat completions.

Its usage follows the simulator's rule (`speech.tokens`), so it is exact.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from ownkey.simulate.answers import Answer, Request, answer, failed
from ownkey.simulate.failing import Failure
from ownkey.simulate.speech import Asked, heard

MODEL = "demo"
BETWEEN_PIECES_S = 0.02
_MODELS = {"openai-chat": (MODEL,)}
_PATHS = ("/v1/chat/completions", "/v1/models")


@dataclass(frozen=True, slots=True)
class DemoAnswer:
    """Header names in lower case. `chunks` is the body, to be read once; nothing is done before it is asked for."""

    status: int
    headers: dict[bytes, bytes]
    chunks: AsyncIterator[bytes]


async def demo(method: bytes, target: bytes, body: bytes) -> DemoAnswer:
    """Answers one request to `/v1/chat/completions` or `/v1/models`; anything else is a 404."""
    request = Request(method.decode("latin-1"), target.decode("latin-1"), {}, body)
    if request.path in _PATHS:
        told = answer(request, keys=False, models=_MODELS, opening=_welcome)
    else:
        told = failed(request, Failure("request", 404, "The demo has no such path."))
    return DemoAnswer(told.status, dict(told.headers), _chunks(told))


def _welcome(asked: Asked) -> str:
    return (
        "Hello! This is Ownkey's demo: no model was asked, and nothing was spent. "
        f"{heard(asked)} With a key of your own, a real model answers here."
    )


async def _chunks(told: Answer) -> AsyncIterator[bytes]:
    for place, piece in enumerate(told.pieces):
        if place:
            await asyncio.sleep(BETWEEN_PIECES_S)
        yield piece
