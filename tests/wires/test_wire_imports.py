"""A wire is loaded when it is asked for, and never brings another."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ownkey.wires.wire import TABLE

# Google's for embeddings have the errors and the plain values of its wire for chats.
SERVED_WITH = {"gemini-embeddings": "gemini"}
PACKAGES = {name: place.partition(":")[0].rpartition(".")[0] for name, place in TABLE.items()}


def loaded(code: str) -> set[str]:
    """The wires' modules that are there when this code has run, in a process of its own."""
    script = f"import json, sys; sys.path[:] = {sys.path!r}\n{code}\nprint(json.dumps(list(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    return {name for name in json.loads(out) if name.startswith("ownkey.wires.")}


def test_the_contract_loads_no_wire() -> None:
    assert loaded("import ownkey.wires.wire") == {"ownkey.wires.wire"}


@pytest.mark.parametrize("name", TABLE)
def test_a_wire_is_whole_without_the_others(name: str) -> None:
    found = loaded(f"from ownkey.wires.wire import spoken; spoken({name!r})")
    own = (name, SERVED_WITH.get(name))
    others = tuple(f"{package}." for other, package in PACKAGES.items() if other not in own)
    assert {module for module in found if module.startswith(others)} == set()
    assert any(module.startswith(PACKAGES[name]) for module in found)
