"""What usage may be asked for: any of these, together."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from msgspec import structs

from ownkey.server.doors import Principal, nothing_here
from ownkey.store.runs import Wanted
from ownkey.store.usage import FOREVER_MS

Name = Annotated[str | None, Query(max_length=200)]
Time = Annotated[int | None, Query(ge=0, le=FOREVER_MS)]


def filters(
    owner: Name = None,
    provider: Name = None,
    model: Name = None,
    key_id: Name = None,
    token_id: Name = None,
    automation: Name = None,
    since_ms: Time = None,
    until_ms: Time = None,
) -> Wanted:
    given = {"owner": owner, "provider": provider, "model": model, "key_id": key_id, "token_id": token_id}
    given["automation"] = automation
    where = {name: value for name, value in given.items() if value is not None}
    return Wanted(where, since_ms, until_ms)


Filters = Annotated[Wanted, Depends(filters)]


def of(principal: Principal, wanted: Wanted) -> Wanted:
    """The same, of what they may see. Raises NotFound where somebody else's is asked for."""
    mine = principal.house_wide
    if mine is None:
        return wanted
    if wanted.where.get("owner", mine) != mine:
        raise nothing_here()
    return structs.replace(wanted, where={**wanted.where, "owner": mine})
