"""Envelope v2: one secret, sealed so that it opens only for what it was sealed for.

    magic 4 | ver 1 | alg 1 | kek_id 8 | length 2 | wrapped_dek length | nonce 12 | ct n | tag 16 | commit 32

`wrapped_dek` is a data key of its own for each record, wrapped by the root key as that does it: a local one gives
nonce 12 | ct 32 | tag 16, one that is kept by a server whatever that answers. Both layers are authenticated with the
same associated data: every field of `Bound` as UTF-8 text, then ver with alg, then kek_id, each as a 4-byte big-endian
length and its bytes. The text is AES-256-GCM (alg 1). GCM alone lets one ciphertext be valid under two keys, so
`commit` names the one data key: HKDF-Expand of it.

v1, which is read and no longer written, has no length: its wrapped_dek is always 60 bytes.
"""

from __future__ import annotations

import hmac
import os
from functools import lru_cache
from struct import Struct as Layout
from typing import NamedTuple, NoReturn, Protocol

from cryptography.exceptions import InvalidTag
from msgspec import Struct

from ownkey.talk.errors import KeyUnreadable
from ownkey.vault.aead import NONCE_BYTES, TAG_BYTES, decrypt, encrypt, expand

MAGIC = b"OKEV"
VERSION = 2
AES_256_GCM = 1
KEK_ID_BYTES = 8
KEK_ID_AT = 6
"""Where in every version the id of the root key stands."""

_FIRST = Layout(">4sBB8s")
_LENGTH = Layout(">H")
_V1_WRAPPED = 60
_COMMIT = 32


class Bound(Struct, frozen=True):
    """What a sealed secret is tied to; `origin` is `scheme://host:port`."""

    install_id: str
    owner: str
    provider: str
    origin: str
    key_id: str
    version: int
    purpose: str = "provider key"


class Kek(Protocol):
    """A root key: what wraps data keys, wherever it is kept."""

    @property
    def kek_id(self) -> bytes: ...

    def check(self, install_id: str) -> bytes:
        """32 bytes that tell this root key from any other, for this install, and do not give it away."""
        ...

    def wrap(self, plain: bytes, tied: bytes) -> bytes:
        """Raises VaultSealed where it is kept by a server that does not answer, as `unwrap` does."""
        ...

    def unwrap(self, wrapped: bytes, tied: bytes) -> bytes:
        """Raises cryptography's InvalidTag where a bit of either is another."""
        ...

    def audit_key(self) -> bytes:
        """32 bytes, with which the head of the audit trail is sealed."""
        ...

    def handover(self) -> bytes:
        """What another process needs to use it; it leaves this one only wrapped by another root key."""
        ...


class Root:
    """A root key in this process: 32 bytes."""

    __slots__ = ("_raw", "kek_id")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != 32:
            raise ValueError("a root key is 32 bytes")
        self._raw = raw
        self.kek_id = kek_id(raw)

    def check(self, install_id: str) -> bytes:
        return check_value(self._raw, install_id)

    def wrap(self, plain: bytes, tied: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + encrypt(self._raw, nonce, plain, tied)

    def unwrap(self, wrapped: bytes, tied: bytes) -> bytes:
        if len(wrapped) < NONCE_BYTES + TAG_BYTES:
            raise InvalidTag
        return decrypt(self._raw, wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], tied)

    def handover(self) -> bytes:
        return self._raw

    def audit_key(self) -> bytes:
        return audit_key(self._raw)

    def __reduce__(self) -> NoReturn:
        raise TypeError("root keys are not pickled or copied")


def kek_id(seed: bytes) -> bytes:
    return expand(seed, b"ownkey kek id v1")[:KEK_ID_BYTES]


def check_value(seed: bytes, install_id: str) -> bytes:
    return expand(seed, b"ownkey root check v1\0" + install_id.encode())


def audit_key(seed: bytes) -> bytes:
    return expand(seed, b"ownkey audit v1")


def seal(root: Kek, bound: Bound, plain: bytes) -> bytes:
    """`plain` under a data key made for this call alone."""
    dek, nonce = os.urandom(32), os.urandom(NONCE_BYTES)
    tied = _associated(bound, VERSION, AES_256_GCM, root.kek_id)
    wrapped = root.wrap(dek, tied)
    head = _FIRST.pack(MAGIC, VERSION, AES_256_GCM, root.kek_id) + _LENGTH.pack(len(wrapped))
    return head + wrapped + nonce + encrypt(dek, nonce, plain, tied) + _commitment(dek)


def unseal(root: Kek, bound: Bound, sealed: bytes) -> bytes:
    """What `seal` was given. Raises KeyUnreadable where root, bound or a bit of `sealed` is another."""
    parts = _parts(sealed)
    if parts.kek_id != root.kek_id:
        _refuse("was sealed under another root key")
    tied = _associated(bound, parts.version, AES_256_GCM, parts.kek_id)
    try:
        dek = root.unwrap(parts.wrapped, tied)
        if len(dek) != 32 or not hmac.compare_digest(_commitment(dek), parts.commit):
            _refuse("was altered")
        return decrypt(dek, parts.nonce, parts.text, tied)
    except InvalidTag:
        _refuse("was altered, or belongs to another owner, provider or origin")


def sealed_under(sealed: bytes) -> bytes:
    """The id of the root key that a record says it is sealed under; less than an id where it is too short."""
    return sealed[KEK_ID_AT : KEK_ID_AT + KEK_ID_BYTES]


class _Parts(NamedTuple):
    version: int
    kek_id: bytes
    wrapped: bytes
    nonce: bytes
    text: bytes
    commit: bytes


def _parts(sealed: bytes) -> _Parts:
    if len(sealed) < _FIRST.size + _LENGTH.size:
        _refuse("is too short to be a sealed key")
    magic, version, algorithm, kek = _FIRST.unpack_from(sealed)
    if magic != MAGIC or version not in (1, VERSION) or algorithm != AES_256_GCM:
        _refuse("is not in a format that this version reads")
    begin, length = _FIRST.size, _V1_WRAPPED
    if version == VERSION:
        (length,) = _LENGTH.unpack_from(sealed, begin)
        begin += _LENGTH.size
    wrapped_end = begin + length
    nonce_end = wrapped_end + NONCE_BYTES
    if len(sealed) < nonce_end + TAG_BYTES + _COMMIT:
        _refuse("is too short to be a sealed key")
    wrapped, nonce = sealed[begin:wrapped_end], sealed[wrapped_end:nonce_end]
    return _Parts(version, kek, wrapped, nonce, sealed[nonce_end:-_COMMIT], sealed[-_COMMIT:])


def _refuse(why: str) -> NoReturn:
    raise KeyUnreadable(f"The stored key {why}.", "Enter the key again: `ownkey keys set PROVIDER`.") from None


@lru_cache(maxsize=1024)
def _associated(bound: Bound, version: int, algorithm: int, kek_id: bytes) -> bytes:
    fields = (
        bound.install_id.encode(),
        bound.owner.encode(),
        bound.provider.encode(),
        bound.origin.encode(),
        bound.key_id.encode(),
        b"%d" % bound.version,
        bound.purpose.encode(),
        bytes((version, algorithm)),
        kek_id,
    )
    return b"".join([len(field).to_bytes(4, "big") + field for field in fields])


def _commitment(dek: bytes) -> bytes:
    return expand(dek, b"ownkey commit v1")
