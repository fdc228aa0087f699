"""What models can do, asked for in one form and carried to every provider: what was sent stands in what they got."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from canaries import canary
from house import Answer, Gateway, Simulator, gateway, library, until
from inside import Inside, inside
from ownkey import Ownkey
from recordings import records
from replay import Replay, replay

MODELS = {
    "openai": "openai/gpt-5",
    "anthropic": "anthropic/claude-sonnet-4-5",
    "gemini": "gemini/gemini-2.5-pro",
}
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(60)).decode()
PDF = base64.b64encode(b"%PDF-1.4\n" + bytes(60)).decode()
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def asked(served: Gateway, provider: str, content: Any, **fields: Any) -> tuple[Answer, str]:
    """The answer, and what the provider got."""
    messages = [{"role": "user", "content": content}]
    body = json.dumps({"model": MODELS[provider], "messages": messages, **fields}).encode()
    answer = served.send("POST", "/v1/chat/completions", body, served.own)
    assert answer.status == 200, answer.body
    return answer, served.simulator.seen(provider)[-1].body.decode()


@pytest.mark.row("C2")
@pytest.mark.parametrize("provider", MODELS)
def test_a_chat_is_answered_by_every_provider(served: Gateway, provider: str) -> None:
    answer, sent = asked(served, provider, "Say it in four words.", max_tokens=64)
    assert answer.text
    assert "Say it in four words." in sent
    assert answer.json["usage"]["completion_tokens"] > 0


@pytest.mark.row("C2")
@pytest.mark.parametrize("provider", MODELS)
def test_pictures_are_seen(served: Gateway, provider: str) -> None:
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
    ]
    answer, sent = asked(served, provider, parts, max_tokens=64)
    assert answer.text
    assert PICTURE in sent
    assert "image/png" in sent


@pytest.mark.row("C2")
@pytest.mark.parametrize("provider", MODELS)
def test_documents_and_pictures_go_together(served: Gateway, provider: str) -> None:
    parts = [
        {"type": "file", "file": {"filename": "report.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
        {"type": "text", "text": "Is the picture in the report?"},
    ]
    answer, sent = asked(served, provider, parts, max_tokens=64)
    assert answer.text
    assert PDF in sent
    assert PICTURE in sent
    assert sent.index(PDF) < sent.index(PICTURE) < sent.index("Is the picture in the report?")


@pytest.mark.row("C2")
@pytest.mark.parametrize("provider", MODELS)
def test_functions_are_called(served: Gateway, provider: str) -> None:
    answer, sent = asked(served, provider, "Please use all tools.", tools=[TOOL], max_tokens=64)
    (call,) = answer.json["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert "city" in json.loads(call["function"]["arguments"])
    assert '"get_weather"' in sent


@pytest.mark.row("C2")
@pytest.mark.parametrize("provider", MODELS)
def test_reasoning_is_asked_for_in_each_providers_own_words(served: Gateway, provider: str) -> None:
    _, sent = asked(served, provider, "Think it over.", reasoning_effort="high", max_tokens=8_000)
    told = json.loads(sent)
    if provider == "openai":
        assert told["reasoning_effort"] == "high"
    elif provider == "anthropic":
        assert told["thinking"]["type"] == "enabled"
        assert 1_024 <= told["thinking"]["budget_tokens"] < told["max_tokens"]
    else:
        assert told["generationConfig"]["thinkingConfig"]["thinkingBudget"] > 0


@pytest.mark.row("C2")
@pytest.mark.parametrize("provider", MODELS)
def test_a_long_context_arrives_whole(served: Gateway, provider: str) -> None:
    text = " ".join(f"word{number}" for number in range(60_000))
    answer, sent = asked(served, provider, text, max_tokens=64)
    assert answer.text
    assert text in sent


# xAI, Search tools (Responses): the search runs there; what it read stands beside what it says. Measured as recorded.
SEARCHED = json.dumps(
    {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_786_400_864,
        "model": "grok-4.3",
        "status": "completed",
        "output": [
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [
                    {
                        "type": "output_text",
                        "text": "It is 4.0.6.[[1]](https://example.com/downloads)",
                        "annotations": [
                            {"type": "url_citation", "url": "https://example.com/downloads", "start_index": 12,
                             "end_index": 48, "title": "1"}
                        ],
                    }
                ],
            },
        ],
        "usage": {
            "input_tokens": 5913, "input_tokens_details": {"cached_tokens": 2048},
            "output_tokens": 364, "output_tokens_details": {"reasoning_tokens": 263}, "total_tokens": 6277,
            "num_server_side_tools_used": 1, "server_side_tool_usage_details": {"web_search_calls": 1},
        },
    }
).encode()  # fmt: skip


class Made:
    """One of our own making, in the form of a recording."""

    id, status, streaming, response_body = "made", 200, False, SEARCHED
    response_headers: dict[str, str] = {}  # noqa: RUF012


FOUND = [one for one in records("xai", "responses") if "citations" in one.tags and not one.streaming]


@pytest.fixture(scope="module")
def xai(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Inside, Replay]]:
    home = tmp_path_factory.mktemp("xai") / "home"
    ownkey = Ownkey(home, keychain=False)
    with inside(ownkey, simulator) as here:
        server: Replay = here.run(replay([Made(), *FOUND]))
        ownkey.house.private_hosts.settle({("127.0.0.1", server.port)})
        here.gateway.token = ownkey.house.tokens.create("owner", "xai")[1].reveal().decode()
        yield here, server
        here.run(server.aclose())


@pytest.mark.row("C2")
@pytest.mark.parametrize("found", [Made(), *FOUND], ids=lambda one: one.id)
def test_xais_live_search_is_asked_about_runs_with_consent_and_keeps_its_citations(
    xai: tuple[Inside, Replay], found: Any
) -> None:
    here, server = xai
    ownkey, gateway_ = here.ownkey, here.gateway
    ownkey.providers.set("xai", endpoint=server.base(found))
    ownkey.keys.set("xai", canary("xai", "xai-"), force=True)
    ownkey.house.targets.settle(ownkey.settings.order, ownkey.settings.fallback)
    asked = {"model": "xai/grok-4.3", "input": "What is the latest version?", "tools": [{"type": "web_search"}]}
    body = json.dumps(asked).encode()
    refused = gateway_.send("POST", "/v1/responses", body, gateway_.own)
    assert (refused.status, refused.error["code"], refused.error["param"]) == (409, "consent_required", "tools")
    yes = {"x-ownkey-accept-unknown-price": "yes"}
    answer = gateway_.send("POST", "/v1/responses", body, gateway_.own | yes)
    assert answer.status == 200, answer.body
    sent = json.loads(server.log[-1].body)
    assert (sent["tools"], sent["model"]) == ([{"type": "web_search"}], "grok-4.3")
    told, said = answer.json, json.loads(found.response_body)
    assert told["output"] == said["output"]
    assert [one for part in told["output"][-1]["content"] for one in part["annotations"]]
    assert told["usage"] == said["usage"]
    here.settle()
    row = ownkey.house.store.book.rows(provider="xai", limit=1)[0]
    assert (row.state, row.priced, row.input_tokens) == ("exact", False, said["usage"]["input_tokens"])


@pytest.mark.row("C2")
@pytest.mark.parametrize("field", ["tools", "search_parameters"])
def test_a_search_is_refused_where_a_budget_in_dollars_applies(xai: tuple[Inside, Replay], field: str) -> None:
    """Both forms: the present one, and the one before it (xAI, Live search: ended on 12 January 2026)."""
    here, server = xai
    here.ownkey.budgets.set("xai", limit="5", provider="xai")
    before = len(server.log)
    fields = {"tools": [{"type": "web_search"}], "search_parameters": {"mode": "on"}}
    refused = until(
        lambda: one
        if (one := here.gateway.ask(
            "xai/grok-4.3", headers={"x-ownkey-accept-unknown-price": "yes"}, **{field: fields[field]}
        )).status == 402
        else None
    )  # fmt: skip
    assert refused.error["code"] == "budget_exceeded"
    assert here.ownkey.budgets.remove("xai")
    assert len(server.log) - before <= 2


@pytest.mark.row("A12")
@pytest.mark.row("A6")
def test_a_budget_that_runs_out_between_two_runs_moves_the_second_by_itself(
    simulator: Simulator, tmp_path: Path
) -> None:
    """Of one provider; the limit over all holds whoever is asked."""
    with gateway(tmp_path / "home", simulator) as served, library(served.home) as ownkey:
        first, second = served.provider(), served.provider()
        both = f"{first}/gpt-4o,{second}/gpt-4o"
        ownkey.budgets.set("first", limit="0.011", provider=first, exhausted="fall_back")
        asked = {"max_tokens": 500}
        answers = [served.ask(both, **asked) for _ in range(12)]
        assert [answer.status for answer in answers] == [200] * 12
        by = [answer.headers["x-ownkey-provider"] for answer in answers]
        assert by[0] == first
        assert by[-1] == second
        assert by == sorted(by, key=(first, second).index)
        spent = sum(row.cost_nano for row in served.rows(first))
        assert 0 < spent <= 11_000_000
        ownkey.budgets.set("all", limit="0", per="day")
        refused = served.ask(both, **asked)
        assert (refused.status, refused.error["code"], refused.error["kind"]) == (
            402,
            "budget_exceeded",
            "CLIENT_ERROR",
        )
        # Written without keeping the request waiting.
        assert until(lambda: [row for row in ownkey.audit.listed(limit=200) if row.action == "fallback.triggered"])
