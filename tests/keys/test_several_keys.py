"""Several keys for one provider: which is taken, and what happens where one is refused."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from canaries import canary
from house import library
from keyed import REVOKED, USED_UP, A, B, C, Keyed, keyed, owning
from ownkey import Ownkey
from ownkey.store.db import Store
from ownkey.talk.errors import (
    BudgetExceeded,
    InvalidCredentials,
    InvalidRequest,
    KeyMissing,
    KeyUnreadable,
    OwnkeyError,
)
from ownkey.talk.reply import Receipt, TextDelta

MODEL = "openai/gpt-4o"


def played(home: Path, labels: str, work: Callable[[Ownkey, Keyed], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        async with keyed() as provider, owning(home, provider, *labels, **settings) as ownkey:
            await work(ownkey, provider)

    asyncio.run(main())


def states(ownkey: Ownkey) -> dict[str, tuple[str, str | None]]:
    return {view.label: (view.state, view.why) for view in ownkey.keys.all("openai")}


@pytest.mark.row("C3")
@pytest.mark.parametrize(
    ("refusal", "why"), [(REVOKED, "its provider refuses it"), (USED_UP, "its account at the provider is used up")]
)
def test_where_a_key_is_refused_the_next_one_answers_and_the_first_is_marked(
    tmp_path: Path, refusal: tuple[int, str], why: str
) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        provider.refused[A] = refusal
        assert (await ownkey.chat("Hello", MODEL)).text == "Hi"
        assert provider.used == [A, B]
        assert states(ownkey) == {"a": ("refused", why), "b": ("ready", None)}
        (view, _) = ownkey.keys.all("openai")
        assert (view.valid, view.position) == (False, 1)
        # It is not asked first any more, and is asked again where it is the only one.
        await ownkey.chat("Hello", MODEL)
        assert provider.used == [A, B, B]
        ownkey.keys.remove("openai", "b")
        with pytest.raises(OwnkeyError) as refused:
            await ownkey.chat("Hello", MODEL)
        assert A not in str(refused.value)
        provider.refused.clear()
        await ownkey.chat("Hello", MODEL)
        assert states(ownkey) == {"a": ("ready", None)}

    played(tmp_path, "ab", work)


def test_another_process_sees_that_a_key_was_refused(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        provider.refused[A] = REVOKED
        await ownkey.chat("Hello", MODEL)

    played(tmp_path, "ab", work)
    elsewhere = Ownkey(tmp_path, keychain=False)
    assert [view.state for view in elsewhere.keys.all()] == ["refused", "ready"]
    elsewhere.close()


def test_a_stream_and_vectors_come_with_the_next_key_too(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        provider.refused[A] = REVOKED
        events = [event async for event in ownkey.stream("Hello", MODEL)]
        assert [event.text for event in events if isinstance(event, TextDelta)] == ["Hi"]
        assert isinstance(events[-1], Receipt)
        assert provider.used == [A, B]
        ownkey.keys.set("openai", C, "a")
        provider.refused[C] = USED_UP
        await ownkey.embed("text", "openai/text-embedding-3-small")
        assert provider.used == [A, B, C, B]

    played(tmp_path, "ab", work)


def test_where_every_key_is_refused_one_error_says_why_and_each_was_asked_once(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        provider.refused = {A: REVOKED, B: USED_UP, C: REVOKED}
        with pytest.raises(InvalidCredentials) as refused:
            await ownkey.chat("Hello", MODEL)
        assert provider.used == [A, B, C]
        assert not {A, B, C} & {word.strip(".") for word in str(refused.value).split()}

    played(tmp_path, "abc", work)
    store = Store.open(f"sqlite:///{tmp_path}/ownkey.db")
    assert [row.state for row in store.book.rows()] == ["released"] * 3
    store.close()


def test_after_all_keys_of_one_provider_the_next_target_is_asked(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        provider.refused = {A: REVOKED, B: REVOKED}
        reply = await ownkey.chat("Hello", f"{MODEL},demo/demo")
        assert reply.receipt.provider == "demo"
        assert provider.used == [A, B]

    played(tmp_path, "ab", work)


def test_keys_are_tried_in_the_order_that_was_set(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        for labels, first in (((), A), (("b",), B), (("c", "a"), C), (("a", "b", "c"), A)):
            ordered = [view.label for view in ownkey.keys.order("openai", labels)]
            assert tuple(ordered[: len(labels)]) == labels
            await ownkey.chat("Hello", MODEL)
            assert provider.used[-1] == first
        # A key that is replaced keeps its place.
        ownkey.keys.set("openai", canary("another of several"), "b")
        assert [view.label for view in ownkey.keys.all("openai")] == ["a", "b", "c"]
        with pytest.raises(InvalidRequest, match="no key 'd'"):
            ownkey.keys.order("openai", ["d"])

    played(tmp_path, "abc", work)


@pytest.mark.row("C3")
def test_A24_a_key_goes_only_with_the_models_that_it_is_for(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        ownkey.keys.change("openai", "a", models=["gpt-4.*", "gpt-4o-mini"])
        for model, key in (("gpt-4.1", A), ("gpt-4o", B), ("gpt-4o-mini", A), ("GPT-4o-mini", B), ("gpt-4o-mini-2", B)):
            await ownkey.chat("Hello", f"openai/{model}", accept_unknown_price=True)
            assert provider.used[-1] == key, model
        ownkey.keys.change("openai", "b", models=["gpt-4o*"])
        asked = len(provider.used)
        with pytest.raises(KeyMissing, match=r"not for the model gpt-3\.5-turbo"):
            await ownkey.chat("Hello", "openai/gpt-3.5-turbo")
        # What a request falls back to is compared too.
        reply = await ownkey.chat("Hello", "openai/gpt-3.5-turbo,demo/demo")
        assert reply.receipt.provider == "demo"
        assert len(provider.used) == asked
        ownkey.keys.change("openai", "a", models=None)
        await ownkey.chat("Hello", "openai/gpt-3.5-turbo")
        assert provider.used[-1] == A

    played(tmp_path, "ab", work)


def test_a_paused_or_expired_key_is_not_used_and_says_so(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        ownkey.keys.pause("openai", "a")
        await ownkey.chat("Hello", MODEL)
        ownkey.keys.change("openai", "b", expires=str(date.today() + timedelta(days=1)))
        await ownkey.chat("Hello", MODEL)
        assert provider.used == [B, B]
        soon_s = time.time() + 0.4
        ownkey.keys.change("openai", "b", expires=time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(soon_s + 1)))
        while ownkey.keys.get("openai", "b").state != "expired":
            assert time.time() < soon_s + 5
            await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        with pytest.raises(KeyMissing, match="paused"):
            await ownkey.chat("Hello", MODEL)
        assert [service.lacks for service in ownkey.keys.services()] == ["its key is paused"]
        ownkey.keys.remove("openai", "a")
        with pytest.raises(KeyMissing, match="expired"):
            await ownkey.chat("Hello", MODEL)
        assert provider.used == [B, B]
        for wrong in ("yesterday", "2020-01-01", "2026-13-01", ""):
            with pytest.raises(InvalidRequest):
                ownkey.keys.change("openai", "b", expires=wrong)

    played(tmp_path, "ab", work)


@pytest.mark.row("C3")
def test_a_keys_monthly_limit_never_takes_the_place_of_another_budget(tmp_path: Path) -> None:
    with library(tmp_path / "home") as ownkey:
        id = ownkey.keys.set("openai", A).row.id
        names = ("key openai/default", f"key {id}", "key openai/default 2")
        others = [ownkey.budgets.set(name, limit="1").room.budget for name in names]
        for limit in ("5", "6"):
            ownkey.keys.change("openai", monthly_limit=limit)
        made = [budget for budget in ownkey.budgets.all() if budget not in others]
        assert [(one.name, one.key_id, one.limit) for one in made] == [("key openai/default 3", id, 6_000_000_000)]
        assert len(ownkey.budgets.all()) == 4


@pytest.mark.row("C3")
def test_a_keys_monthly_limit_is_a_budget_of_its_own_and_the_next_key_goes_on(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        ownkey.keys.change("openai", "a", monthly_limit="0.006")
        (budget,) = ownkey.budgets.all()
        (first, second) = ownkey.keys.all("openai")
        assert (budget.name, budget.key_id, budget.limit) == ("key openai/a", first.id, 6_000_000)
        assert (first.limit_nano, first.budget, second.limit_nano) == (6_000_000, "key openai/a", None)
        for _ in range(20):
            await ownkey.chat("Hello", MODEL, max_output_tokens=5)
        # 10 tokens in and 5 out cost $0.000075; what is held for them is more.
        paid = provider.used.count(A)
        assert 1 < paid < 20
        assert provider.used == [A] * paid + [B] * (20 - paid)
        spent = {view.label: view.spent_nano for view in ownkey.keys.all()}
        # The last of them may not be in the book yet.
        assert spent["a"] == 75_000 * paid
        assert 0 <= 75_000 * (20 - paid) - spent["b"] <= 75_000
        ownkey.keys.change("openai", "b", monthly_limit=0)
        with pytest.raises(BudgetExceeded):
            await ownkey.chat("Hello", MODEL, max_output_tokens=5)
        assert len(provider.used) == 20
        ownkey.keys.change("openai", "a", monthly_limit="1")
        await ownkey.chat("Hello", MODEL, max_output_tokens=5)
        assert provider.used[-1] == A
        ownkey.keys.change("openai", "b", monthly_limit=None)
        ownkey.keys.remove("openai", "a")
        assert ownkey.budgets.all() == []

    played(tmp_path, "ab", work)


def test_a_new_key_has_its_limit_before_it_can_be_used(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        with pytest.raises(InvalidRequest, match="dollars"):
            ownkey.keys.set("openai", A, "a", monthly_limit="a lot")
        assert ownkey.keys.all() == []
        ownkey.keys.set("openai", A, "a", monthly_limit="0", models=["gpt-4o"])
        with pytest.raises(BudgetExceeded):
            await ownkey.chat("Hello", MODEL)
        assert provider.used == []

    played(tmp_path, "", work)


def test_V01_a_key_that_cannot_be_opened_leaves_the_next_one_usable(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        (first, _) = ownkey.keys.all("openai")
        ownkey.house.store.keys.change(first.id, {"sealed": b"\0" * 200})
        await asyncio.sleep(1)
        await ownkey.chat("Hello", MODEL)
        assert provider.used == [B]

    played(tmp_path, "ab", work)


@pytest.mark.row("A7")
def test_V01_a_key_that_was_changed_in_the_database_is_recorded_once_and_its_owner_is_told(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        (first,) = ownkey.keys.all("openai")
        sealed = ownkey.house.store.keys.all("owner")[0].sealed
        flipped = sealed[:60] + bytes([sealed[60] ^ 1]) + sealed[61:]
        ownkey.house.store.keys.change(first.id, {"sealed": flipped})
        await asyncio.sleep(1)
        for _ in range(5):
            with pytest.raises(KeyUnreadable, match="The stored key a for openai was altered") as raised:
                await ownkey.chat("Hello", MODEL)
            assert raised.value.hint == "Enter it again: `ownkey keys set openai --label 'a'`."
        with pytest.raises(KeyUnreadable):
            await ownkey.keys.test("openai", "a")
        assert provider.used == []
        (view,) = ownkey.keys.all("openai")
        assert (view.state, view.why, view.valid) == ("refused", "it cannot be opened", False)

    for _ in range(2):
        played(tmp_path, "a", work) if not (tmp_path / "ownkey.db").exists() else asyncio.run(_once_more(tmp_path))
    with library(tmp_path) as ownkey:
        found = [row for row in ownkey.audit.listed() if row.action == "key.unreadable"]
        assert [(row.actor_kind, row.target, json.loads(row.detail)) for row in found] == [
            (
                "system",
                ownkey.keys.get("openai").id,
                {"provider": "openai", "label": "a", "owner": "owner", "key": "REDACTED"},
            )
        ]
        assert ownkey.audit.verify().whole
        # Entered again it is another, which nothing is held against.
        ownkey.keys.set("openai", B, "a")
        assert ownkey.keys.get("openai").state != "refused"


async def _once_more(home: Path) -> None:
    async with Ownkey(home, keychain=False, retries=0) as ownkey:
        with pytest.raises(KeyUnreadable):
            await ownkey.chat("Hello", MODEL)


def test_when_a_key_was_used_is_written_once_a_minute_and_at_the_end(tmp_path: Path) -> None:
    read = Store.open(f"sqlite:///{tmp_path}/ownkey.db")
    written: set[int | None] = set()

    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        (before,) = ownkey.keys.all()
        assert before.used_at_ms is None
        for _ in range(30):
            await ownkey.chat("Hello", MODEL)
            await asyncio.sleep(0.01)
            written.add(read.keys.all("owner")[0].used_at_ms)
        (view,) = ownkey.keys.all()
        assert view.used_at_ms is not None
        assert view.used_at_ms > max(at_ms or 0 for at_ms in written)

    played(tmp_path, "a", work)
    assert len(written - {None}) == 1
    (last,) = read.keys.all("owner")
    assert (last.used_at_ms or 0) > max(at_ms or 0 for at_ms in written)
    read.close()


def test_a_local_provider_whose_key_is_paused_is_asked_without_one(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        text = f'id = "own"\nname = "Own"\nkind = "local"\nwire = "openai-chat"\nbase_url = "{provider.url}"\n'
        ownkey.providers.add(f"{text}free = true\n".encode(), "own.toml")
        ownkey.keys.set("own", A)
        await ownkey.chat("Hello", "own/gpt-4o")
        ownkey.keys.pause("own")
        await asyncio.sleep(1)
        await ownkey.chat("Hello", "own/gpt-4o")
        assert provider.used == [A, ""]

    played(tmp_path, "", work)
