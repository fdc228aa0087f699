"""`ownkey vault` at the terminal: what it says, what scripts get, and that a rotation cut short is gone on with."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from canaries import canary
from house import COMMAND, environment, run

KEY = canary("vault command", "sk-proj-") + "\n"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    tmp_path.chmod(0o700)
    env = environment(tmp_path / "home")
    assert run(env, "keys", "set", "openai", "--no-check", given=KEY).returncode == 0
    return env


def status(env: dict[str, str]) -> dict[str, object]:
    return json.loads(run(env, "vault", "status", "--json").stdout)


@pytest.mark.row("C7")
def test_V07_a_rotation_killed_at_the_terminal_is_gone_on_with_by_the_same_command(
    env: dict[str, str], tmp_path: Path
) -> None:
    before, file = status(env), tmp_path / "new.key"
    command = [*COMMAND, "vault", "rotate", "--to", "file", "--path", str(file)]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "Waiting" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGKILL)
    found = status(env)
    assert found["rotation"] == {
        "step": "sharing",
        "from_source": "home",
        "to_source": "file",
        "to_path": str(file),
        "started_at_ms": found["rotation"]["started_at_ms"],  # type: ignore[index]
    }
    assert "goes on with it" in run(env, "vault", "status").stdout
    done = run(env, "vault", "rotate")
    assert done.returncode == 0, done.stderr
    assert "goes on with it" in done.stderr
    assert f"Set OWNKEY_MASTER_KEY_FILE to {file} wherever Ownkey runs." in done.stdout
    after = status(env | {"OWNKEY_MASTER_KEY_FILE": str(file)})
    assert (after["state"], after["source"], after["rotation"]) == ("open", "file", None)
    assert after["kek_id"] != before["kek_id"]
    sealed = status(env)
    assert (sealed["state"], "OWNKEY_MASTER_KEY_FILE" in str(sealed["hint"])) == ("sealed", True)


def test_status_says_where_the_root_key_is_and_what_is_under_it(env: dict[str, str]) -> None:
    said = run(env, "vault", "status").stdout
    assert "The vault is open." in said
    assert "root.key in the home folder, since 2" in said
    assert str(status(env)["kek_id"]) in said


def test_what_cannot_be_asked_of_a_rotation_is_refused_before_it_begins(env: dict[str, str], tmp_path: Path) -> None:
    before = status(env)
    asked = (
        (("--path", str(tmp_path / "x")), ""),
        (("--to", "file"), ""),
        (("--to", "password"), "only-a-password-91Zx\n"),
        (("--to", "password"), "short\nsalt-8fJ2pQ6z\n"),
        (("--to", "transit"), ""),
        (("--to", "keychain"), ""),
        (("--to", "moon"), ""),
    )
    for options, given in asked:
        done = run(env, "vault", "rotate", *options, given=given)
        assert done.returncode != 0, options
        assert "Traceback" not in done.stderr
        assert "91Zx" not in done.stderr + done.stdout
    assert status(env) == before
