"""A database is made, opened again, or refused; never half made, never overwritten."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

from ownkey.store import schema, tables
from ownkey.store.connect import Database
from ownkey.store.db import Store
from ownkey.talk.errors import BadConfiguration, StorageUnavailable

_SHAPE = {
    "sqlite": "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE '%ownkey_version%'",
    "postgresql": """
        SELECT 'column', table_name, column_name, data_type || is_nullable || coalesce(column_default, '')
          FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'ownkey_version'
        UNION SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
          FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conname NOT LIKE 'ownkey_version%'
        UNION SELECT 'index', tablename, indexname, indexdef
          FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'ownkey_version'
        UNION SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid)
          FROM pg_trigger WHERE NOT tgisinternal
        UNION SELECT 'function', proname, '', prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace""",
}


def _shape(url: str) -> list[tuple[str, ...]]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        rows = connection.execute(text(_SHAPE[engine.dialect.name])).all()
    return sorted(tuple(_in_order(" ".join(str(value).split())) for value in row) for row in rows)


def _in_order(statement: str) -> str:
    """A table's columns and checks stand in the order in which they came: here, in that of their names."""
    if not statement.startswith("CREATE TABLE "):
        return statement
    start, end = statement.index("("), statement.rindex(")")
    clauses, depth = [""], 0
    for letter in statement[start + 1 : end]:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            clauses.append("")
        else:
            clauses[-1] += letter
    return f"{statement[:start]}({', '.join(sorted(one.strip() for one in clauses))}){statement[end + 1 :]}"


def test_the_schema_made_from_nothing_equals_the_one_that_migrations_make(
    url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    Store.open(url).close()
    if url.startswith("sqlite"):
        other = f"sqlite:///{tmp_path}/other.db"
    else:
        other = request.getfixturevalue("postgres_server").fresh()
    engine = create_engine(other, poolclass=NullPool)
    tables.metadata.create_all(engine)
    made = _shape(url)
    assert len(made) > 10
    assert made == _shape(other)


def test_every_migration_is_known_to_the_door() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).with_name("migrations")))
    found = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == schema.REVISIONS


def test_an_opened_database_keeps_what_is_in_it(url: str) -> None:
    store = Store.open(url)
    id = store.install.get().id
    store.close()
    again = Store.open(url)
    assert again.install.get().id == id
    again.close()


