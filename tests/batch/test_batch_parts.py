"""Parts of batches: who works on one, forms that come in pieces, lines wherever the file was cut, costs to come."""

from __future__ import annotations

import json
import time
from contextlib import closing

import pytest

from batched import line
from house import until
from ownkey.app.batches.line import Problem, read_all, split
from ownkey.cli.batch import to_come
from ownkey.store.batches import BatchRow, LineRow, Tally
from ownkey.store.db import Store
from ownkey.talk.errors import Conflict, InvalidRequest
from ownkey.wires.form import FormReader

FORM = (
    b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b\r\n'
    b'Content-Disposition: form-data; name="file"; filename="calls.jsonl"\r\nContent-Type: text/plain\r\n\r\n'
    b"one\r\n--a\r\n-two\r\n\r\n--b--\r\n"
)
TYPE = b"multipart/form-data; boundary=b"


def batch(id: str, owner: str = "a") -> BatchRow:
    now_ms = time.time_ns() // 1_000_000
    return BatchRow(id, owner, None, "gateway", "file-1", "/v1/responses", "in_progress", "{}", now_ms, now_ms + 10_000)


@pytest.mark.row("C14")
def test_one_process_works_on_a_batch_and_another_when_it_is_gone(url: str) -> None:
    one = Store.open(url)
    with closing(Store.open(url)) as other:
        try:
            one.batches.add(batch("batch_1"))
            assert one.batches.claim("a", "batch_1")
            one.batches.add_lines("a", "batch_1", [LineRow(n, "waiting", n, 1, 1, b"id") for n in range(1, 6)])
            assert not other.batches.claim("a", "batch_1")
            assert not other.batches.claim("b", "batch_1")
            with pytest.raises(Conflict):
                other.batches.end_line("a", "batch_1", 1, "done", b"stolen", 6, 1)
            one.batches.end_line("a", "batch_1", 1, "done", b"kept", 4, 10)
            one.batches.end_line("a", "batch_1", 1, "failed", b"again", 5, 10)
        finally:
            one.close()
        # PostgreSQL lets go of a lock once it has noticed that its connection has ended.
        until(lambda: other.batches.claim("a", "batch_1"))
        assert other.batches.results("batch_1", ("done", "failed"), 0) == [(1, b"kept")]
        other.batches.end_lines("a", "batch_1", [(2, "doubtful", b"lost", 4, 7)])
        assert other.batches.tally("batch_1") == Tally(3, 1, 0, 1, 17, 4, 4)
        assert other.batches.put_back("a", "batch_1", ("doubtful",)) == 1
        assert [(row.number, row.attempt) for row in other.batches.lines("batch_1", ("waiting",), limit=2)] == [
            (2, 2),
            (3, 1),
        ]
        assert other.batches.in_book("a", "batch_1", 0) == []
        other.batches.remove("a", "batch_1")
        assert other.batches.tally("batch_1").total == 0


def test_a_form_cut_anywhere_gives_the_same_file() -> None:
    for cut in range(len(FORM)):
        reader = FormReader(TYPE)
        given = b"".join([*reader.feed(FORM[:cut]), *reader.feed(FORM[cut:])])
        reader.close()
        assert (given, reader.fields, reader.filename) == (
            b"one\r\n--a\r\n-two\r\n",
            {"purpose": "batch"},
            "calls.jsonl",
        )


@pytest.mark.parametrize(
    "form",
    [
        FORM[:-6],
        b"x" + FORM,
        FORM.replace(b'name="file"', b'name="other"'),
        FORM.replace(b'name="purpose"', b"nothing"),
        FORM.replace(b"\r\n\r\nbatch", b"\r\n\r\n" + b"b" * 5000),
        FORM.replace(b'--b\r\nContent-Disposition: form-data; name="file"', b"--bx\r\n"),
        b"--b--\r\n",
    ],
)
def test_a_form_that_is_not_whole_is_refused(form: bytes) -> None:
    with pytest.raises(InvalidRequest):
        _read_whole(form)


def _read_whole(form: bytes) -> None:
    reader = FormReader(TYPE)
    reader.feed(form)
    reader.close()


def test_lines_are_the_same_wherever_the_file_was_cut() -> None:
    whole = b"".join(json.dumps(line(f"c{n}", "demo", "ü" * n)).encode() + b"\r\n" for n in range(4)) + b"\n"
    plain = list(split([whole]))
    for size in (1, 7, 64):
        assert list(split(whole[at : at + size] for at in range(0, len(whole), size))) == plain
    problems: list[Problem] = []
    read = list(read_all([whole], problems))
    assert problems == []
    for one in read:
        assert json.loads(whole[one.start : one.start + one.length])["custom_id"] == one.custom_id


def test_what_is_to_come_goes_by_what_was_answered_once_there_is_enough_of_it() -> None:
    assert to_come(Tally(waiting=90, done=2, cost_nano=10_000), 9_200) == 9_000
    assert to_come(Tally(waiting=50, done=50, cost_nano=1_000), 9_200) == 1_000
    assert to_come(Tally(waiting=0, done=50, cost_nano=1_000), 9_200) == 0
