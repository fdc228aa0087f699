"""How many tokens a chat would be: asked of the provider where it counts, else estimated, and never paid for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from answering import Provider, answering, json_answer, write_manifest
from canaries import MARK, canary
from house import Answer, Gateway, book_rows

KEY = canary("count")
ANTHROPIC = "/v1/messages/count_tokens"
GOOGLE = "/v1beta/models/m:countTokens"
MANIFESTS = {
    "count-anthropic": 'wire = "anthropic-messages"\nbase_url = "{url}/v1"\nauth = {header = "x-api-key", scheme = ""}',
    "count-gemini": 'wire = "gemini"\nbase_url = "{url}/v1beta"\nauth = {header = "x-goog-api-key", scheme = ""}',
    "count-chat": 'wire = "openai-chat"\nbase_url = "{url}/v1"',
}
HEALTHY = {ANTHROPIC: json_answer(b'{"input_tokens":14}'), GOOGLE: json_answer(b'{"totalTokens":8}')}
HELLO = [{"role": "user", "content": "Hello"}]
CONTENTS = [{"role": "user", "parts": [{"text": "Hello"}]}]


@pytest.fixture(scope="session")
def running(served: Gateway) -> Iterator[Provider]:
    with answering(HEALTHY) as made:
        for name, text in MANIFESTS.items():
            write_manifest(served.home, name, made, text, KEY)
        yield made


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.begin(HEALTHY)
    return running


def ask(served: Gateway, path: str, **body: Any) -> Answer:
    return served.send("POST", path, json.dumps(body).encode(), served.own)


def test_a_client_of_anthropics_is_passed_through(served: Gateway, provider: Provider) -> None:
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    answer = ask(served, ANTHROPIC, model="count-anthropic/m", messages=HELLO, tools=tools, new=1)
    assert (answer.status, answer.json) == (200, {"input_tokens": 14})
    (sent,) = provider.requests
    assert json.loads(sent.body) == {"model": "m", "messages": HELLO, "tools": tools, "new": 1}
    assert sent.header("x-api-key") == KEY
    assert "x-ownkey-warning" not in answer.headers


@pytest.mark.parametrize("whole", [False, True])
def test_a_client_of_googles_is_passed_through(served: Gateway, provider: Provider, whole: bool) -> None:
    asked: dict[str, Any] = {"contents": CONTENTS}
    if whole:
        system = {"parts": [{"text": "Be brief."}]}
        asked = {"generateContentRequest": {"model": "models/x", **asked, "systemInstruction": system}}
    answer = ask(served, "/v1beta/models/count-gemini/m:countTokens", **asked)
    assert (answer.status, answer.json["totalTokens"]) == (200, 8)
    sent = json.loads(provider.requests[0].body)["generateContentRequest"]
    assert (sent["model"], sent["contents"]) == ("models/m", CONTENTS)
    assert ("systemInstruction" in sent) is whole


def test_the_count_of_one_is_asked_of_the_other(served: Gateway, provider: Provider) -> None:
    google = ask(served, ANTHROPIC, model="count-gemini/m", messages=HELLO)
    assert (google.status, google.json) == (200, {"input_tokens": 8})
    anthropic = ask(served, "/v1beta/models/count-anthropic/m:countTokens", contents=CONTENTS)
    assert (anthropic.status, anthropic.json["totalTokens"]) == (200, 14)
    assert "x-ownkey-warning" not in google.headers | anthropic.headers


def test_where_nobody_counts_it_is_an_estimate_and_says_so(served: Gateway, provider: Provider) -> None:
    text = "The key to the house lies under the mat. " * 50
    for model in ("count-chat/m", "demo"):
        answer = ask(served, ANTHROPIC, model=model, messages=[{"role": "user", "content": text}])
        assert answer.status == 200
        assert answer.headers["x-ownkey-warning"] == "the count is an estimate"
        # Tokenizers of this kind of text give about 500.
        assert 450 <= answer.json["input_tokens"] <= 700
    assert provider.requests == []


def test_tools_images_and_calls_count_in_an_estimate(served: Gateway, provider: Provider) -> None:
    def estimate(**more: Any) -> int:
        return ask(served, ANTHROPIC, **{"model": "count-chat/m", "messages": HELLO, **more}).json["input_tokens"]

    tool = {"name": "f", "description": "x" * 350, "input_schema": {"type": "object"}}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 40_000}}
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": "x" * 350}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "y" * 350}
    plain = estimate()
    assert plain + 100 <= estimate(tools=[tool]) <= plain + 140
    assert plain + 1_000 <= estimate(messages=[{"role": "user", "content": [image]}]) <= plain + 2_000
    turns = [*HELLO, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    assert plain + 200 <= estimate(messages=turns) <= plain + 240


def test_nothing_is_held_or_booked(served: Gateway, provider: Provider) -> None:
    before = len(book_rows(served.home))
    answer = ask(served, ANTHROPIC, model="count-anthropic/m", messages=HELLO)
    assert "x-ownkey-cost-usd" not in answer.headers
    assert len(book_rows(served.home)) == before


def test_errors_hide_the_key_and_have_the_form_of_the_path(served: Gateway, provider: Provider) -> None:
    said = b'{"type":"error","error":{"type":"authentication_error","message":"bad key %b"}}' % KEY.encode()
    provider.says.update({ANTHROPIC: json_answer(said, 401), GOOGLE: json_answer(said, 401)})
    anthropic = ask(served, ANTHROPIC, model="count-anthropic/m", messages=HELLO)
    assert (anthropic.status, anthropic.json["type"]) == (502, "error")
    google = ask(served, "/v1beta/models/count-gemini/m:countTokens", contents=CONTENTS)
    assert (google.status, google.error["code"]) == (502, 502)
    for answer in (anthropic, google):
        assert MARK not in answer.body.decode()
        assert "Count-" in answer.body.decode()


def test_a_provider_that_counts_takes_the_place_of_one_that_fails(served: Gateway, provider: Provider) -> None:
    provider.says[ANTHROPIC] = json_answer(b'{"type":"error","error":{"type":"authentication_error"}}', 401)
    answer = ask(served, ANTHROPIC, model="count-anthropic/m,count-gemini/m", messages=HELLO)
    assert (answer.status, answer.headers["x-ownkey-provider"]) == (200, "count-gemini")


def test_what_is_no_request_is_refused(served: Gateway, provider: Provider) -> None:
    assert ask(served, ANTHROPIC, model="count-anthropic/m", messages=[]).status == 422
    assert ask(served, "/v1beta/models/count-gemini/m:countTokens").status == 422
    assert served.send("GET", ANTHROPIC, None, served.own).status == 405
    without = {"Content-Type": "application/json"}
    body = json.dumps({"model": "count-anthropic/m", "messages": HELLO}).encode()
    assert served.send("POST", ANTHROPIC, body, without).status == 401
    assert provider.requests == []
