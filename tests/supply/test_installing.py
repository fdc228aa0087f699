"""Installing by the lock: `tools/prepare.py` itself, on a project of one dependency and a folder of wheels."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from building import tiny_project


def part(folder: Path, says: str) -> str:
    """A wheel `tiny-part` whose one module says this. Its SHA-256."""
    folder.mkdir(exist_ok=True)
    about = "tiny_part-1.dist-info/"
    members = {
        "tiny_part.py": f"SAYS = {says!r}\n",
        about + "METADATA": "Metadata-Version: 2.1\nName: tiny-part\nVersion: 1\n",
        about + "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},{_recorded(text)},{len(text)}\n" for name, text in members.items())
    file = folder / "tiny_part-1-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as wheel:
        for name, text in (members | {about + "RECORD": f"{record}{about}RECORD,,\n"}).items():
            wheel.writestr(name, text)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _recorded(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def prepared(project: Path, wheels: Path) -> subprocess.CompletedProcess[str]:
    """`prepare.py run` there, with nothing to install from but a folder."""
    cache = project.parent / "cache"
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_NO_CACHE_DIR": "1"}
    offline |= {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(wheels), "UV_OFFLINE": "1", "UV_CACHE_DIR": str(cache)}
    given = {"PATH": os.environ["PATH"], "HOME": str(project.parent)} | offline
    command = [sys.executable, str(project / "tools" / "prepare.py"), "run"]
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=100)


def test_P03_a_wheel_that_is_not_the_one_of_the_lock_is_not_installed(tmp_path: Path) -> None:
    project = tmp_path / "project"
    tiny_project(project)
    sha256 = part(tmp_path / "true", "true")
    assert part(tmp_path / "tampered", "tampered") != sha256
    lock = project / "requirements.lock"
    python = project / ".venv" / "bin" / "python"
    says = [str(python), "-c", "import tiny_part; print(tiny_part.SAYS)"]

    lock.write_text(f"tiny-part==1 \\\n    --hash=sha256:{sha256}\n")
    refused = prepared(project, tmp_path / "tampered")
    assert refused.returncode != 0
    assert "hash" in refused.stderr.lower()
    assert subprocess.run(says, capture_output=True).returncode != 0

    lock.write_text("tiny-part==1\n")
    assert prepared(project, tmp_path / "true").returncode != 0, "a line without a hash is refused"

    lock.write_text(f"tiny-part==1 \\\n    --hash=sha256:{sha256}\n")
    done = prepared(project, tmp_path / "true")
    assert done.returncode == 0, done.stderr
    assert subprocess.run(says, capture_output=True, text=True).stdout == "true\n"
