"""A root key that never leaves its server: the transit engine of HashiCorp Vault or OpenBao wraps and unwraps.

`POST {mount}/encrypt/{key}` and `…/decrypt/{key}` as their API documents have them, plaintext and associated data in
base64. A data key that was unwrapped is kept for some minutes: a key in use is not asked for again at every request.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from cryptography.exceptions import InvalidTag
from msgspec import Struct

from ownkey.settings import Settings
from ownkey.talk.errors import BadConfiguration, EndpointNotAllowed, VaultSealed
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.transport import KeyHeader
from ownkey.vault.asking import Asking
from ownkey.vault.envelope import audit_key, check_value, kek_id

KEPT_S = 300.0
_MOST_KEPT = 4096
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_MOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(?:/[A-Za-z0-9][A-Za-z0-9_.-]*){0,8}")


class Place(Struct, frozen=True):
    """Which key of which server, and how to be let in."""

    url: str
    key: str
    mount: str = "transit"
    namespace: str | None = None
    token: str | None = None
    token_file: str | None = None
    ca_file: str | None = None

    def __repr__(self) -> str:
        return f"Place({self.mount}/{self.key})"


def place(settings: Settings) -> Place:
    """Raises BadConfiguration where it cannot be used."""
    if settings.transit_url is None:
        raise BadConfiguration("OWNKEY_TRANSIT_URL is not set.", "It names the server that keeps the root key.")
    if not _NAME.fullmatch(settings.transit_key) or not _MOUNT.fullmatch(settings.transit_mount):
        raise BadConfiguration("OWNKEY_TRANSIT_KEY or OWNKEY_TRANSIT_MOUNT is no name of such a key.")
    if settings.transit_token is None and settings.transit_token_file is None:
        raise BadConfiguration("OWNKEY_TRANSIT_URL is set, but no token.", "Set OWNKEY_TRANSIT_TOKEN_FILE.")
    origin = _origin(settings.transit_url)[0]
    if origin.scheme != "https" and (origin.host, origin.port) not in settings.allow_private_hosts:
        raise BadConfiguration(
            "OWNKEY_TRANSIT_URL is not https: the token and every data key would go in the clear.",
            f"Where that network is yours, put {origin.bracketed}:{origin.port} into OWNKEY_ALLOW_PRIVATE_HOSTS.",
        )
    token = settings.transit_token
    return Place(
        url=settings.transit_url,
        key=settings.transit_key,
        mount=settings.transit_mount,
        namespace=settings.transit_namespace,
        token=None if token is None else token.reveal().decode(),
        token_file=None if settings.transit_token_file is None else str(settings.transit_token_file),
        ca_file=None if settings.transit_ca_file is None else str(settings.transit_ca_file),
    )


class Server:
    """That key. Every call blocks for 4 s at most, and raises VaultSealed where it is not answered or not let in."""

    def __init__(self, place: Place) -> None:
        self.place = place
        origin, base = _origin(place.url)
        self._base = f"{base}/v1/{place.mount}".encode("ascii")
        self._asking = Asking(origin, None if place.ca_file is None else Path(place.ca_file))

    def encrypt(self, plain: bytes, tied: bytes) -> bytes:
        said = self._ask("encrypt", {"plaintext": _text(plain), "associated_data": _text(tied)})
        text = said.get("ciphertext")
        if not isinstance(text, str) or not 16 <= len(text) <= 4096 or not text.isascii():
            raise self._wrong("does not say what it has encrypted")
        return text.encode()

    def decrypt(self, wrapped: bytes, tied: bytes) -> bytes:
        """Raises InvalidTag where it refuses what it is given."""
        try:
            text = wrapped.decode("ascii")
        except UnicodeDecodeError:
            raise InvalidTag from None
        said = self._ask("decrypt", {"ciphertext": text, "associated_data": _text(tied)})
        try:
            return base64.b64decode(said.get("plaintext") or "", validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise self._wrong("does not say what it has decrypted") from None

    def rotate(self) -> None:
        """A new version of the key there, which is what it encrypts with from now on."""
        self._ask("keys", {}, after=b"/rotate")

    def _ask(self, verb: str, body: Mapping[str, str], after: bytes = b"") -> dict[str, Any]:
        target = b"%b/%b/%b%b" % (self._base, verb.encode(), self.place.key.encode(), after)
        headers: tuple[tuple[bytes, bytes], ...] = ((b"x-vault-request", b"true"),)
        if self.place.namespace is not None:
            headers += ((b"x-vault-namespace", self.place.namespace.encode()),)
        status, answer = self._asking.post(
            target, headers, msgspec.json.encode(body), KeyHeader(b"x-vault-token", b"", self._token())
        )
        if status == 204:
            return {}
        if status == 200:
            try:
                found: Any = msgspec.json.decode(answer, type=dict[str, Any]).get("data") or {}
            except msgspec.DecodeError:
                found = None
            if not isinstance(found, dict):
                raise self._wrong("does not answer as a transit engine does")
            return msgspec.convert(found, dict[str, Any])
        if status == 400 and verb == "decrypt":
            raise InvalidTag
        raise self._wrong(_WHY.get(status, f"answered {status}"))

    def _token(self) -> Secret:
        try:
            return Secret(self.place.token or Path(self.place.token_file or "").read_text("ascii").strip())
        except (OSError, ValueError):
            raise VaultSealed(
                "The token for the transit server cannot be read.", "Look at OWNKEY_TRANSIT_TOKEN_FILE."
            ) from None

    def _wrong(self, why: str) -> VaultSealed:
        return VaultSealed(f"The transit server that keeps the root key {why}.", _HINT)


class Transit:
    """A root key in that server. What names it, `seed`, is random, wrapped there too, and opens nothing."""

    def __init__(self, server: Server, seed: bytes, probe: bytes) -> None:
        self.probe = probe
        self.kek_id = kek_id(seed)
        self._server = server
        self._seed = seed
        self._kept: dict[tuple[bytes, bytes], tuple[float, bytes]] = {}

    @classmethod
    def make(cls, server: Server, install_id: str) -> Transit:
        """Raises BadConfiguration where the server does not bind what it encrypts to its associated data."""
        seed = os.urandom(32)
        probe = server.encrypt(seed, _tie(install_id))
        if server.decrypt(probe, _tie(install_id)) != seed:
            raise VaultSealed("The transit server does not give back what it has encrypted.", _HINT)
        try:
            server.decrypt(probe, _tie(install_id) + b"?")
        except InvalidTag:
            return cls(server, seed, probe)
        raise BadConfiguration(
            "The transit server does not bind what it encrypts to its associated data.",
            "Make the key of type aes256-gcm96, on a version that knows `associated_data`.",
        )

    @classmethod
    def open(cls, server: Server, probe: bytes, install_id: str) -> Transit:
        try:
            seed = server.decrypt(probe, _tie(install_id))
        except InvalidTag:
            raise VaultSealed(
                "The transit server has another root key than the one that the stored keys were sealed with.",
                "Point OWNKEY_TRANSIT_URL, _MOUNT and _KEY at the one with which it was set up. Nothing was changed.",
            ) from None
        return cls(server, seed, probe)

    def check(self, install_id: str) -> bytes:
        return check_value(self._seed, install_id)

    def wrap(self, plain: bytes, tied: bytes) -> bytes:
        return self._server.encrypt(plain, tied)

    def unwrap(self, wrapped: bytes, tied: bytes) -> bytes:
        now = time.monotonic()
        known = self._kept.get((wrapped, tied))
        if known is not None and now < known[0]:
            return known[1]
        plain = self._server.decrypt(wrapped, tied)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[wrapped, tied] = (now + KEPT_S, plain)
        return plain

    def handover(self) -> bytes:
        return msgspec.json.encode(self._server.place)

    def audit_key(self) -> bytes:
        return audit_key(self._seed)

    def __reduce__(self) -> NoReturn:
        raise TypeError("root keys are not pickled or copied")


def received(handover: bytes, probe: bytes, install_id: str) -> Transit:
    """What `handover` of another process's gave."""
    return Transit.open(Server(msgspec.json.decode(handover, type=Place)), probe, install_id)


def _origin(url: str) -> tuple[Origin, str]:
    try:
        origin, path = Origin.parse(url)
    except EndpointNotAllowed:
        raise BadConfiguration(
            "OWNKEY_TRANSIT_URL cannot be used.", "Write it like https://vault.example.com:8200"
        ) from None
    if origin.scheme == "inside":
        raise BadConfiguration("OWNKEY_TRANSIT_URL cannot be used.", "Write it like https://vault.example.com:8200")
    return origin, path.rstrip("/")


def _tie(install_id: str) -> bytes:
    return b"ownkey transit probe v1\0" + install_id.encode()


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


_WHY = {
    403: "refuses the token",
    404: "has no such key or mount",
    429: "is on standby",
    503: "is itself sealed",
}
_HINT = "Look at that server, at OWNKEY_TRANSIT_TOKEN_FILE and at what the token's policy allows."
