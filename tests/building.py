"""The wheel, built as `make wheel` builds it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tree import ROOT


def wheel(to: Path, of: Path = ROOT, begin: Callable[[], object] | None = None, **variables: str) -> Path:
    """The wheel of the project in folder `of`, put into `to`; `begin` is run first in the process that builds it."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(to)]
    # A build that somebody dates by the environment is dated so; here it is not.
    given = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"} | variables
    done = subprocess.run(command, cwd=of, capture_output=True, text=True, env=given, preexec_fn=begin, timeout=60)
    assert done.returncode == 0, done.stderr
    [made] = to.glob("*.whl")
    return made
