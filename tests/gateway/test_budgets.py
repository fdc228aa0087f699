"""Budgets at the gateway: refused before a byte is sent, shortened, waited for, asked about, or fallen back from."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from openai import APIStatusError, OpenAI

from attempts import exact, hold
from house import KEYS, Answer, Gateway, Simulator, gateway, library, until
from store_asked import ask, settle

INTO, OUT = 2_500, 10_000
"""nano-USD a token, of every simulated provider."""


def budget(served: Gateway, name: str, **given: Any) -> str:
    with library(served.home) as ownkey:
        ownkey.budgets.set(name, **given)
    return name


@pytest.fixture
def provider(served: Gateway) -> Any:
    """A provider of its own, whose budgets are gone when the test is."""
    name = served.provider()
    yield name
    with library(served.home) as ownkey:
        for each in ownkey.budgets.all():
            ownkey.budgets.remove(each.id)


def heard(answer: Answer) -> Answer | None:
    """The answer, if it warns."""
    return answer if "x-ownkey-warning" in answer.headers else None


def sent(served: Gateway, provider: str) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in served.simulator.seen(provider)]


@pytest.mark.row("A11")
@pytest.mark.parametrize("stream", [False, True])
def test_B33_an_exhausted_budget_is_one_402_that_no_client_repeats(
    served: Gateway, provider: str, stream: bool
) -> None:
    budget(served, "nothing", limit="0", per="cycle", anchor_day=15, provider=provider)
    client = OpenAI(base_url=served.url, api_key=served.token, max_retries=5)
    with pytest.raises(APIStatusError) as refused:
        client.chat.completions.create(
            model=f"{provider}/gpt-4o", messages=[{"role": "user", "content": "Hello"}], max_tokens=10, stream=stream
        )
    assert refused.value.status_code == 402
    assert refused.value.code == "budget_exceeded"
    assert "The budget nothing has $0.00 left of $0.00" in refused.value.message
    assert "It begins anew on" in refused.value.message
    assert refused.value.response.headers["x-should-retry"] == "false"
    assert sent(served, provider) == []


def test_a_large_budget_says_its_amounts_as_people_write_them(served: Gateway, provider: str) -> None:
    large = budget(served, "large", limit="2345678.90", per="ever", provider=provider)
    with library(served.home) as ownkey:
        now_ms = time.time_ns() // 1_000_000
        given = hold(owner=ownkey.owner, provider=provider, held_nano=2_345_678_900_000_000, started_at_ms=now_ms)
        assert ask(ownkey.house.store, given) == [given]
        settle(ownkey.house.store, exact(given.id, given.held_nano, ended_at_ms=now_ms))
    refused = served.ask(f"{provider}/gpt-4o").error
    says = f"The budget {large} has $0.00 left of $2,345,678.90 ($2,345,678.90 taken)"
    assert says in refused["message"]


@pytest.mark.row("B11")
def test_where_nobody_said_how_long_the_answer_may_be_it_is_as_long_as_the_budget_pays_for(
    served: Gateway, provider: str
) -> None:
    budget(served, "generous", limit="100", per="month", provider=provider)

    def cap() -> int | None:
        assert served.ask(f"{provider}/gpt-4o").status == 200
        return sent(served, provider)[-1].get("max_tokens")

    # What the budgets say of a run before it is held is read once a second.
    assert until(cap) == 16_384
    spent = sum(row.cost_nano for row in served.rows(provider))
    budget(served, "tight", limit="0.03", per="day", provider=provider)
    tight = cap()
    assert tight is not None
    assert 256 <= tight < 3_000
    held = served.rows(provider)[-1].held_nano
    assert tight * OUT < held <= 30_000_000 - spent
    assert held > 0.9 * (30_000_000 - spent)


@pytest.mark.row("B11")
def test_B19_a_cap_that_was_asked_for_is_kept_and_refused_where_it_does_not_fit(served: Gateway, provider: str) -> None:
    budget(served, "run", provider=provider, run_hard_tokens="4000")
    answer = served.ask(f"{provider}/gpt-4o", max_tokens=999_999_999)
    assert answer.status == 402
    assert "4,000 tokens" in answer.error["message"]
    assert served.ask(f"{provider}/gpt-4o", max_tokens=100).status == 200
    assert served.ask(f"{provider}/gpt-4o").status == 200
    asked, unasked = (body["max_tokens"] for body in sent(served, provider))
    assert asked == 100
    assert 256 <= unasked < 2_000


@pytest.mark.row("B11")
def test_a_soft_cap_warns_or_asks(served: Gateway, provider: str) -> None:
    budget(served, "soft", provider=provider, run_soft_tokens="500")
    assert "x-ownkey-warning" not in served.ask(f"{provider}/gpt-4o", max_tokens=100).headers
    # Budgets that only advise are read once a second.
    warned = until(lambda: heard(served.ask(f"{provider}/gpt-4o", max_tokens=1_000)))
    assert "more than the 500 tokens that the budget soft thinks usual" in warned.headers["x-ownkey-warning"]
    budget(served, "soft", run_soft="ask", run_soft_usd="0.001", run_soft_tokens=None)
    until(lambda: served.ask(f"{provider}/gpt-4o", max_tokens=1_000).status == 409)
    asked = served.ask(f"{provider}/gpt-4o", max_tokens=1_000)
    assert asked.error["code"] == "consent_required"
    yes = served.ask(f"{provider}/gpt-4o", max_tokens=1_000, headers={"x-ownkey-accept-over-budget": "yes"})
    assert yes.status == 200
    assert "$0.001" in yes.headers["x-ownkey-warning"]


def test_a_budget_that_asks_is_passed_only_by_who_says_yes(served: Gateway, provider: str) -> None:
    budget(served, "asks", limit="0.01", per="day", provider=provider, exhausted="ask")
    asked = served.ask(f"{provider}/gpt-4o", max_tokens=5_000)
    assert (asked.status, asked.error["code"]) == (409, "consent_required")
    assert "x-ownkey-accept-over-budget: yes" in asked.error["message"]
    yes = served.ask(f"{provider}/gpt-4o", max_tokens=5_000, headers={"x-ownkey-accept-over-budget": "yes"})
    assert yes.status == 200


@pytest.mark.row("A12")
def test_U19_an_exhausted_budget_falls_back_to_what_still_fits(served: Gateway, provider: str) -> None:
    other = served.provider()
    budget(served, "empty", limit="0", provider=provider, exhausted="fall_back")
    answer = served.ask(f"{provider}/gpt-4o,{other}/gpt-4o", max_tokens=10)
    assert answer.status == 200
    assert answer.headers["x-ownkey-provider"] == other
    assert sent(served, provider) == []
    budget(served, "empty too", limit="0", provider=other, exhausted="fall_back")
    refused = served.ask(f"{provider}/gpt-4o,{other}/gpt-4o", max_tokens=10)
    assert refused.status == 402
    assert "empty too" in refused.error["message"]
    budget(served, "empty", exhausted="refuse")
    budget(served, "empty too", limit="5")
    assert served.ask(f"{provider}/gpt-4o,{other}/gpt-4o", max_tokens=10).status == 402


@pytest.mark.row("B11")
def test_a_budget_of_one_model_counts_its_runs_only_and_leaves_the_others_of_its_provider(
    served: Gateway, provider: str
) -> None:
    dear, other = f"{provider}/gpt-4o", f"{provider}/gpt-4o-mini"
    budget(served, "dear", limit="0", model=dear, exhausted="fall_back")
    assert served.ask(dear, max_tokens=10).error["code"] == "budget_exceeded"
    assert served.ask(other, max_tokens=10).status == 200
    assert served.ask(f"{served.provider()}/gpt-4o", max_tokens=10).status == 200
    answer = served.ask(f"{dear},{other}", max_tokens=10)
    assert (answer.status, answer.headers["x-ownkey-model"]) == (200, "gpt-4o-mini")
    budget(served, "dear", limit="1")
    assert served.ask(dear, max_tokens=10).status == 200
    (row,) = (row for row in served.rows(provider) if row.model == "gpt-4o" and row.cost_nano)
    with library(served.home) as ownkey:
        (room,) = (room for room in ownkey.budgets.rooms() if room.budget.name == "dear")
        assert (room.spent, room.pending) == (row.cost_nano, 0)
        assert ownkey.budgets.wrong() == 0


@pytest.mark.row("B11")
def test_what_was_kept_under_a_name_that_the_book_never_has_holds_from_the_next_start_on(
    simulator: Simulator, tmp_path: Path
) -> None:
    home, model, dated = tmp_path / "home", "anthropic/claude-opus-4-5", "claude-opus-4-5-20251101"
    with library(home) as ownkey:
        ownkey.providers.set("anthropic", endpoint=f"{simulator.url}/fault/name=kept-under/v1")
        ownkey.keys.set("anthropic", KEYS["anthropic"])
        ann = ownkey.people.add("Ann", "ann@example.com").id
        dear = ownkey.budgets.set("dear", limit="0", model=model).room.budget
        hers = ownkey.budgets.set("hers", limit="1", owner=ann).room.budget
        ownkey.limits.set("model", model, parallel=3)
        (rule,) = ownkey.house.store.limits.all()
        store = ownkey.house.store
        store.budgets.set(structs.replace(dear, model=dated))
        store.budgets.set(structs.replace(hers, owner="ann@example.com"))
        store.limits.set(structs.replace(rule, name=f"anthropic/{dated}"))
    with gateway(home, simulator) as served:
        assert served.ask(model, max_tokens=10).error["code"] == "budget_exceeded"
    with library(home) as ownkey:
        assert {budget.id: budget for budget in ownkey.budgets.all()} == {dear.id: dear, hers.id: hers}
        assert ownkey.house.store.limits.all() == [rule]


def test_a_budget_of_a_token_and_of_an_automation_counts_their_runs_only(served: Gateway, provider: str) -> None:
    budget(served, "nightly", limit="0", automation="nightly report")
    assert served.ask(f"{provider}/gpt-4o", max_tokens=10).status == 200
    refused = served.ask(f"{provider}/gpt-4o", max_tokens=10, headers={"x-ownkey-automation": "nightly report"})
    assert refused.status == 402
    with library(served.home) as ownkey:
        own = next(row for row in ownkey.house.tokens.listed() if row.name.startswith(f"tests-{served.port}"))
        ownkey.budgets.set("token", limit="0", token=own.name)
    assert served.ask(f"{provider}/gpt-4o", max_tokens=10).status == 402
    for bad in ("", "x" * 200, "caf\u00e9"):
        answer = served.ask(f"{provider}/gpt-4o", headers={"x-ownkey-automation": bad})
        assert (answer.status, answer.error["code"]) == (422, "invalid_request"), bad


def test_B14_an_unknown_price_is_refused_where_a_budget_in_dollars_applies(served: Gateway, provider: str) -> None:
    yes = {"x-ownkey-accept-unknown-price": "yes"}
    model, before = "openai/never-heard-of", len(served.simulator.seen("openai"))
    budget(served, "dollars", limit="100", provider="openai")
    for headers in ({}, yes):
        answer = served.ask(model, headers=headers)
        assert (answer.status, answer.error["code"]) == (402, "budget_exceeded"), answer.body
        assert "not known" in answer.error["message"]
    assert len(served.simulator.seen("openai")) == before


def test_a_run_waits_for_room_that_another_run_has_pending(served: Gateway, provider: str) -> None:
    slow = served.provider("delay=0.5")
    budget(served, "narrow", limit="0.05", per="day", automation="waits")
    answers: list[Answer] = []

    def ask(name: str) -> None:
        answers.append(
            served.ask(f"{name}/gpt-4o", max_tokens=4_000, stream=True, headers={"x-ownkey-automation": "waits"})
        )

    threads = [threading.Thread(target=ask, args=(name,)) for name in (slow, slow, provider)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [answer.status for answer in answers] == [200] * 3


def test_every_door_and_operation_is_refused_alike(served: Gateway) -> None:
    budget(served, "all", limit="0", automation="matrix")
    own = served.own | {"x-ownkey-automation": "matrix"}
    user = [{"role": "user", "content": "Hello"}]
    bodies: dict[str, dict[str, Any]] = {
        "/v1/chat/completions": {"model": "openai/gpt-4o", "messages": user},
        "/v1/responses": {"model": "openai/gpt-4o", "input": "Hello"},
        "/v1/messages": {"model": "openai/gpt-4o", "messages": user, "max_tokens": 10},
        "/v1beta/models/openai/gpt-4o:generateContent": {"contents": [{"parts": [{"text": "Hello"}]}]},
        "/v1beta/models/openai/gpt-4o:streamGenerateContent": {"contents": [{"parts": [{"text": "Hello"}]}]},
        "/v1/embeddings": {"model": "openai/text-embedding-3-small", "input": "Hello"},
        "/v1/images/generations": {"model": "openai/gpt-image-1", "prompt": "A key"},
    }
    before = len(served.simulator.seen("openai"))
    for path, body in bodies.items():
        answer = served.send("POST", path, json.dumps(body).encode(), own)
        assert answer.status == 402, (path, answer.body)
        assert "The budget all" in answer.body.decode(), path
    assert len(served.simulator.seen("openai")) == before
    with library(served.home) as ownkey:
        ownkey.budgets.remove("all")
