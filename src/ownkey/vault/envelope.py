"""Envelope v1: one secret, sealed so that it opens only for what it was sealed for.

    magic 4 | ver 1 | alg 1 | kek_id 8 | wrapped_dek 60 | nonce 12 | ct n | tag 16 | commit 32

`wrapped_dek` is nonce 12 | ct 32 | tag 16: a data key of its own for each record, sealed by the root key.
Both layers are AES-256-GCM (alg 1) over the same associated data: every field of `Bound` as UTF-8 text, then ver with
alg, then kek_id, each as a 4-byte big-endian length and its bytes. GCM alone lets one ciphertext be valid under two
keys, so `commit` names the one data key: HKDF-Expand (RFC 5869) of it, whose extract step a random key does not need.
"""

from __future__ import annotations

import hmac
import os
from functools import lru_cache
from struct import Struct as Layout
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from msgspec import Struct

from ownkey.talk.errors import KeyUnreadable

MAGIC = b"OKEV"
VERSION = 1
AES_256_GCM = 1

_HEAD = Layout(">4sBB8s60s12s")
_COMMIT = 32
_LEAST = _HEAD.size + 16 + _COMMIT


class Bound(Struct, frozen=True):
    """What a sealed secret is tied to; `origin` is `scheme://host:port`."""

    install_id: str
    owner: str
    provider: str
    origin: str
    key_id: str
    version: int
    purpose: str = "provider key"


class Root:
    """The root key: 32 bytes, from which nothing but its id and its check value comes out again."""

    __slots__ = ("_raw", "aead", "kek_id")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != 32:
            raise ValueError("a root key is 32 bytes")
        self._raw = raw
        self.aead = AESGCM(raw)
        self.kek_id = _expand(raw, b"ownkey kek id v1")[:8]

    def check(self, install_id: str) -> bytes:
        """32 bytes that tell this root key from any other, for this install, and do not give it away."""
        return _expand(self._raw, b"ownkey root check v1\0" + install_id.encode())

    def audit_key(self) -> bytes:
        """32 bytes, with which the head of the audit trail is sealed."""
        return _expand(self._raw, b"ownkey audit v1")


def seal(root: Root, bound: Bound, plain: bytes) -> bytes:
    """`plain` under a data key made for this call alone."""
    dek = os.urandom(32)
    nonce, wrap_nonce = os.urandom(12), os.urandom(12)
    tied = _associated(bound, VERSION, AES_256_GCM, root.kek_id)
    wrapped = wrap_nonce + root.aead.encrypt(wrap_nonce, dek, tied)
    head = _HEAD.pack(MAGIC, VERSION, AES_256_GCM, root.kek_id, wrapped, nonce)
    return head + AESGCM(dek).encrypt(nonce, plain, tied) + _commitment(dek)


def unseal(root: Root, bound: Bound, sealed: bytes) -> bytes:
    """What `seal` was given. Raises KeyUnreadable where root, bound or a bit of `sealed` is another."""
    if len(sealed) < _LEAST:
        _refuse("is too short to be a sealed key")
    magic, version, algorithm, kek_id, wrapped, nonce = _HEAD.unpack_from(sealed)
    if magic != MAGIC or version != VERSION or algorithm != AES_256_GCM:
        _refuse("is not in a format that this version reads")
    if kek_id != root.kek_id:
        _refuse("was sealed under another root key")
    tied = _associated(bound, version, algorithm, kek_id)
    try:
        dek = root.aead.decrypt(wrapped[:12], wrapped[12:], tied)
        if not hmac.compare_digest(_commitment(dek), sealed[-_COMMIT:]):
            _refuse("was altered")
        return AESGCM(dek).decrypt(nonce, sealed[_HEAD.size : -_COMMIT], tied)
    except InvalidTag:
        _refuse("was altered, or belongs to another owner, provider or origin")


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
    return _expand(dek, b"ownkey commit v1")


def _expand(key: bytes, info: bytes) -> bytes:
    return HKDFExpand(SHA256(), 32, info).derive(key)
