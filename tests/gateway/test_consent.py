"""What a person has to say yes to first: asked with a 409, a token that is good for just that, once, for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors, types

from consenting import Here, Person, people
from house import Answer, Simulator, until
from ownkey.app.budgets import BudgetBook
from ownkey.routing.scope import Scope

CONSENT, REMEMBER = "x-ownkey-consent", "x-ownkey-consent-remember"
NEW = "brand-new-model"


@pytest.fixture(scope="module")
def here(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    with people(tmp_path_factory.mktemp("consent") / "home", simulator) as found:
        found.ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=asked/v1")
        yield found


def asked(answer: Answer) -> dict[str, Any]:
    assert (answer.status, answer.error["code"]) == (409, "consent_required"), answer.body
    assert answer.headers["x-should-retry"] == "false"
    return answer.error["consent"]


def with_token(consent: dict[str, Any]) -> dict[str, str]:
    return {CONSENT: consent["token"]}


def failing(person: Person) -> tuple[str, str, str]:
    """A provider that fails, one that answers, and both as a model's name."""
    first, second = person.provider("status=503"), person.provider()
    return first, second, f"{first}/gpt-4o,{second}/gpt-4o"


@pytest.mark.row("B15")
@pytest.mark.parametrize("stream", [False, True])
def test_another_provider_is_asked_only_after_a_yes(here: Here, stream: bool) -> None:
    person = here.person(ask=True)
    first, second, model = failing(person)
    consent = asked(person.ask(model, stream=stream))
    (reason,) = consent["reasons"]
    assert (reason["kind"], reason["from"], reason["model"]) == ("switch", first, f"{second}/gpt-4o")
    assert reason["error"] == "upstream_unavailable"
    assert second in reason["says"]
    assert consent["quote"]["model"] == f"{second}/gpt-4o"
    amounts = [float(consent["quote"][name]) for name in ("low_usd", "expected_usd", "most_usd")]
    assert 0 < amounts[0] <= amounts[1] <= amounts[2]
    assert here.running.simulator.seen(second) == []
    yes = person.ask(model, stream=stream, headers=with_token(consent))
    assert (yes.status, yes.headers["x-ownkey-provider"]) == (200, second)
    assert person.ask(model.split(",")[1], stream=stream).status == 200


@pytest.mark.row("B15")
def test_a_provider_that_rests_is_not_passed_over_without_a_yes(here: Here) -> None:
    person = here.person()
    first, second, model = failing(person)
    for _ in range(10):
        assert person.ask(model).status == 200

    def rests() -> bool:
        tried = len(here.running.simulator.seen(first))
        once = person.ask(model).headers["x-ownkey-attempts"] == "1"
        assert once == (len(here.running.simulator.seen(first)) == tried)
        return once

    # Where it was just over it is tried anew, and rests for longer.
    assert any(rests() for _ in range(3)), "it rests by now"
    person.wants(ask=True)
    answered = len(here.running.simulator.seen(second))
    consent = asked(person.ask(model))
    assert consent["reasons"][0]["from"] == first
    assert len(here.running.simulator.seen(second)) == answered


def test_who_does_not_want_to_be_asked_is_not(here: Here) -> None:
    person = here.person()
    _, second, model = failing(person)
    assert person.ask(model).headers["x-ownkey-provider"] == second


def test_three_providers_are_two_questions_and_the_second_token_answers_both(here: Here) -> None:
    person = here.person(ask=True)
    first, second, third = person.provider("status=503"), person.provider("status=503"), person.provider()
    model = f"{first}/gpt-4o,{second}/gpt-4o,{third}/gpt-4o"
    one = asked(person.ask(model))
    two = asked(person.ask(model, headers=with_token(one)))
    (reason,) = two["reasons"]
    assert (reason["from"], reason["model"]) == (first, f"{third}/gpt-4o")
    assert person.ask(model, headers=with_token(two)).headers["x-ownkey-provider"] == third


