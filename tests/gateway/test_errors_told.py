"""The errors of providers as people are told of them: by the library, over HTTP, and by the command."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from house import CHAT, KEYS, Answer, Simulator, environment, library, make_home, run, write_provider
from inside import Inside, inside
from ownkey import Ownkey
from ownkey.talk import errors
from ownkey.talk.errors import OwnkeyError, ProviderError
from ownkey.talk.notices import notice

SEVEN: dict[str, tuple[str, type[ProviderError], str, str]] = {
    "reason=key": (
        "gpt-4o",
        errors.InvalidCredentials,
        "Your OpenAI API key is invalid. Please check and try again.",
        "reenter_key",
    ),
    "status=429;retry-after=300": (
        "gpt-4o-mini",
        errors.RateLimitExceeded,
        "OpenAI rate limit hit. Retrying in 300 seconds...",
        "wait",
    ),
    "reason=model": (
        "gpt-4o",
        errors.ModelNotAvailable,
        "GPT-4o is unavailable right now. Try GPT-4o-mini instead?",
        "choose_model",
    ),
    "reason=quota": (
        "gpt-4o",
        errors.QuotaExceeded,
        "You've hit your OpenAI usage cap. Upgrade your plan or use Anthropic.",
        "provider_settings",
    ),
    "reset": ("gpt-4o", errors.NetworkError, "Can't reach OpenAI. Check your internet connection.", "retry"),
    "silence": ("gpt-4o", errors.ProviderTimeout, "OpenAI took too long to answer.", "retry"),
    "html": ("gpt-4o", errors.UnexpectedResponse, "OpenAI sent an answer that cannot be read.", "retry"),
}
"""What a provider does, the model that is asked, and what comes of it."""

LABELS = {
    "reenter_key": "Re-enter key",
    "wait": "Auto-retry",
    "choose_model": "Model picker",
    "provider_settings": "Provider settings",
    "retry": "Retry",
}


@pytest.fixture(scope="module")
def here(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    home = tmp_path_factory.mktemp("told") / "home"
    make_home(home)
    quick: dict[str, Any] = {"retry_delay_s": 0.01, "headers_timeout_s": 5.0, "idle_timeout_s": 5.0}
    ownkey = Ownkey(home, keychain=False, allow_private_hosts=f"127.0.0.1:{simulator.port}", **quick)
    ownkey.keys.set("openai", KEYS["openai"])
    ownkey.keys.set("anthropic", KEYS["anthropic"])
    with inside(ownkey, simulator) as running:
        running.gateway.token = ownkey.house.tokens.create("owner", "told")[1].reveal().decode()
        yield running


def failing(here: Inside, fault: str) -> None:
    """OpenAI does that from now on."""
    ownkey = here.ownkey
    endpoint = f"{here.gateway.simulator.url}/fault/{fault};name=told/v1"
    ownkey.providers.set("openai", endpoint=endpoint)
    key = KEYS["openai"]
    if not any(row.provider == "openai" and "127.0.0.1" in row.origin for row in ownkey.house.vault.listed("owner")):
        ownkey.keys.set("openai", key, force=True)
    ownkey.house.targets.settle(ownkey.settings.order, ownkey.settings.fallback)


@pytest.mark.row("B14")
@pytest.mark.parametrize("fault", SEVEN)
def test_each_of_the_seven_errors_has_its_message_and_its_action_over_http_and_in_the_library(
    here: Inside, fault: str
) -> None:
    model, kind, message, action = SEVEN[fault]
    failing(here, fault)
    answer = here.gateway.ask(f"openai/{model}")
    assert answer.error["code"] == kind.code, answer.body
    assert (answer.error["notice"], answer.error["action"]) == (message, action)
    assert (answer.error["provider"], answer.headers["x-ownkey-action"]) == ("openai", action)
    with pytest.raises(kind) as raised:
        here.run(here.ownkey.chat("Hello", f"openai/{model}"))
    said = notice(raised.value)
    assert said is not None
    assert (said.message, said.label) == (message, LABELS[action])


@pytest.mark.row("B14")
def test_a_web_page_in_place_of_a_stream_is_no_answer_that_broke_off(here: Inside) -> None:
    failing(here, "html")
    answer = here.gateway.ask("openai/gpt-4o", stream=True)
    assert (answer.status, answer.error["code"]) == (502, "upstream_invalid")
    assert "A web page came in place of an answer." in answer.error["message"]
    assert answer.error["notice"] == SEVEN["html"][2]


@pytest.mark.row("B14")
@pytest.mark.parametrize("path", ["/v1/messages", "/v1beta/models/openai%2Fgpt-4o:generateContent", "/v1/responses"])
def test_the_action_is_told_in_every_wire(here: Inside, path: str) -> None:
    failing(here, "reason=key")
    body = {
        "/v1/messages": b'{"model":"openai/gpt-4o","max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}',
        "/v1/responses": b'{"model":"openai/gpt-4o","input":"Hello"}',
    }.get(path, b'{"contents":[{"parts":[{"text":"Hello"}]}]}')
    answer = here.gateway.send("POST", path, body, here.gateway.own)
    assert answer.status == 502
    assert answer.headers["x-ownkey-action"] == "reenter_key"
    assert answer.headers["x-ownkey-error"] == "CLIENT_ERROR"


@pytest.mark.row("B14")
def test_a_program_that_does_not_ask_again_by_itself_is_told_when_to() -> None:
    error = errors.RateLimitExceeded("Too many.", provider="openai", retry_after_s=29.2)
    error.provider_name = "OpenAI"
    told = [notice(error, retries=retries) for retries in (True, False)]
    assert [one.message for one in told if one] == [
        "OpenAI rate limit hit. Retrying in 30 seconds...",
        "OpenAI rate limit hit. Try again in 30 seconds.",
    ]


@pytest.mark.row("B14")
def test_where_nothing_else_can_be_asked_nothing_is_proposed_and_who_is_not_known_is_not_named() -> None:
    usage = errors.QuotaExceeded("Used up.", provider="openai")
    model = errors.ModelNotAvailable("Gone.", provider="openai", model="gpt-5")
    local = errors.NetworkError("Refused.", provider="ollama")
    local.provider_name, local.is_local = "Ollama", True
    assert [said.message for one in (usage, model, local) if (said := notice(one))] == [
        "You've hit your openai usage cap. Upgrade your plan.",
        "gpt-5 is unavailable right now.",
        "Can't reach Ollama. Check that it is running.",
    ]
    assert notice(errors.QuotaExceeded("Used up.")) is None


@pytest.mark.row("B14")
def test_the_command_says_it_too_and_what_to_type(
    simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("said") / "home"
    make_home(home)
    env = environment(home, OWNKEY_ALLOW_PRIVATE_HOSTS=f"127.0.0.1:{simulator.port}")
    name = write_provider(home, simulator, "reason=key")
    told = run(env, "chat", "-m", f"{name}/gpt-4o", "Hello")
    assert told.returncode == 5
    last = told.stderr.splitlines()[-1]
    assert last == (
        f"Your {name} API key is invalid. Please check and try again. → Re-enter key: ownkey keys set {name}"
    )


def asked(here: Inside, model: str, **fields: Any) -> Answer:
    here.ownkey.house.targets.settle(here.ownkey.settings.order, here.ownkey.settings.fallback)
    return here.gateway.ask(model, **fields)


@pytest.mark.row("E7")
@pytest.mark.parametrize(
    ("fault", "kind", "status"),
    [
        ("status=429;retry-after=300", "RATE_LIMIT_EXCEEDED", 429),
        ("reason=key", "CLIENT_ERROR", 401),
        ("status=400", "CLIENT_ERROR", 400),
        ("reason=model", "CLIENT_ERROR", 404),
        ("silence", "REQUEST_FAILED", None),
        ("status=503", "MAX_RETRIES_EXCEEDED", 503),
        ("reset", "MAX_RETRIES_EXCEEDED", None),
    ],
)
def test_every_error_is_of_one_of_the_seven_kinds_with_message_status_and_provider(
    here: Inside, fault: str, kind: str, status: int | None
) -> None:
    name = here.gateway.provider(fault)
    here.ownkey.house.catalogue.refresh()
    answer = asked(here, f"{name}/gpt-4o")
    assert answer.error["kind"] == answer.headers["x-ownkey-error"] == kind
    assert (answer.error["status"], answer.error["provider"]) == (status, name)
    assert answer.error["message"]
    with pytest.raises(OwnkeyError) as raised:
        here.run(here.ownkey.chat("Hello", f"{name}/gpt-4o"))
    assert raised.value.kind == kind


@pytest.mark.row("E7")
def test_an_error_that_was_not_tried_again_is_the_servers(here: Inside) -> None:
    name = here.gateway.provider("status=503;retry-after=300")
    here.ownkey.house.catalogue.refresh()
    assert asked(here, f"{name}/gpt-4o").error["kind"] == "SERVER_ERROR"


@pytest.mark.row("E7")
def test_what_lacks_a_key_says_that_one_is_required(here: Inside) -> None:
    answer = here.gateway.ask("deepseek/deepseek-chat")
    assert (answer.status, answer.error["kind"]) == (422, "API_KEY_REQUIRED")
    bad = here.gateway.send("POST", CHAT, b"{}", here.gateway.own)
    assert bad.error["kind"] == "CLIENT_ERROR"


@pytest.mark.row("E7")
def test_models_that_cannot_be_fetched_are_told_so(
    simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("fetched") / "home"
    with library(home, allow_private_hosts=f"127.0.0.1:{simulator.port}") as ownkey:
        name = write_provider(home, simulator, "status=503")
        ownkey.house.catalogue.refresh()

        async def main() -> None:
            with pytest.raises(ProviderError) as raised:
                await ownkey.providers.refresh_models(name)
            assert (raised.value.kind, raised.value.provider) == ("FETCH_MODELS_FAILED", name)
            assert raised.value.status == 503
            await ownkey.house.transport.aclose()

        asyncio.run(main())
