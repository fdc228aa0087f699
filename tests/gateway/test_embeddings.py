"""Embeddings through the gateway: each client's form, before providers of each wire, and right to the nano-dollar."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from answering import Provider, answering, json_answer, write_manifest
from canaries import MARK, canary
from house import Answer, Gateway

KEY = canary("vectors")
PATH = "/v1/embeddings"
VECTORS = [[0.5, -0.25, 0.125], [1.0, 0.0, -1.5]]
MANIFESTS = {
    "vec-openai": """
        wire = "openai-chat"
        base_url = "{url}/v1"
        [speaks.openai-embeddings]
        [[models]]
        id = "small"
        price = { input = "0.02", output = "0" }
        [[models]]
        id = "nobody-knows:online"
        price = { input = "0.02", output = "0" }
    """,
    "vec-gemini": """
        wire = "gemini"
        base_url = "{url}/v1beta"
        auth = { header = "x-goog-api-key", scheme = "" }
        [speaks.gemini-embeddings]
        [[models]]
        id = "gemini-embedding-001"
        price = { input = "0.15", output = "0" }
    """,
    "vec-ollama": """
        wire = "openai-chat"
        base_url = "{url}/v1"
        [speaks.ollama-embeddings]
        root = ""
        [[models]]
        id = "all-minilm"
        price = { input = "0.01", output = "0" }
    """,
    "vec-none": """
        wire = "openai-chat"
        base_url = "{url}/v1"
    """,
}


def as_base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def openai_says(vectors: list[Any], tokens: int | None = 7, **more: Any) -> bytes:
    data = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(vectors)]
    usage = {} if tokens is None else {"usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
    return json_answer(json.dumps({"object": "list", "data": data, "model": "small-1", **usage, **more}).encode())


def gemini_says(vectors: list[list[float]], tokens: int | None = 11) -> bytes:
    usage = {} if tokens is None else {"usageMetadata": {"promptTokenCount": tokens}}
    return json_answer(json.dumps({"embeddings": [{"values": one} for one in vectors], **usage}).encode())


BATCH = "/v1beta/models/gemini-embedding-001:batchEmbedContents"
HEALTHY = {
    PATH: openai_says(VECTORS),
    BATCH: gemini_says(VECTORS),
    "/api/embed": json_answer(json.dumps({"model": "m", "embeddings": VECTORS, "prompt_eval_count": 13}).encode()),
}


@pytest.fixture(scope="session")
def running(served: Gateway) -> Iterator[Provider]:
    with answering(HEALTHY) as made:
        for name, text in MANIFESTS.items():
            write_manifest(served.home, name, made, text, None if name == "vec-none" else KEY)
        yield made


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.begin(HEALTHY)
    return running


@pytest.fixture
def client(served: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=served.url, api_key=served.token, max_retries=0) as made:
        yield made


def ask(served: Gateway, path: str = PATH, headers: dict[str, str] | None = None, **body: Any) -> Answer:
    return served.send("POST", path, json.dumps(body).encode(), served.own | (headers or {}))


@pytest.mark.row("C2")
@pytest.mark.parametrize("encoding", ["base64", "float"])
@pytest.mark.parametrize("model", ["vec-openai/small", "vec-gemini/gemini-embedding-001", "vec-ollama/all-minilm"])
def test_the_official_client_gets_its_vectors_from_a_provider_of_any_wire(
    provider: Provider, client: OpenAI, model: str, encoding: Any
) -> None:
    if encoding == "base64":
        provider.says[PATH] = openai_says([as_base64(one) for one in VECTORS])
    made = client.embeddings.create(model=model, input=["one", "two"], encoding_format=encoding)
    numbers = [one.embedding for one in made.data]
    if encoding == "base64":
        numbers = [list(struct.unpack("<3f", base64.b64decode(one))) for one in numbers]
    assert numbers == VECTORS
    assert [one.index for one in made.data] == [0, 1]
    assert made.usage.prompt_tokens == made.usage.total_tokens > 0


def test_the_official_client_decodes_what_it_asked_for_by_itself(provider: Provider, client: OpenAI) -> None:
    """Without an encoding it asks for base64, and gives numbers."""
    made = client.embeddings.create(model="vec-gemini/gemini-embedding-001", input=["one", "two"])
    assert [one.embedding for one in made.data] == VECTORS


@pytest.mark.parametrize(
    ("model", "wire", "tokens", "nano"),
    [
        ("vec-openai/small", "openai-embeddings", 7, 140),
        ("vec-gemini/gemini-embedding-001", "gemini-embeddings", 11, 1_650),
        ("vec-ollama/all-minilm", "ollama-embeddings", 13, 130),
    ],
)
def test_what_was_counted_is_what_is_charged(
    served: Gateway, provider: Provider, model: str, wire: str, tokens: int, nano: int
) -> None:
    name, _, plain = model.partition("/")
    answer = ask(served, model=model, input=["one", "two"])
    assert answer.status == 200
    row = served.rows(name)[-1]
    assert (row.state, row.wire, row.model) == ("exact", wire, plain)
    assert (row.input_tokens, row.output_tokens, row.cost_nano) == (tokens, 0, nano)
    assert row.held_nano >= nano
    assert row.request_id == answer.headers["x-request-id"]
    assert answer.headers["x-ownkey-cost-usd"] == f"0.{nano:09d}".rstrip("0")
    assert answer.headers["x-ownkey-provider"] == name


def test_where_both_sides_speak_alike_every_byte_passes_but_the_model(served: Gateway, provider: Provider) -> None:
    said = (
        b'{"object":"list","data":[{"embedding":"AACAPw==","index":0,"new":1}],"usage":{"prompt_tokens":3},"x":[ 1 ]}'
    )
    provider.says[PATH] = json_answer(said)
    body = b'{"input": [[1, 2, 3]],"model":"vec-openai/small","encoding_format":"base64","some_new":{"a": 1.50}}'
    answer = served.send("POST", PATH, body, served.own)
    assert answer.body == said
    sent = provider.heard(PATH)[-1]
    assert b"[[1, 2, 3]]" in sent.body
    assert b'{"a": 1.50}' in sent.body
    assert json.loads(sent.body)["model"] == "small"
    assert sent.header("authorization") == f"Bearer {KEY}"


def test_a_gemini_client_gets_its_own_form_from_a_provider_of_openais(served: Gateway, provider: Provider) -> None:
    requests = [
        {"model": "models/x", "content": {"parts": [{"text": text}]}, "outputDimensionality": 3} for text in "ab"
    ]
    path = "/v1beta/models/vec-openai%2Fsmall:batchEmbedContents"
    answer = ask(served, path, requests=requests)
    assert (answer.status, answer.json["embeddings"]) == (200, [{"values": one} for one in VECTORS])
    assert answer.json["usageMetadata"] == {"promptTokenCount": 7}
    assert json.loads(provider.heard(PATH)[-1].body) == {"model": "small", "input": ["a", "b"], "dimensions": 3}


def test_a_gemini_client_is_passed_through_one_text_or_several(served: Gateway, provider: Provider) -> None:
    parts = {"parts": [{"text": "a"}, {"inline_data": {"mime_type": "image/png", "data": "AAAA"}}]}
    provider.says[BATCH] = gemini_says(VECTORS[:1])
    path = "/v1beta/models/vec-gemini/gemini-embedding-001:embedContent"
    answer = ask(served, path, content=parts, taskType="CLUSTERING", new=1)
    assert (answer.status, answer.json["embedding"]) == (200, {"values": VECTORS[0]})
    (sent,) = json.loads(provider.heard(BATCH)[-1].body)["requests"]
    assert sent == {"model": "models/gemini-embedding-001", "content": parts, "taskType": "CLUSTERING", "new": 1}
    assert provider.heard(BATCH)[-1].header("x-goog-api-key") == KEY


def test_settings_are_carried_or_named(served: Gateway, provider: Provider) -> None:
    asked = {"model": "vec-gemini/gemini-embedding-001", "input": ["a", "b"], "dimensions": 3, "input_type": "query"}
    answer = ask(served, **asked, user="u-1")
    assert answer.status == 200
    assert "user" in answer.headers["x-ownkey-warning"]
    (first, _) = json.loads(provider.heard(BATCH)[-1].body)["requests"]
    assert (first["outputDimensionality"], first["taskType"]) == (3, "RETRIEVAL_QUERY")


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"model": "vec-gemini/gemini-embedding-001", "input": [1, 2]}, 422, "input"),
        ({"model": "vec-ollama/all-minilm", "input": [[1], [2]]}, 422, "input"),
        ({"model": "vec-gemini/gemini-embedding-001", "input": "a", "encoding_format": "int8"}, 422, "encoding_format"),
        ({"model": "vec-gemini/gemini-embedding-001", "input": [{"content": []}]}, 422, "input"),
        ({"model": "vec-none/x", "input": "a"}, 422, "model"),
        ({"model": "auto", "input": "a"}, 422, "model"),
        ({"model": "vec-openai/small", "input": []}, 422, "input"),
        ({"model": "vec-openai/small", "input": [True]}, 422, "input"),
        ({"model": "vec-openai/small", "input": "a", "dimensions": 0}, 422, "dimensions"),
        ({"model": "vec-openai/small", "input": "a", "api_base": "http://evil.test"}, 422, "api_base"),
        ({"input": "a"}, 422, "model"),
        ({"model": "vec-openai/nobody-knows:online", "input": "a"}, 409, "model"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name_and_nothing_is_sent(
    served: Gateway, provider: Provider, body: dict[str, Any], status: int, param: str
) -> None:
    answer = ask(served, **body)
    assert (answer.status, answer.error["param"]) == (status, param)
    assert provider.requests == []


def test_no_embeddings_says_who_has_none(served: Gateway, provider: Provider) -> None:
    answer = ask(served, model="vec-none/x", input="a")
    assert answer.error["message"].startswith("Vec-None has no embeddings here.")
    assert answer.error["code"] == "unsupported"


def test_a_provider_without_embeddings_is_passed_over(served: Gateway, provider: Provider) -> None:
    answer = ask(served, model="vec-none/x,vec-openai/small", input=["a", "b"])
    assert (answer.status, answer.headers["x-ownkey-provider"]) == (200, "vec-openai")


def test_the_next_target_answers_and_each_try_is_in_the_book(served: Gateway, provider: Provider) -> None:
    provider.says[PATH] = json_answer(b'{"error":{"message":"no","code":"insufficient_quota"}}', 429)
    answer = ask(served, model="vec-openai/small,vec-gemini/gemini-embedding-001", input=["a", "b"])
    assert (answer.status, answer.headers["x-ownkey-provider"]) == (200, "vec-gemini")
    row = served.rows("vec-openai")[-1]
    assert (row.state, row.cost_nano, row.error) == ("released", 0, "quota_exceeded")
    assert row.request_id == answer.headers["x-request-id"]


def test_without_a_count_of_the_provider_ownkey_counts_and_says_so(served: Gateway, provider: Provider) -> None:
    provider.says[BATCH] = gemini_says(VECTORS, tokens=None)
    answer = ask(served, model="vec-gemini/gemini-embedding-001", input=["x" * 30, "y" * 30])
    assert "counted by Ownkey" in answer.headers["x-ownkey-warning"]
    row = served.rows("vec-gemini")[-1]
    assert (row.state, row.input_tokens, row.cost_nano) == ("counted", 20, 3_000)
    assert answer.json["usage"]["prompt_tokens"] == 20


@pytest.mark.parametrize(
    "said",
    [
        openai_says(VECTORS[:1]),
        openai_says([*VECTORS, VECTORS[0]]),
        json_answer(b'{"data":[{"embedding":[1],"index":0},{"embedding":[2],"index":0}]}'),
        json_answer(b"<html>"),
        json_answer(b"{}"),
    ],
)
def test_an_answer_with_another_number_of_vectors_is_no_answer(
    served: Gateway, provider: Provider, said: bytes
) -> None:
    provider.says[PATH] = said
    answer = ask(served, model="vec-openai/small", input=["a", "b"])
    assert (answer.status, answer.error["code"]) == (502, "upstream_invalid")
    assert {row.state for row in served.rows("vec-openai")[-3:]} == {"counted"}


def test_U04_a_key_that_is_quoted_is_not_shown(served: Gateway, provider: Provider) -> None:
    for said in (
        json_answer(b'{"error":"bad key %b"}' % KEY.encode(), 401),
        json_answer(b'{"error":"%b"}' % KEY.encode()),
    ):
        provider.says[PATH] = said
        answer = ask(served, model="vec-openai/small", input="a")
        assert answer.status == 502
        assert MARK not in answer.body.decode()


def test_errors_are_in_the_form_of_the_path(served: Gateway, provider: Provider) -> None:
    answer = ask(served, "/v1beta/models/nobody/nothing:embedContent", content={"parts": [{"text": "a"}]})
    assert (answer.status, answer.error["status"], answer.error["code"]) == (404, "NOT_FOUND", 404)
    assert set(ask(served, model="nobody/nothing", input="a").error) == {"message", "type", "code", "param", "kind"}


def test_without_a_token_nothing_is_embedded(served: Gateway, provider: Provider) -> None:
    body = json.dumps({"model": "vec-openai/small", "input": "a"}).encode()
    answer = served.send("POST", PATH, body, {"Content-Type": "application/json"})
    assert answer.status == 401
    assert provider.requests == []


def test_the_client_raises_its_own_error(provider: Provider, client: OpenAI) -> None:
    provider.says[PATH] = json_answer(b'{"error":{"message":"no such model","code":"model_not_found"}}', 404)
    with pytest.raises(openai.NotFoundError) as caught:
        client.embeddings.create(model="vec-openai/small", input="a")
    assert caught.value.code == "model_not_available"
