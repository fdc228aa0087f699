"""The house as its users have it: `ownkey serve` in a process of its own, the command, and a simulated provider.

Each gateway and each command has a home of its own and nothing of the machine's environment but PATH. Providers are
files in the home's folder, as a user writes them; each has a path of its own at the simulator, so that a test sees
only the requests of its own provider.
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from canaries import canary
from ownkey import Ownkey
from ownkey.simulate.server import Seen, serve
from sweep import note

SRC = Path(__file__).parents[1] / "src"
COMMAND = (sys.executable, "-m", "ownkey")
KEYS = {
    "openai": canary("openai", "sk-proj-"),
    "anthropic": canary("anthropic", "sk-ant-api03-"),
    "gemini": canary("gemini", "AIzaSy"),
}
MASKED = f"sk-...{KEYS['openai'][-4:]}"
"""OpenAI's, as it is shown."""
BAD = canary("bad", "bad-")
"""One that simulated providers refuse."""

UNLIMITED = {"OWNKEY_REQUESTS_PER_MINUTE": "0"}
"""Tests ask a provider as much as they like; those of limits set their own."""

HEADERS_TIMEOUT_S = 5
"""How long the gateway that tests share waits for a provider's first byte."""

# USD per million tokens, of every model of a provider that a test writes.
PRICE = {"input": "2.50", "output": "10.00"}
CHAT = "/v1/chat/completions"
USER = ({"role": "user", "content": "Hello"},)

Body = dict[str, Any]
Result = TypeVar("Result")


def environment(home: Path, **settings: str) -> dict[str, str]:
    """What a process of ours is given: nothing of this one's but where programs are."""
    given = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(SRC), "PYTHONDEVMODE": ""}
    return given | {"OWNKEY_HOME": str(home), "OWNKEY_KEYCHAIN": "off", "NO_COLOR": "1", **UNLIMITED} | settings