@pytest.mark.row("B15")
def test_a_stream_that_has_begun_ends_with_one_error_that_asks(here: Here) -> None:
    person = here.person(ask=True)
    first, second = person.provider("cut=40"), person.provider()
    model, carry = f"{first}/gpt-4o,{second}/gpt-4o", {"x-ownkey-carry-on": "yes"}
    answer = person.ask(model, "Say 60 words", carry, stream=True)
    assert answer.status == 200
    assert [json.loads(event).get("error") is None for event in answer.events[:-1]] == [True] * (len(answer.events) - 1)
    error = json.loads(answer.events[-1])["error"]
    assert error["code"] == "consent_required"
    assert here.running.simulator.seen(second) == []
    yes = person.ask(model, "Say 60 words", carry | with_token(error["consent"]), stream=True)
    assert yes.streamed_text.endswith("word60")
    assert len(here.running.simulator.seen(second)) == 1


@pytest.mark.row("B15")
def test_a_price_that_nobody_knows_is_asked_about(here: Here) -> None:
    person = here.person()
    provider = person.key("openai")
    consent = asked(person.ask(f"{provider}/{NEW}"))
    assert [(one["kind"], one["model"]) for one in consent["reasons"]] == [("price_unknown", f"openai/{NEW}")]
    assert consent["quote"]["most_usd"] is None
    assert person.ask(f"{provider}/{NEW}", headers=with_token(consent)).status == 200


def soft(person: Person, provider: str, **terms: Any) -> str:
    id = BudgetBook(person.here.ownkey.house, person.id, only=person.id).set(
        f"of {provider}", provider=provider, **terms
    )
    return id.room.budget.id


def test_a_soft_cap_is_asked_about_and_a_limit_stays(here: Here) -> None:
    person = here.person()
    provider = person.provider()
    budget = soft(person, provider, run_soft="ask", run_soft_usd="0.001", run_hard_tokens=5_000)
    until(lambda: person.ask(f"{provider}/gpt-4o", max_tokens=1_000).status == 409)
    consent = asked(person.ask(f"{provider}/gpt-4o", max_tokens=1_000))
    (reason,) = consent["reasons"]
    assert (reason["kind"], reason["budget"], reason["unit"], reason["cap"]) == ("soft_cap", budget, "usd", 1_000_000)
    assert reason["about"] > 1_000_000
    assert person.ask(f"{provider}/gpt-4o", max_tokens=1_000, headers=with_token(consent)).status == 200
    more = asked(person.ask(f"{provider}/gpt-4o", max_tokens=9_000))
    refused = person.ask(f"{provider}/gpt-4o", max_tokens=9_000, headers=with_token(more))
    assert (refused.status, refused.error["code"]) == (402, "budget_exceeded")


def test_a_yes_to_one_budget_is_none_to_another(here: Here) -> None:
    person = here.person()
    provider = person.provider()
    soft(person, provider, run_soft="ask", run_soft_usd="0.001")
    until(lambda: person.ask(f"{provider}/gpt-4o", max_tokens=1_000).status == 409)
    consent = asked(person.ask(f"{provider}/gpt-4o", max_tokens=1_000))
    BudgetBook(here.ownkey.house, person.id, only=person.id).set("too", limit="0", exhausted="ask")
    until(lambda: len(asked(person.ask(f"{provider}/gpt-4o", max_tokens=1_000))["reasons"]) == 1)
    other = asked(person.ask(f"{provider}/gpt-4o", max_tokens=1_000, headers=with_token(consent)))
    assert [reason["kind"] for reason in other["reasons"]] == ["over_budget"]
    assert person.ask(f"{provider}/gpt-4o", max_tokens=1_000, headers=with_token(other)).status == 200


def test_a_token_of_consent_is_good_for_one_request_of_one_caller_once(here: Here) -> None:
    person, other = here.person(ask=True), here.person(ask=True)
    first, second, model = failing(person)
    other.key(first), other.key(second)
    body = person.body(model)
    consent = asked(person.send(body))
    headers = with_token(consent)
    told = {
        "another owner": other.send(body, headers),
        "another token of the same owner": person.send(body, headers, token=here.token(person.id)),
        "another body": person.send(person.body(model, "Hello!"), headers),
        "another model": person.ask(f"{first}/gpt-4o,{second}/gpt-4o-mini", headers=headers),
        "one letter changed": person.send(
            body, {CONSENT: f"{consent['token'][:-1]}{'A' if consent['token'][-1] != 'A' else 'B'}"}
        ),
        "all": person.send(body, {CONSENT: "all"}),
        "nothing": person.send(body, {CONSENT: ""}),
        "no token at all": person.send(body, {CONSENT: "oc1..."}),
        "too long": person.send(body, {CONSENT: "oc1." + "A" * 9_000 + ".A"}),
    }
    for answer in told.values():
        asked(answer)
        assert "is not good" in answer.error["message"]
    assert here.running.simulator.seen(second) == []
    assert person.send(body, headers).status == 200
    asked(person.send(body, headers))
    assert len(here.running.simulator.seen(second)) == 1


