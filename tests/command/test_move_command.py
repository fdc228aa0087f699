"""`ownkey export` and `ownkey import` at the terminal."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from house import KEYS, MASKED, environment, run

WORDS = "correct horse battery\n"


@pytest.mark.row("E6")
def test_a_key_moves_from_one_home_to_another_by_two_commands(tmp_path: Path) -> None:
    old, there = environment(tmp_path / "old"), environment(tmp_path / "there")
    file = tmp_path / "all.age"
    assert run(old, "keys", "set", "openai", "--no-check", given=KEYS["openai"]).returncode == 0
    done = run(old, "export", str(file), given=WORDS)
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = run(old, "export", str(file), given=WORDS)
    assert again.returncode == 2
    assert "is there already" in again.stderr
    asked = run(there, "import", str(file), given=WORDS)
    assert asked.returncode == 2
    assert "Nothing was imported" in asked.stderr
    wrong = run(there, "import", str(file), "--yes", given="another passphrase\n")
    assert wrong.returncode == 2
    assert "not the passphrase" in wrong.stderr
    assert json.loads(run(there, "keys", "list", "--json").stdout) == []
    shown = json.loads(run(there, "import", str(file), "--dry-run", "--json", given=WORDS).stdout)
    assert {"what": "key", "new": 1, "same": 0, "replaced": 0} in shown["parts"]
    taken = run(there, "import", str(file), "--yes", given=WORDS)
    assert taken.returncode == 0, taken.stderr
    assert [key["masked"] for key in json.loads(run(there, "keys", "list", "--json").stdout)] == [MASKED]
    for said in (done, again, asked, wrong, taken):
        assert KEYS["openai"] not in said.stdout + said.stderr
        assert "correct horse" not in said.stdout + said.stderr
