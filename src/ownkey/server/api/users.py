"""People: for who keeps this Ownkey."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path

from ownkey.app.house import House
from ownkey.app.people import PeopleBook
from ownkey.server.api.forms import Form, Keeper, Removed, Shape, SureKeeper, TheHouse
from ownkey.server.doors import nothing_here
from ownkey.store.people import User

router = APIRouter(prefix="/api/byok/users", tags=["people"])

Id = Annotated[str, Path(max_length=64)]
RoleName = Literal["owner", "admin", "member", "viewer"]


class UserShape(Shape):
    id: str
    name: str
    email: str | None
    role: str
    status: str
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


def user_shape(user: User) -> UserShape:
    plain = {name: getattr(user, name) for name in ("id", "name", "email", "role", "status", "created_at_ms")}
    return UserShape(**plain, password=user.password is not None, second_factor=user.totp_step is not None)


def _found(id: str, house: House) -> User:
    user = house.store.people.get(id)
    if user is None:
        raise nothing_here()
    return user


def _invited(user: User, people: PeopleBook) -> InvitedShape:
    return InvitedShape(user=user_shape(user), invitation=people.invite(user.id).reveal().decode("ascii"))
