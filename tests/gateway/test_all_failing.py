"""Every try fails, for everybody, at once: what is asked of the providers stays bounded."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from house import Answer, Gateway

AT_ONCE = 40
MOST_TRIES = 3


def load(served: Gateway, model: str) -> list[Answer]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda number: served.ask(model, f"request {number}."), range(AT_ONCE)))


def tries(served: Gateway, name: str) -> Counter[bytes]:
    """How often each request came."""
    bodies = [seen.body for seen in served.simulator.seen(name)]
    return Counter(body[body.index(b"request ") :].split(b".")[0] for body in bodies)


@pytest.mark.parametrize("fault", ["status=500", "status=503", "reset", "status=429"])
def test_U18_under_full_failure_each_request_is_tried_three_times_at_most(served: Gateway, fault: str) -> None:
    name = served.provider(fault)
    answers = load(served, f"{name}/gpt-4o")
    assert not any(answer.status == 200 for answer in answers)
    found = tries(served, name)
    assert len(found) == AT_ONCE
    assert max(found.values()) <= MOST_TRIES
    # What is asked again is asked after a while of chance: the book knows when each began.
    assert not any(row.state == "held" for row in served.rows(name))
    assert max(row.attempt for row in served.rows(name)) <= MOST_TRIES
    assert {answer.headers.get("x-should-retry") for answer in answers} <= {"true", "false"}


def test_U18_what_asking_again_cannot_help_is_asked_once(served: Gateway) -> None:
    for fault in ("status=400", "status=401", "status=404"):
        name = served.provider(fault)
        load(served, f"{name}/gpt-4o")
        assert max(tries(served, name).values()) == 1, fault


def test_U18_each_of_several_targets_is_tried_three_times_at_most(served: Gateway) -> None:
    first, second = served.provider("status=500"), served.provider("status=500")
    answers = load(served, f"{first}/gpt-4o,{second}/gpt-4o")
    assert not any(answer.status == 200 for answer in answers)
    for name in (first, second):
        assert max(tries(served, name).values()) <= MOST_TRIES


def test_U18_once_it_is_known_to_fail_next_to_nothing_is_asked_of_it(served: Gateway) -> None:
    first, second = served.provider("status=500"), served.provider()
    load(served, f"{first}/gpt-4o,{second}/gpt-4o")
    before = len(served.simulator.seen(first))
    answers = load(served, f"{first}/gpt-4o,{second}/gpt-4o")
    assert {answer.status for answer in answers} == {200}
    assert len(served.simulator.seen(first)) - before <= AT_ONCE / 5
