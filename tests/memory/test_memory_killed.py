"""A gateway that is killed while it writes: nothing else is lost, and what is there opens."""

from __future__ import annotations

import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from house import Simulator, gateway, library, until


def test_killed_while_it_writes_it_leaves_only_whole_entries(tmp_path: Path, simulator: Simulator) -> None:
    home = tmp_path / "home"
    with library(home) as ownkey:
        ownkey.history.on()
        ownkey.cache.on()
    with gateway(home, simulator) as running:
        model = f"{running.provider()}/gpt-4o"
        answered: list[int] = []

        def ask(who: int) -> None:
            for number in range(200):
                try:
                    answered.append(running.ask(model, f"Say 200 words of {who} and {number}").status)
                except OSError:
                    return

        clients = [threading.Thread(target=ask, args=(who,)) for who in range(4)]
        for client in clients:
            client.start()

        def written() -> int:
            with closing(sqlite3.connect(home / "ownkey.db", timeout=10)) as sql:
                return int(sql.execute("SELECT count(*) FROM history").fetchone()[0])

        until(lambda: written() > 4 and len(answered) > 12, 60)
        running.stop(signal.SIGKILL)
        for client in clients:
            client.join(30)
    with closing(sqlite3.connect(home / "ownkey.db")) as sql:
        assert sql.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with library(home) as ownkey:
        kept = list(ownkey.history.export())
        assert 0 < len(kept) <= len(answered) + 4
        assert all(one.entry is not None and one.entry.whole and len(one.entry.text) > 100 for one in kept)
        booked = {row.request_id for row in ownkey.house.store.book.rows(limit=10_000)}
        assert {one.id for one in kept} <= booked
        before = ownkey.cache.stats().held.answers
        assert 0 < before <= len(answered) + 4
    with gateway(home, simulator) as again:
        first = kept[0].entry
        assert first is not None
        answer = again.ask(model, first.messages[0].text)
        assert (answer.status, answer.text) == (200, first.text)
        assert answer.headers["x-ownkey-cache"] == "hit"
