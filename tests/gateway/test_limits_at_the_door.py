"""Limits as programs and people meet them: at the gateway, by command, by the API."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from browsing import Browser, signed_in
from house import Answer, Simulator, library, make_home, run, until, write_provider
from inside import Inside, inside
from ownkey.engine.turns import Turns
from ownkey.routing.limits import Kind

LIMITS = "/api/byok/limits"


@pytest.fixture
def here(simulator: Simulator, tmp_path: Path) -> Iterator[Inside]:
    home = tmp_path / "home"
    make_home(home)
    private = f"127.0.0.1:{simulator.port}"
    with library(home, allow_private_hosts=private, rate_limit_wait_s=5) as ownkey:
        _, token = ownkey.house.tokens.create(ownkey.owner, "tests")
        with inside(ownkey, simulator) as running:
            running.gateway.token = token.reveal().decode()
            yield running


def aged(turns: Turns, by_s: float) -> None:
    """What was let in lies so much further back: a minute is long."""
    for meter in turns._meters.values():  # pyright: ignore[reportPrivateUsage]
        assert meter.requests is not None
        for entry in meter.requests._entries:  # pyright: ignore[reportPrivateUsage]
            entry.at_s -= by_s


@pytest.mark.row("E8")
def test_O17_at_the_limit_it_is_429_and_asking_again_after_the_retry_after_succeeds(here: Inside) -> None:
    name = write_provider(here.gateway.home, here.gateway.simulator)
    here.ownkey.limits.set("provider", name, requests_per_minute=2)
    model = f"{name}/gpt-4o"
    began_s = time.monotonic()
    assert [here.gateway.ask(model).status for _ in range(2)] == [200, 200]
    aged(here.ownkey.house.turns, 30.0)
    refused = here.gateway.ask(model)
    passed_s = time.monotonic() - began_s
    assert (refused.status, refused.error["code"]) == (429, "rate_limited")
    assert refused.headers["x-should-retry"] == "true"
    wait_s = int(refused.headers["retry-after"])
    assert 30 - passed_s <= wait_s <= 30
    assert name in refused.error["message"]
    aged(here.ownkey.house.turns, wait_s - 2.0)
    # Now it is near enough to be waited for, by whoever asks; and to the others the rest is told.
    began_s = time.monotonic()
    assert here.gateway.ask(model).status == 200
    assert time.monotonic() - began_s < 5
    assert len(here.gateway.simulator.seen(name)) == 3


@pytest.mark.row("E8")
def test_asking_again_after_exactly_the_retry_after_of_the_gateway_succeeds(here: Inside) -> None:
    name = write_provider(here.gateway.home, here.gateway.simulator)
    _, other = here.ownkey.house.tokens.create(here.ownkey.owner, "slow")
    here.ownkey.limits.set("token", "slow", requests_per_minute=1)
    bearer = {"Authorization": f"Bearer {other.reveal().decode()}"}
    began_s = time.monotonic()
    assert here.gateway.ask(f"{name}/gpt-4o", headers=bearer).status == 200
    aged(here.ownkey.house.turns, 30.0)
    refused = here.gateway.ask(f"{name}/gpt-4o", headers=bearer)
    passed_s = time.monotonic() - began_s
    assert refused.status == 429
    wait_s = int(refused.headers["retry-after"])
    assert 30 - passed_s <= wait_s <= 30
    # The limit is the token's, and nobody else's.
    assert here.gateway.ask(f"{name}/gpt-4o").status == 200
    aged(here.ownkey.house.turns, wait_s - 1.0)
    time.sleep(1.0)
    here.ownkey.house.turns.settle(type(here.ownkey.house.turns._pace)(0, 0.0))  # pyright: ignore[reportPrivateUsage]
    assert here.gateway.ask(f"{name}/gpt-4o", headers=bearer).status == 200


COUNTS = {
    "anthropic-messages": ("/v1/messages/count_tokens", {"messages": [{"role": "user", "content": "Hello"}]}),
    "gemini": ("/v1beta/models/{}:countTokens", {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}),
}


def count(here: Inside, wire: str, model: str) -> Answer:
    path, asked = COUNTS[wire]
    body = json.dumps({"model": model, **asked} if wire != "gemini" else asked).encode()
    return here.gateway.send("POST", path.format(model), body, here.gateway.own)


@pytest.mark.row("E8")
@pytest.mark.parametrize("kind", ["provider", "token"])
@pytest.mark.parametrize("wire", COUNTS)
def test_O17_a_count_of_tokens_is_a_request_at_the_limit_too(here: Inside, wire: str, kind: Kind) -> None:
    name = write_provider(here.gateway.home, here.gateway.simulator, wire=wire)
    here.ownkey.limits.set(kind, name if kind == "provider" else "tests", requests_per_minute=1)
    turns, model = here.ownkey.house.turns, f"{name}/gpt-4o"
    assert count(here, wire, model).status == 200
    # So that its minute is not over, however long this takes.
    aged(turns, -1000.0)
    refused = count(here, wire, model)
    assert (refused.status, refused.headers.get("x-should-retry")) == (429, "true")
    if wire == "gemini":
        assert (refused.error["code"], refused.error["status"]) == (429, "RESOURCE_EXHAUSTED")
    else:
        assert (refused.json["type"], refused.error["type"]) == ("error", "rate_limit_error")
    assert here.gateway.ask(model).status == 429
    assert len(here.gateway.simulator.seen(name)) == 1
    # Asking again after exactly so long succeeds.
    aged(turns, int(refused.headers["retry-after"]))
    assert count(here, wire, model).status == 200


@pytest.mark.row("E8")
@pytest.mark.parametrize("wire", COUNTS)
def test_a_count_of_tokens_ends_its_turn_with_as_many_as_it_counts_and_none_out(here: Inside, wire: str) -> None:
    name = write_provider(here.gateway.home, here.gateway.simulator, wire=wire)
    fails = write_provider(here.gateway.home, here.gateway.simulator, "status=401", wire=wire)
    for one in (name, fails):
        here.ownkey.limits.set("provider", one, tokens_per_minute=100_000, parallel=1)
    assert [count(here, wire, f"{fails}/gpt-4o").status for _ in range(3)] == [502] * 3
    told = count(here, wire, f"{name}/gpt-4o")
    assert told.status == 200
    meters = {place[1]: meter for place, meter in here.ownkey.house.turns._meters.items()}  # pyright: ignore[reportPrivateUsage]
    assert [meter.running for meter in meters.values()] == [0, 0]
    window = meters[name].tokens
    assert window is not None
    # As of long ago: what was let in since then counts, however long this took.
    assert window.total(0.0) == (told.json.get("input_tokens") or told.json["totalTokens"])


@pytest.mark.row("E8")
def test_a_count_of_tokens_that_nobody_is_asked_for_takes_no_turn(here: Inside) -> None:
    name = write_provider(here.gateway.home, here.gateway.simulator)
    here.ownkey.limits.set("provider", name, requests_per_minute=1)
    assert [count(here, "anthropic-messages", f"{name}/gpt-4o").status for _ in range(3)] == [200] * 3
    assert here.gateway.ask(f"{name}/gpt-4o").status == 200


def test_a_client_that_hangs_up_leaves_the_line(here: Inside) -> None:
    name = write_provider(here.gateway.home, here.gateway.simulator, "silence;times=1")
    here.ownkey.limits.set("provider", name, parallel=1)
    turns, model = here.ownkey.house.turns, f"{name}/gpt-4o"
    first = here.gateway.open(model, stream=True)
    until(lambda: here.gateway.simulator.seen(name))
    (meter,) = turns._meters.values()  # pyright: ignore[reportPrivateUsage]
    waiting: list[socket.socket] = [here.gateway.open(model, stream=True) for _ in range(3)]
    until(lambda: len(meter.line) == 3)
    for one in waiting:
        one.close()
    until(lambda: not meter.line)
    first.close()
    assert here.gateway.ask(model).status == 200
    assert len(here.gateway.simulator.seen(name)) == 2
    until(lambda: meter.running == 0)


@pytest.mark.row("E8")
def test_A08_nobody_lifts_what_was_set_for_their_token_or_for_them(here: Inside) -> None:
    house = here.ownkey.house
    ann = here.ownkey.people.add("Ann", role="member").id
    row, _ = house.tokens.create(ann, "ann's")
    kept = [
        here.ownkey.limits.set("token", row.id, requests_per_minute=5),
        here.ownkey.limits.set("user", ann, requests_per_minute=50),
        here.ownkey.limits.set("provider", "openai", requests_per_minute=100),
    ]
    browser: Browser = signed_in(here.gateway, ann)
    assert {one["id"] for one in browser.get(LIMITS).json["limits"]} == {view.id for view in kept}
    for view in kept:
        lifted = {"kind": view.kind, "name": view.name, "requests_per_minute": 0}
        assert browser.ask("PUT", LIMITS, lifted).status == 200
        assert browser.ask("DELETE", f"{LIMITS}/{view.id}", None).status == 404
        kind_limit = {one["id"]: one for one in browser.get(LIMITS).json["limits"]}[view.id]
        assert kind_limit["requests_per_minute"] == view.limit.requests_per_minute
    from ownkey.routing.limits import Limit, Scope

    found = house.store.limits.rules().of(Scope(ann, "openai", "gpt-4o", None, row.id), Limit())
    assert {kind: limit.requests_per_minute for (kind, _, _), limit in found.items()} == {
        "provider": 100,
        "user": 50,
        "token": 5,
    }
    # Other people neither see theirs nor are held to them.
    bob = here.ownkey.people.add("Bob", role="member").id
    others = signed_in(here.gateway, bob).get(LIMITS).json["limits"]
    assert {one["id"] for one in others} == {kept[2].id}
    here.ownkey.people.remove(ann)
    assert [rule.kind for rule in house.store.limits.all()] == ["provider"]


@pytest.mark.row("E8")
def test_a_limit_of_a_model_holds_by_whichever_of_its_names_it_was_set(here: Inside) -> None:
    name = write_provider(here.gateway.home, here.gateway.simulator)
    file = here.gateway.home / "providers" / f"{name}.toml"
    file.write_text(file.read_text().replace('id = "gpt-4o"', 'id = "gpt-4o"\naliases = ["gpt-4o-dated"]'))
    here.ownkey.house.catalogue.refresh()
    assert here.ownkey.limits.set("model", f"{name}/gpt-4o-dated", requests_per_minute=1).name == f"{name}/gpt-4o"
    assert [here.gateway.ask(f"{name}/{model}").status for model in ("gpt-4o", "gpt-4o-dated")] == [200, 429]
    here.ownkey.limits.remove("model", f"{name}/gpt-4o-dated")
    assert here.ownkey.limits.all() == []


@pytest.mark.row("E8")
def test_limits_are_set_listed_and_removed_by_command(simulator: Simulator, tmp_path: Path) -> None:
    from house import environment

    env = environment(tmp_path / "home")
    assert "60 requests" not in run(env, "limits", "list").stdout
    done = run(env, "limits", "set", "provider", "openai", "--requests", "500", "--parallel", "20")
    assert done.stdout == "provider openai: 500 requests a minute, 20 calls at once.\n"
    run(env, "limits", "set", "provider", "openai", "--requests", "none", "--tokens", "0")
    (listed,) = json.loads(run(env, "limits", "list", "--json").stdout)["limits"]
    assert (listed["kind"], listed["name"], listed["owner"]) == ("provider", "openai", None)
    assert listed["limit"] == {"requests_per_minute": None, "tokens_per_minute": 0, "parallel": 20}
    plain = run(env | {"OWNKEY_REQUESTS_PER_MINUTE": "60"}, "limits", "list").stdout
    assert "nobody: the default" in plain
    wrong = run(env, "limits", "set", "provider", "openai", "--requests", "many")
    assert (wrong.returncode, "whole number" in wrong.stderr) == (2, True)
    assert run(env, "limits", "set", "planet", "openai", "--requests", "1").returncode == 2
    assert run(env, "limits", "remove", "provider", "openai").returncode == 0
    assert run(env, "limits", "remove", "provider", "openai").returncode == 2
    audit = run(env, "audit", "list", "--json").stdout
    assert "limit.set" in audit
    assert "limit.removed" in audit


@pytest.mark.row("E8")
def test_a_providers_file_says_its_limits(here: Inside) -> None:
    name = write_provider(here.gateway.home, here.gateway.simulator)
    file = here.gateway.home / "providers" / f"{name}.toml"
    file.write_text(file.read_text().replace("[[models]]", "limits = { requests_per_minute = 1 }\n[[models]]"))
    here.ownkey.house.catalogue.refresh()
    assert [here.gateway.ask(f"{name}/gpt-4o").status for _ in range(2)] == [200, 429]
    here.ownkey.limits.set("provider", name, requests_per_minute=0)
    assert here.gateway.ask(f"{name}/gpt-4o").status == 200
