"""The replay of records gives back every byte, however it cuts them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from raw_http import Came, ask
from replay import replay


@dataclass(frozen=True)
class Exchange:
    id: str
    response_body: bytes
    status: int = 200
    streaming: bool = True
    response_headers: dict[str, str] = field(default_factory=dict)


STREAM = Exchange("one", b'data: {"n":1}\n\n' * 20, response_headers={"X-Request-Id": "r1", "Content-Length": "3"})
REFUSAL = Exchange("two", b'{"error":{}}', status=429, streaming=False)
EMPTY = Exchange("three", b"")


def came(exchange: Exchange, cut: str) -> Came:
    async def main() -> Came:
        server = await replay([STREAM, REFUSAL, EMPTY])
        try:
            return await ask(server.port, server.base(exchange, cut).removeprefix(server.url) + "/v1/x?y=1", {})
        finally:
            await server.aclose()

    return asyncio.run(main())


def test_every_cut_gives_the_same_body_status_and_headers() -> None:
    for exchange in (STREAM, REFUSAL, EMPTY):
        for cut in ("", "7", "every", "whole", "at0", "at5", "at999999"):
            answer = came(exchange, cut)
            assert (answer.body, answer.status, answer.ended) == (exchange.response_body, exchange.status, "whole")
    streamed = came(STREAM, "")
    assert streamed.headers["content-type"] == "text/event-stream"
    assert streamed.headers["x-request-id"] == "r1"
    assert "content-length" not in streamed.headers
    assert came(REFUSAL, "").headers["content-type"] == "application/json"


def test_the_cuts_are_where_they_were_asked_for() -> None:
    assert came(STREAM, "every").chunks == [bytes([byte]) for byte in STREAM.response_body]
    assert came(STREAM, "whole").chunks == [STREAM.response_body]
    apart = came(STREAM, "at5")
    assert apart.chunks == [STREAM.response_body[:5], STREAM.response_body[5:]]
    assert apart.times_s[1] > apart.times_s[0]
    assert came(STREAM, "7").chunks == came(STREAM, "7").chunks
    assert came(STREAM, "7").chunks != came(STREAM, "8").chunks


def test_an_unknown_record_is_not_found() -> None:
    assert came(Exchange("absent", b""), "").status == 404
