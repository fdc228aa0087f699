"""The providers that can be added."""

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ownkey.catalog.address import TEMPLATE, as_spoken, endpoint, operation_path
from ownkey.catalog.facts import embedding_wire_of, wire_of
from ownkey.catalog.load import Catalogue
from ownkey.catalog.manifest import Model, Provider, embeds
from ownkey.catalog.read import Problem, read_manifest
from ownkey.spending.catalogue import Listing, Prices
from ownkey.spending.compile import compiled
from ownkey.talk.errors import BadConfiguration, InvalidRequest
from ownkey.wires.wire import TABLE, spoken

WIRES = frozenset(TABLE)
FOLDER = Path(__file__).parents[2] / "src" / "ownkey" / "catalog" / "gallery"
FILES = sorted(FOLDER.glob("*.toml"))
GALLERY = {provider.id: provider for provider in Catalogue(wires=WIRES).gallery()}

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
each_provider = pytest.mark.parametrize("provider", GALLERY.values(), ids=lambda provider: provider.id)


def url(provider: Provider, operation: str = "chat", spoken_as: str | None = None) -> str:
    here = as_spoken(provider, spoken_as or provider.wire)
    fields = {name: field.default or "team" for name, field in here.fields.items()}
    path = operation_path(here, operation, spoken(here.wire).paths)
    return endpoint(here, path, model="some-model", fields=fields)


@pytest.mark.row("B7")
@pytest.mark.row("B20")
@each_file
def test_every_file_of_the_gallery_keeps_the_rules_of_a_stranger_s_and_is_short(path: Path) -> None:
    result = read_manifest(path.read_bytes(), path.name, wires=WIRES)
    assert not isinstance(result, Problem), str(result)
    assert result.id == path.stem
    assert len(path.read_text("utf-8").splitlines()) < 500


@each_file
def test_every_file_says_where_its_facts_are_from(path: Path) -> None:
    assert path.read_text("utf-8").startswith("# https://")


@pytest.mark.row("B7")
def test_the_gallery_has_those_that_people_use_and_none_that_comes_with_ownkey() -> None:
    catalogue = Catalogue(wires=WIRES)
    assert len(GALLERY) == len(FILES) >= 30
    assert {
        *("mistral", "cohere", "together", "fireworks", "cerebras", "perplexity", "nvidia", "huggingface", "moonshot"),
        *("moonshot-cn", "zai", "zhipu", "qwen", "minimax", "deepinfra", "nebius", "novita", "siliconflow", "vercel"),
        *("github-models", "vllm", "llamacpp", "localai", "jan", "bedrock", "vertex-express", "voyage", "jina"),
    } <= GALLERY.keys()
    assert not GALLERY.keys() & {provider.id for provider in catalogue.all()}
    assert list(GALLERY) == sorted(GALLERY)


@pytest.mark.row("B7")
def test_all_of_the_gallery_can_be_added_and_stand_side_by_side(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path, wires=WIRES)
    for name in GALLERY:
        catalogue.place(name).write_bytes(catalogue.gallery_file(name))
    catalogue.refresh()
    assert catalogue.problems == []
    assert {name: catalogue.get(name) for name in GALLERY} == GALLERY


def test_the_documentation_names_all_of_the_gallery() -> None:
    text = (Path(__file__).parents[2] / "docs" / "providers.md").read_text("utf-8")
    section = text.partition("## The gallery\n")[2].partition("| provider |")[0]
    assert GALLERY.keys() - set(re.findall(r"`([a-z0-9-]+)`", section)) == set()


@pytest.mark.parametrize("name", ["openai", "nobody", "../providers/openai", "", "mistral.toml", "MISTRAL"])
def test_a_file_that_is_not_in_the_gallery_is_not_given_out(name: str) -> None:
    with pytest.raises(InvalidRequest):
        Catalogue(wires=WIRES).gallery_file(name)


@each_provider
def test_whoever_needs_a_key_says_where_it_is_made(provider: Provider) -> None:
    assert provider.keys.page is not None or not provider.keys.required
    assert provider.auth is not None
    assert provider.kind != "demo"


