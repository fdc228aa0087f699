"""Who may come in: the Host a browser believes it speaks to, and the token of the caller."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address

from msgspec import Struct, structs

from ownkey.engine.remember import LONGEST_TTL_S
from ownkey.engine.request import CacheWish
from ownkey.routing.scope import is_in
from ownkey.server.exchange import Exchange, Header
from ownkey.store.people import User
from ownkey.store.sessions import Session
from ownkey.talk.errors import GoesRound, InvalidRequest, InvalidToken, PermissionDenied, UnsupportedMedia
from ownkey.vault.page_tokens import BEGINS as PAGE_TOKEN
from ownkey.vault.tokens import Caller, Tokens

LOOPBACK = frozenset({b"localhost", b"127.0.0.1", b"[::1]"})
ACCEPT_PRICE = b"x-ownkey-accept-unknown-price"
ACCEPT_OVER = b"x-ownkey-accept-over-budget"
AUTOMATION = b"x-ownkey-automation"
CARRY_ON = b"x-ownkey-carry-on"
CACHE = b"x-ownkey-cache"
CACHE_TTL = b"x-ownkey-cache-ttl"
CONSENT = b"x-ownkey-consent"
REMEMBER = b"x-ownkey-consent-remember"
PARK = b"x-ownkey-park"
HOPS = b"x-ownkey-hops"
MOST_HOPS = 1
USER = b"x-ownkey-user"
CSRF = b"x-ownkey-csrf"
MOST_AUTOMATION_BYTES = 128
FORWARDED = b"x-forwarded-for"
MOST_PROXIES = 8

# What a body's fields depend on (Anthropic, Beta headers): without it the provider would refuse them.
PASSED = frozenset({b"anthropic-beta"})
MOST_PASSED_BYTES = 2048

_TOKENS = frozenset({b"x-api-key", b"x-goog-api-key"})
# What a browser says of a request, by itself or for the page; a program sends none of it but the agent.
_BROWSERS = {b"cookie": "cookie", b"origin": "origin", b"sec-fetch-site": "fetch_site", CSRF: "csrf"}
_USER = re.compile(rb"[A-Za-z0-9._@+:-]{1,128}")
_READ = (
    frozenset({b"host", b"authorization", b"content-type", b"content-encoding", b"anthropic-version"})
    | {ACCEPT_PRICE, ACCEPT_OVER, AUTOMATION, CARRY_ON, CONSENT, REMEMBER, PARK, USER, HOPS, CACHE, CACHE_TTL}
    | {b"cookie", b"origin", b"sec-fetch-site", CSRF}
    | _TOKENS
    | PASSED
)


class Head(Struct):
    """What is read of a request's headers; None where one did not come. `host` is None too where several came.

    `consent` is a token of it, and `remembers` whether it is good for later too; `parks`: whether a question is waited
    with; None: as the person prefers.
    `automation` is the name of the one that it is a run of; `user` whom of its users an application asks for.
    `cookie`, `origin`, `fetch_site` and `csrf` come from browsers. `anthropic`: a client of Anthropic's. `carries`: a
    stream that breaks off is to go on elsewhere, or is not; None: it was not said. `hops`: how many Ownkeys it came
    through. `passed`: what goes on to a provider of the client's own wire. `caller` is no header: who is signed in in
    the browser that asks, where that was looked for, with their `session`.
    """

    host: bytes | None = None
    token: bytes | None = None
    content_type: bytes | None = None
    content_encoding: bytes | None = None
    price_accepted: bool = False
    over_accepted: bool = False
    consent: bytes | None = None
    remembers: bool = False
    parks: bool | None = None
    automation: str | None = None
    user: str | None = None
    cookie: bytes | None = None
    origin: bytes | None = None
    fetch_site: bytes | None = None
    csrf: bytes | None = None
    anthropic: bool = False
    carries: bool | None = None
    cache: CacheWish = ""
    cache_ttl_s: int | None = None
    hops: int = 0
    passed: tuple[Header, ...] = ()
    caller: Caller | None = None
    session: tuple[Session, User] | None = None


def read_head(headers: Iterable[Header]) -> Head:
    """Raises InvalidToken where two different tokens came, or one of a kind that is not understood, and InvalidRequest
    for an automation or a user without a proper name."""
    head = Head()
    hosts = 0
    for name, value in headers:
        if name not in _READ:
            continue
        if name == b"host":
            head.host = value
            hosts += 1
        elif name == b"content-type":
            head.content_type = value
        elif name == b"content-encoding":
            head.content_encoding = value
        elif name == b"anthropic-version":
            head.anthropic = True
        elif name in PASSED:
            if len(value) <= MOST_PASSED_BYTES and value.isascii():
                head.passed = (*head.passed, (name, value))
        elif name == ACCEPT_PRICE:
            head.price_accepted = value.lower() == b"yes"
        elif name == ACCEPT_OVER:
            head.over_accepted = value.lower() == b"yes"
        elif name == CONSENT:
            head.consent = value
        elif name == REMEMBER:
            head.remembers = value.lower() == b"yes"
        elif name == PARK:
            head.parks = value.lower() == b"yes"
        elif name == AUTOMATION:
            head.automation = automation_of(value)
        elif name == CARRY_ON:
            head.carries = value.lower() == b"yes"
        elif name == CACHE:
            head.cache = cache_of(value)
        elif name == CACHE_TTL:
            head.cache_ttl_s = cache_ttl_of(value)
        elif name == HOPS:
            head.hops = _hops(value)
        elif name == USER:
            head.user = _user(value, head.user)
        elif name in _BROWSERS:
            setattr(head, _BROWSERS[name], value)
        else:
            token = _bearer(value) if name == b"authorization" else value
            if head.token is not None and head.token != token:
                raise InvalidToken("Two different tokens came with one request.", "Send one.")
            head.token = token
    if hosts != 1:
        head.host = None
    return head


def automation_of(value: bytes) -> str:
    """Raises InvalidRequest where it is no proper name."""
    name = value.strip()
    if not name or len(name) > MOST_AUTOMATION_BYTES or not name.isascii() or not name.decode("ascii").isprintable():
        raise InvalidRequest(
            "The name of an automation is of 1 to 128 printable characters of ASCII.", param=AUTOMATION.decode()
        )
    return name.decode("ascii")


def cache_of(value: bytes) -> CacheWish:
    """Raises InvalidRequest."""
    said = value.strip().lower().decode("latin-1")
    if said not in ("on", "off", "refresh"):
        raise InvalidRequest(f"{CACHE.decode()} is on, off or refresh.", param=CACHE.decode())
    return said


def cache_ttl_of(value: bytes) -> int:
    """Raises InvalidRequest."""
    said = value.strip()
    if not said.isdigit() or len(said) > 9 or not 1 <= int(said) <= LONGEST_TTL_S:
        raise InvalidRequest(
            f"{CACHE_TTL.decode()} is a number of seconds from 1 to {LONGEST_TTL_S}.", param=CACHE_TTL.decode()
        )
    return int(said)


def _hops(value: bytes) -> int:
    """One Ownkey may ask another; a third is most likely the first again (508: RFC 5842 section 7.2)."""
    hops = int(value) if value.isdigit() and len(value) < 4 else MOST_HOPS + 1
    if hops > MOST_HOPS:
        raise GoesRound("This request came here through other Ownkeys.", "Look where their providers' addresses lead.")
    return hops


def _user(value: bytes, before: str | None) -> str:
    name = value.strip()
    if not _USER.fullmatch(name) or before is not None:
        raise InvalidRequest(
            "A user is named once, by 1 to 128 letters, digits and any of . _ @ + : -", param=USER.decode()
        )
    return name.decode("ascii")


def host_allowed(host: bytes | None, allowed: frozenset[bytes]) -> bool:
    """Whether the one Host header names this machine: a name that was rebound to it by DNS does not."""
    if host is None:
        return False
    name, _, port = host.lower().rpartition(b":")
    return (name if name and port.isdigit() else host.lower()) in allowed


def client_of(exchange: Exchange, proxies: tuple[str, ...]) -> str:
    """Who asked the nearest of our own proxies. What is said by anybody else is not believed."""
    client = exchange.peer
    said = [value for name, value in exchange.headers if name == FORWARDED]
    for hop in reversed(b",".join(said).split(b",")[-MOST_PROXIES:]):
        if not is_in(client, proxies):
            break
        try:
            client = str(ip_address(hop.strip().decode("ascii")))
        except ValueError:
            break
    return client


def caller_of(exchange: Exchange, head: Head, tokens: Tokens) -> Caller | None:
    """The caller: by the token, which goes before a cookie, or who was found to be signed in; None where it is nobody.
    Raises InvalidToken for a token that is not good, and PermissionDenied for one that is good for something else."""
    if head.token is None:
        return head.caller
    if head.token.startswith(PAGE_TOKEN):
        raise PermissionDenied("A page's token asks no model.", "Ask from the application's own server.")
    caller = tokens.caller(head.token)
    if caller is None:
        raise InvalidToken("This token is not known here.", "Make one with `ownkey tokens create NAME`.")
    if caller.scope is not None and not caller.scope.admits(exchange.peer):
        raise PermissionDenied("This token is not for your address.", "Ask from where it was made for.")
    if caller.service or head.user is not None:
        return _for_user(caller, head.user)
    return caller


def _for_user(caller: Caller, user: str | None) -> Caller:
    """An application's user owns what is his: no slash stands in an account's own id."""
    if not caller.service:
        raise PermissionDenied("This token asks for nobody but its owner.", f"Leave {USER.decode()} out.")
    if user is None:
        raise InvalidRequest("Whom of your users this is for is not said.", f"Send {USER.decode()}.", param="user")
    return structs.replace(caller, owner=f"{caller.owner}/{user}")


def check_body_is_plain(head: Head) -> None:
    """Raises UnsupportedMedia for a compressed body."""
    if head.content_encoding is not None and head.content_encoding.lower() != b"identity":
        raise UnsupportedMedia("A compressed body is not read.", "Send it as it is.", param="content-encoding")


def check_body_is_json(head: Head) -> None:
    """Raises UnsupportedMedia unless the body is plain JSON."""
    check_body_is_plain(head)
    kind = head.content_type
    if kind != b"application/json" and (kind or b"").partition(b";")[0].strip().lower() != b"application/json":
        raise UnsupportedMedia(
            "The body is not marked as JSON.", "Send `Content-Type: application/json`.", param="content-type"
        )


def _bearer(value: bytes) -> bytes:
    scheme, _, token = value.partition(b" ")
    if scheme.lower() != b"bearer":
        raise InvalidToken("Only a bearer token is understood here.", "Send `Authorization: Bearer TOKEN`.")
    return token.strip()
