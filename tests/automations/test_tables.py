"""CSV and XLSX as they come: what is in them is read exactly, and what is made to hurt is refused."""

from __future__ import annotations

import contextlib
import io
import zipfile
from datetime import date
from typing import Any

import pytest
from hypothesis import given, strategies
from openpyxl import Workbook

from ownkey.app.automations.given import GivenFile, read_file
from ownkey.app.automations.tables import MOST_ROWS, read_csv, read_xlsx
from ownkey.app.starters.numbers import number, strangers
from ownkey.talk.errors import InvalidRequest, OwnkeyError, TooLarge


def workbook(*rows: Any, first_sheet_empty: bool = False) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    if first_sheet_empty:
        sheet = book.create_sheet("Figures")
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def packed(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def changed(data: bytes, name: str, put: bytes) -> bytes:
    """A workbook with one member as given."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    return packed(members | {name: put})


@pytest.mark.row("C10")
def test_a_workbook_is_read_with_numbers_as_they_were_meant_dates_and_saved_values() -> None:
    data = workbook(
        ("Month", "Fees", "Note"),
        (date(2025, 1, 1), 0.1 + 0.2, None),
        (date(2025, 2, 1), 4200, "late"),
        (None, 19.99, ""),
    )
    table = read_xlsx(data)
    assert table.columns == ("Month", "Fees", "Note")
    assert table.rows == (
        ("2025-01-01", "0.3", ""),
        ("2025-02-01", "4200", "late"),
        ("", "19.99", ""),
    )
    assert read_xlsx(workbook(("A", "B"), (1, 2), first_sheet_empty=True)).sheet == "Figures"
    assert read_file(GivenFile("x.bin", data)).kind == "xlsx"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_table_in_text_is_read_whatever_stands_between(delimiter: str) -> None:
    text = f'\ufeffName{delimiter}Fees\n\n"a{delimiter}b"{delimiter}1\nc{delimiter}2{delimiter}3\n'
    table = read_csv(text)
    assert table.columns == ("Name", "Fees", "column 3")
    assert table.rows == ((f"a{delimiter}b", "1", ""), ("c", "2", "3"))


def test_V05_a_workbook_that_unpacks_to_too_much_is_refused_before_it_does() -> None:
    sheet = b"<worksheet>" + b" " * (70 << 20) + b"</worksheet>"
    bomb = changed(workbook(("A",), (1,)), "xl/worksheets/sheet1.xml", sheet)
    assert len(bomb) < 200_000
    with pytest.raises(TooLarge, match="unpacks to over 64 MiB"):
        read_xlsx(bomb)
    many = packed({f"xl/{number}.xml": b"" for number in range(1_001)} | {"xl/workbook.xml": b""})
    with pytest.raises(TooLarge):
        read_xlsx(many)


ENTITIES = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>&b;</t></si></sst>'
)


@pytest.mark.parametrize(
    "member",
    [ENTITIES, ENTITIES.decode().encode("utf-16"), b'<!ENTITY x SYSTEM "file:///etc/passwd">'],
    ids=["entities", "in another encoding", "of a file"],
)
def test_V05_xml_that_defines_words_of_its_own_is_refused(member: bytes) -> None:
    with pytest.raises(InvalidRequest, match="XML of a kind that no workbook needs"):
        read_xlsx(changed(workbook(("A",), (1,)), "xl/sharedStrings.xml", member))


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 and then nothing",
        packed({"word/document.xml": b"<x/>"}),
        packed({"xl/workbook.xml": b"<x/>"}, zipfile.ZIP_BZIP2),
        changed(workbook(("A",)), "xl/workbook.xml", b"<broken"),
        changed(workbook(("A",)), "xl/worksheets/sheet1.xml", b"<worksheet><sheetData><row r='x'>"),
        workbook(),
    ],
    ids=["cut", "a document", "packed otherwise", "broken", "broken sheet", "empty"],
)
def test_what_is_no_workbook_is_refused_and_not_a_crash(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_xlsx(data)


def test_a_cell_far_away_takes_no_room_and_is_refused() -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"], sheet["XFD1048576"] = "A", 1
    out = io.BytesIO()
    book.save(out)
    assert read_xlsx(out.getvalue()).rows == ()
    with pytest.raises(TooLarge, match="20,000 rows"):
        read_csv("A,B\n" + "1,2\n" * (MOST_ROWS + 1))


@given(strategies.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for name in ("x.csv", "x.xlsx", "x"):
        for begin in (b"", b"PK\x03\x04", b"%PDF-"):
            with contextlib.suppress(OwnkeyError):
                read_file(GivenFile(name, begin + data))


@pytest.mark.parametrize(
    ("text", "style", "value"),
    [
        ("1,234.50", ".", "1234.50"),
        ("1.234,50", ",", "1234.50"),
        ("(1,000)", ".", "-1000"),
        ("−5", ".", "-5"),
        ("$ 3.10", ".", "3.10"),
        ("1 234,5 €", ",", "1234.5"),
        ("12.5%", ".", "12.5"),
        ("1,23,4", ".", None),
        ("2025-01", ".", None),
        ("n/a", ".", None),
        ("1e9", ".", None),
        ("", ".", None),
    ],
)
def test_a_number_is_read_as_it_is_written_or_not_at_all(text: str, style: Any, value: str | None) -> None:
    found = number(text, style)
    assert (None if found is None else str(found)) == value


@pytest.mark.parametrize(
    ("text", "strange"),
    [
        ("It cost 2,610.45.", []),
        ("It cost 2,610 or about 2.6 thousand.", []),
        ("It cost -2610.45, in brackets (2,610.5).", []),
        ("It cost 2,611.", ["2,611"]),
        ("It cost 2.7k in 3 months.", ["2.7"]),
        ("It grew by 3%.", ["3%"]),
        ("Version v2 of F44.", []),
    ],
)
def test_a_number_in_a_text_is_known_as_far_as_it_is_written_out(text: str, strange: list[str]) -> None:
    known = number("2610.45")
    assert known is not None
    assert strangers(text, [known], counts_to=12) == strange
