"""Prices, as the faces see them: listed with their source, set, discounted, let go."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from ownkey.app import refreshing
from ownkey.app.refreshing import Proposal
from ownkey.spending.changes import Change
from ownkey.spending.override import Override, checked
from ownkey.spending.price import Rates
from ownkey.store.catalogues import Edition
from ownkey.talk.errors import InvalidRequest

if TYPE_CHECKING:
    from ownkey.app.house import House
    from ownkey.app.providers import ModelView, Providers


Origin = Literal["own", "file", "free", "refreshed", "shipped"]
"""Whose price it is: set or discounted by the owner, of the provider's file, nobody's, of the catalogue that was
fetched, or of the one that came with Ownkey."""


class Priced(Struct, frozen=True):
    """A model with its price; None where nobody knows it. `taken`: the day (ISO) on which it was set or fetched."""

    provider: str
    model: str
    rates: Rates | None
    origin: Origin | None = None
    taken: str | None = None


class PriceBook:
    def __init__(self, house: House, providers: Providers, owner: str) -> None:
        self._house = house
        self._owner = owner
        self._providers = providers

    def listed(self, provider: str | None = None, search: str = "") -> list[Priced]:
        """Of every model that is known, or of one provider's; `search` is a part of the name."""
        self._house.store.bring(self._house.prices)
        views = self._providers.models(provider)
        own, fetched = self._house.store.prices.dates(), self._fetched()
        return [
            Priced(view.provider, view.model.id, view.rates, *_origin(view, own, fetched))
            for view in views
            if search.lower() in f"{view.provider}/{view.model.id}".lower()
        ]

    async def look(self, place: str | None = None) -> Proposal:
        """What newer prices would change: those of a file, of a URL, or of the setting `prices_url`. Takes nothing.

        Raises InvalidRequest where they are no prices, and what the transport raises.
        """
        source, data = await refreshing.fetch(self._house, place)
        return refreshing.propose(self._house, source, data)

    def take(self, proposal: Proposal, accepted: Collection[Change] = ()) -> Edition:
        """Put them into use, in every process that shares the database.

        Raises InvalidRequest where a large change is not among the `accepted`, or others were taken since.
        """
        missing = [change for change in proposal.large if change not in accepted]
        if missing:
            first = f"{missing[0].provider}/{missing[0].model}"
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise InvalidRequest(
                f"Nothing was taken: the price of {first}{more} would be gone, nothing, or change tenfold.",
                "Look at it: `ownkey prices refresh` asks. `--accept-large-changes` takes all of them.",
                param="accepted",
            )
        return refreshing.take(self._house, self._owner, proposal)

    def history(self) -> list[Edition]:
        """Every change of the catalogue, newest first."""
        return self._house.store.catalogues.listed()

    def revert(self, number: int | None = None) -> tuple[Edition, list[Change]]:
        """Go back to the prices of that number, 0 for the shipped ones; None: to those before the ones in use.

        With what that changes. Raises InvalidRequest.
        """
        return refreshing.revert(self._house, self._owner, number)

    @property
    def shipped(self) -> str:
        """The catalogue that came with Ownkey."""
        return self._house.prices.shipped.source

    def _fetched(self) -> str | None:
        """The day on which the catalogue in use was fetched; None where it is the shipped one."""
        if self._house.prices.listing is self._house.prices.shipped:
            return None
        return next((one.day for one in self.history() if one.number == self._in_use()), None)

    def _in_use(self) -> int:
        last = self._house.store.catalogues.last()
        return last.used if last else 0

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
        self._house.store.bring(self._house.prices)

    def _named(self, name: str) -> tuple[str, str]:
        """As the catalogue spells them."""
        provider, _, model = name.partition("/")
        manifest = self._house.catalogue.get(provider)
        return manifest.id, manifest.id_of(model)

    def _put(self, provider: str, model: str, override: Override) -> None:
        override = checked(override)
        told = {"rates": override.rates, "discount": override.discount, "note": override.note}
        with self._house.audit.within("price.set", f"{provider}/{model}", owner=self._owner, detail=told):
            self._house.store.prices.set(provider, model, override)
        self._house.store.bring(self._house.prices)


def _origin(
    view: ModelView, own: Mapping[tuple[str, str], int], fetched: str | None
) -> tuple[Origin | None, str | None]:
    if view.rates is None:
        return None, None
    if view.rates.source == "free":
        return "free", None
    set_at_ms = own.get((view.provider, view.model.id)) or own.get((view.provider, ""))
    if set_at_ms is not None:
        return "own", datetime.fromtimestamp(set_at_ms / 1000, UTC).date().isoformat()
    if view.rates.source == "owner":
        return "file", None
    return ("refreshed", fetched) if fetched else ("shipped", None)
