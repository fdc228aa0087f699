"""Files that somebody else made: they are read as data, and what is wrong with one is said without a byte of it."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from house import library
from ownkey import Ownkey
from ownkey.talk.errors import InvalidRequest

CANARY = "sk-canary-hostile-9Xk2LmNoPq4RsTuVw6Yz"
ENTRY = f"  - litellm_params: {{model: openai/gpt-4o, api_key: {CANARY}}}\n"


@pytest.fixture
def ownkey(tmp_path: Path) -> Iterator[Ownkey]:
    with library(tmp_path / "home") as one:
        yield one


def refused(ownkey: Ownkey, tmp_path: Path, content: bytes, form: str | None = None, name: str = "file") -> str:
    """What is said of a file that is not read, soon and without the key in it."""
    path = tmp_path / name
    path.write_bytes(content)
    began_s = time.monotonic()
    with pytest.raises(InvalidRequest) as error:
        ownkey.imports.preview(path, form)
    assert time.monotonic() - began_s < 10
    assert CANARY not in repr(error.value) + str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None
    return error.value.message


@pytest.mark.parametrize(
    "tagged",
    [
        "!!python/object/apply:os.system ['touch {made}']",
        "!!python/object/new:os.system ['touch {made}']",
        "!!python/name:os.system",
        "!!python/module:os",
        "!<tag:yaml.org,2002:python/object/apply:subprocess.check_output> [[touch, '{made}']]",
        "!Own {{a: b}}",
        "!!binary aGVsbG8=",
        "!!set {{a, b}}",
    ],
)
def test_P06_a_tag_in_yaml_makes_nothing(ownkey: Ownkey, tmp_path: Path, tagged: str) -> None:
    made = tmp_path / "made"
    text = f"other: {tagged.format(made=made)}\nmodel_list:\n{ENTRY}"
    assert refused(ownkey, tmp_path, text.encode()) == "Line 1 of this file holds a tag, which could be more than data."
    assert not made.exists()


@pytest.mark.parametrize(
    "template",
    [
        "{{{{ self.__init__ }}}}",
        "{{% for a in b %}}x{{% endfor %}}",
        "${{{{7*7}}}}",
        "$(touch {made})",
        "`touch {made}`",
    ],
)
def test_P06_a_template_in_a_file_is_text_and_no_key(ownkey: Ownkey, tmp_path: Path, template: str) -> None:
    made = tmp_path / "made"
    text = template.format(made=made)
    (tmp_path / "file.yaml").write_text(f"model_list:\n  - litellm_params: {{model: openai/x, api_key: {text!r}}}\n")
    (tmp_path / "file.env").write_text(f'OPENAI_API_KEY="{text}"\n')
    for name in ("file.yaml", "file.env"):
        (row,) = ownkey.imports.preview(tmp_path / name).rows
        assert row.why is not None
    assert not made.exists()


@pytest.mark.parametrize("pickled", [b"\x80\x04\x95", b"cos\nsystem\n(S'true'\ntR."])
def test_P06_a_pickle_is_not_read(ownkey: Ownkey, tmp_path: Path, pickled: bytes) -> None:
    refused(ownkey, tmp_path, pickled + CANARY.encode())


def test_aliases_of_aliases_take_no_more_room_than_their_file(ownkey: Ownkey, tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    path = tmp_path / "file.yaml"
    path.write_text("\n".join(lines) + f"\nmodel_list:\n{ENTRY}")
    began_s = time.monotonic()
    (row,) = ownkey.imports.preview(path).rows
    assert time.monotonic() - began_s < 5
    assert row.provider == "openai"


def test_merges_of_merges_end(ownkey: Ownkey, tmp_path: Path) -> None:
    keys = ", ".join(f"k{n}: v" for n in range(1000))
    merges = "\n".join(f"m{n}: {{<<: [{', '.join(['*a'] * 100)}]}}" for n in range(100))
    text = f"a: &a {{{keys}}}\n{merges}\nmodel_list:\n{ENTRY}"
    assert "merges more than a file can hold" in refused(ownkey, tmp_path, text.encode())


def test_an_alias_of_itself_is_read_and_goes_nowhere(ownkey: Ownkey, tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(f"model_list: &a\n{ENTRY}  - *a\nother: &b {{<<: *b, b: *b}}\n")
    assert [row.why for row in ownkey.imports.preview(path).rows][:1] == [None]


@pytest.mark.parametrize("nested", ["[" * 100_000, "{a: " * 100_000, "- " * 50_000, "? " * 50_000])
def test_what_is_nested_deep_is_refused_soon(ownkey: Ownkey, tmp_path: Path, nested: str) -> None:
    refused(ownkey, tmp_path, f"model_list: {nested}".encode(), "litellm")


def test_json_nested_deep_is_refused(ownkey: Ownkey, tmp_path: Path) -> None:
    refused(ownkey, tmp_path, b'{"openai": ' + b"[" * 200_000)


@pytest.mark.parametrize(
    "content",
    [
        f'{{"openai": "{CANARY}", "openai": "other"}}',
        f"model_list:\n{ENTRY}model_list: []\n",
        f"model_list:\n  - litellm_params: {{api_key: {CANARY}, model: openai/x, api_key: other}}\n",
        f'{{"openai": "{CANARY}"',
        f"model_list: [{CANARY}\n  x: '{CANARY}",
        f"{CANARY}: {CANARY}\n  {CANARY}",
        f"model_list: []\n---\nmodel_list: [{CANARY}]",
        f"model_list: *{CANARY}",
        f'["{CANARY}"]',
        CANARY,
        "",
    ],
)
def test_a_broken_file_is_refused_without_a_byte_of_it(ownkey: Ownkey, tmp_path: Path, content: str) -> None:
    refused(ownkey, tmp_path, content.encode())


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe" + CANARY.encode("utf-16-le"),
        b"OPENAI_API_KEY=" + CANARY.encode() + b"\0",
        os.urandom(64) + b"\xff\0",
        b"\xef\xbb\xbf\xe9",
    ],
    ids=["utf-16", "nul", "random", "latin-1"],
)
def test_what_is_no_text_is_refused(ownkey: Ownkey, tmp_path: Path, content: bytes) -> None:
    assert "neither UTF-8 text nor a SQLite database" in refused(ownkey, tmp_path, content)


def test_a_file_of_100_mb_is_not_read(ownkey: Ownkey, tmp_path: Path) -> None:
    path = tmp_path / "large.env"
    with path.open("wb") as file:
        file.write(b"OPENAI_API_KEY=" + CANARY.encode() + b"\n")
        file.truncate(100 * 1024 * 1024)
    began_s = time.monotonic()
    with pytest.raises(InvalidRequest, match="larger than 5 MiB"):
        ownkey.imports.preview(path)
    assert time.monotonic() - began_s < 2


def test_a_link_a_pipe_a_folder_and_nothing_are_refused(ownkey: Ownkey, tmp_path: Path) -> None:
    (tmp_path / "real.env").write_text(f"OPENAI_API_KEY={CANARY}\n")
    (tmp_path / "link.env").symlink_to(tmp_path / "real.env")
    os.mkfifo(tmp_path / "pipe.env")
    (tmp_path / "folder.env").mkdir()
    for name in ("link.env", "pipe.env", "folder.env", "absent.env"):
        with pytest.raises(InvalidRequest) as error:
            ownkey.imports.preview(tmp_path / name)
        assert CANARY not in str(error.value)


def test_many_assignments_and_long_lines_are_read_soon(ownkey: Ownkey, tmp_path: Path) -> None:
    began_s = time.monotonic()
    for number, text in enumerate(
        (
            'A="' + "\\" * 400_000,
            "A=" + " " * 400_000 + "x\n" + "#" * 400_000,
            "A='\n" * 20_000,
            "export " * 50_000 + "A=1",
            "".join(f"A{n}=${{A{n - 1}}}${{A{n - 1}}}\n" for n in range(1, 2_000)),
            "A=1\n" + "".join(f"B{n}_API_KEY=x\n" for n in range(5_000)),
        )
    ):
        path = tmp_path / f"{number}.env"
        path.write_text(text)
        assert len(ownkey.imports.preview(path, "env").rows) <= 500
    assert time.monotonic() - began_s < 20


def channels(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return path


PLAIN = "CREATE TABLE channels (id integer PRIMARY KEY, type integer, key text, status integer, name text)"
ROW = f"INSERT INTO channels VALUES (1, 1, '{CANARY}', 1, 'x')"


def test_triggers_and_other_tables_of_a_database_are_nothing_to_us(ownkey: Ownkey, tmp_path: Path) -> None:
    path = channels(
        tmp_path / "one-api.db",
        PLAIN,
        ROW,
        "CREATE TABLE other (a text)",
        "CREATE TRIGGER t AFTER INSERT ON channels BEGIN INSERT INTO other VALUES (new.key); END",
        "CREATE VIEW v AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c",
        "CREATE INDEX i ON channels (abs(type))",
    )
    before = path.read_bytes()
    (row,) = ownkey.imports.preview(path).rows
    assert row.provider == "openai"
    assert path.read_bytes() == before
    assert {one.name for one in tmp_path.iterdir()} == {"home", "one-api.db"}


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE real (id, type, key, status)", "CREATE VIEW channels AS SELECT * FROM real"),
        (
            "CREATE VIEW channels AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
            " SELECT x AS id, x AS type, x AS key, x AS status FROM c",
        ),
        ("CREATE VIRTUAL TABLE channels USING fts5(id, type, key, status)",),
        (
            "CREATE TABLE channels (id integer, type integer, status integer,"
            " key text GENERATED ALWAYS AS (hex(zeroblob(100000000))) VIRTUAL)",
            "INSERT INTO channels (id, type, status) VALUES (1, 1, 1)",
        ),
        ("CREATE TABLE users (id, password)",),
        ("CREATE TABLE channels (a, b)",),
    ],
)
def test_a_database_whose_channels_would_compute_is_refused(
    ownkey: Ownkey, tmp_path: Path, statements: tuple[str, ...]
) -> None:
    path = channels(tmp_path / "made.db", *statements)
    refused(ownkey, tmp_path, path.read_bytes(), name="one-api.db")


def test_a_broken_database_is_refused(ownkey: Ownkey, tmp_path: Path) -> None:
    whole = channels(tmp_path / "made.db", PLAIN, ROW).read_bytes()
    for content in (whole[:200], whole[:100] + os.urandom(len(whole) - 100), b"SQLite format 3\0" + CANARY.encode()):
        refused(ownkey, tmp_path, content, name="one-api.db")


def test_names_in_a_file_cannot_draw_on_a_terminal_or_show_a_key(ownkey: Ownkey, tmp_path: Path) -> None:
    name = f"\x1b[2J\u202e{CANARY}\n"
    path = channels(tmp_path / "one-api.db", PLAIN, ROW)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE channels SET name = ?", [name])
        connection.commit()
    (tmp_path / "keys.json").write_text('{"\\u001b[2J%s": "x"}' % CANARY)  # noqa: UP031
    for file in ("one-api.db", "keys.json"):
        shown = repr(ownkey.imports.preview(tmp_path / file).rows)
        assert CANARY not in shown
        assert "\x1b" not in shown
        assert "x1b" not in shown


def test_a_preview_shows_no_key_wherever_it_is_printed(ownkey: Ownkey, tmp_path: Path) -> None:
    (tmp_path / "file.yaml").write_text(f"model_list:\n{ENTRY}")
    (tmp_path / "file.env").write_text(f"OPENAI_API_KEY={CANARY}\nSTRANGE_API_KEY={CANARY}\n")
    for name in ("file.yaml", "file.env"):
        preview = ownkey.imports.preview(tmp_path / name)
        assert CANARY not in repr(preview) + str(preview.rows)
        assert preview.wanted
