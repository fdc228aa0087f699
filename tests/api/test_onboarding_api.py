"""The first steps and the agreement: where somebody is, what they accepted, and that programs need none of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from browsing import Browser, signed_in
from house import KEYS, Gateway, Simulator, gateway, library
from ownkey.app.onboarding import STEPS, agreement

ONBOARDING, AGREEMENT = "/api/byok/onboarding", "/api/byok/agreement"


@pytest.fixture(scope="module")
def place(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("onboarding") / "home"
    with library(home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=onboarding/v1")
    with gateway(home, simulator) as running:
        yield running


@pytest.fixture
def newcomer(place: Gateway) -> Iterator[Browser]:
    with library(place.home) as ownkey:
        id = ownkey.people.add("Newcomer").id
    yield signed_in(place, id)
    with library(place.home) as ownkey:
        ownkey.people.remove(id)


@pytest.mark.row("A8")
def test_somebody_new_begins_at_the_first_step_and_comes_back_to_where_they_were(newcomer: Browser) -> None:
    found = newcomer.get(ONBOARDING).json
    assert (found["step"], found["mode"], found["demo"], found["done"]) == ("welcome", None, False, False)
    assert found["steps"] == list(STEPS)
    assert found["steps"] == ["welcome", "privacy", "mode", "key", "limit", "agreement", "try", "more", "done"]
    assert (found["has_key"], found["agreement"]["accepted"]) == (False, None)
    changed = newcomer.ask("PATCH", ONBOARDING, {"step": "key", "mode": "cloud"}).json
    assert (changed["step"], changed["mode"]) == ("key", "cloud")
    assert newcomer.ask("PUT", "/api/byok/keys/openai", {"key": KEYS["openai"]}).status == 200
    again = signed_in(newcomer.gateway, newcomer.get("/api/byok/sessions/current").json["user"]["id"])
    found = again.get(ONBOARDING).json
    assert (found["step"], found["mode"], found["has_key"]) == ("key", "cloud", True)
    assert again.ask("PATCH", ONBOARDING, {"demo": True}).json["demo"] is True
    assert again.ask("PATCH", ONBOARDING, {"mode": None}).json["mode"] is None


@pytest.mark.row("B8")
def test_the_agreement_is_accepted_in_the_version_that_holds_now(newcomer: Browser) -> None:
    told = newcomer.get(ONBOARDING).json["agreement"]
    assert (told["version"], told["date"]) == (agreement().version, agreement().date)
    assert "Your keys stay yours." in told["text"]
    for version in ("0", "2", "1 "):
        refused = newcomer.post(AGREEMENT, {"version": version})
        assert (refused.status, refused.error["param"]) == (409, "version")
    assert newcomer.get(ONBOARDING).json["agreement"]["accepted"] is None
    accepted = newcomer.post(AGREEMENT, {"version": told["version"]}).json["agreement"]["accepted"]
    assert accepted["version"] == told["version"]
    assert newcomer.post(AGREEMENT, {"version": told["version"]}).json["agreement"]["accepted"] == accepted
    with library(newcomer.gateway.home) as ownkey:
        rows = [row for row in ownkey.audit.listed() if row.action == "agreement.accepted"]
    assert json.loads(rows[0].detail) == {"version": told["version"], "at_ms": accepted["at_ms"]}


@pytest.mark.row("B8")
def test_nobody_comes_to_the_end_without_the_agreement(newcomer: Browser) -> None:
    for body in ({"done": True}, {"step": "done"}):
        assert newcomer.ask("PATCH", ONBOARDING, body).status == 409
    assert newcomer.ask("PATCH", ONBOARDING, {"step": "more"}).json["done"] is False
    newcomer.post(AGREEMENT, {"version": agreement().version})
    done = newcomer.ask("PATCH", ONBOARDING, {"done": True}).json
    assert (done["step"], done["done"], done["done_at_ms"] > 0) == ("done", True, True)
    assert newcomer.ask("PATCH", ONBOARDING, {"step": "done"}).json == done
    again = newcomer.ask("PATCH", ONBOARDING, {"step": "limit"}).json
    assert (again["step"], again["done"], again["done_at_ms"]) == ("limit", False, None)
    assert newcomer.ask("PATCH", ONBOARDING, {"done": True}).json["done"] is True
    assert newcomer.ask("PATCH", ONBOARDING, {"done": False}).json["step"] == "more"


@pytest.mark.parametrize("body", [{"step": "nowhere"}, {"mode": "cellar"}, {"done": "yes"}, {"agreement": "1"}])
def test_what_is_no_step_is_refused(newcomer: Browser, body: object) -> None:
    assert newcomer.ask("PATCH", ONBOARDING, body).status == 422


def test_programs_are_not_held_up_by_first_steps(place: Gateway) -> None:
    assert signed_in(place).get(ONBOARDING).json["agreement"]["accepted"] is None
    assert place.ask("demo").status == 200


def test_first_steps_and_agreement_go_with_the_person(place: Gateway) -> None:
    with library(place.home) as ownkey:
        id = ownkey.people.add("Passing").id
        passing = signed_in(place, id)
        assert passing.ask("PATCH", ONBOARDING, {"step": "limit"}).status == 200
        assert passing.post(AGREEMENT, {"version": agreement().version}).status == 200
        first = ownkey.house.store.first_steps
        assert (first.of(id).step, len(first.accepted(id))) == ("limit", 1)
        ownkey.people.remove(id)
        assert (first.of(id).step, first.accepted(id)) == ("welcome", [])
