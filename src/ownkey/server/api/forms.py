"""What all parts of the API share: how bodies are read, how answers are shaped, and who may ask."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import Depends, Request
from msgspec import Struct
from pydantic import BaseModel, ConfigDict

from ownkey.app.house import House
from ownkey.server.doors import Doors, Principal
from ownkey.server.exchange import Exchange
from ownkey.server.guard import Head
from ownkey.store.audit import acting


class Form(BaseModel):
    """A body. What it does not know it refuses, and it takes nothing for something else."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Shape(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="forbid")


class Came(Struct):
    """The request as it came, with what serves it."""

    exchange: Exchange
    head: Head
    doors: Doors
    house: House


# What only looks at what is known already is `async`: anything else is run by a thread, which costs more than it does.


async def came(request: Request) -> Came:
    state = request.state
    return Came(exchange=state.exchange, head=state.head, doors=state.doors, house=state.house)


async def anybody(came: Annotated[Came, Depends(came)]) -> Came:
    """Nobody has to be known; a browser has to ask from a page of ours."""
    came.doors.check_from_here(came.head, said=False)
    return came


async def arriving(came: Annotated[Came, Depends(came)]) -> Came:
    """Nobody has to be known, and another site may send them: nothing is changed for who came by themselves."""
    return came


def known(came: Annotated[Came, Depends(came)]) -> Principal:
    """Who has signed in, or a good token."""
    return came.doors.known(came.exchange, came.head)


async def acting_as(principal: Annotated[Principal, Depends(known)]) -> AsyncGenerator[Principal]:
    """What is recorded meanwhile was done by them."""
    with acting(principal.actor):
        yield principal


async def signed_in(principal: Annotated[Principal, Depends(acting_as)]) -> Principal:
    """A person, in a browser."""
    principal.signed_in()
    return principal


async def owner(principal: Annotated[Principal, Depends(acting_as)]) -> Principal:
    """Who may change what is their own."""
    return principal.changes()


async def keeper(principal: Annotated[Principal, Depends(acting_as)]) -> Principal:
    """Who may change what is everybody's."""
    return principal.keeps()


async def application(principal: Annotated[Principal, Depends(acting_as)]) -> Principal:
    """An application's token, for one of its users."""
    return principal.serves()


async def seer(principal: Annotated[Principal, Depends(acting_as)]) -> Principal:
    """Who may see what is everybody's."""
    return principal.sees()


async def sure_owner(principal: Annotated[Principal, Depends(owner)]) -> Principal:
    return principal.fresh()


async def sure_keeper(principal: Annotated[Principal, Depends(keeper)]) -> Principal:
    return principal.fresh()


GUARDS = (anybody, arriving, known, signed_in, owner, application, seer, keeper, sure_owner, sure_keeper)
"""Every route has one of these."""


async def house_of(came: Annotated[Came, Depends(came)]) -> House:
    return came.house


TheHouse = Annotated[House, Depends(house_of)]
Anybody = Annotated[Came, Depends(anybody)]
Arriving = Annotated[Came, Depends(arriving)]
Known = Annotated[Principal, Depends(known)]
SignedIn = Annotated[Principal, Depends(signed_in)]
Owner = Annotated[Principal, Depends(owner)]
Application = Annotated[Principal, Depends(application)]
Seer = Annotated[Principal, Depends(seer)]
Keeper = Annotated[Principal, Depends(keeper)]
SureOwner = Annotated[Principal, Depends(sure_owner)]
SureKeeper = Annotated[Principal, Depends(sure_keeper)]
"""`Sure…`: who has shown lately that it is they."""


class Removed(Shape):
    """How many there were."""

    removed: int
