"""What people name, by the id that the book has it under."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ownkey.app.people import folded

if TYPE_CHECKING:
    from ownkey.app.house import House


def id_of(house: House, named: str) -> str:
    """The id of whoever's e-mail address that is; anything else is an id: not every owner has an account."""
    found = house.store.people.by_email(folded(named))
    return named if found is None else found.id