def test_opening_what_is_up_to_date_imports_no_migrations(file: Path) -> None:
    Store.open(f"sqlite:///{file}").close()
    program = f"""
import sys
from ownkey.store.db import Store
Store.open("sqlite:///{file}").close()
print("alembic" in sys.modules, "psycopg" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=_environment())
    assert ran.stdout.split() == ["False", "False"], ran.stderr


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_S14_four_processes_that_start_on_nothing_make_one_schema(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "sqlite":
        urls = [f"sqlite:///{tmp_path}/{number}/ownkey.db" for number in range(8)]
    else:
        server = request.getfixturevalue("postgres_server")
        urls = [server.fresh() for _ in range(3)]
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    with context.Pool(4, _meet_at, (barrier,)) as pool:
        told = pool.map(_open_each, [urls] * 4, chunksize=1)
        pool.close()
        pool.join()
    for ids in zip(*told, strict=True):
        assert len(set(ids)) == 1


def _meet_at(barrier: Barrier) -> None:
    global _barrier  # noqa: PLW0603  the one way to hand a barrier to a pool's processes
    _barrier = barrier


def _open_each(urls: list[str]) -> list[str]:
    ids: list[str] = []
    for url in urls:
        _barrier.wait(30)
        store = Store.open(url)
        ids.append(store.install.get().id)
        store.close()
    return ids


def test_a_database_of_a_newer_schema_is_refused_and_stays_as_it_is(url: str) -> None:
    store = Store.open(url)
    store.install.get()
    store.close()
    database = Database(url)
    with database.writing() as connection:
        connection.execute(text("UPDATE ownkey_version SET version_num = '9999'"))
    with pytest.raises(BadConfiguration, match="newer schema"):
        Store.open(url)
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM install")).scalar() == 1
        assert connection.execute(text("SELECT version_num FROM ownkey_version")).scalar() == "9999"
    database.close()


def test_S07_the_database_of_another_program_is_refused_and_stays_as_it_is(url: str, file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE recipes (name TEXT)"))
        connection.execute(text("INSERT INTO recipes VALUES ('soup')"))
    before = file.read_bytes() if file.exists() else b""
    with pytest.raises(StorageUnavailable, match="not Ownkey's"):
        Store.open(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM recipes")).scalar() == "soup"
    assert before == (file.read_bytes() if file.exists() else b"")


@pytest.mark.parametrize("content", [b"", b"\x00" * 4096, b"SQLite format 3\x00" + b"\xff" * 5000, b"letters " * 999])
def test_S07_a_damaged_file_is_refused_and_stays_as_it_is(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(StorageUnavailable):
        Store.open(f"sqlite:///{file}")
    assert file.read_bytes() == content


def test_S07_a_damaged_page_is_an_error_and_never_an_answer(file: Path) -> None:
    store = Store.open(f"sqlite:///{file}")
    store.install.get()
    store.close()
    with closing(sqlite3.connect(file)) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'install'").fetchone()[0]
    with file.open("r+b") as raw:
        raw.seek((page - 1) * 4096)
        raw.write(b"\xde\xad" * 2048)
    with pytest.raises(StorageUnavailable), closing(Store.open(f"sqlite:///{file}")) as store:
        store.install.get()


def test_a_whole_database_has_no_problems(url: str) -> None:
    store = Store.open(url)
    assert store.problems() == []
    store.close()


def test_S07_damage_that_no_query_meets_is_found_by_who_asks(file: Path) -> None:
    Store.open(f"sqlite:///{file}").close()
    with closing(sqlite3.connect(file)) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'book_by_time'").fetchone()[0]
    with file.open("r+b") as raw:
        raw.seek((page - 1) * 4096)
        raw.write(b"\xde\xad" * 2048)
    store = Store.open(f"sqlite:///{file}")
    assert store.problems()
    store.close()


def test_S07_a_log_without_its_database_is_not_written_over(file: Path) -> None:
    file.parent.mkdir()
    log = file.with_name("ownkey.db-wal")
    log.write_bytes(b"what is left")
    with pytest.raises(StorageUnavailable, match="log"):
        Store.open(f"sqlite:///{file}")
    assert log.read_bytes() == b"what is left"
    assert not file.exists()


def test_what_a_killed_start_left_behind_is_made_anew(file: Path) -> None:
    file.parent.mkdir()
    file.with_name("ownkey.db.new").write_bytes(b"half a database")
    Store.open(f"sqlite:///{file}").close()
    assert not file.with_name("ownkey.db.new").exists()


def test_nobody_else_can_read_the_files(file: Path) -> None:
    store = Store.open(f"sqlite:///{file}")
    store.install.get()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (file.parent, *file.parent.iterdir())}
    store.close()
    assert modes.pop("home") == modes.pop("run") == 0o700
    assert len(modes) == 3
    assert set(modes.values()) == {0o600}


def test_every_connection_to_sqlite_is_strict_and_durable(file: Path) -> None:
    Store.open(f"sqlite:///{file}").close()
    database = Database(f"sqlite:///{file}")
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "busy_timeout": 10_000}
    with database.reading() as connection:
        said = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}
        strict = connection.exec_driver_sql("SELECT name FROM pragma_table_list WHERE strict").scalars().all()
    database.close()
    assert said == wanted
    assert set(strict) == set(tables.metadata.tables)


def test_B30_money_is_never_null_and_never_negative(url: str) -> None:
    for name in ("held_nano", "cost_nano"):
        assert not tables.book.c[name].nullable
    Store.open(url).close()
    database = Database(url)
    full = {"i": "x", "held": 1, "cost": 0}
    for wrong in ({"held": None}, {"cost": None}, {"held": -1}, {"cost": -1}):
        with pytest.raises(IntegrityError), database.writing() as connection:
            connection.execute(text(_INSERT), full | wrong)
    database.close()


_INSERT = (
    "INSERT INTO book (id, request_id, attempt, owner, provider, model, wire, stream, priced, price,"
    " started_at_ms, holder, state, held_nano, cost_nano)"
    " VALUES (:i, 'r', 1, 'o', 'p', 'm', 'w', 1=1, 1=1, '{}', 1, 'h', 'held', :held, :cost)"
)


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "mysql://host/db", "not a url", "sqlite:///x.db?mode=memory"],
)
def test_a_url_that_names_no_database_of_ours_is_refused(url: str) -> None:
    with pytest.raises(BadConfiguration):
        Store.open(url)


def test_a_password_in_the_url_stands_in_no_error() -> None:
    with pytest.raises(StorageUnavailable) as caught:
        Store.open("postgresql://user:hunter2secret@127.0.0.1:1/db")
    assert "hunter2secret" not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"


def _environment() -> dict[str, str]:
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
