"""The document of the API: what FastAPI makes of the routes, with what every route has besides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi.routing import APIRoute

from ownkey.server.api.forms import anybody, application, arriving, keeper, seer, signed_in, sure_keeper
from ownkey.server.doors import SAFE_METHODS
from ownkey.server.guard import CSRF
from ownkey.talk.errors import KINDS
from ownkey.talk.notices import ACTIONS

Document = dict[str, Any]

STATUSES = {
    400: "The provider does not take it.",
    401: "Nobody is shown, or not who it should be.",
    402: "The provider wants money.",
    403: "Whoever it is may not do this, or has to show again who they are.",
    404: "There is no such thing here, or it is somebody else's.",
    409: "It does not go with what is there.",
    413: "The body is too long.",
    421: "This server does not answer for that host.",
    422: "Something sent is not what is wanted here; `param` names it.",
    429: "Too often; `retry-after` says how many seconds to wait.",
    502: "The provider, or the issuer, did not answer as it should.",
    503: "Not now: the vault is sealed, the records do not answer, or too many ask.",
    504: "The provider, or the issuer, did not answer in time.",
}
EVERYWHERE = (401, 403, 413, 421, 422, 503)
OF_OTHERS = (400, 402, 404, 409, 429, 502, 504)
"""Where somebody else is asked before the answer."""

FURTHER: dict[str, tuple[int, ...]] = {
    "PATCH /api/byok/providers/{provider}": (404, 409),
    "POST /api/byok/providers": (404, 409),
    "PUT /api/byok/provider-order": (404,),
    "POST /api/byok/models/refresh": (404,),
    "PATCH /api/byok/onboarding": (409,),
    "POST /api/byok/agreement": (409,),
    "PATCH /api/byok/key/{key}": (404, 409),
    "PUT /api/byok/keys/{provider}": OF_OTHERS,
    "POST /api/user/api-keys/{user_id}/keys/{provider}": OF_OTHERS,
    "POST /api/automations": (404, 409),
    "PUT /api/automation-default": (404, 409),
    "GET /api/automation-runs/{run}": (404, 409),
    "PATCH /api/automations/{automation}": (404, 409),
    "PATCH /api/automations/{automation}/model": OF_OTHERS,
    "POST /api/automations/{automation}/quote": OF_OTHERS,
    "POST /api/automations/{automation}/run": OF_OTHERS,
    "POST /api/byok/tokens": (404, 409),
    "POST /api/byok/budgets": (404, 409),
    "PUT /api/byok/budgets/{budget}": (404, 409),
    "POST /api/byok/budget-preview": (404, 409),
    "POST /api/byok/routes": (409,),
    "PUT /api/byok/routes/{route}": (404, 409),
    "POST /api/byok/alerts/seen": (404,),
    "GET /api/byok/usage": (404,),
    "GET /api/byok/usage/days": (404,),
    "GET /api/byok/usage/runs": (404,),
    "GET /api/byok/usage/export": (404,),
    "PUT /api/byok/prices/own": (404, 409),
    "DELETE /api/byok/prices/own": (404,),
    "POST /api/byok/users": (409,),
    "PATCH /api/byok/users/{user}": (404, 409),
    "DELETE /api/byok/users/{user}": (404, 409),
    "POST /api/byok/sessions/current/proof": (404, 429),
    "PUT /api/byok/sessions/current/authenticator": (404, 409, 429),
    "POST /api/byok/sessions/current/authenticator": (409,),
    "POST /api/byok/sessions/current/passkeys": (409,),
    "POST /api/byok/sessions/current/passkeys/options": (409,),
    "POST /api/byok/sign-in/link": (404,),
    "POST /api/byok/sign-in/password": (429,),
    "POST /api/byok/sign-in/code": (404, 429),
    "POST /api/byok/sign-in/invitation": (404,),
    "GET /api/byok/sign-in/oidc": OF_OTHERS,
    "POST /api/byok/sign-in/passkey": (404, 409),
    "POST /api/byok/sign-in/passkey/options": (409,),
}
"""What a route may answer besides; one whose path names something also 404."""

_ERROR: Document = {
    "type": "object",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "code", "param", "kind"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "code": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "line": {"type": ["integer", "null"], "description": "Of a text that was sent, from 1."},
                "kind": {"type": "string", "enum": list(KINDS)},
                "provider": {"type": ["string", "null"]},
                "status": {"type": ["integer", "null"], "description": "The provider's own."},
                "notice": {"type": "string", "description": "What to say to a person."},
                "action": {"type": "string", "enum": list(ACTIONS), "description": "What to offer them."},
            },
        }
    },
}
_SCHEMES: Document = {
    "session": {"type": "apiKey", "in": "cookie", "name": "ownkey", "description": "A browser's, once it signed in."},
    "csrf": {"type": "apiKey", "in": "header", "name": CSRF.decode(), "description": "Told at sign-in."},
    "token": {"type": "http", "scheme": "bearer"},
}


def completed(document: Document, routes: Iterable[APIRoute]) -> Document:
    """With the errors that each route answers, and what each asks for."""
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Error"] = _ERROR
    document["components"]["securitySchemes"] = _SCHEMES
    document["components"]["responses"] = {str(status): _response(says) for status, says in STATUSES.items()}
    for route in routes:
        for method in route.methods or ():
            operation = document["paths"][route.path][method.lower()]
            own = {status: one for status, one in operation["responses"].items() if status[0] in "23"}
            told = {*EVERYWHERE, *FURTHER.get(f"{method} {route.path}", ()), *((404,) if "{" in route.path else ())}
            refs = {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(told)}
            operation["responses"] = own | refs
            operation["security"] = _security(route, method)
    return document


def _security(route: APIRoute, method: str) -> list[Document]:
    """One of these; nothing where anybody may ask."""
    guards = {one.call for one in route.dependant.dependencies}
    if guards & {anybody, arriving}:
        return []
    browser: Document = {"session": []} if method in SAFE_METHODS else {"session": [], "csrf": []}
    if application in guards:
        return [{"token": []}]
    people_only = guards & {signed_in, seer, keeper, sure_keeper}
    return [browser] if people_only else [browser, {"token": []}]


def _response(says: str) -> Document:
    return {"description": says, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
