"""The page: the files of its build, and the views, which are one document with a nonce of its own each time."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from msgspec import Struct

from ownkey.server.doors import API_HEADERS, SAFE_METHODS
from ownkey.server.exchange import Exchange, Header
from ownkey.settings import Settings
from ownkey.talk.secret import Secret

FOLDER = Path(__file__).with_name("page")
"""Where the build puts it; a checkout without Node has none."""

VIEWS = (
    *("/", "/welcome", "/sign-in", "/chat", "/automations", "/batches", "/settings/byok", "/models", "/budgets"),
    *("/routes", "/usage", "/activity", "/people", "/connect", "/settings"),
)
"""Where the page's views are; what they go deeper into stands under them."""

SIGN_IN = "/sign-in#"
INDEX, NONCE = "index.html", b"__OWNKEY_NONCE__"

KINDS: Mapping[str, bytes] = {
    ".js": b"text/javascript; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".txt": b"text/plain; charset=utf-8",
    ".json": b"application/json",
    ".map": b"application/json",
    ".webmanifest": b"application/manifest+json",
    ".svg": b"image/svg+xml",
    ".png": b"image/png",
    ".ico": b"image/x-icon",
    ".woff2": b"font/woff2",
}
CODINGS: Mapping[str, bytes] = {".br": b"br", ".gz": b"gzip"}
"""Files beside a file: the same, coded. The better one first."""

_PROGRAMS = ("/v1", "/v1beta", "/api", "/health")
_HASHED = (b"cache-control", b"public, max-age=31536000, immutable")
_ASKED_AGAIN = (b"cache-control", b"no-cache")
_HTML = (b"content-type", KINDS[".html"])
_BY_CODING = (b"vary", b"accept-encoding")
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'nonce-%b'; img-src 'self' blob:; font-src 'self'; "
    b"connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_NOT_USED = ("camera", "display-capture", "geolocation", "microphone", "midi", "payment", "usb")
_PERMISSIONS = b"%b, clipboard-write=(self), publickey-credentials-get=(self)" % ", ".join(
    f"{name}=()" for name in _NOT_USED
).encode("ascii")
_OF_A_PAGE: tuple[Header, ...] = (
    (b"permissions-policy", _PERMISSIONS),
    *(header for header in API_HEADERS if header[0] != b"content-security-policy"),
)
_WEIGHT = re.compile(rb"\s*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE)

_NOT_BUILT = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Ownkey</title>
<h1>The page is not built</h1>
<p>The gateway answers. Its page has to be built first, which takes Node 20.19 or later:</p>
<pre>npm --prefix web ci &amp;&amp; npm --prefix web run build</pre>
<p>or start Ownkey by <code>make run</code>, which does it. Then load this again.</p>
</html>
"""


def address(
    settings: Settings,
    port: int | None = None,
    secret: Secret | None = None,
    kind: Literal["link", "invitation"] = "link",
) -> str:
    """Where a browser finds the page: at the public address, or on this machine, at `port` where that is not the one of
    the settings. With a `secret`, where that signs in: what stands after a `#` no browser sends to anybody."""
    public = settings.public_origin
    here = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = f"http://{here}:{port or settings.port}" if public is None else public.as_browsers_say
    return base if secret is None else f"{base}{SIGN_IN}{kind}={secret.reveal().decode('ascii')}"


class Form(Struct, frozen=True):
    """What is sent of a file, in one coding."""

    body: bytes
    etag: bytes


class File(Struct, frozen=True):
    kind: bytes
    kept: Header
    plain: Form
    coded: Mapping[bytes, Form]


class Built(Struct, frozen=True):
    """`index` is cut where the nonce belongs; `files` are by the paths that they are asked for at."""

    index: tuple[bytes, ...]
    files: Mapping[str, File]


class Pages:
    """Serves what a build has put into a folder, which is read when it is first asked for."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._built: Built | None = None
        self._reading = asyncio.Lock()

    async def serve(self, exchange: Exchange) -> bool:
        """Whether this was asked for a view, a file of the build, or by a browser for what is not there."""
        path = exchange.path
        if exchange.method not in SAFE_METHODS or _is_for_programs(path):
            return False
        built = self._built or await self._read()
        if built is None and is_view(path):
            exchange.answer(503, _NOT_BUILT, [*API_HEADERS], _HTML)
        elif built is None:
            return False
        elif (file := built.files.get(path)) is not None:
            _give(exchange, file)
        elif is_view(path):
            _show(exchange, built, 200)
        elif b"text/html" in _said(exchange, b"accept"):
            _show(exchange, built, 404)
        else:
            return False
        return True

    def allowed(self, path: str) -> list[str]:
        """The methods that there are at this path."""
        is_file = self._built is not None and path in self._built.files
        return sorted(SAFE_METHODS) if is_file or is_view(path) else []

    async def _read(self) -> Built | None:
        async with self._reading:
            if self._built is None:
                self._built = await asyncio.to_thread(read, self._folder)
        return self._built


def is_view(path: str) -> bool:
    return path in VIEWS or path.startswith(_UNDER)


_UNDER = tuple(f"{view}/" for view in VIEWS if view != "/")


def read(folder: Path) -> Built | None:
    """The build in this folder; None where there is none. What a link leads to is no part of it."""
    if not (folder / INDEX).is_file():
        return None
    found: dict[str, bytes] = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(place, name) for name in names if not name.startswith(".")):
            if not path.is_symlink():
                found["/" + quote(path.relative_to(folder).as_posix())] = path.read_bytes()
    index = found.pop(f"/{INDEX}")
    return Built(tuple(index.split(NONCE)), {path: _file(path, found) for path in found if not _is_coded(path, found)})


