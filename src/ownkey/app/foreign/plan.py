"""What an import would do: for each finding the provider, the label and the address, or why it is left out."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from ownkey.app.foreign import names as tables
from ownkey.app.foreign.finding import Finding, Form, Names, Reference, held, left_out, shown
from ownkey.app.foreign.place import Place, Places
from ownkey.app.foreign.source import Source
from ownkey.app.key_terms import label_of
from ownkey.catalog.shape import looks_like, told, whose
from ownkey.engine.environment import SAYS_WHAT_IT_IS
from ownkey.settings import environment
from ownkey.talk.errors import BadConfiguration, EndpointNotAllowed, InvalidRequest, KeyUnreadable
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret

if TYPE_CHECKING:
    from ownkey.app.house import House
_URL = re.compile(rb"https?://")


class Row(Struct, frozen=True):
    """One line of the preview. `goes_to` is an origin; `adds` says which provider is new, and at which address. `why`:
    it is left out, and why; None: it is to be stored."""

    place: str
    named: str
    provider: str | None = None
    label: str | None = None
    masked: str | None = None
    goes_to: str | None = None
    adds: str | None = None
    why: str | None = None


class Intake(Struct, frozen=True):
    """A row with what it takes to store it. `manifest`: the file of a provider that is to be added first; `fields`:
    the provider's settings that are to be set first."""

    row: Row
    secret: Secret | None = None
    manifest: bytes | None = None
    fields: dict[str, str] = field(default_factory=dict[str, str])


class Preview(Struct, frozen=True):
    form: Form
    intakes: tuple[Intake, ...]
    beside: bool = False

    @property
    def rows(self) -> list[Row]:
        return [one.row for one in self.intakes]

    @property
    def wanted(self) -> list[Intake]:
        return [one for one in self.intakes if one.row.why is None]


def known_names(house: House) -> Names:
    """Our providers by id, and by the variables that their files name."""
    every = {one.id: one for one in (*house.catalogue.gallery(), *house.catalogue.all())}
    variables: dict[str, tuple[str, ...]] = {name: (id,) for name, id in tables.VARIABLES.items()}
    for one in every.values():
        for variable in one.keys.env:
            variables[variable] = (*variables.get(variable, ()), one.id)
    return Names(frozenset(every), variables)


def preview(house: House, owner: str, source: Source, *, environment: bool) -> Preview:
    """Nothing is stored, sent or changed. A stored key is opened only to be compared with one that is masked alike.

    `environment`: whether a variable that the file names may be looked up in this process's own.
    """
    planner = _Planner(house, owner, source, environment=environment)
    return Preview(source.form, tuple(planner.intake(one) for one in source.findings), bool(source.beside))


class _Planner:
    def __init__(self, house: House, owner: str, source: Source, *, environment: bool) -> None:
        self._house = house
        self._source = source
        self._environment = environment
        self._known = known_names(house)
        self._stored = [row for row in house.vault.listed(owner) if not row.from_environment]
        self._places = Places(house, self._stored, source.findings, self._known.ids)
        self._labels = {(row.provider, row.label) for row in self._stored}
        self._seen: set[tuple[str, bytes]] = set()

    def intake(self, finding: Finding) -> Intake:
        row = Row(finding.place, finding.named)
        try:
            if finding.why is not None:
                raise left_out(finding.why)
            secret = self._secret(finding.key)
            row = replace(row, masked=secret.masked())
            place = self._places.find(finding, self._text(finding.base_url))
            row = replace(row, provider=place.provider.id, goes_to=place.goes_to, adds=place.adds)
            self._may_go(finding.key, place)
            self._check_form(secret, place)
            self._check_new(secret, place)
        except (InvalidRequest, EndpointNotAllowed, BadConfiguration) as error:
            return Intake(replace(row, why=error.message.rstrip(".")))
        label = self._label(place.provider.id, finding.label)
        return Intake(replace(row, label=label), secret, place.manifest, place.fields)

    def _secret(self, key: Secret | Reference | None) -> Secret:
        if isinstance(key, Secret):
            return key
        if key is None:
            raise left_out("no key stands there")
        if (there := self._source.beside.get(key.variable)) is not None:
            secret = held(there)
            if isinstance(secret, str):
                raise left_out(f"{secret}, in {shown(key.variable)}")
            return secret
        found = environment.secret(key.variable) if self._readable(key.variable) else None
        if found is None:
            raise left_out(f"it stands in the variable {shown(key.variable)}, which is not set")
        return found

    def _text(self, value: str | Reference | None) -> str | None:
        if not isinstance(value, Reference):
            return value
        found = self._source.beside.get(value.variable)
        if found is None and self._environment:
            secret = environment.secret(value.variable)
            found = secret.reveal().decode("ascii") if secret and _URL.match(secret.reveal()) else None
        if not found:
            raise left_out(f"its address stands in the variable {shown(value.variable)}, which is not set")
        return found

    def _readable(self, variable: str) -> bool:
        """Of this process's variables only those that say what they are: a file that is imported could name any."""
        return self._environment and (variable.endswith(SAYS_WHAT_IT_IS) or variable in self._known.variables)

    def _may_go(self, key: Secret | Reference | None, place: Place) -> None:
        """A variable of this process's that is known to be a provider's goes to no other address."""
        if not isinstance(key, Reference) or key.variable in self._source.beside:
            return
        own = self._known.variables.get(key.variable)
        if own is not None and place.of not in own:
            raise left_out(f"{shown(key.variable)} of this machine is for {' or '.join(own)}, and goes nowhere else")

    def _check_form(self, secret: Secret, place: Place) -> None:
        provider, text = place.provider, secret.reveal().decode("ascii")
        self._house.vault.refuse_masked(secret)
        if (other := whose(text, provider, self._house.catalogue.all())) is not None:
            raise left_out(f"it looks like a key of {other.name}'s, not of {provider.name}'s")
        if not looks_like(provider, text):
            raise left_out(f"it does not look like a key of {provider.name}'s, which {told(provider)}")

    def _check_new(self, secret: Secret, place: Place) -> None:
        """Compared in memory; only stored keys that are masked alike are opened."""
        same = (place.provider.id, secret.reveal())
        if same in self._seen:
            raise left_out("it stands in the file before")
        for row in self._stored:
            if (row.provider, row.masked, row.origin) == (place.provider.id, secret.masked(), place.goes_to):
                try:
                    stored = self._house.vault.open_this(row, Origin.parse(row.origin)[0])
                except KeyUnreadable:
                    continue
                if hmac.compare_digest(stored.reveal(), secret.reveal()):
                    raise left_out(f"it is stored already, as {row.label}")
        self._seen.add(same)

    def _label(self, provider: str, wanted: str) -> str:
        """As the other program calls it, where that can be a label; never one that is taken."""
        text = " ".join(wanted.replace("/", " ").split())[:34].strip() or self._source.form
        try:
            label_of(text)
        except InvalidRequest:
            text = self._source.form
        label, number = text, 1
        while (provider, label) in self._labels:
            number += 1
            label = f"{text} {number}"
        self._labels.add((provider, label))
        return label
