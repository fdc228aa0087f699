"""What is sealed opens for exactly what it was sealed for, and a changed bit is a refusal."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import os
import pickle
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ownkey.talk.errors import KeyUnreadable
from ownkey.vault.envelope import Bound, Root, seal, unseal

ROOT = Root(bytes(range(32)))
BOUND = Bound("install-1", "local", "openai", "https://api.openai.com:443", "key_1", 1)
PLAIN = b"sk-test-0123456789abcdef"

# A record of ROOT, BOUND and PLAIN in the first format, which is to be read for ever.
RECORDED_V1 = bytes.fromhex(
    "4f4b45560101d2c1303470d7d5d2c5397bf94b3b89ea893ca84c040f9532b307bf9a13fce0020dda9ef824809a067a5ab770"
    "731cbe47cbcfab35922f8bc1a1de8d0fdb31992a31d0504478251e39e724a2f83c0422854c8b035ad58be477f5f3e0f71e54"
    "a7f73c8ffe9b215a16efebdab803933e3d1dcac1b92f48232baba471c231393f02d20edddbd6bd6bae5ad811ab64aeeb70e4"
    "4d90a1c175ed3e46"
)
HEAD, WRAPPED = 16, 60


def refused(sealed: bytes, bound: Bound = BOUND, root: Root = ROOT) -> bool:
    try:
        unseal(root, bound, sealed)
    except KeyUnreadable as wrong:
        return PLAIN.decode() not in str(wrong)
    return False


@pytest.mark.row("C7")
@given(st.binary(max_size=5000), st.integers(min_value=0, max_value=2**70), st.text(), st.text())
def test_what_is_sealed_opens_again(plain: bytes, version: int, owner: str, label: str) -> None:
    bound = replace(BOUND, version=version, owner=owner, provider=label)
    assert unseal(ROOT, bound, seal(ROOT, bound, plain)) == plain


def test_V01_every_flipped_bit_of_a_record_is_refused() -> None:
    sealed = seal(ROOT, BOUND, PLAIN)
    for place, bit in itertools.product(range(len(sealed)), range(8)):
        altered = bytearray(sealed)
        altered[place] ^= 1 << bit
        assert refused(bytes(altered)), (place, bit)


def test_V01_a_record_cut_or_lengthened_anywhere_is_refused() -> None:
    sealed = seal(ROOT, BOUND, PLAIN)
    for place in range(len(sealed)):
        assert refused(sealed[:place])
        assert refused(sealed[:place] + b"\0" + sealed[place:])
    assert refused(sealed + b"\0")


def test_V02_a_record_opens_for_no_other_install_owner_provider_origin_key_version_or_purpose() -> None:
    choices = {
        "install_id": ("install-1", "install-2"),
        "owner": ("local", "other"),
        "provider": ("openai", "mistral"),
        "origin": ("https://api.openai.com:443", "http://api.openai.com:80"),
        "key_id": ("key_1", "key_2"),
        "version": (1, 2),
        "purpose": ("provider key", "token"),
    }
    bounds = [Bound(**dict(zip(choices, each, strict=True))) for each in itertools.product(*choices.values())]
    records = [seal(ROOT, bound, PLAIN) for bound in bounds]
    for bound, (place, record) in itertools.product(bounds, enumerate(records)):
        assert refused(record, bound) == (bound != bounds[place])


def test_V02_text_moved_from_one_field_to_its_neighbour_is_refused() -> None:
    sealed = seal(ROOT, replace(BOUND, owner="ab", provider="c"), PLAIN)
    assert refused(sealed, replace(BOUND, owner="a", provider="bc"))
    assert refused(sealed, replace(BOUND, owner="abc", provider=""))


def test_V02_parts_of_two_records_do_not_go_together() -> None:
    one, two = seal(ROOT, BOUND, PLAIN), seal(ROOT, BOUND, PLAIN)
    cuts = (0, HEAD, HEAD + WRAPPED, HEAD + WRAPPED + 12, len(one) - 48, len(one) - 32, len(one))
    for begin, end in itertools.pairwise(cuts):
        mixed = one[:begin] + two[begin:end] + one[end:]
        assert refused(mixed) == (begin != 0), "the heads of two records are the same, and nothing else of them is"


def test_V06_another_root_key_opens_nothing() -> None:
    sealed = seal(ROOT, BOUND, PLAIN)
    for other in (bytes(32), bytes(range(1, 33)), os.urandom(32)):
        assert refused(sealed, root=Root(other))
        with pytest.raises(KeyUnreadable, match="was sealed under another root key"):
            unseal(Root(other), BOUND, sealed)


def test_V11_a_record_whose_commitment_names_another_data_key_is_refused() -> None:
    one, two = seal(ROOT, BOUND, PLAIN), seal(ROOT, BOUND, PLAIN)
    with pytest.raises(KeyUnreadable, match="was altered"):
        unseal(ROOT, BOUND, one[:-32] + two[-32:])


@pytest.mark.parametrize(("place", "value"), [(4, 0), (4, 3), (4, 255), (5, 0), (5, 2), (5, 255), (0, 0)])
def test_V12_a_newer_or_unknown_format_is_refused(place: int, value: int) -> None:
    sealed = bytearray(seal(ROOT, BOUND, PLAIN))
    sealed[place] = value
    with pytest.raises(KeyUnreadable, match="format"):
        unseal(ROOT, BOUND, bytes(sealed))


def test_V12_a_record_is_not_read_as_one_of_another_version() -> None:
    newer, older = bytearray(seal(ROOT, BOUND, PLAIN)), bytearray(RECORDED_V1)
    newer[4], older[4] = 1, 2
    assert refused(bytes(newer))
    assert refused(bytes(older))
    # Nor where its layout is made to be that of the other.
    moved = RECORDED_V1[:4] + b"\x02" + RECORDED_V1[5:14] + (WRAPPED).to_bytes(2, "big") + RECORDED_V1[14:]
    assert refused(moved)


@pytest.mark.row("C7")
def test_V04_no_nonce_and_no_data_key_comes_twice_in_a_fork_neither() -> None:
    script = """
