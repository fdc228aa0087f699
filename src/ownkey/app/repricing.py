"""What a past time would have cost on other models, or at today's prices: every try anew, one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from ownkey.catalog.manifest import Provider
from ownkey.spending.price import cost
from ownkey.spending.reprice import PLAIN, charged_tier, kept_rates
from ownkey.store.book import BookRow
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.reply import Usage

if TYPE_CHECKING:
    from ownkey.app.house import House

PAGE = 5_000


class Repriced(Struct):
    """Of one model that was used: what it did cost, and what it would have, in nano-USD.

    `unknown` tries have no price or no usage, then or now, or were charged for more than the book keeps of them (before
    it kept sound, what is cached for an hour, and the tier); they are in neither amount.
    """

    was: str
    becomes: str
    calls: int = 0
    unknown: int = 0
    actual: int = 0
    instead: int = 0

    @property
    def difference(self) -> int:
        return self.instead - self.actual


def reprice(
    house: House,
    *,
    since_ms: int,
    until_ms: int,
    to: str | None = None,
    instead_of: Mapping[str, str] | None = None,
    prices: Literal["today", "then"] = "today",
    progress: Callable[[int], None] | None = None,
) -> list[Repriced]:
    """The dearest first. `to`: everything at that `provider/model`; `instead_of`: one at another, by name; else each at
    its own. `prices`: those of today, or of the time at which each try began, which for its own model are those that
    the book keeps with it. Raises InvalidRequest."""
    swaps = dict(instead_of or {})
    for name in (*swaps.values(), *([to] if to else [])):
        if "/" not in name:
            raise InvalidRequest(f"{name[:100]!r} is no PROVIDER/MODEL.", param="model")
        house.catalogue.get(name.partition("/")[0])
    found: dict[str, Repriced] = {}
    known = {provider.id: provider for provider in house.catalogue.all()}
    now = datetime.now(UTC)
    for count, row in enumerate(house.store.book.every(since_ms, until_ms, PAGE), 1):
        if progress is not None and count % 1_000 == 0:
            progress(count)
        if row.state in ("held", "released"):
            continue
        was = f"{row.provider}/{row.model}"
        becomes = swaps.get(was) or to or was
        one = found.setdefault(was, Repriced(was, becomes))
        one.calls += 1
        if not row.priced:
            instead = None
        elif prices == "then" and becomes == was:
            instead = row.cost_nano
        else:
            at = now if prices == "today" else datetime.fromtimestamp(row.started_at_ms / 1000, UTC)
            instead = _cost_at(house, known, becomes, at, row)
        if instead is None:
            one.unknown += 1
            continue
        one.actual += row.cost_nano
        one.instead += instead
    return sorted(found.values(), key=lambda one: -one.actual)


def _cost_at(house: House, known: Mapping[str, Provider], name: str, at: datetime, row: BookRow) -> int | None:
    """What the try would have cost at that model, in the tier that it was charged in; None where nobody knows."""
    provider, _, model = name.partition("/")
    usage = _usage(row)
    if usage is None or provider not in known:
        return None
    tier = PLAIN
    if kept_rates(row.price):
        charged = charged_tier(row.price, usage, row.cost_nano)
        if charged is None and row.tier is None and row.state == "exact":
            return None
        tier = charged or row.tier or PLAIN
    asked = None if tier == PLAIN else {"service_tier": tier, "speed": tier}
    rates = house.prices.rates(known[provider], model, at, asked)
    return None if rates is None else cost(rates, usage)


def _usage(row: BookRow) -> Usage | None:
    if row.input_tokens is None or row.output_tokens is None:
        return None
    return Usage(
        row.input_tokens,
        row.output_tokens,
        cached_tokens=row.cached_tokens,
        cache_write_tokens=row.cache_write_tokens,
        reasoning_tokens=row.reasoning_tokens,
        input_audio_tokens=row.input_audio_tokens,
        output_audio_tokens=row.output_audio_tokens,
        cached_audio_tokens=row.cached_audio_tokens,
        cache_write_1h_tokens=row.cache_write_1h_tokens,
        tier=row.tier,
    )
