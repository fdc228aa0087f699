"""Prices, as the faces see them: listed with their source, set, discounted, let go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from ownkey.spending.override import Override, checked
from ownkey.spending.price import Rates
from ownkey.talk.errors import InvalidRequest

if TYPE_CHECKING:
    from ownkey.app.house import House
    from ownkey.app.providers import Providers


class Priced(Struct, frozen=True):
    """A model with its price; None where nobody knows it."""

    provider: str
    model: str
    rates: Rates | None


class PriceBook:
    def __init__(self, house: House, providers: Providers, owner: str) -> None:
        self._house = house
        self._owner = owner
        self._providers = providers

    def listed(self, provider: str | None = None, search: str = "") -> list[Priced]:
        """Of every model that is known, or of one provider's; `search` is a part of the name."""
        self._house.prices.override(self._house.store.prices.all())
        views = self._providers.models(provider)
        return [
            Priced(view.provider, view.model.id, view.rates)
            for view in views
            if search.lower() in f"{view.provider}/{view.model.id}".lower()
        ]

    def set(self, name: str, rates: Mapping[str, str], note: str = "") -> None:
        """The price of `provider/model`, in USD per million tokens as text: `input`, `output` and more of
        `ownkey.spending.override.RATES`. Raises InvalidRequest, naming the field."""
        provider, model = self._named(name)
        if not model:
            raise InvalidRequest("Rates are those of a model.", "Name it as PROVIDER/MODEL.", param="model")
        self._put(provider, model, Override(rates=dict(rates), note=note))

    def discount(self, name: str, percent: str, note: str = "") -> None:
        """So many per cent less than the list price, of a provider or of `provider/model`."""
        provider, model = self._named(name)
        self._put(provider, model, Override(discount=percent, note=note))

    def own(self) -> dict[str, Override]:
        """What the owner has set, by `provider/model` or provider."""
        every = self._house.store.prices.all()
        return {f"{provider}/{model}" if model else provider: one for (provider, model), one in every.items()}

    def remove(self, name: str) -> None:
        """Raises InvalidRequest where nothing was set."""
        provider, model = self._named(name)
        if (provider, model) not in self._house.store.prices.all():
            raise InvalidRequest(f"There is no price of your own for {name[:100]}.", "`ownkey prices own` lists them.")
        with self._house.audit.within("price.removed", f"{provider}/{model}", owner=self._owner):
            self._house.store.prices.remove(provider, model)
        self._house.prices.override(self._house.store.prices.all())

    def _named(self, name: str) -> tuple[str, str]:
        """As the catalogue spells them."""
        provider, _, model = name.partition("/")
        manifest = self._house.catalogue.get(provider)
        listed = manifest.model(model) if model else None
        return manifest.id, listed.id if listed else model

    def _put(self, provider: str, model: str, override: Override) -> None:
        override = checked(override)
        told = {"rates": override.rates, "discount": override.discount, "note": override.note}
        with self._house.audit.within("price.set", f"{provider}/{model}", owner=self._owner, detail=told):
            self._house.store.prices.set(provider, model, override)
        self._house.prices.override(self._house.store.prices.all())
