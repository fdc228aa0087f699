"""Meeting insights: what the model finds is kept only where the words that it quotes were said; owners are who spoke or
was named, and dates are reckoned here, from the day of the meeting."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from ownkey.app.automations.given import Given
from ownkey.app.starters.dates import due
from ownkey.app.starters.transcript import Source, Turn, folded, parts, shown, speakers, turns
from ownkey.app.starters.working import Prepared, Said
from ownkey.talk.errors import InvalidRequest

KINDS = ("decisions", "actions", "questions")
_SIGNS = {
    "decisions": re.compile(
        r"\b(?:we (?:have )?(?:decided|agreed)|decision is|carried|motion passes|approved|agreed)\b", re.I
    ),
    "actions": re.compile(
        r"\b(?:I will|I'll|I’ll|will you|can you|could you|please (?:send|check|prepare|write))\b", re.I
    ),
    "questions": re.compile(r"\?\s*$"),
}
_MOST_SIGNS = 20


class Meeting:
    provides: tuple[str, ...] = ("lines", "speakers")

    def prepare(self, given: Given, room_chars: int) -> Prepared:
        found = turns(given.files["transcript"].text)
        if not found:
            raise InvalidRequest(
                "There is nothing in the transcript.", "One line for each who speaks.", param="transcript"
            )
        day = _day(given.texts.get("date", ""))
        named = ", ".join(speakers(found)) or "not known"
        asks = tuple(
            {"lines": "\n".join(shown(turn) for turn in piece), "speakers": named} for piece in parts(found, room_chars)
        )
        return Prepared(asks, facts=(found, day))

    def faults(self, prepared: Prepared, ask: int, value: Any) -> list[str]:
        source = Source(prepared.facts[0])
        return [
            f"the quotation {one['quote'][:80]!r} stands in no line; copy the words from the line"
            for kind in KINDS
            for one in value[kind]
            if source.find(one["quote"], one["line"]) is None
        ][:5]

    def finish(self, prepared: Prepared, said: Sequence[Said]) -> dict[str, Any]:
        found, day = prepared.facts
        source, who = Source(found), speakers(found)
        result: dict[str, Any] = {"summary": [one.value["summary"] for one in said if one.value is not None]}
        unverified: list[dict[str, Any]] = []
        lines: set[int] = set()
        for kind in KINDS:
            kept: dict[str, dict[str, Any]] = {}
            for one in (item for each in said if each.value is not None for item in each.value[kind]):
                turn = source.find(one["quote"], one["line"])
                if turn is None:
                    unverified.append({"kind": kind, **one})
                    continue
                lines.add(turn.line)
                # What two parts share is found twice.
                kept.setdefault(folded(one["quote"]), _item(kind, one, turn, who, found, day))
            result[kind] = sorted(kept.values(), key=lambda item: item["line"])
        result["unverified"] = unverified
        result["look_at"] = list(_signs(found, lines))
        result["speakers"] = who
        result["date"] = None if day is None else day.isoformat()
        return result


def _item(
    kind: str, one: dict[str, Any], turn: Turn, who: Sequence[str], found: Sequence[Turn], day: date | None
) -> dict[str, Any]:
    item: dict[str, Any] = {"text": one["text"], "line": turn.line, "time": turn.time, "said_by": turn.speaker}
    item["quote"] = turn.text
    if kind == "actions":
        item["owner"] = _owner(one["owner"], turn, who, found)
        said = one["due"] or ""
        # A date counts where it was said: in the line itself, or in words that stand in the transcript.
        spoken = said if said and any(folded(said) in folded(each.text) for each in found) else turn.text
        by = None if day is None else due(spoken, day)
        item["due"] = None if by is None else by.isoformat()
        item["due_said"] = spoken if by is not None and spoken == said else None
    return item


def _owner(given: str | None, turn: Turn, who: Sequence[str], found: Sequence[Turn]) -> str | None:
    """As the transcript has the name; None where nobody of that name spoke or was spoken of. `I` is who says it."""
    wanted = folded(given or "")
    if wanted in ("i", "me", "myself"):
        return turn.speaker
    for name in who:
        if wanted and (wanted == folded(name) or wanted in folded(name).split()):
            return name
    if wanted and any(f" {wanted} " in f" {folded(each.text)} " for each in found):
        return given
    return None


def _signs(found: Sequence[Turn], taken: set[int]) -> Iterator[dict[str, Any]]:
    """Lines that sound like one of these, and of which the model said nothing."""
    count = 0
    for turn in found:
        kind = next((kind for kind, sign in _SIGNS.items() if sign.search(turn.text)), None)
        if kind is not None and turn.line not in taken and count < _MOST_SIGNS:
            count += 1
            yield {"kind": kind, "line": turn.line, "said_by": turn.speaker, "quote": turn.text}


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise InvalidRequest("The meeting's date is a day such as 2026-03-05.", param="date") from None
