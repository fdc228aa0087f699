"""What a page of an application's may ask from its own origin: these routes, with a page's token, and nothing else.

Fetch Standard, sections 3.2 and 4.8 (CORS): a browser asks by OPTIONS before it sends a token to another origin.
"""

from __future__ import annotations

from urllib.parse import unquote

from ownkey.app.house import House
from ownkey.server.doors import API_HEADERS
from ownkey.server.embedded import is_for_pages
from ownkey.server.exchange import Exchange, Header

HEADERS = (b"authorization", b"content-type")
"""What a page may send."""

MAX_AGE_S = 600

_RESOURCE = b"cross-origin-resource-policy"


class CrossOrigin:
    """`page_origins` of the settings are looked at each time: they may change meanwhile."""

    def __init__(self, house: House) -> None:
        self._house = house

    def headers(self, exchange: Exchange) -> tuple[Header, ...]:
        """What an answer of the API carries."""
        if not self._house.settings.page_origins or not is_for_pages(exchange.method, unquote(exchange.path)):
            return API_HEADERS
        origin = self._origin(exchange)
        if origin is None:
            return (*API_HEADERS, (b"vary", b"origin"))
        own = [header for header in API_HEADERS if header[0] != _RESOURCE]
        return (*own, (_RESOURCE, b"cross-origin"), *_allowed(origin))

    def preflight(self, exchange: Exchange) -> list[Header] | None:
        """What is said to OPTIONS before a page asks; None where it may not."""
        asked = {name: value for name, value in exchange.headers if name.startswith(b"access-control-request-")}
        method = asked.get(b"access-control-request-method", b"").decode("latin-1")
        origin = self._origin(exchange)
        if origin is None or not is_for_pages(method, unquote(exchange.path)):
            return None
        names = asked.get(b"access-control-request-headers", b"").lower().split(b",")
        if not {name.strip() for name in names if name.strip()} <= set(HEADERS):
            return None
        return [
            *_allowed(origin),
            (b"access-control-allow-methods", method.encode("ascii")),
            (b"access-control-allow-headers", b", ".join(HEADERS)),
            (b"access-control-max-age", b"%d" % MAX_AGE_S),
        ]

    def _origin(self, exchange: Exchange) -> bytes | None:
        """That of the page, where it is one that the settings name."""
        said = [value for name, value in exchange.headers if name == b"origin"]
        if len(said) == 1 and said[0].decode("latin-1") in self._house.settings.page_origins:
            return said[0]
        return None


def _allowed(origin: bytes) -> list[Header]:
    return [(b"access-control-allow-origin", origin), (b"vary", b"origin")]
