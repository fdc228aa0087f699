"""The providers that come with Ownkey."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ownkey.catalog.address import as_spoken, endpoint, operation_path, setting_headers
from ownkey.catalog.facts import facts, wire_of
from ownkey.catalog.load import Catalogue
from ownkey.catalog.read import Problem, read_manifest
from ownkey.talk.errors import BadConfiguration
from ownkey.wires.wire import TABLE, wire

WIRES = frozenset(TABLE)
FOLDER = Path(__file__).parents[2] / "src" / "ownkey" / "catalog" / "providers"
FILES = sorted(FOLDER.glob("*.toml"))


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue(wires=WIRES)


@pytest.mark.row("B20")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_provider_is_a_file_of_under_five_hundred_lines(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) < 500


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_shipped_manifest_keeps_the_rules_of_a_stranger_s(path: Path) -> None:
    result = read_manifest(path.read_bytes(), path.name, wires=WIRES)
    assert not isinstance(result, Problem), str(result)
    assert result.id == path.stem


@pytest.mark.row("C1")
@pytest.mark.row("D2")
@pytest.mark.row("E1")
def test_every_provider_that_is_asked_for_is_there(catalogue: Catalogue) -> None:
    names = {provider.id for provider in catalogue.all()}
    assert names == {
        *("openai", "anthropic", "gemini", "deepseek", "xai", "openrouter", "azure", "groq", "sambanova"),
        *("ollama", "lmstudio", "demo"),
    }


@pytest.mark.row("B4")
def test_openai_has_its_organization_and_its_models(catalogue: Catalogue) -> None:
    openai = catalogue.get("openai")
    assert openai.default == "gpt-4o"
    assert all(openai.model(name) for name in ("gpt-4o", "gpt-4o-mini", "o1", "o3-mini"))
    assert not openai.fields["organization_id"].required
    assert setting_headers(openai) == {}
    assert setting_headers(openai, {"organization_id": "org-123"}) == {"openai-organization": "org-123"}
    own = endpoint(openai, "/chat/completions", base_url_override="https://llm.example.com/openai/v1/")
    assert own == "https://llm.example.com/openai/v1/chat/completions"


@pytest.mark.row("B5")
def test_anthropic_has_its_models_and_the_older_name_of_haiku(catalogue: Catalogue) -> None:
    anthropic = catalogue.get("anthropic")
    assert anthropic.default == "claude-sonnet-4-5"
    assert anthropic.model("claude-opus-4-5")
    haiku = anthropic.model("claude-haiku-4")
    assert haiku is not None
    assert haiku.id == "claude-haiku-4-5"


@pytest.mark.row("B6")
def test_local_providers_need_no_key_and_cost_nothing(catalogue: Catalogue) -> None:
    for name, port in (("ollama", 11434), ("lmstudio", 1234)):
        provider = catalogue.get(name)
        assert provider.kind == "local"
        assert not provider.keys.required
        assert provider.free
        assert provider.base_url == f"http://127.0.0.1:{port}/v1"


@pytest.mark.row("B6")
def test_azure_asks_for_its_resource_and_puts_the_deployment_in_the_path(catalogue: Catalogue) -> None:
    azure = catalogue.get("azure")
    path = operation_path(azure, "chat", {"chat": "/chat/completions"})
    with pytest.raises(BadConfiguration) as caught:
        endpoint(azure, path, model="gpt-4o")
    assert "ownkey providers set azure --field resource=" in caught.value.hint
    url = endpoint(azure, path, model="team gpt/4".replace(" ", "-"), fields={"resource": "Our-Team"})
    assert url == (
        "https://our-team.openai.azure.com/openai/deployments/team-gpt%2F4/chat/completions?api-version=2024-10-21"
    )


@pytest.mark.row("A9")
@pytest.mark.parametrize(
    ("provider", "address", "models"),
    [
        ("gemini", "https://generativelanguage.googleapis.com/v1", ["gemini-1.5-flash", "gemini-1.5-pro"]),
        ("openai", "https://api.openai.com/v1", ["gpt-4o", "gpt-3.5-turbo"]),
        ("anthropic", "https://api.anthropic.com/v1", ["claude-3-5-sonnet", "claude-3-haiku"]),
        ("deepseek", "https://api.deepseek.com/v1", ["deepseek-chat", "deepseek-coder"]),
    ],
)
def test_the_four_direct_providers_stand_at_their_addresses_with_their_models(
    catalogue: Catalogue, provider: str, address: str, models: list[str]
) -> None:
    found = catalogue.get(provider)
    assert found.base_url.startswith(address)
    assert all(found.model(model) for model in models)
    assert found.keys.env
    assert found.keys.page


@pytest.mark.parametrize(
    ("provider", "chat", "models"),
    [
        ("openai", "https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1/models"),
        ("anthropic", "https://api.anthropic.com/v1/messages", "https://api.anthropic.com/v1/models?limit=1000"),
        (
            "gemini",
            "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
            "https://generativelanguage.googleapis.com/v1beta/models?pageSize=1000",
        ),
        ("deepseek", "https://api.deepseek.com/v1/chat/completions", "https://api.deepseek.com/v1/models"),
        ("xai", "https://api.x.ai/v1/chat/completions", "https://api.x.ai/v1/models"),
        ("openrouter", "https://openrouter.ai/api/v1/chat/completions", "https://openrouter.ai/api/v1/models/user"),
        (
            "azure",
            "https://team.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
            "https://team.openai.azure.com/openai/models?api-version=2024-10-21",
        ),
        ("groq", "https://api.groq.com/openai/v1/chat/completions", "https://api.groq.com/openai/v1/models"),
        ("sambanova", "https://api.sambanova.ai/v1/chat/completions", "https://api.sambanova.ai/v1/models"),
        ("ollama", "http://127.0.0.1:11434/v1/chat/completions", "http://127.0.0.1:11434/v1/models"),
        ("lmstudio", "http://127.0.0.1:1234/v1/chat/completions", "http://127.0.0.1:1234/v1/models"),
        ("demo", "inside://demo/v1/chat/completions", "inside://demo/v1/models"),
    ],
)
def test_manifest_and_wire_together_give_the_provider_s_own_addresses(
    catalogue: Catalogue, provider: str, chat: str, models: str
) -> None:
    found = catalogue.get(provider)
    paths, fields = wire(found.wire).paths, {"resource": "team"}
    for operation, url in (("chat", chat), ("models", models)):
        path = operation_path(found, operation, paths)
        assert endpoint(found, path, model=found.default, fields=fields) == url


@pytest.mark.row("A4")
def test_every_listed_model_says_what_it_does_and_every_default_is_listed(catalogue: Catalogue) -> None:
    for provider in catalogue.all():
        assert all("chat" in model.does or model.does == ("embeddings",) for model in provider.models)
        if provider.kind != "local":
            assert provider.default is not None
            assert provider.model(provider.default) is not None


@pytest.mark.parametrize(
    ("provider", "key"),
    [
        ("openai", "sk-proj-" + "aB3_" * 20),
        ("anthropic", "sk-ant-api03-" + "aB3_" * 20),
        ("gemini", "AIza" + "aB3_x" * 7),
        ("gemini", "AQ.Ab8" + "aB3_x" * 9),
        ("deepseek", "sk-" + "0a" * 16),
        ("xai", "xai-" + "aB" * 40),
        ("openrouter", "sk-or-v1-" + "0a" * 32),
        ("azure", "0a" * 16),
        ("azure", "aB3x" * 21),
        ("groq", "gsk_" + "aB3x" * 13),
    ],
)
def test_the_shape_of_a_key_fits_what_the_provider_gives_out(catalogue: Catalogue, provider: str, key: str) -> None:
    shape = catalogue.get(provider).keys.looks_like
    assert shape is not None
    assert re.fullmatch(shape, key)
    assert not re.fullmatch(shape, "nothing like it")


def test_G11_no_shape_of_a_key_is_slow_for_any_text(catalogue: Catalogue) -> None:
    shapes = [provider.keys.looks_like for provider in catalogue.all() if provider.keys.looks_like]
    for shape in shapes:
        for text in ("a" * 100_000, "sk-" + "-" * 100_000 + "!", "A" + "A.-_" * 25_000 + "\n"):
            began = time.thread_time()
            re.search(shape, text)
            assert time.thread_time() - began < 0.1


def test_the_catalogue_is_read_without_loading_a_wire_or_the_price_package() -> None:
    code = (
        "import sys; from ownkey.catalog.load import Catalogue; Catalogue(wires={'openai-chat'}).all();"
        "print([name for name in sys.modules if name.startswith(('ownkey.wires', 'genai_prices', 'asyncio', 'ssl'))])"
    )
    source = str(Path(__file__).parents[2] / "src")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": source})
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    ("model", "asked", "spoken"),
    [
        ("openai/gpt-4o", None, "openai-chat"),
        ("openai/gpt-4o", "anthropic-messages", "openai-chat"),
        ("openai/gpt-4o", "openai-responses", "openai-responses"),
        ("openai/gpt-5-mini", None, "openai-responses"),
        ("openai/gpt-5-mini", "gemini", "openai-responses"),
        ("openai/gpt-5-mini", "openai-chat", "openai-chat"),
        ("openai/o3", "anthropic-messages", "openai-responses"),
        ("openai/gpt-6-luna", "openai-chat", "openai-chat"),
        ("openai/gpt-6.1-sol", "openai-chat", "openai-responses"),
        ("openai/gpt-5-pro-2025-10-06", "openai-chat", "openai-responses"),
        ("openai/gpt-5.5-pro", "openai-chat", "openai-responses"),
        ("xai/grok-4.3", "anthropic-messages", "openai-responses"),
        ("xai/grok-4.7", "openai-chat", "openai-chat"),
        ("xai/grok-4-fast-non-reasoning", None, "openai-chat"),
        ("azure/gpt-5", "openai-responses", "openai-chat"),
        ("groq/openai/gpt-oss-120b", "openai-responses", "openai-chat"),
    ],
)
def test_a_model_is_spoken_to_in_the_client_s_wire_or_the_one_it_answers_best_in(
    catalogue: Catalogue, model: str, asked: str | None, spoken: str
) -> None:
    provider, _, name = model.partition("/")
    found = catalogue.get(provider)
    assert wire_of(found, facts(found, name), asked) == spoken


@pytest.mark.parametrize(
    ("provider", "url"),
    [("openai", "https://api.openai.com/v1/responses"), ("xai", "https://api.x.ai/v1/responses")],
)
def test_responses_are_asked_for_where_the_provider_has_them(catalogue: Catalogue, provider: str, url: str) -> None:
    found = as_spoken(catalogue.get(provider), "openai-responses")
    path = operation_path(found, "chat", wire("openai-responses").paths)
    assert endpoint(found, path, model="m") == url


def test_models_that_take_tools_by_responses_only_are_known_to_take_them(catalogue: Catalogue) -> None:
    openai = catalogue.get("openai")
    for name in ("gpt-6.1-sol", "gpt-6-astra"):
        assert "tools" in facts(openai, name).does
