"""An answer that breaks, lies or stops after it has begun: never one that looks whole, never a second voice."""

from __future__ import annotations

import json
import socket
import time

import pytest

from house import Gateway, until

WIRES = ("openai-chat", "anthropic-messages", "gemini")


def received(connection: socket.socket) -> bytes:
    """Everything until the server closes or the answer's last chunk has come."""
    data = b""
    while not data.endswith(b"0\r\n\r\n") and (piece := connection.recv(65536)):
        data += piece
    return data


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("fault", ["cut=6", "cut=6;rst", "end=6", "error=6", "malformed=6", "stall=6"])
def test_U10_a_stream_that_breaks_ends_with_one_error_and_no_end_mark(served: Gateway, wire: str, fault: str) -> None:
    name = served.provider(f"chunk-delay=0.02;{fault}", wire=wire)
    with served.open(f"{name}/gpt-4o,openai/gpt-4o", "Say 60 words", stream=True) as connection:
        data = received(connection)
    assert b" 200 " in data.split(b"\r\n")[0]
    assert b"[DONE]" not in data
    assert data.count(b'"error":{') == 1
    assert b'"finish_reason":"stop"' not in data
    error = json.loads(data.split(b"data: ")[-1].split(b"\n")[0])["error"]
    assert error["code"].startswith("upstream")
    assert {"message", "type", "code", "param", "kind"} <= set(error)
    assert data.count(b"word2 ") + data.count(b'word2"') <= 1
    assert len(served.simulator.seen(name)) == 1
    (row,) = served.rows(name)
    assert row.state == "counted"
    assert row.error == error["code"]
    assert 0 < row.cost_nano <= row.held_nano


@pytest.mark.parametrize("wire", WIRES)
def test_U10_what_breaks_before_the_first_token_is_taken_over_whole(served: Gateway, wire: str) -> None:
    for fault in ("malformed=0", "cut=0", "error=0", "end=0", "stall=0"):
        name = served.provider(fault, wire=wire)
        answer = served.ask(f"{name}/gpt-4o,openai/gpt-4o", stream=True)
        assert (answer.status, answer.headers["x-ownkey-provider"]) == (200, "openai")
        assert answer.events[-1] == "[DONE]"
        assert answer.streamed_text.count("You wrote: Hello") == 1
        assert "error" not in answer.body.decode()


@pytest.mark.parametrize("wire", ["openai-chat", "gemini"])
def test_U11_a_stream_without_its_end_mark_is_whole_only_where_it_said_why_it_ended(served: Gateway, wire: str) -> None:
    answer = served.ask(f"{served.provider('no-done', wire=wire)}/gpt-4o", stream=True)
    if wire == "openai-chat":  # the finish reason had come
        assert answer.events[-1] == "[DONE]"
        assert answer.body.count(b"[DONE]") == 1
        assert "You wrote: Hello" in answer.streamed_text
    else:
        assert answer.events[-1] != "[DONE]"
        assert "error" in json.loads(answer.events[-1])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wire", WIRES)
def test_U12_an_answer_without_usage_is_counted_here(served: Gateway, wire: str, stream: bool) -> None:
    name = served.provider("usage=missing", wire=wire)
    answer = served.ask(f"{name}/gpt-4o", "Say 30 words", stream=stream)
    assert answer.status == 200
    (row,) = served.rows(name)
    assert row.state == "counted"
    assert 0 < row.cost_nano <= row.held_nano
    assert row.output_tokens > 30
    assert row.input_tokens > 5


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("usage", ["negative", "huge", "string", "float"])
@pytest.mark.parametrize("wire", WIRES)
def test_U12_usage_that_cannot_be_is_not_believed(served: Gateway, wire: str, usage: str, stream: bool) -> None:
    name = served.provider(f"usage={usage}", wire=wire)
    answer = served.ask(f"{name}/gpt-4o", "Say 30 words", stream=stream)
    assert answer.status == 200
    (row,) = served.rows(name)
    assert row.state in ("counted", "exact")
    assert 0 < row.cost_nano <= row.held_nano
    assert row.state == "counted" or row.input_tokens < 1000


@pytest.mark.parametrize("stream", [False, True])
def test_U12_none_at_all_is_none_where_the_provider_says_so(served: Gateway, stream: bool) -> None:
    name = served.provider("usage=zero")
    assert served.ask(f"{name}/gpt-4o", stream=stream).status == 200
    (row,) = served.rows(name)
    assert (row.state, row.cost_nano, row.input_tokens, row.output_tokens) == ("exact", 0, 0, 0)


@pytest.mark.parametrize("wire", WIRES)
def test_U06_a_compressed_answer_is_no_answer(served: Gateway, wire: str) -> None:
    for fault in ("gzip", "bomb=64"):
        answer = served.ask(f"{served.provider(fault, wire=wire)}/gpt-4o")
        assert (answer.status, answer.error["code"]) == (502, "upstream_invalid")


@pytest.mark.parametrize("fault", ["chunk-delay=0.05", "chunk-delay=0.05;usage=missing", "stall=5"])
@pytest.mark.parametrize("wire", ["openai-chat", "anthropic-messages"])
def test_G17_a_client_that_hangs_up_pays_for_what_had_come(served: Gateway, wire: str, fault: str) -> None:
    name = served.provider(fault, wire=wire)
    connection = served.open(f"{name}/gpt-4o", "Say 400 words", stream=True)
    data = b""
    while b"word2" not in data:
        data += connection.recv(4096)
    connection.close()
    gone_s = time.monotonic()
    (row,) = served.rows(name)
    (seen,) = until(lambda: [one for one in served.simulator.seen(name) if one.ended_at_s])
    assert seen.ended_at_s is not None
    assert seen.ended_at_s - gone_s < 4, "the gateway itself gives up after five seconds"
    assert row.state == "counted"
    assert 0 < row.cost_nano < row.held_nano
    assert row.output_tokens < 400
    assert seen.closed_early


@pytest.mark.parametrize("fault", ["first-token=9", "delay=9", "silence"])
def test_G17_a_client_that_hangs_up_before_the_first_token_leaves_nothing_open(served: Gateway, fault: str) -> None:
    name = served.provider(fault)
    connection = served.open(f"{name}/gpt-4o", stream=True)
    until(lambda: served.simulator.seen(name))
    connection.close()
    gone_s = time.monotonic()
    (row,) = served.rows(name)
    (seen,) = until(lambda: [one for one in served.simulator.seen(name) if one.ended_at_s])
    assert seen.ended_at_s is not None
    assert seen.ended_at_s - gone_s < 4, "the gateway itself gives up after five seconds"
    assert row.state == "assumed"
    assert row.cost_nano == row.held_nano > 0
    assert seen.closed_early


def test_a_client_that_hangs_up_on_a_whole_answer_leaves_nothing_open(served: Gateway) -> None:
    name = served.provider("delay=0.8")
    connection = served.open(f"{name}/gpt-4o")
    until(lambda: served.simulator.seen(name))
    connection.close()
    (row,) = served.rows(name)
    assert row.state in ("exact", "assumed")
    assert row.cost_nano > 0
