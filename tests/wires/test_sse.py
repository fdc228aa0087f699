"""Event streams are framed as the WHATWG standard says, wherever the bytes were cut."""

from __future__ import annotations

import re
import time
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.talk.errors import UnexpectedResponse
from ownkey.wires.sse import EVENT_BYTES, EVENT_LINES, PLAIN_BYTES, Splitter


def reference(stream: bytes) -> list[bytes]:
    """The standard's own steps, one line at a time; an event with empty data is left out."""
    found, data = list[bytes](), list[bytes]()
    for line in re.split(rb"\r\n|\r|\n", stream.removeprefix(b"\xef\xbb\xbf"))[:-1]:
        field, colon, value = line.partition(b":")
        if not line:
            if any(data):
                found.append(b"\n".join(data))
            data = []
        elif field == b"data" and (colon or line == b"data"):
            data.append(value.removeprefix(b" "))
    return found


def fed(*pieces: bytes) -> list[bytes]:
    splitter = Splitter()
    return [event for piece in pieces for event in splitter.feed(piece)]


CASES = {
    "plain": (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
    "crlf": (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
    "cr": (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
    "mixed ends": (b"data: a\r\n\ndata: b\n\r\n\rdata: c\r\r\n", [b"a", b"b", b"c"]),
    "byte order mark": (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
    "a later mark is no mark": (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"]),
    "comments": (b": hello\n\n:\n\ndata: a\n: inside\n\n", [b"a"]),
    "many lines": (b"data: a\ndata:b\ndata:  c\n\n", [b"a\nb\n c"]),
    "fields": (b"event: x\nid: 1\x002\nretry: 5\nunknown\ndata: a\n\n", [b"a"]),
    "empty data": (b"data\n\ndata:\n\ndata: \ndata:\n\n", []),
    "an empty line within": (b"data: a\ndata\ndata: b\n\n", [b"a\n\nb"]),
    "NUL and controls": (b"data: a\x00\x1fb\n\n", [b"a\x00\x1fb"]),
    "blank lines": (b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n", [b"a", b"b"]),
    "a leading blank is another field": (b" data: a\n\n", []),
    "unfinished": (b"data: a\n\ndata: b\n", [b"a"]),
    "a line separator of Unicode ends no line": ("data: a\u2028b\u0085c\n\n".encode(), ["a\u2028b\u0085c".encode()]),
}


@pytest.mark.parametrize("case", CASES)
def test_U07_events_are_what_the_standard_says(case: str) -> None:
    stream, events = CASES[case]
    assert fed(stream) == events == reference(stream)


@pytest.mark.parametrize("case", CASES)
def test_U08_cutting_anywhere_changes_nothing(case: str) -> None:
    stream, events = CASES[case]
    assert fed(*(stream[at : at + 1] for at in range(len(stream)))) == events
    for at in range(len(stream)):
        assert fed(stream[:at], stream[at:]) == events


PIECES = st.sampled_from(
    [b"data", b"data: ", b":", b" ", b"\n", b"\n\n", b"\r", b"\r\n", b"x", b"id", b"\x00", b"\xef\xbb\xbf"]
)


@given(st.lists(PIECES, max_size=30), st.lists(st.integers(0, 100), max_size=4))
def test_U07_any_stream_is_cut_as_the_standard_says(pieces: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(pieces)
    places = sorted({0, len(stream), *(at for at in cuts if at < len(stream))})
    assert fed(*(stream[a:b] for a, b in pairwise(places))) == reference(stream)


@pytest.mark.parametrize("size", [EVENT_BYTES - 6, EVENT_BYTES])
@pytest.mark.parametrize("step", [1 << 16, 1 << 26])
def test_U07_an_event_of_over_32_MiB_is_refused(size: int, step: int) -> None:
    stream = b"data: " + b"x" * size + b"\n\n"
    pieces = [stream[at : at + step] for at in range(0, len(stream), step)]
    if size + 6 <= EVENT_BYTES:
        assert fed(*pieces) == [b"x" * size]
    else:
        with pytest.raises(UnexpectedResponse):
            fed(*pieces)


def test_U07_a_stream_without_line_ends_is_refused_before_it_fills_the_memory() -> None:
    splitter = Splitter()
    for _ in range(EVENT_BYTES >> 16):
        assert splitter.feed(b"x" * (1 << 16)) == []
    with pytest.raises(UnexpectedResponse):
        splitter.feed(b"x" * (1 << 16))
    assert len(splitter.rest) == EVENT_BYTES + (1 << 16)


def test_U07_an_event_of_over_10_000_lines_is_refused() -> None:
    assert fed(b"data: x\n" * EVENT_LINES + b"\n") == [b"\n".join([b"x"] * EVENT_LINES)]
    for pieces in ([b"data:\n" * (EVENT_LINES + 1) + b"\n"], [b"data:\n"] * (EVENT_LINES + 1)):
        with pytest.raises(UnexpectedResponse):
            fed(*pieces)


def test_U07_text_that_is_no_stream_is_kept_up_to_1_MiB_in_time_in_proportion() -> None:
    splitter = Splitter()
    block = b"{\n\n" * 10_000
    began = time.thread_time()
    for _ in range(PLAIN_BYTES // 20_000):
        splitter.feed(block)
    with pytest.raises(UnexpectedResponse):
        splitter.feed(block)
    assert time.thread_time() - began < 5
    assert len(splitter.rest) <= PLAIN_BYTES + 2


def test_U07_one_byte_at_a_time_takes_time_in_proportion() -> None:
    stream = b"data: " + b"x" * 300_000
    splitter = Splitter()
    began = time.thread_time()
    for at in range(len(stream)):
        splitter.feed(stream[at : at + 1])
    assert time.thread_time() - began < 5


def cpu_s(size: int) -> float:
    """For one event of that size, fed in pieces as a socket gives them."""
    stream = b"data: " + b"x" * size + b"\n\n"
    pieces = [stream[at : at + 4096] for at in range(0, len(stream), 4096)]
    began = time.thread_time()
    assert sum(map(len, fed(*pieces))) == size
    return time.thread_time() - began


def test_U07_a_large_event_takes_time_in_proportion() -> None:
    small, large = (min(cpu_s(size) for _ in range(3)) for size in (2 << 20, 16 << 20))
    assert large < 8 * small * 4 + 0.05


def test_U07_a_long_stream_of_small_events_takes_no_memory() -> None:
    splitter = Splitter()
    image = b"data: " + b"x" * (4 << 20) + b"\n\n"
    assert len(splitter.feed(image[:-1])) == 0
    assert len(splitter.feed(image[-1:])) == 1
    events = b"data: abcdefgh\n\n" * 1000
    splitter.feed(events)
    tracemalloc.start()
    try:
        for at in range(200):
            cut = at % len(events)
            splitter.feed(events[:cut])
            splitter.feed(events[cut:])
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 20_000
    assert peak < 20 * len(events)
    assert splitter.rest == b""


@pytest.mark.parametrize(
    "body", [b'{"error": {"message": "no"}}', b'\xef\xbb\xbf{\r\n\r\n"error":\n\n"no"}\n\n\n', b"<html>"]
)
def test_a_body_that_is_no_stream_is_kept_as_the_rest(body: bytes) -> None:
    splitter = Splitter()
    assert splitter.feed(body) == []
    assert splitter.rest.split() == body.removeprefix(b"\xef\xbb\xbf").split()
