"""Cancelled at any await: every hold ends once, no connection and no task is left."""

from __future__ import annotations

import asyncio
import gc
import random
from pathlib import Path

from canaries import canary
from ownkey import Ownkey
from ownkey.simulate.server import serve
from ownkey.talk.errors import OwnkeyError

PROVIDER = """
id       = "p{number}"
name     = "Simulated"
kind     = "local"
wire     = "{wire}"
base_url = "{url}/fault/{fault}/v1"
auth     = {{ header = "{header}", scheme = "{scheme}" }}

[[models]]
id         = "gpt-4o"
max_output = 1000
price      = {{ input = "2.50", output = "10.00" }}
"""
WIRES = (("openai-chat", "authorization", "Bearer"), ("anthropic-messages", "x-api-key", ""))
FAULTS = (
    "none",
    "chunk-delay=0.001",
    "delay=0.005",
    "first-token=0.005",
    "status=503",
    "cut=2",
    "rst;cut=1",
    "stall=2",
    "silence",
    "close-delimited",
    "malformed=1",
)


async def one(ownkey: Ownkey, model: str, *, stream: bool, leave_after: int | None) -> None:
    try:
        if not stream:
            await ownkey.chat("Hello", model)
            return
        events = ownkey.stream("Hello", model)
        try:
            seen = 0
            async for _ in events:
                seen += 1
                if seen == leave_after:
                    break
        finally:
            await events.aclose()
    except OwnkeyError:
        pass


def test_G17_cancelled_at_any_await_a_request_ends_its_hold_and_leaves_nothing(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)

    async def main() -> None:
        server = await serve()
        names: list[str] = []
        (tmp_path / "providers").mkdir()
        for wire, header, scheme in WIRES:
            for fault in FAULTS:
                number = len(names)
                names.append(f"p{number}/gpt-4o")
                text = PROVIDER.format(
                    number=number, wire=wire, url=server.url, fault=fault, header=header, scheme=scheme
                )
                (tmp_path / "providers" / f"p{number}.toml").write_text(text)
        limits = {"headers_timeout_s": 0.1, "idle_timeout_s": 0.1, "retries": 1, "retry_delay_s": 0.001}
        async with Ownkey(tmp_path, keychain=False, **limits) as ownkey:
            for name in names:
                ownkey.keys.set(name.partition("/")[0], canary("cancelled"))
            for _ in range(25):
                tasks: list[asyncio.Task[None]] = []
                for _ in range(20):
                    model = ",".join(chance.sample(names, chance.choice([1, 1, 2])))
                    after = chance.choice([None, None, 1, 3])
                    tasks.append(
                        asyncio.create_task(one(ownkey, model, stream=chance.random() < 0.6, leave_after=after))
                    )
                for task in chance.sample(tasks, 16):
                    for _ in range(chance.randrange(4)):
                        await asyncio.sleep(0)
                    if chance.random() < 0.4:
                        await asyncio.sleep(chance.random() * 0.01)
                    task.cancel()
                ends = await asyncio.gather(*tasks, return_exceptions=True)
                assert {type(end) for end in ends} <= {type(None), asyncio.CancelledError}
            await ownkey.house.store.book.drain()
            rows = ownkey.house.store.book.rows(limit=10_000)
            assert len(rows) > 300
            assert not [row for row in rows if row.state == "held"]
            assert all(row.cost_nano <= row.held_nano or row.state == "exact" for row in rows)
            for model in names[:2]:
                assert (await ownkey.chat("Hello", model)).text
        async with asyncio.timeout(5):
            while any(seen.ended_at_s is None for seen in server.log):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await server.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        gc.collect()

    asyncio.run(main())
