"""Consent, as the faces see it: tokens for a request, and what is remembered."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec import structs

from ownkey.engine.request import Request
from ownkey.spending.quote import NoQuote
from ownkey.store.consents import Consent
from ownkey.talk.consent import Estimate, Reason, remembered
from ownkey.talk.errors import ConsentRequired, InvalidRequest, NotFound, OwnkeyError, VaultSealed
from ownkey.vault import consent as tokens
from ownkey.vault.consent import Asked

if TYPE_CHECKING:
    from ownkey.app.house import House

REMEMBERED_MS = 30 * 86_400_000


class ConsentBook:
    """What one person has said yes to for good, which is thirty days."""

    def __init__(self, house: House, owner: str) -> None:
        self._house = house
        self._owner = owner

    def all(self) -> list[Consent]:
        return self._house.store.consents.all(self._owner, _now_ms())

    def remember(self, reasons: Iterable[Reason]) -> list[Consent]:
        """Not to be asked about these again. Raises InvalidRequest where nothing of it can be remembered: a limit that
        asks is asked about each time."""
        kept = [reason.kept for reason in remembered(reasons)]
        if not kept:
            raise InvalidRequest("Nothing of this can be remembered.", "A limit that asks is asked about each time.")
        now_ms = _now_ms()
        given = [
            Consent(f"yes_{secrets.token_hex(8)}", self._owner, *each, now_ms, now_ms + REMEMBERED_MS)
            for each in dict.fromkeys(kept)
        ]
        for consent in given:
            told = _told(consent) | {"until_ms": consent.until_ms}
            with self._house.audit.within("consent.remembered", self._owner, owner=self._owner, detail=told):
                self._house.store.consents.put(consent)
        return given

    def remove(self, id: str) -> None:
        """Ask about it again. Raises NotFound."""
        found = next((one for one in self.all() if one.id == id), None)
        if found is None:
            raise NotFound("There is no such consent.", "`ownkey consents list` shows those that there are.")
        with self._house.audit.within("consent.withdrawn", self._owner, owner=self._owner, detail=_told(found)):
            self._house.store.consents.remove(self._owner, id)


def said_yes(house: House, asked: Asked, token: bytes) -> frozenset[str]:
    """The marks of a token's reasons, which is used up by this; none where it is no good one."""
    now_ms = _now_ms()
    yes = tokens.read(house.vault.consent_keys(), asked, token, now_ms)
    if yes is None or not house.store.consents.use(asked.owner, tokens.digest_of(token), yes.until_ms, now_ms):
        return frozenset()
    return frozenset(yes.marks)


def complete(house: House, error: ConsentRequired, asked: Asked, wanted: Any) -> None:
    """With the token to send `wanted` again with, good for what it was let before too, and what it would cost."""
    marks = [*wanted.yes, *(reason.mark for reason in error.reasons)]
    try:
        error.token, error.until_ms = tokens.write(house.vault.consent_keys()[0], asked, marks, _now_ms())
    except VaultSealed:
        return
    if isinstance(wanted, Request) and error.quote is None:
        error.quote = _estimate(house, wanted, error.reasons[-1].model)


def _estimate(house: House, request: Request, model: str) -> Estimate | None:
    from ownkey.app.quoting import quotes

    try:
        found = quotes(house, structs.replace(request), [model]).each[0]
    except OwnkeyError:
        return None
    return None if isinstance(found, NoQuote) else Estimate(model, found.low, found.expected, found.ceiling)


def _told(consent: Consent) -> dict[str, Any]:
    return {"kind": consent.kind, "source": consent.source, "target": consent.target}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
