"""Limits where requests are: what a provider sees of them, and what those are told who are not let through."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from canaries import canary
from ownkey import Ownkey
from ownkey.talk.errors import BudgetExceeded, InvalidRequest, LimitReached, RateLimitExceeded
from scripted import Peer, answer, serve

KEYS = {letter: canary(f"limited {letter}") for letter in "abc"}
MODEL = "openai/gpt-4o"
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
WHOLE = json.dumps({"id": "c1", "model": "gpt-4o", "usage": USAGE, "choices": [CHOICE]}).encode()
PIECE = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}
STREAM = b"data: %s\n\ndata: [DONE]\n\n" % json.dumps({"id": "c1", "usage": USAGE, "choices": [PIECE]}).encode()
TOO_MANY = json.dumps({"error": {"message": "slow down", "code": "rate_limit_exceeded"}}).encode()


@dataclass
class Fake:
    """A provider that takes its time, and says how many it had at once. `full`: what a key is refused with, and for how
    long it says so; `heads`: what a good answer has besides. `turns`: so many are answered."""

    port: int = 0
    takes_s: float = 0.0
    running: int = 0
    most: int = 0
    used: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    full: dict[str, str] = field(default_factory=dict[str, str])
    heads: tuple[str, ...] = ()
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    two: asyncio.Event = field(default_factory=asyncio.Event)
    turns: asyncio.Semaphore | None = None

    @property
    def keys(self) -> str:
        return "".join(letter for _, letter in self.used)

    async def speak(self, peer: Peer) -> None:
        while True:
            request = await peer.request()
            key = (request.header("authorization") or "").removeprefix("Bearer ")
            letter = next((one for one, secret in KEYS.items() if secret == key), "?")
            self.used.append((time.monotonic(), letter))
            self.heard.set()
            if len(self.used) > 1:
                self.two.set()
            self.running += 1
            self.most = max(self.most, self.running)
            await asyncio.sleep(self.takes_s)
            if self.turns is not None:
                await self.turns.acquire()
            self.running -= 1
            if letter in self.full:
                after = f"retry-after: {self.full[letter]}" if self.full[letter] else "x-nothing: 1"
                await peer.send(answer(TOO_MANY, 429, after))
            elif json.loads(request.body).get("stream"):
                await peer.send(answer(STREAM, 200, "content-type: text/event-stream", *self.heads))
            else:
                await peer.send(answer(WHOLE, 200, *self.heads))


@asynccontextmanager
async def limited(home: Path, *letters: str, **settings: Any) -> AsyncGenerator[tuple[Ownkey, Fake]]:
    fake = Fake()
    async with serve(fake.speak) as server:
        fake.port = server.port
        settings = {"allow_private_hosts": (("127.0.0.1", fake.port),), "retries": 0} | settings
        async with Ownkey(home, keychain=False, **settings) as ownkey:
            ownkey.providers.set("openai", endpoint=f"http://127.0.0.1:{fake.port}/v1")
            for letter in letters or ("a",):
                ownkey.keys.set("openai", KEYS[letter], letter)
            yield ownkey, fake


def played(
    home: Path, work: Callable[[Ownkey, Fake], Awaitable[None]], *letters: str, within_s: float = 60, **settings: Any
) -> None:
    async def main() -> None:
        async with asyncio.timeout(within_s), limited(home, *letters, **settings) as (ownkey, fake):
            await work(ownkey, fake)

    asyncio.run(main())


async def asked(ownkey: Ownkey, times: int, model: str = MODEL) -> list[Any]:
    return await asyncio.gather(*(ownkey.chat("Hello", model) for _ in range(times)), return_exceptions=True)


def refused(found: list[Any]) -> list[LimitReached]:
    return [one for one in found if isinstance(one, LimitReached)]


@pytest.mark.row("E8")
def test_a_provider_gets_60_a_minute_unless_set_and_the_61st_is_told_how_long_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OWNKEY_REQUESTS_PER_MINUTE")

    async def work(ownkey: Ownkey, fake: Fake) -> None:
        began_s = time.monotonic()
        errors = refused(await asked(ownkey, 63))
        took_s = time.monotonic() - began_s
        assert len(fake.used) == 60
        assert len(errors) == 3
        for error in errors:
            assert error.retry_after_s is not None
            assert 60 - took_s <= error.retry_after_s <= 60.1
            assert "requests a minute: 60" in error.message
            assert "OpenAI" in error.message

    played(tmp_path, work)


@pytest.mark.row("E8")
def test_another_number_is_set_for_all_providers_or_for_one_or_lifted(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, fake: Fake) -> None:
        assert len(refused(await asked(ownkey, 5))) == 2
        ownkey.limits.set("provider", "openai", requests_per_minute=6)
        assert len(refused(await asked(ownkey, 5))) == 2
        assert len(fake.used) == 6
        ownkey.limits.set("provider", "openai", requests_per_minute=0)
        assert len(refused(await asked(ownkey, 80))) == 0
        ownkey.limits.remove("provider", "openai")
        assert len(refused(await asked(ownkey, 1))) == 1

    played(tmp_path, work, requests_per_minute=3, rate_limit_wait_s=0)


@pytest.mark.row("E8")
def test_asking_again_after_exactly_the_wait_that_was_told_succeeds(tmp_path: Path) -> None:
    """A minute is long: the first request is made to lie most of it back."""

    async def work(ownkey: Ownkey, fake: Fake) -> None:
        ownkey.limits.set("provider", "openai", requests_per_minute=2)
        await asked(ownkey, 2)
        meters = ownkey.house.turns._meters  # pyright: ignore[reportPrivateUsage]
        (meter,) = meters.values()
        assert meter.requests is not None
        for entry in meter.requests._entries:  # pyright: ignore[reportPrivateUsage]
            entry.at_s -= 58.5
        (error,) = refused(await asked(ownkey, 1))
        assert error.retry_after_s is not None
        assert 0.5 < error.retry_after_s <= 1.5
        await asyncio.sleep(error.retry_after_s)
        assert not refused(await asked(ownkey, 1))

    played(tmp_path, work, rate_limit_wait_s=0)


@pytest.mark.row("E8")
def test_a_turn_is_waited_for_and_who_waits_goes_in_order(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, fake: Fake) -> None:
        ownkey.limits.set("provider", "openai", parallel=1)
        fake.takes_s = 0.02
        ended: list[int] = []

        async def one(number: int) -> None:
            await ownkey.chat("Hello", MODEL)
            ended.append(number)

        tasks: list[asyncio.Task[None]] = []
        for number in range(8):
            tasks.append(asyncio.create_task(one(number)))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        assert (ended, fake.most) == (list(range(8)), 1)

    played(tmp_path, work)


@pytest.mark.row("E8")
@pytest.mark.row("A6")
def test_200_calls_at_once_never_pass_a_parallel_limit_as_the_provider_sees_it(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, fake: Fake) -> None:
        ownkey.limits.set("provider", "openai", requests_per_minute=0, parallel=7)
        fake.takes_s = 0.01
        found = await asked(ownkey, 200)
        assert not [one for one in found if isinstance(one, BaseException)]
        assert (len(fake.used), fake.most) == (200, 7)

    played(tmp_path, work, rate_limit_wait_s=60)


def test_who_goes_away_leaves_the_line_and_gives_nothing_up_twice(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, fake: Fake) -> None:
        ownkey.limits.set("provider", "openai", parallel=1)
        fake.takes_s = 0.1
        tasks = [asyncio.create_task(ownkey.chat("Hello", MODEL)) for _ in range(6)]
        await fake.heard.wait()
        for task in tasks[1:5]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (len(fake.used), fake.most) == (2, 1)
        (meter,) = ownkey.house.turns._meters.values()  # pyright: ignore[reportPrivateUsage]
        assert (meter.running, meter.line) == (0, [])

    played(tmp_path, work)


def test_a_run_that_a_budget_refuses_takes_no_turn(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, fake: Fake) -> None:
        ownkey.limits.set("provider", "openai", requests_per_minute=1)
        ownkey.budgets.set("none", limit="0")
        for _ in range(3):
            with pytest.raises(BudgetExceeded):
                await ownkey.chat("Hello", MODEL)
        ownkey.budgets.remove("none")
        await ownkey.chat("Hello", MODEL)

    played(tmp_path, work, rate_limit_wait_s=0)


@pytest.mark.row("E8")
def test_where_another_target_stands_ready_it_is_asked_instead(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, fake: Fake) -> None:
        ownkey.limits.set("model", MODEL, requests_per_minute=1)
        ownkey.limits.set("model", "openai/gpt-4o-mini", requests_per_minute=1)
        models = f"{MODEL},openai/gpt-4o-mini"
        first, second = [(await ownkey.chat("Hello", models)).receipt for _ in range(2)]
        assert first is not None
        assert second is not None
        assert (first.model, second.model) == ("gpt-4o", "gpt-4o-mini")
        with pytest.raises(LimitReached) as both:
            await ownkey.chat("Hello", models)
        assert "gpt-4o-mini" in str(both.value)

    played(tmp_path, work)


def test_tokens_a_minute_are_those_that_answers_tell(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, fake: Fake) -> None:
        ownkey.limits.set("provider", "openai", tokens_per_minute=70)
        for _ in range(3):
            await ownkey.chat("Hello", MODEL, max_output_tokens=5)
        # 45 are used, and the next would be about 35 as it is sent.
        with pytest.raises(LimitReached, match="tokens a minute: 70"):
            await ownkey.chat("Hello", MODEL, max_output_tokens=5)

    played(tmp_path, work, rate_limit_wait_s=0)


@pytest.mark.row("E8")
def test_where_one_key_has_its_fill_the_next_is_tried_at_once_and_that_key_alone_is_left(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, fake: Fake) -> None:
        fake.full["a"] = "5"
        began_s = time.monotonic()
        for _ in range(3):
            await ownkey.chat("Hello", MODEL)
        assert time.monotonic() - began_s < 5
        assert fake.keys == "abbb"
        views = {view.label: view for view in ownkey.keys.all("openai")}
        assert views["a"].rests_until_ms is not None
        assert views["b"].rests_until_ms is None
        assert views["a"].state == "ready"
        fake.full.clear()
        await asyncio.sleep(max(0.0, began_s + 6.1 - time.monotonic()))
        await ownkey.chat("Hello", MODEL)
        assert fake.keys == "abbba"

    played(tmp_path, work, "a", "b")


def test_where_every_key_has_its_fill_the_error_says_when_the_first_is_free(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, fake: Fake) -> None:
        fake.full |= {"a": "30", "b": "20", "c": "40"}
        with pytest.raises(RateLimitExceeded) as error:
            await ownkey.chat("Hello", MODEL)
        assert fake.keys == "abc"
        assert error.value.retry_after_s is not None
        assert 19 < error.value.retry_after_s <= 20
        with pytest.raises(RateLimitExceeded):
            await ownkey.chat("Hello", MODEL)
        assert fake.keys == "abc"

    played(tmp_path, work, "a", "b", "c", retry_longest_wait_s=5)


def test_a_keys_own_limit_sends_to_the_next_key(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, fake: Fake) -> None:
        ownkey.limits.set("key", "openai/a", requests_per_minute=1)
        for _ in range(3):
            await ownkey.chat("Hello", MODEL)
        assert fake.keys == "abb"
        assert {view.state for view in ownkey.keys.all("openai")} == {"ready"}

    played(tmp_path, work, "a", "b")


def test_keys_are_used_as_they_weigh_and_a_conversation_stays_with_its_key(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, fake: Fake) -> None:
        for letter, weight in (("a", 1), ("b", 3), ("c", 0)):
            ownkey.keys.change("openai", letter, weight=weight)
        for number in range(240):
            await ownkey.chat(f"Question {number}", MODEL)
        # A quarter of them are 60, a half would be 120: by chance it is as far off as this once in a hundred thousand.
        assert 30 <= fake.keys.count("a") <= 90
        assert "c" not in fake.keys
        fake.used.clear()
        talk: list[dict[str, str]] = []
        for number in range(6):
            talk.append({"role": "user", "content": f"Part {number}"})
            talk.append({"role": "assistant", "content": "Hi"})
            await ownkey.chat([*talk, {"role": "user", "content": "And?"}], MODEL)
        assert len(set(fake.keys)) == 1
        ownkey.keys.pause("openai", "a")
        ownkey.keys.pause("openai", "b")
        await ownkey.chat("Question", MODEL)
        assert fake.keys[-1] == "c"
        with pytest.raises(InvalidRequest):
            ownkey.keys.change("openai", "a", weight=-1)

    played(tmp_path, work, "a", "b", "c", requests_per_minute=0)


@pytest.mark.row("E8")
def test_processes_on_one_database_share_their_limits_and_so_does_who_comes_after(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, fake: Fake) -> None:
        ownkey.limits.set("provider", "openai", requests_per_minute=4)
        settings: dict[str, Any] = {"allow_private_hosts": (("127.0.0.1", fake.port),), "rate_limit_wait_s": 0}
        assert not refused(await asked(ownkey, 2))
        async with Ownkey(tmp_path, keychain=False, **settings) as other:
            assert len(refused(await asked(other, 3))) == 1
        async with Ownkey(tmp_path, keychain=False, **settings) as later:
            assert len(refused(await asked(later, 1))) == 1
        await asyncio.sleep(1.1)
        assert len(refused(await asked(ownkey, 1))) == 1
        assert len(fake.used) == 4

    played(tmp_path, work, rate_limit_wait_s=0)


def test_what_another_process_has_under_way_counts_and_is_waited_for(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, fake: Fake) -> None:
        ownkey.limits.set("provider", "openai", parallel=2)
        fake.takes_s = 0.5
        here = [asyncio.create_task(ownkey.chat("Hello", MODEL)) for _ in range(2)]
        await fake.two.wait()
        async with Ownkey(tmp_path, keychain=False, allow_private_hosts=(("127.0.0.1", fake.port),)) as other:
            await other.chat("Hello", MODEL)
        await asyncio.gather(*here)
        assert (len(fake.used), fake.most) == (3, 2)

    played(tmp_path, work)


@pytest.mark.row("E8")
def test_where_an_answer_says_that_nothing_remains_that_key_is_left_for_the_next(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, fake: Fake) -> None:
        fake.heads = (
            "x-ratelimit-remaining-requests: 0",
            "x-ratelimit-limit-requests: 1",
            "x-ratelimit-reset-requests: 20s",
        )
        await ownkey.chat("Hello", MODEL)
        fake.heads = ()
        await ownkey.chat("Hello", MODEL)
        assert fake.keys == "ab"
        ownkey.keys.remove("openai", "b")
        fake.heads = ("x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 40s")
        await ownkey.chat("Hello", MODEL)
        with pytest.raises(RateLimitExceeded) as error:
            await ownkey.chat("Hello", MODEL)
        assert error.value.retry_after_s is not None
        assert 38 < error.value.retry_after_s <= 40
        assert fake.keys == "aba"

    played(tmp_path, work, "a", "b", retry_longest_wait_s=5)


@pytest.mark.parametrize("later", ["another refusal", "a good answer after which nothing remains"])
def test_a_wait_that_was_told_is_not_shortened_by_what_is_told_later(tmp_path: Path, later: str) -> None:
    """Two are under way at once: the provider tells the first to wait for long, and then the second for a second."""

    async def work(ownkey: Ownkey, fake: Fake) -> None:
        fake.turns = asyncio.Semaphore(0)
        first, second = (asyncio.create_task(ownkey.chat("Hello", MODEL)) for _ in range(2))
        await fake.two.wait()
        fake.full["a"] = "300"
        fake.turns.release()
        await asyncio.wait((first, second), return_when=asyncio.FIRST_COMPLETED)
        if later == "another refusal":
            fake.full["a"] = "1"
        else:
            fake.full, fake.heads = {}, ("x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 1s")
        fake.turns.release()
        told = await asyncio.gather(first, second, return_exceptions=True)
        waits_s = [one.retry_after_s for one in told if isinstance(one, RateLimitExceeded)]
        assert len(waits_s) == (2 if later == "another refusal" else 1)
        fake.turns = None
        with pytest.raises(RateLimitExceeded) as error:
            await ownkey.chat("Hello", MODEL)
        assert all(wait_s is not None and wait_s > 100 for wait_s in (*waits_s, error.value.retry_after_s))
        assert len(fake.used) == 2

    played(tmp_path, work)