def coding(said: bytes, offered: Iterable[bytes]) -> bytes:
    """Which of these codings suits an Accept-Encoding best, the first of several alike; empty where none is better than
    the file as it is (RFC 9110 section 12.5.3)."""
    weights: dict[bytes, float] = {}
    for part in said.lower().split(b","):
        name, more, weight = part.partition(b";")
        found = _WEIGHT.fullmatch(weight)
        weights[name.strip()] = float(found[1]) if found else 0.0 if more else 1.0
    others, plain = weights.get(b"*", 0.0), weights.get(b"identity", 0.0)
    best, name = max(((weights.get(one, others), one) for one in offered), key=lambda one: one[0], default=(0.0, b""))
    return name if best > 0 and best >= plain else b""


def _file(path: str, found: Mapping[str, bytes]) -> File:
    coded = {name: _form(found[path + suffix]) for suffix, name in CODINGS.items() if path + suffix in found}
    kind = KINDS.get(os.path.splitext(path)[1], b"application/octet-stream")
    return File(kind, _HASHED if path.startswith("/assets/") else _ASKED_AGAIN, _form(found[path]), coded)


def _form(body: bytes) -> Form:
    return Form(body, b'"%b"' % sha256(body).hexdigest()[:32].encode("ascii"))


def _is_coded(path: str, found: Mapping[str, bytes]) -> bool:
    base, suffix = os.path.splitext(path)
    return suffix in CODINGS and base in found


def _give(exchange: Exchange, file: File) -> None:
    chosen = coding(_said(exchange, b"accept-encoding"), file.coded)
    form = file.coded[chosen] if chosen else file.plain
    headers = [(b"etag", form.etag), _BY_CODING, *API_HEADERS]
    if chosen:
        headers.append((b"content-encoding", chosen))
    status = 304 if _has(_said(exchange, b"if-none-match"), form.etag) else 200
    exchange.answer(status, form.body, headers, (b"content-type", file.kind), file.kept)


def _has(said: bytes, etag: bytes) -> bool:
    """Whether a client says that it has this already (RFC 9110 section 13.1.2)."""
    return any(one.strip().removeprefix(b"W/") in (etag, b"*") for one in said.split(b",") if said)


def _show(exchange: Exchange, built: Built, status: int) -> None:
    nonce = secrets.token_urlsafe(16).encode("ascii")
    headers = [(b"content-security-policy", _POLICY % nonce), *_OF_A_PAGE]
    exchange.answer(status, nonce.join(built.index), headers, _HTML)


def _is_for_programs(path: str) -> bool:
    return path.startswith(tuple(f"{one}/" for one in _PROGRAMS)) or path in _PROGRAMS


def _said(exchange: Exchange, wanted: bytes) -> bytes:
    return b",".join(value for name, value in exchange.headers if name == wanted)
