"""A database that notes by itself whenever a budget is passed, and processes that spend from it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from ownkey.store.db import Store

_ON_SQLITE = """
CREATE TRIGGER watch_{event} AFTER {event} ON counters
WHEN NEW.spent + NEW.pending > (SELECT most FROM budgets WHERE id = NEW.budget)
BEGIN INSERT INTO passed VALUES (NEW.spent + NEW.pending); END
"""
_ON_POSTGRES = """
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.spent + NEW.pending > (SELECT most FROM budgets WHERE id = NEW.budget)
  THEN INSERT INTO passed VALUES (NEW.spent + NEW.pending); END IF;
  RETURN NEW; END $$;
CREATE TRIGGER watch AFTER INSERT OR UPDATE ON counters FOR EACH ROW EXECUTE FUNCTION note()
"""


def watch(url: str) -> None:
    """From now on every change of a counter that passes its limit is noted, in the very transaction that makes it."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE passed (amount BIGINT)"))
        if url.startswith("sqlite"):
            for event in ("INSERT", "UPDATE"):
                connection.execute(text(_ON_SQLITE.format(event=event)))
        else:
            connection.execute(text(_ON_POSTGRES))


def complaints(url: str, store: Store, limit: int, refused: list[int]) -> list[str]:
    """What is wrong with a book whose only budget was `limit`, of which holds of these amounts were refused."""
    found: list[str] = []
    with create_engine(url, poolclass=NullPool).connect() as connection:
        passed = connection.execute(text("SELECT count(*) FROM passed")).scalar_one()
    if passed:
        found.append(f"the limit was passed {passed} times")
    (total,) = store.book.totals(())
    used = total.cost_nano + total.pending_nano
    if used > limit:
        found.append(f"{used} of {limit} are spent and pending")
    if refused and min(refused) <= limit - used:
        found.append(f"{min(refused)} were refused though {limit - used} are left")
    found += [f"counter {place} says {said}, the rows {true}" for place, said, true in store.budgets.wrong_counters()]
    return found


def environment(**more: str) -> dict[str, str]:
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)} | more


@contextmanager
def processes(program: str, *arguments: list[str], env: dict[str, str]) -> Iterator[list[subprocess.Popen[str]]]:
    """One for each list of arguments; each has said that it is ready, and begins at a line on its standard input."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, *each], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
        )
        for each in arguments
    ]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield running
    finally:
        for process in running:
            process.kill()
            process.communicate()


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
