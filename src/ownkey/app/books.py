"""What the library is asked for by name: keys, budgets, usage and the rest, each made when it is first needed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ownkey.app.alerting import AlertBox
from ownkey.app.audit import AuditTrail
from ownkey.app.automations.book import AutomationBook
from ownkey.app.budgets import BudgetBook
from ownkey.app.caching import CacheBook
from ownkey.app.condition import ConditionBook
from ownkey.app.consent import ConsentBook
from ownkey.app.granting import GrantBook
from ownkey.app.history import HistoryBook
from ownkey.app.house import OWNER, House
from ownkey.app.keys import KeyRing
from ownkey.app.limits import LimitBook
from ownkey.app.parcels import Parcels
from ownkey.app.people import PeopleBook
from ownkey.app.preferences import PreferenceBook
from ownkey.app.pricing import PriceBook
from ownkey.app.providers import Providers
from ownkey.app.routes import RouteBook
from ownkey.app.safe import Safe
from ownkey.app.tokens import TokenBook
from ownkey.app.usage import UsageBook
from ownkey.settings import Settings

if TYPE_CHECKING:
    from ownkey.app.foreign.imports import Imports


class Books:
    """Of one person, `owner`."""

    settings: Settings
    owner: str

    @cached_property
    def house(self) -> House:
        """Everything inside; opened when it is first needed."""
        return House(self.settings)

    @cached_property
    def keys(self) -> KeyRing:
        return KeyRing(self.house, self.owner)

    @cached_property
    def imports(self) -> Imports:
        from ownkey.app.foreign.imports import Imports

        return Imports(self.house, self.owner, at_this_machine=self.owner == OWNER)

    @cached_property
    def vault(self) -> Safe:
        return Safe(self.house)

    @cached_property
    def budgets(self) -> BudgetBook:
        return BudgetBook(self.house, self.owner)

    @cached_property
    def limits(self) -> LimitBook:
        return LimitBook(self.house, self.owner)

    @cached_property
    def automations(self) -> AutomationBook:
        return AutomationBook(self.house, self.owner)

    @cached_property
    def prices(self) -> PriceBook:
        return PriceBook(self.house, self.providers, self.owner)

    @cached_property
    def usage(self) -> UsageBook:
        return UsageBook(self.house)

    @cached_property
    def alerts(self) -> AlertBox:
        return AlertBox(self.house, self.owner)

    @cached_property
    def audit(self) -> AuditTrail:
        return AuditTrail(self.house, self.owner)

    @cached_property
    def providers(self) -> Providers:
        return Providers(self.house, self.owner)

    @cached_property
    def condition(self) -> ConditionBook:
        return ConditionBook(self.house, self.owner)

    @cached_property
    def routes(self) -> RouteBook:
        return RouteBook(self.house, self.owner)

    @cached_property
    def parcels(self) -> Parcels:
        return Parcels(self.house, self.owner)

    @cached_property
    def history(self) -> HistoryBook:
        return HistoryBook(self.house, self.owner)

    @cached_property
    def cache(self) -> CacheBook:
        return CacheBook(self.house, self.owner)

    @cached_property
    def people(self) -> PeopleBook:
        return PeopleBook(self.house)

    @cached_property
    def grants(self) -> GrantBook:
        return GrantBook(self.house)

    @cached_property
    def preferences(self) -> PreferenceBook:
        return PreferenceBook(self.house, self.owner)

    @cached_property
    def consents(self) -> ConsentBook:
        return ConsentBook(self.house, self.owner)

    @cached_property
    def tokens(self) -> TokenBook:
        return TokenBook(self.house, self.owner)
