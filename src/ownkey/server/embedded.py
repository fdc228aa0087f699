"""The routes that a page of an application's may ask with its token, and no other: what components for keys, models,
usage and quotes need."""

from __future__ import annotations

import re

KEYS = "/api/byok/keys/{provider}"
OF_USER = "/api/user/api-keys/{user_id}"

ROUTES: tuple[tuple[str, str], ...] = (
    ("GET", "/api/byok/providers"),
    ("GET", "/api/byok/providers/{provider}"),
    ("GET", "/api/byok/models"),
    ("POST", "/api/byok/models/refresh"),
    ("POST", "/api/byok/validate"),
    ("GET", "/api/byok/keys"),
    ("PUT", KEYS),
    ("DELETE", KEYS),
    ("POST", f"{KEYS}/test"),
    ("GET", "/api/user/api-keys/providers"),
    ("GET", f"{OF_USER}/keys"),
    ("POST", f"{OF_USER}/keys/{{provider}}"),
    ("DELETE", f"{OF_USER}/keys/{{provider}}"),
    ("POST", f"{OF_USER}/keys/{{provider}}/test"),
    ("GET", f"{OF_USER}/services"),
    ("GET", f"{OF_USER}/status"),
    ("GET", "/api/byok/usage"),
    ("GET", "/api/byok/usage/summary"),
    ("GET", "/api/byok/usage/days"),
    ("POST", "/api/byok/quote"),
)

_PATHS = tuple((method, re.compile(re.sub(r"\{\w+\}", "[^/]+", path))) for method, path in ROUTES)


def is_for_pages(method: str, path: str) -> bool:
    """`path` with nothing escaped in it, as the router sees it."""
    return any(one == method and pattern.fullmatch(path) for one, pattern in _PATHS)
