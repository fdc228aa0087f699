"""Tables out of CSV and XLSX: names of columns, and rows of texts as a person would read them."""

from __future__ import annotations

import csv
import io
import warnings
import zipfile
import zlib
from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from msgspec import Struct

from ownkey.talk.errors import InvalidRequest, TooLarge

MOST_ROWS, MOST_COLUMNS = 20_000, 200
MOST_CELL_CHARS = 10_000
MOST_UNPACKED_BYTES = 64 << 20
MOST_MEMBERS = 1_000
_PLAIN_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Table(Struct, frozen=True):
    """`lines` are those of the file, by row, from 1. Every row has as many cells as there are columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...] = ()
    sheet: str | None = None


def read_csv(text: str) -> Table:
    """With commas, semicolons or tabs between, whichever parts its lines most evenly. Raises InvalidRequest."""
    lines = text.removeprefix("\ufeff").splitlines()
    delimiter = max(",;\t|", key=lambda one: _evenness(lines, one))
    before = csv.field_size_limit(MOST_CELL_CHARS)
    try:
        rows = csv.reader(lines, delimiter=delimiter)
        return _table(rows, None)
    except csv.Error as error:
        raise InvalidRequest(f"The table cannot be read: {error}.", "Save it as CSV in UTF-8.") from None
    finally:
        csv.field_size_limit(before)


def read_xlsx(data: bytes) -> Table:
    """The first sheet with something in it; formulas by the values that were saved with them. Raises InvalidRequest,
    or TooLarge before anything is unpacked that would be."""
    _check_archive(data)
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    with warnings.catch_warnings():
        # What it does not know of a workbook, such as pictures, it warns of.
        warnings.simplefilter("ignore")
        try:
            book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
            try:
                for sheet in book.worksheets:
                    rows = sheet.iter_rows(max_row=MOST_ROWS + 2, max_col=MOST_COLUMNS + 1, values_only=True)
                    found = _table((tuple(map(_said, row)) for row in rows), sheet.title)
                    if found.columns:
                        return found
            finally:
                book.close()
        except (
            InvalidFileException,
            KeyError,
            ValueError,
            TypeError,
            AttributeError,
            IndexError,
            SyntaxError,
        ) as wrong:
            raise InvalidRequest(f"The workbook cannot be read ({type(wrong).__name__}).", "Save it anew.") from None
    raise InvalidRequest("There is nothing in the workbook.", "Its first sheet with figures is read.")


def as_csv(table: Table) -> str:
    """As text, for a model."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([table.columns, *table.rows])
    return out.getvalue()


def _table(rows: Iterable[Iterable[str]], sheet: str | None) -> Table:
    """The first row that is not empty has the columns' names; empty rows are left out."""
    columns: tuple[str, ...] | None = None
    found: list[tuple[str, ...]] = []
    lines: list[int] = []
    for number, given in enumerate(rows, 1):
        row = tuple(cell.strip() for cell in given)
        if not any(row):
            continue
        width = max(place for place, cell in enumerate(row, 1) if cell)
        if width > MOST_COLUMNS or len(found) >= MOST_ROWS:
            raise TooLarge(f"A table has {MOST_ROWS:,} rows and {MOST_COLUMNS} columns at most.", "Take a part of it.")
        if columns is None:
            columns = tuple(cell or f"column {place}" for place, cell in enumerate(row[:width], 1))
            continue
        found.append(row)
        lines.append(number)
    if columns is None:
        return Table((), (), (), sheet)
    width = max([len(columns), *(max(place for place, cell in enumerate(row, 1) if cell) for row in found)])
    columns += tuple(f"column {place}" for place in range(len(columns) + 1, width + 1))
    filled = tuple((row + ("",) * width)[:width] for row in found)
    return Table(columns, filled, tuple(lines), sheet)


def _evenness(lines: list[str], delimiter: str) -> tuple[int, int]:
    """How many lines have as many of them as the first has, and how many that is; (0, 0) where it has none."""
    counts = [line.count(delimiter) for line in lines[:50] if line.strip()]
    if not counts or not counts[0]:
        return 0, 0
    return sum(count == counts[0] for count in counts), counts[0]


def _said(value: Any) -> str:
    """A cell as it would be read. A workbook keeps numbers as binary fractions: the shortest decimal is meant."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}".removesuffix(".0") if value == value and abs(value) < 1e300 else ""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)[:MOST_CELL_CHARS]


def _check_archive(data: bytes) -> None:
    """What it says of its sizes is what `zipfile` unpacks at most; XML that defines words of its own is refused."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS or sum(one.file_size for one in members) > MOST_UNPACKED_BYTES:
                raise TooLarge(f"The workbook unpacks to over {MOST_UNPACKED_BYTES >> 20} MiB.", "Take a part of it.")
            if "xl/workbook.xml" not in archive.namelist():
                raise InvalidRequest("This is no workbook of Excel's.", "Save it as .xlsx, or as CSV.")
            for one in members:
                if one.flag_bits & 1 or one.compress_type not in _PLAIN_METHODS:
                    raise InvalidRequest("The workbook is encrypted, or packed in an unusual way.", "Save it anew.")
                if one.filename.endswith((".xml", ".rels", ".vml")):
                    _check_xml(archive.read(one))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, UnicodeDecodeError) as wrong:
        raise InvalidRequest(f"The workbook is damaged ({type(wrong).__name__}).", "Save it anew.") from None


def _check_xml(member: bytes) -> None:
    if b"<!DOCTYPE" in member or b"<!ENTITY" in member or b"\0" in member:
        raise InvalidRequest("The workbook holds XML of a kind that no workbook needs.", "Save it anew, or as CSV.")
