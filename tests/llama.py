"""llama.cpp's own server on a free port, with a model of random numbers that is made on the spot."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llama_model import write_model

MODEL = "random"
PROVIDERS = {"llamacpp": "openai-chat", "llamacpp-messages": "anthropic-messages"}
_SERVER = Path(__file__).parent / "llama_server.py"


@dataclass(frozen=True)
class Llama:
    """A running server. `url` without a path; `key` is what it wants, where it wants one."""

    url: str
    key: str | None

    def get(self, path: str) -> Any:
        """What it says of itself, past Ownkey."""
        return json.loads(self._open(path, None))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return json.loads(self._open(path, json.dumps(body).encode()))

    def busy(self) -> bool:
        return any(slot["is_processing"] for slot in self.get("/slots"))

    def _open(self, path: str, data: bytes | None) -> bytes:
        headers = {"content-type": "application/json"}
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers), timeout=30) as answer:
            return answer.read()


@contextmanager
def llama(folder: Path, *, context: int = 16_384, key: str = "") -> Iterator[Llama]:
    """A server that is there when this begins, and gone when it ends."""
    try:
        ctypes.CDLL("libgomp.so.1")
    except OSError:
        pytest.skip("llama.cpp is linked to GNU's OpenMP, which is not on this machine: apt-get install libgomp1")
    model = folder / "random.gguf"
    write_model(model, context=context)
    command = [sys.executable, str(_SERVER), str(model), str(context), key]
    with (folder / "llama.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        assert url.startswith("http://127.0.0.1:"), (folder / "llama.log").read_text()[-2000:]
        yield Llama(url, key or None)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def add_providers(home: Path, server: Llama) -> None:
    """One file for each of the two wires that it speaks: all that a provider takes."""
    (home / "providers").mkdir(exist_ok=True)
    for id, wire in PROVIDERS.items():
        (home / "providers" / f"{id}.toml").write_text(
            f'id = "{id}"\nname = "llama.cpp"\nkind = "local"\nwire = "{wire}"\nbase_url = "{server.url}/v1"\n'
        )
