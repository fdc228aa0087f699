"""Ownkey as a library: what a program gets, whole and in events, with a loop and without one, and what it cost."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from genai_prices import Usage as Counted
from genai_prices import calc_price

from house import KEYS, Simulator, book_rows, environment, library, until, write_provider
from ownkey import Ownkey
from ownkey.talk.errors import (
    BadConfiguration,
    InvalidRequest,
    KeyMissing,
    OwnkeyError,
    ProviderUnavailable,
    RateLimitExceeded,
    StreamCut,
    UnknownModel,
)
from ownkey.talk.reply import Receipt, TextDelta

MODELS = ("openai/gpt-4o", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash")
LISTED_AS = {"openai": "openai", "anthropic": "anthropic", "gemini": "google"}


@pytest.fixture
def home(simulator: Simulator, tmp_path: Path) -> Path:
    made = tmp_path / "home"
    with library(made) as ownkey:
        for name, key in KEYS.items():
            version = "v1beta" if name == "gemini" else "v1"
            ownkey.providers.set(name, endpoint=f"{simulator.url}/fault/name={name}/{version}")
            ownkey.keys.set(name, key)
    return made


def opened(home: Path, simulator: Simulator, **settings: Any) -> Ownkey:
    return Ownkey(
        home,
        keychain=False,
        allow_private_hosts=[("127.0.0.1", simulator.port)],
        **{"retry_delay_s": 0.01, "headers_timeout_s": 5.0, **settings},
    )


def done(home: Path, simulator: Simulator, work: Callable[[Ownkey], Awaitable[Any]], **settings: Any) -> Any:
    async def main() -> Any:
        async with opened(home, simulator, **settings) as ownkey:
            return await work(ownkey)

    return asyncio.run(main())


@pytest.mark.parametrize("model", MODELS)
def test_the_same_answer_whole_and_in_events_with_a_loop_and_without(
    home: Path, simulator: Simulator, model: str
) -> None:
    async def work(ownkey: Ownkey) -> tuple[str, str, Receipt]:
        reply = await ownkey.chat("What is a key for?", model=model)
        events = [event async for event in ownkey.stream("What is a key for?", model=model)]
        assert isinstance(events[-1], Receipt)
        return reply.text, "".join(event.text for event in events if isinstance(event, TextDelta)), events[-1]

    whole, streamed, receipt = done(home, simulator, work)
    with opened(home, simulator).blocking() as blocking:
        reply = blocking.chat("What is a key for?", model=model)
        events = list(blocking.stream("What is a key for?", model=model))
    assert "You wrote: What is a key for?" in whole
    assert whole == streamed == reply.text
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == whole
    assert reply.receipt.cost == receipt.cost == events[-1].cost
    assert f"{receipt.provider}/{receipt.model}" == model


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_the_cost_is_what_the_price_list_says_of_the_providers_count(
    home: Path, simulator: Simulator, model: str, stream: bool
) -> None:
    async def work(ownkey: Ownkey) -> Receipt:
        if not stream:
            return (await ownkey.chat("Say 321 words", model=model)).receipt
        return [event async for event in ownkey.stream("Say 321 words", model=model)][-1]

    receipt = done(home, simulator, work)
    (row,) = book_rows(home)
    provider, _, name = model.partition("/")
    assert (row.state, row.output_tokens, row.input_tokens) == ("exact", 321, 3)
    listed = calc_price(
        Counted(input_tokens=row.input_tokens, output_tokens=row.output_tokens), name, provider_id=LISTED_AS[provider]
    )
    assert receipt.cost.usd == Decimal(row.cost_nano) / 10**9 == listed.total_price
    assert row.cost_nano <= row.held_nano


@pytest.mark.row("B18")
def test_B18_a_thousand_tokens_in_and_five_hundred_out_of_gpt_4o_cost_exactly_0_0075(tmp_path: Path) -> None:
    with library(tmp_path / "home") as ownkey:
        assert ownkey.estimate_cost("gpt-4o", 1000, 500) == 0.0075
        assert ownkey.estimate_cost("openai/gpt-4o", input_tokens=1000, output_tokens=500).nano_usd == 7_500_000
        assert str(ownkey.estimate_cost("gpt-4o", 1000, 500)) == "$0.0075"
        assert ownkey.estimate_cost("gpt-4o", 0, 0) == 0
        with pytest.raises(InvalidRequest):
            ownkey.estimate_cost("gpt-4o", -1, 0)
        with pytest.raises(OwnkeyError):
            ownkey.estimate_cost("a-model-of-nobodys", 1, 1)


@pytest.mark.row("B15")
@pytest.mark.parametrize("fault", ["status=429", "status=503", "reset", "silence"])
def test_the_next_one_answers_by_list_and_by_setting(home: Path, simulator: Simulator, fault: str) -> None:
    first = write_provider(home, simulator, fault)

    async def named(ownkey: Ownkey) -> Receipt:
        return (await ownkey.chat("Hello", model=f"{first}/gpt-4o, openai/gpt-4o")).receipt

    async def alone(ownkey: Ownkey) -> Receipt:
        return (await ownkey.chat("Hello", model=f"{first}/gpt-4o")).receipt

    tries = 1 if fault == "silence" else 3
    assert done(home, simulator, named).attempts == tries + 1
    receipt = done(home, simulator, alone, fallback=("anthropic/claude-sonnet-4-5",))
    assert (receipt.provider, receipt.attempts) == ("anthropic", tries + 1)


@pytest.mark.row("A5")
def test_auto_asks_gemini_first_then_the_next_in_order(home: Path, simulator: Simulator) -> None:
    async def work(ownkey: Ownkey) -> list[str]:
        receipts = [(await ownkey.chat("Hello")).receipt]
        ownkey.keys.remove("gemini")
        await asyncio.sleep(1.1)  # what was found is kept for a second
        receipts.append((await ownkey.chat("Hello")).receipt)
        return [receipt.provider for receipt in receipts]

    assert done(home, simulator, work) == ["gemini", "openai"]


def test_an_error_is_the_one_that_says_why(home: Path, simulator: Simulator) -> None:
    limited, down = write_provider(home, simulator, "status=429"), write_provider(home, simulator, "status=503")
    cut = write_provider(home, simulator, "chunk-delay=0.02;cut=5")

    async def work(ownkey: Ownkey) -> None:
        with pytest.raises(RateLimitExceeded) as caught:
            await ownkey.chat("Hello", model=f"{limited}/gpt-4o")
        assert (caught.value.provider, caught.value.model, caught.value.status) == (limited, "gpt-4o", 429)
        with pytest.raises(ProviderUnavailable):
            await ownkey.chat("Hello", model=f"{down}/gpt-4o")
        with pytest.raises(KeyMissing, match="ownkey keys set deepseek"):
            await ownkey.chat("Hello", model="deepseek/deepseek-chat")
        with pytest.raises(UnknownModel):
            await ownkey.chat("Hello", model="gpt-4oo")
        with pytest.raises(InvalidRequest, match="no_such_option"):
            await ownkey.chat("Hello", model="demo", no_such_option=1)
        with pytest.raises(InvalidRequest):
            await ownkey.chat([{"role": "king", "content": "Hi"}], model="demo")
        with pytest.raises(InvalidRequest):
            await ownkey.chat([], model="demo")
        got: list[Any] = []

        async def listen() -> None:
            async for event in ownkey.stream("Say 50 words", model=f"{cut}/gpt-4o"):
                got.append(event)

        with pytest.raises(StreamCut):
            await listen()
        assert any(isinstance(event, TextDelta) for event in got)
        assert not any(isinstance(event, Receipt) for event in got)

    done(home, simulator, work)


@pytest.mark.parametrize("blocking", [False, True])
def test_a_stream_that_is_left_is_settled_and_its_connection_closed(
    home: Path, simulator: Simulator, blocking: bool
) -> None:
    name = write_provider(home, simulator, "chunk-delay=0.02")

    async def work(ownkey: Ownkey) -> None:
        stream = ownkey.stream("Say 500 words", model=f"{name}/gpt-4o")
        async for event in stream:
            if isinstance(event, TextDelta):
                break
        await stream.aclose()

    if blocking:
        with opened(home, simulator).blocking() as ownkey:
            for event in ownkey.stream("Say 500 words", model=f"{name}/gpt-4o"):
                if isinstance(event, TextDelta):
                    break
    else:
        done(home, simulator, work)
    (row,) = book_rows(home, name)
    assert (row.state, row.cost_nano > 0) == ("counted", True)
    (seen,) = until(lambda: [one for one in simulator.seen(name) if one.ended_at_s])
    assert seen.closed_early


def test_a_task_that_is_cancelled_leaves_nothing_held(home: Path, simulator: Simulator) -> None:
    name = write_provider(home, simulator, "silence")

    async def work(ownkey: Ownkey) -> None:
        tasks = [asyncio.create_task(ownkey.chat("Hello", model=f"{name}/gpt-4o")) for _ in range(20)]
        await asyncio.to_thread(until, lambda: len(simulator.seen(name)) >= 10)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)

    done(home, simulator, work)
    assert {row.state for row in book_rows(home, name)} <= {"assumed", "released"}


def test_a_setting_that_is_none_or_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="no_such_setting"):
        Ownkey(tmp_path / "home", no_such_setting=1)
    with pytest.raises(BadConfiguration, match="retries"):
        Ownkey(tmp_path / "home", retries=-1)


def test_many_at_once_each_get_their_own(home: Path, simulator: Simulator) -> None:
    async def work(ownkey: Ownkey) -> list[str]:
        replies = [ownkey.chat(f"I am number {n}.", model=MODELS[n % 3]) for n in range(60)]
        return [reply.text for reply in await asyncio.gather(*replies)]

    texts = done(home, simulator, work)
    assert all(text.endswith(f"You wrote: I am number {n}.") for n, text in enumerate(texts))
    rows = book_rows(home)
    assert len(rows) == 60
    assert {row.state for row in rows} == {"exact"}


FORGETFUL = {
    "blocking": """
        ownkey = Ownkey({home!r}, keychain=False, allow_private_hosts=[("127.0.0.1", {port})]).blocking()
        ownkey.chat("Say 5 words", model="openai/gpt-4o")
        for _ in ownkey.stream("Say 5 words", model="openai/gpt-4o"):
            break
    """,
    "async": """
        async def main():
            ownkey = Ownkey({home!r}, keychain=False, allow_private_hosts=[("127.0.0.1", {port})])
            await ownkey.chat("Say 5 words", model="openai/gpt-4o")
        asyncio.run(main())
    """,
}


@pytest.mark.parametrize("script", FORGETFUL.values(), ids=FORGETFUL)
def test_a_program_that_forgets_to_close_is_charged_what_it_used(home: Path, simulator: Simulator, script: str) -> None:
    text = dedent(script).format(home=str(home), port=simulator.port)
    code = f"import asyncio\nfrom ownkey import Ownkey\n{text}"
    ended = subprocess.run([sys.executable, "-c", code], env=environment(home), capture_output=True, timeout=30)
    assert (ended.returncode, ended.stderr) == (0, b"")
    rows = book_rows(home, "openai")
    assert rows[0].state == "exact"
    assert all(row.state in ("exact", "counted") for row in rows), [row.state for row in rows]


def test_what_is_no_request_is_refused_before_anything_is_sent(home: Path, simulator: Simulator) -> None:
    with opened(home, simulator).blocking() as ownkey:
        for messages in ("caf\udce9", [{"role": "user", "content": "caf\udce9"}]):
            with pytest.raises(InvalidRequest, match="not text"):
                ownkey.chat(messages, model="openai/gpt-4o")
        with pytest.raises(InvalidRequest, match="max_output_tokens"):
            ownkey.chat("Hello", model="openai/gpt-4o", max_output_tokens=0)
    assert book_rows(home) == []
    with pytest.raises(InvalidRequest, match="closed"):
        ownkey.chat("Hello", model="openai/gpt-4o")
