"""A person's provider keys, as the faces see them: stored, listed, tested, removed; never shown."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from ownkey.catalog.manifest import Provider
from ownkey.engine.request import Request, new_id
from ownkey.engine.target import locate
from ownkey.store.keys import KeyRow
from ownkey.talk.chat import Chat, user
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.secret import REDACTED, Secret

if TYPE_CHECKING:
    from ownkey.app.house import House


class Stored(Struct, frozen=True):
    """A key that was stored, and a word of doubt where it does not look like this provider's."""

    row: KeyRow
    doubt: str | None


class Tested(Struct, frozen=True):
    """What Test Connection found: so many models after so long; `models` is None where a short answer was asked for."""

    models: int | None
    took_ms: int


LABEL = "default"

SHORTEST_TOKENS = 16
"""Fewer are refused by some models."""


class KeyRing:
    def __init__(self, house: House, owner: str) -> None:
        self._house = house
        self._owner = owner

    def set(self, provider: str, key: str) -> Stored:
        """Seal the key for this provider, at the endpoint that is set for it now; one that was there is replaced."""
        manifest = self._house.catalogue.get(provider)
        if manifest.kind == "demo":
            raise InvalidRequest(f"{manifest.name} takes no key.", "Nothing was stored.", param="provider")
        try:
            secret = Secret(key)
        except ValueError as error:
            raise InvalidRequest(
                f"This is not a key: {error}.", "Nothing was stored. Copy the whole key and try again."
            ) from None
        origin, _ = locate(manifest, "models", self._house.store.choices.get(manifest.id))
        old = next((row for row in self.listed() if (row.provider, row.label) == (manifest.id, LABEL)), None)
        told = {"provider": manifest.id, "origin": str(origin), "label": LABEL, "key": secret}
        action, target = ("key.replaced", old.id) if old else ("key.added", f"{manifest.id}/{LABEL}")
        with self._house.audit.within(action, target, owner=self._owner, detail=told):
            row = self._house.vault.put(self._owner, manifest.id, origin, secret, LABEL)
        pattern = manifest.keys.looks_like
        doubt = None
        if pattern and not re.search(pattern, key):
            doubt = f"It does not look like a key of {manifest.name}'s; it was stored all the same."
        return Stored(row, doubt)

    def listed(self) -> list[KeyRow]:
        return self._house.vault.listed(self._owner)

    def remove(self, provider: str) -> int:
        """How many were removed."""
        there = [row for row in self.listed() if row.provider == provider]
        if not there:
            return 0
        told = {"provider": provider, "label": [row.label for row in there], "key": REDACTED}
        with self._house.audit.within("key.removed", ",".join(row.id for row in there), owner=self._owner, detail=told):
            return self._house.vault.remove(self._owner, provider)

    async def test(self, provider: str) -> Tested:
        """Ask the provider with the stored key: for its models or, where those are shown to anybody, for the shortest
        answer of its default model, which is paid for. Raises what came of it."""
        manifest = self._house.catalogue.get(provider)
        told = {"key": REDACTED}
        with self._house.audit.around("key.tested", manifest.id, owner=self._owner, detail=told) as told:
            tested = await self._tested(manifest)
            told["models"] = tested.models
        return tested

    async def _tested(self, manifest: Provider) -> Tested:
        started_s = time.monotonic()
        models: int | None = None
        if manifest.check == "chat" and manifest.default is not None:
            chat = Chat((user("Say yes."),), max_output_tokens=SHORTEST_TOKENS)
            asked = f"{manifest.id}/{manifest.default}"
            await self._house.engine.run(
                Request(new_id(), self._owner, asked, stream=False, chat=chat, price_accepted=True)
            )
        else:
            models = len(await self._house.discovery.refresh(self._owner, manifest))
        return Tested(models, int((time.monotonic() - started_s) * 1000))
