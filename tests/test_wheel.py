"""What is installed: the wheel holds what runs, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from tree import ROOT, files


def test_the_wheel_holds_the_whole_package_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert inside == {str(path.relative_to(ROOT / "src")) for path in files(under="src")}
    assert {"ownkey/catalog/providers/demo.toml", "ownkey/store/migrations/versions/0001_first.py"} <= inside
    assert "ownkey/py.typed" in inside
