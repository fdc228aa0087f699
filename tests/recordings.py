"""Recorded answers of the real providers, where they lie beside the project: `../shared/wire`, or OWNKEY_RECORDINGS."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("OWNKEY_RECORDINGS") or Path(__file__).parent.parent.parent / "shared" / "wire")
ABSENT = f"no recordings: {FOLDER} holds no *.jsonl.gz (name the folder by OWNKEY_RECORDINGS)"


@dataclass(frozen=True)
class Record:
    """One exchange. `fidelity` is raw, parsed, body-only, chunks or reparsed; `endpoint` as in `chat/completions`."""

    provider: str
    id: str
    endpoint: str
    streaming: bool
    fidelity: str
    status: int
    url: str
    request_body: Any
    response_headers: dict[str, str]
    response_body: bytes
    tags: tuple[str, ...]


def records(provider: str | None = None, endpoint: str | None = None) -> list[Record]:
    """Every record of that provider and endpoint; none where the folder is absent."""
    found = (record for name in _providers() if provider in (None, name) for record in _of(name))
    return [record for record in found if endpoint in (None, record.endpoint)]


def _providers() -> list[str]:
    return sorted(path.name.removesuffix(".jsonl.gz") for path in FOLDER.glob("*.jsonl.gz"))


@cache
def _of(provider: str) -> tuple[Record, ...]:
    return tuple(_read(FOLDER / f"{provider}.jsonl.gz"))


def _read(path: Path) -> Iterator[Record]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            raw = json.loads(line)
            yield Record(
                provider=raw["provider"],
                id=raw["id"],
                endpoint=raw["endpoint"],
                streaming=raw["streaming"],
                fidelity=raw["fidelity"],
                status=raw["status"],
                url=raw["url"],
                request_body=raw["request_body"],
                response_headers={name.lower(): value for name, value in raw["response_headers"].items()},
                response_body=raw["response_body"].encode(),
                tags=tuple(raw["tags"]),
            )
