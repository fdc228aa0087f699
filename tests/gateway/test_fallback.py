"""The first provider fails: the next one answers, the book says what became of each try, and nobody is hammered."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from canaries import MARK, canary
from house import HEADERS_TIMEOUT_S, Gateway


@pytest.mark.row("A6")
@pytest.mark.row("B15")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "tries", "error"),
    [
        ("status=429", 3, "rate_limited"),
        ("status=429;retry-after=9", 1, "rate_limited"),
        ("status=503", 3, "upstream_unavailable"),
        ("status=500", 3, "upstream_unavailable"),
        ("reset", 3, "upstream_unreachable"),
        ("reason=quota", 1, "quota_exceeded"),
        ("reason=key", 1, "upstream_auth"),
        ("reason=model", 1, "model_not_available"),
        ("reason=context", 1, "context_length_exceeded"),
        ("echo-key", 1, "upstream_auth"),
    ],
)
def test_U10_the_next_provider_answers_where_the_first_cannot(
    served: Gateway, fault: str, tries: int, error: str, stream: bool
) -> None:
    first = served.provider(fault)
    answer = served.ask(f"{first}/gpt-4o,anthropic/claude-sonnet-4-5", stream=stream)
    assert answer.status == 200
    text = answer.streamed_text if stream else answer.text
    assert "in place of claude-sonnet-4-5" in text
    assert answer.headers["x-ownkey-provider"] == "anthropic"
    assert answer.headers["x-ownkey-attempts"] == str(tries + 1)
    assert len(served.simulator.seen(first)) == tries
    rows = served.rows(first)
    assert [(row.error, row.attempt) for row in rows] == [(error, number + 1) for number in range(tries)]
    assert {row.request_id for row in rows} == {answer.headers["x-request-id"]}
    assert {(row.state, row.cost_nano) for row in rows} == {("released", 0)}


@pytest.mark.parametrize("stream", [False, True])
def test_U05_a_page_in_place_of_an_answer_is_no_answer(served: Gateway, stream: bool) -> None:
    first = served.provider("html")
    answer = served.ask(f"{first}/gpt-4o,openai/gpt-4o", stream=stream)
    assert (answer.status, answer.headers["x-ownkey-provider"]) == (200, "openai")
    assert {row.state for row in served.rows(first)} == {"counted"}  # it was an answer, by its status
    alone = served.ask(f"{first}/gpt-4o", stream=stream)
    assert alone.status == 502
    assert alone.error["code"] in ("upstream_invalid", "upstream_cut")
    assert "<" not in alone.error["message"]


def test_the_error_of_the_one_that_was_asked_for_names_the_others(served: Gateway) -> None:
    first, second = served.provider("status=429"), served.provider("status=503")
    answer = served.ask(f"{first}/gpt-4o,{second}/gpt-4o")
    assert answer.status == 429
    assert answer.error["code"] == "rate_limited"
    assert f"Then tried {second}, gpt-4o: " in answer.error["message"]
    assert len(served.simulator.seen(first)) == len(served.simulator.seen(second)) == 3


def test_a_request_that_is_wrong_is_not_taken_elsewhere(served: Gateway) -> None:
    first, second = served.provider("status=400"), served.provider()
    answer = served.ask(f"{first}/gpt-4o,{second}/gpt-4o")
    assert (answer.status, answer.error["code"]) == (400, "upstream_refused")
    assert answer.headers["x-should-retry"] == "false"
    assert served.simulator.seen(second) == []


def test_the_wait_that_a_provider_asks_for_is_kept(served: Gateway) -> None:
    name = served.provider("status=429;retry-after=1;times=1")
    answer = served.ask(f"{name}/gpt-4o")
    assert (answer.status, answer.headers["x-ownkey-attempts"]) == (200, "2")
    first, second = served.simulator.seen(name)
    assert 1.0 <= second.at_s - first.at_s < 2


@pytest.mark.parametrize(
    "fault", ["status=500", "status=503", "reset", "html", "cut=0", "end=0", "error=0", "malformed=0"]
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_that_fails_once_is_asked_again(served: Gateway, fault: str, stream: bool) -> None:
    name = served.provider(f"{fault};times=1")
    answer = served.ask(f"{name}/gpt-4o", stream=stream)
    assert (answer.status, answer.headers["x-ownkey-attempts"]) == (200, "2")
    assert "You wrote: Hello" in (answer.streamed_text if stream else answer.text)
    assert len(served.simulator.seen(name)) == 2
    assert [row.state for row in served.rows(name)][-1] == "exact"


@pytest.mark.parametrize("stream", [False, True])
def test_U20_silence_is_not_waited_for_twice_and_is_charged_as_perhaps_billed(served: Gateway, stream: bool) -> None:
    first, second = served.provider("silence"), served.provider()
    started_s = time.monotonic()
    answer = served.ask(f"{first}/gpt-4o,{second}/gpt-4o", stream=stream, max_tokens=50)
    assert (answer.status, answer.headers["x-ownkey-provider"]) == (200, second)
    assert time.monotonic() - started_s < 2 * HEADERS_TIMEOUT_S
    (silent,) = served.rows(first)
    assert (silent.state, silent.error) == ("assumed", "upstream_timeout")
    assert silent.cost_nano == silent.held_nano > 50 * 10_000
    assert served.simulator.seen(first)[0].closed_early


def test_silence_alone_is_504(served: Gateway) -> None:
    answer = served.ask(f"{served.provider('silence')}/gpt-4o")
    assert (answer.status, answer.error["code"]) == (504, "upstream_timeout")
    assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("wire", ["openai-chat", "anthropic-messages", "gemini"])
@pytest.mark.parametrize("fault", ["html", "echo-key", "status=503", "status=429", "reset", "cut=0", "error=0"])
def test_U04_one_clear_error_on_every_wire_with_no_key_and_no_html(served: Gateway, wire: str, fault: str) -> None:
    key = canary("quoted")
    name = served.provider(fault, wire=wire, key=key)
    for stream in (False, True):
        answer = served.ask(f"{name}/gpt-4o", stream=stream)
        assert answer.status in (429, 502)
        told = {"message", "type", "code", "param", "kind", "provider", "status"}
        assert told <= set(answer.error) <= told | {"notice", "action"}
        assert len(answer.error["message"]) > 20
        whole = answer.body.decode()
        assert MARK not in whole
        assert "<" not in whole
        assert "Traceback" not in whole


@pytest.mark.parametrize(("stream", "wire"), [(False, "openai-chat"), (True, "openai-chat"), (False, "gemini")])
def test_U03_a_wild_retry_after_is_bounded(served: Gateway, stream: bool, wire: str) -> None:
    for value in ("1000000000", "-1", "NaN", "soon"):
        first = served.provider(f"status=429;retry-after={value}", wire=wire)
        started_s = time.monotonic()
        answer = served.ask(f"{first}/gpt-4o,openai/gpt-4o", stream=stream)
        assert (answer.status, answer.headers["x-ownkey-provider"]) == (200, "openai")
        assert time.monotonic() - started_s < 8


@pytest.mark.row("B20")
def test_of_a_hundred_requests_whose_first_provider_fails_a_hundred_are_answered(served: Gateway) -> None:
    second = served.provider()
    faults = ("status=500", "status=503", "reset", "reason=quota", "reason=key", "html", "status=529", "reason=model")
    firsts = [served.provider(fault) for fault in faults]
    asked = [f"{firsts[number % len(firsts)]}/gpt-4o,{second}/gpt-4o" for number in range(100)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(served.ask, asked))
    assert [answer.status for answer in answers] == [200] * 100
    assert {answer.headers["x-ownkey-provider"] for answer in answers} == {second}
