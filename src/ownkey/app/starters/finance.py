"""Financial analysis: every figure is computed here, exactly; the model puts them into words, and each number in its
words is looked for among them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from ownkey.app.automations.given import Given
from ownkey.app.starters.figures import Fact, Figures, figures
from ownkey.app.starters.numbers import number, strangers
from ownkey.app.starters.working import Prepared, Said
from ownkey.talk.errors import InvalidRequest


class Finance:
    provides: tuple[str, ...] = ("facts",)

    def prepare(self, given: Given, room_chars: int) -> Prepared:
        read = given.files["figures"]
        if read.table is None or not read.table.rows:
            raise InvalidRequest("There is no table in it.", "A row of names, and rows of figures.", param="figures")
        found = figures(read.table)
        if not found.facts:
            raise InvalidRequest(
                "There are no figures in the table.", "One column at least has numbers.", param="figures"
            )
        lines = [f"{fact.id} | {fact.column} | {fact.says}" for fact in found.facts]
        told: list[str] = []
        for line in (*(f"! {warning}" for warning in found.warnings), *lines):
            if sum(map(len, told)) + len(line) > room_chars:
                break
            told.append(line)
        return Prepared(({"facts": "\n".join(told)},), facts=(found, read.table, given.texts.get("question", "")))

    def faults(self, prepared: Prepared, ask: int, value: Any) -> list[str]:
        found: Figures = prepared.facts[0]
        ids = {fact.id for fact in found.facts}
        wrong = [f"there is no fact {id}" for finding in value["findings"] for id in finding["facts"] if id not in ids]
        unknown = [f"{one} is in none of the facts" for text in _texts(value) for one in _strange(text, prepared)]
        return list(dict.fromkeys(wrong + unknown))[:5]

    def finish(self, prepared: Prepared, said: Sequence[Said]) -> dict[str, Any]:
        found: Figures = prepared.facts[0]
        facts = {fact.id: fact for fact in found.facts}
        value = said[0].value
        findings: list[dict[str, Any]] = []
        for one in value["findings"]:
            based = [facts[id] for id in one["facts"] if id in facts]
            strange = _strange(one["statement"], prepared)
            findings.append(
                {
                    "statement": one["statement"],
                    "kind": one["kind"],
                    "based_on": [f"{fact.column}: {fact.says}" for fact in based],
                    "numbers_not_in_the_figures": strange,
                    "checked": bool(based) and not strange,
                }
            )
        return {
            "summary": value["summary"],
            "summary_numbers_not_in_the_figures": _strange(value["summary"], prepared),
            "findings": sorted(findings, key=lambda one: not one["checked"]),
            "questions": value["questions"],
            "figures": [_plain(fact) for fact in found.facts],
            "warnings": list(found.warnings),
            "rows": found.rows,
        }


def _texts(value: Any) -> list[str]:
    return [value["summary"], *(finding["statement"] for finding in value["findings"])]


def _strange(text: str, prepared: Prepared) -> list[str]:
    """Numbers in names of columns, labels of rows and the question are nobody's invention."""
    found, table, question = prepared.facts
    for name in sorted({*table.columns, *(cell for row in table.rows for cell in row if not number(cell))}, key=len)[
        ::-1
    ]:
        if name and any(sign.isdigit() for sign in name):
            text = text.replace(name, " ")
    asked = [value for word in question.split() if (value := number(word.strip("?.,;:"))) is not None]
    return strangers(text, [*found.known, *asked, Decimal(100)], counts_to=min(found.rows, 366))


def _plain(fact: Fact) -> dict[str, str]:
    return {"id": fact.id, "column": fact.column, "says": fact.says, "value": f"{fact.value:f}"}
