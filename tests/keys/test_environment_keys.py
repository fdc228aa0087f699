"""Keys that stand in the environment serve the machine's own person, where none is stored, and nobody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from canaries import canary
from house import environment, run
from keyed import A, B, Keyed, keyed
from ownkey import Ownkey
from ownkey.talk.errors import InvalidRequest, KeyMissing, KeyUnreadable
from ownkey.talk.origin import Origin

GOOGLES = canary("found in the environment", "AIzaSyD0123")

FILE = """
id = "acme"
name = "Acme AI"
kind = "local"
wire = "openai-chat"
base_url = "{url}"
keys = {{ env = ["ACME_API_KEY", "ACME_OTHER_API_KEY"], looks_like = "^sk-[A-Za-z0-9_-]{{20,}}$" }}
free = true
default = "gpt-4o"
"""


def played(home: Path, work: Callable[[Ownkey, Keyed], Awaitable[None]], owner: str = "owner", **settings: Any) -> None:
    async def main() -> None:
        async with keyed() as provider:
            allowed = (("127.0.0.1", provider.port),)
            ownkey = Ownkey(home, owner=owner, keychain=False, allow_private_hosts=allowed, retries=0, **settings)
            async with ownkey:
                ownkey.providers.add(FILE.format(url=provider.url).encode(), "acme.toml")
                await work(ownkey, provider)

    asyncio.run(main())


@pytest.mark.row("C9")
def test_a_key_of_the_environment_is_found_used_and_shown_and_stored_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_API_KEY", f"{A}\n")

    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        assert (await ownkey.chat("Hello", "acme/gpt-4o")).text == "Hi"
        assert (await ownkey.keys.test("acme")).models == 2
        assert provider.used == [A, A]
        (view,) = ownkey.keys.all()
        assert (view.provider, view.label, view.source, view.state) == ("acme", "ACME_API_KEY", "environment", "ready")
        assert (view.masked, view.valid, view.created_at_ms) == (f"sk-...{A[-4:]}", True, None)
        assert ownkey.providers.get("acme").lack is None
        assert [one.ready for one in ownkey.keys.services()] == [True]
        for change in (lambda: ownkey.keys.pause("acme"), lambda: ownkey.keys.change("acme", models=["x"])):
            with pytest.raises(InvalidRequest, match="environment"):
                change()
        assert ownkey.keys.clear() == 0
        monkeypatch.setenv("ACME_API_KEY", B)
        await asyncio.sleep(1)
        await ownkey.chat("Hello", "acme/gpt-4o")
        assert provider.used[-1] == B

    played(tmp_path, work)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert A.encode() not in path.read_bytes(), path


def test_a_stored_key_takes_the_place_of_the_environments_even_where_it_is_paused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_API_KEY", A)

    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        ownkey.keys.set("acme", B)
        await ownkey.chat("Hello", "acme/gpt-4o")
        assert provider.used == [B]
        assert [view.source for view in ownkey.keys.all()] == ["stored"]
        # A local provider is asked without a key where there is none to be used.
        ownkey.keys.pause("acme")
        await ownkey.chat("Hello", "acme/gpt-4o")
        assert provider.used == [B, ""]
        assert ownkey.keys.remove("acme") == 1
        await ownkey.chat("Hello", "acme/gpt-4o")
        assert provider.used == [B, "", A]

    played(tmp_path, work)


@pytest.mark.row("C9")
def test_A01_a_key_of_the_environment_serves_no_other_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", A)
    monkeypatch.setenv("OPENAI_API_KEY", A)

    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        with pytest.raises(KeyMissing):
            await ownkey.chat("Hello", "openai/gpt-4o")
        await ownkey.chat("Hello", "acme/gpt-4o")
        assert (ownkey.keys.all(), provider.used) == ([], [""])
        vault, openai = ownkey.house.vault, Origin("https", "api.openai.com", 443)
        assert vault.open("owner", "openai", openai)[1].reveal() == A.encode()
        for other in ("ann", "", "Owner", "owner "):
            with pytest.raises(KeyMissing):
                vault.open(other, "openai", openai)

    played(tmp_path, work, owner="ann")


def test_keys_of_the_environment_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", A)

    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        await ownkey.chat("Hello", "acme/gpt-4o")
        assert provider.used == [""]

    played(tmp_path, work, environment_keys=False)


@pytest.mark.parametrize("value", ["", "dummy", "EMPTY", f"sk-...{A[-4:]}", "two words of it which are long"])
def test_what_is_no_key_of_the_providers_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("ACME_API_KEY", value)
    monkeypatch.setenv("ACME_OTHER_API_KEY", B)

    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        await ownkey.chat("Hello", "acme/gpt-4o")
        assert provider.used == [B]

    played(tmp_path, work)


def test_E02_a_key_of_the_environment_goes_where_the_providers_file_says_and_to_no_endpoint_set_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", A)

    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        ownkey.providers.set("openai", endpoint=provider.url)
        with pytest.raises(KeyUnreadable, match=r"api\.openai\.com"):
            await ownkey.chat("Hello", "openai/gpt-4o")
        assert provider.used == []
        (view,) = ownkey.keys.all()
        assert (view.origin, view.state) == ("https://api.openai.com:443", "elsewhere")

    played(tmp_path, work)


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "MISTRAL_API_KEY", "GITHUB_TOKEN", "MY_PASSWORD"])
def test_E02_a_file_that_is_added_gets_no_key_of_another_providers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, A)

    async def work(ownkey: Ownkey, provider: Keyed) -> None:
        text = FILE.format(url=provider.url).replace("ACME_API_KEY", variable).replace('id = "acme"', 'id = "rogue"')
        ownkey.providers.add(text.encode(), "rogue.toml")
        await ownkey.chat("Hello", "rogue/gpt-4o")
        assert provider.used == [""]
        assert "rogue" not in [view.provider for view in ownkey.keys.all()]

    played(tmp_path, work)


@pytest.mark.row("C9")
def test_the_command_shows_what_it_found_in_the_environment(tmp_path: Path) -> None:
    env = environment(tmp_path / "home", OPENAI_API_KEY=A, GOOGLE_API_KEY=GOOGLES)
    found = json.loads(run(env, "keys", "list", "--json").stdout)
    assert [(one["provider"], one["label"], one["source"], one["masked"]) for one in found] == [
        ("gemini", "GOOGLE_API_KEY", "environment", f"AIza...{GOOGLES[-4:]}"),
        ("openai", "OPENAI_API_KEY", "environment", f"sk-...{A[-4:]}"),
    ]
    shown = run(env, "keys", "list").stdout
    assert "OPENAI_API_KEY (environment)" in shown
    assert A not in shown
    told = run(env, "keys", "remove", "openai")
    assert told.returncode == 2
    assert run(env, "keys", "has", "openai").returncode == 0
    assert run(env | {"OWNKEY_ENVIRONMENT_KEYS": "off"}, "keys", "has", "openai").returncode == 1
