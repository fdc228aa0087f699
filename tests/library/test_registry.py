"""Providers as the library shows them: all alike, registered, listed, switched on and off, kept."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from house import KEYS, Simulator, library
from ownkey import Ownkey
from ownkey.talk.errors import InvalidCredentials, InvalidRequest, UnknownModel
from ownkey.talk.reply import Receipt, TextDelta

WIRES = {"openai": "v1", "anthropic": "v1", "gemini": "v1beta"}


@pytest.fixture
def home(tmp_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OWNKEY_ALLOW_PRIVATE_HOSTS", f"127.0.0.1:{simulator.port}")
    place = tmp_path / "home"
    with library(place) as ownkey:
        for name, version in WIRES.items():
            ownkey.providers.set(name, endpoint=f"{simulator.url}/fault/name=reg-{name}/{version}")
            ownkey.keys.set(name, KEYS[name])
    return place


@pytest.mark.row("B1")
@pytest.mark.row("E5")
@pytest.mark.parametrize("name", WIRES)
def test_every_provider_is_asked_in_the_same_words(home: Path, name: str) -> None:
    async def main() -> None:
        async with Ownkey(home, keychain=False) as ownkey:
            view = ownkey.providers.get(name)
            assert (view.provider.id, view.lack) == (name, None)
            tested = await ownkey.keys.test(name)
            assert tested.models
            listed = await ownkey.providers.refresh_models(name)
            assert view.default in [model.model.id for model in listed]
            assert all(model.rates for model in listed if model.model.id == view.default)
            asked: Any = {"model": f"{name}/{view.default}"}
            reply = await ownkey.chat("Hello.", **asked)
            pieces, receipt = "", None
            async for event in ownkey.stream("Hello.", **asked):
                pieces += event.text if isinstance(event, TextDelta) else ""
                receipt = event if isinstance(event, Receipt) else receipt
            assert pieces == reply.text
            assert receipt is not None
            assert receipt.cost == reply.receipt.cost > 0
            assert ownkey.estimate_cost(asked["model"], 1000, 500) > 0
            ownkey.keys.set(name, "bad-key-of-nobody-0123456789", force=True)
            with pytest.raises(InvalidCredentials):
                await ownkey.keys.test(name)

    asyncio.run(main())


@pytest.mark.row("E2")
def test_cloud_and_local_providers_and_whether_a_key_is_required(home: Path) -> None:
    with library(home) as ownkey:
        kinds = {view.provider.id: view.provider.kind for view in ownkey.providers.listed()}
        cloud = {name for name, kind in kinds.items() if kind == "cloud"}
        assert {"openai", "anthropic", "gemini", "openrouter", "groq", "sambanova"} <= cloud
        assert {name for name, kind in kinds.items() if kind == "local"} == {"ollama", "lmstudio"}
        assert ownkey.providers.get("groq").provider.keys.required
        assert not ownkey.providers.get("ollama").provider.keys.required
        lacks = {view.provider.id: view.lack for view in ownkey.providers.listed()}
        assert lacks["groq"] is not None
        assert "no key" in lacks["groq"].says
        assert lacks["ollama"] is None


@pytest.mark.row("B3")
def test_the_registry_keeps_what_is_registered_and_switched(home: Path) -> None:
    text = b'id = "mine"\nname = "Mine"\nkind = "local"\nwire = "openai-chat"\nbase_url = "http://127.0.0.1:9/v1"\n'
    with library(home) as ownkey:
        ownkey.providers.add(text, "mine.toml")
        ownkey.providers.set("openai", enabled=False, default="gpt-4o-mini")
        with pytest.raises(InvalidRequest, match="wire"):
            ownkey.providers.add(text.replace(b"openai-chat", b"none"), "mine.toml")
    with library(home) as ownkey:
        enabled = [view.provider.id for view in ownkey.providers.listed() if view.enabled]
        assert "mine" in enabled
        assert "openai" not in enabled
        assert ownkey.providers.get("openai").default == "gpt-4o-mini"
        assert {view.provider for view in ownkey.providers.models()} >= {"anthropic", "gemini"}
        assert {view.provider for view in ownkey.providers.models("anthropic")} == {"anthropic"}
        [info] = ownkey.compare_models("anthropic/claude-sonnet-4-5")
        assert (info.model.context, info.model.max_output) == (200_000, 64_000)
        assert "tools" in info.model.does
        best = ownkey.recommend_model("0.02", "code")
        assert best
        assert {one.model.provider for one in best} <= {"anthropic", "gemini"}
        with pytest.raises(UnknownModel):
            ownkey.compare_models("nobody/none")
        ownkey.providers.set("openai", enabled=True)
        ownkey.providers.remove("mine")
        assert ownkey.providers.get("openai").enabled
        with pytest.raises(InvalidRequest):
            ownkey.providers.get("mine")
