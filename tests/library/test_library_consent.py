"""Consent and preferences as a program has them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from house import KEYS, Simulator, book_rows, library, write_provider
from ownkey import Ownkey
from ownkey.app.preferences import PreferenceBook, Wanted
from ownkey.talk.errors import BudgetExceeded, ConsentRequired, InvalidRequest, OverBudget, PriceUnknown
from ownkey.talk.reply import Receipt, TextDelta

NEW = "openai/brand-new-model"


@pytest.fixture
def home(simulator: Simulator, tmp_path: Path) -> Path:
    made = tmp_path / "home"
    with library(made) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=openai/v1")
        ownkey.keys.set("openai", KEYS["openai"])
        ownkey.preferences.update(ask=True)
    return made


@pytest.fixture
def model(home: Path, simulator: Simulator) -> str:
    """Of a provider that fails, and of one that answers."""
    return ",".join(f"{write_provider(home, simulator, fault)}/gpt-4o" for fault in ("status=503", ""))


def done(
    home: Path, simulator: Simulator, work: Callable[[Ownkey], Awaitable[Any]], ask: Any = None, **settings: Any
) -> Any:
    async def main() -> Any:
        hosts = [("127.0.0.1", simulator.port)]
        async with Ownkey(
            home, ask=ask, keychain=False, allow_private_hosts=hosts, retry_delay_s=0.01, **settings
        ) as ownkey:
            return await work(ownkey)

    return asyncio.run(main())


@pytest.mark.row("B15")
def test_what_has_to_be_said_yes_to_is_raised_with_reasons_quote_and_token(
    home: Path, simulator: Simulator, model: str
) -> None:
    second = model.split(",")[1]

    async def work(ownkey: Ownkey) -> None:
        with pytest.raises(ConsentRequired) as raised:
            await ownkey.chat("Hello", model)
        error = raised.value
        assert [(one.kind, one.model) for one in error.reasons] == [("switch", second)]
        assert error.quote is not None
        assert error.quote.most is not None
        assert error.quote.most > 0
        assert error.token is not None
        with pytest.raises(ConsentRequired):
            await ownkey.chat("Hello!", model, consent=error.token)
        with pytest.raises(ConsentRequired):
            await ownkey.chat("Hello", model, consent="all")
        reply = await ownkey.chat("Hello", model, consent=error.token)
        assert reply.receipt is not None
        assert f"{reply.receipt.provider}/{reply.receipt.model}" == second
        with pytest.raises(ConsentRequired):
            await ownkey.chat("Hello", model, consent=error.token)

    done(home, simulator, work)


@pytest.mark.row("B15")
@pytest.mark.parametrize("how", ["call", "constructor", "awaited"])
def test_who_is_asked_decides(home: Path, simulator: Simulator, model: str, how: str) -> None:
    asked: list[ConsentRequired] = []

    def yes(error: ConsentRequired) -> bool:
        asked.append(error)
        return True

    async def later(error: ConsentRequired) -> bool:
        return yes(error)

    async def work(ownkey: Ownkey) -> str:
        own = {} if how == "constructor" else {"ask": later if how == "awaited" else yes}
        pieces = [event async for event in ownkey.stream("Hello", model, **own)]
        assert isinstance(pieces[-1], Receipt)
        assert any(isinstance(piece, TextDelta) for piece in pieces)
        reply = await ownkey.chat("Hello", model, **own)
        assert reply.receipt is not None
        return reply.receipt.provider

    assert done(home, simulator, work, yes if how == "constructor" else None) == model.split(",")[1].partition("/")[0]
    assert [error.reasons[0].kind for error in asked] == ["switch", "switch"]
    answered = book_rows(home, model.split(",")[1].partition("/")[0])
    assert len({row.request_id for row in answered}) == 2


def test_no_is_no(home: Path, simulator: Simulator, model: str) -> None:
    async def work(ownkey: Ownkey) -> None:
        with pytest.raises(ConsentRequired):
            await ownkey.chat("Hello", model, ask=lambda error: False)

    done(home, simulator, work)
    assert book_rows(home, model.split(",")[1].partition("/")[0]) == []


def test_always_is_remembered_until_it_is_withdrawn(home: Path, simulator: Simulator, model: str) -> None:
    async def work(ownkey: Ownkey) -> None:
        await ownkey.chat("Hello", model, ask=lambda error: "always")
        await ownkey.chat("Something else", model)
        (kept,) = ownkey.consents.all()
        assert (kept.kind, kept.target) == ("switch", model.split(",")[1].partition("/")[0])
        ownkey.consents.remove(kept.id)
        with pytest.raises(ConsentRequired):
            await ownkey.chat("Something else", model)
        told = [row.action for row in ownkey.audit.listed()]
        assert {"consent.remembered", "consent.withdrawn"} <= set(told)

    done(home, simulator, work)


def test_classes_of_the_error_say_what_kind_it_is(home: Path, simulator: Simulator) -> None:
    async def work(ownkey: Ownkey) -> None:
        with pytest.raises(PriceUnknown):
            await ownkey.chat("Hello", NEW)
        reply = await ownkey.chat("Hello", NEW, ask=lambda error: error.reasons[0].kind == "price_unknown")
        assert reply.text
        ownkey.budgets.set("soft", run_soft="ask", run_soft_tokens="10")
        with pytest.raises(OverBudget) as raised:
            await ownkey.chat("Hello", "openai/gpt-4o", max_output_tokens=400)
        reason = raised.value.reasons[0]
        assert (reason.kind, reason.name, reason.unit, reason.cap) == ("soft_cap", "soft", "tokens", 10)
        assert reason.about > 400

    done(home, simulator, work)


def test_a_yes_passes_no_limit_and_a_limit_that_asks_is_not_remembered(home: Path, simulator: Simulator) -> None:
    async def work(ownkey: Ownkey) -> None:
        ownkey.budgets.set("asks", limit="0.001", exhausted="ask")
        reply = await ownkey.chat("Hello", "openai/gpt-4o", max_output_tokens=400, ask=lambda error: True)
        assert reply.text
        with pytest.raises(InvalidRequest):
            await ownkey.chat("Hello", "openai/gpt-4o", max_output_tokens=400, ask=lambda error: "always")
        assert ownkey.consents.all() == []
        ownkey.budgets.set("hard", limit="0.001")
        with pytest.raises(BudgetExceeded):
            await ownkey.chat("Hello", "openai/gpt-4o", max_output_tokens=400, ask=lambda error: True)

    done(home, simulator, work)


def test_in_the_middle_of_a_stream_nobody_is_asked(home: Path, simulator: Simulator) -> None:
    first, second = (write_provider(home, simulator, fault) for fault in ("cut=40", ""))

    async def work(ownkey: Ownkey) -> None:
        said: list[str] = []
        model = f"{first}/gpt-4o,{second}/gpt-4o"

        async def read() -> None:
            async for event in ownkey.stream("Say 60 words", model, ask=lambda error: True):
                said.extend([event.text] if isinstance(event, TextDelta) else [])

        with pytest.raises(ConsentRequired) as raised:
            await read()
        assert raised.value.begun
        assert raised.value.token is not None
        assert "word39" in "".join(said)

    done(home, simulator, work)
    assert book_rows(home, second) == []


@pytest.mark.row("C4")
@pytest.mark.row("E4")
def test_preferences_are_got_set_and_updated(home: Path, simulator: Simulator) -> None:
    with library(home) as ownkey:
        assert ownkey.preferences.set(Wanted()) == ownkey.preferences.get() == Wanted()
        ownkey.preferences.update(provider="openai", models={"openai": "gpt-4o-mini"}, max_tokens=9)
        kept = ownkey.preferences.get()
        assert (kept.provider, kept.models, kept.max_tokens) == ("openai", {"openai": "gpt-4o-mini"}, 9)
        assert ownkey.preferences.unset("provider", "max_tokens").models == {"openai": "gpt-4o-mini"}
        for wrong in ({"colour": "blue"}, {"max_tokens": "many"}, {"max_tokens": 0}, {"provider": "nobody"}):
            with pytest.raises(InvalidRequest):
                ownkey.preferences.update(**wrong)
        assert [row.action for row in ownkey.audit.listed()].count("preferences.changed") == 4

    async def work(ownkey: Ownkey) -> str:
        reply = await ownkey.chat("Hello")
        assert reply.receipt is not None
        ownkey.preferences.update(models={"openai": "gpt-4o"})
        again = await ownkey.chat("Hello")
        assert again.receipt is not None
        assert again.receipt.model == "gpt-4o"
        return reply.receipt.model

    assert done(home, simulator, work) == "gpt-4o-mini"


def test_with_a_person_goes_what_they_want_and_have_said_yes_to(home: Path) -> None:
    with library(home) as ownkey:
        ann = ownkey.people.add("Ann").id
        ben = ownkey.people.add("Ben").id
        for owner in (ann, f"{ann}/customer", ben):
            PreferenceBook(ownkey.house, owner).update(ask=True)
            assert ownkey.house.store.consents.use(owner, b"d" * 32, 2**50, 0)
            assert not ownkey.house.store.consents.use(owner, b"d" * 32, 2**50, 0)
        ownkey.people.remove(ann)
        store = ownkey.house.store
        assert [store.preferences.get(owner).ask for owner in (ann, f"{ann}/customer", ben)] == [False, False, True]
        assert store.consents.use(ann, b"d" * 32, 2**50, 0)
        assert not store.consents.use(ben, b"d" * 32, 2**50, 0)
