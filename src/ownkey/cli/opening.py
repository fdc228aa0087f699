"""The page, opened in the browser of whoever is at this machine."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from threading import Thread

PAGE = "open.html"


class Opening:
    """The address may hold a secret, and what a process is started with everybody on the machine may read. The browser
    is started with a file of this person alone, which leads there and lasts as long as the gateway."""

    def __init__(self, home: Path) -> None:
        self._file = home / PAGE

    def __enter__(self) -> Opening:
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.unlink(missing_ok=True)

    def show(self, address: str) -> None:
        self._file.unlink(missing_ok=True)
        with os.fdopen(os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(_LEADS.format(address=escape(address)))
        # A browser of the terminal's would keep everybody waiting.
        Thread(target=_open, args=(self._file.as_uri(),), daemon=True).start()


def _open(address: str) -> None:
    import webbrowser

    webbrowser.open(address)


_LEADS = """<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={address}">
<title>Ownkey</title>
<a href="{address}">Open Ownkey</a>
"""
