"""What the same usage would have cost elsewhere. Pure.

Sums do not say which requests were long enough for a higher tier: where a model has tiers, each request is taken to be
of the average size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct, structs

from ownkey.spending.price import Rates, cost
from ownkey.talk.reply import Usage


class Used(Struct, frozen=True):
    """What was used of a model, and what it cost, in nano-USD."""

    provider: str
    model: str
    calls: int
    cost_nano: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0


class Saving(Struct, frozen=True):
    """`instead` is what all of it would have cost at that model; `saved` is that less what it did cost, and may be
    below 0; `percent` of what it would have cost, None where that is nothing."""

    provider: str
    model: str
    actual: int
    instead: int

    @property
    def saved(self) -> int:
        return self.instead - self.actual

    @property
    def percent(self) -> float | None:
        return None if self.instead == 0 else 100 * self.saved / self.instead


def savings(
    used: Sequence[Used], alternatives: Iterable[tuple[str, str]], rates_of: Callable[[str, str], Rates | None]
) -> list[Saving]:
    """For each alternative whose price is known, the most saved first."""
    actual = sum(one.cost_nano for one in used)
    found: list[Saving] = []
    for provider, model in alternatives:
        rates = rates_of(provider, model)
        if rates is not None:
            found.append(Saving(provider, model, actual, sum(at(rates, one) for one in used)))
    return sorted(found, key=lambda one: -one.saved)


class Avoided(Struct, frozen=True):
    """So many tokens or tries cost so much less, in nano-USD: below 0 where they cost more."""

    count: int = 0
    saved_nano: int = 0

    def __add__(self, other: Avoided) -> Avoided:
        return Avoided(self.count + other.count, self.saved_nano + other.saved_nano)


def by_kept_prompts(rates: Rates, used: Used) -> Avoided:
    """What tokens that a provider had kept cost less than new ones, with what it cost to have them kept."""
    plain = structs.replace(used, cached_tokens=0, cache_write_tokens=0)
    return Avoided(used.cached_tokens, at(rates, plain) - at(rates, used))


def by_batch(percent: int, calls: int, cost_nano: int) -> Avoided:
    """What tries cost less that were charged at so many percent less."""
    return Avoided(calls, cost_nano * percent // (100 - percent) if percent < 100 else 0)


def at(rates: Rates, used: Used) -> int:
    """What that usage would have cost at these rates, in nano-USD."""
    if used.calls == 0:
        return 0
    usage = Usage(
        used.input_tokens,
        used.output_tokens,
        cached_tokens=min(used.cached_tokens, used.input_tokens),
        cache_write_tokens=min(used.cache_write_tokens, used.input_tokens - min(used.cached_tokens, used.input_tokens)),
        reasoning_tokens=used.reasoning_tokens,
        input_audio_tokens=used.input_audio_tokens,
        output_audio_tokens=used.output_audio_tokens,
    )
    line = rates.line(used.input_tokens // used.calls)
    flat = Rates(**{name: getattr(line, name) for name in _LINE}, per_request=0, source=rates.source, dated=rates.dated)
    return cost(flat, usage) + rates.per_request * used.calls


_LINE = (
    *("input", "output", "cached", "cache_write", "cache_write_1h"),
    *("input_audio", "cached_audio", "output_audio", "reasoning"),
)