@pytest.mark.row("A4")
@each_provider
def test_every_model_says_what_it_does_and_the_default_is_one_that_chats(provider: Provider) -> None:
    assert all("chat" in model.does or model.does == ("embeddings",) for model in provider.models)
    chats = [model.id for model in provider.models if "chat" in model.does]
    assert provider.default in chats if chats else provider.default is None
    assert provider.models or provider.kind == "local" or provider.id == "litellm"


def test_prices_are_named_as_the_price_catalogue_names_them_and_it_knows_what_the_default_costs() -> None:
    file, now = compiled(), datetime.now(UTC)
    prices = Prices(Listing(file, "shipped"))
    for provider in GALLERY.values():
        if provider.prices is None:
            continue
        assert provider.prices in file.sellers, provider.id
        proposed = provider.default or provider.models[0].id
        assert prices.rates(provider, proposed, now) is not None, f"{provider.id}/{proposed}"


def test_only_one_s_own_server_is_free() -> None:
    for provider in GALLERY.values():
        assert provider.free == (provider.kind == "local"), provider.id
        assert provider.free == (urlsplit(provider.base_url).hostname == "127.0.0.1"), provider.id


@pytest.mark.parametrize(
    ("name", "operation", "address"),
    [
        ("mistral", "chat", "https://api.mistral.ai/v1/chat/completions"),
        ("mistral", "transcriptions", "https://api.mistral.ai/v1/audio/transcriptions"),
        ("cohere", "chat", "https://api.cohere.ai/compatibility/v1/chat/completions"),
        ("cohere", "rerank", "https://api.cohere.ai/v2/rerank"),
        ("together", "chat", "https://api.together.ai/v1/chat/completions"),
        ("perplexity", "chat", "https://api.perplexity.ai/chat/completions"),
        ("perplexity", "models", "https://api.perplexity.ai/v1/models"),
        ("zai", "chat", "https://api.z.ai/api/paas/v4/chat/completions"),
        ("cerebras", "chat", "https://api.cerebras.ai/v1/chat/completions"),
        ("qwen", "chat", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions"),
        ("github-models", "chat", "https://models.github.ai/inference/chat/completions"),
        ("github-models", "models", "https://models.github.ai/catalog/models"),
        ("bedrock", "chat", "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1/chat/completions"),
        ("bedrock-mantle", "models", "https://bedrock-mantle.us-east-1.api.aws/v1/models"),
        ("cloudflare", "chat", "https://api.cloudflare.com/client/v4/accounts/team/ai/v1/chat/completions"),
        ("databricks", "chat", "https://team.cloud.databricks.com/serving-endpoints/chat/completions"),
        ("snowflake", "chat", "https://team.snowflakecomputing.com/api/v2/cortex/v1/chat/completions"),
        (
            "vertex-express",
            "stream",
            "https://aiplatform.googleapis.com/v1/publishers/google/models/some-model:streamGenerateContent?alt=sse",
        ),
        ("voyage", "rerank", "https://api.voyageai.com/v1/rerank"),
        ("jan", "chat", "http://127.0.0.1:1337/v1/chat/completions"),
    ],
)
def test_manifest_and_wire_together_give_the_provider_s_own_addresses(name: str, operation: str, address: str) -> None:
    assert url(GALLERY[name], operation) == address


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("fireworks", "https://api.fireworks.ai/inference/v1/messages"),
        ("moonshot", "https://api.moonshot.ai/anthropic/v1/messages"),
        ("zai", "https://api.z.ai/api/anthropic/v1/messages"),
        ("minimax", "https://api.minimax.io/anthropic/v1/messages"),
        ("qwen", "https://dashscope-intl.aliyuncs.com/apps/anthropic/v1/messages"),
        ("deepinfra", "https://api.deepinfra.com/anthropic/v1/messages"),
        ("vercel", "https://ai-gateway.vercel.sh/v1/messages"),
        ("bedrock", "https://bedrock-runtime.us-east-1.amazonaws.com/anthropic/v1/messages"),
        ("snowflake", "https://team.snowflakecomputing.com/api/v2/cortex/v1/messages"),
        ("llamacpp", "http://127.0.0.1:8080/v1/messages"),
    ],
)
def test_clients_of_anthropic_s_are_passed_on_at_the_provider_s_own_address(name: str, address: str) -> None:
    assert url(GALLERY[name], "chat", "anthropic-messages") == address


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("mistral", "https://api.mistral.ai/v1/embeddings"),
        ("cohere", "https://api.cohere.ai/compatibility/v1/embeddings"),
        ("perplexity", "https://api.perplexity.ai/v1/embeddings"),
        ("github-models", "https://models.github.ai/inference/embeddings"),
        ("voyage", "https://api.voyageai.com/v1/embeddings"),
        ("jina", "https://api.jina.ai/v1/embeddings"),
        ("cloudflare", "https://api.cloudflare.com/client/v4/accounts/team/ai/v1/embeddings"),
        ("databricks", "https://team.cloud.databricks.com/serving-endpoints/embeddings"),
    ],
)
def test_embeddings_are_asked_for_at_the_provider_s_own_address(name: str, address: str) -> None:
    assert url(GALLERY[name], "embeddings", "openai-embeddings") == address


