"""Requests that wait for their owner's yes: listed, approved, refused, gone with their client."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from consenting import Here, Person, people
from house import CHAT, Answer, Simulator, until
from ownkey.app.waiting import MOST_OF_ONE

PARK = {"x-ownkey-park": "yes"}
WAITING = "/api/byok/waiting"


@pytest.fixture(scope="module")
def here(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    with people(tmp_path_factory.mktemp("parked") / "home", simulator) as found:
        yield found


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as found:
        yield found


def waiting(person: Person, count: int = 1) -> list[dict[str, Any]]:
    def found() -> list[dict[str, Any]] | None:
        listed: list[dict[str, Any]] = person.browser.get(WAITING).json["waiting"]
        return listed if len(listed) == count else None

    return until(found, within_s=20) if count else person.browser.get(WAITING).json["waiting"]


def failing(person: Person) -> tuple[str, str]:
    first, second = person.provider("status=503"), person.provider()
    return second, f"{first}/gpt-4o,{second}/gpt-4o"


def parked(pool: ThreadPoolExecutor, person: Person, model: str, **fields: Any) -> Future[Answer]:
    return pool.submit(person.ask, model, headers=PARK, **fields)


@pytest.mark.row("B15")
@pytest.mark.parametrize("stream", [False, True])
def test_a_request_that_waits_goes_on_when_its_owner_says_so(
    here: Here, pool: ThreadPoolExecutor, stream: bool
) -> None:
    person, other = here.person(ask=True), here.person()
    second, model = failing(person)
    answer = parked(pool, person, model, stream=stream)
    (one,) = waiting(person)
    assert (one["model"], one["reasons"][0]["kind"]) == (model, "switch")
    assert float(one["quote"]["most_usd"]) > 0
    assert 0 < one["until_ms"] - one["since_ms"] <= 600_000
    assert other.browser.get(WAITING).json == {"waiting": []}
    for how in ("approve", "refuse"):
        body = {} if how == "approve" else None
        assert other.browser.post(f"{WAITING}/{one['id']}/{how}", body).status == 404
    assert not answer.done()
    assert here.running.simulator.seen(second) == []
    assert person.browser.post(f"{WAITING}/{one['id']}/approve", {}).json == {"approved": True}
    whole = answer.result(20)
    assert (whole.status, whole.headers["x-ownkey-provider"]) == (200, second)
    assert person.browser.post(f"{WAITING}/{one['id']}/approve", {}).status == 404
    assert {row.state for row in here.running.rows(second)} == {"exact"}


def test_one_that_is_refused_is_told_so(here: Here, pool: ThreadPoolExecutor) -> None:
    person = here.person(ask=True)
    second, model = failing(person)
    answer = parked(pool, person, model)
    (one,) = waiting(person)
    assert person.browser.post(f"{WAITING}/{one['id']}/refuse").json == {"approved": False}
    refused = answer.result(20)
    assert (refused.status, refused.error["code"]) == (409, "consent_required")
    assert "It was refused" in refused.error["message"]
    assert here.running.simulator.seen(second) == []


def test_a_yes_from_the_page_is_remembered_where_it_says_so(here: Here, pool: ThreadPoolExecutor) -> None:
    person = here.person(ask=True)
    _, model = failing(person)
    answer = parked(pool, person, model)
    (one,) = waiting(person)
    assert person.browser.post(f"{WAITING}/{one['id']}/approve", {"remember": True}).status == 200
    assert answer.result(20).status == person.ask(model).status == 200


def test_two_questions_are_asked_one_after_the_other(here: Here, pool: ThreadPoolExecutor) -> None:
    person = here.person(ask=True, park=True)
    first, second, third = person.provider("status=503"), person.provider("status=503"), person.provider()
    answer = pool.submit(person.ask, f"{first}/gpt-4o,{second}/gpt-4o,{third}/gpt-4o")
    (one,) = waiting(person)
    person.browser.post(f"{WAITING}/{one['id']}/approve", {})
    until(lambda: one["id"] not in {each["id"] for each in waiting(person, 0)} and waiting(person, 0), within_s=20)
    (two,) = waiting(person)
    assert two["reasons"][0]["model"] == f"{third}/gpt-4o"
    person.browser.post(f"{WAITING}/{two['id']}/approve", {})
    assert answer.result(20).headers["x-ownkey-provider"] == third


@pytest.mark.parametrize("stream", [False, True])
def test_one_whose_client_is_gone_waits_no_more(here: Here, stream: bool) -> None:
    person = here.person(ask=True)
    second, model = failing(person)
    body = person.body(model, stream=stream)
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\nContent-Type: application/json\r\n"
    )
    head += f"Authorization: Bearer {person.token}\r\nx-ownkey-park: yes\r\n\r\n"
    with socket.create_connection(("127.0.0.1", here.running.port), timeout=30) as connection:
        connection.sendall(head.encode() + body)
        waiting(person)
    until(lambda: waiting(person, 0) == [], within_s=20)
    assert here.running.simulator.seen(second) == []


def test_more_than_so_many_of_one_person_do_not_wait(here: Here, pool: ThreadPoolExecutor) -> None:
    person = here.person(ask=True)
    _, model = failing(person)
    answers = [parked(pool, person, model, user=str(number)) for number in range(MOST_OF_ONE)]
    listed = waiting(person, MOST_OF_ONE)
    crowded = person.ask(model, headers=PARK)
    assert (crowded.status, crowded.error["code"]) == (409, "consent_required")
    for one in listed:
        person.browser.post(f"{WAITING}/{one['id']}/refuse")
    assert {answer.result(20).status for answer in answers} == {409}
    assert json.loads(person.browser.get(WAITING).body) == {"waiting": []}


def test_who_does_not_want_to_wait_is_answered_at_once(here: Here) -> None:
    person = here.person(ask=True)
    _, model = failing(person)
    assert person.ask(model).status == 409
    assert waiting(person, 0) == []


def test_a_request_that_says_no_does_not_wait_whatever_its_person_prefers(here: Here) -> None:
    person = here.person(ask=True, park=True)
    _, model = failing(person)
    refused = person.ask(model, headers={"x-ownkey-park": "no"})
    assert (refused.status, refused.error["code"]) == (409, "consent_required")
    assert waiting(person, 0) == []
