"""The search for canaries finds nine characters of one, in whatever form they stand, and nothing else."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from canaries import MARK, SHORTEST, canary, find
from tree import ROOT

CANARIES = {
    "plain": canary("searched for"),
    "marked": canary("searched for, of marks", of="+/=Aa5"),
    "grouped": canary("searched for, in groups", between="()"),
}


def forms(text: str) -> Iterator[bytes]:
    raw = text.encode()
    yield from (raw, raw[::-1], raw.hex().encode(), raw.hex().upper().encode(), quote(text, safe="").encode())
    yield from (text.upper().encode(), text.lower().encode(), text.replace("/", "\\/").encode())
    yield from (text.encode("utf-16-le"), text.encode("utf-16-be"))
    yield from ("".join(form % code for code in raw).encode() for form in ("%%%02x", "%%%02X", "\\u%04x", "\\u%04X"))
    for before in (b"", b"\0", b"\xff\xff"):
        yield base64.b64encode(before + raw)
        yield base64.urlsafe_b64encode(before + raw)


@pytest.mark.parametrize("name", CANARIES)
def test_O01_any_nine_characters_are_found_in_every_form(name: str) -> None:
    body = CANARIES[name][CANARIES[name].index(MARK) :]
    for at in range(len(body) - SHORTEST + 1):
        for form in forms(body[at : at + SHORTEST]):
            for before in (b"", b" ", b'{"a":"', b"wxyz"):
                assert find(before + form + b"-then"), (at, before)


def test_O01_fewer_characters_and_chance_are_no_canary() -> None:
    body = CANARIES["plain"][3:]
    assert find(body[: SHORTEST - 1].encode() + b" " + body[SHORTEST:][: SHORTEST - 1].encode()) == []
    assert find(b"sk-...%b" % body[-4:].encode()) == []
    assert find(os.urandom(8 << 20)) == []


# What a user may do with what Ownkey gives them, and no check of what comes of it.
PROBE = """
import asyncio, logging
import pytest
from house import library
from keyed import A, Keyed, keyed, owning
from canaries import canary
from ownkey.talk.errors import OwnkeyError
from ownkey.talk.secret import Secret

KEY = canary("probe", "open.", between="()")

def test_told(tmp_path):
    async def main():
        async with keyed() as provider:
            provider.refused[KEY] = (402, "out_of_credit")
            async with owning(tmp_path, provider) as ownkey:
                ownkey.keys.set("openai", KEY, force=True)
                with pytest.raises(OwnkeyError) as caught:
                    await ownkey.chat("Hello", "openai/gpt-4o")
                print(caught.value)
    asyncio.run(main())

def test_logged():
    logging.getLogger("probe").warning("%r", [Secret(KEY)])

def test_stored(tmp_path):
    with library(tmp_path / "home") as ownkey:
        ownkey.keys.set("openai", A)
"""

# The file, what stands in it and what shall stand there instead: and the tests of the probe that then leak. What a
# provider says is searched twice, before it is read and where it is told.
WITHOUT: dict[str, tuple[str, dict[str, str], tuple[str, ...]]] = {
    "nothing is changed": ("talk/secret.py", {}, ()),
    "what a provider says is not searched for the key": (
        "engine/target.py",
        {"if key is not None:": "if False:", "return body if key is None else": "return body if True else"},
        ("test_told",),
    ),
    "a secret prints itself": (
        "talk/secret.py",
        {'return f"Secret({REDACTED})"': "return f'{self._value}'"},
        ("test_logged",),
    ),
    "a masked key is a whole one": (
        "talk/secret.py",
        {'return f"{begins}...{text[-_SHOWN:]}" if': "return text if"},
        ("test_stored", "test_told"),
    ),
}


@pytest.mark.parametrize("change", WITHOUT)
def test_O01_the_sweep_finds_what_leaks_once_one_redaction_is_gone(tmp_path: Path, change: str) -> None:
    file, edits, leaks = WITHOUT[change]
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests").mkdir()
    for name in ("canaries", "conftest", "house", "keyed", "postgres", "scripted", "sweep"):
        shutil.copy(ROOT / "tests" / f"{name}.py", tmp_path / "tests")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tests" / "test_probe.py").write_text(PROBE)
    source = tmp_path / "src" / "ownkey" / file
    text = source.read_text()
    for was, now in edits.items():
        assert was in text
        text = text.replace(was, now)
    source.write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "base")]
    done = subprocess.run([*command, "tests"], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    found = re.findall(r"^ERROR tests/test_probe.py::(\w+) - Canaries where none may be", done.stdout, re.MULTILINE)
    assert (done.returncode, sorted(found)) == (int(bool(leaks)), sorted(leaks)), done.stdout
    assert find(done.stdout.encode()) == []
