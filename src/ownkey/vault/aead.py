"""The two primitives that everything sealed is made of, by OpenSSL; published test vectors go through these."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16


def encrypt(key: bytes, nonce: bytes, plain: bytes, tied: bytes) -> bytes:
    """AES-256-GCM (NIST SP 800-38D) with a nonce of 96 bits: the ciphertext, then its tag of 128 bits."""
    _must_fit(key, nonce)
    return AESGCM(key).encrypt(nonce, plain, tied)


def decrypt(key: bytes, nonce: bytes, sealed: bytes, tied: bytes) -> bytes:
    """Raises cryptography's InvalidTag where a bit of any of them is another."""
    _must_fit(key, nonce)
    return AESGCM(key).decrypt(nonce, sealed, tied)


def expand(key: bytes, info: bytes, length: int = 32) -> bytes:
    """HKDF-Expand with SHA-256 (RFC 5869); a random key does not need the extract step."""
    return HKDFExpand(SHA256(), length, info).derive(key)


def _must_fit(key: bytes, nonce: bytes) -> None:
    if len(key) != KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError("a key is 32 bytes, a nonce 12")
