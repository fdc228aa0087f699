"""A transcript as turns: who said what, and when, as far as the file says; and whether a quotation stands in it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?"
_CUE = re.compile(rf"\s*({_CLOCK})\s*-->\s*{_CLOCK}.*")
_TIME = re.compile(rf"\s*[\[(]?({_CLOCK})[\])]?\s*[-–]?\s*")
_VOICE = re.compile(r"<v(?:\.[\w.]+)?\s+([^>]{1,60})>")
_TAG = re.compile(r"</?[a-z][^>]{0,60}>|<\d[\d:.]{3,12}>")
_SPEAKER = re.compile(r"\s*((?:[^\W\d_][\w.'’-]*)(?: [\w.'’()-]+){0,4})\s*:\s+(?=\S)")
_BETWEEN = re.compile(r"[\W_]+")
_OPENS = ("WEBVTT", "NOTE", "STYLE", "REGION", "Kind:", "Language:")

LEAST_WORDS = 3
"""A quotation of fewer words proves nothing."""


class Turn(Struct, frozen=True):
    """`line` is that of the file, from 1."""

    line: int
    text: str
    speaker: str | None = None
    time: str | None = None


def turns(text: str) -> tuple[Turn, ...]:
    """Of plain minutes, of `[00:12] Name: …`, of WebVTT and of SRT."""
    found: list[Turn] = []
    speaker: str | None = None
    time: str | None = None
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(_OPENS):
            continue
        if cue := _CUE.fullmatch(line):
            time = cue[1].partition(".")[0].partition(",")[0]
            continue
        if line.strip().isdigit() and number < len(lines) and _CUE.fullmatch(lines[number]):
            continue
        if voice := _VOICE.search(line):
            speaker = voice[1].strip()
        said = _TAG.sub("", line)
        if stamped := _TIME.match(said):
            time, said = stamped[1], said[stamped.end() :]
        if named := _SPEAKER.match(said):
            speaker, said = named[1], said[named.end() :]
        if said.strip():
            found.append(Turn(number, said.strip(), speaker, time))
    return tuple(found)


def speakers(given: Sequence[Turn]) -> list[str]:
    return list(dict.fromkeys(turn.speaker for turn in given if turn.speaker))


def shown(turn: Turn) -> str:
    """As a model reads it: the line's number before it."""
    head = " ".join(filter(None, (f"{turn.line} |", turn.time, f"{turn.speaker}:" if turn.speaker else "")))
    return f"{head} {turn.text}"


def parts(given: Sequence[Turn], room_chars: int, overlap: int = 3) -> list[tuple[Turn, ...]]:
    """Pieces that fit, each beginning with the last few turns of the one before."""
    pieces: list[list[Turn]] = [[]]
    size = 0
    for turn in given:
        length = len(shown(turn)) + 1
        if pieces[-1] and size + length > room_chars:
            again = pieces[-1][-overlap:]
            pieces.append(list(again))
            size = sum(len(shown(one)) + 1 for one in again)
        pieces[-1].append(turn)
        size += length
    return [tuple(piece) for piece in pieces]


def folded(text: str) -> str:
    """Words alone, small: what a model writes otherwise of a sentence that it quotes."""
    return _BETWEEN.sub(" ", text.casefold()).strip()


class Source:
    """Where a quotation stands."""

    def __init__(self, given: Sequence[Turn]) -> None:
        self._turns = list(given)
        self._folded = [folded(turn.text) for turn in given]

    def find(self, quote: str, line: int | None = None) -> Turn | None:
        """The turn in which it stands, that of the line first; it may go on in the next turn of the same speaker."""
        wanted = folded(quote)
        if len(wanted.split()) < LEAST_WORDS and wanted not in self._folded:
            return None
        places = sorted(range(len(self._turns)), key=lambda place: self._turns[place].line != line)
        for place in places:
            if f" {wanted} " in f" {self._folded[place]} ":
                return self._turns[place]
        for place in places[:-1]:
            if place + 1 < len(self._turns) and self._turns[place].speaker == self._turns[place + 1].speaker:
                both = f" {self._folded[place]} {self._folded[place + 1]} "
                if f" {wanted} " in both:
                    return self._turns[place]
        return None
