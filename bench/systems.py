"""What is measured: each starts on a port of its own, pinned to one core, with the same upstream behind it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.load import pinned

HERE = Path(__file__).resolve().parent
UPSTREAM_CONF = HERE.parent.parent / "shared" / "bench" / "upstream.conf"
MODEL = "gpt-4o"


@dataclass
class System:
    """A running one. `start_s`: from the command to its first answer."""

    name: str
    port: int
    token: str
    model: str
    process: subprocess.Popen[bytes] | None
    start_s: float
    does: str

    def memory_mb(self) -> float:
        if self.process is None:
            return 0.0
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found.group(1)) / 1024 if found else 0.0


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


@contextlib.contextmanager
def started(
    command: list[str], port: int, core: int | None, **environ: str
) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """The process, and how long it took to answer; ended with SIGTERM."""
    begun_s = time.monotonic()
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([*pinned(core), *command], env={**os.environ, **environ}, stdout=quiet, stderr=quiet)
    try:
        while not _answers(port):
            if process.poll() is not None or time.monotonic() - begun_s > 60:
                raise RuntimeError(f"{command} did not start")
            time.sleep(0.005)
        yield process, time.monotonic() - begun_s
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextlib.contextmanager
def upstream(core: int | None) -> Iterator[tuple[str, int]]:
    """A provider that costs next to nothing: nginx where it is there with Lua, else Ownkey's own simulator."""
    lua = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so").exists()
    if lua and shutil.which("nginx") and UPSTREAM_CONF.exists():
        with tempfile.TemporaryDirectory() as folder:
            command = ["nginx", "-p", folder, "-c", str(UPSTREAM_CONF), "-g", "daemon off;"]
            with started(command, 9001, core):
                yield "nginx", 9001
        return
    port = free_port()
    with started([sys.executable, "-m", "ownkey", "simulate", "--port", str(port)], port, core):
        yield "ownkey simulate", port


@contextlib.contextmanager
def bare(upstream_port: int, core: int | None) -> Iterator[System]:
    port = free_port()
    command = [sys.executable, str(HERE / "bare.py"), str(port), f"http://127.0.0.1:{upstream_port}"]
    with started(command, port, core) as (process, start_s):
        yield System("uvicorn + aiohttp", port, "sk-bench", MODEL, process, start_s, "nothing")


BUDGETS = {
    "house": (),
    "person": ("--owner", "owner"),
    "provider": ("--provider", "openai"),
    "key": ("--key", "openai"),
    "token": ("--token", "bench"),
}


@contextlib.contextmanager
def ownkey(upstream_port: int, core: int | None, *, budgets: bool = False) -> Iterator[System]:
    """With everything on: token checked, key sealed, money held and settled on disk; with `budgets`, in five scopes."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=HERE) as home:
        environ = {
            "OWNKEY_HOME": home,
            "OWNKEY_KEYCHAIN": "off",
            "OWNKEY_REQUESTS_PER_MINUTE": "0",
            "OWNKEY_ALLOW_PRIVATE_HOSTS": f"127.0.0.1:{upstream_port}",
        }
        command = [sys.executable, "-m", "ownkey"]

        def call(*arguments: str, text: str = "") -> str:
            done = subprocess.run(
                [*command, *arguments], env={**os.environ, **environ}, input=text, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            return done.stdout.strip()

        call("providers", "set", "openai", "--endpoint", f"http://127.0.0.1:{upstream_port}/v1")
        call("keys", "set", "openai", text="sk-bench-upstream-0000000000000000000000000000000000000000")
        token = call("tokens", "create", "bench")
        for name, scope in BUDGETS.items() if budgets else ():
            call("budgets", "set", name, "--limit", "1000000", "--per", "month", *scope)
        named, does = "ownkey", "token, sealed key, durable hold and settle"
        if budgets:
            named, does = "ownkey, 5 budgets", f"{does}, budgets in five scopes"
        with started([*command, "serve", "--port", str(port)], port, core, **environ) as (process, start_s):
            yield System(named, port, token, MODEL, process, start_s, does)


@contextlib.contextmanager
def litellm(upstream_port: int, core: int | None) -> Iterator[System]:
    """LiteLLM's proxy, where it is installed: no database, so that no spend is kept."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(
            "model_list:\n  - model_name: gpt-4o\n    litellm_params:\n      model: openai/gpt-4o\n"
            f"      api_base: http://127.0.0.1:{upstream_port}/v1\n      api_key: sk-bench\n"
            "general_settings:\n  master_key: sk-bench\n"
        )
        command = [shutil.which("litellm") or "litellm", "--config", str(config), "--port", str(port)]
        with started(command, port, core) as (process, start_s):
            yield System("litellm", port, "sk-bench", MODEL, process, start_s, "token; nothing is kept")
