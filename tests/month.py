"""A house that was used for a month: what views with something in them are looked at with."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attempts import exact, hold
from house import Simulator, library
from ownkey import Ownkey
from ownkey.store.entry import Ending
from store_asked import ask, settle

DAY_MS = 86_400_000

# Provider, model, nano-USD for a token in and out, how often.
ASKED = (
    ("openai", "gpt-4o", 2_500, 10_000, 5),
    ("openai", "gpt-4o-mini", 150, 600, 9),
    ("anthropic", "claude-sonnet-4-5", 3_000, 15_000, 4),
    ("gemini", "gemini-2.5-flash", 300, 2_500, 7),
)
SEED = 11
FAILED = range(24, 125, 25)
"""The runs that did: any thirty days have more, and the last of all is none of them."""

LONG = "The weekly report on what every one of our eleven sites has asked, said and paid"
RICH_NANO = 6_172_839_450_000_000
"""Of one run: two of them are $12,345,678.90."""


def live(ownkey: Ownkey, days: int = 30, runs_a_day: int = 8) -> None:
    """Runs of some days of UTC, today the last, up to now; two limits; of a month's, five have failed."""
    # Where a browser is driven from this thread, an event loop runs in it already.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(_live, ownkey, days, runs_a_day).result()


def _live(ownkey: Ownkey, days: int, runs_a_day: int) -> None:
    chance = random.Random(SEED)
    now_ms = time.time_ns() // 1_000_000
    ownkey.budgets.set("house", limit="40", alert_percent=80)
    ownkey.budgets.set("openai", limit="15", provider="openai")
    for number, at_ms in enumerate(_times(chance, now_ms, days, runs_a_day)):
        # What a run is does not depend on how many came before it, which is another on each day of the week.
        _run(ownkey, random.Random(1_000 * SEED + number), number, at_ms)


def _times(chance: random.Random, now_ms: int, days: int, runs_a_day: int) -> Iterator[int]:
    midnight_ms = now_ms - now_ms % DAY_MS
    for begin_ms in range(midnight_ms - (days - 1) * DAY_MS, now_ms, DAY_MS):
        weekend = time.gmtime(begin_ms / 1000).tm_wday >= 5
        for _ in range(chance.randint(1, 2) if weekend else chance.randint(runs_a_day // 2, runs_a_day)):
            yield chance.randint(begin_ms, min(begin_ms + DAY_MS, now_ms) - 1)


def _run(ownkey: Ownkey, chance: random.Random, number: int, at_ms: int) -> None:
    [(provider, model, per_in, per_out, _)] = chance.choices(ASKED, [one[-1] for one in ASKED])
    tokens_in, tokens_out = chance.randint(400, 40_000), chance.randint(80, 4_000)
    cost_nano = tokens_in * per_in + tokens_out * per_out
    took_ms = chance.randint(600, 9_000)
    id = f"run-{number}"
    given = hold(
        id=f"{id}.1",
        request_id=id,
        provider=provider,
        model=model,
        owner=ownkey.owner,
        held_nano=cost_nano * 2,
        started_at_ms=at_ms,
    )
    ask(ownkey.house.store, given)
    if number in FAILED:
        settle(
            ownkey.house.store,
            Ending(f"{id}.1", "released", 0, error="provider_unavailable", status=503, ended_at_ms=at_ms + 200),
        )
        return
    ended = exact(
        f"{id}.1",
        cost_nano,
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        sent_ms=took_ms // 50,
        first_ms=took_ms // 4,
        total_ms=took_ms,
        ended_at_ms=at_ms + took_ms,
        finish="stop",
    )
    settle(ownkey.house.store, ended)


def crowd(home: Path, simulator: Simulator) -> None:
    """A lot, beside what a month has left: forty providers with a thousand models, forty runs at once, names of eighty
    characters, amounts in the millions."""
    (home / "providers").mkdir(exist_ok=True)
    for number in range(40):
        id = f"server-{number:02}"
        (home / "providers" / f"{id}.toml").write_text(_server(simulator, id, LONG if number == 7 else id))
    with library(home) as ownkey, ThreadPoolExecutor(1) as pool:
        pool.submit(_fill, ownkey).result()


def _server(simulator: Simulator, id: str, name: str) -> str:
    head = f'id = "{id}"\nname = "{name}"\nkind = "local"\nwire = "openai-chat"\nkeys = {{ required = false }}\n'
    models = "".join(
        f'[[models]]\nid = "model-{number:02}-of-{id}"\ncontext = 128_000\ndoes = ["chat", "stream", "tools"]\n'
        f'price = {{ input = "{number}", output = "{2 * number}" }}\n'
        for number in range(1, 26)
    )
    return f'{head}base_url = "{simulator.url}/fault/name={id}/v1"\n{models}'


def _fill(ownkey: Ownkey) -> None:
    ownkey.budgets.set("house", limit="8765432.10")
    now_ms = time.time_ns() // 1_000_000
    for number in range(40):
        id, cost_nano = f"rich-{number}", RICH_NANO // (1 + number * 100)
        given = hold(
            id=f"{id}.1",
            request_id=id,
            provider=f"server-{number:02}",
            model=f"model-01-of-server-{number:02}",
            owner=ownkey.owner,
            held_nano=cost_nano,
            started_at_ms=now_ms - 60_000 * (number + 1),
        )
        assert ask(ownkey.house.store, given) == [given]
        settle(ownkey.house.store, exact(given.id, cost_nano, ended_at_ms=given.started_at_ms + 900, finish="stop"))
    ownkey.budgets.set(LONG, limit="8765432.10")
    for number in range(12):
        ownkey.budgets.set(f"team-{number:02}", limit=str(500_000 * (number + 1)), provider=f"server-{number:02}")
        ownkey.people.add(f"{LONG[:60]} {number}", f"person-{number}-{'x' * 40}@example.com")
        ownkey.house.tokens.create(ownkey.owner, f"{LONG[:70]} {number}")
        ownkey.routes.set(f"route-{number:02}", targets=["openai/gpt-4o", "anthropic/claude-sonnet-4-5"])
