"""People, as the faces see them: added, invited, given a role, suspended, removed."""

from __future__ import annotations

import secrets
import time
import unicodedata
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from ownkey.app.house import OWNER
from ownkey.settings.alerts import is_address
from ownkey.store.people import Role, User
from ownkey.store.sessions import Ticket
from ownkey.talk.errors import InvalidRequest, NotFound, PermissionDenied
from ownkey.talk.secret import REDACTED, Secret
from ownkey.vault.login import digest, new_secret

if TYPE_CHECKING:
    from ownkey.app.house import House

LONGEST_ADDRESS = 254
"""RFC 5321 section 4.5.3.1.3, without the brackets of a path."""
INVITED_MS = 7 * 86_400_000
INVITATION = "invitation"
ROLES: dict[Role, str] = {
    "owner": "everything",
    "admin": "everything but owners",
    "member": "what is their own",
    "viewer": "looks at usage, budgets and prices, and changes nothing",
}


class PeopleBook:
    """`role` is that of who asks: nobody but an owner makes, changes or removes an owner."""

    def __init__(self, house: House, role: Role = "owner") -> None:
        self._house = house
        self._role = role

    def listed(self) -> list[User]:
        """In the order in which they came."""
        return self._house.store.people.all()

    def get(self, who: str) -> User:
        """By id, or by e-mail address. Raises NotFound."""
        found = self._house.store.people.get(who) or self._house.store.people.by_email(folded(who))
        if found is None:
            raise nobody()
        return found

    def add(self, name: str, email: str | None = None, role: Role = "member") -> User:
        """Somebody new, who can sign in once an invitation was accepted. Raises InvalidRequest, Conflict."""
        self._check_role(role)
        user = User(
            id=f"usr_{secrets.token_hex(8)}",
            name=_name(name),
            email=None if email is None else _email(email),
            role=role,
            status="active",
            password=None,
            totp_step=None,
            created_at_ms=time.time_ns() // 1_000_000,
        )
        with self._recorded("person.added", user, role=role):
            self._house.store.people.add(user)
        return user

    def invite(self, who: str) -> Secret:
        """A secret that is shown now, good once and for a week: whoever has it chooses the password. Earlier ones are
        good no more."""
        user = self.to_change(who)
        now_ms = time.time_ns() // 1_000_000
        secret = new_secret("oi")
        ticket = Ticket(digest(secret.reveal()), INVITATION, user.id, "{}", now_ms, now_ms + INVITED_MS)
        with self._recorded("person.invited", user, invitation=REDACTED):
            self._house.store.tickets.add(ticket, alone=True)
        return secret

    def change(self, who: str, *, name: str | None = None, email: str | None = None, role: Role | None = None) -> User:
        """Change what is given. Raises InvalidRequest, NotFound, PermissionDenied, Conflict."""
        user = self.to_change(who)
        given: dict[str, Any] = {}
        if name is not None:
            given["name"] = _name(name)
        if email is not None:
            given["email"] = _email(email)
        if role is not None:
            self._check_role(role)
            given["role"] = role
        told = {name: {"old": getattr(user, name), "new": value} for name, value in given.items()}
        return self._changed(user, "person.changed", told, **given) if given else user

    def suspend(self, who: str) -> User:
        """Nothing of theirs opens anything, from within a second, until they are active again."""
        user = self._changed(self.to_change(who), "person.suspended", {}, status="suspended")
        self._house.store.sessions.end_all(user.id)
        return user

    def activate(self, who: str) -> User:
        return self._changed(self.to_change(who), "person.activated", {}, status="active")

    def remove(self, who: str) -> User:
        """With their keys and tokens, which are destroyed. What they have spent stays in the book, under an id that
        names nobody."""
        user = self.to_change(who)
        granted = self._house.store.grants.all(user.id)
        with self._recorded("person.removed", user):
            if not self._house.store.people.remove(user.id):
                raise nobody()
        self._house.tokens.forget()
        for grant in granted:
            self._house.store.budgets.remove(grant.budget)
        return user

    def _changed(self, user: User, action: str, told: dict[str, Any], **columns: Any) -> User:
        with self._recorded(action, user, **told):
            changed = self._house.store.people.change(user.id, **columns)
        self._house.tokens.forget()
        if changed is None:
            raise nobody()
        return changed

    def _recorded(self, action: str, user: User, **told: Any) -> AbstractContextManager[None]:
        return self._house.audit.within(action, user.id, owner=OWNER, detail={"name": user.name, **told})

    def to_change(self, who: str) -> User:
        """Whom who asks has a say over. Raises NotFound, PermissionDenied."""
        user = self.get(who)
        self._check_role(user.role)
        return user

    def _check_role(self, role: Role) -> None:
        if role not in ROLES:
            raise InvalidRequest(f"A role is one of: {', '.join(ROLES)}.", param="role")
        if role == "owner" and self._role != "owner":
            raise PermissionDenied("Only an owner has a say over owners.", "Ask one.")


def nobody() -> NotFound:
    return NotFound("There is nobody of that name here.", "`ownkey users list` shows who there is.")


def folded(email: str) -> str:
    """As it is kept and compared: one address, however it is written."""
    return unicodedata.normalize("NFKC", email).strip().casefold()


def _email(email: str) -> str:
    address = folded(email)
    if len(address) > LONGEST_ADDRESS or not is_address(address):
        raise InvalidRequest("This is not an e-mail address.", "One such as ann@example.com.", param="email")
    return address


def _name(name: str) -> str:
    if not 1 <= len(name.strip()) <= 100 or not name.isprintable():
        raise InvalidRequest("A name is 1 to 100 printable characters.", param="name")
    return name.strip()
