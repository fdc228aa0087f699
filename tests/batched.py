"""Inputs of batches, and what came of them."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from house import COMMAND, Simulator


def line(id: str, model: str, say: str | None = None, **fields: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": say or f"Hello {id}"}], "max_tokens": 50, **fields}
    return {"custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": body}


def written(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return path


def hellos(path: Path, model: str, count: int) -> Path:
    return written(path, [line(f"c{number}", model) for number in range(count)])


def shown(path: Path) -> dict[str, Any]:
    """The lines of a file of results by their custom_id; each is there once."""
    lines = [json.loads(one) for one in path.read_text().splitlines()] if path.exists() else []
    found = {one["custom_id"]: one for one in lines}
    assert len(found) == len(lines), "a line is there twice"
    return found


def asked(simulator: Simulator, name: str) -> Counter[str]:
    """How often the provider was asked for each line."""
    bodies = [json.loads(seen.body) for seen in simulator.seen(name)]
    return Counter(body["messages"][-1]["content"].removeprefix("Hello ") for body in bodies)


def started(env: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "batch", *arguments, "--yes"],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
