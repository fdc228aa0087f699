"""What a person wants takes effect where their requests say nothing else, and for nobody but them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from consenting import Here, Person, people
from house import PRICE, Simulator, environment, run, until, write_provider
from ownkey.app.budgets import BudgetBook
from ownkey.app.preferences import PreferenceBook

PREFERENCES = "/api/byok/preferences"
HISTORY = "/api/byok/history"
DATED = "claude-opus-4-5-20251101"
TERMS = "/api/byok/history-terms"


@pytest.fixture(scope="module")
def here(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    with people(tmp_path_factory.mktemp("preferences") / "home", simulator) as found:
        for name in ("openai", "anthropic"):
            found.ownkey.providers.set(name, endpoint=f"{simulator.url}/fault/name={name}/v1")
        yield found


@pytest.fixture
def person(here: Here) -> Person:
    """With keys for OpenAI and Anthropic."""
    made = here.person()
    made.key("openai"), made.key("anthropic")
    return made


def who(person: Person, model: str = "auto") -> str:
    answer = person.ask(model, max_tokens=50)
    assert answer.status == 200, answer.body
    return f"{answer.headers['x-ownkey-provider']}/{answer.headers['x-ownkey-model']}"


@pytest.mark.row("C4")
@pytest.mark.row("E4")
def test_they_are_got_set_and_updated(person: Person) -> None:
    nothing = person.browser.get(PREFERENCES).json
    assert (nothing["provider"], nothing["auto_switch"], nothing["low_quota"], nothing["ask"]) == (
        None,
        True,
        True,
        False,
    )
    wanted = {"provider": "anthropic", "models": {"openai": "gpt-4o"}, "max_tokens": 90, "store_history": True}
    put = person.browser.ask("PUT", PREFERENCES, wanted).json
    assert put == nothing | wanted == person.browser.get(PREFERENCES).json
    patched = person.browser.ask("PATCH", PREFERENCES, {"max_tokens": None, "ask": True}).json
    assert patched == put | {"max_tokens": None, "ask": True}
    assert person.browser.ask("PUT", PREFERENCES, {}).json == nothing


@pytest.mark.parametrize(
    "wanted",
    [
        {"provider": "nobody"},
        {"fallback": "nobody/gpt-4o"},
        {"preferred": ["gpt-4o"]},
        {"preferred": ["openai/"]},
        {"models": {"nobody": "gpt-4o"}},
        {"models": {"openai": "a,b"}},
        {"max_tokens": 0},
        {"max_tokens": 2**31},
        {"ask": "yes"},
        {"colour": "blue"},
    ],
)
def test_what_cannot_be_wanted_is_refused_and_changes_nothing(person: Person, wanted: dict[str, object]) -> None:
    before = person.browser.get(PREFERENCES).json
    for method in ("PUT", "PATCH"):
        assert person.browser.ask(method, PREFERENCES, wanted).status == 422
    assert person.browser.get(PREFERENCES).json == before


@pytest.mark.row("C4")
def test_the_default_provider_and_preferred_models_lead_where_auto_chooses(here: Here, person: Person) -> None:
    assert who(person).startswith("openai/")
    person.wants(provider="anthropic")
    assert who(person).startswith("anthropic/")
    person.wants(preferred=["openai/gpt-4o-mini", "openai/gpt-4o"])
    assert who(person) == "openai/gpt-4o-mini"
    assert who(person, "anthropic/claude-sonnet-4-5") == "anthropic/claude-sonnet-4-5"
    other = here.person()
    other.key("openai"), other.key("anthropic")
    assert who(other).startswith("openai/")


@pytest.mark.row("C4")
def test_a_local_provider_leads_where_it_is_wanted(here: Here, person: Person) -> None:
    local = person.provider()
    person.wants(provider=local)
    assert who(person) == f"{local}/gpt-4o"


@pytest.mark.row("E4")
def test_the_model_of_a_provider_is_theirs(here: Here, person: Person) -> None:
    person.wants(models={"openai": "gpt-4o-mini"})
    assert who(person, "openai") == who(person) == "openai/gpt-4o-mini"


@pytest.mark.row("B11")
@pytest.mark.parametrize("model", ["anthropic", "auto", f"anthropic/{DATED}"])
def test_by_whichever_of_its_names_it_is_wanted_a_model_falls_under_its_budget(here: Here, model: str) -> None:
    person = here.person(models={"anthropic": DATED})
    person.key("anthropic")
    book = BudgetBook(here.ownkey.house, person.id, only=person.id)
    book.set("dear", limit="0", model="anthropic/claude-opus-4-5", exhausted="refuse")
    answer = person.ask(model, max_tokens=50)
    assert (answer.status, answer.error["code"]) == (402, "budget_exceeded")
    book.set("dear", limit="5")
    assert who(person, model) == "anthropic/claude-opus-4-5"


@pytest.mark.row("C4")
def test_the_fallback_is_asked_last_and_nobody_where_there_is_no_switching(here: Here, person: Person) -> None:
    broken, spare = person.provider("status=503"), person.provider()
    assert person.ask(f"{broken}/gpt-4o").status == 503 or person.ask(f"{broken}/gpt-4o").status == 502
    person.wants(fallback=spare)
    assert who(person, f"{broken}/gpt-4o") == f"{spare}/gpt-4o"
    person.wants(auto_switch=False)
    assert person.ask(f"{broken}/gpt-4o,{spare}/gpt-4o").status in (502, 503)
    assert len(here.running.simulator.seen(spare)) == 1


@pytest.mark.row("C4")
def test_the_cheapest_is_asked_first_where_cost_counts(here: Here, person: Person) -> None:
    names = ["openai/gpt-4o", "anthropic/claude-sonnet-4-5", "openai/gpt-4o-mini"]
    person.wants(preferred=names, models={"openai": "gpt-4o", "anthropic": "claude-sonnet-4-5"})
    assert who(person) == "openai/gpt-4o"
    person.wants(cheapest=True)
    assert who(person) == "openai/gpt-4o-mini"


@pytest.mark.row("C4")
@pytest.mark.parametrize("wire", ["openai-chat", "anthropic-messages"])
def test_the_longest_answer_of_a_request_is_capped(here: Here, person: Person, wire: str) -> None:
    provider = person.key(write_provider(here.running.home, here.running.simulator, wire=wire))
    person.wants(max_tokens=7)
    capped = person.ask(f"{provider}/gpt-4o", "Say 60 words", max_tokens=50)
    assert "7 tokens" in capped.headers["x-ownkey-warning"]
    person.ask(f"{provider}/gpt-4o", "Say 60 words")
    person.ask(f"{provider}/gpt-4o", "Say 60 words", max_tokens=5)
    sent = [json.loads(one.body) for one in here.running.simulator.seen(provider)]
    assert [body.get("max_tokens") or body.get("max_completion_tokens") for body in sent] == [7, 7, 5]
    rows = here.running.rows(provider)
    assert all(
        row.held_nano < 3_000 * float(PRICE["input"]) * 1_000 + 7 * float(PRICE["output"]) * 1_000 for row in rows
    )


@pytest.mark.row("C4")
def test_several_answers_share_the_cap(here: Here, person: Person) -> None:
    provider = person.provider()
    person.wants(max_tokens=100)
    person.ask(f"{provider}/gpt-4o", n=4, max_tokens=60)
    (seen,) = here.running.simulator.seen(provider)
    sent = json.loads(seen.body)
    assert (sent.get("max_tokens") or sent.get("max_completion_tokens")) == 25


@pytest.mark.row("C4")
def test_who_wants_no_alerts_of_low_quota_is_told_of_none(here: Here, person: Person) -> None:
    provider = person.provider()
    BudgetBook(here.ownkey.house, person.id, only=person.id).set(
        "little", limit="1", unit="requests", provider=provider
    )
    alerts = "/api/byok/alerts"
    assert who(person, f"{provider}/gpt-4o")
    assert here.running.rows(provider)
    assert [one["kind"] for one in person.browser.get(alerts).json["alerts"]] == ["budget_threshold"] * 2
    person.wants(low_quota=False)
    assert person.browser.get(alerts).json["alerts"] == []
    person.wants(low_quota=True)
    assert len(person.browser.get(alerts).json["alerts"]) == 2


def switched(here: Here, person: Person, how: str, value: bool) -> None:
    if how == "api":
        person.wants(store_history=value)
    elif how == "library":
        PreferenceBook(here.ownkey.house, person.id).update(store_history=value)
    else:
        words = ("set", "store_history", "yes") if value else ("unset", "store_history")
        done = run(environment(here.running.home), "preferences", *words, "--user", person.id)
        assert done.returncode == 0, done.stderr


def shown(here: Here, person: Person) -> set[bool]:
    """What each says of it that can be asked."""
    told = run(environment(here.running.home), "preferences", "show", "--user", person.id, "--json")
    return {
        person.browser.get(PREFERENCES).json["store_history"],
        person.browser.get(TERMS).json["keep"],
        PreferenceBook(here.ownkey.house, person.id).get().store_history,
        json.loads(told.stdout)["store_history"],
    }


@pytest.mark.row("C4")
@pytest.mark.parametrize("how", ["api", "cli", "library"])
def test_a_chat_is_kept_once_that_is_wanted_and_not_after_it_is_not(here: Here, person: Person, how: str) -> None:
    def kept() -> int:
        assert person.ask("openai/gpt-4o").status == 200
        return len(person.browser.get(HISTORY).json["entries"])

    assert (kept(), shown(here, person)) == (0, {False})
    switched(here, person, how, True)
    assert shown(here, person) == {True}
    count = until(kept)  # another process knows it within a second
    switched(here, person, how, False)
    assert (kept(), shown(here, person)) == (count, {False})


def test_history_that_is_switched_on_again_keeps_as_long_as_was_said(person: Person) -> None:
    terms = TERMS
    assert person.browser.ask("PUT", terms, {"keep": True, "days": 9}).status == 200
    assert person.browser.get(PREFERENCES).json["store_history"] is True
    person.wants(max_tokens=40)
    assert person.browser.get(terms).json["keep"] is True
    person.wants(store_history=False)
    person.wants(store_history=True)
    assert (person.browser.get(terms).json["keep"], person.browser.get(terms).json["days"]) == (True, 9)
