"""What a running gateway sees of its vault: sealed within a second, and another root key without a request lost."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest

from canaries import canary
from house import Gateway, Simulator, gateway, library, run, until
from transit_server import TransitServer, transit_server

PLAIN = canary("vault at work", "sk-proj-")
PASSWORD, SALT = canary("root password", "vK9#mTq2 "), canary("root salt", "8fJ2")


@pytest.fixture(scope="module")
def engine() -> Iterator[TransitServer]:
    with transit_server() as server:
        yield server


@pytest.fixture(scope="module")
def two(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Gateway]]:
    """Two gateways on one home."""
    home = tmp_path_factory.mktemp("vaulted") / "home"
    with library(home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=vaulted/v1")
        ownkey.keys.set("openai", PLAIN)
    with gateway(home, simulator) as one, gateway(home, simulator) as other:
        yield one, other


def status(one: Gateway) -> int:
    return one.ask("openai/gpt-4o").status


def shown(env: dict[str, str]) -> dict[str, object]:
    done = run(env, "vault", "status", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_V06_a_sealed_vault_gives_no_key_in_any_process_a_second_later_until_it_is_unsealed(
    two: tuple[Gateway, Gateway], simulator: Simulator
) -> None:
    assert [status(one) for one in two] == [200, 200]
    assert run(two[0].env, "vault", "seal").returncode == 0
    time.sleep(1)
    before = len(simulator.seen("vaulted"))
    for one in two:
        refused = one.ask("openai/gpt-4o")
        assert (refused.status, refused.error["code"]) == (503, "vault_sealed")
        assert "ownkey vault unseal" in refused.error["message"]
        assert refused.headers["x-should-retry"] == "false"
        assert one.ask("demo").status == 200, "what needs no key goes on"
    assert len(simulator.seen("vaulted")) == before
    found = shown(two[0].env)
    assert (found["state"], found["kek_id"]) == ("sealed", None)
    assert found["sealed_at_ms"]
    assert run(two[0].env, "keys", "set", "openai", "--no-check", given=f"{PLAIN}\n").returncode != 0
    assert PLAIN[-4:] in run(two[0].env, "keys", "list").stdout
    assert run(two[0].env, "vault", "unseal").returncode == 0
    until(lambda: [status(one) for one in two] == [200, 200], within_s=1)


def test_a_sealed_vault_stays_sealed_when_a_gateway_starts(two: tuple[Gateway, Gateway], simulator: Simulator) -> None:
    run(two[0].env, "vault", "seal")
    try:
        with gateway(two[0].home, simulator, token=two[0].token) as fresh:
            assert status(fresh) == 503
    finally:
        assert run(two[0].env, "vault", "unseal").returncode == 0
    until(lambda: [status(one) for one in two] == [200, 200])


@pytest.mark.row("C7")
@pytest.mark.parametrize("place", ["the same", "password", "file", "transit", "home"])
def test_V08_while_another_root_key_takes_over_no_request_is_lost(
    two: tuple[Gateway, Gateway], simulator: Simulator, engine: TransitServer, place: str, tmp_path: Path
) -> None:
    """One gateway is busy all the time, the other idle; neither is told anything nor started again."""
    busy, idle = two
    found: list[int] = []
    stop = Event()

    def ask() -> None:
        while not stop.is_set():
            found.append(status(busy))

    tmp_path.chmod(0o700)
    to = [] if place == "the same" else ["--to", place]
    to += ["--path", str(tmp_path / "root.key")] if place == "file" else []
    given = f"{PASSWORD}\n{SALT}\n" if place == "password" else ""
    env = busy.env | _now
    if place == "transit":
        env |= engine.settings
    before = shown(env)
    asking = Thread(target=ask)
    asking.start()
    try:
        done = run(env, "vault", "rotate", *to, given=given)
    finally:
        stop.set()
        asking.join()
    assert done.returncode == 0, done.stderr
    assert len(found) > 20
    assert set(found) == {200}
    assert status(idle) == 200
    _now.clear()
    _now.update(
        {
            "password": {
                "BYOK_ENCRYPTION_PASSWORD": PASSWORD,
                "BYOK_ENCRYPTION_SALT": SALT,
            },
            "file": {"OWNKEY_MASTER_KEY_FILE": str(tmp_path / "root.key")},
            "transit": engine.settings,
        }.get(place, {})
    )
    after = shown(busy.env | _now)
    assert after["kek_id"] != before["kek_id"]
    assert after["keys"] == [{"kek_id": after["kek_id"], "keys": 1, "role": "current"}]
    assert after["source"] == (before["source"] if place == "the same" else place)
    time.sleep(1.5)
    assert [status(one) for one in two] == [200, 200]
    assert dict(simulator.seen("vaulted")[-1].headers)[b"authorization"].decode() == f"Bearer {PLAIN}"


_now: dict[str, str] = {}
"""What the environment has to say by now for a process that starts anew."""


def test_V15_a_transit_server_that_hangs_keeps_nobody_else_waiting(simulator: Simulator, tmp_path: Path) -> None:
    with transit_server() as server:
        settings = server.settings | {
            "OWNKEY_ALLOW_PRIVATE_HOSTS": f"127.0.0.1:{simulator.port},127.0.0.1:{server.port}"
        }
        home = tmp_path / "home"
        with gateway(home, simulator, token="", **settings) as started:
            made = run(started.env, "tokens", "create", "mine")
            running = replace(started, token=made.stdout.strip())
            endpoint = f"{simulator.url}/fault/name=hanging/v1"
            assert run(running.env, "providers", "set", "openai", "--endpoint", endpoint).returncode == 0
            assert run(running.env, "keys", "set", "openai", "--no-check", given=f"{PLAIN}\n").returncode == 0
            server.fault = "slow"
            found: list[tuple[int, float]] = []

            def ask() -> None:
                began = time.monotonic()
                found.append((status(running), time.monotonic() - began))

            asking = Thread(target=ask)
            asking.start()
            until(lambda: len(server.asked) > 4 or found)
            began = time.monotonic()
            assert running.ask("demo").status == 200
            assert time.monotonic() - began < 2
            assert found == [], "the one that needs the key is still waiting"
            asking.join()
            ((code, took_s),) = found
            assert code == 503
            assert took_s < 6
            server.fault = ""
            assert status(running) == 200
