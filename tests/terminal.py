"""The command at a terminal, as somebody sits before it."""

from __future__ import annotations

import os
import pty
import subprocess

from house import COMMAND


def on_a_terminal(env: dict[str, str], *arguments: str, typed: bytes = b"") -> tuple[int, str]:
    """The exit code of `ownkey` at a terminal, and what stands on it."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen([*COMMAND, *arguments], env=env, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        os.write(ours, typed)
        shown = b""
        try:
            while piece := os.read(ours, 65_536):
                shown += piece
        except OSError:
            # How Linux says that nobody has the terminal open any more.
            pass
        return process.wait(60), shown.decode().replace("\r\n", "\n")
    finally:
        os.close(ours)
