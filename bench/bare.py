"""The proxy to compare with: uvicorn and aiohttp, a request in, the same request out, the usage read. Nothing else.

Run as `python bare.py PORT UPSTREAM`.
"""

from __future__ import annotations

import sys
from typing import Any

import aiohttp
import msgspec
import uvicorn

JSON = [(b"content-type", b"application/json")]
EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8")]


class Proxy:
    def __init__(self, upstream: str) -> None:
        self.url = f"{upstream}/v1/chat/completions"
        self.session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if self.session is None:
            self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False)
        if scope["method"] == "GET":
            await send({"type": "http.response.start", "status": 200, "headers": JSON})
            await send({"type": "http.response.body", "body": b"{}"})
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        asked = msgspec.json.decode(body)
        sent = msgspec.json.encode(asked)
        headers = {"content-type": "application/json", "authorization": "Bearer sk-bench-upstream"}
        async with self.session.post(self.url, data=sent, headers=headers) as answer:
            if asked.get("stream"):
                await self._stream(answer, send)
                return
            data = await answer.read()
            assert "usage" in msgspec.json.decode(data)
            length = [(b"content-length", b"%d" % len(data))]
            await send({"type": "http.response.start", "status": answer.status, "headers": JSON + length})
            await send({"type": "http.response.body", "body": data})

    async def _stream(self, answer: aiohttp.ClientResponse, send: Any) -> None:
        await send({"type": "http.response.start", "status": answer.status, "headers": EVENTS})
        tail = b""
        async for chunk in answer.content.iter_any():
            tail = (tail + chunk)[-2048:]
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        assert b'"usage"' in tail
        await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    uvicorn.run(
        Proxy(sys.argv[2]), port=int(sys.argv[1]), http="httptools", loop="uvloop", lifespan="off",
        access_log=False, log_level="error", backlog=2048,
    )  # fmt: skip
