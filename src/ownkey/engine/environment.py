"""Keys from the environment, each for the provider whose file names its variable. They are stored nowhere.

A variable that a file of Ownkey's own names goes where that file says and nowhere else: neither to an endpoint that was
set since, nor to another provider whose file names it too. Of other variables only those are looked at that say what
they are: a file that is added could name any.
"""

from __future__ import annotations

from functools import cached_property

from msgspec import structs

from ownkey.catalog.load import Catalogue
from ownkey.catalog.manifest import Provider
from ownkey.catalog.shape import looks_like
from ownkey.engine.target import locate
from ownkey.settings import environment
from ownkey.store.choices import Choice, Choices
from ownkey.store.grants import Grants
from ownkey.store.keys import ENVIRONMENT, KeyRow
from ownkey.talk.errors import OwnkeyError
from ownkey.talk.secret import Secret

SAYS_WHAT_IT_IS = "_API_KEY"

GRANTED = "granted"
"""The label of one that an admin lets somebody use."""

HIDDEN = "***"
"""All that they are shown of it."""


class EnvironmentKeys:
    """Those of one person, whose machine it is: every other owner has what an admin granted, within its budget."""

    def __init__(self, person: str, catalogue: Catalogue, choices: Choices, grants: Grants) -> None:
        self._person = person
        self._grants = grants
        self._catalogue = catalogue
        self._choices = choices

    def find(self, owner: str, provider: str) -> tuple[KeyRow, Secret] | None:
        """The key of the first variable that holds one and looks like it, with a row that says where it may go."""
        try:
            found = self._of(self._catalogue.get(provider))
        except OwnkeyError:
            return None
        return found if found is None or owner == self._person else self._granted(owner, *found)

    def all(self, owner: str) -> list[KeyRow]:
        found = (self.find(owner, provider.id) for provider in self._catalogue.all())
        return [one[0] for one in found if one is not None]

    def _granted(self, owner: str, row: KeyRow, secret: Secret) -> tuple[KeyRow, Secret] | None:
        grant = self._grants.get(owner, row.provider)
        if grant is None:
            return None
        return structs.replace(row, id=grant.key_id, owner=owner, masked=HIDDEN, label=GRANTED), secret

    def _of(self, provider: Provider) -> tuple[KeyRow, Secret] | None:
        for variable in provider.keys.env:
            secret = environment.secret(variable)
            if (
                secret is None
                or not looks_like(provider, secret.reveal().decode("ascii"))
                or not self._may_go(variable, provider)
            ):
                continue
            try:
                origin, _ = locate(provider, "models", self._fields(provider))
            except OwnkeyError:
                return None
            row = KeyRow(
                ENVIRONMENT + variable, self._person, provider.id, str(origin), 0, b"", secret.masked(), variable, 0
            )
            return row, secret
        return None

    def _fields(self, provider: Provider) -> Choice | None:
        """What was set for the provider, but for its endpoint."""
        choice = self._choices.get(provider.id)
        return Choice(provider.id, fields=choice.fields) if choice else None

    def _may_go(self, variable: str, provider: Provider) -> bool:
        if self._catalogue.is_shipped(provider.id):
            return True
        own = self._own.get(variable)
        return variable.endswith(SAYS_WHAT_IT_IS) if own is None else provider.base_url in own

    @cached_property
    def _own(self) -> dict[str, set[str]]:
        """The base URLs that Ownkey's own files give for each variable."""
        found: dict[str, set[str]] = {}
        shipped = [provider for provider in self._catalogue.all() if self._catalogue.is_shipped(provider.id)]
        for provider in (*shipped, *self._catalogue.gallery()):
            for variable in provider.keys.env:
                found.setdefault(variable, set()).add(provider.base_url)
        return found
