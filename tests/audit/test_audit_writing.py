"""Records come before what they tell of, in one order, from however many processes; where none can be written, nothing
is done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from house import until
from ownkey.store.audit import Actor, acting
from ownkey.store.audit_trail import Looked
from ownkey.store.tokens import TokenRow
from ownkey.talk.errors import AuditUnavailable, StorageUnavailable, VaultSealed
from trails import Install

_APPENDING = """
import sys
from pathlib import Path
from trails import Install
install = Install(sys.argv[1], Path(sys.argv[2]), file=True)
for number in range(int(sys.argv[3])):
    install.audit.record("key.added", f"{sys.argv[4]}/{number}", owner="owner")
install.close()
"""
_MAKING_TOKENS = """
import sys
from pathlib import Path
from trails import Install
from ownkey.vault.tokens import Tokens
install = Install(sys.argv[1], Path(sys.argv[2]))
tokens = Tokens(install.store, install.audit)
for number in range(100_000):
    print(tokens.create("owner", f"{sys.argv[4]}-{number}")[0].id, flush=True)
"""


def process(program: str, install: Install, *arguments: str) -> subprocess.Popen[str]:
    env = dict(os.environ) | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", program, install.url, str(install.home.parent), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)


def token(name: str) -> TokenRow:
    return TokenRow(f"tok_{name}", "owner", name, os.urandom(32), "ok-...", 1)


def test_four_processes_of_two_hundred_records_each_make_one_chain(install: Install) -> None:
    install.audit.record("vault.opened", "home")
    processes = [process(_APPENDING, install, "200", f"process{number}") for number in range(4)]
    for one in processes:
        assert one.wait(100) == 0
        assert one.stdout is not None
        one.stdout.close()
    found = install.verify()
    assert (found.count, found.breaks) == (801, [])
    rows = list(install.audit.trail.every())
    for number in range(4):
        mine = [row.target for row in rows if row.target.startswith(f"process{number}/")]
        assert mine == [f"process{number}/{one}" for one in range(200)]
    beside = Install(install.url, install.home.parent, file=True)
    assert beside.file is not None
    assert len(beside.file.read_text().splitlines()) == 801
    assert beside.verify().breaks == []
    beside.close()


def test_I_AUDIT_killed_at_any_moment_nothing_was_done_without_its_record(install: Install) -> None:
    made: set[str] = set()
    for kill in range(4):
        with process(_MAKING_TOKENS, install, "", f"kill{kill}") as one:
            assert one.stdout is not None
            made |= {one.stdout.readline().strip() for _ in range(5 + 3 * kill)}
            time.sleep(0.003 * kill)
            one.send_signal(signal.SIGKILL)
            made |= {line.strip() for line in one.stdout if line.endswith("\n")}
    there = {row.id for row in install.store.tokens.all()}
    recorded = {row.target for row in install.audit.trail.every() if row.action == "token.created"}
    assert made <= there == recorded
    assert install.first() is None


def test_what_fails_leaves_no_record_and_what_has_no_record_does_not_happen(install: Install) -> None:
    install.store.tokens.add(token("one"))
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"), install.audit.within("token.created", "tok_two"):
        install.store.tokens.add(token("one"))
    assert list(install.audit.trail.every()) == []
    install.tamper("DROP TABLE audit")
    with pytest.raises(AuditUnavailable, match="cannot be written"), install.audit.within("token.created", "tok_two"):
        install.store.tokens.add(token("two"))
    assert [row.id for row in install.store.tokens.all()] == ["tok_one"]


def test_who_acts_is_said_by_the_face(install: Install) -> None:
    with acting(Actor("user", "u_1", "req_1")), install.audit.within("token.created", "tok_one", owner="owner"):
        install.store.tokens.add(token("one"))
    install.audit.record("token.created", "tok_two", owner="owner")
    install.audit.record("vault.opened", "home")
    rows = install.audit.trail.listed(Looked())[::-1]
    assert [(row.actor_kind, row.actor, row.request_id) for row in rows] == [
        ("user", "u_1", "req_1"),
        ("owner", "owner", None),
        ("system", "", None),
    ]
    assert [row.actor for row in install.audit.trail.listed(Looked(actor="user"))] == ["u_1"]
    assert len(install.audit.trail.listed(Looked(action="token"))) == 2
    assert install.audit.trail.listed(Looked(action="tok")) == []
    assert install.audit.trail.listed(Looked(since_ms=rows[-1].at_ms + 1)) == []


def test_what_nobody_waits_for_is_written_when_it_is_closed(install: Install) -> None:
    for number in range(500):
        install.audit.later("fallback.triggered", "a/b", detail={"from": "a/b", "to": f"c/{number % 2}"})
    install.close()
    again = Install(install.url, install.home.parent)
    rows = list(again.audit.trail.every())
    assert sorted(row.detail for row in rows) == [
        '{"from":"a/b","to":"c/0","times":250}',
        '{"from":"a/b","to":"c/1","times":250}',
    ]
    assert again.first() is None
    again.close()


def test_later_does_not_keep_anybody_waiting(install: Install) -> None:
    began_s = time.perf_counter()
    for number in range(2000):
        install.audit.later("fallback.triggered", "a/b", detail={"from": "a/b", "to": f"c/{number % 10}"})
    assert time.perf_counter() - began_s < 2  # a millisecond each; it is some ten microseconds
    until(lambda: sum(1 for _ in install.audit.trail.every()) >= 10)


def test_while_sealed_only_what_takes_away_is_done_and_it_is_sealed_afterwards(tmp_path: Path) -> None:
    install = Install(f"sqlite:///{tmp_path}/home/ownkey.db", tmp_path)
    install.audit.record("token.created", "tok_1", owner="owner")
    root = install.home / "root.key"
    away = root.rename(root.with_name("away.key"))
    sealed = Install(install.url, tmp_path)
    with pytest.raises(VaultSealed):
        sealed.audit.record("token.created", "tok_2", owner="owner")
    with pytest.raises(VaultSealed), sealed.audit.within("token.created", "tok_2"):
        sealed.store.tokens.add(token("two"))
    assert sealed.store.tokens.all() == []
    sealed.audit.record("token.revoked", "tok_1", owner="owner")
    assert {"unproven", "unsealed"} == sealed.kinds()
    sealed.close()
    away.rename(root)
    assert install.first() == (2, "unsealed")
    install.audit.record("token.created", "tok_3", owner="owner")
    assert install.first() is None
    assert [row.action for row in install.audit.trail.every()] == [
        *("token.created", "token.revoked", "audit.adopted", "token.created")
    ]
    install.close()


def refusing(install: Install) -> None:
    """No room for another record: everything else in the database can be written."""
    statements = {
        "sqlite": ["CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END"],
        "postgresql": [
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$",
            "CREATE TRIGGER full_ BEFORE INSERT ON audit EXECUTE FUNCTION full_disk()",
        ],
    }
    run(install, *statements[install.url.partition(":")[0].partition("+")[0]])


def run(install: Install, *statements: str) -> None:
    engine = create_engine(install.url, poolclass=NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def accepting(install: Install) -> None:
    postgres = install.url.startswith("postgresql")
    run(install, "DROP FUNCTION full_disk() CASCADE" if postgres else "DROP TRIGGER full")


def test_O07_where_the_database_takes_no_record_nothing_is_done_until_it_does_again(install: Install) -> None:
    install.audit.record("token.created", "tok_1", owner="owner")
    refusing(install)
    with pytest.raises(AuditUnavailable):
        install.audit.record("key.used", "key_1", owner="owner")
    with pytest.raises(AuditUnavailable), install.audit.within("token.created", "tok_two"):
        install.store.tokens.add(token("two"))
    assert install.store.tokens.all() == []
    accepting(install)
    install.audit.record("key.used", "key_1", owner="owner")
    assert install.verify().count == 2


def test_O07_the_file_suffices_where_the_database_takes_no_record(url: str, tmp_path: Path) -> None:
    install = Install(url, tmp_path, file=True)
    install.audit.record("token.created", "tok_1", owner="owner")
    refusing(install)
    install.audit.record("key.used", "key_1", owner="owner")
    assert install.file is not None
    assert '"key.used"' in install.file.read_text()
    assert install.verify().whole
    accepting(install)
    install.audit.record("key.used", "key_2", owner="owner")
    # What the file alone had is in the database now, and the file has everything.
    assert [row.target for row in install.audit.trail.every()] == ["tok_1", "key_1", "key_2"]
    found = install.verify()
    assert found.breaks == []
    assert len(found.notes) == 1
    install.close()


def test_O07_the_database_suffices_where_the_file_takes_nothing(url: str, tmp_path: Path) -> None:
    install = Install(url, tmp_path, file=True)
    assert install.file is not None
    install.file.mkdir()
    install.audit.record("key.used", "key_1", owner="owner")
    assert install.audit.lag is not None
    found = install.verify()
    assert found.whole
    assert found.notes != []
    refusing(install)
    with pytest.raises(AuditUnavailable, match="Nor does the file"):
        install.audit.record("key.used", "key_2", owner="owner")
    accepting(install)
    install.file.rmdir()
    install.audit.record("key.used", "key_3", owner="owner")
    assert len(install.file.read_text().splitlines()) == 2  # with what it had missed
    assert (install.verify().breaks, install.verify().notes) == ([], [])
    install.close()


_FULL = """
import resource, signal, sys
from pathlib import Path
from trails import Install
from ownkey.talk.errors import AuditUnavailable, StorageUnavailable
install = Install(sys.argv[1], Path(sys.argv[2]), file=sys.argv[3] == "file")
install.audit.record("token.created", "tok_1", owner="owner")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sizes = [path.stat().st_size for path in install.home.parent.rglob("*") if path.is_file()]
files = [install.file] if install.file else []
most = max(path.stat().st_size for path in files) + 700 if files else max(sizes) // 4096 * 4096
resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
failed = 0
for number in range(300):
    try:
        install.audit.record("key.used", f"key_{number}", owner="owner", detail={"model": "x" * 300})
    except (AuditUnavailable, StorageUnavailable) as error:
        failed += 1
        print(type(error).__name__, error.code)
        break
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
install.audit.record("key.used", "key_after", owner="owner")
found = install.verify()
print(failed, found.breaks, found.count == len(list(install.audit.trail.every())))
install.close()
"""


@pytest.mark.parametrize("beside", ["file", "none"])
def test_O07_S03_with_a_full_disk_keys_are_not_used_and_it_recovers(tmp_path: Path, beside: str) -> None:
    install = Install(f"sqlite:///{tmp_path}/home/ownkey.db", tmp_path)
    with process(_FULL, install, beside) as ended:
        assert ended.stdout is not None
        said = ended.stdout.read().splitlines()
    assert said[0] == "AuditUnavailable audit_unavailable"
    assert said[1] == "1 [] True"
    install.close()


def test_O06_many_threads_and_a_slow_database_lose_no_record(install: Install) -> None:
    failed: list[BaseException] = []

    def write(name: int) -> None:
        try:
            for number in range(20):
                install.audit.record("key.used", f"key_{name}_{number}", owner="owner")
        except (AuditUnavailable, StorageUnavailable) as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failed == []
    assert install.verify().count == 120
    assert install.first() is None


def test_a_child_of_a_fork_writes_what_is_its_own(tmp_path: Path) -> None:
    install = Install(f"sqlite:///{tmp_path}/home/ownkey.db", tmp_path)
    install.audit.record("vault.opened", "home")
    install.audit.later("fallback.triggered", "parent/one")
    if (child := os.fork()) == 0:
        try:
            install.audit.later("fallback.triggered", "child/one")
            install.audit.close()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    install.audit.close()
    assert sorted(row.target for row in install.audit.trail.every()) == ["child/one", "home", "parent/one"]
    assert install.first() is None
    install.close()
