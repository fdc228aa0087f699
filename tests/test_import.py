"""What `import ownkey` gives, and what it costs."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys

import ownkey
from tree import ROOT

HEAVY = (
    *("uvicorn", "sqlalchemy", "cryptography", "typer", "rich", "genai_prices", "keyring", "httptools", "alembic"),
    *("msgspec", "asyncio", "ssl", "socket", "ownkey.app", "ownkey.wires", "ownkey.store"),
)
MOST_S = 0.15
TURNS = 7

WATCHED = """
import json, sys
before, events = set(sys.modules), []
sys.addaudithook(lambda event, args: events.append(event) if event.startswith(("socket.", "subprocess.")) else None)
import ownkey
print(json.dumps([sorted(set(sys.modules) - before), events]))
"""


def _python(code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    return done.stdout


def _took_s(code: str) -> float:
    """Of a processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _python(code)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_all_is_what_is_exported_and_each_name_is_there() -> None:
    assert sorted(ownkey.__all__) == ownkey.__all__
    for name in ownkey.__all__:
        assert getattr(ownkey, name).__name__ == name
    assert not hasattr(ownkey, "Nothing")


def test_importing_loads_nothing_heavy_and_opens_no_socket() -> None:
    loaded, events = json.loads(_python(WATCHED))
    assert "ownkey" in loaded
    assert [name for name in loaded if name.startswith(HEAVY)] == []
    assert events == []


def test_a_command_loads_nothing_of_the_others() -> None:
    code = "import sys\nfrom typer.main import get_command\nfrom ownkey.cli.main import app\n{}\nprint(*sys.modules)"
    assert not _loaded(code.format("")) & {"sqlalchemy", "uvicorn", "cryptography", "ownkey.app"}
    keys = _loaded(code.format("get_command(app).commands['keys']"))
    assert "ownkey.cli.keys" in keys
    assert not keys & {"uvicorn", "fastapi", "joserfc", "ownkey.cli.serve", "ownkey.cli.desktop", "ownkey.cli.batch"}


def _loaded(code: str) -> set[str]:
    return set(_python(code).split())


def test_importing_takes_hardly_longer_than_starting_python() -> None:
    nothing, everything = zip(*((_took_s("pass"), _took_s("import ownkey")) for _ in range(TURNS)), strict=True)
    assert statistics.median(everything) - statistics.median(nothing) < MOST_S
