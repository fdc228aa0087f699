"""A stream that breaks off in the middle: another model goes on with it, and the client sees one whole answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from house import Gateway

CARRY = {"x-ownkey-carry-on": "yes"}
ASKED = "Say 60 words"
THREE = "Say 3 words"
# Events of that answer until it has said why it ended, and until it has said what it used.
ENDED, COUNTED = 5, 6
DOORS: dict[str, tuple[str, dict[str, Any], bytes]] = {
    "openai-chat": (
        "/v1/chat/completions",
        {"stream": True, "messages": [{"role": "user", "content": THREE}]},
        b'"finish_reason":"stop"',
    ),
    "openai-responses": ("/v1/responses", {"stream": True, "input": THREE}, b'"type":"response.completed"'),
    "anthropic-messages": (
        "/v1/messages",
        {"stream": True, "max_tokens": 99, "messages": [{"role": "user", "content": THREE}]},
        b'"stop_reason":"end_turn"',
    ),
    "gemini": (
        "/v1beta/models/{model}:streamGenerateContent?alt=sse",
        {"contents": [{"role": "user", "parts": [{"text": THREE}]}]},
        b'"finishReason":"STOP"',
    ),
}


def last_marked(answer: Any) -> list[str]:
    """The models that one of the events names."""
    events = [json.loads(line[6:]) for line in answer.body.decode().splitlines() if line.startswith("data: {")]
    marks = [event["ownkey"]["models"] for event in events if "ownkey" in event]
    assert len(marks) == 1
    return marks[0]


@pytest.mark.row("A6")
@pytest.mark.parametrize("fault", ["cut=40", "stall=40", "error=40", "malformed=40"])
def test_what_breaks_off_after_forty_of_sixty_words_comes_whole(served: Gateway, fault: str) -> None:
    first, second = served.provider(fault), served.provider()
    whole = served.ask(f"{second}/gpt-4o", ASKED, stream=True).streamed_text
    answer = served.ask(f"{first}/gpt-4o,{second}/gpt-4o", ASKED, stream=True, headers=CARRY)
    assert answer.status == 200
    assert answer.streamed_text == whole
    assert last_marked(answer) == [f"{first}/gpt-4o", f"{second}/gpt-4o"]
    assert answer.body.rstrip().endswith(b"data: [DONE]")
    # Where all of it comes at once, nothing has been said yet, and it is asked again first.
    broken, carried = served.rows(first)[-1], served.rows(second)[-1]
    assert (broken.state, carried.state) == ("counted", "exact")
    assert broken.request_id == carried.request_id == answer.headers["x-request-id"]


def test_without_being_asked_to_it_ends_with_one_error(served: Gateway) -> None:
    first, second = served.provider("cut=40"), served.provider()
    answer = served.ask(f"{first}/gpt-4o,{second}/gpt-4o", ASKED, stream=True)
    assert b"[DONE]" not in answer.body
    assert json.loads(answer.events[-1])["error"]["code"] == "upstream_cut"
    assert served.simulator.seen(second) == []


@pytest.mark.parametrize(
    ("model", "tries"), [("claude-sonnet-4-5", 1), ("claude-opus-4-6", 2)], ids=["goes on with it", "refuses it"]
)
def test_an_answer_that_is_begun_is_gone_on_with_or_asked_for_by_a_word(
    served: Gateway, model: str, tries: int
) -> None:
    first = served.provider("cut=40")
    second = served.provider(wire="anthropic-messages", quirks="{ prefill = true }")
    answer = served.ask(f"{first}/gpt-4o,{second}/{model}", ASKED, stream=True, headers=CARRY)
    assert answer.streamed_text == " ".join(f"word{number}" for number in range(1, 61))
    assert last_marked(answer) == [f"{first}/gpt-4o", f"{second}/{model}"]
    assert [row.error for row in served.rows(second)] == ["upstream_refused", None][-tries:]
    sent = [json.loads(one.body)["messages"][-1]["role"] for one in served.simulator.seen(second)]
    assert sent == ["assistant", "user"][:tries]


def test_where_nobody_else_is_there_the_same_one_goes_on(served: Gateway) -> None:
    name = served.provider("cut=40;times=1")
    answer = served.ask(f"{name}/gpt-4o", ASKED, stream=True, headers=CARRY)
    assert answer.streamed_text.endswith("word59 word60")
    assert len(served.rows(name)) == 2


def test_where_nobody_goes_on_it_ends_with_one_error_and_never_clean(served: Gateway) -> None:
    first, second = served.provider("cut=10"), served.provider("status=503")
    answer = served.ask(f"{first}/gpt-4o,{second}/gpt-4o", ASKED, stream=True, headers=CARRY)
    assert b"[DONE]" not in answer.body
    errors = [event for event in map(json.loads, answer.events) if "error" in event]
    assert [error["error"]["code"] for error in errors] == ["upstream_cut"]


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]},
        {"response_format": {"type": "json_object"}},
    ],
    ids=["a tool's call", "json"],
)
def test_what_cannot_be_told_in_two_halves_is_not_carried_on(served: Gateway, more: dict[str, Any]) -> None:
    first, second = served.provider("cut=2"), served.provider()
    answer = served.ask(f"{first}/gpt-4o,{second}/gpt-4o", "Use tool look", stream=True, headers=CARRY, **more)
    assert answer.status == 200
    assert json.loads(answer.events[-1])["error"]["code"] == "upstream_cut"
    assert served.simulator.seen(second) == []


@pytest.mark.parametrize(
    ("door", "carry"), [*((door, CARRY) for door in DOORS), *((door, {}) for door in DOORS if door != "openai-chat")]
)
@pytest.mark.parametrize(("events", "state"), [(ENDED, "counted"), (COUNTED, "exact")])
def test_what_breaks_off_after_it_said_why_it_ended_is_whole(
    served: Gateway, door: str, carry: dict[str, str], events: int, state: str
) -> None:
    first, second = served.provider(f"cut={events}"), served.provider()
    path, body, ended = DOORS[door]
    model = f"{first}/gpt-4o,{second}/gpt-4o"
    body = body if "{model}" in path else {"model": model, **body}
    answer = served.send("POST", path.replace("{model}", model), json.dumps(body).encode(), served.own | carry)
    assert answer.status == 200
    assert answer.body.count(ended) == 1
    assert b'"error":{' not in answer.body
    assert served.simulator.seen(second) == []
    (row,) = served.rows(first)
    assert (row.state, row.finish, row.error) == (state, "stop", None)
    assert 0 < row.cost_nano < row.held_nano


def test_a_whole_answer_that_comes_in_pieces_is_not_asked_for_again_once_it_said_why_it_ended(served: Gateway) -> None:
    first, second = served.provider(f"cut={ENDED}"), served.provider()
    assert served.ask(f"{first}/gpt-4o,{second}/gpt-4o", THREE).text == "word1 word2 word3"
    assert len(served.simulator.seen(first)) == 1
    assert served.simulator.seen(second) == []
