"""Probes: sent to who fails or was long not asked, with the key of who asked last, and to nobody else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from canaries import canary
from house import KEYS, Gateway, Simulator, gateway, library, until, write_provider
from ownkey.app.keys import KeyRing
from ownkey.routing.health import IN_USE_S, Conditions, Reached, Used
from ownkey.simulate.server import Seen
from ownkey.talk.errors import ProviderUnavailable

EVERY = {"OWNKEY_PROBE_EVERY_S": "0.2", "OWNKEY_RETRY_DELAY_S": "0.01"}
PROBED = 'probe = "models"\ndefault ='


def probed_provider(served: Gateway, fault: str = "", key: str = KEYS["openai"]) -> str:
    """One whose file says that it may be probed."""
    name = write_provider(served.home, served.simulator, fault, key=key)
    served.rewrite(name, "default =", PROBED)
    return name


def probes(served: Gateway, name: str) -> list[Seen]:
    return [one for one in served.simulator.seen(name) if one.method == "GET"]


def health(served: Gateway, name: str) -> Any:
    told = served.send("GET", "/api/health/providers", None, served.own).json["providers"]
    return next(one for one in told if one["provider"] == name)


@pytest.fixture(scope="module")
def served(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("probes") / "home", simulator, **EVERY) as running:
        yield running


@pytest.mark.row("D5")
def test_a_provider_that_fails_is_probed_and_an_answer_does_not_make_it_well(served: Gateway) -> None:
    name = served.provider("status=503;times=3")
    assert served.ask(f"{name}/gpt-4o").status == 502
    # Not before it has failed three times: a probe would be one of them.
    served.rewrite(name, "default =", PROBED)
    until(lambda: health(served, name)["probe"])
    found = health(served, name)
    assert (found["probe"]["error"], found["state"]) == (None, "failing")
    assert found["targets"][0]["last_error"] == "upstream_unavailable"
    assert served.ask(f"{name}/gpt-4o").status == 200
    assert health(served, name)["state"] == "well"
    sent = len(probes(served, name))
    time.sleep(2.2)
    assert len(probes(served, name)) == sent


@pytest.mark.row("D5")
def test_a_provider_that_is_not_there_is_shown_so(served: Gateway) -> None:
    name = probed_provider(served, "reset")
    assert served.ask(f"{name}/gpt-4o").status == 502
    found = until(lambda: one if (one := health(served, name))["probe"] else None)
    assert (found["state"], found["probe"]["error"]) == ("failing", "upstream_unreachable")


@pytest.mark.row("D5")
def test_who_answers_and_who_may_not_be_probed_is_not(served: Gateway) -> None:
    well, silent = probed_provider(served), served.provider("status=500")
    assert served.ask(f"{well}/gpt-4o").status == 200
    assert served.ask(f"{silent}/gpt-4o").status == 502
    failing = probed_provider(served, "status=500")
    assert served.ask(f"{failing}/gpt-4o").status == 502
    until(lambda: len(probes(served, failing)) > 1)
    assert probes(served, well) == probes(served, silent) == []


def test_O12_no_probe_is_sent_where_they_are_switched_off_nor_by_asking_for_health(
    simulator: Simulator, tmp_path: Path
) -> None:
    with gateway(tmp_path / "home", simulator, OWNKEY_PROBE_EVERY_S="0", OWNKEY_RETRY_DELAY_S="0.01") as served:
        name = probed_provider(served, "status=500")
        assert served.ask(f"{name}/gpt-4o").status == 502
        end_s = time.monotonic() + 2.5
        while time.monotonic() < end_s:
            health(served, name)
            assert served.send("GET", "/health", None, {}).json == {"status": "ok"}
        assert probes(served, name) == []


def test_a_probe_carries_the_key_of_who_asked_last_and_none_of_who_is_suspended_or_has_none(
    simulator: Simulator, tmp_path: Path
) -> None:
    with gateway(tmp_path / "home", simulator, **EVERY) as served, library(served.home) as ownkey:
        person = ownkey.people.add("Somebody").id
        token = ownkey.house.tokens.create(person, "theirs")[1].reveal().decode()
        theirs = {"Authorization": f"Bearer {token}"}
        name = probed_provider(served, "status=500", key=canary("owners", "sk-proj-"))
        ownkey.house.catalogue.refresh()
        own = canary("persons", "sk-proj-")
        KeyRing(ownkey.house, person).set(name, own)
        assert until(lambda: served.ask(f"{name}/gpt-4o", headers=theirs).status == 502)
        until(lambda: probes(served, name))
        carried = {dict(one.headers).get(b"authorization") for one in probes(served, name)}
        assert carried == {f"Bearer {own}".encode()}
        ownkey.people.suspend(person)
        time.sleep(1.2)
        sent = len(probes(served, name))
        time.sleep(1.5)
        assert len(probes(served, name)) == sent


@pytest.mark.row("D5")
def test_when_a_probe_is_due() -> None:
    conditions = Conditions()

    def wants(now_s: float) -> bool:
        return conditions.wants_probe("p", now_s, 30.0, 600.0)

    conditions.used["p"] = Used("one", 1_000.0)
    assert not wants(1_000.0)
    assert not wants(1_599.0)
    assert wants(1_601.0)
    assert not wants(1_000.0 + IN_USE_S + 1)
    conditions.probed("p", Reached(1_601.0, 0.1))
    assert not wants(1_700.0)
    assert wants(2_202.0)
    asker = object()
    conditions.of("p/m").failed(asker, ProviderUnavailable("down", status=503), 2_202.0)
    conditions.used["p"] = Used("one", 2_202.0)
    assert wants(2_202.0)
    conditions.limit("one", "p/m", 5.0, 2_202.0)
    assert not wants(2_203.0)
    assert wants(2_208.0)
    conditions.probed("p", Reached(2_208.0, 0.1, "upstream_unreachable"))
    assert not wants(2_237.0)
    assert wants(2_239.0)


@pytest.mark.row("D5")
def test_a_probe_that_is_answered_ends_the_rest_and_one_request_goes() -> None:
    conditions = Conditions()
    health = conditions.of("p/m")
    for at_s in (10.0, 10.1, 10.2):
        health.failed(object(), ProviderUnavailable("down"), at_s)
    assert health.state(10.3) == "resting"
    conditions.probed("p", Reached(10.3, 0.1, "upstream_unreachable"))
    assert health.state(10.3) == "resting"
    conditions.probed("other", Reached(10.3, 0.1))
    assert health.state(10.3) == "resting"
    conditions.probed("p", Reached(10.4, 0.1))
    assert (health.state(10.4), health.rests(10.4)) == ("failing", False)
    first = object()
    health.asked(first, 10.4, streamed=True)
    assert (health.state(10.5), health.rests(10.5)) == ("probing", True)
    conditions.probed("p", Reached(10.6, 0.1))
    assert health.rests(10.6)
    health.answered(first, 10.7)
    assert (health.state(10.7), health.since_s) == ("well", 10.7)
