"""Published test vectors through our own code, and a ciphertext that is valid under two keys."""

from __future__ import annotations

import os
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ownkey.talk.errors import KeyUnreadable
from ownkey.vault.aead import decrypt, encrypt, expand
from ownkey.vault.envelope import Bound, Root, seal, unseal
from ownkey.vault.password import Cost, stretch

VECTORS = Path(cryptography_vectors.__file__).parent
BOUND = Bound("install-1", "local", "openai", "https://api.openai.com:443", "key_1", 1)
PLAIN = b"sk-test-0123456789abcdef"
_POLYNOMIAL = 0xE1 << 120


def gcm_vectors(name: str) -> list[dict[str, str]]:
    """NIST's, of those parameters that envelopes have: a key of 256 bits, a nonce of 96, a tag of 128."""
    found: list[dict[str, str]] = []
    group: dict[str, str] = {}
    for line in (VECTORS / "ciphers/AES/GCM" / name).read_text().splitlines():
        if line.startswith("["):
            key, _, value = line.strip("[]").partition(" = ")
            group[key] = value
        elif line.startswith("Count"):
            found.append({**group})
        elif line == "FAIL":
            found[-1]["FAIL"] = ""
        elif " =" in line and found:
            key, _, value = line.partition(" =")
            found[-1][key] = value.strip()
    return [one for one in found if (one["Keylen"], one["IVlen"], one["Taglen"]) == ("256", "96", "128")]


def of(vector: dict[str, str], *names: str) -> list[bytes]:
    return [bytes.fromhex(vector[name]) for name in names]


@pytest.mark.row("C7")
def test_V05_nists_vectors_of_encryption_agree() -> None:
    vectors = gcm_vectors("gcmEncryptExtIV256.rsp")
    assert len(vectors) == 375
    for vector in vectors:
        key, nonce, plain, tied, text, tag = of(vector, "Key", "IV", "PT", "AAD", "CT", "Tag")
        assert encrypt(key, nonce, plain, tied) == text + tag


@pytest.mark.row("C7")
def test_V05_nists_vectors_of_decryption_agree_and_those_that_must_fail_do() -> None:
    vectors = gcm_vectors("gcmDecrypt256.rsp")
    failed = 0
    for vector in vectors:
        key, nonce, tied, text, tag = of(vector, "Key", "IV", "AAD", "CT", "Tag")
        if "FAIL" in vector:
            failed += 1
            with pytest.raises(InvalidTag):
                decrypt(key, nonce, text + tag, tied)
        else:
            assert decrypt(key, nonce, text + tag, tied) == bytes.fromhex(vector["PT"])
    assert (len(vectors), failed) == (375, 191)


def test_V05_the_vectors_of_rfc_5869_agree() -> None:
    lines = (VECTORS / "KDF/rfc-5869-HKDF-SHA256.txt").read_text().splitlines()
    pairs = [line.split("=") for line in lines if "=" in line and not line.startswith("#")]
    read = [(name.strip(), value.strip()) for name, value in pairs]
    starts = [at for at, (name, _) in enumerate(read) if name == "COUNT"]
    for begin, end in zip(starts, [*starts[1:], len(read)], strict=True):
        vector = dict(read[begin:end])
        key, info, expected = of(vector, "PRK", "info", "OKM")
        assert expand(key, info, int(vector["L"])) == expected
    assert len(starts) == 3


def test_V05_the_vectors_of_rfc_9106_agree() -> None:
    lines = (VECTORS / "KDF/argon2id.txt").read_text().splitlines()
    vectors: list[dict[str, str]] = []
    for name, _, value in (line.partition(" =") for line in lines if " =" in line and not line.startswith("#")):
        if name == "COUNT":
            vectors.append({})
        vectors[-1][name] = value.strip()
    plain = [vector for vector in vectors if not {"secret", "ad"} & vector.keys()]
    for vector in plain:
        cost = Cost(int(vector["memcost"]), int(vector["iter"]), int(vector["lanes"]))
        password, salt, expected = of(vector, "pass", "salt", "output")
        assert stretch(password, salt, cost, int(vector["length"])) == expected
    assert len(plain) >= 4


