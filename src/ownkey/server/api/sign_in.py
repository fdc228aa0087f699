"""Signing in, for who is not known yet."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from ownkey.app.signing import Entered, Half
from ownkey.server.api.forms import Anybody, Came, Form, Shape
from ownkey.server.api.users import UserShape, user_shape
from ownkey.server.doors import csrf

router = APIRouter(prefix="/api/byok/sign-in", tags=["signing in"])

Given = Annotated[str, Field(min_length=1, max_length=1000)]


class LinkForm(Form):
    """`link` is what `ownkey users sign-in` prints."""

    link: Given


class PasswordForm(Form):
    email: Given
    password: Given


class CodeForm(Form):
    """`step` is from the answer to the password; `code` from the authenticator, or one of the recovery codes."""

    step: Given
    code: Given


class InvitationForm(Form):
    invitation: Given
    password: Given


class EnteredShape(Shape):
    """`csrf` goes with every request that changes something, as the header `x-ownkey-csrf`."""

    next: Literal["in"] = "in"
    user: UserShape
    csrf: str


class CodeWanted(Shape):
    next: Literal["code"] = "code"
    step: str


@router.post("/link")
def by_link(form: LinkForm, came: Anybody, response: Response) -> EnteredShape:
    """Good once."""
    entered = came.doors.sign_in.by_link(form.link, came.doors.browser(came.exchange, came.head))
    return enter(entered, came, response)


@router.post("/password")
def by_password(form: PasswordForm, came: Anybody, response: Response) -> EnteredShape | CodeWanted:
    """The same answer, after the same time, whether there is somebody of that address or not."""
    browser = came.doors.browser(came.exchange, came.head)
    return _next(came.doors.sign_in.by_password(form.email, form.password, browser), came, response)


@router.post("/code")
def by_code(form: CodeForm, came: Anybody, response: Response) -> EnteredShape:
    entered = came.doors.sign_in.by_code(form.step, form.code, came.doors.browser(came.exchange, came.head))
    return enter(entered, came, response)


@router.post("/invitation")
def by_invitation(form: InvitationForm, came: Anybody, response: Response) -> EnteredShape | CodeWanted:
    """Choose the password. Good once."""
    browser = came.doors.browser(came.exchange, came.head)
    return _next(came.doors.sign_in.accept(form.invitation, form.password, browser), came, response)


def _next(found: Entered | Half, came: Came, response: Response) -> EnteredShape | CodeWanted:
    if isinstance(found, Half):
        return CodeWanted(step=found.step.reveal().decode("ascii"))
    return enter(found, came, response)


def enter(entered: Entered, came: Came, response: Response) -> EnteredShape:
    name, value = came.doors.set_cookie(entered.cookie)
    response.headers[name.decode()] = value.decode("ascii")
    return EnteredShape(user=user_shape(entered.user), csrf=csrf(entered.cookie.reveal()).decode("ascii"))
