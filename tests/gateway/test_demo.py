"""What answers with no key and no token, and what asks for one."""

from __future__ import annotations

import json

import pytest

from house import CHAT, USER, Gateway

PLAIN = {"Content-Type": "application/json"}


def test_the_demo_answers_with_no_key_and_no_token(served: Gateway) -> None:
    answer = served.send("POST", CHAT, json.dumps({"model": "demo", "messages": USER}).encode(), PLAIN)
    assert answer.status == 200
    assert "Hello" in answer.text
    assert "demo" in answer.text
    assert answer.headers["x-ownkey-provider"] == "demo"
    assert answer.headers["x-ownkey-cost-usd"] == "0.00"


def test_the_demo_streams_with_no_key_and_no_token(served: Gateway) -> None:
    asked = {"model": "demo", "messages": USER, "stream": True}
    answer = served.send("POST", CHAT, json.dumps(asked).encode(), PLAIN)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.events[-1] == "[DONE]"
    assert len(answer.events) > 10
    assert "Hello" in answer.streamed_text


@pytest.mark.parametrize("model", ["openai/gpt-4o", "gpt-4o", "auto", " auto ", ",", "nobody/x", "demo,openai/gpt-4o"])
@pytest.mark.parametrize("stream", [False, True])
def test_A01_anything_else_without_a_token_is_401_and_says_what_to_do(
    served: Gateway, model: str, stream: bool
) -> None:
    before = len(served.simulator.seen("openai"))
    asked = {"model": model, "messages": USER, "stream": stream}
    answer = served.send("POST", CHAT, json.dumps(asked).encode(), PLAIN)
    assert answer.status == 401
    assert answer.error["code"] == "invalid_api_key"
    assert "ownkey tokens create" in answer.error["message"]
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["x-should-retry"] == "false"
    assert len(served.simulator.seen("openai")) == before


@pytest.mark.parametrize(
    "header",
    [
        {"Authorization": "Bearer ok-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic b2s6b2s="},
        {"Authorization": "Bearer ok-'; DROP TABLE tokens; --"},
        {"x-api-key": "sk-somebody-elses-key-000000"},
        {"x-goog-api-key": "ok-%00"},
        {"Authorization": "Bearer " + "a" * 30_000},
    ],
)
def test_A02_a_token_that_is_not_known_is_401_even_for_the_demo(served: Gateway, header: dict[str, str]) -> None:
    answer = served.send("POST", CHAT, json.dumps({"model": "demo", "messages": USER}).encode(), PLAIN | header)
    assert answer.status == 401
    assert answer.error["code"] == "invalid_api_key"
    assert next(iter(header.values())).split(" ")[-1][:12] not in answer.body.decode() or header == {
        "Authorization": "Bearer "
    }


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "x-goog-api-key"])
def test_A04_a_token_opens_the_same_in_each_of_its_headers(served: Gateway, name: str) -> None:
    value = f"Bearer {served.token}" if name == "Authorization" else served.token
    asked = json.dumps({"model": "openai/gpt-4o", "messages": USER}).encode()
    assert served.send("POST", CHAT, asked, PLAIN | {name: value}).status == 200


def test_two_different_tokens_are_401(served: Gateway) -> None:
    asked = json.dumps({"model": "openai/gpt-4o", "messages": USER}).encode()
    answer = served.send("POST", CHAT, asked, served.own | {"x-api-key": "ok-AAAAAAAAAAAAAAAA"})
    assert answer.status == 401