@each_provider
def test_whoever_lists_a_model_that_embeds_speaks_a_wire_for_it(provider: Provider) -> None:
    if any("embeddings" in model.does for model in provider.models):
        assert embedding_wire_of(provider, None) is not None


def test_every_operation_that_is_named_has_an_address_at_the_provider_s_own_host() -> None:
    for provider in GALLERY.values():
        home = urlsplit(url(provider)).netloc
        for operation in provider.paths:
            assert urlsplit(url(provider, operation)).netloc == home
        for name in provider.speaks:
            operation = "embeddings" if embeds(name) else "chat"
            assert urlsplit(url(provider, operation, name)).netloc == home


@pytest.mark.parametrize(
    "provider",
    [one for one in GALLERY.values() if "{" in urlsplit(one.base_url).netloc],
    ids=lambda provider: provider.id,
)
@pytest.mark.parametrize("value", ["evil.example/", "evil.example", "a@evil", "a:1", "a b", "-", "a#", "a/.."])
def test_a_setting_that_stands_in_a_host_cannot_name_another_one(provider: Provider, value: str) -> None:
    (name,) = TEMPLATE.findall(urlsplit(provider.base_url).netloc)
    with pytest.raises(BadConfiguration) as caught:
        endpoint(provider, "/chat/completions", fields={name: value})
    assert caught.value.param == name


@pytest.mark.parametrize(
    ("name", "model", "asked", "expected"),
    [
        ("bedrock", "global.anthropic.claude-sonnet-5-5", "openai-chat", "anthropic-messages"),
        ("bedrock", "openai.gpt-oss-120b-1:0", "anthropic-messages", "openai-chat"),
        ("bedrock", "qwen.qwen3-32b-v1:0", None, "openai-chat"),
        ("snowflake", "claude-sonnet-4-5", "anthropic-messages", "anthropic-messages"),
        ("snowflake", "llama3.3-70b", "anthropic-messages", "openai-chat"),
        ("minimax", "MiniMax-M3", None, "anthropic-messages"),
        ("minimax", "MiniMax-M3", "openai-chat", "openai-chat"),
    ],
)
def test_models_are_spoken_to_in_the_form_that_is_theirs(
    name: str, model: str, asked: str | None, expected: str
) -> None:
    assert wire_of(GALLERY[name], Model(model), asked) == expected


def test_G11_no_shape_of_a_key_in_the_gallery_is_slow_for_any_text() -> None:
    shapes = [provider.keys.looks_like for provider in GALLERY.values() if provider.keys.looks_like]
    assert shapes
    for shape in shapes:
        for text in ("a" * 100_000, "sk-" + "-" * 100_000 + "!", "csk-" + "A.-_" * 25_000 + "\n"):
            began = time.thread_time()
            re.search(shape, text)
            assert time.thread_time() - began < 0.1
