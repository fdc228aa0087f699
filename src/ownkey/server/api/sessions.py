"""Who is signed in, and where else; and what they sign in with."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from ownkey.app.signing import is_fresh, shown
from ownkey.server.api.forms import Came, Form, Removed, Shape, SignedIn, TheHouse, came
from ownkey.server.api.sign_in import Given
from ownkey.server.api.users import UserShape, user_shape
from ownkey.server.doors import csrf, nothing_here

router = APIRouter(prefix="/api/byok/sessions", tags=["sessions"])

TheRequest = Annotated[Came, Depends(came)]


class SessionShape(Shape):
    """`agent` is what the browser calls itself. Over at `until_ms`, or after half a day without use."""

    id: str
    created_at_ms: int
    seen_at_ms: int
    until_ms: int
    agent: str
    address: str


class SessionsShape(Shape):
    sessions: list[SessionShape]


class CurrentShape(Shape):
    """`csrf` goes with every request that changes something, as the header `x-ownkey-csrf`. `proved`: nothing asks for
    the password again just now."""

    user: UserShape
    session: SessionShape
    csrf: str
    proved: bool


class ProofForm(Form):
    password: Given
    code: Given | None = None


class NewPasswordForm(Form):
    password: Given


class CodeForm(Form):
    code: Given


class AuthenticatorShape(Shape):
    """`secret` is typed into an authenticator, or `address` shown to it as a picture; then a code confirms it."""

    secret: str
    address: str


class RecoveryShape(Shape):
    """Each is good once, in place of a code. They are shown this once."""

    recovery_codes: list[str]


@router.get("/current")
def current(principal: SignedIn, request: TheRequest) -> CurrentShape:
    session, user = principal.signed_in()
    value = csrf(request.doors.cookie(request.head) or b"").decode("ascii")
    own = SessionShape.model_validate(shown(session))
    return CurrentShape(user=user_shape(user), session=own, csrf=value, proved=is_fresh(session, user))


@router.get("")
def list_sessions(principal: SignedIn, house: TheHouse) -> SessionsShape:
    _, user = principal.signed_in()
    found = house.store.sessions.of(user.id, time.time_ns() // 1_000_000)
    return SessionsShape(sessions=[SessionShape.model_validate(shown(one)) for one in found])


@router.delete("/current")
def sign_out(principal: SignedIn, request: TheRequest, house: TheHouse, response: Response) -> Removed:
    session, user = principal.signed_in()
    house.store.sessions.end(user.id, session.id)
    name, value = request.doors.clear_cookie()
    response.headers[name.decode()] = value.decode("ascii")
    response.headers["clear-site-data"] = '"cache", "storage"'
    return Removed(removed=1)


@router.delete("/{id}")
def end_session(id: Annotated[str, Path(max_length=64)], principal: SignedIn, house: TheHouse) -> Removed:
    _, user = principal.signed_in()
    if not house.store.sessions.end(user.id, id):
        raise nothing_here()
    return Removed(removed=1)


@router.delete("")
def end_others(principal: SignedIn, house: TheHouse) -> Removed:
    """Every session but this one."""
    session, user = principal.signed_in()
    return Removed(removed=house.store.sessions.end_all(user.id, but=session.id))


@router.post("/current/proof")
def prove(form: ProofForm, principal: SignedIn, request: TheRequest) -> CurrentShape:
    """Show again who it is, for what asks for it."""
    session, user = principal.signed_in()
    request.doors.sign_in.prove(session, user, form.password, form.code)
    shape = current(principal, request)
    return shape.model_copy(update={"proved": True})


@router.put("/current/password")
def set_password(form: NewPasswordForm, principal: SignedIn, request: TheRequest) -> Removed:
    """Every other session ends."""
    session, user = principal.signed_in()
    request.doors.sign_in.set_password(session, user, form.password)
    return Removed(removed=0)


@router.post("/current/authenticator")
def begin_authenticator(principal: SignedIn, request: TheRequest) -> AuthenticatorShape:
    session, user = principal.signed_in()
    secret, address = request.doors.sign_in.begin_totp(session, user)
    return AuthenticatorShape(secret=secret.reveal().decode("ascii"), address=address)


@router.put("/current/authenticator")
def confirm_authenticator(form: CodeForm, principal: SignedIn, request: TheRequest) -> RecoveryShape:
    session, user = principal.signed_in()
    return RecoveryShape(recovery_codes=request.doors.sign_in.confirm_totp(session, user, form.code))


@router.delete("/current/authenticator")
def remove_authenticator(principal: SignedIn, request: TheRequest) -> Removed:
    session, user = principal.signed_in()
    request.doors.sign_in.remove_totp(session, user)
    return Removed(removed=1)
