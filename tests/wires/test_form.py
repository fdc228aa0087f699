"""Forms: found by their boundary, changed in one field, and never read in two ways."""

from __future__ import annotations

from email.message import Message
from email.parser import BytesParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.talk.errors import InvalidRequest
from ownkey.wires.form import read_form

KIND = b"multipart/form-data; boundary=AaB03x"


def form(*parts: tuple[str, bytes]) -> bytes:
    made = [
        b'--AaB03x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), value)
        for name, value in parts
    ]
    return b"".join(made) + b"--AaB03x--\r\n"


contents = st.binary(max_size=60).filter(lambda value: b"\r\n--AaB03x" not in b"\r\n" + value + b"\r\n")


@given(st.lists(contents, min_size=1, max_size=5), st.data())
def test_one_field_changes_and_no_other_byte(values: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(values) - 1))
    before = [(f"f{index}", value) for index, value in enumerate(values)]
    after = [(name, b"new" if index == place else value) for index, (name, value) in enumerate(before)]
    assert read_form(form(*before), KIND).replaced(f"f{place}", "new") == form(*after)


@given(st.lists(st.from_regex(r"[a-z ]{0,20}", fullmatch=True), min_size=1, max_size=4))
def test_a_field_is_what_pythons_own_parser_reads(values: list[str]) -> None:
    body = form(*[(f"f{index}", value.encode()) for index, value in enumerate(values)])
    whole: Message = BytesParser().parsebytes(b"Content-Type: " + KIND + b"\r\n\r\n" + body)
    theirs = [part.get_payload() for part in whole.get_payload()]  # type: ignore[union-attr]
    read = read_form(body, KIND)
    assert [read.value(f"f{index}") for index in range(len(values))] == theirs


@given(st.binary(max_size=200))
def test_any_bytes_are_a_form_or_refused(body: bytes) -> None:
    for whole in (body, b"--AaB03x\r\n" + body, form(("a", b"b")) + body):
        try:
            read = read_form(whole, KIND)
        except InvalidRequest:
            continue
        assert all(0 <= part.start <= part.end <= len(whole) for part in read.parts)


@pytest.mark.parametrize("end", range(1, len(form(("model", b"m"))) - 2))
def test_a_form_that_breaks_off_is_refused(end: int) -> None:
    with pytest.raises(InvalidRequest):
        read_form(form(("model", b"m"))[:end], KIND)


@pytest.mark.parametrize(
    "kind",
    [
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
        b'multipart/form-data; boundary="AaB03x',
        b"multipart/form-data; boundary=AaB03x; boundary=AaB03x",
        b"multipart/form-data; boundary=" + b"a" * 71,
        b"multipart/form-data; boundary=\xff\xfe",
        b'multipart/form-data; boundary="a\r\nx: y"',
    ],
)
def test_a_boundary_that_cannot_be_read_is_refused(kind: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_form(form(("model", b"m")), kind)
