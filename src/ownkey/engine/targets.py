"""Who can answer a caller, by the name of a model. What was found is kept for a second."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct, structs

from ownkey.catalog.facts import facts
from ownkey.catalog.load import Catalogue
from ownkey.catalog.manifest import Model
from ownkey.engine.target import Target, make_operation_target, make_target
from ownkey.routing.route import AUTO, Candidate, Pick, is_spare, pool, route
from ownkey.routing.rules import NAMED, Route, is_route_name
from ownkey.routing.scope import Scope, denied
from ownkey.spending.catalogue import Prices
from ownkey.spending.price import Rates
from ownkey.store.choices import Choice
from ownkey.store.db import Store
from ownkey.store.preferences import Preferences
from ownkey.talk.errors import (
    InvalidRequest,
    ModelNotAvailable,
    OwnkeyError,
    PermissionDenied,
    QuotaExceeded,
    UnknownModel,
)
from ownkey.transport.addresses import is_global, parse
from ownkey.vault.vault import Vault

KEPT_S = 1.0
KEPT_AT_MOST = 4096

_CHATS = frozenset({"chat", "count"})
_OWN_NAMES = (".local", ".internal", ".lan", ".home.arpa")
"""How names end that no public DNS gives (RFC 6762, RFC 8375; ICANN's resolution on .internal)."""


class Option(Struct, frozen=True):
    """A target that a route may choose, with its rates now, where they are known. `spare`: it comes after others."""

    target: Target
    rates: Rates | None
    spare: bool = False


class Out(Struct, frozen=True):
    """One that a route may not choose, and why; `error` is the one that it would be asked with."""

    name: str
    why: str
    error: OwnkeyError | None = None


class Found(Struct, frozen=True):
    """Who can be asked, first to last. Where a route was asked for: that, among whom it chooses, and who is out."""

    targets: tuple[Target, ...]
    route: Route | None = None
    options: tuple[Option, ...] = ()
    out: tuple[Out, ...] = ()


class Targets:
    """Raises from `find` what `route` raises."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        store: Store,
        vault: Vault,
        prices: Prices,
        order: Sequence[str],
        fallback: Sequence[str],
    ) -> None:
        self._catalogue = catalogue
        self._store = store
        self._vault = vault
        self._prices = prices
        self._order = order
        self._fallback = fallback
        self._found: dict[tuple[str, str, str | None, str], Found] = {}
        self._until_s = 0.0

    def settle(self, order: Sequence[str], fallback: Sequence[str]) -> None:
        self._order, self._fallback = order, fallback
        self.forget()

    def forget(self) -> None:
        """Look for everything anew: what somebody wants has changed."""
        self._until_s = 0.0

    def find(
        self,
        owner: str,
        model: str,
        asked: str | None = None,
        operation: str = "chat",
        scope: Scope | None = None,
    ) -> tuple[Target, ...]:
        """The targets for this model, first to last; at least one. `asked` is the client's wire, where there is one.

        Those that do not have the operation are passed over; Unsupported is raised where none has it. Nothing is asked
        that did not come from here, fallbacks too, so that here is where a caller's `scope` holds: PermissionDenied.
        """
        return self.found(owner, model, asked, operation, scope).targets

    def found(
        self,
        owner: str,
        model: str,
        asked: str | None = None,
        operation: str = "chat",
        scope: Scope | None = None,
    ) -> Found:
        """The same, with the route that the name stands for, where it does."""
        now_s = time.monotonic()
        if now_s >= self._until_s or len(self._found) > KEPT_AT_MOST:
            self._found.clear()
            self._store.bring(self._prices)
            self._until_s = now_s + KEPT_S
        wanted = (owner, model, asked, operation)
        found = self._found.get(wanted)
        if found is None:
            found = self._found[wanted] = self._find(*wanted)
        if scope is None:
            return found
        within = tuple(target for target in found.targets if scope.has(target.provider.id, target.model))
        if not within:
            raise denied()
        options = tuple(one for one in found.options if scope.has(one.target.provider.id, one.target.model))
        return Found(within, found.route, options, found.out)

    def route(self, owner: str, name: str) -> Route | None:
        """The route that this name stands for: one of a person's own, one of everybody's, or one that is always there.
        Whoever has no name has none but the last."""
        return self._routes(owner, [name]).get(name)

    def _routes(self, owner: str, names: Sequence[str]) -> Mapping[str, Route]:
        """Those that may be meant by one of these names; read at once, however many names there are."""
        known = {**self._store.routes.of(owner), **NAMED} if owner and any(map(is_route_name, names)) else NAMED
        return {**known, AUTO: self._auto(owner)} if AUTO in names else known

    def _auto(self, owner: str) -> Route:
        """As this person prefers it."""
        mine, usual = self._store.preferences.of(owner), NAMED[AUTO]
        return structs.replace(
            usual,
            targets=(*_led(mine), *usual.targets),
            choose="cheapest" if mine.cheapest else usual.choose,
            fallback=mine.auto_switch,
        )

    def candidates(self, owner: str) -> dict[str, Candidate]:
        """Every provider, as this caller sees it."""
        choices = self._store.choices.all()
        discovered = self._store.models.all()
        mine = self._store.preferences.of(owner).models
        candidates: dict[str, Candidate] = {}
        for provider in self._catalogue.all():
            choice = choices.get(provider.id)
            enabled = choice.enabled if choice else True
            has_key = provider.kind != "cloud" or self._vault.has(owner, provider.id)
            listed = {model.id for model in provider.models} | {model.id for model in discovered.get(provider.id, ())}
            default = mine.get(provider.id) or (choice.default_model if choice else None) or provider.default
            stand_in = None
            if provider.kind == "local" and default is None:
                known = (*discovered.get(provider.id, ()), *provider.models)
                stand_in = next((one.id for one in known if _chats(one)), None)
            candidates[provider.id] = Candidate(
                provider, enabled and has_key, enabled, default, frozenset(listed), stand_in
            )
        return candidates

    def advise(self, owner: str, error: OwnkeyError) -> None:
        """Name in it what this caller could ask instead."""
        if isinstance(error, ModelNotAvailable | QuotaExceeded) and error.provider is not None:
            candidates = self.candidates(owner)
            asked = candidates.get(error.provider)
            if isinstance(error, QuotaExceeded):
                error.instead = self._other_provider(candidates, error.provider)
            elif asked is not None:
                error.instead = _other_model(asked, error.model)

    def _other_provider(self, candidates: dict[str, Candidate], provider: str) -> str | None:
        """The first with a key, as they are ordered; whether a local one runs is not known here."""
        usable = [one.provider for one in candidates.values() if one.usable and one.provider.kind == "cloud"]
        place = {name: number for number, name in enumerate(self._order)}
        usable.sort(key=lambda one: place.get(one.id, len(place)))
        return next((one.name for one in usable if one.id != provider), None)

    def listed(self, owner: str, *, demo_only: bool, scope: Scope | None = None) -> list[Model]:
        """What is known of every model that this caller can ask for, each with `provider/model` as its id."""
        discovered = self._store.models.all()
        found: list[Model] = []
        for one in self.candidates(owner).values():
            if not one.usable or (demo_only and one.provider.kind != "demo"):
                continue
            told = {model.id: model for model in discovered.get(one.provider.id, ())}
            for name in sorted(one.models):
                if scope is not None and not scope.has(one.provider.id, name):
                    continue
                known = facts(one.provider, name, discovered=told.get(name))
                found.append(structs.replace(known, id=f"{one.provider.id}/{name}"))
        return found

    def _find(self, owner: str, model: str, asked: str | None, operation: str) -> Found:
        names = [name for part in model.split(",") if (name := part.strip())] or [AUTO]
        if operation not in _CHATS and any(name == AUTO or name.startswith(f"{AUTO}:") for name in names):
            raise InvalidRequest(
                f"`{AUTO}` chooses among models for chats.", "Name the model as PROVIDER/MODEL.", param="model"
            )
        known = self._routes(owner, names)
        routes = [known[name] for name in names if name in known]
        if routes and len(names) == 1:
            return self._routed(routes[0], owner, asked, operation)
        if any(one.name != AUTO for one in routes):
            raise InvalidRequest(
                "A route is asked for alone.", "Make one of these models: `ownkey routes set NAME`.", param="model"
            )
        try:
            picks = self._picks(owner, model, operation)
        except UnknownModel:
            # A provider's file may have come since the folder was looked at.
            self._catalogue.refresh()
            picks = self._picks(owner, model, operation)
        targets: list[Target] = []
        first_error: OwnkeyError | None = None
        for pick in picks:
            try:
                targets.append(self._target(pick, asked, operation))
            except OwnkeyError as error:
                first_error = first_error or error
        if not targets:
            raise first_error or UnknownModel("No provider can be asked.", "Store a key: `ownkey keys set PROVIDER`.")
        return Found(tuple(targets))

    def survey(self, route: Route, owner: str, asked: str | None = None, operation: str = "chat") -> Found:
        """Among whom a route chooses, in the order of its targets, and who is out; there may be nobody. No fallback of
        the settings comes after them, but after `auto`: the route is all that was asked for."""
        candidates = self.candidates(owner)
        fallback = self._fallbacks(owner) if route.name == AUTO and operation == "chat" else ()
        named = {*route.targets, *fallback}
        choices = self._store.choices.all()
        options: list[Option] = []
        out: list[Out] = []
        for pick in self._pool(route, candidates, fallback, out):
            try:
                target = self._target(pick, asked, operation)
            except OwnkeyError as error:
                out.append(Out(pick.name, error.message, error))
                continue
            regions = _regions(target, choices.get(pick.provider))
            why = route.refuses(pick.provider, regions, is_here=is_here(target))
            if why is not None:
                out.append(Out(pick.name, why))
                continue
            spare = is_spare(candidates[pick.provider]) and not named & {pick.name, pick.provider, pick.model}
            rates = self._prices.rates(target.provider, target.model, datetime.now(UTC))
            options.append(Option(target, rates, spare and not route.local_only))
        return Found(tuple(one.target for one in options), route, tuple(options), tuple(out))

    def _pool(
        self, route: Route, candidates: Mapping[str, Candidate], fallback: Sequence[str], out: list[Out]
    ) -> tuple[Pick, ...]:
        """What the route's targets stand for, each once. What cannot be asked by its name is put among those that are
        out."""
        picks: list[Pick] = []
        for name in (*route.targets, *fallback):
            try:
                picks += pool(name, candidates, self._order)
            except OwnkeyError as error:
                out.append(Out(name, error.message, error))
        return tuple(dict.fromkeys(picks))

    def _routed(self, route: Route, owner: str, asked: str | None, operation: str) -> Found:
        found = self.survey(route, owner, asked, operation)
        if not found.options or any(isinstance(one.error, UnknownModel) for one in found.out):
            # A provider's file may have come since the folder was looked at.
            self._catalogue.refresh()
            found = self.survey(route, owner, asked, operation)
        if not found.options:
            raise _nobody(route, found.out)
        return found

    def _picks(self, owner: str, model: str, operation: str) -> tuple[Pick, ...]:
        """Nothing but a chat falls back to models that were not asked for: they are for chats, and vectors of two
        models have nothing to do with each other."""
        mine = self._store.preferences.of(owner)
        fallback = self._fallbacks(owner) if operation == "chat" else ()
        picks = route(model, self.candidates(owner), order=self._order, fallback=fallback, lead=_led(mine))
        return picks if mine.auto_switch else tuple(pick for pick in picks if pick.provider == picks[0].provider)

    def _fallbacks(self, owner: str) -> tuple[str, ...]:
        return (*self._fallback, *filter(None, [self._store.preferences.of(owner).fallback]))

    def _target(self, pick: Pick, asked: str | None, operation: str) -> Target:
        provider = self._catalogue.get(pick.provider)
        discovered = {model.id: model for model in self._store.models.of(provider.id)}.get(pick.model)
        known = facts(
            provider,
            pick.model,
            discovered=discovered,
            context_from_prices=self._prices.context(provider, pick.model),
        )
        choice = self._store.choices.get(provider.id)
        if operation in _CHATS:
            return make_target(provider, pick.model, known, choice, asked)
        return make_operation_target(provider, pick.model, known, choice, operation, asked)


def _other_model(asked: Candidate, model: str | None) -> str | None:
    """The provider's default, else the first that its file lists."""
    names = [asked.default, *(one.id for one in asked.provider.models)]
    name = next((name for name in names if name and name != model), None)
    known = asked.provider.model(name) if name else None
    return known.name or known.id if known else name


def _led(mine: Preferences) -> tuple[str, ...]:
    return (*mine.preferred, *filter(None, [mine.provider]))


def is_here(target: Target) -> bool:
    """Whether it runs on the owner's own machine or network: a local provider at an address of such, whose model is
    not one that it passes on to elsewhere."""
    host = target.origin.host
    own = host == "localhost" or "." not in host or host.endswith(_OWN_NAMES)
    if parse(host) is not None:
        own = not is_global(host)
    elsewhere = target.provider.elsewhere
    return target.provider.kind == "local" and own and not (elsewhere and target.model.endswith(elsewhere))


def _regions(target: Target, choice: Choice | None) -> tuple[str, ...] | None:
    """Where it answers, as its file says of its own address; of another one nobody knows."""
    return None if choice is not None and choice.endpoint else target.provider.regions or None


def _chats(model: Model) -> bool:
    """Whether a discovered model is one for chats, as far as what it says, or else its name, tells."""
    return "chat" in model.does if model.does else "embed" not in model.id


def _nobody(route: Route, out: Sequence[Out]) -> OwnkeyError:
    if len(out) == 1 and out[0].error is not None:
        return out[0].error
    if not out:
        return UnknownModel("No provider can be asked.", "Store a key: `ownkey keys set PROVIDER`.", param="model")
    told = "; ".join(f"{one.name}: {one.why.removesuffix('.')}" for one in out[:5])
    return PermissionDenied(
        f"The route {route.name} leaves nobody to ask: {told}.",
        f"`ownkey routes explain {route.name}` lists them all.",
    )