def test_a_yes_is_remembered_where_they_say_so_and_withdrawn_again(here: Here) -> None:
    person = here.person(ask=True)
    first, second, model = failing(person)
    consent = asked(person.ask(model))
    assert person.ask(model, headers=with_token(consent) | {REMEMBER: "yes"}).status == 200
    assert person.ask(model, "Something else").status == 200
    (kept,) = person.browser.ask("GET", "/api/byok/consents").json["consents"]
    assert (kept["kind"], kept["source"], kept["target"]) == ("switch", first, second)
    assert here.person().browser.ask("DELETE", f"/api/byok/consents/{kept['id']}", None).status == 404
    assert person.browser.ask("DELETE", f"/api/byok/consents/{kept['id']}", None).status == 200
    asked(person.ask(model))
    assert person.browser.ask("GET", "/api/byok/consents").json == {"consents": []}


def test_a_limited_token_remembers_nothing_for_its_owner(here: Here) -> None:
    person = here.person(ask=True)
    first, second, model = failing(person)
    limited = here.token(person.id, scope=Scope(providers=(first, second)))
    body = person.body(model)
    consent = asked(person.send(body, token=limited))
    assert person.send(body, with_token(consent) | {REMEMBER: "yes"}, limited).status == 403
    assert person.send(body, with_token(consent), limited).status == 200


@pytest.mark.row("B15")
def test_the_clients_of_openai_anthropic_and_google_raise_it_as_their_own_error(here: Here) -> None:
    person = here.person(ask=True)
    _, second, model = failing(person)
    root, messages = here.running.url.removesuffix("/v1"), [{"role": "user", "content": "Hello"}]
    given: Any = {"model": model, "messages": messages}
    with openai.OpenAI(base_url=here.running.url, api_key=person.token) as client:
        with pytest.raises(openai.ConflictError) as raised:
            client.chat.completions.create(**given)
        body: Any = raised.value.body
        headers = {CONSENT: body["consent"]["token"]}
        assert client.chat.completions.create(**given, extra_headers=headers).choices[0].message.content
        with pytest.raises(openai.ConflictError) as raised:
            client.responses.create(model=model, input="Hello")
        body = raised.value.body
        assert client.responses.create(
            model=model, input="Hello", extra_headers={CONSENT: body["consent"]["token"]}
        ).output_text
    with anthropic.Anthropic(base_url=root, api_key=person.token) as claude:
        with pytest.raises(anthropic.ConflictError) as told:
            claude.messages.create(max_tokens=50, **given)
        body = told.value.body
        headers = {CONSENT: body["error"]["consent"]["token"]}
        assert claude.messages.create(max_tokens=50, **given, extra_headers=headers).content
    google = genai.Client(api_key=person.token, http_options=types.HttpOptions(base_url=root))
    with pytest.raises(errors.ClientError) as failed:
        google.models.generate_content(model=model, contents="Hello", config=types.GenerateContentConfig())
    assert failed.value.code == 409
    details: Any = failed.value.details
    (consent,) = [one["value"]["consent"] for one in details["error"]["details"] if "value" in one]
    config = types.GenerateContentConfig(http_options=types.HttpOptions(headers={CONSENT: consent["token"]}))
    assert google.models.generate_content(model=model, contents="Hello", config=config).text
    assert len(here.running.simulator.seen(second)) == 4


def test_embeddings_are_asked_about_too(here: Here) -> None:
    person = here.person()
    person.key("openai")
    body = json.dumps({"model": "openai/brand-new-embedding", "input": "Hello"}).encode()
    own = {"Authorization": f"Bearer {person.token}", "Content-Type": "application/json"}
    consent = asked(here.running.send("POST", "/v1/embeddings", body, own))
    assert consent["quote"] is None
    answer = here.running.send("POST", "/v1/embeddings", body, own | with_token(consent))
    assert answer.status != 409
