"""One prompt, several models: what each says, what it cost and how long it took; and who says the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ownkey.app.automations.given import Given
from ownkey.app.starters.working import Prepared, Said
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.money import show_usd

MOST_MODELS = 12


class Comparison:
    provides: tuple[str, ...] = ()

    def prepare(self, given: Given, room_chars: int) -> Prepared:
        models = tuple(dict.fromkeys(name for name in re.split(r"[,\s]+", given.texts["models"]) if name))
        if not 1 <= len(models) <= MOST_MODELS:
            raise InvalidRequest(
                f"A comparison is of 1 to {MOST_MODELS} models.",
                "models=openai/gpt-4o,anthropic/claude-haiku-4-5",
                param="models",
            )
        return Prepared(({},), models)

    def faults(self, prepared: Prepared, ask: int, value: Any) -> list[str]:
        return [] if value["answer"].strip() else ["there is no answer"]

    def finish(self, prepared: Prepared, said: Sequence[Said]) -> dict[str, Any]:
        rows = [_row(one) for one in said]
        answered = [row for row in rows if row["answer"] is not None]
        same: dict[str, list[str]] = {}
        for row in answered:
            same.setdefault(" ".join(re.findall(r"\w+", row["answer"].casefold())), []).append(row["model"])
        priced = [one for one in said if one.value is not None and one.cost_nano is not None]
        return {
            "models": rows,
            "agree": sorted((models for models in same.values() if len(models) > 1), key=len, reverse=True),
            "cheapest": min(priced, key=lambda one: one.cost_nano or 0).model if priced else None,
            "fastest": min(answered, key=lambda row: row["seconds"])["model"] if answered else None,
        }


def _row(one: Said) -> dict[str, Any]:
    return {
        "model": one.model,
        "answer": None if one.value is None else one.value["answer"],
        "cost_usd": None if one.cost_nano is None or one.value is None else show_usd(one.cost_nano),
        "seconds": one.took_ms / 1000,
        "input_tokens": one.input_tokens,
        "output_tokens": one.output_tokens,
        "error": one.error,
    }
