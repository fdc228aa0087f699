"""What one look in the morning shows: what was spent and will be, what is left, what is broken, what needs a hand."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from ownkey.app.alerting import AlertBox
from ownkey.app.budgets import BudgetBook
from ownkey.app.condition import ConditionBook, ProviderHealth
from ownkey.app.runs import Run, RunBook
from ownkey.app.standing import state_of
from ownkey.app.usage import UsageBook
from ownkey.routing.route import Candidate
from ownkey.spending.budget import SCOPES, Room
from ownkey.spending.forecast import Projection
from ownkey.store.keys import KeyRow
from ownkey.store.runs import Wanted
from ownkey.talk.errors import OwnkeyError, VaultSealed
from ownkey.talk.secret import ending

if TYPE_CHECKING:
    from ownkey.app.house import House

DAYS = 30
RUNS = 8
SOON_MS = 14 * 86_400_000
MOST_ALERTS = 50

NeedKind = Literal["vault_sealed", "key", "consent", "alert", "price_unknown"]


class Need(Struct, frozen=True):
    """Something that needs a hand: what is the matter, in words; `id` is that of the key, the request that waits, or
    the alert; `target` the provider, or `provider/model`. `until_ms`: when it will be too late, where that is so."""

    kind: NeedKind
    says: str
    id: str | None = None
    target: str | None = None
    until_ms: int | None = None


class Home(Struct, frozen=True):
    """Amounts in nano-USD. `days` are the last thirty, today the last, as ISO dates. `unpriced`: so many of this
    month's tries have a price that nobody knows, and are in no amount. `limit` is that of the month, the least of
    those for everything; `needs` the most pressing first."""

    month_nano: int
    pending_nano: int
    unpriced: int
    projection: Projection | None
    days: dict[str, int]
    limit: Room | None
    budgets: list[Room]
    health: list[ProviderHealth]
    runs: list[Run]
    needs: list[Need]


class Vault(Struct, frozen=True):
    """`why` it is sealed, and what to do; None where it is open."""

    state: Literal["open", "sealed"]
    why: str | None = None
    hint: str | None = None


class HomeBook:
    """As one person sees it. `only`: whose usage and budgets; None: everybody's. `sees_all`: alerts too that concern
    everybody."""

    def __init__(self, house: House, owner: str, *, only: str | None) -> None:
        self._house = house
        self._owner = owner
        self._only = only

    def now(self, zone: ZoneInfo) -> Home:
        """All of it, read over one connection."""
        with self._house.store.sharing():
            usage = UsageBook(self._house, self._only)
            outlook = usage.outlook(zone)
            unpriced = self._unpriced(usage.month_ms(zone))
            days = [outlook.today - timedelta(days=back) for back in reversed(range(DAYS))]
            rooms = BudgetBook(self._house, self._owner, only=self._only).rooms()
            return Home(
                month_nano=outlook.month_nano,
                pending_nano=self._house.store.book.pending_nano(self._only),
                unpriced=sum(unpriced.values()),
                projection=outlook.projection,
                days={day.isoformat(): outlook.days.get(day, 0) for day in days},
                limit=monthly_limit(rooms, self._only),
                budgets=rooms,
                health=ConditionBook(self._house, self._owner).listed(),
                runs=RunBook(self._house, self._only).page(Wanted(), RUNS).runs,
                needs=list(self._needs(unpriced)),
            )

    def _unpriced(self, since_ms: int) -> dict[str, int]:
        """By model, how many tries have a price that nobody knows."""
        totals = UsageBook(self._house, self._only).totals(("provider", "model"), since_ms=since_ms, times=False)
        return {f"{one.group['provider']}/{one.group['model']}": one.unpriced for one in totals if one.unpriced}

    def _needs(self, unpriced: dict[str, int]) -> Iterator[Need]:
        vault = vault_of(self._house)
        if vault.state == "sealed":
            yield Need("vault_sealed", f"{vault.why} {vault.hint}".strip())
        yield from self._keys()
        for one in self._house.waiting.listed(self._owner):
            yield Need("consent", f"A request to {one.model} waits for your yes.", one.id, one.model, one.until_ms)
        for alert in AlertBox(self._house, self._owner).listed(limit=MOST_ALERTS):
            if self._only is None or alert.owner == self._owner:
                yield Need("alert", alert.message, alert.id)
        for model in unpriced:
            yield Need("price_unknown", f"Nobody knows the price of {model}, which was used this month.", target=model)

    def _keys(self) -> Iterator[Need]:
        now_ms = time.time_ns() // 1_000_000
        for row in self._house.vault.listed(self._owner):
            state, why = state_of(self._house, row, now_ms)
            last = ending(row.masked)
            named = f"The key {f'ending {last}' if last else row.label} for {self._name(row)}"
            if state in ("expired", "refused", "elsewhere"):
                yield Need("key", f"{named} cannot be used: {why or 'it has expired'}.", row.id, row.provider)
            elif row.expires_at_ms is not None and state == "ready" and row.expires_at_ms - now_ms <= SOON_MS:
                days = -(-(row.expires_at_ms - now_ms) // 86_400_000)
                says = f"{named} expires {'tomorrow' if days == 1 else f'in {days} days'}."
                yield Need("key", says, row.id, row.provider, row.expires_at_ms)

    def _name(self, row: KeyRow) -> str:
        try:
            return self._house.catalogue.get(row.provider).name
        except OwnkeyError:
            return row.provider


def monthly_limit(rooms: Iterable[Room], only: str | None) -> Room | None:
    """The least limit by the month, in dollars, of everything that is shown."""
    whole = [
        room
        for room in rooms
        if room.budget.unit == "usd"
        and room.budget.limit is not None
        and room.budget.window.period in ("month", "cycle")
        and room.budget.owner in (None, only)
        and all(getattr(room.budget, name) is None for name in SCOPES if name != "owner")
    ]
    return min(whole, key=lambda room: room.budget.limit or 0, default=None)


def vault_of(house: House) -> Vault:
    try:
        house.vault.latch.ring()
    except VaultSealed as sealed:
        return Vault("sealed", sealed.message, sealed.hint)
    return Vault("open")


def only_demo(candidates: Iterable[Candidate]) -> bool:
    """Whether nobody can be asked but the demo: no key is there, and no models of anything local are known."""
    return not any(
        one.usable and (one.provider.kind == "cloud" or (one.provider.kind == "local" and one.models))
        for one in candidates
    )


def local_zone() -> str:
    """The IANA name of this machine's time zone, as far as `/etc/localtime` (localtime(5)) says; else UTC."""
    name = os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    try:
        return ZoneInfo(name).key if name else "UTC"
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return "UTC"
