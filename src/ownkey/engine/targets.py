"""Who can answer a caller, by the name of a model. What was found is kept for a second."""

from __future__ import annotations

import time
from collections.abc import Sequence

from msgspec import structs

from ownkey.catalog.facts import facts
from ownkey.catalog.load import Catalogue
from ownkey.catalog.manifest import Model
from ownkey.engine.target import Target, make_operation_target, make_target
from ownkey.routing.route import AUTO, Candidate, Pick, route
from ownkey.routing.scope import Scope, denied
from ownkey.spending.catalogue import Prices
from ownkey.store.db import Store
from ownkey.talk.errors import InvalidRequest, OwnkeyError, UnknownModel
from ownkey.vault.vault import Vault

KEPT_S = 1.0
KEPT_AT_MOST = 4096

_CHATS = frozenset({"chat", "count"})


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
        self._found: dict[tuple[str, str, str | None, str], tuple[Target, ...]] = {}
        self._until_s = 0.0

    def settle(self, order: Sequence[str], fallback: Sequence[str]) -> None:
        self._order, self._fallback = order, fallback
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
        within = tuple(target for target in found if scope.has(target.provider.id, target.model))
        if not within:
            raise denied()
        return within

    def candidates(self, owner: str) -> dict[str, Candidate]:
        """Every provider, as this caller sees it."""
        choices = self._store.choices.all()
        discovered = self._store.models.all()
        candidates: dict[str, Candidate] = {}
        for provider in self._catalogue.all():
            choice = choices.get(provider.id)
            enabled = choice.enabled if choice else True
            has_key = provider.kind != "cloud" or self._vault.has(owner, provider.id)
            listed = {model.id for model in provider.models} | {model.id for model in discovered.get(provider.id, ())}
            default = (choice.default_model if choice else None) or provider.default
            candidates[provider.id] = Candidate(provider, enabled and has_key, enabled, default, frozenset(listed))
        return candidates

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

    def _find(self, owner: str, model: str, asked: str | None, operation: str) -> tuple[Target, ...]:
        if operation not in _CHATS and AUTO in map(str.strip, model.split(",")):
            raise InvalidRequest(
                f"`{AUTO}` chooses among models for chats.", "Name the model as PROVIDER/MODEL.", param="model"
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
        return tuple(targets)

    def _picks(self, owner: str, model: str, operation: str) -> tuple[Pick, ...]:
        """Nothing but a chat falls back to models that were not asked for: they are for chats, and vectors of two
        models have nothing to do with each other."""
        fallback = self._fallback if operation == "chat" else ()
        return route(model, self.candidates(owner), order=self._order, fallback=fallback)

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
