"""Every recorded answer of the Anthropic Messages wire, read by it and by plain `json`."""

from __future__ import annotations

import json

import pytest

from oracle_anthropic import said, streamed, whole
from ownkey.talk.errors import OwnkeyError, StreamCut
from ownkey.talk.reply import Event, Finish, collect
from ownkey.wires.wire import wire
from recordings import ABSENT, Record, records

WIRE = wire("anthropic-messages")

RECORDS = records(endpoint="messages")
GOOD = [record for record in RECORDS if record.status == 200]
WHOLE = [record for record in GOOD if not record.streaming]
STREAMS = [record for record in GOOD if record.streaming]
BAD = [record for record in RECORDS if record.status != 200]

pytestmark = pytest.mark.skipif(not RECORDS, reason=ABSENT)


def named(record: Record) -> str:
    return f"{record.provider}-{record.id}"


def events_of(body: bytes, size: int) -> list[Event]:
    reader = WIRE.reader()
    events = [event for at in range(0, len(body), size) for event in reader.feed(body[at : at + size])]
    assert reader.ended
    return events + reader.close()


@pytest.mark.parametrize("record", WHOLE, ids=named)
def test_a_recorded_answer_is_read_as_plain_json_reads_it(record: Record) -> None:
    assert said(WIRE.read_reply(record.response_body)) == whole(record.response_body)


@pytest.mark.parametrize("record", STREAMS, ids=named)
def test_U08_a_recorded_stream_is_read_the_same_in_one_piece_and_byte_by_byte(record: Record) -> None:
    events = events_of(record.response_body, len(record.response_body))
    assert events_of(record.response_body, 1) == events
    assert said(collect(events)) == streamed(record.response_body)
    assert [type(event) for event in events].count(Finish) == 1


@pytest.mark.parametrize("record", STREAMS, ids=named)
def test_a_recorded_stream_that_lost_its_last_event_is_cut(record: Record) -> None:
    end = record.response_body.index(b'{"type":"message_stop"')
    for cut in {0, 1, end // 3, end // 2, end - 1, end}:
        reader = WIRE.reader()
        reader.feed(record.response_body[:cut])
        assert not reader.ended
        with pytest.raises(StreamCut):
            reader.close()


@pytest.mark.parametrize("record", BAD, ids=named)
def test_a_recorded_error_keeps_its_status_and_its_words(record: Record) -> None:
    headers = {name.encode(): value.encode() for name, value in record.response_headers.items()}
    error = WIRE.read_error(record.status, headers, record.response_body)
    assert isinstance(error, OwnkeyError)
    assert error.status == record.status
    assert json.loads(record.response_body)["error"]["message"][:200] in error.message


@pytest.mark.parametrize("record", WHOLE, ids=named)
def test_a_recorded_answer_cut_short_is_never_read_as_one(record: Record) -> None:
    body = record.response_body.rstrip()
    for cut in {1, len(body) // 2, len(body) - 1}:
        with pytest.raises(OwnkeyError):
            WIRE.read_reply(body[:cut])
