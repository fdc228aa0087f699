"""Every fault does what docs/simulate.md says of it."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ownkey.simulate.faults import Fault, Turns, read
from ownkey.simulate.server import Server, serve
from ownkey.talk.errors import BadConfiguration
from raw_http import KEYS, Came, Line, ask

DOCS = Path(__file__).parent.parent.parent / "docs" / "simulate.md"
OPENAI, ANTHROPIC = "/v1/chat/completions", "/v1/messages"
GEMINI = "/v1beta/models/gemini-2.5-flash:generateContent"
GEMINI_STREAM = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
STREAMS = [OPENAI, ANTHROPIC, GEMINI_STREAM]
ERROR_PATHS = [OPENAI, ANTHROPIC, GEMINI]


def body(path: str, text: str = "say 12 words", *, stream: bool = True) -> dict[str, Any]:
    """A request for that path's wire."""
    if "v1beta" in path:
        return {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    messages = [{"role": "user", "content": text}]
    more = {"max_tokens": 100} if path == ANTHROPIC else {"stream_options": {"include_usage": True}} if stream else {}
    return {"model": "sim-small", "messages": messages, "stream": stream, **more}


def with_server(act: Callable[[Server], Awaitable[None]], default: str = "none") -> None:
    async def main() -> None:
        server = await serve(default_fault=default)
        try:
            await act(server)
        finally:
            await server.aclose()

    asyncio.run(main())


def faulted(fault: str, path: str, *, stream: bool = True, patience_s: float = 10) -> Came:
    """The answer to one request with that fault."""
    got: list[Came] = []

    async def act(server: Server) -> None:
        got.append(await ask(server.port, f"/fault/{fault}{path}", body(path, stream=stream), patience_s=patience_s))

    with_server(act)
    return got[0]


def usage_reports(came: Came) -> list[dict[str, Any]]:
    found = [event.get("usage") or event.get("usageMetadata") for event in came.events]
    return [report for report in found if report]


def test_every_fault_has_its_heading_and_every_heading_its_fault() -> None:
    headings = re.findall(r"^### `(.+)`$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == list(Fault.__struct_encode_fields__)


@pytest.mark.parametrize(
    "text", ["statxus=503", "status=99", "status=abc", "usage=some", "rate=2", "delay=-1", "cut", "reason=mood"]
)
def test_a_fault_that_cannot_be_read_is_refused_and_names_the_language(text: str) -> None:
    with pytest.raises(BadConfiguration, match="retry-after"):
        read(text)
    assert faulted(text, OPENAI).status == 400


def test_a_fault_is_chosen_by_header_then_path_then_the_server() -> None:
    async def act(server: Server) -> None:
        request = body(OPENAI)
        assert (await ask(server.port, OPENAI, request)).status == 500
        assert (await ask(server.port, f"/fault/status=502{OPENAI}", request)).status == 502
        header = KEYS | {"X-Simulate": "status=503"}
        assert (await ask(server.port, f"/fault/status=502{OPENAI}", request, header)).status == 503
        assert (await ask(server.port, f"/fault/none{OPENAI}", request)).status == 200
        encoded = "/fault/status%3D429%3Bretry-after%3D7"
        came = await ask(server.port, encoded + OPENAI, request)
        assert (came.status, came.headers["retry-after"]) == (429, "7")
        assert (await ask(server.port, "/fault/status=418/v1/models")).status == 418

    with_server(act, default="status=500")


@pytest.mark.parametrize("path", ERROR_PATHS)
def test_every_status_can_be_had_in_the_wires_own_form(path: str) -> None:
    async def act(server: Server) -> None:
        line = await Line.to(server.port)
        for status in range(200, 600):
            line.send("POST", f"/fault/status={status}{path}", body(path))
            came = await line.read()
            assert (came.status, came.ended) == (status, "whole")
            if status in (204, 304):
                assert came.body == b""
                continue
            assert came.json["error"]["message"]
            if path == ANTHROPIC:
                assert came.json["error"]["type"]
            if path == GEMINI:
                assert came.json["error"]["code"] == status
        await line.close()

    with_server(act)


def test_reasons_are_told_as_the_providers_tell_them() -> None:
    async def act(server: Server) -> None:
        async def told(reason: str, path: str) -> tuple[int, Any, Any]:
            came = await ask(server.port, f"/fault/reason={reason}{path}", body(path))
            error = came.json["error"]
            return came.status, error.get("type") or error.get("status"), error.get("code")

        assert await told("rate", OPENAI) == (429, "requests", "rate_limit_exceeded")
        assert await told("quota", OPENAI) == (429, "insufficient_quota", "insufficient_quota")
        assert await told("context", OPENAI) == (400, "invalid_request_error", "context_length_exceeded")
        assert await told("model", OPENAI) == (404, "invalid_request_error", "model_not_found")
        assert await told("overloaded", ANTHROPIC) == (529, "overloaded_error", None)
        assert await told("rate", ANTHROPIC) == (429, "rate_limit_error", None)
        assert await told("quota", ANTHROPIC) == (400, "invalid_request_error", None)
        assert await told("rate", GEMINI) == (429, "RESOURCE_EXHAUSTED", 429)
        assert await told("overloaded", GEMINI) == (503, "UNAVAILABLE", 503)
        assert await told("key;status=403", GEMINI) == (403, "INVALID_ARGUMENT", 403)

    with_server(act)


def test_retry_after_is_told_in_the_header_and_by_gemini_in_the_body() -> None:
    for value in ("2", "-1", "1e9", "soon"):
        assert faulted(f"status=429;retry-after={value}", OPENAI).headers["retry-after"] == value
    details = faulted("reason=rate;retry-after=7", GEMINI).json["error"]["details"]
    assert details[-1]["retryDelay"] == "7s"


def test_a_redirect_has_its_location() -> None:
    came = faulted("status=307;location=http:%2F%2F127.0.0.1:9%2Fv1", OPENAI)
    assert (came.status, came.headers["location"]) == (307, "http://127.0.0.1:9/v1")


@pytest.mark.parametrize(("path", "status"), [(OPENAI, 401), (ANTHROPIC, 401), (GEMINI, 400)])
def test_echo_key_quotes_the_whole_key(path: str, status: int) -> None:
    came = faulted("echo-key", path)
    assert (came.status, KEYS["x-api-key"] in came.json["error"]["message"]) == (status, True)
    assert faulted("echo-key;status=500", path).status == 500


def test_html_is_a_page_with_any_status() -> None:
    came = faulted("html", OPENAI)
    assert (came.status, came.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert came.body.startswith(b"<!doctype html>")
    assert faulted("html;status=502", OPENAI).status == 502


def test_reset_is_a_reset_before_any_byte() -> None:
    came = faulted("reset", OPENAI)
    assert (came.ended, came.status) == ("reset", 0)


def test_silence_never_answers_and_the_connection_stays() -> None:
    came = faulted("silence", OPENAI, patience_s=0.2)
    assert (came.ended, came.status) == ("silent", 0)


def test_delay_and_first_token_wait_before_and_after_the_headers() -> None:
    delayed = faulted("delay=0.2", OPENAI)
    assert delayed.head_s >= 0.2
    slow = faulted("first-token=0.2", OPENAI)
    assert slow.times_s[0] - slow.head_s >= 0.15
    whole = faulted("first-token=0.2", OPENAI, stream=False)
    assert whole.head_s >= 0.2
    assert (delayed.ended, slow.ended, whole.ended) == ("whole", "whole", "whole")


def test_chunk_delay_spreads_the_events() -> None:
    came = faulted("chunk-delay=0.02", OPENAI)
    assert len(came.times_s) == len(came.chunks)
    assert came.times_s[-1] - came.times_s[0] >= 0.02 * (len(came.chunks) - 1)


@pytest.mark.parametrize("path", STREAMS)
@pytest.mark.parametrize(("fault", "ended"), [("cut=2", "closed"), ("cut=2;rst", "reset"), ("end=2", "whole")])
def test_a_stream_is_cut_after_n_events(path: str, fault: str, ended: str) -> None:
    came = faulted(fault, path)
    healthy = faulted("none", path)
    assert came.ended == ended
    assert came.chunks == healthy.chunks[:2]


@pytest.mark.parametrize(("fault", "ended"), [("cut=0", "closed"), ("cut=0;rst", "reset"), ("end=0", "whole")])
def test_a_stream_can_be_cut_before_its_first_event(fault: str, ended: str) -> None:
    came = faulted(fault, OPENAI)
    assert (came.status, came.body, came.ended) == (200, b"", ended)


@pytest.mark.parametrize(("fault", "ended"), [("cut=9", "closed"), ("cut=0;rst", "reset"), ("stall=3", "silent")])
def test_a_whole_answer_is_cut_or_stalls_in_its_middle(fault: str, ended: str) -> None:
    came = faulted(fault, OPENAI, stream=False, patience_s=0.3)
    healthy = faulted("none", OPENAI, stream=False)
    assert came.ended == ended
    assert came.headers["content-length"] == str(len(healthy.body))
    assert came.body == healthy.body[: len(healthy.body) // 2]


def test_stall_sends_n_events_and_then_nothing() -> None:
    came = faulted("stall=3", OPENAI, patience_s=0.3)
    assert (came.ended, len(came.chunks)) == ("silent", 3)


@pytest.mark.parametrize("path", STREAMS)
def test_malformed_breaks_one_event_and_no_other(path: str) -> None:
    came = faulted("malformed=2", path)
    healthy = faulted("none", path)
    assert came.ended == "whole"
    assert [
        place for place, pair in enumerate(zip(came.chunks, healthy.chunks, strict=True)) if pair[0] != pair[1]
    ] == [2]
    data = came.chunks[2].decode().strip().rpartition("data: ")[2]
    with pytest.raises(json.JSONDecodeError):
        json.loads(data)
    assert came.chunks[2][-2:] == healthy.chunks[2][-2:]


def test_a_malformed_whole_answer_is_whole_for_http_and_no_json() -> None:
    came = faulted("malformed=0", OPENAI, stream=False)
    assert came.ended == "whole"
    with pytest.raises(json.JSONDecodeError):
        json.loads(came.body)


@pytest.mark.parametrize("path", STREAMS)
def test_an_error_event_ends_a_stream_that_had_begun(path: str) -> None:
    came = faulted("error=2", path)
    healthy = faulted("none", path)
    assert came.status == 200
    assert came.chunks[:2] == healthy.chunks[:2]
    assert len(came.chunks) == 3
    assert "error" in came.events[-1]
    assert came.ended == "whole"


def test_an_error_in_a_whole_answer_is_a_200() -> None:
    came = faulted("error=0", OPENAI, stream=False)
    assert (came.status, list(came.json)) == (200, ["error"])


@pytest.mark.parametrize("path", STREAMS)
def test_no_done_leaves_the_last_event_out(path: str) -> None:
    came = faulted("no-done", path)
    assert came.ended == "whole"
    assert came.chunks == faulted("none", path).chunks[:-1]


@pytest.mark.parametrize("path", STREAMS)
def test_usage_is_told_wrongly(path: str) -> None:
    name = {OPENAI: "completion_tokens", ANTHROPIC: "output_tokens", GEMINI_STREAM: "candidatesTokenCount"}[path]

    def told(how: str) -> list[Any]:
        return [report[name] for report in usage_reports(faulted(f"usage={how}", path)) if name in report]

    healthy = told("true")
    assert healthy[-1] == 12
    assert told("missing") == []
    assert set(told("zero")) == {0}
    assert all(value < 0 for value in told("negative"))
    assert set(told("huge")) == {2**63}
    assert told("float")[-1] == 12.5
    assert told("string")[-1] == "12"
    assert str(told("nan")[-1]) == "nan"
    assert told("double")[-2:] == [12, 12]
    assert len(told("double")) == len(healthy) + 1
    assert told("shrinking")[-2:] == [34, 12]


@pytest.mark.parametrize("path", [OPENAI, ANTHROPIC, GEMINI])
def test_usage_of_a_whole_answer_is_missing_or_stands_twice(path: str) -> None:
    member = "usageMetadata" if path == GEMINI else "usage"
    assert member not in faulted("usage=missing", path, stream=False).json
    assert faulted("usage=double", path, stream=False).body.count(f'"{member}":'.encode()) == 2
    assert b"NaN" in faulted("usage=nan", path, stream=False).body


@pytest.mark.parametrize("stream", [False, True])
def test_gzip_packs_the_answer_that_nobody_asked_to_pack(stream: bool) -> None:
    came = faulted("gzip", OPENAI, stream=stream)
    assert came.headers["content-encoding"] == "gzip"
    assert gzip.decompress(came.body) == faulted("none", OPENAI, stream=stream).body


def test_a_bomb_is_small_and_unpacks_to_its_size() -> None:

    came = faulted("bomb=16", OPENAI, stream=False)

    assert len(came.body) < 100_000
    assert len(zlib.decompress(came.body, wbits=31)) == 16 << 20


@pytest.mark.parametrize("stream", [False, True])
def test_close_delimited_ends_with_the_connection(stream: bool) -> None:
    async def act(server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        content = json.dumps(body(OPENAI, stream=stream)).encode()
        head = f"POST /fault/close-delimited{OPENAI} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer good\r\n"
        writer.write(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
        head_bytes, _, came = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        assert b"content-length" not in head_bytes
        assert b"chunked" not in head_bytes
        assert came == (await ask(server.port, OPENAI, body(OPENAI, stream=stream))).body

    with_server(act)


def test_times_strikes_the_first_requests_only_and_each_name_counts_for_itself() -> None:
    async def act(server: Server) -> None:
        async def statuses(fault: str) -> list[int]:
            return [(await ask(server.port, f"/fault/{fault}{OPENAI}", body(OPENAI))).status for _ in range(4)]

        assert await statuses("status=429;times=2") == [429, 429, 200, 200]
        assert await statuses("status=429;times=2") == [200, 200, 200, 200]
        assert await statuses("status=429;times=2;name=other") == [429, 429, 200, 200]
        assert [(await ask(server.port, OPENAI, body(OPENAI))).status for _ in range(3)] == [503, 200, 200]

    with_server(act, default="status=503,times=1")


def test_an_outage_begins_and_ends_so_long_after_the_first_request_of_its_fault() -> None:
    turns, outage = Turns(), read("status=503;after=5;lasts=60")
    assert [turns.strikes(outage, now_s) for now_s in (100, 104.9, 105, 164.9, 165, 300)] == [
        *(False, False, True, True, False, False)
    ]
    endless = read("status=503;after=5")
    assert [turns.strikes(endless, now_s) for now_s in (100, 105, 10_000)] == [False, True, True]


def test_rate_strikes_by_chance_and_the_same_for_the_same_seed() -> None:
    def statuses(fault: str) -> list[int]:
        got: list[int] = []

        async def act(server: Server) -> None:
            line = await Line.to(server.port)
            for _ in range(200):
                line.send("POST", f"/fault/{fault}{OPENAI}", body(OPENAI, stream=False))
                got.append((await line.read()).status)
            await line.close()

        with_server(act)
        return got

    first = statuses("status=500;rate=0.25;seed=7")
    assert 25 <= first.count(500) <= 75
    assert statuses("status=500;rate=0.25;seed=7") == first
    assert statuses("status=500;rate=0.25;seed=8") != first
    assert set(statuses("status=500;rate=0")) == {200}
