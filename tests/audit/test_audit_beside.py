"""Beside the database: the system's log, the anchor in the data folder, the doctor, and root keys that change."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from house import KEYS, Simulator, environment, gateway, library, run
from ownkey.store.audit_chain import AuditKey, proven
from ownkey.store.audit_verify import glance
from trails import Install


def test_the_systems_log_is_told_each_record_and_no_key(tmp_path: Path) -> None:
    place = tmp_path / "log"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listening:
        listening.bind(str(place))
        listening.settimeout(10)
        with library(tmp_path / "home", audit_syslog=place) as ownkey:
            ownkey.keys.set("openai", KEYS["openai"])
            ownkey.budgets.set("monthly", limit="20")
            told = [listening.recv(65_536).decode() for _ in range(2)]
            lines = [json.loads(one[one.index("{") :].rstrip("\0")) for one in told]
            assert [(line["seq"], line["action"]) for line in lines] == [(1, "key.added"), (2, "budget.set")]
            assert lines[0]["detail"]["key"] == "REDACTED"
            assert [line["hash"] for line in lines] == [row.hash.hex() for row in ownkey.audit.listed()[::-1]]
    with library(tmp_path / "home", audit_syslog=place) as ownkey:
        # Nobody listens any more: the database suffices, and says so.
        ownkey.budgets.set("monthly", limit="30")
        assert ownkey.audit.verify().whole
        assert "log" in ownkey.audit.verify().notes[-1]


def test_O08_a_database_put_back_with_the_anchor_of_its_time_is_found_beside_the_systems_log(tmp_path: Path) -> None:
    home, kept = tmp_path / "home", tmp_path / "auth.log"
    with library(home) as ownkey:
        ownkey.keys.set("openai", KEYS["openai"])
    shutil.copytree(home, tmp_path / "before")
    with library(home) as ownkey:
        ownkey.budgets.set("monthly", limit="20")
        ownkey.audit.export(tmp_path / "audit.jsonl")
    lines = (tmp_path / "audit.jsonl").read_text().splitlines()
    kept.write_text("".join(f"Nov 21 11:00:00 host ownkey-audit: {line}\n" for line in lines) + "host cron[1]: {}\n")
    told = run(environment(home), "audit", "verify", "--beside", str(kept))
    assert (told.returncode, told.stderr) == (0, f"auth.log has {len(lines)} records.\n")
    shutil.rmtree(home)
    shutil.copytree(tmp_path / "before", home)
    assert run(environment(home), "audit", "verify").returncode == 0
    told = run(environment(home), "audit", "verify", "--beside", str(kept))
    assert told.returncode == 1
    assert "BROKEN at record 2: auth.log has a record 2 that the trail has not." in told.stderr
    edited = json.loads(lines[0])
    edited["actor"] = "somebody"
    kept.write_text(f"ownkey-audit: {json.dumps(edited)}\n")
    assert run(environment(home), "audit", "verify", "--beside", str(kept)).returncode == 1
    kept.write_text("nothing of ours\n")
    assert run(environment(home), "audit", "verify", "--beside", str(kept)).returncode == 2


def test_file_and_anchor_are_for_their_owner_alone(tmp_path: Path) -> None:
    with library(tmp_path / "home", audit_file=tmp_path / "audit.jsonl") as ownkey:
        ownkey.budgets.set("monthly", limit="20")
        for path in (tmp_path / "audit.jsonl", ownkey.house.audit.anchor.path):
            assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_was_moved_away_gets_the_whole_trail_again(tmp_path: Path) -> None:
    place = tmp_path / "audit.jsonl"
    with library(tmp_path / "home", audit_file=place) as ownkey:
        for number in range(5):
            ownkey.budgets.set(f"b{number}", limit="20")
        place.rename(tmp_path / "audit.1.jsonl")
        ownkey.budgets.set("b5", limit="20")
        assert len(place.read_text().splitlines()) == 6
        # A line that was cut off in writing stands by itself, and the next one after it.
        with place.open("a") as file:
            file.write('{"seq":7,"at')
        ownkey.budgets.set("b6", limit="20")
        assert ownkey.audit.verify().whole
        assert ownkey.audit.verify().notes == []


def keys_of(install: Install, *names: str) -> list[AuditKey]:
    id = install.store.install.get().id
    return [AuditKey(id, name.encode(), name.encode().ljust(32)) for name in names]


def test_another_root_key_takes_over_and_the_trail_goes_on(tmp_path: Path, url: str) -> None:
    install = Install(url, tmp_path)
    old, both, new = (keys_of(install, *names) for names in (["old"], ["new", "old"], ["new"]))
    audit = install.store.audited(lambda: old, install.home, install.audit.sinks)
    audit.record("key.added", "openai/1", owner="owner")
    audit = install.store.audited(lambda: both, install.home, install.audit.sinks)
    audit.record("key.added", "openai/2", owner="owner")
    assert proven(audit.trail.head(), new)
    install.audit = install.store.audited(lambda: new, install.home, install.audit.sinks)
    install.audit.record("key.added", "openai/3", owner="owner")
    assert install.first() is None
    install.close()


def test_an_anchor_from_under_an_earlier_root_key_is_still_compared(tmp_path: Path) -> None:
    install = Install(f"sqlite:///{tmp_path}/home/ownkey.db", tmp_path)
    old, both, new = (keys_of(install, *names) for names in (["old"], ["new", "old"], ["new"]))
    install.audit = install.store.audited(lambda: old, install.home, install.audit.sinks)
    install.audit.record("key.added", "openai/1", owner="owner")
    anchor = install.audit.anchor.path.read_bytes()
    install.audit = install.store.audited(lambda: both, install.home, install.audit.sinks)
    install.audit.record("key.added", "openai/2", owner="owner")
    install.audit.anchor.path.write_bytes(anchor)
    install.audit = install.store.audited(lambda: new, install.home, install.audit.sinks)
    assert install.first() is None
    assert glance(install.audit) is None
    install.tamper("UPDATE audit SET hash = previous WHERE seq = 1")
    assert {"edited", "older"} <= install.kinds()
    install.close()


def test_S10_doctor_and_gateway_say_that_an_older_copy_was_put_in_place(tmp_path: Path, simulator: Simulator) -> None:
    home = tmp_path / "home"
    with library(home) as ownkey:
        ownkey.budgets.set("monthly", limit="20")
    shutil.copy(home / "ownkey.db", tmp_path / "backup.db")
    with library(home) as ownkey:
        ownkey.budgets.set("monthly", limit="30")
    assert "audit trail" in run(environment(home), "doctor").stdout
    for left in home.glob("ownkey.db*"):
        left.unlink()
    shutil.copy(tmp_path / "backup.db", home / "ownkey.db")
    doctor = run(environment(home), "doctor")
    assert doctor.returncode == 1
    assert "an older copy of the database" in doctor.stdout
    with gateway(home, simulator) as running:
        assert "an older copy of the database" in running.log.read_text()
        assert running.ask("demo").status == 200
    assert run(environment(home), "audit", "accept", "--yes").returncode == 0
    assert run(environment(home), "doctor").returncode == 0
    with library(home) as ownkey:
        assert ownkey.audit.verify().whole
        assert "older: record 2 is not the one that the data folder remembers" in ownkey.audit.listed()[0].detail


def test_ten_thousand_records_are_verified_in_seconds(tmp_path: Path) -> None:
    install = Install(f"sqlite:///{tmp_path}/home/ownkey.db", tmp_path)
    for _ in range(10):
        records = [("key.added", f"openai/{number}") for number in range(1000)]
        for action, target in records:
            install.audit.later(action, target, detail={"provider": "openai"})
        install.audit.close()
        install.audit = install.store.audited(install.vault.audit_keys, install.home, install.audit.sinks)
    began_s = time.process_time()
    found = install.verify()
    took_s = time.process_time() - began_s
    assert (found.count, found.breaks) == (10_000, [])
    assert took_s < 10  # of the processor, for 10,000
    install.close()


def test_an_empty_trail_is_whole(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with library(home) as ownkey:
        assert ownkey.audit.verify().count == 0
        assert ownkey.audit.listed() == []
    ended = run(environment(home), "audit", "verify")
    assert (ended.returncode, ended.stdout) == (0, "0 records: each is there and is what was written.\n")
    with closing(sqlite3.connect(home / "ownkey.db")) as connection:
        assert connection.execute("SELECT count(*) FROM audit").fetchone() == (0,)
