"""The command run in a folder that somebody else filled: nothing there is loaded, and nothing is read."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from house import SRC, environment
from tree import ROOT

SAYS = "import os\nwith open(os.environ['HOSTILE'], 'a') as f:\n    f.write(__name__ + ' ')\n"
CONFIGS = {
    ".env": "OWNKEY_PORT=wrong\nOPENAI_API_KEY=sk-canary-of-the-folder-000000000000\n",
    "config.toml": "port = 'wrong'\n",
    "ownkey.toml": "port = 'wrong'\n",
    "pyproject.toml": "[tool.ownkey]\nport = 'wrong'\n",
    "setup.cfg": "[ownkey]\nport = wrong\n",
    "alembic.ini": "[alembic]\nscript_location = .\n",
    "keyringrc.cfg": "[backend]\ndefault-keyring=hostile.Keyring\n",
    "pyvenv.cfg": "home = .\n",
    "evil.pth": "import json\n",
}
# What the installer writes as `ownkey`: Python puts this file's own folder before everything, not the working one.
SCRIPT = "import sys\nfrom ownkey.cli.main import main\nsys.exit(main())\n"
# Tells each file that is opened, and each database.
WATCH = """
import os, sys
def _watch(event, args, log=os.environ.get("OPENED"), here=os.getcwd()):
    if event in ("open", "sqlite3.connect") and isinstance(args[0], str) and args[0][:5] != "file:":
        at = os.path.join(here, args[0])
        if at.startswith(here + os.sep):
            os.write(_log, at.encode() + b"\\n")
if os.environ.get("OPENED"):
    _log = os.open(os.environ["OPENED"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sys.addaudithook(_watch)
"""
COMMANDS = (
    ("doctor",),
    ("providers", "list"),
    ("keys", "list"),
    ("chat", "-m", "demo", "Hello."),
    ("quote", "-m", "demo", "Hello."),
    ("audit", "verify"),
)


@pytest.fixture(scope="module")
def everything() -> set[str]:
    """Every name that Python or a package could be asked for."""
    installed = {one.name for one in pkgutil.iter_modules()}
    return installed | sys.stdlib_module_names | {"ownkey", "dotenv", "sitecustomize", "usercustomize"}


def filled(folder: Path, names: set[str]) -> Path:
    folder.mkdir()
    for name in sorted(names):
        (folder / f"{name}.py").write_text(SAYS)
    for name in {"ownkey", "sqlalchemy"} & names:
        (folder / f"{name}.py").unlink()
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(SAYS)
    for name, text in CONFIGS.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("at-home") / "home"


def told(
    tmp_path: Path, home: Path, folder: Path, how: tuple[str, ...], arguments: tuple[str, ...], watch: bool
) -> str:
    """What was loaded or opened there while the command ran."""
    hostile, opened, site = tmp_path / "hostile", tmp_path / "opened", tmp_path / "watch"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(WATCH)
    given = environment(home, HOSTILE=str(hostile))
    if watch:
        given |= {"PYTHONPATH": f"{SRC}{os.pathsep}{site}", "OPENED": str(opened)}
    done = subprocess.run([*how, *arguments], cwd=folder, env=given, capture_output=True, text=True, timeout=60)
    found = [path.read_text() for path in (hostile, opened) if path.exists()]
    assert done.returncode == 0, f"{done.stderr}{found}"
    assert "sk-canary" not in done.stdout
    return "".join(found)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_P12_the_command_takes_nothing_from_the_folder_it_is_run_in(
    tmp_path: Path, home: Path, everything: set[str], arguments: tuple[str, ...]
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ownkey").write_text(SCRIPT)
    folder = filled(tmp_path / "folder", everything)
    script = (sys.executable, str(tmp_path / "bin" / "ownkey"))
    assert told(tmp_path, home, folder, script, arguments, watch=arguments != ("doctor",)) == ""


def test_P12_python_P_m_takes_nothing_either(tmp_path: Path, home: Path, everything: set[str]) -> None:
    folder = filled(tmp_path / "folder", everything)
    assert told(tmp_path, home, folder, (sys.executable, "-P", "-m", "ownkey"), ("keys", "list"), watch=True) == ""


@pytest.mark.parametrize("arguments", [("chat", "-m", "demo", "Hello."), ("doctor",)], ids=" ".join)
def test_P12_python_m_takes_nothing_but_what_python_itself_loads_before(
    tmp_path: Path, home: Path, everything: set[str], arguments: tuple[str, ...]
) -> None:
    """`python -m` finds `ownkey` itself, and what it needs to find it, in the working folder first: SECURITY.md."""
    code = "import runpy, ownkey, sys; print(*sys.modules)"
    env = environment(home)
    before = subprocess.run([sys.executable, "-P", "-c", code], env=env, capture_output=True, text=True, check=True)
    early = {name.partition(".")[0] for name in before.stdout.split()}
    assert {"json", "httpx", "socket", "ssl", "logging", "sitecustomize", "typer", "msgspec"} & early == set()
    folder = filled(tmp_path / "folder", everything - early)
    assert told(tmp_path, home, folder, (sys.executable, "-m", "ownkey"), arguments, watch=False) == ""
    assert "python -P -m ownkey" in (ROOT / "SECURITY.md").read_text("utf-8")


def test_what_the_folder_does_would_be_seen(tmp_path: Path, home: Path) -> None:
    folder = filled(tmp_path / "folder", {"json"})
    loading = "import sys; sys.path.insert(0, ''); import json; open('.env').close(); "
    assert "json" in told(tmp_path, home, folder, (sys.executable, "-c", loading), (), watch=False)
    seen = told(tmp_path, home, folder, (sys.executable, "-c", loading), (), watch=True)
    assert str(folder / ".env") in seen
