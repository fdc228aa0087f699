"""What another price catalogue would change, and what of it is too large to be taken unasked. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from msgspec import Struct

from ownkey.catalog.manifest import Provider
from ownkey.spending.catalogue import Listing, Prices, priced_name, rates_at
from ownkey.spending.listed import Dated, Listed
from ownkey.spending.price import Line, Rates

Kind = Literal["gone", "dearer", "changed", "cheaper", "new"]
"""`changed`: some of its rates are dearer, others cheaper."""

Near = Literal["used", "key", ""]
"""Whether the model was used lately, or its provider has a key."""

LARGE = 10
"""A price that rises to so many times what it was, or falls to that part of it, is more likely wrong than meant."""

MAY_VANISH = 4
"""At most one in so many providers, and of the models, may be gone at once."""

Read = tuple[str, Listed, bool] | None
"""Source, model, and whether the seller lists it itself."""

_KINDS: tuple[Kind, ...] = ("gone", "dearer", "changed", "cheaper", "new")
_NEAR: tuple[Near, ...] = ("used", "key", "")
_WIDER = {
    "cached": "input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "input_audio": "input",
    "cached_audio": "cached",
    "output_audio": "output",
    "reasoning": "output",
}


class Change(Struct, frozen=True):
    """Of one model. `since`: from that day (ISO) on, where it costs today what it did; `asked`: only where a request
    asks for that. `large`: it is asked about by itself."""

    provider: str
    model: str
    near: Near
    kind: Kind
    before: Rates | None
    after: Rates | None
    large: bool
    since: str | None = None
    asked: Mapping[str, str] = {}

    @property
    def order(self) -> tuple[int, bool, int, str, str]:
        return (_NEAR.index(self.near), not self.large, _KINDS.index(self.kind), self.provider, self.model)


def changes(before: Prices, after: Prices, near: Iterable[tuple[Provider, str, Near]], at: datetime) -> list[Change]:
    """What costs another price at `at` (UTC), at another time of its day, or from a later day on; those near first.

    The models of `near` are compared as they are charged, the owner's own prices and all; the others by their place
    in the catalogue.
    """
    found: list[Change] = []
    seen: set[tuple[str | None, str]] = set()
    for provider, model, how in near:
        name = priced_name(provider, model)
        pair = before.listing.find(provider.prices, name), after.listing.find(provider.prices, name)
        seen.update((provider.prices, one[0].id) for one in pair if one is not None)
        spots = _spots([one[0] for one in pair if one is not None], at)
        points = (
            (before.rates(provider, model, moment, asked), after.rates(provider, model, moment, asked), moment, asked)
            for moment, asked in spots
        )
        found += _change(provider.id, model, how, points, at)
    for seller, was, is_ in _different(before.listing, after.listing):
        one = is_ or was
        if one is None or (seller, one[1].id) in seen:
            continue
        spots = _spots([each[1] for each in (was, is_) if each is not None], at)
        points = ((_rates(was, moment, asked), _rates(is_, moment, asked), moment, asked) for moment, asked in spots)
        found += _change(seller, one[1].id, "", points, at)
    return sorted(found, key=lambda change: change.order)


def vanished(before: Listing, after: Listing) -> str | None:
    """Why `after` cannot be the whole of what `before` was; None where it can."""
    gone = [seller for seller in before.sellers if seller not in after.sellers]
    if len(gone) * MAY_VANISH > len(before.sellers):
        return f"{len(gone)} of {len(before.sellers)} providers are gone from them"
    models = {(seller, model.id) for seller in before.sellers for model in _models(before, seller)}
    lost = models - {(seller, model.id) for seller in after.sellers for model in _models(after, seller)}
    if len(lost) * MAY_VANISH > len(models):
        return f"{len(lost):,} of {len(models):,} models are gone from them"
    return None


def percent(was: int, is_: int) -> float | None:
    """By how much; None where it was nothing."""
    return None if was == 0 else round((is_ - was) * 100 / was, 2)


def _change(
    provider: str,
    model: str,
    near: Near,
    points: Iterable[tuple[Rates | None, Rates | None, datetime, Mapping[str, str]]],
    at: datetime,
) -> Iterator[Change]:
    """One, or none: at the first point at which it differs by much, else at the first at which it differs."""
    differing: list[Change] = []
    for was, is_, moment, asked in points:
        if (kind := _kind(was, is_)) is not None:
            since = moment.date().isoformat() if moment.date() > at.date() else None
            large = _large(was, is_, used=near == "used")
            differing.append(Change(provider, model, near, kind, was, is_, large, since, asked))
    if differing:
        yield next((one for one in differing if one.large), differing[0])


def _kind(was: Rates | None, is_: Rates | None) -> Kind | None:
    if was is None or is_ is None:
        return None if was is is_ else "new" if was is None else "gone"
    pairs = list(_pairs(was, is_))
    dearer, cheaper = any(new > old for old, new in pairs), any(new < old for old, new in pairs)
    if dearer and cheaper:
        return "changed"
    return "dearer" if dearer else "cheaper" if cheaper else None


def _large(was: Rates | None, is_: Rates | None, *, used: bool) -> bool:
    if is_ is None:
        return used and was is not None
    if was is None:
        return used and not any(new for _, new in _pairs(is_, is_))
    return any(old != new and (new >= LARGE * old or LARGE * new <= old) for old, new in _pairs(was, is_))


def _pairs(was: Rates, is_: Rates) -> Iterator[tuple[int, int]]:
    """Every rate as it was and as it is, for inputs of each size at which one of them changes."""
    yield was.per_request, is_.per_request
    for size in {0, *(tier.over + 1 for tier in (*was.tiers, *is_.tiers))}:
        yield from zip(_charged(was.line(size)), _charged(is_.line(size)), strict=True)


def _charged(line: Line) -> list[int]:
    rates: dict[str, int] = {}
    for name in Line.__struct_fields__:
        own: int | None = getattr(line, name)
        rates[name] = rates[_WIDER[name]] if own is None else own
    return list(rates.values())


def _different(before: Listing, after: Listing) -> Iterator[tuple[str, Read, Read]]:
    for seller in dict.fromkeys((*before.sellers, *after.sellers)):
        was = {model.id: model for model in _models(before, seller)}
        is_ = {model.id: model for model in _models(after, seller)}
        for id in dict.fromkeys((*was, *is_)):
            if was.get(id) != is_.get(id):
                yield seller, _read(before, was.get(id)), _read(after, is_.get(id))


def _read(listing: Listing, model: Listed | None) -> Read:
    return None if model is None else (listing.source, model, True)


def _models(listing: Listing, seller: str) -> tuple[Listed, ...]:
    found = listing.seller(seller)
    return found.models if found else ()


def _rates(read: Read, at: datetime, asked: Mapping[str, str]) -> Rates | None:
    return None if read is None else rates_at(*read, at, asked)[2]


def _spots(models: list[Listed], at: datetime) -> list[tuple[datetime, Mapping[str, str]]]:
    """Every time from now on, and every tier, at which one of the models may cost something else."""
    entries: list[Dated] = [entry for model in models for entry in (*model.dated, *model.variants)]
    midnight = datetime.combine(at.date(), time(), UTC)
    moments = {at}
    for entry in entries:
        if entry.start is not None:
            moments.add(datetime.combine(date.fromisoformat(entry.start), time(), UTC))
        moments |= {midnight + timedelta(seconds=second) for second in (entry.from_s, entry.until_s) if second}
        if entry.from_s == 0 or entry.until_s == 0:
            moments.add(midnight)
    asks = {tuple(sorted(entry.when.items())) for entry in entries}
    later = sorted(moment for moment in moments if moment >= midnight)
    return [(moment, dict(asked)) for asked in sorted({(), *asks}) for moment in [at, *later]]
