"""How good a model is for a task, by figures of others: each with its source and its date, in `quality.toml`."""

from __future__ import annotations

import re
import tomllib
from functools import cache, lru_cache
from pathlib import Path

import msgspec
from msgspec import Struct

GENERAL = "writing"
"""The task that figures are of where none is said."""

_FILE = Path(__file__).with_name("quality.toml")
_DATED = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2})$")


class Board(Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody measured: more is better. `dated`: the day on which it stood so (ISO date)."""

    name: str
    source: str
    dated: str
    tasks: tuple[str, ...]
    scores: dict[str, float]


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    boards: tuple[Board, ...]


def board(task: str | None) -> Board | None:
    """The board of a task; None where nothing was measured for it."""
    return next((one for one in _boards() if (task or GENERAL) in one.tasks), None)


@lru_cache(maxsize=4096)
def quality(model: str, task: str | None = None) -> float | None:
    """The model's score on the task's board, by whatever provider it is sold. None where it is not listed."""
    found = board(task)
    return None if found is None else _scores(found.name).get(_spelled(model))


@cache
def _boards() -> tuple[Board, ...]:
    return msgspec.convert(tomllib.loads(_FILE.read_text("utf-8")), _File).boards


@cache
def _scores(name: str) -> dict[str, float]:
    found = next(one for one in _boards() if one.name == name)
    return {_spelled(model): score for model, score in found.scores.items()}


def _spelled(model: str) -> str:
    """One spelling for `anthropic/claude-opus-4.5` and `claude-opus-4-5-20251101`."""
    name = model.rpartition("/")[2].lower()
    return _DATED.sub("", name).replace(".", "-")
