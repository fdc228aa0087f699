"""What would go, or stand still, with a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from ownkey.app.automations.book import AutomationBook
from ownkey.app.budgets import BudgetBook
from ownkey.app.keys import KeyRing
from ownkey.app.limits import LimitBook
from ownkey.app.routes import RouteBook
from ownkey.store.preferences import Preferences

if TYPE_CHECKING:
    from ownkey.app.house import House


class Uses(Struct, frozen=True):
    """Names of what is the asking person's and everybody's: `keys` by label, `preferences` by field. `others_keys`: how
    many other people have stored for it."""

    keys: tuple[str, ...]
    others_keys: int
    routes: tuple[str, ...]
    automations: tuple[str, ...]
    budgets: tuple[str, ...]
    limits: tuple[str, ...]
    preferences: tuple[str, ...]

    @property
    def any(self) -> bool:
        return any(getattr(self, name) for name in self.__struct_fields__)


def uses(house: House, owner: str, provider: str) -> Uses:
    """For who keeps the house: budgets and limits are everybody's."""
    id = house.catalogue.get(provider).id
    keys = [view for view in KeyRing(house, owner).all(id) if view.source == "stored"]
    own = {view.id for view in keys}
    return Uses(
        keys=tuple(view.label for view in keys),
        others_keys=house.store.keys.count(id) - len(keys),
        routes=tuple(route.name for route in RouteBook(house, owner).all() if any(_is(id, t) for t in route.targets)),
        automations=tuple(one.name for one in AutomationBook(house, owner).all() if _is(id, one.model)),
        budgets=tuple(
            budget.name or budget.id
            for budget in BudgetBook(house, owner).all()
            if budget.provider == id or budget.key_id in own
        ),
        limits=tuple(view.named for view in LimitBook(house, owner).all() if view.kind != "key" and _is(id, view.name)),
        preferences=tuple(_naming(id, house.store.preferences.get(owner))),
    )


def _is(provider: str, target: str) -> bool:
    return target == provider or target.startswith(f"{provider}/")


def _naming(provider: str, wanted: Preferences) -> list[str]:
    named = {
        "provider": [wanted.provider or ""],
        "fallback": [wanted.fallback or ""],
        "preferred": wanted.preferred,
        "models": wanted.models,
    }
    return [field for field, targets in named.items() if any(_is(provider, target) for target in targets)]
