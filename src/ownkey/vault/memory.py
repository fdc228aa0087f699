"""This process's memory, in which opened keys are, kept from files and from other programs of the same user."""

from __future__ import annotations

import ctypes
import sys

# Linux's sys/prctl.h
_SET_DUMPABLE = 4


def keep_private() -> None:
    """No core dump is written, and on Linux nobody but root can look into the process. Python cannot zero its bytes."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)
