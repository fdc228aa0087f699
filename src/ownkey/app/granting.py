"""Grants: whom an admin lets use a key of the environment, for which provider, and for how much."""

from __future__ import annotations

import secrets
import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, get_args

from msgspec import Struct

from ownkey.app.budgets import KEPT, amount_of
from ownkey.app.house import OWNER
from ownkey.app.people import PeopleBook
from ownkey.spending.budget import Budget, Room
from ownkey.spending.window import Period, Window
from ownkey.store.grants import Grant
from ownkey.store.people import Role, User
from ownkey.talk.errors import Conflict, InvalidRequest, NotFound

if TYPE_CHECKING:
    from ownkey.app.house import House


class GrantView(Struct, frozen=True):
    """Who may use the environment's key for this provider, and how its budget stands."""

    user: User
    provider: str
    room: Room


class GrantBook:
    """`role` is that of who asks: nobody but an owner has a say over owners."""

    def __init__(self, house: House, role: Role = "owner") -> None:
        self._house = house
        self._people = PeopleBook(house, role)

    def grant(self, who: str, provider: str, limit: object, per: str = "month") -> GrantView:
        """Let them use it, for so many dollars in each window; in place of the grant that they have for it.

        Where they have a key of their own, it goes first. Raises InvalidRequest, NotFound, PermissionDenied, Conflict.
        """
        user, manifest = self._people.to_change(who), self._house.catalogue.get(provider)
        if user.id == OWNER:
            raise Conflict("The machine's own person needs no grant.", "The environment's keys serve them already.")
        if per not in get_args(Period):
            raise InvalidRequest(f"per is one of: {', '.join(get_args(Period))}.", param="per")
        nano = amount_of(limit, "usd", "limit")
        if nano is None:
            raise InvalidRequest("A grant has a limit.", "Say how many dollars: --limit 5.", param="limit")
        now_ms = time.time_ns() // 1_000_000
        there = {grant.provider: grant for grant in self._house.store.grants.all(user.id)}.get(manifest.id)
        id = there.budget if there else f"{KEPT}{secrets.token_hex(6)}"
        grant = Grant(user.id, manifest.id, id, now_ms)
        budget = Budget(
            id=id,
            name=f"grant {manifest.id} {user.id}",
            owner=user.id,
            key_id=grant.key_id,
            limit=nano,
            window=Window(period=per),  # pyright: ignore[reportArgumentType]
            created_at_ms=now_ms,
        )
        # Without its budget a grant lets nobody: the budget comes first, and goes last.
        with self._recorded("grant.given", user, provider=manifest.id, limit_nano=nano, per=per):
            self._house.store.budgets.set(budget)
        self._house.store.grants.put(grant)
        self._house.vault.look_anew()
        return self._view(user, grant)

    def revoke(self, who: str, provider: str) -> int:
        """Within a second it opens nothing any more, anywhere; what is running goes on. 0 where there was none."""
        user = self._people.to_change(who)
        there = [grant for grant in self._house.store.grants.all(user.id) if grant.provider == provider]
        for grant in there:
            with self._recorded("grant.revoked", user, provider=provider):
                self._house.store.grants.remove(user.id, provider)
            self._house.vault.look_anew()
            self._house.store.budgets.remove(grant.budget)
        return len(there)

    def all(self, who: str | None = None) -> list[GrantView]:
        """Everybody's, or one person's. Raises NotFound."""
        users = self._people.listed() if who is None else [self._people.get(who)]
        return [self._view(user, grant) for user in users for grant in self._house.store.grants.all(user.id)]

    def _view(self, user: User, grant: Grant) -> GrantView:
        rooms = self._house.store.budgets.rooms(time.time_ns() // 1_000_000, [grant.budget])
        if not rooms:
            raise NotFound(f"The grant of {grant.provider} to {user.name} has lost its budget.", "Give it again.")
        return GrantView(user, grant.provider, rooms[0])

    def _recorded(self, action: str, user: User, **told: Any) -> AbstractContextManager[None]:
        return self._house.audit.within(action, user.id, owner=OWNER, detail={"name": user.name, **told})