import os, sys
from ownkey.vault.envelope import Bound, Root, seal
root, bound = Root(bytes(range(32))), Bound("i", "o", "p", "https://h:443", "k", 1)
seal(root, bound, b"before the fork")
child = os.fork() == 0
for _ in range(20_000):
    s = seal(root, bound, b"x")
    # the nonce of the wrapped key, the nonce of the text, and what names the data key
    os.write(1, s[16:28] + s[76:88] + s[-32:])
if not child:
    os.wait()
"""
    path = os.pathsep.join(sys.path)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env={"PYTHONPATH": path}, check=True)
    made = [done.stdout[at : at + 56] for at in range(0, len(done.stdout), 56)]
    assert len(made) == 40_000
    assert len({each[:12] for each in made} | {each[12:24] for each in made}) == 80_000
    assert len({each[24:] for each in made}) == 40_000


def test_V05_a_record_made_by_hand_from_the_layout_opens() -> None:
    """Written against the layout alone, with the block cipher and RFC 5869 spelt out."""
    dek, wrap_nonce, nonce = os.urandom(32), os.urandom(12), os.urandom(12)
    kek_id = _expand(bytes(range(32)), b"ownkey kek id v1")[:8]
    fields = (b"install-1", b"local", b"openai", b"https://api.openai.com:443", b"key_1", b"1", b"provider key")
    tied = b"".join(len(each).to_bytes(4, "big") + each for each in (*fields, b"\x02\x01", kek_id))
    head = b"OKEV\x02\x01" + kek_id + b"\x00\x3c"
    wrapped = wrap_nonce + _gcm(bytes(range(32)), wrap_nonce, dek, tied)
    sealed = head + wrapped + nonce + _gcm(dek, nonce, PLAIN, tied) + _expand(dek, b"ownkey commit v1")
    assert unseal(ROOT, BOUND, sealed) == PLAIN


def test_V05_a_record_of_the_first_format_opens() -> None:
    assert unseal(ROOT, BOUND, RECORDED_V1) == PLAIN


def test_V01_every_flipped_bit_of_a_record_of_the_first_format_is_refused() -> None:
    for place, bit in itertools.product(range(len(RECORDED_V1)), range(8)):
        altered = bytearray(RECORDED_V1)
        altered[place] ^= 1 << bit
        assert refused(bytes(altered)), (place, bit)


def test_V05_what_names_a_root_key_is_the_same_for_ever() -> None:
    """What earlier versions have noted of it is compared with these, spelt out from RFC 5869."""
    raw = bytes(range(32))
    root = Root(raw)
    assert root.kek_id == _expand(raw, b"ownkey kek id v1")[:8]
    assert root.check("install-1") == _expand(raw, b"ownkey root check v1\0install-1")
    assert root.audit_key() == _expand(raw, b"ownkey audit v1")
    assert root.handover() == raw


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_V06_a_root_key_has_32_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Root(bytes(length))


def test_V01_what_a_column_has_cut_off_is_called_too_short() -> None:
    least = seal(ROOT, BOUND, b"")
    assert unseal(ROOT, BOUND, least) == b""
    for length in (0, 1, 13, 14, 15, 16, 76, 88, 104, 120, len(least) - 1):
        with pytest.raises(KeyUnreadable, match="too short"):
            unseal(ROOT, BOUND, least[:length])


def test_V01_a_wrapped_data_key_of_any_length_is_refused_and_no_fault() -> None:
    sealed = seal(ROOT, BOUND, PLAIN)
    for length in range(WRAPPED):
        short = sealed[: HEAD - 2] + length.to_bytes(2, "big") + sealed[HEAD : HEAD + length] + sealed[HEAD + WRAPPED :]
        with pytest.raises(KeyUnreadable, match="was altered"):
            unseal(ROOT, BOUND, short)


def test_a_root_key_is_not_printed_and_not_pickled() -> None:
    assert bytes(range(32)).hex() not in repr(ROOT)
    with pytest.raises(TypeError):
        pickle.dumps(ROOT)


def _gcm(key: bytes, nonce: bytes, plain: bytes, tied: bytes) -> bytes:
    maker = Cipher(algorithms.AES256(key), modes.GCM(nonce)).encryptor()
    maker.authenticate_additional_data(tied)
    return maker.update(plain) + maker.finalize() + maker.tag


def _expand(key: bytes, info: bytes) -> bytes:
    return hmac.new(key, info + b"\x01", hashlib.sha256).digest()
