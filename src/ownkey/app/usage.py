"""What was used and what it cost, as the faces see it: by day and by what, what it will come to, what was saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from msgspec import Struct

from ownkey.app.budgets import BudgetBook
from ownkey.catalog.manifest import Provider
from ownkey.spending.budget import SCOPES, Room
from ownkey.spending.forecast import Coverage, Projection, backtest, project, run_out
from ownkey.spending.price import REDUCED, reduced_by
from ownkey.spending.reprice import kept_rates
from ownkey.spending.savings import Avoided, Saving, Used, by_batch, by_kept_prompts, savings
from ownkey.store.cached import Saved
from ownkey.store.posting import DAY_MS, HOUR_MS
from ownkey.store.runs import Wanted
from ownkey.store.usage import FOREVER_MS, Dimension, UsageTotal

if TYPE_CHECKING:
    from ownkey.app.house import House

HISTORY_DAYS = 400
"""Of the days that a projection is made and checked from."""
EXACT_DAYS = 35
"""Of those, the ones that begin at midnight of the zone; earlier ones are days of UTC, which are summed up already."""


class Ends(Struct, frozen=True):
    """A budget and the day on which it will be used up, if it will be before it begins anew."""

    room: Room
    runs_out: date | None


class Summary(Struct, frozen=True):
    """How things stand. Totals are None where nothing was asked; amounts in nano-USD.

    `last_month_by_now` is what the month before had come to after as much of it as has passed of this one.

    `projection` is None while nothing is known; `checked` says how it fared on past months. `savings` compare this
    month with one model for everything; `cached` is what this month's answers from the cache would have cost again.
    """

    today: UsageTotal | None
    month: UsageTotal | None
    last_month: UsageTotal | None
    last_month_by_now: UsageTotal | None
    pending_nano: int
    projection: Projection | None
    checked: Coverage | None
    budgets: tuple[Ends, ...]
    savings: tuple[Saving, ...]
    cached: Saved


class Outlook(Struct, frozen=True):
    """What each of the last days cost, in nano-USD, today among them; and what the month will come to, where anything
    is known."""

    today: date
    days: dict[date, int]
    projection: Projection | None

    @property
    def month_nano(self) -> int:
        return sum(self.days.get(self.today.replace(day=day), 0) for day in range(1, self.today.day + 1))


class UsageBook:
    """Of one house, or of one `owner` in it. Days are those of `zone`, the system's own where none is given."""

    def __init__(self, house: House, owner: str | None = None) -> None:
        self._house = house
        self._owner = owner

    def totals(
        self,
        by: Sequence[Dimension] = ("provider", "model"),
        *,
        since_ms: int = 0,
        until_ms: int = FOREVER_MS,
        where: Mapping[str, str] | None = None,
        times: bool = True,
    ) -> list[UsageTotal]:
        """Sums over the attempts that began in [since, until), by any of person, provider, model, key, token,
        automation, day and hour (UTC)."""
        where = self._where(where)
        return self._house.store.usage.totals(by, since_ms=since_ms, until_ms=until_ms, where=where, times=times)

    def _where(self, where: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**(where or {}), **({} if self._owner is None else {"owner": self._owner})}

    def by_day(
        self, days: int = 60, zone: tzinfo | None = None, where: Mapping[str, str] | None = None
    ) -> dict[date, int]:
        """What each day cost, in nano-USD, today among them; days on which nothing was asked are not there."""
        today = datetime.now(zone).astimezone(zone).date()
        since = _midnight(today - timedelta(days=days - 1), zone)
        step: Dimension = "day" if zone is UTC else "hour"
        found: dict[date, int] = {}
        for one in self._house.store.usage.totals((step,), since_ms=_ms(since), where=self._where(where)):
            day = datetime.fromtimestamp(int(one.group[step]) / 1000, UTC).astimezone(zone).date()
            found[day] = found.get(day, 0) + one.cost_nano
        return found

    def _history(self, zone: tzinfo | None, today: date) -> dict[date, int]:
        found = self.by_day(EXACT_DAYS, zone)
        until_ms = _ms(_midnight(today - timedelta(days=EXACT_DAYS - 1), zone)) // HOUR_MS * HOUR_MS
        since_ms = until_ms // DAY_MS * DAY_MS - (HISTORY_DAYS - EXACT_DAYS) * DAY_MS
        where = self._where()
        for one in self._house.store.usage.totals(("day",), since_ms=since_ms, until_ms=until_ms, where=where):
            day = datetime.fromtimestamp(int(one.group["day"]) / 1000, UTC).date()
            found[day] = found.get(day, 0) + one.cost_nano
        return found

    def outlook(self, zone: tzinfo | None = None) -> Outlook:
        now = datetime.now(zone).astimezone(zone)
        days = self._history(zone, now.date())
        passed = (now - _midnight(now.date(), zone)) / timedelta(days=1)
        return Outlook(now.date(), days, project(days, now.date(), passed))

    def month_ms(self, zone: tzinfo | None = None) -> int:
        """When this month began there, in epoch ms."""
        return _ms(_midnight(datetime.now(zone).astimezone(zone).date().replace(day=1), zone))

    def summary(self, zone: tzinfo | None = None) -> Summary:
        now = datetime.now(zone).astimezone(zone)
        midnight = _midnight(now.date(), zone)
        first = _midnight(now.date().replace(day=1), zone)
        before = _midnight((now.date().replace(day=1) - timedelta(days=1)).replace(day=1), zone)
        by_now = min(first, before + (now - first))
        days = self._history(zone, now.date())
        passed = (now - midnight) / timedelta(days=1)
        return Summary(
            self._total(midnight),
            self._total(first),
            self._total(before, first),
            self._total(before, by_now),
            self._house.store.book.pending_nano(self._owner),
            project(days, now.date(), passed),
            backtest(days),
            tuple(self._ends(now)),
            tuple(self.savings(_ms(first))),
            self.cached(_ms(first)),
        )

    def _total(self, since: datetime, until: datetime | None = None) -> UsageTotal | None:
        until_ms = FOREVER_MS if until is None else _ms(until)
        return next(iter(self.totals((), since_ms=_ms(since), until_ms=until_ms)), None)

    def cached(self, since_ms: int) -> Saved:
        """What was not asked again since then, for the answer was in the cache: at the price of the first time."""
        self._house.memory.settle()
        return self._house.store.cached.saved(since_ms, self._where())

    def savings(self, since_ms: int) -> list[Saving]:
        """What everything since then would have cost at one model: at each that was used, and at the default model of
        each provider that can be asked."""
        known, used = self._used(since_ms)
        if not used:
            return []
        alternatives = {(one.provider, one.model) for one in used}
        alternatives |= {
            (provider.id, provider.default)
            for provider in known.values()
            if provider.default and provider.kind == "cloud" and provider.prices
        }
        at = datetime.now(UTC)
        return savings(
            used,
            sorted(alternatives),
            lambda provider, model: self._house.prices.rates(known[provider], model, at) if provider in known else None,
        )

    def cached_prompts(self, since_ms: int) -> Avoided:
        """What tokens that providers had kept since then cost less, at today's prices."""
        known, used = self._used(since_ms)
        at, saved = datetime.now(UTC), Avoided()
        for one in used:
            rates = self._house.prices.rates(known[one.provider], one.model, at)
            if rates is not None and (one.cached_tokens or one.cache_write_tokens):
                saved += by_kept_prompts(rates, one)
        return saved

    def batches(self, since_ms: int) -> Avoided:
        """What tries at a provider's batch price have cost less since then."""
        saved = Avoided()
        for price, calls, cost_nano in self._house.store.runs.charged(REDUCED, Wanted(self._where(), since_ms)):
            percent = max(map(reduced_by, kept_rates(price).values()), default=0)
            if percent:
                saved += by_batch(percent, calls, cost_nano)
        return saved

    def _used(self, since_ms: int) -> tuple[dict[str, Provider], list[Used]]:
        """The providers that there are, and what was used of each of their models; without those of which a price is
        not known."""
        known = {provider.id: provider for provider in self._house.catalogue.all() if provider.kind != "demo"}
        totals = self._house.store.usage.totals(("provider", "model"), since_ms=since_ms, where=self._where())
        return known, [
            Used(
                str(one.group["provider"]),
                str(one.group["model"]),
                one.calls - one.failed,
                one.cost_nano,
                one.input_tokens,
                one.output_tokens,
                one.cached_tokens,
                one.cache_write_tokens,
                one.reasoning_tokens,
                one.input_audio_tokens,
                one.output_audio_tokens,
            )
            for one in totals
            if one.unpriced == 0 and str(one.group["provider"]) in known
        ]

    def _ends(self, now: datetime) -> list[Ends]:
        """Only for budgets in dollars is what they will take known from the days before."""
        found: list[Ends] = []
        for room in BudgetBook(self._house, self._owner or "", only=self._owner).rooms():
            budget, runs_out = room.budget, None
            if budget.unit == "usd" and budget.limit is not None:
                where = {name: value for name in SCOPES if (value := getattr(budget, name)) is not None}
                until = min(datetime.fromtimestamp(min(room.end_ms, _ms(now) + 366 * DAY_MS) / 1000, UTC), _FAR).date()
                days = UsageBook(self._house).by_day(60, UTC, where)
                runs_out = run_out(budget.limit, room.spent, days, now.astimezone(UTC).date(), until)
            found.append(Ends(room, runs_out))
        return found


_FAR = datetime(9000, 1, 1, tzinfo=UTC)


def _midnight(day: date, zone: tzinfo | None) -> datetime:
    """When a day begins there; its offset may be another than that of now."""
    begins = datetime(day.year, day.month, day.day, tzinfo=zone)
    return begins.astimezone() if zone is None else begins


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
