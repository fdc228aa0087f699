"""Signing in at somebody else's: there, and back again."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Response

from ownkey.server.api.forms import Anybody, Arriving, Came, Shape
from ownkey.talk.errors import InvalidToken, OwnkeyError

router = APIRouter(prefix="/api/byok/sign-in", tags=["signing in"])

BACK = "/api/byok/sign-in/oidc/callback"
_PAGE = "/sign-in"
_COOKIE = "ownkey-oidc"
_AGE_S = 600


class WaysShape(Shape):
    """`oidc`: whether somebody else signs people in, too."""

    password: bool
    oidc: bool


@router.get("")
def ways(came: Anybody) -> WaysShape:
    return WaysShape(password=True, oidc=came.doors.oidc.is_set)


@router.get("/oidc", status_code=303, response_class=Response)
async def there(came: Arriving) -> Response:
    """To the issuer's own page."""
    begun = await came.doors.oidc.begin(_back(came))
    return Response(status_code=303, headers={"location": begun.address, "set-cookie": _kept(came, begun.kept, _AGE_S)})


@router.get("/oidc/callback", status_code=303, response_class=Response)
async def back(
    came: Arriving,
    code: Annotated[str, Query(max_length=4096)] = "",
    state: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """From the issuer's page to Ownkey's; what came of it stands after the `#`."""
    try:
        location, cookies = f"{_PAGE}#entered=issuer", [await _entered(came, code, state)]
    except OwnkeyError as error:
        location, cookies = f"{_PAGE}#refused={error.code}", []
    answer = Response(status_code=303, headers={"location": location})
    for cookie in (_kept(came, "", 0), *cookies):
        answer.headers.append("set-cookie", cookie)
    return answer


async def _entered(came: Came, code: str, state: str) -> str:
    kept = came.doors.cookie_named(came.head, _COOKIE.encode())
    if not code or kept is None:
        raise InvalidToken("The issuer did not let you in.", "Sign in again.")
    identity = await came.doors.oidc.finish(code, state, kept.decode("latin-1"), _back(came))
    browser = came.doors.browser(came.exchange, came.head)
    entered = await asyncio.to_thread(
        came.doors.sign_in.by_issuer, identity.issuer, identity.subject, identity.email, browser
    )
    return came.doors.set_cookie(entered.cookie)[1].decode("ascii")


def _back(came: Came) -> str:
    return f"{came.doors.origin(came.head).decode('ascii')}{BACK}"


def _kept(came: Came, value: str, age_s: int) -> str:
    """It has to come along from another site's page, which a strict cookie would not."""
    secure = "; Secure" if came.doors.secure else ""
    return f"{_COOKIE}={value}; Max-Age={age_s}; Path=/api/byok/sign-in/oidc; HttpOnly; SameSite=Lax{secure}"
