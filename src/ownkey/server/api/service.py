"""The API put together: its parts, its errors, its document."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from ownkey.server.api import (
    alerts,
    audit,
    automations,
    budgets,
    cache,
    channels,
    consents,
    health,
    history,
    home,
    keys,
    limits,
    models,
    oidc,
    onboarding,
    parcels,
    passkeys,
    preferences,
    prices,
    providers,
    routes,
    runs,
    sessions,
    sign_in,
    starters,
    tokens,
    usage,
    users,
)
from ownkey.server.api.document import completed
from ownkey.server.api.forms import Known
from ownkey.server.problems import headers_of, status_of
from ownkey.talk.errors import InvalidRequest, OwnkeyError
from ownkey.talk.secret import clean
from ownkey.wires.wire import Door, wire

DOCUMENT = "/api/openapi.json"
PARTS: tuple[APIRouter, ...] = (
    *(providers.router, models.router, keys.router, keys.one_router, keys.users_router, onboarding.router),
    *(tokens.router, budgets.router, budgets.preview_router, usage.router),
    *(home.router, runs.router, audit.router, channels.router, tokens.pages_router),
    *(alerts.router, prices.router, users.router, sessions.router, sign_in.router, oidc.router, passkeys.router),
    *(parcels.router, limits.router, health.router, history.router, history.terms_router, cache.router),
    *(routes.router, routes.choosing_router, routes.runs_router),
    *(preferences.router, consents.router, consents.waiting_router),
    *(automations.router, automations.runs_router, starters.router),
)
ROUTES = tuple(route for part in PARTS for route in part.routes if isinstance(route, APIRoute))


def build() -> FastAPI:
    """The application; what it serves comes with each request, in its state."""
    api = FastAPI(title="Ownkey", version="1", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for part in PARTS:
        api.include_router(part)

    @api.get(DOCUMENT, include_in_schema=False)
    def document(principal: Known) -> dict[str, Any]:
        return described(api)

    api.add_exception_handler(OwnkeyError, _own)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _plain)
    return api


def described(api: FastAPI) -> dict[str, Any]:
    if api.openapi_schema is None:
        completed(api.openapi(), ROUTES)
    return api.openapi()


def answer(error: OwnkeyError, status: int | None = None, **headers: str) -> Response:
    """An error in the one form in which every error stands here."""
    door = wire("openai-chat")
    assert isinstance(door, Door)
    status = status or status_of(error)
    own = {name.decode(): value.decode() for name, value in headers_of(error)}
    body = msgspec.json.encode(door.write_error(error, status))
    return Response(body, status, {**own, **headers}, "application/json")


def _own(request: Request, error: Exception) -> Response:
    assert isinstance(error, OwnkeyError)
    return answer(error)


def _invalid(request: Request, error: Exception) -> Response:
    """Which field, and what is wrong with it; what was sent is not told again: it may be a key."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = [str(part) for part in first["loc"][1:]]
    field = clean(".".join(place), limit=80)
    if first["type"] == "extra_forbidden":
        return answer(InvalidRequest(f"There is no field {field!r} here.", "Leave it out.", param=field))
    if first["type"] == "json_invalid" or not place:
        return answer(InvalidRequest("The body is not JSON of the form wanted here.", "The document has the form."))
    return answer(InvalidRequest(f"{field} is not what is wanted here: {_says(first)}.", param=field))


def _says(problem: dict[str, Any]) -> str:
    """pydantic's own words, but for the kinds in which it quotes what was sent."""
    return (
        "it is wrong" if problem["type"].startswith(("value_error", "assertion")) else clean(problem["msg"], limit=160)
    )


def _plain(request: Request, error: Exception) -> Response:
    """What the router says by itself: no such path, or not that method."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        says = InvalidRequest(f"This path does not take {request.method}.")
        # The router names the methods of the first route only that has this path.
        taken = {one for route in ROUTES if route.path_regex.match(request.url.path) for one in route.methods or ()}
        return answer(says, 405, allow=", ".join(sorted(taken)) or "GET")
    if error.status_code == 404:
        return answer(InvalidRequest("There is nothing at this path.", "/api/openapi.json lists what there is."), 404)
    return answer(InvalidRequest("The body is not JSON of the form wanted here."), 422)
