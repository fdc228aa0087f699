"""Signing in at somebody else's: OpenID Connect, by the authorization code flow with PKCE.

OpenID Connect Core 1.0 section 3.1, Discovery 1.0 section 4, RFC 7636. Everything is fetched by the transport that
providers are asked by, so that it goes nowhere else and follows no redirect.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from ownkey.settings import Settings
from ownkey.talk.errors import BadConfiguration, InvalidToken, OwnkeyError, PermissionDenied, UnexpectedResponse
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.transport import Deadlines, KeyHeader, Outgoing, Transport

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

ALGORITHMS = ("RS256", "PS256", "ES256")
"""By public keys. `none`, and whatever is made with a secret that both sides have, is not taken."""

KEPT_S = 600.0
ANEW_S = 60.0
LEEWAY_S = 60
MOST_BYTES = 1 << 20

_DEADLINES = Deadlines(connect_s=5.0, headers_s=10.0, idle_s=10.0, total_s=15.0)
_SCOPE = "openid email profile"


class Issuer(Struct, frozen=True):
    """What it says of itself; addresses."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class Begun(Struct, frozen=True):
    """`address` is where the browser goes; `kept` comes back with it, in a cookie of its own."""

    address: str
    kept: str


class Identity(Struct, frozen=True):
    """`email` is None where the issuer has not verified one."""

    issuer: str
    subject: str
    email: str | None


class Tokens(Struct, frozen=True):
    id_token: str


class Oidc:
    """Serves one event loop."""

    def __init__(self, settings: Settings, transport: Transport) -> None:
        self._settings = settings
        self._transport = transport
        self._found: tuple[float, Issuer, KeySet] | None = None

    @property
    def is_set(self) -> bool:
        return self._settings.oidc_issuer is not None and self._settings.oidc_client_id is not None

    async def begin(self, back: str) -> Begun:
        """`back`: the address that the issuer sends the browser back to."""
        issuer, _ = await self._issuer()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id or "",
            "redirect_uri": back,
            "scope": _SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in issuer.authorization_endpoint else "?"
        return Begun(f"{issuer.authorization_endpoint}{joint}{urlencode(query)}", f"{state}.{nonce}.{verifier}")

    async def finish(self, code: str, state: str, kept: str, back: str) -> Identity:
        """Raises InvalidToken where it is not what was begun in this browser, or not of this issuer."""
        parts = kept.split(".")
        if len(parts) != 3 or not hmac.compare_digest(parts[0].encode(), state.encode()):
            raise _not_good("it was not begun in this browser")
        _, nonce, verifier = parts
        issuer, keys = await self._issuer()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        tokens = await self._tokens(issuer, form)
        try:
            return self._identity(issuer, keys, tokens.id_token, nonce)
        except KeyError:
            # It may sign with a key that it did not have before.
            issuer, keys = await self._issuer(anew=True)
        try:
            return self._identity(issuer, keys, tokens.id_token, nonce)
        except KeyError:
            raise _not_good("nobody knows the key that signed it") from None

    def _identity(self, issuer: Issuer, keys: KeySet, id_token: str, nonce: str) -> Identity:
        """Core section 3.1.3.7. Raises KeyError where the key is not known."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        client = self._settings.oidc_client_id or ""
        rules = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": issuer.issuer},
            sub={"essential": True},
            aud={"essential": True, "value": client},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            token = jwt.decode(id_token, keys, algorithms=ALGORITHMS)
            rules.validate(token.claims)
        except JoseError as error:
            if error.error == "invalid_key_id":
                raise KeyError(error.error) from None
            raise _not_good("its signature or what it says is not right") from None
        except (ValueError, TypeError) as error:
            if "key" in str(error).lower():
                raise KeyError("key") from None
            raise _not_good("it cannot be read") from None
        claims = token.claims
        if claims["aud"] not in (client, [client]) and claims.get("azp") != client:
            raise _not_good("it was made for somebody else")
        verified = claims.get("email_verified") is True
        email = claims.get("email")
        return Identity(issuer.issuer, str(claims["sub"]), email if verified and isinstance(email, str) else None)

    async def _tokens(self, issuer: Issuer, form: dict[str, str]) -> Tokens:
        """The client shows itself as RFC 6749 section 2.3.1 has it."""
        client, secret = self._settings.oidc_client_id or "", self._settings.oidc_client_secret
        headers = [(b"content-type", b"application/x-www-form-urlencoded"), (b"accept", b"application/json")]
        shown = None
        if secret is not None:
            shown = KeyHeader(b"authorization", b"Basic ", _pair(client, secret))
        else:
            form = form | {"client_id": client}
        origin, target = _place(issuer.token_endpoint)
        body = urlencode(form).encode("ascii")
        out = Outgoing(b"POST", origin, target, tuple(headers), body, "oidc", shown)
        return await self._fetched(out, Tokens)

    async def _issuer(self, *, anew: bool = False) -> tuple[Issuer, KeySet]:
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        now_s = time.monotonic()
        if self._found is not None and now_s < self._found[0] + (ANEW_S if anew else KEPT_S):
            return self._found[1:]
        named = self._settings.oidc_issuer
        if named is None or not self.is_set:
            raise PermissionDenied("Nobody else signs people in here.", "Sign in with your password.")
        issuer = await self._get(f"{named.rstrip('/')}/.well-known/openid-configuration", Issuer)
        if issuer.issuer != named:
            raise BadConfiguration(
                "The issuer calls itself otherwise than the settings do.", "Set OWNKEY_OIDC_ISSUER to its own name."
            )
        keys: dict[str, Any] = await self._get(issuer.jwks_uri, dict[str, Any])
        try:
            found = KeySet.import_key_set({"keys": [key for key in keys["keys"] if key.get("use", "sig") == "sig"]})
        except (JoseError, ValueError, KeyError, TypeError, AttributeError):
            raise UnexpectedResponse("The issuer's keys cannot be read.") from None
        self._found = (now_s, issuer, found)
        return issuer, found

    async def _get(self, address: str, kind: type[Any]) -> Any:
        origin, target = _place(address)
        headers = ((b"accept", b"application/json"), (b"user-agent", b"ownkey"))
        return await self._fetched(Outgoing(b"GET", origin, target, headers, b"", "oidc"), kind)

    async def _fetched(self, out: Outgoing, kind: type[Any]) -> Any:
        async with asyncio.timeout(_DEADLINES.total_s):
            incoming = await self._transport.send(out, _DEADLINES)
            body = await incoming.read(MOST_BYTES)
        if incoming.status != 200:
            raise UnexpectedResponse(f"The issuer at {out.origin} answered {incoming.status}.", status=incoming.status)
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise UnexpectedResponse(f"What the issuer at {out.origin} answered cannot be read.") from None


def _place(address: str) -> tuple[Origin, bytes]:
    """An address of the issuer's, as it is asked for. Raises EndpointNotAllowed."""
    plain, _, query = address.partition("?")
    origin, path = Origin.parse(plain)
    slash = "/" if plain.endswith("/") else ""
    return origin, f"{path}{slash}{'?' if query else ''}{query}".encode("ascii", "ignore") or b"/"


def _pair(client: str, secret: Secret) -> Secret:
    return Secret(b64encode(f"{quote(client, safe='')}:{quote(secret.reveal().decode(), safe='')}".encode()))


def _not_good(why: str) -> OwnkeyError:
    return InvalidToken(f"The issuer's answer is not good: {why}.", "Sign in again.")
