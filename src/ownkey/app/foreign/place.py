"""Where a key of a file goes: to the provider whose address it was sent to, or to a new one at that very address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, field

from ownkey.app.foreign import names as tables
from ownkey.app.foreign.address import Address, fields_at, manifest_at, read_address
from ownkey.app.foreign.finding import Finding, Reference, left_out, named_models
from ownkey.catalog.manifest import Provider
from ownkey.catalog.read import Problem, read_manifest
from ownkey.engine.target import locate
from ownkey.store.choices import Choice
from ownkey.store.keys import KeyRow
from ownkey.talk.errors import OwnkeyError
from ownkey.talk.secret import clean
from ownkey.wires.wire import WIRE_NAMES

if TYPE_CHECKING:
    from ownkey.app.house import House

_SLUG = re.compile(r"[^a-z0-9]+")


class Place(Struct, frozen=True):
    """`of`: the provider of ours whose address it is. `adds`, `manifest`: where it is new, its address and its file.
    `fields`: the settings that are to be made first."""

    provider: Provider
    goes_to: str
    of: str | None
    adds: str | None = None
    manifest: bytes | None = None
    fields: dict[str, str] = field(default_factory=dict[str, str])


class Places:
    """Of one file: what is new for one of its keys is there for the next."""

    def __init__(
        self, house: House, stored: Sequence[KeyRow], findings: Sequence[Finding], ids: frozenset[str]
    ) -> None:
        self._house = house
        self._used = {row.provider for row in stored}
        self._here = {one.id: one for one in house.catalogue.all()}
        self._gallery = {one.id: one for one in house.catalogue.gallery() if one.id not in self._here}
        self._ids = set(ids)
        self._settings: dict[str, dict[str, str]] = {}
        self._made: dict[tuple[str, str], Place] = {}
        self._models: dict[str | Reference | None, tuple[str, ...]] = {}
        for one in findings:
            self._models[one.base_url] = named_models([*self._models.get(one.base_url, ()), *one.models])

    def find(self, finding: Finding, base_url: str | None) -> Place:
        """Raises InvalidRequest, EndpointNotAllowed or BadConfiguration, saying why it is left out."""
        if base_url is None:
            return self._named(finding)
        address = read_address(base_url, finding.root)
        for provider in self._nearest(finding.providers):
            choice = self._choice(provider)
            fields = fields_at(address, provider, choice)
            if fields is not None and (place := self._at(provider, choice, fields, finding.fields)) is not None:
                return place
        return self._new(finding, address)

    def _named(self, finding: Finding) -> Place:
        """No address stands in the file: the provider's own, as it is set here."""
        if not finding.providers:
            raise left_out("no provider of this name is known here")
        first, *others = finding.providers
        if others:
            raise left_out(f"it may be of {' or '.join(finding.providers)}: store it with `ownkey keys set`")
        provider = self._provider(first)
        place = self._at(provider, self._choice(provider), {}, finding.fields)
        assert place is not None
        return place

    def _at(
        self, provider: Provider, choice: Choice | None, needed: Mapping[str, str], wished: Mapping[str, str]
    ) -> Place | None:
        """None where the provider is set to something else than is needed. A wish that does not fit is passed over."""
        if provider.kind == "demo":
            raise left_out(f"{provider.name} takes no key")
        chosen = dict(choice.fields) if choice else {}
        there = {**chosen, **self._settings.get(provider.id, {})}
        now = {name: there.get(name) or one.default for name, one in provider.fields.items()}
        used = provider.id in self._used
        free = {name for name in provider.fields if not used and not there.get(name)}
        if any(now.get(name) != value and name not in free for name, value in needed.items()):
            return None
        wanted = {name: value for name, value in wished.items() if name in free} | dict(needed)
        fields = {name: value for name, value in {**there, **wanted}.items() if chosen.get(name) != value}
        fields = {name: value for name, value in fields.items() if value != provider.fields[name].default}
        set_so = Choice(provider.id, endpoint=choice.endpoint if choice else None, fields={**chosen, **fields})
        origin, _ = locate(provider, "models", set_so)
        self._settings.setdefault(provider.id, {}).update(fields)
        if provider.id in self._here:
            return Place(provider, str(origin), provider.id, fields=fields)
        manifest = self._house.catalogue.gallery_file(provider.id)
        return Place(provider, str(origin), provider.id, f"{provider.name}, of the gallery", manifest, fields)

    def _new(self, finding: Finding, address: Address) -> Place:
        """A provider of its own at this address, checked as one that is added by hand."""
        if address.origin.scheme == "inside":
            raise left_out("its address is inside this program")
        base = next((self._provider(one) for one in finding.providers if one in tables.ROOTS), None)
        needed = None if base is None else fields_at(address, base, None)
        made = (base.id if base else "", address.url)
        if made in self._made:
            return self._made[made]
        if self._house.private_hosts.refuse(address.origin):
            raise left_out(
                f"{address.host} is private, or not https: where it is yours, name it in OWNKEY_ALLOW_PRIVATE_HOSTS"
            )
        id = self._id(f"{base.id}-{address.host}" if base else address.host)
        name = address.host if not finding.named or finding.providers else f"{finding.named} ({address.host})"
        manifest = manifest_at(
            id,
            name if base is None else f"{base.name} ({address.host})",
            None if needed else address,
            base,
            {**finding.fields, **(needed or {})},
            self._models[finding.base_url],
        )
        provider = read_manifest(manifest, "the file", wires=WIRE_NAMES)
        if isinstance(provider, Problem):
            raise left_out(f"it cannot be added: {provider.key} {provider.message}")
        of = base.id if base and needed else None
        place = Place(provider, str(address.origin), of, f"{provider.name}, at {clean(address.url)}", manifest)
        self._made[made] = place
        return place

    def _provider(self, id: str) -> Provider:
        return self._here.get(id) or self._gallery[id]

    def _choice(self, provider: Provider) -> Choice | None:
        return self._house.store.choices.get(provider.id) if provider.id in self._here else None

    def _nearest(self, named: Iterable[str]) -> list[Provider]:
        """Those that are named first, then those that are here, then those that can be added."""
        ids = dict.fromkeys([*named, *self._here, *self._gallery])
        return [one for one in map(self._provider, ids) if one.kind != "demo"]

    def _id(self, wanted: str) -> str:
        slug = _SLUG.sub("-", wanted.lower()).strip("-")[:56].strip("-") or "imported"
        id, number = slug, 1
        while id in self._ids or not self._free(id):
            number += 1
            id = f"{slug}-{number}"
        self._ids.add(id)
        return id

    def _free(self, id: str) -> bool:
        try:
            return not self._house.catalogue.place(id).exists()
        except OwnkeyError:
            return False
