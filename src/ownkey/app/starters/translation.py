"""Translation: what must stay as it is, is put away before and put back after, and counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ownkey.app.automations.given import Given
from ownkey.app.starters.working import Prepared, Said
from ownkey.talk.errors import InvalidRequest

_KEPT = re.compile(
    r"```.*?```|`[^`\n]{1,2000}`"  # code
    r"|\{\{[^{}\n]{1,200}\}\}|\$\{[^{}\n]{1,200}\}|\{[\w.:!-]{0,100}\}"  # templates
    r"|%\(\w{1,64}\)[sdf]|%\d{0,3}\$?[sdf](?![\w])"  # printf
    r"|</?[A-Za-z][^<>\n]{0,2000}>|<!--|-->|&[A-Za-z]{1,31};|&#\d{1,7};"  # markup
    r"|https?://[^\s<>)\"']{0,2000}[^\s<>)\"'.,;:!?]"  # addresses
    r"|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}\.[\w.]{1,190}",
    re.DOTALL,
)
_MARKS = (("[[", "]]"), ("<<", ">>"), ("((", "))"))
_NUMBER = re.compile(r"\d+")


class Translation:
    provides: tuple[str, ...] = ("masked",)

    def prepare(self, given: Given, room_chars: int) -> Prepared:
        text = given.files["text"].text
        if not text.strip():
            raise InvalidRequest("There is nothing to translate.", "Give a text.", param="text")
        marks = next((marks for marks in _MARKS if marks[0] not in text), _MARKS[-1])
        asks: list[dict[str, str]] = []
        kept: list[tuple[list[str], str, str]] = []
        for piece in _pieces(text, room_chars // 2):
            masked, away = _masked(piece, marks)
            asks.append({"masked": masked})
            kept.append((away, masked, piece))
        return Prepared(tuple(asks), facts=(marks, kept))

    def faults(self, prepared: Prepared, ask: int, value: Any) -> list[str]:
        marks, kept = prepared.facts
        masked = kept[ask][1]
        said = value["translation"]
        wanted, found = Counter(_marks_in(masked, marks)), Counter(_marks_in(said, marks))
        wrong = [f"{one} is missing" for one in wanted - found] + [
            f"{one} is there too often" for one in found - wanted
        ]
        numbers = Counter(_NUMBER.findall(_without(masked, marks))) - Counter(_NUMBER.findall(_without(said, marks)))
        if not said.strip():
            wrong.append("there is no translation")
        return (wrong + [f"the number {one} is missing" for one in numbers])[:5]

    def finish(self, prepared: Prepared, said: Sequence[Said]) -> dict[str, Any]:
        marks, kept = prepared.facts
        translated: list[str] = []
        wrong: list[str] = []
        missing: list[int] = []
        for place, (one, (away, _, piece)) in enumerate(zip(said, kept, strict=True), 1):
            if one.value is None:
                missing.append(place)
                translated.append(piece.strip("\n"))
                continue
            text = one.value["translation"]
            wrong += [_unmasked(fault, away, marks) for fault in self.faults(prepared, one.ask, one.value)]
            translated.append(_unmasked(text, away, marks).strip("\n"))
        return {
            "translation": "\n\n".join(translated),
            "checked": not wrong and not missing,
            "wrong": wrong,
            "not_translated": missing,
            "kept": sum(len(away) for away, _, _ in kept),
            "parts": len(kept),
        }


def _masked(text: str, marks: tuple[str, str]) -> tuple[str, list[str]]:
    away: list[str] = []

    def put(found: re.Match[str]) -> str:
        away.append(found[0])
        return f"{marks[0]}{len(away)}{marks[1]}"

    return _KEPT.sub(put, text), away


def _unmasked(text: str, away: Sequence[str], marks: tuple[str, str]) -> str:
    def back(found: re.Match[str]) -> str:
        place = int(found[1])
        return away[place - 1] if 1 <= place <= len(away) else found[0]

    return _pattern(marks).sub(back, text)


def _marks_in(text: str, marks: tuple[str, str]) -> list[str]:
    return [found[0] for found in _pattern(marks).finditer(text)]


def _without(text: str, marks: tuple[str, str]) -> str:
    return _pattern(marks).sub(" ", text)


def _pattern(marks: tuple[str, str]) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(marks[0])}(\d{{1,5}}){re.escape(marks[1])}")


def _pieces(text: str, room_chars: int) -> list[str]:
    """At empty lines, as many together as fit; none within a paragraph."""
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        if found and len(found[-1]) + len(paragraph) < room_chars:
            found[-1] += f"\n\n{paragraph}"
        else:
            found.append(paragraph)
    return found
