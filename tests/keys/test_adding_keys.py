"""A key is looked at, and its provider is asked, before it is stored."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from canaries import canary
from keyed import REVOKED, USED_UP, A, B, Keyed, keyed, owning
from ownkey import Ownkey
from ownkey.catalog.load import Catalogue
from ownkey.catalog.shape import looks_like, told, whose
from ownkey.talk.errors import InvalidCredentials, InvalidRequest, OwnkeyError, ProviderTimeout, VaultSealed
from ownkey.wires.wire import WIRE_NAMES

ANTHROPICS = canary("adding", "sk-ant-")


def played(home: Path, labels: str, work: Callable[[Ownkey, Keyed], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        async with keyed() as provider, owning(home, provider, *labels, **settings) as ownkey:
            await work(ownkey, provider)

    asyncio.run(main())


@pytest.mark.row("C7")
@pytest.mark.row("B20")
def test_a_key_is_stored_once_its_provider_has_taken_it(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        stored = await ownkey.keys.add("openai", A, "work", models=["gpt-4o*"], monthly_limit="20")
        assert provider.used == [A]
        assert (stored.row.label, stored.says) == ("work", None)
        (view,) = ownkey.keys.all()
        assert (view.valid, view.state, view.models, view.limit_nano) == (True, "ready", ("gpt-4o*",), 20 * 10**9)
        assert view.checked_at_ms is not None

    played(tmp_path, "", work)


@pytest.mark.row("C7")
def test_a_key_that_its_provider_refuses_is_not_stored_and_the_one_there_is_stays(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        provider.refused[B] = REVOKED
        for label in ("a", "other"):
            with pytest.raises(InvalidCredentials) as refused:
                await ownkey.keys.add("openai", B, label)
            assert B not in f"{refused.value!r} {refused.value}"
            assert "Nothing was stored" in str(refused.value)
        await ownkey.chat("Hello", "openai/gpt-4o")
        assert provider.used == [B, B, A]
        assert [view.label for view in ownkey.keys.all()] == ["a"]

    played(tmp_path, "a", work)


def test_a_key_whose_account_is_used_up_is_stored_and_marked(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        provider.refused[A] = USED_UP
        assert "used up" in ((await ownkey.keys.add("openai", A)).says or "")
        (view,) = ownkey.keys.all()
        assert (view.state, view.why) == ("refused", "its account at the provider is used up")

    played(tmp_path, "", work)


@pytest.mark.row("B20")
def test_a_provider_that_says_nothing_is_waited_for_five_seconds_and_nothing_is_stored(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        provider.silent = True
        started_s = time.monotonic()
        with pytest.raises(ProviderTimeout, match="--no-check"):
            await ownkey.keys.add("openai", A)
        assert time.monotonic() - started_s < 6
        assert ownkey.keys.all() == []
        await ownkey.keys.add("openai", A, check=False)
        (view,) = ownkey.keys.all()
        assert (view.valid, view.checked_at_ms) == (None, None)

    played(tmp_path, "", work)


def test_a_provider_that_hangs_up_is_told_and_nothing_is_stored(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        provider.gone = True
        with pytest.raises(OwnkeyError, match="--no-check"):
            await ownkey.keys.add("openai", A)
        assert ownkey.keys.all() == []

    played(tmp_path, "", work)


def test_a_sealed_vault_is_told_before_the_key_goes_anywhere(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        (tmp_path / "root.key").write_bytes(b"\1" * 32)
        with pytest.raises(OwnkeyError):
            ownkey.house.vault.unlock()
        with pytest.raises(VaultSealed):
            await ownkey.keys.add("openai", B, "b")
        assert provider.used == []

    played(tmp_path, "a", work)


def test_where_nothing_is_free_that_takes_a_key_nothing_is_asked(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        text = f'id = "own"\nname = "Own"\nkind = "local"\nwire = "openai-chat"\nbase_url = "{provider.url}"\n'
        ownkey.providers.add(f'{text}check = "chat"\ndefault = "gpt-4o"\nfree = true\n'.encode(), "own.toml")
        for label, key in (("a", A), ("b", B)):
            assert "ownkey keys test own" in ((await ownkey.keys.add("own", key, label)).says or "")
        assert provider.used == []
        # Each is tried with a short answer, whatever stands before it.
        provider.refused[B] = REVOKED
        assert (await ownkey.keys.test("own", "a")).models is None
        with pytest.raises(InvalidCredentials):
            await ownkey.keys.test("own", "b")
        assert provider.used == [A, B]
        assert [view.state for view in ownkey.keys.all("own")] == ["ready", "refused"]

    played(tmp_path, "", work)


def test_each_key_is_tested_for_itself(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        provider.refused[A] = REVOKED
        ownkey.keys.pause("openai", "b")
        with pytest.raises(InvalidCredentials):
            await ownkey.keys.test("openai", "a")
        assert (await ownkey.keys.test("openai", "b")).models == 2
        assert {view.label: view.valid for view in ownkey.keys.all()} == {"a": False, "b": True}
        provider.refused.clear()
        await ownkey.keys.test("openai", "a")
        assert {view.label: view.valid for view in ownkey.keys.all()} == {"a": True, "b": True}

    played(tmp_path, "ab", work)


@pytest.mark.row("D9")
@pytest.mark.parametrize(
    ("provider", "key", "says"),
    [
        ("openai", "pk-0fVq8ZtYw3LmXe71vX2Q0fVq8Z", "begins with sk-"),
        ("openai", "sk-short", "begins with sk-"),
        ("anthropic", "sk-proj-0fVq8ZtYw3LmXe71vX2Q", "begins with sk-ant-"),
        ("groq", A, "begins with gsk_"),
        ("openai", ANTHROPICS, "a key of Anthropic's"),
        ("openai", "sk-or-v1-0fVq8ZtYw3LmXe71vX2Q", "a key of OpenRouter's"),
    ],
    ids=["no prefix", "short", "one prefix of two", "no prefix of Groq's", "Anthropic's", "OpenRouter's"],
)
def test_a_key_of_another_form_is_neither_stored_nor_sent_nor_quoted(
    tmp_path: Path, provider: str, key: str, says: str
) -> None:
    async def work(ownkey: Ownkey, server: Keyed) -> None:
        ownkey.providers.set(provider, endpoint=server.url)
        for store in (ownkey.keys.add(provider, key), _set(ownkey, provider, key)):
            with pytest.raises(InvalidRequest) as refused:
                await store
            assert says in str(refused.value)
            assert "--force" in refused.value.hint
            assert key not in f"{refused.value!r} {refused.value}"
        assert (ownkey.keys.all(), server.used) == ([], [])
        await ownkey.keys.add(provider, key, force=True)
        assert server.used == [key]
        assert ownkey.keys.has(provider)

    played(tmp_path, "", work)


async def _set(ownkey: Ownkey, provider: str, key: str) -> None:
    ownkey.keys.set(provider, key)


def test_the_form_of_every_known_key_is_told_by_how_it_begins() -> None:
    catalogue = Catalogue(wires=WIRE_NAMES)
    known = (*catalogue.all(), *catalogue.gallery())
    for provider in known:
        if provider.keys.looks_like:
            assert provider.keys.looks_like in told(provider)
    openai, anthropic = catalogue.get("openai"), catalogue.get("anthropic")
    assert told(anthropic).startswith("begins with sk-ant- ")
    assert looks_like(openai, A)
    assert looks_like(catalogue.get("ollama"), "whatever it is")
    assert whose(ANTHROPICS, openai, known) == anthropic
    assert whose(A, openai, known) is None
    # A proxy's keys may be anybody's.
    assert whose(A, catalogue.get("ollama"), known) is None


@pytest.mark.parametrize("label", ["", " x", "a/b", "x" * 41, "two\nlines", "\u202eevil", A])
def test_a_label_is_short_and_plain_and_no_key(tmp_path: Path, label: str) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        with pytest.raises(InvalidRequest) as refused:
            ownkey.keys.set("openai", A, label)
        assert not label or label not in str(refused.value)
        assert ownkey.keys.all() == []

    played(tmp_path, "", work)


def test_two_keys_do_not_get_one_label(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        with pytest.raises(InvalidRequest, match="already"):
            ownkey.keys.change("openai", "a", rename="b")
        assert ownkey.keys.change("openai", "a", rename="first one").label == "first one"
        await ownkey.chat("Hello", "openai/gpt-4o")
        assert provider.used == [A]
        with pytest.raises(InvalidRequest, match="2 keys for openai: first one, b"):
            ownkey.keys.pause("openai")

    played(tmp_path, "ab", work)


@pytest.mark.row("E3")
def test_keys_are_set_got_asked_for_and_cleared_in_a_program(tmp_path: Path) -> None:
    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        ownkey.keys.set("anthropic", ANTHROPICS)
        assert ownkey.keys.has("openai")
        assert not ownkey.keys.has("gemini")
        view = ownkey.keys.get("openai")
        assert (view.masked, view.origin) == (f"sk-...{A[-4:]}", f"http://127.0.0.1:{provider.port}")
        assert A not in repr(view)
        assert [(one.provider, one.label) for one in ownkey.keys.all()] == [("anthropic", "default"), ("openai", "a")]
        assert [one.provider for one in ownkey.keys.services() if one.ready] == ["anthropic", "openai"]
        status = ownkey.keys.status()
        assert (status.keys, status.ready, status.services, status.vault) == (2, 2, 2, "open")
        ownkey.providers.set("openai", endpoint="http://127.0.0.1:8899/v1")
        assert [one.provider for one in ownkey.keys.services() if one.ready] == ["anthropic"]
        assert ownkey.keys.status().states == {"ready": 1, "elsewhere": 1}
        assert ownkey.keys.remove("anthropic") == 1
        assert ownkey.keys.clear() == 1
        assert ownkey.keys.all() == []
        with pytest.raises(InvalidRequest, match="no key for openai"):
            ownkey.keys.get("openai")

    played(tmp_path, "a", work)
