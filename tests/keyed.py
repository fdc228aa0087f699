"""A provider that knows its keys: each is taken or refused as the test says, and what each was used for is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from canaries import canary
from ownkey import Ownkey
from scripted import Peer, Request, answer, serve

A, B, C = (canary(f"keyed {letter}") for letter in "abc")

REVOKED = (401, "invalid_api_key")
USED_UP = (429, "insufficient_quota")

_MODELS = {"data": [{"id": "gpt-4o", "object": "model"}, {"id": "o3", "object": "model"}]}
_USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
_SAID = {"id": "c1", "model": "gpt-4o", "usage": _USAGE}
_WHOLE = _SAID | {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]}
_PIECE = _SAID | {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}
_VECTORS = {"data": [{"embedding": [0.5], "index": 0}], "usage": {"prompt_tokens": 7, "total_tokens": 7}}


@dataclass
class Keyed:
    port: int = 0
    refused: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    used: list[str] = field(default_factory=list[str])
    silent: bool = False
    gone: bool = False
    waits_s: float = 0
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def speak(self, peer: Peer) -> None:
        while True:
            request = await peer.request()
            key = (request.header("x-api-key") or request.header("authorization") or "").removeprefix("Bearer ")
            self.used.append(key)
            self.heard.set()
            if self.gone:
                return
            if self.silent:
                await peer.until_gone()
            await asyncio.sleep(self.waits_s)
            if key in self.refused:
                status, code = self.refused[key]
                body = {"error": {"message": f"not with {key}", "code": code, "type": code}}
                await peer.send(answer(json.dumps(body).encode(), status))
            else:
                await peer.send(_answer(request))


def _answer(request: Request) -> bytes:
    if "/models" in request.target:
        return answer(json.dumps(_MODELS).encode())
    if request.target.endswith("/embeddings"):
        return answer(json.dumps(_VECTORS).encode())
    if json.loads(request.body).get("stream"):
        return answer(
            f"data: {json.dumps(_PIECE)}\n\ndata: [DONE]\n\n".encode(), 200, "content-type: text/event-stream"
        )
    return answer(json.dumps(_WHOLE).encode())


@asynccontextmanager
async def keyed() -> AsyncIterator[Keyed]:
    provider = Keyed()
    async with serve(provider.speak) as server:
        provider.port = server.port
        yield provider


@asynccontextmanager
async def owning(home: Path, provider: Keyed, *labels: str, **settings: Any) -> AsyncIterator[Ownkey]:
    """Ownkey whose OpenAI is that provider, with a key for each label: `a` is A, `b` is B."""
    allowed = (("127.0.0.1", provider.port),)
    async with Ownkey(home, keychain=False, allow_private_hosts=allowed, retries=0, **settings) as ownkey:
        ownkey.providers.set("openai", endpoint=provider.url)
        for label in labels:
            ownkey.keys.set("openai", {"a": A, "b": B, "c": C}[label], label)
        yield ownkey