@pytest.mark.parametrize(("key", "nonce"), [(16, 12), (24, 12), (31, 12), (32, 8), (32, 16), (0, 12), (32, 0)])
def test_V12_no_other_size_of_key_or_nonce_is_used(key: int, nonce: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        encrypt(os.urandom(key), os.urandom(nonce), b"", b"")


def test_V11_a_ciphertext_that_is_valid_under_two_data_keys_opens_under_the_one_it_is_committed_to() -> None:
    """GCM does not commit to its key: with one free block a tag can be made right under two. The commitment tells."""
    root = Root(os.urandom(32))
    record = seal(root, BOUND, b"x" * 16)
    tied = _tied(root)
    ours, theirs, nonce = os.urandom(32), os.urandom(32), os.urandom(12)
    forged = _valid_under_both(ours, theirs, nonce, tied)
    assert AESGCM(ours).decrypt(nonce, forged, tied) != AESGCM(theirs).decrypt(nonce, forged, tied)
    committed = expand(ours, b"ownkey commit v1")

    def with_data_key(dek: bytes) -> bytes:
        return record[:16] + root.wrap(dek, tied) + nonce + forged + committed

    assert unseal(root, BOUND, with_data_key(ours)) == AESGCM(ours).decrypt(nonce, forged, tied)
    with pytest.raises(KeyUnreadable, match="was altered"):
        unseal(root, BOUND, with_data_key(theirs))


fields = st.sampled_from(["install_id", "owner", "provider", "origin", "key_id", "purpose"])


@given(fields, st.text(max_size=40), st.integers(0, 2**63))
def test_V02_whatever_a_field_is_changed_to_it_does_not_open(field: str, value: str, version: int) -> None:
    root = Root(bytes(range(32)))
    record = seal(root, BOUND, PLAIN)
    for other in (replace(BOUND, **{field: value}), replace(BOUND, version=version)):
        if other == BOUND:
            assert unseal(root, other, record) == PLAIN
        else:
            with pytest.raises(KeyUnreadable):
                unseal(root, other, record)


@given(st.data())
def test_V01_whatever_bytes_are_put_into_a_record_it_does_not_open(data: st.DataObject) -> None:
    root = Root(bytes(range(32)))
    record = seal(root, BOUND, PLAIN)
    begin = data.draw(st.integers(0, len(record)))
    end = data.draw(st.integers(begin, len(record)))
    altered = record[:begin] + data.draw(st.binary(max_size=64)) + record[end:]
    if altered != record:
        with pytest.raises(KeyUnreadable):
            unseal(root, BOUND, altered)


@given(st.binary(max_size=400))
def test_V01_no_bytes_at_all_are_taken_for_a_record(found: bytes) -> None:
    for record in (found, b"OKEV\x01\x01" + found, b"OKEV\x02\x01" + Root(bytes(range(32))).kek_id + found):
        with pytest.raises(KeyUnreadable):
            unseal(Root(bytes(range(32))), BOUND, record)


def _tied(root: Root) -> bytes:
    parts = (b"install-1", b"local", b"openai", b"https://api.openai.com:443", b"key_1", b"1", b"provider key")
    return b"".join(len(each).to_bytes(4, "big") + each for each in (*parts, b"\x02\x01", root.kek_id))


def _valid_under_both(one: bytes, other: bytes, nonce: bytes, tied: bytes) -> bytes:
    """One block and a tag that both keys take: the block solves tag(one) = tag(other), which is linear in it."""
    (h1, e1), (h2, e2) = (_hash_key(key, nonce) for key in (one, other))
    fixed1, fixed2 = (_ghash(h, tied, bytes(16)) for h in (h1, h2))
    block = _times(fixed1 ^ fixed2 ^ e1 ^ e2, _inverse(_times(h1, h1) ^ _times(h2, h2)))
    text = block.to_bytes(16, "big")
    return text + (_ghash(h1, tied, text) ^ e1).to_bytes(16, "big")


def _hash_key(key: bytes, nonce: bytes) -> tuple[int, int]:
    made = Cipher(algorithms.AES256(key), modes.ECB()).encryptor()
    zero, mask = made.update(bytes(16)), made.update(nonce + b"\0\0\0\x01")
    return int.from_bytes(zero, "big"), int.from_bytes(mask, "big")


def _ghash(h: int, tied: bytes, text: bytes) -> int:
    padded = tied + bytes(-len(tied) % 16) + text + bytes(-len(text) % 16)
    padded += (len(tied) * 8).to_bytes(8, "big") + (len(text) * 8).to_bytes(8, "big")
    total = 0
    for at in range(0, len(padded), 16):
        total = _times(total ^ int.from_bytes(padded[at : at + 16], "big"), h)
    return total


def _times(a: int, b: int) -> int:
    product = 0
    for bit in range(127, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product


def _inverse(a: int) -> int:
    result, power = 1 << 127, a
    for _ in range(127):
        power = _times(power, power)
        result = _times(result, power)
    return result
