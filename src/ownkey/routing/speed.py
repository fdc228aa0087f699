"""How fast targets answer, as their answers have shown: of streams, where the first word can be told from the rest."""

from __future__ import annotations

from msgspec import Struct

NEWEST = 0.2
"""The weight of the newest answer in what is usual."""

MOST_TARGETS = 10_000


class Speed(Struct):
    """Of one target: the usual time to its first word, its tokens a second after that, and the tokens of an answer.

    `measured`: how many answers this stands on.
    """

    first_s: float | None = None
    tokens_per_s: float | None = None
    output_tokens: float | None = None
    measured: int = 0


UNKNOWN = Speed()


class Speeds:
    """Of every target, by its name."""

    def __init__(self) -> None:
        self._speeds: dict[str, Speed] = {}

    @property
    def known(self) -> bool:
        """Whether anything was measured."""
        return bool(self._speeds)

    def of(self, target: str) -> Speed:
        return self._speeds.get(target, UNKNOWN)

    def note(self, target: str, first_ms: int, total_ms: int, output_tokens: int | None) -> None:
        """A stream has given its whole answer. `total_ms` is from its beginning too."""
        speed = self._speeds.get(target)
        if speed is None:
            if len(self._speeds) >= MOST_TARGETS:
                self._speeds.clear()
            speed = self._speeds[target] = Speed()
        speed.measured += 1
        speed.first_s = _usual(speed.first_s, first_ms / 1000)
        if output_tokens:
            speed.output_tokens = _usual(speed.output_tokens, output_tokens)
            if total_ms > first_ms:
                speed.tokens_per_s = _usual(speed.tokens_per_s, 1000 * output_tokens / (total_ms - first_ms))


def _usual(before: float | None, newest: float) -> float:
    return newest if before is None else before + NEWEST * (newest - before)
