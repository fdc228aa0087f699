"""The file itself: opened by another program of its format, and by nobody where it was changed."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from pyrage import passphrase as another

from moving import PASSPHRASE, plain, sealed
from ownkey.settings import Password
from ownkey.talk.errors import InvalidRequest
from ownkey.vault import age

WORDS = PASSPHRASE.reveal().decode()


@pytest.mark.row("E6")
def test_another_implementation_opens_what_is_sealed_here() -> None:
    for size in (0, age.PIECE, 2 * age.PIECE + 7):
        data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        assert another.decrypt(sealed(data), WORDS) == data


def test_what_another_implementation_has_sealed_is_opened_here() -> None:
    file = another.encrypt(b"hello", WORDS)
    work = int(file.split(b"\n")[1].rpartition(b" ")[2])
    if work <= age.MOST_WORK:
        assert plain(file) == b"hello"
    else:
        with pytest.raises(InvalidRequest, match="memory"):
            plain(file)


def test_it_does_not_matter_in_which_pieces_it_came() -> None:
    data = b"0123456789" * 20_000
    file = b"".join(age.sealed(PASSPHRASE, (data[at : at + 7_001] for at in range(0, len(data), 7_001))))
    assert plain(file) == data


@pytest.fixture(scope="module")
def file() -> bytes:
    return sealed(b"a text of some length " * 4)


def test_V23_a_file_cut_at_any_byte_or_with_any_byte_changed_opens_nothing(file: bytes) -> None:
    """The cost of the passphrase is paid once: what stands behind the wrapped key is changed in memory."""
    begins = file.index(b"\n--- ")
    opened = _Changed(file)
    door = age.Opened(PASSPHRASE, opened)
    for at in range(file.index(b"\n", begins + 1) + 1, len(file)):
        for data in (file[:at], file[:at] + bytes([file[at] ^ 1]) + file[at + 1 :], file[:at] + b"\0" + file[at:]):
            opened.now(data)
            with pytest.raises(InvalidRequest, match="damaged"):
                b"".join(door.pieces())
    opened.now(file + b"\0")
    with pytest.raises(InvalidRequest, match="damaged"):
        b"".join(door.pieces())
    opened.now(file)
    assert b"".join(door.pieces()) == b"a text of some length " * 4


@pytest.mark.parametrize("part", ["magic", "kind", "salt", "wrapped", "proof"])
def test_V23_a_changed_head_opens_nothing(file: bytes, part: str) -> None:
    lines = file.split(b"\n", 4)
    at = {
        "magic": 5,
        "kind": len(lines[0]) + 5,
        "salt": len(lines[0]) + 15,
        "wrapped": len(b"\n".join(lines[:2])) + 9,
        "proof": len(b"\n".join(lines[:3])) + 9,
    }[part]
    changed = file[:at] + (b"A" if file[at : at + 1] != b"A" else b"B") + file[at + 1 :]
    with pytest.raises(InvalidRequest):
        plain(changed)


@pytest.mark.parametrize("until", [0, 5, 21, 22, 40, 60, 100, 140])
def test_V23_a_head_cut_off_opens_nothing(file: bytes, until: int) -> None:
    assert until < file.index(b"\n--- ") + 48
    with pytest.raises(InvalidRequest):
        plain(file[:until])


@pytest.mark.parametrize("work", ["0", "00", "21", "22", "30", "63", "64", "99", "999", "-1", "1e9"])
def test_V13_a_cost_without_bounds_is_refused_before_anything_is_computed(file: bytes, work: str) -> None:
    lines = file.split(b"\n")
    lines[1] = lines[1].rpartition(b" ")[0] + b" " + work.encode()
    began_s = time.thread_time()
    with pytest.raises(InvalidRequest):
        plain(b"\n".join(lines))
    assert time.thread_time() - began_s < 0.5


def test_V23_a_gigabyte_of_nothing_is_refused_by_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "zeros"
    with path.open("wb") as made:
        made.truncate(1 << 30)
    with path.open("rb") as zeros:
        began_s = time.thread_time()
        with pytest.raises(InvalidRequest, match="not a file that Ownkey exported"):
            age.Opened(PASSPHRASE, zeros)
        assert zeros.tell() < 1000
        assert time.thread_time() - began_s < 0.5


def test_pieces_that_change_places_open_nothing() -> None:
    file = sealed(bytes(2 * age.PIECE + 10))
    begins = len(b"\n".join(file.split(b"\n", 4)[:4])) + 1 + 16
    size = age.PIECE + 16
    one, two, rest = file[begins : begins + size], file[begins + size : begins + 2 * size], file[begins + 2 * size :]
    for changed in (two + one + rest, one + rest, one + one + rest, one + two):
        with pytest.raises(InvalidRequest, match="damaged"):
            plain(file[:begins] + changed)


def test_the_pieces_and_the_costs_are_those_of_the_format() -> None:
    assert (age.PIECE, age.WORK, age.MOST_WORK) == (65_536, 18, 20)
    lengths = [len(piece) for piece in age.sealed(PASSPHRASE, [bytes(65_536), bytes(65_537), b""])]
    assert lengths[1:] == [65_552, 65_552, 17]


@pytest.mark.parametrize(("line", "text"), [(2, b""), (2, b"YQ=="), (2, b"YR"), (2, b"a"), (3, b"--- "), (3, b"--- !")])
def test_V23_a_head_that_is_written_otherwise_is_not_read(file: bytes, line: int, text: bytes) -> None:
    lines = file.split(b"\n", 4)
    lines[line] = text
    with pytest.raises(InvalidRequest, match="its head cannot be read"):
        plain(b"\n".join(lines))


def test_another_passphrase_is_another() -> None:
    file = sealed(b"x", Password("été 1789"))
    assert b"".join(age.Opened(Password("e\u0301te\u0301 1789"), io.BytesIO(file)).pieces()) == b"x"
    assert another.decrypt(file, "été 1789") == b"x"


class _Changed(io.BytesIO):
    """A file that is another when it is read again."""

    def now(self, data: bytes) -> None:
        self.seek(0)
        self.truncate()
        self.write(data)