def run(env: dict[str, str], *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """`ownkey` with these arguments, and `given` on its standard input."""
    return subprocess.run([*COMMAND, *arguments], env=env, input=given, capture_output=True, text=True, timeout=60)


def until(true: Callable[[], Result], within_s: float = 5.0) -> Result:
    """What `true` gives as soon as it is true; fails where it does not become so."""
    end_s = time.monotonic() + within_s
    while True:
        asked_s = time.monotonic()
        if found := true():
            return found
        assert asked_s < end_s, "it did not come about in time"
        time.sleep(0.01)


@contextmanager
def nobody() -> Iterator[int]:
    """A port at which nobody listens nor begins to: whoever connects is refused."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


class Simulator:
    """A simulated provider on a thread of this process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(serve())
        self.port = self._server.port
        self.url = self._server.url

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def seen(self, name: str) -> list[Seen]:
        """The requests of one provider so far."""

        async def copied() -> list[Seen]:
            return [one for one in self._server.log if f"name={name}/" in one.path]

        return self._run(copied())

    def close(self) -> None:
        self._run(self._server.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Body:
        assert self.status >= 400, f"{self.status}, which is no error: {self.body[:300]!r}"
        return self.json["error"]

    @property
    def text(self) -> str:
        return self.json["choices"][0]["message"]["content"]

    @property
    def events(self) -> list[str]:
        """The payloads of a stream."""
        lines = self.body.decode().split("\n\n")
        assert lines[-1] == ""
        assert all(line.startswith("data: ") for line in lines[:-1])
        return [line.removeprefix("data: ") for line in lines[:-1]]

    @property
    def streamed_text(self) -> str:
        chunks = [json.loads(event) for event in self.events if event != "[DONE]"]
        deltas = [choice["delta"] for chunk in chunks for choice in chunk.get("choices", ())]
        return "".join(delta.get("content") or "" for delta in deltas)


@dataclass
class Gateway:
    """A running gateway. `token` opens it."""

    home: Path
    env: dict[str, str]
    simulator: Simulator
    process: subprocess.Popen[str]
    port: int
    token: str = field(repr=False)
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def own(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}

    def send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        """One request with exactly these headers, beside Host and Content-Length."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            given = answer.getheaders()
            whole = Answer(answer.status, {name.lower(): value for name, value in given}, answer.read())
            note(f"the answer to {method} {path}", repr(given).encode() + whole.body)
            return whole
        finally:
            connection.close()

    def ask(self, model: str, say: str = "Hello", headers: dict[str, str] | None = None, **fields: Any) -> Answer:
        """A chat with the gateway's own token."""
        body = {"model": model, "messages": [{"role": "user", "content": say}], **fields}
        return self.send("POST", CHAT, json.dumps(body).encode(), self.own | (headers or {}))

    def open(self, model: str, say: str = "Hello", **fields: Any) -> socket.socket:
        """A chat whose answer is read, or not, from the socket itself."""
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": say}], **fields}).encode()
        head = f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in self.own.items())
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection.sendall(head.encode() + b"\r\n" + body)
        return connection

    def rows(self, provider: str) -> list[Any]:
        """The book's rows for one provider, oldest first, once none of them is pending."""

        def settled() -> list[Any] | None:
            rows = book_rows(self.home, provider)
            return rows if rows and all(row.state != "held" for row in rows) else None

        return until(settled)

    def provider(self, fault: str = "", *, wire: str = "openai-chat", **more: str) -> str:
        """Write a provider's file: at the simulator, with that fault and a key. Its name; its model is `gpt-4o`."""
        return write_provider(self.home, self.simulator, fault, wire=wire, **more)

    def rewrite(self, name: str, before: str, after: str) -> None:
        """Another text in a provider's file; it is seen within a second."""
        file = self.home / "providers" / f"{name}.toml"
        text = file.read_text()
        assert before in text
        file.write_text(text.replace(before, after))

    @property
    def processor_s(self) -> float:
        """Of a processor's time, what it has taken since it began."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(20)


_numbers = itertools.count(1)
_prices: list[Path] = []


def write_provider(
    home: Path,
    simulator: Simulator,
    fault: str = "",
    *,
    wire: str = "openai-chat",
    key: str = KEYS["openai"],
    quirks: str = "{}",
) -> str:
    name = f"sim-{next(_numbers)}-{os.getpid()}"
    version, auth = {
        "openai-chat": ("v1", 'header = "authorization", scheme = "Bearer"'),
        "anthropic-messages": ("v1", 'header = "x-api-key", scheme = ""'),
        "gemini": ("v1beta", 'header = "x-goog-api-key", scheme = ""'),
    }[wire]
    text = f"""
        id = "{name}"
        name = "{name}"
        kind = "local"
        wire = "{wire}"
        base_url = "{simulator.url}/fault/{";".join(filter(None, (fault, f"name={name}")))}/{version}"
        auth = {{ {auth} }}
        quirks = {quirks}
        default = "gpt-4o"
        [[models]]
        id = "gpt-4o"
        context = 128_000
        max_output = 16_384
        does = ["chat", "stream", "tools", "json", "vision"]
        price = {{ input = "{PRICE["input"]}", output = "{PRICE["output"]}" }}
    """
    folder = home / "providers"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.toml").write_text(text)
    with library(home) as ownkey:
        ownkey.keys.set(name, key)
    return name


@contextmanager
def library(home: Path, **settings: Any) -> Iterator[Ownkey]:
    """The library over the same home, for what asks no provider."""
    make_home(home)
    ownkey = Ownkey(home, keychain=False, **settings)
    try:
        yield ownkey
    finally:
        ownkey.close()
        _prices.extend([] if _prices else (home / "cache").glob("prices-*"))


def make_home(home: Path) -> None:
    """A home with the price list that an earlier one has compiled, which takes half a second."""
    home.mkdir(mode=0o700, exist_ok=True)
    cache = home / "cache"
    if _prices and not cache.exists():
        cache.mkdir(mode=0o700)
        shutil.copy(_prices[0], cache)


def book_rows(home: Path, provider: str | None = None) -> list[Any]:
    """Oldest first."""
    with library(home) as ownkey:
        return ownkey.house.store.book.rows(provider=provider, limit=10_000)[::-1]


@contextmanager
def gateway(
    home: Path,
    simulator: Simulator,
    *,
    token: str | None = None,
    command: tuple[str, ...] = COMMAND,
    **settings: str,
) -> Iterator[Gateway]:
    """`ownkey serve` on a free port, ended at the end. Without a `token` one is made."""
    make_home(home)
    env = environment(home, OWNKEY_ALLOW_PRIVATE_HOSTS=f"127.0.0.1:{simulator.port}") | settings
    log = home.parent / f"{home.name}-{next(_numbers)}.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*command, "serve", "--port", "0"], env=env, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        assert "http://" in first, log.read_text()
        port = int(first.split(":")[-1].split("/")[0])
        if token is None:
            with library(home) as ownkey:
                _, made = ownkey.house.tokens.create(ownkey.owner, f"tests-{port}-{next(_numbers)}")
                token = made.reveal().decode()
        yield Gateway(home, env, simulator, process, port, token, log)
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()
