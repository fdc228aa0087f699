"""Code review: a finding is kept where the line that it speaks of is there; what it quotes puts it right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ownkey.app.automations.given import Given
from ownkey.app.starters.diff import Line, lines, pieces, shown
from ownkey.app.starters.working import Prepared, Said
from ownkey.talk.errors import InvalidRequest

SEVERITIES = ("high", "medium", "low")
LEAST_CHARS = 20


class Review:
    provides: tuple[str, ...] = ("lines",)

    def prepare(self, given: Given, room_chars: int) -> Prepared:
        read = given.files["code"]
        found = lines(read.text, read.name)
        if not any(line.text.strip() for line in found):
            raise InvalidRequest("There is nothing to review.", "A unified diff, or a file of source.", param="code")
        return Prepared(tuple({"lines": shown(piece)} for piece in pieces(found, room_chars)), facts=found)

    def faults(self, prepared: Prepared, ask: int, value: Any) -> list[str]:
        return [
            f"in {one['file'][:80]} there is no line {one['line']} that holds {one['quote'][:60]!r}"
            for one in value["findings"]
            if _place(prepared.facts, one) is None
        ][:5]

    def finish(self, prepared: Prepared, said: Sequence[Said]) -> dict[str, Any]:
        findings: dict[tuple[str, int | None, str], dict[str, Any]] = {}
        unverified: list[dict[str, Any]] = []
        for one in (item for each in said if each.value is not None for item in each.value["findings"]):
            line = _place(prepared.facts, one)
            if line is None:
                unverified.append(one)
                continue
            found = {**one, "file": line.file, "line": line.number, "quote": line.text.strip()}
            found["moved"] = line.number != one["line"]
            findings.setdefault((line.file, line.number, one["title"]), found)
        order = {severity: place for place, severity in enumerate(SEVERITIES)}
        return {
            "summary": [one.value["summary"] for one in said if one.value is not None],
            "findings": sorted(findings.values(), key=lambda one: (order[one["severity"]], one["file"], one["line"])),
            "unverified": unverified,
            "files": list(dict.fromkeys(line.file for line in prepared.facts)),
            "lines": len(prepared.facts),
        }


def _quotes(quote: str, line: str) -> bool:
    """Enough of it to be no accident: most of a short line, some words of a long one."""
    return bool(quote) and quote in line and len(quote) >= min(LEAST_CHARS, len(line) * 2 // 3)


def _place(found: Sequence[Line], one: dict[str, Any]) -> Line | None:
    """The line that is meant: where what is quoted stands, the nearest to the one that is named. Only the number of a
    line does not do: anybody can name one."""
    quote = " ".join(str(one["quote"]).lstrip("+- ").split())
    named = str(one["file"]).removeprefix("b/").removeprefix("./")
    there = [line for line in found if line.number is not None and _quotes(quote, " ".join(line.text.split()))]
    mine = [line for line in there if line.file == named or line.file.endswith(f"/{named}")]
    mine = mine or (there if len({line.file for line in found}) == 1 else [])
    return min(mine, key=lambda line: abs((line.number or 0) - one["line"]), default=None)
