"""Providers and models, as the faces see them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from ownkey.app import provider_files
from ownkey.catalog.address import setting_headers
from ownkey.catalog.facts import facts
from ownkey.catalog.manifest import Model, Provider
from ownkey.engine.price import price_unknown
from ownkey.engine.target import locate
from ownkey.spending.price import Rates, cost
from ownkey.store.choices import Choice
from ownkey.store.keys import KeyRow
from ownkey.talk.errors import BadConfiguration, InvalidRequest, OwnkeyError
from ownkey.talk.money import Money
from ownkey.talk.origin import Origin
from ownkey.talk.reply import Usage
from ownkey.vault.choice import in_service

if TYPE_CHECKING:
    from ownkey.app.house import House


class Lack(Struct, frozen=True):
    """Why a provider cannot be asked as it is set, and what to do next."""

    says: str
    hint: str


class ProviderView(Struct, frozen=True):
    """A provider with what was chosen for it. `keys`: how many are stored. `lack` is None where it can be asked."""

    provider: Provider
    enabled: bool
    endpoint: str
    default: str | None
    fields: Mapping[str, str]
    keys: int
    lack: Lack | None


class ModelView(Struct, frozen=True):
    """A model with its price per million tokens, where it is known. `default`: it is asked where its provider is named
    alone; `preferred`: the person wants it. `first_s` and `tokens_per_s` are as measured here, None before."""

    provider: str
    model: Model
    rates: Rates | None
    default: bool = False
    preferred: bool = False
    first_s: float | None = None
    tokens_per_s: float | None = None


class Providers:
    def __init__(self, house: House, owner: str) -> None:
        self._house = house
        self._owner = owner

    def listed(self) -> list[ProviderView]:
        """In the order that they were put into; the others after those."""
        places, choices = self._house.store.places.all(), self._house.store.choices.all()
        keys: dict[str, list[KeyRow]] = {}
        for row in self._house.vault.listed(self._owner):
            keys.setdefault(row.provider, []).append(row)
        found = sorted(self._house.catalogue.all(), key=lambda one: places.get(one.id, len(places)))
        return [self._view(one, choices.get(one.id), keys.get(one.id, [])) for one in found]

    def get(self, provider: str) -> ProviderView:
        manifest = self._house.catalogue.get(provider)
        keys = [row for row in self._house.vault.listed(self._owner) if row.provider == manifest.id]
        return self._view(manifest, self._house.store.choices.get(manifest.id), keys)

    def arrange(self, providers: Sequence[str]) -> list[ProviderView]:
        """List them in this order from now on; those that are not named come after. Raises InvalidRequest."""
        named = [self._house.catalogue.get(provider).id for provider in dict.fromkeys(providers)]
        with self._house.audit.within("provider.ordered", "order", owner=self._owner, detail={"order": named}):
            self._house.store.places.set(named)
        return self.listed()

    def text(self, provider: str) -> str | None:
        """What stands in the file that was added for it; None where it comes with Ownkey."""
        return provider_files.text_of(self._house, self._house.catalogue.get(provider).id)

    def check(self, manifest: bytes, file: str) -> ProviderView:
        """What `add` would add. Raises what it raises."""
        found = provider_files.checked(self._house, manifest, file)
        view = self._view(found, None, [])
        # Its file will be the leave to go there.
        return view if found.kind == "cloud" else structs.replace(view, lack=None)

    def problems(self) -> list[str]:
        """Providers' files that could not be read: which, where, and why."""
        return [str(problem) for problem in self._house.catalogue.problems]

    def add(self, manifest: bytes, file: str) -> ProviderView:
        """Put a provider's file into the folder, in place of one of the same id; it is there at the next request.

        `file` is what it is called in an error. Raises InvalidRequest, naming line and key, and changes nothing.
        """
        return self.get(provider_files.put(self._house, self._owner, manifest, file).id)

    def gallery(self, words: Sequence[str] = ()) -> list[Provider]:
        """The providers that can be added, in which all these words stand: in id, name, address or models."""
        wanted = [word.lower() for word in words]
        return [one for one in self._house.catalogue.gallery() if all(word in _told(one) for word in wanted)]

    def add_from_gallery(self, provider: str) -> ProviderView:
        """Add the provider of the gallery that has this id."""
        return self.add(self._house.catalogue.gallery_file(provider), f"{provider}.toml")

    def remove(self, provider: str) -> None:
        """Take a provider's file out of the folder. Its keys stay stored, for no one, until they are removed.

        Raises InvalidRequest for a provider that comes with Ownkey, or one that is not there.
        """
        provider_files.take_out(self._house, self._owner, provider)

    def set(
        self,
        provider: str,
        *,
        endpoint: str | None = None,
        fields: Mapping[str, str] | None = None,
        enabled: bool | None = None,
        default: str | None = None,
    ) -> ProviderView:
        """Change what is given, and nothing else; `endpoint=""` goes back to the provider's own.

        A key is bound to the endpoint it was entered for: after a change of endpoint it has to be entered again.
        """
        manifest = self._house.catalogue.get(provider)
        old = self._house.store.choices.get(provider) or Choice(provider, True, None, {}, None)
        unknown = [name for name in fields or {} if name not in manifest.fields]
        if unknown:
            takes = ", ".join(manifest.fields) or "none"
            raise InvalidRequest(f"{manifest.name} has no field {unknown[0]!r}.", f"Its fields: {takes}.")
        if endpoint:
            Origin.parse(endpoint)
            endpoint = endpoint.rstrip("/")
        new = Choice(
            provider=provider,
            enabled=old.enabled if enabled is None else enabled,
            endpoint=old.endpoint if endpoint is None else endpoint or None,
            fields={**old.fields, **(fields or {})},
            default_model=old.default_model if default is None else default or None,
        )
        _check(manifest, new, given={name for name, value in (fields or {}).items() if value})
        with self._house.audit.all_within(provider, _changes(old, new), owner=self._owner):
            self._house.store.choices.set(new)
        self._house.targets.forget()
        return self.get(provider)

    def models(self, provider: str | None = None) -> list[ModelView]:
        """What is known of models: from the providers' files and from what was discovered."""
        providers = [self._house.catalogue.get(provider)] if provider else self._house.catalogue.all()
        return [view for one in providers for view in self._models(one)]

    async def refresh_models(self, provider: str) -> list[ModelView]:
        """The same, after asking the provider."""
        manifest = self._house.catalogue.get(provider)
        await self._house.discovery.refresh(self._owner, manifest)
        return self._models(manifest)

    def estimate_cost(self, model: str, input_tokens: int, output_tokens: int) -> Money:
        """What so many tokens cost, at today's price. `model` is a bare name or `provider/model`."""
        if input_tokens < 0 or output_tokens < 0:
            raise InvalidRequest("A number of tokens is not negative.")
        provider, rates = self._priced(model)
        if rates is None:
            raise price_unknown(provider, model)
        return Money(cost(rates, Usage(input_tokens=input_tokens, output_tokens=output_tokens)))

    def _priced(self, asked: str) -> tuple[Provider, Rates | None]:
        """Who sells it, and at what rates: the provider that is named, else the first whose file or prices have it."""
        now = datetime.now(UTC)
        name, slash, model = asked.partition("/")
        providers = {one.id: one for one in self._house.catalogue.all()}
        if slash and name in providers:
            return providers[name], self._house.prices.rates(providers[name], model, now)
        listing = [one for one in providers.values() if one.model(asked)] or list(providers.values())
        for one in listing:
            rates = None if one.kind != "cloud" else self._house.prices.rates(one, asked, now)
            if rates is not None:
                return one, rates
        return listing[0], None

    def _models(self, provider: Provider) -> list[ModelView]:
        now, wanted = datetime.now(UTC), self._house.store.preferences.of(self._owner)
        discovered = {model.id: model for model in self._house.store.models.of(provider.id)}
        names = dict.fromkeys([*(model.id for model in provider.models), *discovered])
        choice = self._house.store.choices.get(provider.id)
        default = (choice.default_model if choice else None) or provider.default
        preferred = {f"{provider.id}/{wanted.models.get(provider.id)}", *wanted.preferred}
        return [
            ModelView(
                provider.id,
                facts(
                    provider,
                    name,
                    discovered=discovered.get(name),
                    context_from_prices=self._house.prices.context(provider, name),
                ),
                self._house.prices.rates(provider, name, now),
                default=name == default,
                preferred=f"{provider.id}/{name}" in preferred,
                first_s=(speed := self._house.speeds.of(f"{provider.id}/{name}")).first_s,
                tokens_per_s=speed.tokens_per_s,
            )
            for name in names
        ]

    def _view(self, provider: Provider, choice: Choice | None, keys: list[KeyRow]) -> ProviderView:
        return ProviderView(
            provider,
            choice.enabled if choice else True,
            (choice.endpoint if choice else None) or provider.base_url,
            (choice.default_model if choice else None) or provider.default,
            dict(choice.fields) if choice else {},
            len(keys),
            self._lack(provider, choice, keys),
        )

    def _lack(self, provider: Provider, choice: Choice | None, keys: list[KeyRow]) -> Lack | None:
        if choice and not choice.enabled:
            return Lack("off", f"Switch it on: `ownkey providers set {provider.id} --enable`.")
        try:
            origin, _ = locate(provider, "models", choice)
        except OwnkeyError as error:
            return Lack(error.message.removeprefix(f"{provider.name} ").removesuffix("."), error.hint)
        place = f"{origin.bracketed}:{origin.port}"
        store = f"`ownkey keys set {provider.id}`."
        if self._house.private_hosts.refuse(origin):
            return Lack(
                f"{place} is not allowed",
                f"If {place} is yours, on a private network, add it to OWNKEY_ALLOW_PRIVATE_HOSTS, "
                "where `ownkey serve` runs too; nothing is sent there before.",
            )
        if provider.kind == "cloud" and not keys:
            return Lack("no key", f"Store one: {store}")
        here = [row for row in keys if row.origin == str(origin)]
        if keys and not here:
            return Lack(
                f"its key is for {keys[0].origin}", f"The stored key does not go to {origin}. Enter it again: {store}"
            )
        if provider.kind == "cloud" and not any(in_service(row, time.time_ns() // 1_000_000) for row in here):
            return Lack("its key is paused or has expired", f"`ownkey keys list {provider.id}` says which it is.")
        return None


def _changes(old: Choice, new: Choice) -> dict[str, dict[str, Any]]:
    """For the audit trail: each thing that is another than before. Fields may hold what nobody else is to know."""
    found: dict[str, dict[str, Any]] = {}
    if old.enabled != new.enabled:
        found["provider.enabled" if new.enabled else "provider.disabled"] = {}
    if old.endpoint != new.endpoint:
        found["provider.endpoint"] = {"old": old.endpoint, "new": new.endpoint}
    if old.default_model != new.default_model:
        found["provider.default_model"] = {"old": old.default_model, "new": new.default_model}
    if old.fields != new.fields:
        which = [name for name in new.fields if new.fields[name] != old.fields.get(name)]
        found["provider.fields"] = {"fields": which}
    return found


def _told(provider: Provider) -> str:
    models = " ".join(f"{model.id} {model.name or ''}" for model in provider.models)
    return f"{provider.id} {provider.name} {provider.kind} {provider.wire} {provider.base_url} {models}".lower()


def _check(provider: Provider, choice: Choice, *, given: set[str]) -> None:
    """Refuse what is given now and cannot stand in its place; what is still missing may come later."""
    try:
        locate(provider, "models", choice)
        setting_headers(provider, choice.fields)
    except BadConfiguration as error:
        if error.param in given | {"base_url"}:
            raise
