"""Bring keys out of other programs' files: shown first, then each stored as `ownkey keys set` stores one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from ownkey.app.foreign import plan
from ownkey.app.foreign.plan import Intake, Preview, Row
from ownkey.app.foreign.source import read_path, read_text
from ownkey.app.keys import KeyRing
from ownkey.app.providers import Providers
from ownkey.talk.errors import OwnkeyError, VaultSealed

if TYPE_CHECKING:
    from ownkey.app.house import House


class Outcome(Struct, frozen=True):
    """What came of a row that was to be stored. `says`: why it was not, or what its provider said of it."""

    row: Row
    stored: bool
    says: str | None = None


class Imports:
    """`at_this_machine`: whether a variable that a file names may be looked up in this process."""

    def __init__(self, house: House, owner: str, *, at_this_machine: bool) -> None:
        self._house = house
        self._owner = owner
        self._environment = at_this_machine and house.settings.environment_keys

    def preview(self, file: Path, form: str | None = None) -> Preview:
        """What importing this file would do; `form` is one of `finding.FORMS`, told by what stands in the file where it
        is None. Raises InvalidRequest, without anything of the file, and VaultSealed where keys have to be compared."""
        source = read_path(file, form, plan.known_names(self._house))
        return plan.preview(self._house, self._owner, source, environment=self._environment)

    def preview_text(self, data: bytes, form: str | None = None) -> Preview:
        """The same for a file that was sent: no database, and nothing that lies beside it."""
        source = read_text(data, form, plan.known_names(self._house))
        return plan.preview(self._house, self._owner, source, environment=self._environment)

    async def add(self, preview: Preview, *, check: bool = True) -> list[Outcome]:
        """Store what the preview wants, each by itself: one that its provider refuses, or that cannot be asked about,
        is left out, and the others stay. A provider that came with none of its keys goes again.

        Raises VaultSealed before anything is changed.
        """
        if reason := self._house.vault.sealed_reason:
            raise VaultSealed(reason)
        made: dict[str, dict[str, str] | None] = {}
        kept: set[str | None] = set()
        outcomes: list[Outcome] = []
        try:
            for intake in preview.wanted:
                outcome = await self._stored(intake, made, check=check)
                outcomes.append(outcome)
                if outcome.stored:
                    kept.add(intake.row.provider)
        finally:
            self._undo({id: fields for id, fields in made.items() if id not in kept})
        return outcomes

    async def _stored(self, intake: Intake, made: dict[str, dict[str, str] | None], *, check: bool) -> Outcome:
        row = intake.row
        assert row.provider is not None
        assert row.label is not None
        assert intake.secret is not None
        try:
            self._ready(row.provider, intake, made)
            key = intake.secret.reveal().decode("ascii")
            stored = await KeyRing(self._house, self._owner).add(row.provider, key, row.label, check=check)
        except VaultSealed:
            raise
        except OwnkeyError as error:
            return Outcome(row, False, error.message)
        return Outcome(row, True, stored.says)

    def _ready(self, provider: str, intake: Intake, made: dict[str, dict[str, str] | None]) -> None:
        """The provider, added and set as the key needs it; what was done is noted in `made`, to be undone."""
        providers = Providers(self._house, self._owner)
        if provider not in made and intake.manifest is not None:
            providers.add(intake.manifest, f"{provider}.toml")
            made[provider] = None
        if intake.fields and provider not in made:
            before = providers.get(provider).fields
            made[provider] = {name: before.get(name, "") for name in intake.fields}
        if intake.fields:
            providers.set(provider, fields=intake.fields)

    def _undo(self, made: dict[str, dict[str, str] | None]) -> None:
        providers = Providers(self._house, self._owner)
        for provider, fields in made.items():
            if fields is None:
                providers.remove(provider)
            else:
                providers.set(provider, fields=fields)
