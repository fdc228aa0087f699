"""Somebody writes the database, past its triggers, and has no root key: nothing that they do goes unnoticed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from ownkey.store.audit_chain import BEGINNING, AuditKey, Row, hash_of
from ownkey.talk.errors import AuditUnavailable
from trails import Install

COLUMNS = [name for name in Row.__struct_fields__ if name != "seq"]


def other(row: Row, column: str) -> Any:
    value = getattr(row, column)
    if isinstance(value, bytes):
        return bytes(byte ^ 1 for byte in value)
    return value + 1 if isinstance(value, int) else "another"


def test_a_trail_that_nobody_touched_is_whole(install: Install, records: list[Row]) -> None:
    found = install.verify()
    assert (found.count, found.breaks, found.accepted, found.notes) == (10, [], [], [])
    assert [row.seq for row in records] == list(range(1, 11))
    assert records[0].previous == BEGINNING


@pytest.mark.parametrize("column", COLUMNS)
def test_O08_an_edit_of_any_column_of_any_record_is_found(install: Install, records: list[Row], column: str) -> None:
    for row in (records[0], records[4], records[9]):
        install.tamper(f"UPDATE audit SET {column} = :value WHERE seq = :seq", value=other(row, column), seq=row.seq)
        assert install.first() == (row.seq, "edited"), row.seq
        undone = getattr(row, column)
        install.tamper(f"UPDATE audit SET {column} = :value WHERE seq = :seq", value=undone, seq=row.seq)
        assert install.first() is None


def test_O08_a_record_that_is_taken_out_is_missed(install: Install, records: list[Row]) -> None:
    for row in records[:9]:
        install.tamper("DELETE FROM audit WHERE seq = :seq", seq=row.seq)
        assert install.first() == (row.seq, "missing")
        put(install, row)
    install.tamper("DELETE FROM audit WHERE seq = 10")
    assert install.first() == (10, "cut")


def put(install: Install, row: Row) -> None:
    names = Row.__struct_fields__
    values = ", ".join(f":{name}" for name in names)
    install.tamper(f"INSERT INTO audit ({', '.join(names)}) VALUES ({values})", **structs.asdict(row))


def test_O08_two_records_that_change_places_are_found(install: Install, records: list[Row]) -> None:
    install.tamper(
        "UPDATE audit SET seq = 99 WHERE seq = 4",
        "UPDATE audit SET seq = 4 WHERE seq = 7",
        "UPDATE audit SET seq = 7 WHERE seq = 99",
    )
    assert install.first() == (4, "edited")


def test_O08_two_records_that_change_places_with_hashes_made_anew_are_found(
    install: Install, records: list[Row]
) -> None:
    for row, seq in ((records[3], 7), (records[6], 4)):
        moved = structs.replace(row, seq=seq)
        install.tamper("DELETE FROM audit WHERE seq = :seq", seq=seq)
        put(install, structs.replace(moved, hash=hash_of(moved)))
    assert install.first() == (4, "unlinked")


@pytest.mark.parametrize("left", [0, 1, 7, 9])
def test_O08_a_tail_that_is_cut_off_is_missed(install: Install, records: list[Row], left: int) -> None:
    install.tamper("DELETE FROM audit WHERE seq > :left", left=left)
    assert install.first() == (left + 1, "cut")


@pytest.mark.parametrize("left", [0, 1, 7, 9])
def test_O08_a_tail_that_is_cut_off_with_the_head_set_back_is_missed(
    install: Install, records: list[Row], left: int
) -> None:
    last = records[left - 1].hash if left else BEGINNING
    install.tamper(
        "DELETE FROM audit WHERE seq > :left",
        "UPDATE audit_head SET count = :left, hash = :hash",
        left=left,
        hash=last,
    )
    assert install.kinds() == {"forged", "older"}


def test_O08_a_trail_that_is_wiped_out_is_missed(install: Install, records: list[Row]) -> None:
    install.tamper("DELETE FROM audit", "DELETE FROM audit_head")
    assert install.first() == (1, "older")


def test_O08_a_record_that_is_put_at_the_end_is_found(install: Install, records: list[Row]) -> None:
    forged = structs.replace(records[-1], seq=11, previous=records[-1].hash, target="openai/forged")
    put(install, structs.replace(forged, hash=hash_of(forged)))
    assert install.first() == (11, "unsealed")
    with pytest.raises(AuditUnavailable, match="never sealed"):
        install.audit.record("key.added", "openai/more", owner="owner")


def test_O08_a_record_that_is_put_between_others_is_found(install: Install, records: list[Row]) -> None:
    rest = records[5:]
    install.tamper("DELETE FROM audit WHERE seq > 5")
    forged = structs.replace(records[5], target="openai/forged")
    put(install, structs.replace(forged, hash=hash_of(forged)))
    for row in rest:
        put(install, structs.replace(row, seq=row.seq + 1))
    assert install.first() == (7, "edited")


def test_O08_hashes_that_are_all_made_anew_bear_no_seal(install: Install, records: list[Row]) -> None:
    install.tamper("DELETE FROM audit")
    last = BEGINNING
    for row in records:
        forged = structs.replace(row, target="openai/forged" if row.seq == 3 else row.target, previous=last)
        put(install, structs.replace(forged, hash=hash_of(forged)))
        last = hash_of(forged)
    assert install.kinds() == {"forged", "older"}  # the data folder remembers another tenth record
    stranger = AuditKey(install.store.install.get().id, install.vault.audit_keys()[0].kek_id, bytes(32)).sealed(
        10, last
    )
    install.tamper("UPDATE audit_head SET hash = :hash, seal = :seal", hash=last, seal=stranger.seal)
    assert install.kinds() == {"forged", "older"}
    with pytest.raises(AuditUnavailable, match="altered"):
        install.audit.record("key.added", "openai/more", owner="owner")


TAKING_BACK = (
    "UPDATE audit SET target = 'x' WHERE seq = 1",
    "DELETE FROM audit WHERE seq = 1",
    "UPDATE audit_head SET count = 3",
    "DELETE FROM audit_head",
)


@pytest.mark.parametrize("statement", TAKING_BACK)
def test_the_database_itself_refuses_what_takes_back(install: Install, records: list[Row], statement: str) -> None:
    engine = create_engine(install.url, poolclass=NullPool)
    with pytest.raises(DBAPIError, match="not rewritten"), engine.begin() as connection:
        connection.execute(text(statement))
    assert install.first() is None


def test_S10_an_older_copy_of_the_database_is_told_from_the_present_one(tmp_path: Path) -> None:
    database = tmp_path / "home" / "ownkey.db"
    install = Install(f"sqlite:///{database}", tmp_path)
    for number in range(3):
        install.audit.record("key.added", f"openai/{number}", owner="owner")
    install.close()
    backup = database.with_suffix(".backup")
    shutil.copy(database, backup)
    install = Install(f"sqlite:///{database}", tmp_path)
    for number in range(3):
        install.audit.record("key.removed", f"openai/{number}", owner="owner")
    install.close()
    for beside in database.parent.glob("ownkey.db-*"):
        beside.unlink()
    shutil.copy(backup, database)
    install = Install(f"sqlite:///{database}", tmp_path)
    assert install.first() == (4, "older")
    # Going on from there does not hide it, not even once there are more records than there were.
    for number in range(6):
        install.audit.record("budget.set", f"b{number}", owner="owner")
    assert install.first() == (6, "older")
    install.close()


def test_S10_the_file_knows_what_an_older_copy_has_not(tmp_path: Path) -> None:
    database = tmp_path / "home" / "ownkey.db"
    install = Install(f"sqlite:///{database}", tmp_path, file=True)
    install.audit.record("key.added", "openai/1", owner="owner")
    install.close()
    backup = database.with_suffix(".backup")
    shutil.copy(database, backup)
    install = Install(f"sqlite:///{database}", tmp_path, file=True)
    install.audit.record("key.removed", "openai/1", owner="owner")
    install.audit.anchor.path.unlink()
    install.close()
    for beside in database.parent.glob("ownkey.db-*"):
        beside.unlink()
    shutil.copy(backup, database)
    install = Install(f"sqlite:///{database}", tmp_path, file=True)
    assert install.first() == (2, "differs")
    install.close()


def test_O08_a_file_that_says_something_else_is_found(tmp_path: Path) -> None:
    install = Install(f"sqlite:///{tmp_path}/home/ownkey.db", tmp_path, file=True)
    for number in range(5):
        install.audit.record("key.added", f"openai/{number}", owner="owner")
    assert install.file is not None
    assert install.first() is None
    whole = install.file.read_text()
    assert len(whole.splitlines()) == 5
    install.file.write_text(whole.replace("openai/2", "openai/9"))
    assert install.first() == (3, "differs")
    install.file.write_text(whole)
    install.file.chmod(0o600)
    assert install.first() is None
    install.close()


def test_an_anchor_that_somebody_else_has_written_is_found(install: Install, records: list[Row]) -> None:
    path = install.audit.anchor.path
    path.write_text(path.read_text().replace('"count":10', '"count":99'))
    assert install.first() == (0, "forged")
    path.write_text("{}")
    assert install.first() == (0, "forged")


def test_what_is_broken_can_be_accepted_and_is_told_for_ever(install: Install, records: list[Row]) -> None:
    install.tamper("UPDATE audit SET target = 'x' WHERE seq = 4", "DELETE FROM audit WHERE seq > 8")
    with pytest.raises(AuditUnavailable):
        install.audit.record("key.added", "openai/more", owner="owner")
    found = install.verify()
    install.audit.accept(found.digest, [one.says for one in found.breaks], install.audit.keys(), owner="owner")
    install.audit.record("key.added", "openai/more", owner="owner")
    after = install.verify()
    assert after.breaks == []
    assert [one.kind for one in after.accepted][:1] == ["edited"]
    # What is done to the old part after that is found again.
    install.tamper("UPDATE audit SET target = 'y' WHERE seq = 2")
    assert install.first() == (2, "edited")


@given(st.integers(1, 10), st.binary(min_size=1, max_size=40))
def test_O08_no_bytes_in_place_of_a_seal_are_one(count: int, raw: bytes) -> None:
    key = AuditKey("install", b"kek", bytes(range(32)))
    head = key.sealed(count, bytes(32))
    assert AuditKey("install", b"kek", raw.ljust(32, b"x")).sealed(count, bytes(32)).seal != head.seal
    assert key.sealed(count + 1, bytes(32)).seal != head.seal
    assert AuditKey("other", b"kek", bytes(range(32))).sealed(count, bytes(32)).seal != head.seal
