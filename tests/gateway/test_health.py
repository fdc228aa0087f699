"""How the providers are, learned from what is asked of them: over HTTP, by the command, in the library."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from browsing import signed_in
from house import Gateway, Simulator, gateway, library, run, until
from ownkey.app.condition import replayed, speed, success
from ownkey.app.keys import KeyRing
from ownkey.store.tries import LastTry

HEALTH = "/api/health/providers"


def health(served: Gateway, name: str) -> Any:
    """What the gateway says of that provider; None where it says nothing."""
    told = served.send("GET", HEALTH, None, served.own)
    assert told.status == 200, told.body
    return next((one for one in told.json["providers"] if one["provider"] == name), None)


def target(served: Gateway, name: str) -> Any:
    (found,) = health(served, name)["targets"]
    return found


@pytest.mark.row("D5")
def test_a_provider_that_answers_is_well_with_its_times_and_what_is_left(served: Gateway) -> None:
    name = served.provider("first-token=0.05;chunk-delay=0.005")
    for stream in (True, True, False):
        assert served.ask(f"{name}/gpt-4o", stream=stream).status == 200
    served.rows(name)
    found = until(lambda: one if (one := target(served, name))["success"] == 1.0 else None)
    assert (found["state"], found["live"], found["model"], found["last_error"]) == ("well", True, "gpt-4o", None)
    assert found["first_ms"] >= 50
    assert found["whole_ms"] > 0
    assert found["tokens_per_s"] > 0
    assert time.time() * 1000 - 60_000 < found["since_ms"] <= time.time() * 1000
    left = found["allowance"]
    assert left["requests"] < left["requests_limit"]
    assert 0 <= left["age_s"] < 30
    assert health(served, name)["state"] == "well"


@pytest.mark.row("D5")
def test_a_provider_that_fails_rests_says_why_and_is_well_again_after_one_answer(served: Gateway) -> None:
    name = served.provider("status=503")

    def rests() -> dict[str, Any] | None:
        assert served.ask(f"{name}/gpt-4o").status == 502
        return one if (one := target(served, name))["state"] == "resting" else None

    assert until(rests)["last_error"] == "upstream_unavailable"
    served.rewrite(name, "status=503;", "")
    until(lambda: served.ask(f"{name}/gpt-4o").status == 200)
    assert target(served, name)["state"] == "well"
    served.rows(name)
    assert until(lambda: 0 < (target(served, name)["success"] or 0) < 0.5)


@pytest.mark.row("D5")
def test_what_is_wrong_with_the_request_or_the_key_says_nothing_of_the_provider(served: Gateway) -> None:
    for fault in ("status=400", "reason=key", "reason=quota", "reason=content"):
        name = served.provider(fault)
        for _ in range(4):
            assert served.ask(f"{name}/gpt-4o").status >= 400
        served.rows(name)
        found = target(served, name)
        assert (found["state"], found["success"], found["last_error"]) == ("unknown", None, None)


@pytest.mark.row("D5")
def test_the_command_knows_it_from_the_book_without_a_gateway(served: Gateway) -> None:
    well, bad = served.provider(), served.provider("status=500")
    assert served.ask(f"{well}/gpt-4o", stream=True).status == 200
    assert served.ask(f"{bad}/gpt-4o").status == 502
    served.rows(well)
    served.rows(bad)
    told = run(served.env, "providers", "status", "--json")
    assert told.returncode == 0, told.stderr
    states = {one["provider"]: one for one in json.loads(told.stdout)}
    assert states[well]["targets"][0]["state"] == "well"
    assert states[well]["targets"][0]["success"] == 1.0
    assert states[bad]["state"] in ("resting", "failing")
    assert states[bad]["targets"][0]["last_error"] == "upstream_unavailable"
    table = run(served.env, "providers", "status").stdout.splitlines()
    assert table[0].startswith("PROVIDER\tMODEL\tSTATE")
    assert any(line.startswith(f"{well}\tgpt-4o\twell\t") and "100 %" in line for line in table)
    assert len(run(served.env, "providers", "status", "--all").stdout.splitlines()) > len(table)


@pytest.mark.row("D5")
def test_A26_a_person_sees_only_providers_that_they_can_ask_and_nobodys_volume(
    simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("seen") / "home"
    with gateway(home, simulator) as served, library(home) as ownkey:
        served.provider()
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=seen/v1")
        ownkey.keys.set("openai", "sk-proj-of-the-owner-0123456789abcdef")
        assert served.ask("openai/gpt-4o").status == 200
        assert health(served, "openai")["targets"][0]["allowance"] is not None
        somebody = ownkey.people.add("Somebody").id
        told = signed_in(served, somebody).ask("GET", HEALTH, None)
        assert told.status == 200
        assert "openai" not in [one["provider"] for one in told.json["providers"]]
        for word in (b"owner", b"calls", b"tries", b"count"):
            assert word not in told.body
        KeyRing(ownkey.house, somebody).set("openai", "sk-proj-of-somebody-0123456789abcdef")

        def own() -> Any:
            seen = signed_in(served, somebody).ask("GET", HEALTH, None).json["providers"]
            return next((one["targets"][0] for one in seen if one["provider"] == "openai"), None)

        found = until(own)
        assert (found["success"], found["allowance"]) == (1.0, None)


def tried(at_s: float, error: str | None = None, **fields: Any) -> LastTry:
    told: dict[str, Any] = {"status": 200 if error is None else 503, "total_ms": 100, "output_tokens": None} | fields
    return LastTry("p", "m", True, error, started_at_ms=int(at_s * 1000), first_ms=told.pop("first_ms", None), **told)


@pytest.mark.row("D5")
def test_the_book_read_again_says_what_whoever_asked_had_learned() -> None:
    down = "upstream_unavailable"
    failing = [tried(100 + number, down) for number in range(3)]
    assert replayed(failing).state(102.2) == "resting"
    assert replayed(failing).state(104.0) == "failing"
    assert replayed(reversed(failing)).since_s == pytest.approx(100.1)
    assert replayed([*failing, tried(105)]).state(105.2) == "well"
    assert replayed([tried(100, "upstream_auth"), tried(101, "cancelled", status=None)]).state(102) == "unknown"
    assert success([*failing, tried(105), tried(106, "upstream_auth")]) == 0.25
    assert success([tried(106, "upstream_auth")]) is None
    timed = {"first_ms": 100, "output_tokens": 90}
    assert speed([tried(1, total_ms=1_000, **timed), tried(2, "upstream_cut", total_ms=9_000, **timed)]) == 100.0
