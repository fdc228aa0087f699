"""A process killed in the middle of an import leaves all of it or nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from house import environment, library
from moving import everything, opened
from ownkey import Ownkey
from ownkey.store.audit_trail import Looked

TAKE = """
import sys
from pathlib import Path
from ownkey import Ownkey
from ownkey.app.parcel_in import Incoming

home, text = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes()
ownkey = Ownkey(home, keychain=False)
ownkey.house.vault.unlock()
incoming = Incoming(ownkey.house, "owner", lambda: [text])
print("ready", flush=True)
sys.stdin.readline()
incoming.take()
print("done", flush=True)
ownkey.close()
"""


@pytest.mark.row("E6")
def test_an_import_that_is_killed_has_happened_or_has_not(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(text)
    took_s = _killed(tmp_path, tmp_path / "whole", None)
    wholes = 0
    for number in range(12):
        home = tmp_path / f"killed-{number}"
        _killed(tmp_path, home, took_s * (number + 1) / 11)
        with library(home) as ownkey:
            assert list(ownkey.settings.home.glob("import-*")) == [] or ownkey.house
            wholes += _is_whole(ownkey, text)
            assert ownkey.audit.verify().whole
    assert wholes < 12


def test_files_that_a_dead_process_left_come_or_go_with_what_was_committed(text: bytes, tmp_path: Path) -> None:
    """Killed between the commit and the last of the files: the next start ends it."""
    for committed in (True, False):
        with library(tmp_path / str(committed)) as ownkey:
            home = ownkey.settings.home
            id = "par_0123456789abcdef"
            if committed:
                with ownkey.house.audit.within("parcel.imported", id, owner="owner"):
                    ownkey.house.store.parcel.take([], {}, [], None)
            folder = home / f"import-{id}" / "providers"
            folder.mkdir(parents=True)
            (folder / "late.toml").write_text("late")
            (folder.parent / "config.toml").write_text("retries = 1\n")
            (folder.parent / "config.toml").chmod(0o600)
        with library(tmp_path / str(committed)) as ownkey:
            assert ownkey.house.store.parcel.was_taken(id) is committed
            assert (home / "providers" / "late.toml").exists() is committed
            assert (home / "config.toml").exists() is committed
            assert not list(home.glob("import-*"))


def _killed(folder: Path, home: Path, after_s: float | None) -> float:
    """Imports in a process of its own, and kills it so long after it has begun; how long it took where it is not."""
    home.mkdir()
    command = [sys.executable, "-c", TAKE, str(home), str(folder / "text")]
    with subprocess.Popen(command, env=environment(home), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        began_s = time.monotonic()
        process.stdin.write(b"\n")
        process.stdin.flush()
        if after_s is None:
            assert process.stdout.readline() == b"done\n"
            return time.monotonic() - began_s
        time.sleep(after_s)
        os.kill(process.pid, signal.SIGKILL)
        return after_s


def _is_whole(ownkey: Ownkey, text: bytes) -> bool:
    """Whether all of it came; fails where some of it did."""
    found = everything(ownkey)
    preview = opened(ownkey, text).preview
    came = ownkey.house.audit.trail.listed(Looked(action="parcel.imported"))
    if came:
        assert all(one.new == 0 for one in preview.parts), preview
        assert "providers/local.toml" in found
        assert "config.toml" in found
        return True
    assert all(one.same == 0 for one in preview.parts if one.what != "person"), preview
    assert not [name for name in found if name.endswith(".toml")]
    assert found["book"] == found["keys"] == found["budgets"] == []
    return False
