"""A person's tokens, as the faces see them: made for what they are for, listed, revoked."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from ownkey.app.budgets import BudgetBook
from ownkey.routing.scope import Scope, scope_of
from ownkey.store.tokens import TokenKind, TokenRow
from ownkey.talk.errors import InvalidRequest, OwnkeyError
from ownkey.talk.secret import Secret

if TYPE_CHECKING:
    from ownkey.app.house import House

_SPAN = re.compile(r"([1-9][0-9]{0,4})([hdw])", re.ASCII)
_SPAN_MS = {"h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}


class MadeToken(Struct, frozen=True):
    """`secret` is the token itself, which is shown now and never again."""

    row: TokenRow
    secret: Secret


class TokenBook:
    def __init__(self, house: House, owner: str) -> None:
        self._house = house
        self._owner = owner

    def listed(self) -> list[TokenRow]:
        return self._house.tokens.listed(self._owner)

    def create(
        self,
        name: str,
        *,
        kind: TokenKind = "use",
        providers: Iterable[str] = (),
        models: Iterable[str] = (),
        addresses: Iterable[str] = (),
        expires_at_ms: int | None = None,
        budget: str | None = None,
        per: str = "month",
    ) -> MadeToken:
        """A token for everything of this person's, or for what is named. `budget`, in dollars for each `per`, makes one
        of the token's own.

        A `service` token acts for the users of another application: each of them owns keys, budgets and usage.
        Raises InvalidRequest, naming the field.
        """
        scope = scope_of([self._house.catalogue.get(one).id for one in providers], models, addresses)
        row, secret = self._house.tokens.create(self._owner, name, kind=kind, scope=scope, expires_at_ms=expires_at_ms)
        if budget is not None:
            # What an application's users ask is theirs: it would not fall under a budget of the token's owner.
            only = None if kind == "service" else self._owner
            book = BudgetBook(self._house, self._owner, only=only)
            try:
                book.make(f"token {name}"[:100], limit=budget, per=per, token=row.id)
            except OwnkeyError:
                self._house.tokens.revoke(row.id)
                raise
        return MadeToken(row, secret)

    def revoke(self, id_or_name: str) -> bool:
        """Whether there was such a token of this person's."""
        return self._house.tokens.revoke(id_or_name, self._owner)


def scope_in(row: TokenRow) -> Scope:
    """What it is limited to; an empty scope where it is for everything."""
    return msgspec.json.decode(row.scope, type=Scope) if row.scope else Scope()


def ends_at_ms(text: str, now_ms: int | None = None) -> int:
    """`12h`, `30d`, `4w`, or a day such as 2030-01-31, whose end (UTC) it is. Raises InvalidRequest."""
    if span := _SPAN.fullmatch(text.strip()):
        return (time.time_ns() // 1_000_000 if now_ms is None else now_ms) + int(span[1]) * _SPAN_MS[span[2]]
    try:
        day = datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidRequest("An end is 12h, 30d, 4w, or a day such as 2030-01-31.", param="expires") from None
    return int(day.timestamp() * 1000) + _SPAN_MS["d"]
