"""What providers do to who asks them, each with a second one to fall back to: the answer arrives, whole, in time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from house import KEYS, Gateway, Simulator, gateway, library

ASKED = "Say 60 words"
WHOLE = " ".join(f"word{number}" for number in range(1, 61))
CARRY = {"x-ownkey-carry-on": "yes"}


class Bad(NamedTuple):
    """What the first one does, and how often it may be asked. `alone`: it gets over it by itself."""

    fault: str
    most_tries: int
    alone: bool = False


BAD = {
    "429 with a wait, once": Bad("status=429;retry-after=1;times=1", 2, alone=True),
    "429 with a long wait": Bad("status=429;retry-after=30", 1),
    "429 without a wait": Bad("status=429", 3),
    "one 500": Bad("status=500;times=1", 2, alone=True),
    "steady 503": Bad("status=503", 3),
    "reset": Bad("reset", 3),
    "silence": Bad("silence", 1),
    "a first token after twenty seconds": Bad("first-token=20", 1),
    "cut after 40 of 60 tokens": Bad("cut=40", 3),
    "a stall": Bad("stall=40", 3),
    "a malformed chunk": Bad("malformed=40", 3),
    "no [DONE], and no reason to end": Bad("end=40", 3),
    "no [DONE] after the reason": Bad("no-done", 1, alone=True),
    "an empty answer": Bad("end=0", 3),
    "context too long": Bad("reason=context", 1),
    "a quota used up": Bad("reason=quota", 1),
    "a model that is gone": Bad("reason=model", 1),
    "a key that is refused": Bad("reason=key", 1),
}


@pytest.fixture(scope="module")
def patient(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that waits less than one does by itself."""
    home = tmp_path_factory.mktemp("patient") / "home"
    with library(home) as ownkey:
        ownkey.keys.set("openai", KEYS["openai"])
    with gateway(
        home, simulator, OWNKEY_IDLE_TIMEOUT_S="2", OWNKEY_FIRST_TOKEN_TIMEOUT_S="4", OWNKEY_RETRY_LONGEST_WAIT_S="5"
    ) as running:
        yield running


@pytest.mark.row("A6")
@pytest.mark.row("B15")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("bad", BAD.values(), ids=list(BAD))
def test_the_whole_answer_arrives_whatever_the_first_provider_does(patient: Gateway, bad: Bad, stream: bool) -> None:
    first, second = larger(patient, patient.provider(bad.fault)), patient.provider()
    began_s = time.monotonic()
    answer = patient.ask(f"{first}/gpt-4o,{second}/big", ASKED, stream=stream, headers=CARRY)
    assert time.monotonic() - began_s < 15
    assert answer.status == 200, answer.body
    assert (answer.streamed_text if stream else answer.text) == WHOLE
    asked = patient.simulator.seen(first)
    assert 1 <= len(asked) <= bad.most_tries
    assert (patient.simulator.seen(second) == []) == bad.alone
    rows = [*patient.rows(first), *(() if bad.alone else patient.rows(second))]
    assert {row.request_id for row in rows} == {answer.headers["x-request-id"]}
    assert len(rows) == len(asked) + len(patient.simulator.seen(second))
    assert rows[-1].state in ("exact", "counted")


@pytest.mark.row("A6")
def test_with_the_waits_of_a_gateway_by_itself_silence_costs_less_than_fifteen_seconds(
    tmp_path: Path, simulator: Simulator
) -> None:
    def asked(fault: str, *, stream: bool) -> tuple[str, float]:
        models = f"{running.provider(fault)}/gpt-4o,{running.provider()}/gpt-4o"
        began_s = time.monotonic()
        answer = running.ask(models, ASKED, stream=stream, headers=CARRY)
        return answer.streamed_text if stream else answer.text, time.monotonic() - began_s

    with gateway(tmp_path / "home", simulator) as running, ThreadPoolExecutor(6) as pool:
        asking = [
            pool.submit(asked, fault, stream=stream)
            for fault in ("silence", "first-token=20", "stall=40")
            for stream in (False, True)
        ]
        for text, took_s in (one.result() for one in asking):
            assert text == WHOLE
            assert 9 < took_s < 15


def larger(place: Gateway, name: str) -> str:
    """The second model has a larger context than the first's, so that too long a request goes there."""
    for path in (place.home / "providers").glob("sim-*.toml"):
        text = path.read_text()
        if 'id = "big"' not in text:
            path.write_text(
                text + '\n[[models]]\nid = "big"\ncontext = 1_000_000\nmax_output = 16_384\n'
                'price = { input = "2.50", output = "10" }\n'
            )
    return name


def test_what_is_refused_for_its_content_is_not_carried_elsewhere(patient: Gateway) -> None:
    first, second = patient.provider("reason=content"), patient.provider()
    answer = patient.ask(f"{first}/gpt-4o,{second}/gpt-4o")
    assert answer.status == 400
    assert answer.error["code"] == "content_refused"
    assert patient.simulator.seen(second) == []


def test_a_wait_that_was_asked_for_is_kept_by_the_next_request_too(patient: Gateway) -> None:
    first, second = patient.provider("status=429;retry-after=20;times=1"), patient.provider()
    for _ in range(3):
        assert patient.ask(f"{first}/gpt-4o,{second}/gpt-4o").status == 200
    assert len(patient.simulator.seen(first)) == 1
    assert len(patient.simulator.seen(second)) == 3


def test_where_nobody_else_is_there_the_true_wait_is_told_and_nothing_is_sent(patient: Gateway) -> None:
    name = patient.provider("status=429;retry-after=300")
    told = [patient.ask(f"{name}/gpt-4o") for _ in range(2)]
    assert [answer.status for answer in told] == [429, 429]
    assert 290 <= int(told[1].headers["retry-after"]) <= 300
    assert len(patient.simulator.seen(name)) == 1


def test_a_context_too_long_goes_to_a_larger_model_only(patient: Gateway) -> None:
    first, second = patient.provider("reason=context"), patient.provider()
    answer = patient.ask(f"{first}/gpt-4o,{second}/gpt-4o")
    assert (answer.status, answer.error["code"]) == (400, "context_length_exceeded")
    assert patient.simulator.seen(second) == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_three_failures_in_a_row_and_others_are_asked_first(patient: Gateway, stream: bool) -> None:
    first, second = patient.provider("status=503"), patient.provider()

    def attempts() -> str:
        answer = patient.ask(f"{first}/gpt-4o,{second}/gpt-4o", stream=stream)
        assert answer.status == 200
        return answer.headers["x-ownkey-attempts"]

    assert attempts() == "4"
    # Where the first rest of a second was over meanwhile it is tried anew, and rests for longer.
    assert any([attempts() for _ in range(3)] == ["1"] * 3 for _ in range(3))
