"""What tokens cost. Pure, in integers: rates in nano-USD per million tokens, amounts in nano-USD.

A rate of $2.50 per million tokens is 2_500_000_000. An amount is rounded once, up, so that it is never under the
provider's own.
"""

from __future__ import annotations

from msgspec import Struct

from ownkey.talk.money import Money
from ownkey.talk.reply import Usage

PER = 1_000_000
"""Tokens that a rate is for."""

REDUCED = ", batch -"
"""What stands in the source of rates before the percentage that they are less."""

OVERHEAD_TOKENS = 2_048
"""More than a provider is known to add of its own: the longest are Anthropic's for tools, hundreds of tokens each
(platform.claude.com, Tool use, Pricing)."""

LARGE_INPUT_TOKENS = 2_097_152
"""The largest context window of any model that is sold: taken where bytes bound nothing and the window is unknown."""


class Line(Struct, frozen=True, kw_only=True):
    """The rates of one tier. None: charged as the wider kind that it is a part of.

    `cached` and `cache_write` are kinds of input, `cache_write_1h` a kind of cache write, `input_audio` a kind of
    input and `cached_audio` of both; `reasoning` and `output_audio` are kinds of output.
    """

    input: int
    output: int
    cached: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    input_audio: int | None = None
    cached_audio: int | None = None
    output_audio: int | None = None
    reasoning: int | None = None


class Tier(Line, frozen=True, kw_only=True):
    """Rates of the whole request, not only of what is above, where its input has more than `over` tokens."""

    over: int


class Rates(Line, frozen=True, kw_only=True):
    """What a model costs at one time. `tiers` rise by `over`; `per_request` is nano-USD for each request.

    `source` says where it is from, `dated` since when it holds (ISO date), where that is known.
    """

    tiers: tuple[Tier, ...] = ()
    per_request: int = 0
    source: str
    dated: str | None = None

    def line(self, input_tokens: int) -> Line:
        """The rates for a request with that much input."""
        line: Line = self
        for tier in self.tiers:
            if input_tokens > tier.over:
                line = tier
        return line


def cost(rates: Rates, usage: Usage) -> int:
    """What a request cost, in nano-USD. Raises ValueError where one side of the usage is unknown: that is not 0."""
    if usage.input_tokens is None or usage.output_tokens is None:
        raise ValueError("a cost needs both sides of the usage")
    if not rates.tiers and _plain(usage):
        total = usage.input_tokens * rates.input + usage.output_tokens * rates.output
        return rates.per_request - (-total // PER)
    line = rates.line(usage.input_tokens)
    total = _input(line, usage, usage.input_tokens) + _output(line, usage, usage.output_tokens)
    return rates.per_request - (-total // PER)


def reduced(rates: Rates, percent: int) -> Rates:
    """The rates less so many percent, each rounded up. What is charged for each request stays whole."""

    def less(line: Line) -> dict[str, int]:
        own = {name: getattr(line, name) for name in Line.__struct_fields__}
        return {name: -(-rate * (100 - percent) // 100) for name, rate in own.items() if rate is not None}

    tiers = tuple(Tier(over=tier.over, **less(tier)) for tier in rates.tiers)
    source = f"{rates.source}{REDUCED}{percent} %"
    return Rates(**less(rates), tiers=tiers, per_request=rates.per_request, source=source, dated=rates.dated)


def reduced_by(rates: Rates) -> int:
    """By how many percent; 0 where they are whole."""
    percent = rates.source.rpartition(REDUCED)[2].removesuffix(" %")
    return int(percent) if REDUCED in rates.source and percent.isdecimal() else 0


def ceiling(rates: Rates, *, input_tokens: int, output_tokens: int, choices: int = 1) -> int:
    """What a request costs at most, in nano-USD: never under `cost` of any usage within these bounds.

    `output_tokens` is the bound of one choice. Input is taken at the dearest of its rates, since a provider may count
    any of it as written to a cache, and at the dearest tier within reach.
    """
    total = input_tokens * _dearest_input(rates) + output_tokens * choices * _dearest_output(rates)
    for tier in rates.tiers:
        if input_tokens > tier.over:
            total = max(total, input_tokens * _dearest_input(tier) + output_tokens * choices * _dearest_output(tier))
    return rates.per_request - (-total // PER)


def bound_input(size_bytes: int, *, text_only: bool, context: int | None) -> int:
    """An upper bound of the input tokens of a request whose body has that many bytes.

    A token of a byte-level vocabulary stands for one byte of text or more, and JSON never writes text in fewer bytes
    than it has; `OVERHEAD_TOKENS` are for what the provider adds. Bytes bound nothing where images or files go in, by
    address or compressed: there it is the context window, or `LARGE_INPUT_TOKENS` where that is unknown.
    """
    if text_only:
        return size_bytes + OVERHEAD_TOKENS
    return LARGE_INPUT_TOKENS if context is None else context


def estimate_cost(rates: Rates, input_tokens: int, output_tokens: int) -> Money:
    """What that much plain text costs, nothing of it cached."""
    return Money(cost(rates, Usage(input_tokens, output_tokens)))


def _plain(usage: Usage) -> bool:
    """Whether no token of it is of a kind that may have a rate of its own."""
    return not (
        usage.cached_tokens
        or usage.cache_write_tokens
        or usage.reasoning_tokens
        or usage.input_audio_tokens
        or usage.output_audio_tokens
    )


def _input(line: Line, usage: Usage, whole: int) -> int:
    # Counts are cut so that parts never exceed their whole, whatever a provider reports.
    written = min(usage.cache_write_tokens or 0, whole)
    for_an_hour = min(usage.cache_write_1h_tokens or 0, written)
    cached = min(usage.cached_tokens or 0, whole - written)
    audio = min(usage.input_audio_tokens or 0, whole - written)
    write_rate = _either(line.cache_write, line.input)
    total = for_an_hour * _either(line.cache_write_1h, write_rate) + (written - for_an_hour) * write_rate
    cached_rate, audio_rate = _either(line.cached, line.input), _either(line.input_audio, line.input)
    # Where sound has no rate of its own, what was cached of it is charged as anything cached.
    both_rate = _either(line.cached_audio, cached_rate if line.input_audio is None else max(cached_rate, audio_rate))

    def with_both(both: int) -> int:
        plain = whole - written - cached - audio + both
        return plain * line.input + (cached - both) * cached_rate + (audio - both) * audio_rate + both * both_rate

    least, most = max(0, cached + audio + written - whole), min(cached, audio)
    if usage.cached_audio_tokens is not None:
        return total + with_both(min(max(usage.cached_audio_tokens, least), most))
    # Few say how much of the audio was cached. The amount is linear in it, so the dearer end bounds it.
    return total + max(with_both(least), with_both(most))


def _output(line: Line, usage: Usage, whole: int) -> int:
    thought = min(usage.reasoning_tokens or 0, whole)
    spoken = min(usage.output_audio_tokens or 0, whole - thought)
    return (
        thought * _either(line.reasoning, line.output)
        + spoken * _either(line.output_audio, line.output)
        + (whole - thought - spoken) * line.output
    )


def _dearest_input(line: Line) -> int:
    own = (line.cached, line.cache_write, line.cache_write_1h, line.input_audio, line.cached_audio)
    return max(line.input, *[rate or 0 for rate in own])


def _dearest_output(line: Line) -> int:
    return max(line.output, line.output_audio or 0, line.reasoning or 0)


def _either(own: int | None, wider: int) -> int:
    return wider if own is None else own
