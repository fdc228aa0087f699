"""From an old key to a new one while requests run: none of them notices."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from house import Gateway, Simulator, gateway, library, run, until
from keyed import REVOKED, A, B, C, keyed, owning
from ownkey import Ownkey

MODEL = "openai/gpt-4o"


@contextmanager
def load(gateway: Gateway, model: str) -> Iterator[list[int]]:
    """Four clients that ask one thing after the other; the statuses of their answers."""
    stop = threading.Event()
    statuses: list[int] = []

    def ask() -> None:
        while not stop.is_set():
            statuses.append(gateway.ask(model, "Say 3 words").status)

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        yield statuses
    finally:
        stop.set()
        for client in clients:
            client.join()


def keys_of(simulator: Simulator, name: str, since: int = 0) -> set[str]:
    """Those with which chats came."""
    seen = [one for one in simulator.seen(name)[since:] if one.path.endswith("/completions")]
    return {(one.header("authorization") or "").removeprefix("Bearer ") for one in seen}


def test_from_one_key_to_the_next_no_request_of_a_gateway_is_dropped(tmp_path: Path, simulator: Simulator) -> None:
    home = tmp_path / "home"
    with library(home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/delay=0.02;name=rotated/v1")
        ownkey.keys.set("openai", A, "old")
    with gateway(home, simulator) as served, load(served, MODEL) as statuses:
        until(lambda: len(statuses) > 20, 20)
        assert run(served.env, "keys", "set", "openai", "--label", "new", given=B).returncode == 0
        assert run(served.env, "keys", "test", "openai", "--label", "new").returncode == 0
        assert run(served.env, "keys", "order", "openai", "new", "old").returncode == 0
        assert run(served.env, "keys", "remove", "openai", "--label", "old").returncode == 0
        removed = time.monotonic()
        until(lambda: time.monotonic() - removed > 1.0)
        after = len(simulator.seen("rotated"))
        until(lambda: keys_of(simulator, "rotated", after), 20)
        assert keys_of(simulator, "rotated", after) == {B}
        # In one step: the key of this label is another one from now on.
        assert run(served.env, "keys", "set", "openai", "--label", "new", given=C).returncode == 0
        replaced = time.monotonic()
        until(lambda: time.monotonic() - replaced > 1.0)
        after = len(simulator.seen("rotated"))
        until(lambda: keys_of(simulator, "rotated", after), 20)
        assert keys_of(simulator, "rotated", after) == {C}
    assert keys_of(simulator, "rotated") == {A, B, C}
    assert set(statuses) == {200}
    assert {row.error for row in served.rows("openai")} == {None}


def test_a_key_that_is_refused_the_moment_it_is_replaced_drops_no_request(tmp_path: Path) -> None:
    """Who replaces it is another process, which this one hears of within a second; the provider is quicker."""

    async def main() -> None:
        async with keyed() as provider, owning(tmp_path, provider, "a") as ownkey:
            await asyncio.gather(*(ownkey.chat("Hello", MODEL) for _ in range(8)))
            elsewhere = Ownkey(tmp_path, keychain=False)
            elsewhere.keys.set("openai", B, "a")
            elsewhere.close()
            provider.refused[A] = REVOKED
            used = len(provider.used)
            await asyncio.gather(*(ownkey.chat("Hello", MODEL) for _ in range(8)))
            assert set(provider.used[used:]) == {A, B}
            assert [(view.state, view.valid) for view in ownkey.keys.all()] == [("ready", None)]
            await ownkey.chat("Hello", MODEL)
            assert provider.used[-1] == B

    asyncio.run(main())


def test_what_is_running_ends_with_the_key_that_it_began_with(tmp_path: Path) -> None:
    async def main() -> None:
        async with keyed() as provider, owning(tmp_path, provider, "a") as ownkey:
            provider.waits_s = 0.3
            running = asyncio.create_task(ownkey.chat("Hello", MODEL))
            await provider.heard.wait()
            ownkey.keys.set("openai", B, "b")
            assert ownkey.keys.remove("openai", "a") == 1
            assert (await running).text == "Hi"
            await ownkey.chat("Hello", MODEL)
            assert provider.used == [A, B]

    asyncio.run(main())
