"""Recorded answers of real providers, read by the wires for embeddings."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from ownkey.talk.embed import Embed
from ownkey.talk.errors import ModelNotAvailable, ProviderError
from ownkey.wires.embedding import EmbeddingDoor, NamedEmbed, embedding
from ownkey.wires.media import read_usage
from recordings import ABSENT, FOLDER, Record, records

pytestmark = pytest.mark.skipif(not any(FOLDER.glob("*.jsonl.gz")), reason=ABSENT)

WHERE = {"embeddings": "openai-embeddings", "batchEmbedContents": "gemini-embeddings", "api/embed": "ollama-embeddings"}


def recorded() -> list[Record]:
    found = [record for endpoint in WHERE for record in records(endpoint=endpoint)]
    # Not the reports of an organization's usage, and not Ollama's older form, which it calls superseded.
    return [record for record in found if "/usage/" not in record.url and "/api/embeddings" not in record.url]


def count_of(record: Record) -> int:
    said = json.loads(record.response_body)
    return len(said.get("data") or said.get("embeddings") or ())


def test_every_vector_and_every_count_is_read() -> None:
    read = 0
    for record in recorded():
        if record.status != 200:
            continue
        said = json.loads(record.response_body)
        if any(isinstance(one.get("embedding"), str) for one in said.get("data", ()) if isinstance(one, dict)):
            continue
        made = embedding(WHERE[record.endpoint]).read_embedded(record.response_body, count_of(record))
        assert len(made.vectors) == count_of(record) > 0
        assert all(vector and all(math.isfinite(number) for number in vector) for vector in made.vectors)
        assert made.usage.input_tokens == told(said), record.id
        read += 1
    assert read >= 20


def told(said: dict[str, Any]) -> int | None:
    usage = said.get("usage") or {}
    return (
        usage.get("prompt_tokens")
        or said.get("usageMetadata", {}).get("promptTokenCount")
        or said.get("prompt_eval_count")
    )


def test_every_answer_passes_as_it_came_and_its_count_is_read() -> None:
    passed = 0
    for record in recorded():
        door = embedding(WHERE[record.endpoint])
        if record.status != 200 or not isinstance(door, EmbeddingDoor):
            continue
        inputs = ["x"] * count_of(record)
        contents = [{"content": {"parts": [{"text": text}]}} for text in inputs]
        body = json.dumps({"model": "m", "input": inputs, "requests": contents}).encode()
        ask = door.read_embed_ask(body, NamedEmbed("m", True))
        result = door.pass_embedded(record.response_body, ask)
        assert result.body == record.response_body
        assert result.usage.input_tokens == told(json.loads(record.response_body)), record.id
        passed += 1
    assert passed >= 28


def test_every_recorded_request_is_read_and_goes_on_unchanged() -> None:
    sent = 0
    for record in recorded():
        door = embedding(WHERE[record.endpoint])
        if (
            not record.request_body
            or not isinstance(door, EmbeddingDoor)
            or record.request_body.get("dimensions") == -1
        ):
            continue
        ask = door.read_embed_ask(json.dumps(record.request_body).encode(), NamedEmbed("other", True))
        went = json.loads(door.forward_embed(ask, "other"))
        for one in (went, *went.get("requests", ())):
            one.pop("model", None)
        was = json.loads(json.dumps(record.request_body))
        for one in (was, *was.get("requests", ())):
            one.pop("model", None)
        assert went == was, record.id
        sent += 1
    assert sent >= 15


def test_every_refusal_is_an_error_of_the_tree() -> None:
    kinds: list[type[ProviderError]] = []
    for record in recorded():
        if record.status != 200:
            headers = {name.encode(): value.encode() for name, value in record.response_headers.items()}
            error = embedding(WHERE[record.endpoint]).read_error(record.status, headers, record.response_body)
            assert error.status == record.status
            kinds.append(type(error))
    assert kinds.count(ModelNotAvailable) >= 5


def test_what_is_written_for_a_provider_has_the_shape_of_what_clients_sent() -> None:
    written = embedding("gemini-embeddings").write_embed(Embed(("Hello, world!",), task="retrieval_query"), "m")
    shapes = [record.request_body for record in records("gemini", "batchEmbedContents") if record.status == 404]
    assert [set(json.loads(written.body)["requests"][0])] == [set(shape["requests"][0]) for shape in shapes]


def test_rankings_are_counted_where_they_say_so() -> None:
    totals = [read_usage(one.response_body, b"application/json").input_tokens for one in records("voyage", "rerank")]
    assert totals
    assert all(totals)
    cohere = [read_usage(one.response_body, b"application/json") for one in records("cohere", "rerank")]
    assert cohere
    assert not any(usage.known for usage in cohere)
