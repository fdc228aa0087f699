"""A person's provider keys, as the faces see them: stored, listed, tested, put in order, removed; never shown."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace
from sqlalchemy.exc import IntegrityError

from ownkey.app.budgets import BudgetBook
from ownkey.app.key_terms import Amount, columns_of, label_of, told_of
from ownkey.app.standing import KeyView, Service, Standing, monthly, services, standing, views
from ownkey.app.trying import Tested, asked_at, in_time, since_ms
from ownkey.catalog.manifest import Provider
from ownkey.catalog.shape import looks_like, told, whose
from ownkey.engine.request import Request, new_id
from ownkey.engine.sender import Opened
from ownkey.engine.target import locate
from ownkey.routing.scope import Scope, denied
from ownkey.store.keys import KeyRow
from ownkey.talk.chat import Chat, user
from ownkey.talk.errors import (
    InvalidCredentials,
    InvalidRequest,
    NotFound,
    OwnkeyError,
    ProviderError,
    QuotaExceeded,
    RateLimitExceeded,
    VaultSealed,
)
from ownkey.talk.origin import Origin
from ownkey.talk.secret import REDACTED, Secret

if TYPE_CHECKING:
    from ownkey.app.house import House

DEFAULT = "default"
"""The label of a key that was given none."""

SHORTEST_TOKENS = 16
"""Fewer are refused by some models."""

_UNCHECKED = "Nothing was stored. To store it unchecked: `--no-check`."


class Stored(Struct, frozen=True):
    """A key that was stored. `says` is what its provider said against it, or why that was not asked; `tested` what was
    asked before."""

    row: KeyRow
    says: str | None = None
    tested: Tested | None = None


class KeyRing:
    """`token_id` and `scope` are those of a gateway's token, where one asks."""

    def __init__(self, house: House, owner: str, *, token_id: str | None = None, scope: Scope | None = None) -> None:
        self._house = house
        self._owner = owner
        self._token_id = token_id
        self._scope = scope

    async def add(
        self, provider: str, key: str, label: str = DEFAULT, *, check: bool = True, force: bool = False, **terms: Any
    ) -> Stored:
        """Ask the provider whether it takes the key, within five seconds, and store it as `set` does.

        Raises what `set` raises, InvalidCredentials where the provider refuses it, and where it cannot be asked, why:
        nothing is stored then. `check=False` asks nobody. Where nothing is free that a key is needed for, nothing is
        asked.
        """
        if not check:
            return self.set(provider, key, label, force=force, **terms)
        manifest, secret = self._read(provider, key, force=force)
        if reason := self._house.vault.sealed_reason:
            raise VaultSealed(reason)
        if manifest.check != "models":
            stored = self.set(provider, key, label, force=force, **terms)
            says = f"Not checked: {manifest.name} answers nothing for free that takes a key."
            return replace(stored, says=f"{says} `ownkey keys test {manifest.id}` asks for a short answer.")
        refused: OwnkeyError | None = None
        started_s, models = time.monotonic(), None
        try:
            async with in_time(manifest):
                models = await self._house.discovery.check(manifest, secret)
        except InvalidCredentials as error:
            error.hint = f"{error.hint} Nothing was stored."
            raise
        except (QuotaExceeded, RateLimitExceeded) as error:
            # It is known there.
            refused = error if error.of_key else None
        except OwnkeyError as error:
            error.hint = " ".join(filter(None, [error.hint, _UNCHECKED]))
            raise
        tested = self._in_all(manifest, models, started_s)
        stored = self.set(provider, key, label, force=force, **terms)
        self._house.vault.found(stored.row, refused.code if refused else None)
        return Stored(stored.row, refused.message if refused else None, tested)

    def set(
        self,
        provider: str,
        key: str,
        label: str = DEFAULT,
        *,
        force: bool = False,
        expires: str | UnsetType | None = UNSET,
        models: Sequence[str] | UnsetType | None = UNSET,
        monthly_limit: Amount | UnsetType | None = UNSET,
        weight: int | str | UnsetType | None = UNSET,
    ) -> Stored:
        """Seal the key for this provider, at the endpoint that is set for it now. Nobody is asked; `add` asks.

        One of the same label is replaced: its place and its terms stay where no others are given. The terms are those
        of `change`. `force` takes a key of another form than the provider's keys have. Raises InvalidRequest.
        """
        manifest, secret = self._read(provider, key, force=force)
        label = label_of(label)
        origin, _ = locate(manifest, "models", self._house.store.choices.get(manifest.id))
        old = next((row for row in self._stored(manifest.id) if row.label == label), None)
        given = columns_of(expires=expires, models=models, weight=weight)
        if old is not None:
            self._limit(old, monthly_limit)
            self._changed(old, given)
            return Stored(self._put(manifest, origin, secret, label, old))
        if monthly_limit is UNSET or monthly_limit is None:
            return Stored(self._put(manifest, origin, secret, label, **given))
        # No run may come before its limit.
        row = self._put(manifest, origin, secret, label, paused_at_ms=time.time_ns() // 1_000_000, **given)
        try:
            self._limit(row, monthly_limit)
        except OwnkeyError:
            self._removed(row)
            raise
        self._changed(row, {"paused_at_ms": None})
        return Stored(replace(row, paused_at_ms=None))

    def change(
        self,
        provider: str,
        label: str | None = None,
        *,
        rename: str | None = None,
        expires: str | UnsetType | None = UNSET,
        models: Sequence[str] | UnsetType | None = UNSET,
        monthly_limit: Amount | UnsetType | None = UNSET,
        weight: int | str | UnsetType | None = UNSET,
    ) -> KeyView:
        """Change a key's label or terms; None takes one away.

        `expires`: its last day or a time, in ISO 8601. `models`: those that it is for, `*` for any letters.
        `monthly_limit`: a budget in dollars. `weight`: its share beside the others. Raises InvalidRequest.
        """
        row = self._one(provider, label)
        columns = columns_of(expires=expires, models=models, weight=weight)
        if rename is not None:
            columns["label"] = label_of(rename)
        self._limit(row, monthly_limit)
        self._changed(row, columns)
        return self.get(provider, columns.get("label", row.label))

    def pause(self, provider: str, label: str | None = None) -> KeyView:
        """Use it no more, until it is resumed. What is running goes on. Raises InvalidRequest."""
        self._changed(row := self._one(provider, label), {"paused_at_ms": time.time_ns() // 1_000_000})
        return self.get(provider, row.label)

    def resume(self, provider: str, label: str | None = None) -> KeyView:
        row = self._one(provider, label)
        self._changed(row, {"paused_at_ms": None})
        return self.get(provider, row.label)

    def order(self, provider: str, labels: Sequence[str]) -> list[KeyView]:
        """Try the provider's keys in this order; those that are not named come after. Raises InvalidRequest."""
        named = [self._one(provider, label) for label in dict.fromkeys(labels)]
        ids = {row.id for row in named}
        told = {"provider": provider, "order": [row.label for row in named]}
        with self._house.audit.within("key.changed", provider, owner=self._owner, detail=told):
            self._house.vault.arrange([*named, *(row for row in self._stored(provider) if row.id not in ids)])
        return self.all(provider)

    def all(self, provider: str | None = None) -> list[KeyView]:
        """Masked, with how each stands, in the order in which they are tried. Opens none."""
        found = views(self._house, self._owner)
        return [view for view in found if provider in (None, view.provider)]

    def get(self, provider: str, label: str | None = None) -> KeyView:
        """One of them, masked. Raises InvalidRequest where there is none, or several and no label says which."""
        row = self._one(provider, label, stored=False)
        return next(view for view in self.all(provider) if view.id == row.id)

    def by_id(self, id: str) -> KeyView:
        """Raises NotFound."""
        found = next((view for view in self.all() if view.id == id), None)
        if found is None:
            raise NotFound("There is no such key.", "`ownkey keys list` shows those that there are.")
        return found

    def has(self, provider: str) -> bool:
        """Whether there is one, stored or in the environment, of whatever use it is."""
        return any(row.provider == provider for row in self._house.vault.listed(self._owner))

    def remove(self, provider: str, label: str | None = None) -> int:
        """Remove the key of that label, or all of the provider, with the budgets that are theirs alone: how many keys.

        What is running with them goes on.
        """
        rows = [row for row in self._stored(provider) if label in (None, row.label)]
        for row in rows:
            self._removed(row)
        ids = {row.id for row in rows}
        for budget in self._house.store.budgets.all() if rows else ():
            if budget.key_id in ids:
                self._house.store.budgets.remove(budget.id)
        return len(rows)

    def clear(self) -> int:
        """Remove every stored key; how many there were."""
        return sum(self.remove(provider) for provider in {view.provider for view in self.all()})

    def services(self) -> list[Service]:
        """The providers for which there are keys, and whether one of each can be used now."""
        return services(self._house, self.all())

    def status(self) -> Standing:
        return standing(self._house, self.all())

    async def check(self, provider: str, key: str, *, force: bool = False) -> Tested:
        """Ask the provider whether it takes a key, within five seconds; nothing is stored. Raises what came of it."""
        started_s = time.monotonic()
        manifest, secret = self._read(provider, key, force=force)
        async with in_time(manifest):
            models = await self._house.discovery.check(manifest, secret)
        return self._in_all(manifest, models, started_s)

    async def test(self, provider: str, label: str | None = None) -> Tested:
        """Ask the provider with the stored key, or the first that fits: for its models or, where those are shown to
        anybody, for the shortest answer of its default model, which is paid for; nobody else is asked instead.
        Raises what came of it, and PermissionDenied where that is not what the token is for."""
        manifest = self._house.catalogue.get(provider)
        self._check_scope(manifest)
        row = None if label is None else self._one(provider, label, stored=False)
        told = {"key": REDACTED}
        with self._house.audit.around("key.tested", manifest.id, owner=self._owner, detail=told) as told:
            tested = await self._tested(manifest, row)
            told["models"] = tested.models
        return tested

    def _check_scope(self, manifest: Provider) -> None:
        if (scope := self._scope) is None:
            return
        model = manifest.default if manifest.check == "chat" else None
        if not (scope.has_some(manifest.id) if model is None else scope.has(manifest.id, manifest.id_of(model))):
            raise denied()

    async def _tested(self, manifest: Provider, row: KeyRow | None) -> Tested:
        started_s = time.monotonic()
        if manifest.check == "chat" and manifest.default is not None:
            async with in_time(manifest):
                await self._house.engine.run(self._shortest(manifest, row))
            return self._in_all(manifest, None, started_s)
        key = self._opened(manifest, row)
        try:
            async with in_time(manifest):
                models = await self._house.discovery.refresh(self._owner, manifest, key)
        except ProviderError as error:
            if key.row is not None and error.of_key:
                self._house.vault.found(key.row, error.code)
            raise
        if key.row is not None:
            self._house.vault.found(key.row, None)
        return self._in_all(manifest, len(models), started_s)

    def _in_all(self, manifest: Provider, models: int | None, started_s: float) -> Tested:
        return Tested(models, since_ms(started_s), asked_at(self._house, manifest.id))

    def _read(self, provider: str, key: str, *, force: bool) -> tuple[Provider, Secret]:
        """Raises InvalidRequest, without the key, where it is none, or none of this provider's."""
        manifest = self._house.catalogue.get(provider)
        if manifest.kind == "demo":
            raise InvalidRequest(f"{manifest.name} takes no key.", "Nothing was stored.", param="provider")
        try:
            secret = Secret(key)
        except ValueError as error:
            raise InvalidRequest(
                f"This is not a key: {error}.", "Nothing was stored. Copy the whole key and try again.", param="key"
            ) from None
        self._house.vault.refuse_masked(secret)
        if force:
            return manifest, secret
        other = whose(key, manifest, self._house.catalogue.all())
        if other is not None:
            raise InvalidRequest(
                f"This looks like a key of {other.name}'s, not of {manifest.name}'s.",
                f"Nothing was stored or sent. Store it there: `ownkey keys set {other.id}`; or add `--force`.",
                param="key",
            )
        if not looks_like(manifest, key):
            raise InvalidRequest(
                f"This does not look like a key of {manifest.name}'s.",
                f"One {told(manifest)}. Nothing was stored. Where their keys look otherwise now, add `--force`.",
                param="key",
            )
        return manifest, secret

    def _shortest(self, manifest: Provider, row: KeyRow | None) -> Request:
        chat = Chat((user("Say yes."),), max_output_tokens=SHORTEST_TOKENS)
        model = f"{manifest.id}/{manifest.id_of(manifest.default or '')}"
        request = Request(new_id(), self._owner, model, stream=False, chat=chat)
        request.price_accepted, request.token_id, request.scope = True, self._token_id, Scope(models=(model,))
        if row is not None:
            others = (one for one in self._stored(manifest.id) if one.id != row.id)
            request.passed = tuple((one.id, one.version) for one in others)
        return request

    def _opened(self, manifest: Provider, row: KeyRow | None) -> Opened:
        vault = self._house.vault
        if row is None and manifest.kind != "cloud" and not vault.has(self._owner, manifest.id):
            return Opened()
        origin, _ = locate(manifest, "models", self._house.store.choices.get(manifest.id))
        if row is None:
            row, secret = vault.open(self._owner, manifest.id, origin)
        else:
            secret = vault.open_this(row, origin)
        return Opened(row.id, secret, row)

    def _stored(self, provider: str) -> list[KeyRow]:
        rows = self._house.vault.listed(self._owner)
        return [row for row in rows if row.provider == provider and not row.from_environment]

    def _one(self, provider: str, label: str | None, *, stored: bool = True) -> KeyRow:
        rows = [row for row in self._house.vault.listed(self._owner) if row.provider == provider]
        found = [row for row in rows if label in (None, row.label)]
        if not found:
            what = f"no key for {provider[:64]}" if label is None else f"no key {label[:40]!r} for {provider[:64]}"
            raise InvalidRequest(f"There is {what}.", "`ownkey keys list` shows those that there are.", param="label")
        if len(found) > 1:
            labels = ", ".join(row.label for row in found)
            raise InvalidRequest(
                f"There are {len(found)} keys for {provider}: {labels}.", "Say which: `--label`.", param="label"
            )
        if stored and found[0].granted:
            raise InvalidRequest(
                "This key is an admin's, who lets you use it: nothing of it is yours to change.",
                "Store one of your own to use it instead.",
                param="label",
            )
        if stored and found[0].from_environment:
            raise InvalidRequest(
                f"This key stands in the environment, in {found[0].label}: nothing is kept of it.",
                "Store one to use it instead, or switch those of the environment off: OWNKEY_ENVIRONMENT_KEYS=off.",
                param="label",
            )
        return found[0]

    def _put(
        self, manifest: Provider, origin: Origin, secret: Secret, label: str, old: KeyRow | None = None, **given: Any
    ) -> KeyRow:
        told = told_of(manifest.id, label, secret.masked()) | {"origin": str(origin)}
        action, target = ("key.replaced", old.id) if old else ("key.added", f"{manifest.id}/{label}")
        with self._house.audit.within(action, target, owner=self._owner, detail=told):
            return self._house.vault.put(self._owner, manifest.id, origin, secret, label, **given)

    def _removed(self, row: KeyRow) -> None:
        told = told_of(row.provider, row.label, row.masked)
        with self._house.audit.within("key.removed", row.id, owner=self._owner, detail=told):
            self._house.vault.remove(self._owner, row.provider, row.id)

    def _changed(self, row: KeyRow, columns: dict[str, Any]) -> None:
        if not columns:
            return
        told = told_of(row.provider, row.label, row.masked) | {"changed": columns}
        try:
            with self._house.audit.within("key.changed", row.id, owner=self._owner, detail=told):
                if not self._house.vault.change(row, columns):
                    raise InvalidRequest(f"The key {row.label} for {row.provider} is gone.", param="label")
        except IntegrityError:
            raise InvalidRequest(
                f"There is a key {columns.get('label')!r} for {row.provider} already.", param="rename"
            ) from None

    def _limit(self, row: KeyRow, amount: Amount | UnsetType | None) -> None:
        """Its monthly budget: made, changed, or taken away."""
        if amount is UNSET:
            return
        book = BudgetBook(self._house, self._owner)
        there = monthly(book.all()).get(row.id)
        if amount is None:
            if there is not None:
                self._house.store.budgets.remove(there.id)
            return
        if there is not None:
            book.change(there, limit=amount)
        else:
            book.make(f"key {row.provider}/{row.label}", limit=amount, per="month", key=row.id)
