"""Which SQL a SQLite database is asked, by whomever in this process, with the values in it.

with watched() as asked:
    ...connections that are opened from here on are heard...
    with asked.recording() as statements:
        ...
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch


@dataclass
class Asked:
    heard: list[str] | None = None
    connections: int = 0

    @contextmanager
    def recording(self) -> Iterator[list[str]]:
        """Those that are run meanwhile. What a trigger runs comes as a comment, and is left out."""
        self.heard = statements = list[str]()
        try:
            yield statements
        finally:
            self.heard = None

    def hear(self, statement: str) -> None:
        if (heard := self.heard) is not None and not statement.startswith("--"):
            heard.append(statement)


@contextmanager
def watched() -> Iterator[Asked]:
    asked, connect = Asked(), sqlite3.connect

    def heard(*arguments: Any, **named: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **named)
        connection.set_trace_callback(asked.hear)
        asked.connections += 1
        return connection

    with patch.object(sqlite3, "connect", heard):
        yield asked
