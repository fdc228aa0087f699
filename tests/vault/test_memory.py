"""A process that holds opened keys keeps its memory to itself."""

from __future__ import annotations

import ctypes
import os
import resource
import sys

import pytest

from ownkey.vault.memory import keep_private


def in_a_fork() -> tuple[int, int, int]:
    """The limits of a core file and whether the process may be dumped (prctl's 3), once it keeps its own."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
            keep_private()
            dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) if sys.platform == "linux" else 0
            os.write(write, "{} {} {}".format(*resource.getrlimit(resource.RLIMIT_CORE), dumpable).encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as pipe:
        soft, hard, dumpable = map(int, pipe.read().split())
    return soft, hard, dumpable


@pytest.mark.skipif(sys.platform == "win32", reason="there are no core files there")
def test_no_core_file_is_written_and_nobody_looks_into_it() -> None:
    assert in_a_fork() == (0, 0, 0)
