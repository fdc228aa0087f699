"""The load: wrk where it is installed, else a client of our own. Both keep N requests under way for some seconds."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

QUESTION = {
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Tell me, in a few words, what a key is for, please."},
    ],
    "max_tokens": 128,
    "temperature": 0.7,
}

LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %(token)s"
wrk.body = [[%(body)s]]
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %%f %%d %%d %%d\\n", summary.requests / (summary.duration / 1e6),
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Measured:
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    errors: int


def body(model: str, *, stream: bool) -> bytes:
    asked = {"model": model, **QUESTION, "stream": stream}
    if stream:
        asked["stream_options"] = {"include_usage": True}
    return json.dumps(asked).encode()


def run(port: int, token: str, model: str, *, at_once: int, stream: bool, seconds: float, core: int | None) -> Measured:
    """Requests/s and latencies of `at_once` requests kept under way."""
    sent = body(model, stream=stream)
    if shutil.which("wrk"):
        return _wrk(port, token, sent, at_once, seconds, core)
    own = [sys.executable, __file__, str(port), token, sent.decode(), str(at_once), str(seconds)]
    done = subprocess.run([*pinned(core), *own], capture_output=True, text=True, check=True)
    return Measured(**json.loads(done.stdout))


def pinned(core: int | None) -> list[str]:
    return ["taskset", "-c", str(core)] if core is not None and shutil.which("taskset") else []


def _wrk(port: int, token: str, sent: bytes, at_once: int, seconds: float, core: int | None) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "ask.lua"
        script.write_text(LUA % {"token": token, "body": sent.decode()})
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        command = ["wrk", "-t1", f"-c{at_once}", f"-d{math.ceil(seconds)}s", "--timeout", "10s", "-s", str(script), url]
        done = subprocess.run([*pinned(core), *command], capture_output=True, text=True, check=True)
    found = re.search(r"RESULT ([\d.]+) (\d+) (\d+) (\d+)", done.stdout)
    assert found, done.stdout + done.stderr
    rate, p50_us, p99_us, errors = found.groups()
    return Measured(float(rate), int(p50_us) / 1000, int(p99_us) / 1000, int(errors))


async def _own(port: int, token: str, sent: bytes, at_once: int, seconds: float) -> Measured:
    import asyncio

    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
    )
    request = head.encode() + sent
    took_s: list[float] = []
    errors = 0
    end_s = time.monotonic() + seconds

    async def one() -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < end_s:
            begun_s = time.monotonic()
            writer.write(request)
            status = await read_answer(reader)
            errors += status != 200
            took_s.append(time.monotonic() - begun_s)
        writer.close()

    await asyncio.gather(*(one() for _ in range(at_once)))
    took_s.sort()
    return Measured(
        len(took_s) / seconds, took_s[len(took_s) // 2] * 1000, took_s[int(len(took_s) * 0.99)] * 1000, errors
    )


async def read_answer(reader: object) -> int:
    """Reads one answer to its end and gives its status."""
    import asyncio

    assert isinstance(reader, asyncio.StreamReader)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head[9:12])
    length = re.search(rb"content-length: (\d+)", head)
    if length:
        await reader.readexactly(int(length.group(1)))
        return status
    while True:
        size = int(await reader.readline(), 16)
        await reader.readexactly(size + 2)
        if size == 0:
            return status


if __name__ == "__main__":
    import asyncio

    port, token, sent, at_once, seconds = sys.argv[1:]
    measured = asyncio.run(_own(int(port), token, sent.encode(), int(at_once), float(seconds)))
    print(json.dumps(measured.__dict__))
