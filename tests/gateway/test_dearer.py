"""Fields that change the price: held at the dearest they can become, charged as they were answered, or asked about."""

from __future__ import annotations

import json
from typing import Any

import pytest

from house import Gateway

ACCEPT = {"x-ownkey-accept-unknown-price": "yes"}
# gpt-4o by the price catalogue, nano-USD a token: plain, and priority.
PLAIN, PRIORITY = (2_500, 10_000), (4_250, 17_000)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("tier", "held_dearer", "charged_dearer"),
    [
        (None, False, False),
        ("default", False, False),
        ("flex", False, False),
        ("auto", True, False),
        ("priority", True, True),
    ],
)
def test_a_tier_is_held_at_its_dearest_and_charged_as_it_was_answered(
    served: Gateway, tier: str | None, held_dearer: bool, charged_dearer: bool, stream: bool
) -> None:
    asked = {} if tier is None else {"service_tier": tier}
    answer = served.ask("openai/gpt-4o", max_tokens=50, stream=stream, **asked)
    assert answer.status == 200, answer.body
    row = served.rows("openai")[-1]
    sent = json.loads(served.simulator.seen("openai")[-1].body)
    assert sent.get("service_tier") == tier
    plain, priority = (row.input_tokens * into + row.output_tokens * out for into, out in (PLAIN, PRIORITY))
    assert (row.state, row.cost_nano) == ("exact", priority if charged_dearer else plain)
    size = len(served.simulator.seen("openai")[-1].body) + 2_048
    into, out = PRIORITY if held_dearer else PLAIN
    assert row.held_nano == size * into + 50 * out
    assert ("priority" in json.loads(row.price)) is held_dearer


@pytest.mark.parametrize(
    ("model", "fields", "param"),
    [
        ("openai/gpt-4o", {"web_search_options": {}}, "web_search_options"),
        ("openai/gpt-4o", {"tools": [{"type": "web_search"}]}, "tools"),
        ("openai/gpt-4o", {"modalities": ["text", "audio"], "audio": {"voice": "alloy"}}, "modalities"),
        ("openai/gpt-4o", {"plugins": [{"id": "web"}]}, "plugins"),
        ("openai/gpt-4o", {"provider": {"sort": "throughput"}}, "provider"),
        ("openai/gpt-4o", {"service_tier": "ultrafast"}, "service_tier"),
        ("openai/o1", {"service_tier": "priority"}, "service_tier"),
        ("openai/gpt-4o-mini-search-preview", {}, "model"),
    ],
)
def test_what_nothing_bounds_is_asked_about_and_sent_to_nobody(
    served: Gateway, model: str, fields: dict[str, Any], param: str
) -> None:
    before = len(served.simulator.seen("openai"))
    answer = served.ask(model, **fields)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (409, "consent_required", param)
    assert f"`{param}`" in answer.error["message"]
    assert "x-ownkey-accept-unknown-price: yes" in answer.error["message"]
    assert answer.headers["x-should-retry"] == "false"
    assert "retry-after" not in answer.headers
    assert len(served.simulator.seen("openai")) == before


@pytest.mark.parametrize("fields", [{"web_search_options": {}}, {"service_tier": "ultrafast"}])
def test_with_consent_it_goes_through_and_its_cost_is_said_to_be_unknown(
    served: Gateway, fields: dict[str, Any]
) -> None:
    answer = served.ask("openai/gpt-4o", headers=ACCEPT, **fields)
    assert answer.status == 200, answer.body
    assert "x-ownkey-cost-usd" not in answer.headers
    assert not served.rows("openai")[-1].priced
    assert fields.items() <= json.loads(served.simulator.seen("openai")[-1].body).items()


def test_a_provider_that_costs_nothing_is_not_asked_about(served: Gateway) -> None:
    answer = served.ask("demo", plugins=[{"id": "web"}], service_tier="priority")
    assert answer.status == 200, answer.body
