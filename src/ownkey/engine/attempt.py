"""One try at one target: the money it holds, and the one way in which it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import Struct

from ownkey.engine.target import hide_key
from ownkey.spending.count import counted
from ownkey.spending.price import Rates, cost
from ownkey.store.book import Book, Ending, Hold
from ownkey.talk.errors import OwnkeyError, ProviderError, StreamCut, UnexpectedResponse
from ownkey.talk.money import Money
from ownkey.talk.reply import Usage
from ownkey.talk.secret import Secret

State = Literal["exact", "counted", "assumed", "released"]

_encode = msgspec.json.encode
_price_text: dict[int, tuple[Rates, str]] = {}


class Made(Struct, frozen=True):
    """What is sent, as far as money goes: its rates (None: not known), the most it can cost, and its size.

    `input_tokens` and `output_tokens`, of each choice, are bounds; `options` the rates that may be charged.
    `rates` are those of `tier`, the one that was asked for; `rates_in` gives those of another. No `tier`: the answer's
    changes nothing. `price` is what is kept
    with the charge: the rates as JSON, or the rates by tier where the answer decides between several.
    """

    rates: Rates | None
    held_nano: int
    size_bytes: int
    input_tokens: int = 0
    output_tokens: int = 0
    choices: int = 1
    options: tuple[Rates, ...] = ()
    tier: str | None = "default"
    price: str = ""
    rates_in: Callable[[str], Rates | None] | None = None

    @property
    def held_tokens(self) -> int:
        return self.input_tokens + self.output_tokens * self.choices

    def rates_of(self, usage: Usage) -> Rates | None:
        """The rates of the tier in which it was answered, as far as the answer says."""
        if self.rates_in is None or self.tier is None or usage.tier is None or usage.tier == self.tier:
            return self.rates
        return self.rates_in(usage.tier) or self.rates


class Attempt:
    """Owns a hold. Whatever happens, `settle` is called once in effect; a second ending changes nothing.

    An error that ends it loses the `key`, where the provider quotes it. `ended` is told how it ended; `done` how many
    tokens were used, and how many of them came out, as far as that is known.
    """

    __slots__ = (
        *("_book", "_done", "_ended", "_first_ms", "_key", "_made", "_sent_ms", "_started_s", "_tell"),
        *("charged", "cost", "hold", "nano"),
    )

    def __init__(
        self,
        book: Book,
        hold: Hold,
        made: Made,
        key: Secret | None,
        done: Callable[[int | None, int | None], None] | None = None,
        ended: Callable[[Hold, Ending], None] | None = None,
    ) -> None:
        self._tell = ended
        self.hold = hold
        self.cost: Money | None = None
        self.charged = Usage()
        self.nano = hold.held_nano
        """What it may still cost; once it has ended, what it did."""
        self._key = key
        self._book = book
        self._done = done
        self._made = made
        self._started_s = time.monotonic()
        self._sent_ms: int | None = None
        self._first_ms: int | None = None
        self._ended = False

    def sent(self) -> None:
        """The request goes out; said again where it has to be sent once more."""
        self._sent_ms = self._elapsed_ms()

    def first(self) -> None:
        """The answer has begun."""
        if self._first_ms is None:
            self._first_ms = self._elapsed_ms()

    def answered(self, usage: Usage, finish: str | None, *, text_bytes: int, status: int = 200) -> Usage:
        """The answer, or as much as came of it, has been given: exact where the provider counted, else counted here.

        Gives the usage that is charged.
        """
        if self._ended:
            return usage
        state: State = "exact"
        if not usage.known:
            state = "counted"
            usage = counted(usage, size_bytes=self._made.size_bytes, text_bytes=text_bytes)
        nano = 0
        rates = self._made.rates_of(usage)
        if rates is not None:
            nano = cost(rates, usage)
            if state == "counted":
                nano = min(nano, self.hold.held_nano)
            self.cost = Money(nano)
        self.charged = usage
        self._end(state, nano, usage, finish, None, status)
        return usage

    def cut(self, usage: Usage, finish: str | None, error: OwnkeyError | None, *, text_bytes: int) -> None:
        """The answer broke off: what came of it is charged, by the provider's count as far as it gave one."""
        if error is not None:
            hide_key(error, self._key)
        if self._ended:
            return
        usage = counted(usage, size_bytes=self._made.size_bytes, text_bytes=text_bytes)
        rates = self._made.rates_of(usage)
        nano = 0 if rates is None else min(cost(rates, usage), self.hold.held_nano)
        self.cost = None if rates is None else Money(nano)
        self.charged = usage
        self._end("counted", nano, usage, finish, error, 200)

    def uncounted(self, error: OwnkeyError | None = None) -> None:
        """The answer, or a part of it, has been given, and nobody can count it: all that was held is charged."""
        if error is not None:
            hide_key(error, self._key)
        if self._ended:
            return
        rates = self._made.rates
        if rates is not None:
            self.cost = Money(self.hold.held_nano)
        state: State = "exact" if rates is not None and rates.source == "free" else "assumed"
        self._end(state, self.hold.held_nano, Usage(), None, error, 200)

    def failed(self, error: OwnkeyError | None) -> None:
        """Nothing was answered. A request that was sent and met with silence may be billed: it is charged in full."""
        if error is not None:
            hide_key(error, self._key)
        if isinstance(error, ProviderError) and error.perhaps_billed:
            self._end("assumed", self.hold.held_nano, Usage(), None, error, error.status)
        else:
            self._end("released", 0, Usage(), None, error, getattr(error, "status", None))

    def abandoned(self) -> None:
        """The one who asked is gone, and what the provider does with the request is not known."""
        self._end("assumed", self.hold.held_nano, Usage(), None, None, None)

    def _elapsed_ms(self) -> int:
        return int((time.monotonic() - self._started_s) * 1000)

    def _end(
        self, state: State, nano: int, usage: Usage, finish: str | None, error: OwnkeyError | None, status: int | None
    ) -> None:
        if self._ended:
            return
        self._ended = True
        self.nano = nano
        if self._done is not None:
            self._done(*_tokens(usage))
        total_ms = self._elapsed_ms()
        ending = Ending(
            id=self.hold.id,
            state=state,
            cost_nano=nano,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cached_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            finish=finish,
            error=error.code if error is not None else None,
            status=status,
            first_ms=self._first_ms,
            total_ms=total_ms,
            ended_at_ms=self.hold.started_at_ms + total_ms,
            input_audio_tokens=usage.input_audio_tokens,
            output_audio_tokens=usage.output_audio_tokens,
            cached_audio_tokens=usage.cached_audio_tokens,
            cache_write_1h_tokens=usage.cache_write_1h_tokens,
            tier=usage.tier,
            sent_ms=self._sent_ms,
        )
        self._book.settle(ending, self.hold)
        if self._tell is not None:
            self._tell(self.hold, ending)


def is_answer(error: OwnkeyError) -> bool:
    """Whether with this error an answer came all the same, before anything of it could be read: what was sent for it is
    charged. A break after a silence is no answer."""
    return isinstance(error, StreamCut | UnexpectedResponse) and not error.perhaps_billed


def _tokens(usage: Usage) -> tuple[int | None, int | None]:
    if usage.input_tokens is None and usage.output_tokens is None:
        return None, None
    return (usage.input_tokens or 0) + (usage.output_tokens or 0), usage.output_tokens


def price_text(rates: Rates) -> str:
    """The rates as JSON, to be kept with the charge; written once for each."""
    known = _price_text.get(id(rates))
    if known is None or known[0] is not rates:
        known = (rates, _encode(rates).decode())
        _price_text[id(rates)] = known
    return known[1]
