"""A file sealed with a passphrase, in the format of age: whoever has the passphrase opens it, with Ownkey or `age -d`.

The format: https://c2sp.org/age (version 1; the recipient is scrypt's, which stands alone). A head that names the cost
of the passphrase and wraps a key made for this file; then pieces of 64 KiB, each sealed with its number and with
whether it is the last.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import BinaryIO, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ownkey.settings import Password
from ownkey.talk.errors import InvalidRequest

WORK = 18
"""The binary logarithm of scrypt's N, as age itself has it: 256 MiB and about a second."""
MOST_WORK = 20
"""One GiB: a head that asks for more is refused before anything is computed."""

PIECE = 64 << 10
_TAG, _NONCE = 16, 16
_MAGIC = b"age-encryption.org/v1"
_MOST_HEAD = 512
_SCRYPT = re.compile(rb"-> scrypt ([A-Za-z0-9+/]{22}) ([1-9][0-9]?)")
_LABEL = b"age-encryption.org/v1/scrypt"
_NO_NONCE = bytes(12)

# Each takes the memory that its work says.
_one_at_a_time = Lock()


def sealed(passphrase: Password, plain: Iterable[bytes]) -> Iterator[bytes]:
    """The file, piece by piece."""
    file_key, salt, nonce = os.urandom(16), os.urandom(16), os.urandom(_NONCE)
    wrapped = ChaCha20Poly1305(_stretched(passphrase, salt, WORK)).encrypt(_NO_NONCE, file_key, None)
    head = b"%b\n-> scrypt %b %d\n%b\n---" % (_MAGIC, _text(salt), WORK, _text(wrapped))
    yield b"%b %b\n%b" % (head, _text(_proof(file_key, head)), nonce)
    aead, number, waiting = ChaCha20Poly1305(_derived(file_key, b"payload", nonce)), 0, bytearray()
    for some in plain:
        waiting += some
        while len(waiting) > PIECE:
            yield aead.encrypt(_place(number, last=False), bytes(waiting[:PIECE]), None)
            del waiting[:PIECE]
            number += 1
    yield aead.encrypt(_place(number, last=True), bytes(waiting), None)


class Opened:
    """A file whose passphrase was right. `pieces` may be read more than once, one reading at a time.

    Raises InvalidRequest where this is no such file, the passphrase is another, or its head is damaged.
    """

    def __init__(self, passphrase: Password, file: BinaryIO) -> None:
        self._file = file
        file.seek(0)
        if file.read(len(_MAGIC)) != _MAGIC:
            raise InvalidRequest(
                "This is not a file that Ownkey exported.", "It begins with `age-encryption.org/v1`.", param="file"
            )
        file.seek(0)
        head = file.read(_MOST_HEAD)
        lines = head.split(b"\n", 4)
        asked = _SCRYPT.fullmatch(lines[1]) if len(lines) == 5 else None
        if asked is None or lines[0] != _MAGIC or not lines[3].startswith(b"--- "):
            _damaged("its head is not that of a file with a passphrase")
        work = int(asked[2])
        if work > MOST_WORK:
            raise InvalidRequest(
                f"Opening this file would take {1 << (work - 20)} GiB of memory: it is not tried.",
                f"Ownkey and age write files of work factor {WORK}; this one asks for {work}.",
                param="file",
            )
        salt, wrapped, proof = (_bytes(text) for text in (asked[1], lines[2], lines[3][4:]))
        try:
            file_key = ChaCha20Poly1305(_stretched(passphrase, salt, work)).decrypt(_NO_NONCE, wrapped, None)
        except (InvalidTag, ValueError):
            raise InvalidRequest(
                "This is not the passphrase of this file, or the beginning of the file is damaged.",
                "Nothing was changed.",
                param="passphrase",
            ) from None
        signed = b"\n".join([*lines[:3], b"---"])
        if not hmac.compare_digest(_proof(file_key, signed), proof):
            _damaged("its head was changed")
        self._payload = len(b"\n".join(lines[:4])) + 1
        self._file_key = file_key

    def pieces(self) -> Iterator[bytes]:
        """What was sealed. Raises InvalidRequest where the file was changed or cut."""
        file = self._file
        file.seek(self._payload)
        nonce = file.read(_NONCE)
        aead = ChaCha20Poly1305(_derived(self._file_key, b"payload", nonce))
        number, sealed = 0, file.read(PIECE + _TAG)
        while True:
            following = file.read(PIECE + _TAG)
            try:
                plain = aead.decrypt(_place(number, last=not following), sealed, None)
            except InvalidTag:
                _damaged("it was changed, or cut off")
            if not plain and number:
                _damaged("it ends with nothing")
            yield plain
            if not following:
                return
            number, sealed = number + 1, following


def _stretched(passphrase: Password, salt: bytes, work: int) -> bytes:
    with _one_at_a_time:
        return hashlib.scrypt(
            passphrase.reveal(),
            salt=_LABEL + salt,
            n=1 << work,
            r=8,
            p=1,
            dklen=32,
            maxmem=0x7FFF_FFFF,  # the head's own cost is what bounds it; OpenSSL would stop at 32 MiB
        )


def _derived(file_key: bytes, info: bytes, salt: bytes | None = None) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(file_key)


def _proof(file_key: bytes, head: bytes) -> bytes:
    return hmac.digest(_derived(file_key, b"header"), head, "sha256")


def _place(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _text(data: bytes) -> bytes:
    return b64encode(data).rstrip(b"=")


def _bytes(text: bytes) -> bytes:
    """Of one form only: what is written otherwise is not taken."""
    try:
        data = b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except NotBase64:
        data = b""
    if not data or _text(data) != text:
        _damaged("its head cannot be read")
    return data


def _damaged(how: str) -> NoReturn:
    raise InvalidRequest(f"This file is damaged: {how}.", "Nothing was changed. Take another copy.", param="file")
