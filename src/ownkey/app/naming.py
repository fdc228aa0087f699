"""What people name, by the id that the book has it under."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ownkey.app.people import folded
from ownkey.store.tokens import TokenRow
from ownkey.talk.errors import InvalidRequest

if TYPE_CHECKING:
    from ownkey.app.house import House


def id_of(house: House, named: str) -> str:
    """The id of whoever's e-mail address that is; anything else is an id: not every owner has an account."""
    found = house.store.people.by_email(folded(named))
    return named if found is None else found.id


def token_of(rows: Sequence[TokenRow], named: str, owner: str, field: str) -> str:
    """The id of the one of these tokens that has it, or has that name and is good: `owner`'s before others'. Raises
    InvalidRequest, naming the field, also where several people have one of that name."""
    live = [row for row in rows if row.revoked_at_ms is None and named in (row.id, row.name)]
    found = [row for row in live if row.id == named or row.owner == owner] or live
    if not found:
        raise InvalidRequest(f"There is no token {named[:100]!r}.", "`ownkey tokens list` shows them.", param=field)
    if len(found) > 1:
        ids = ", ".join(row.id for row in found[:10])
        raise InvalidRequest(f"There are several tokens {named[:100]!r}: {ids}.", "Say which by its id.", param=field)
    return found[0].id
