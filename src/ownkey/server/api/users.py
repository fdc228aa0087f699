"""People: for who keeps this Ownkey."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path

from ownkey.app.granting import GrantBook, GrantView
from ownkey.app.house import House
from ownkey.app.people import PeopleBook
from ownkey.server.api.forms import Form, Keeper, Removed, Shape, SureKeeper, TheHouse
from ownkey.server.doors import nothing_here
from ownkey.spending.window import Period
from ownkey.store.people import Status, User

router = APIRouter(prefix="/api/byok/users", tags=["people"])

Id = Annotated[str, Path(max_length=64)]
RoleName = Literal["owner", "admin", "member", "viewer"]


class UserShape(Shape):
    id: str
    name: str
    email: str | None
    role: RoleName
    status: Status
    password: bool
    second_factor: bool
    created_at_ms: int


class UsersShape(Shape):
    users: list[UserShape]


class NewUserForm(Form):
    name: str
    email: str
    role: RoleName = "member"


class UserForm(Form):
    """What is given is changed, and nothing else."""

    name: str | None = None
    email: str | None = None
    role: RoleName | None = None
    status: Literal["active", "suspended"] | None = None


class InvitedShape(Shape):
    """`invitation` is shown this once; it is good once, and for a week."""

    user: UserShape
    invitation: str


class GrantForm(Form):
    """`limit` in dollars, as text: an exact amount."""

    limit: str
    per: Literal["day", "week", "month", "cycle", "ever"] = "month"


class GrantShape(Shape):
    """In nano-USD, in the window that is running."""

    provider: str
    limit_nano: int | None
    per: Period
    spent_nano: int
    pending_nano: int
    left_nano: int | None


class GrantsShape(Shape):
    grants: list[GrantShape]


@router.get("")
def list_users(principal: Keeper, house: TheHouse) -> UsersShape:
    return UsersShape(users=[user_shape(user) for user in house.store.people.all()])


@router.post("", status_code=201)
def add_user(form: NewUserForm, principal: SureKeeper, house: TheHouse) -> InvitedShape:
    people = PeopleBook(house, principal.role)
    user = people.add(form.name, form.email, form.role)
    return _invited(user, people)


@router.patch("/{user}")
def change_user(user: Id, form: UserForm, principal: SureKeeper, house: TheHouse) -> UserShape:
    people, found = PeopleBook(house, principal.role), _found(user, house)
    given = form.model_dump(exclude_unset=True, exclude_none=True)
    status = given.pop("status", None)
    if given:
        found = people.change(user, **given)
    if status is not None and status != found.status:
        found = people.suspend(user) if status == "suspended" else people.activate(user)
    return user_shape(found)


@router.post("/{user}/invitation", status_code=201)
def invite_user(user: Id, principal: SureKeeper, house: TheHouse) -> InvitedShape:
    """A new one, by which they choose their password again; the one before is good no more."""
    return _invited(_found(user, house), PeopleBook(house, principal.role))


@router.delete("/{user}")
def remove_user(user: Id, principal: SureKeeper, house: TheHouse) -> Removed:
    """With their keys and tokens. What they have spent stays in the book."""
    _found(user, house)
    PeopleBook(house, principal.role).remove(user)
    return Removed(removed=1)


@router.get("/{user}/grants")
def list_grants(user: Id, principal: Keeper, house: TheHouse) -> GrantsShape:
    """Which keys of the environment they may use, and how much is left of each grant's budget."""
    return GrantsShape(grants=[_granted(one) for one in GrantBook(house, principal.role).all(_found(user, house).id)])


@router.put("/{user}/grants/{provider}")
def grant_key(user: Id, provider: Id, form: GrantForm, principal: SureKeeper, house: TheHouse) -> GrantShape:
    """Let them use the environment's key for this provider, where they have none of their own, within a budget."""
    found = _found(user, house)
    return _granted(GrantBook(house, principal.role).grant(found.id, provider, form.limit, form.per))


@router.delete("/{user}/grants/{provider}")
def revoke_grant(user: Id, provider: Id, principal: SureKeeper, house: TheHouse) -> Removed:
    removed = GrantBook(house, principal.role).revoke(_found(user, house).id, provider)
    if not removed:
        raise nothing_here()
    return Removed(removed=removed)


def user_shape(user: User) -> UserShape:
    plain = {name: getattr(user, name) for name in ("id", "name", "email", "role", "status", "created_at_ms")}
    return UserShape(**plain, password=user.password is not None, second_factor=user.totp_step is not None)


def _granted(view: GrantView) -> GrantShape:
    room = view.room
    return GrantShape(
        provider=view.provider,
        limit_nano=room.budget.limit,
        per=room.budget.window.period,
        spent_nano=room.spent,
        pending_nano=room.pending,
        left_nano=room.left,
    )


def _found(id: str, house: House) -> User:
    user = house.store.people.get(id)
    if user is None:
        raise nothing_here()
    return user


def _invited(user: User, people: PeopleBook) -> InvitedShape:
    return InvitedShape(user=user_shape(user), invitation=people.invite(user.id).reveal().decode("ascii"))
