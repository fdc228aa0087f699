"""Whatever is paid for leaves a row in the book, and is refused where a budget has nothing left, at every path."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from answering import Provider, answering, json_answer, write_manifest
from canaries import canary
from house import Answer, Gateway, book_rows, library, until
from ownkey.server.operations import BATCHED, MEDIA
from ownkey.server.site import DOORS
from scripted import answer as whole

KEY = canary("paid paths")
SAY = [{"role": "user", "content": "Hello"}]
CHAT = json_answer(
    b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"Hello."}}],"usage":{"prompt_tokens":9,"completion_tokens":2}}'
)
STREAM = whole(
    b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"Hello."},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}\n\n'
    b"data: [DONE]\n\n",
    200,
    "content-type: text/event-stream",
)
VECTORS = json_answer(b'{"data":[{"index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":7,"total_tokens":7}}')
USED = b'"usage":{"input_tokens":5,"output_tokens":6,"total_tokens":11}'
SAYS = {
    "/v1/chat/completions": CHAT,
    "/v1/embeddings": VECTORS,
    "/v1/images/generations": json_answer(b'{"created":1,"data":[{"b64_json":"AAAA"}],%b}' % USED),
    "/v1/images/edits": json_answer(b'{"created":1,"data":[{"b64_json":"AAAA"}],%b}' % USED),
    "/v1/audio/speech": whole(b"sound", 200, "content-type: audio/mpeg"),
    "/v1/audio/transcriptions": json_answer(b'{"text":"Hello.","usage":{"type":"tokens","input_tokens":5}}'),
    "/v1/audio/translations": json_answer(b'{"text":"Hello."}'),
    "/v1/moderations": json_answer(b'{"id":"m","results":[{"flagged":false}]}'),
    "/v1/rerank": json_answer(b'{"data":[{"index":0,"relevance_score":0.5}],"usage":{"total_tokens":43}}'),
}
MANIFEST = """
    wire = "openai-chat"
    base_url = "{url}/v1"
    [paths]
    images = "/images/generations"
    image_edits = "/images/edits"
    speech = "/audio/speech"
    transcriptions = "/audio/transcriptions"
    translations = "/audio/translations"
    moderations = "/moderations"
    rerank = "/rerank"
    [speaks.openai-embeddings]
    [[models]]
    id = "m"
    max_output = 500
    context = 32_000
    price = { input = "5.00", output = "40.00" }
"""
GEMINI = "/v1beta/models/paid/m"
TOLD = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
ASKED: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": SAY},
    "/v1/responses": {"input": "Hello"},
    "/v1/messages": {"messages": SAY, "max_tokens": 50},
    f"{GEMINI}:generateContent": TOLD,
    f"{GEMINI}:streamGenerateContent": TOLD,
    f"{GEMINI}:embedContent": {"content": {"parts": [{"text": "Hello"}]}},
    f"{GEMINI}:batchEmbedContents": {
        "requests": [{"model": "models/paid/m", "content": {"parts": [{"text": "Hello"}]}}]
    },
    "/v1/embeddings": {"input": "Hello"},
    "/v1/images/generations": {"prompt": "A key."},
    "/v1/images/edits": {},
    "/v1/audio/speech": {"input": "Hello", "voice": "alloy"},
    "/v1/audio/transcriptions": {},
    "/v1/audio/translations": {},
    "/v1/moderations": {"input": "Hello"},
    "/v1/rerank": {"query": "key", "documents": ["a", "b"]},
}
FORMS = ("/v1/images/edits", "/v1/audio/transcriptions", "/v1/audio/translations")
STREAMED = (*DOORS, f"{GEMINI}:streamGenerateContent")


@pytest.fixture(scope="module")
def provider(served: Gateway) -> Iterator[Provider]:
    with answering(SAYS) as made:
        write_manifest(served.home, "paid", made, MANIFEST, KEY)
        yield made
    with library(served.home) as ownkey:
        for each in ownkey.budgets.all():
            ownkey.budgets.remove(each.id)


def ask(served: Gateway, path: str, *, stream: bool = False) -> Answer:
    yes = served.own | {"x-ownkey-accept-unknown-price": "yes"}
    if path in FORMS:
        parts = {"model": b"paid/m", "prompt": b"A key.", "file": b"RIFF", "image": b"PNG"}
        body = b"".join(
            b'--xX\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
            % (name.encode(), b'; filename="a"' if name in ("file", "image") else b"", value)
            for name, value in parts.items()
        )
        return served.send(
            "POST", path, body + b"--xX--\r\n", yes | {"Content-Type": "multipart/form-data; boundary=xX"}
        )
    named = {} if path.startswith(GEMINI) else {"model": "paid/m"}
    streamed = {"stream": True} if stream and not path.startswith(GEMINI) else {}
    return served.send("POST", path, json.dumps(ASKED[path] | named | streamed).encode(), yes)


def test_B24_every_path_at_which_something_is_asked_is_in_this_matrix() -> None:
    verbs = {f"{GEMINI}:{verb}" for verb in ("generateContent", "streamGenerateContent", *BATCHED)}
    assert set(ASKED) == {*DOORS, *verbs, "/v1/embeddings", *MEDIA}


@pytest.mark.parametrize(
    ("path", "stream"), [(path, False) for path in ASKED] + [(path, True) for path in STREAMED], ids=str
)
def test_B24_what_is_paid_for_leaves_a_row_and_is_refused_where_nothing_is_left(
    served: Gateway, provider: Provider, path: str, stream: bool
) -> None:
    streams = stream or path.endswith(":streamGenerateContent")
    provider.begin(SAYS | ({"/v1/chat/completions": STREAM} if streams else {}))
    before = len(book(served))
    answered = ask(served, path, stream=stream)
    assert answered.status == 200, answered.text
    (row,) = until(lambda: book(served)[before:])
    assert row.token_id is not None
    assert row.key_id is not None
    assert (row.state, row.cost_nano > 0) in {("exact", True), ("assumed", True), ("counted", True)} or not row.priced
    assert len(provider.requests) == 1
    with library(served.home) as ownkey:
        ownkey.budgets.set("nothing", limit="0", per="ever", provider="paid")
    try:
        refused = ask(served, path, stream=stream)
        assert refused.status == 402, refused.text
        assert refused.headers["x-should-retry"] == "false"
        assert len(provider.requests) == 1
    finally:
        with library(served.home) as ownkey:
            ownkey.budgets.remove("nothing")


def book(served: Gateway) -> list[Any]:
    """The rows of the provider that have ended."""
    with library(served.home) as ownkey:
        rows = ownkey.house.store.book.rows(provider="paid", limit=1_000)[::-1]
    return [row for row in rows if row.state != "held"]


def test_B25_two_hundred_streams_cut_after_two_kilobytes_cost_what_had_come_of_each(served: Gateway) -> None:
    name = served.provider("chunk-delay=0.01")
    read: list[int] = []

    def one() -> None:
        connection = served.open(f"{name}/gpt-4o", "Say 2000 words", stream=True)
        data = b""
        while len(data) < 2_048 and (piece := connection.recv(4_096)):
            data += piece
        connection.close()
        read.append(data.count(b'"content":"'))

    for _ in range(4):
        threads = [threading.Thread(target=one) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(read) == 200

    def settled() -> list[Any] | None:
        rows = book_rows(served.home, name)
        return rows if len(rows) == 200 and all(row.state != "held" for row in rows) else None

    rows = until(settled, 20)
    assert {row.state for row in rows} == {"counted"}
    assert all(0 < row.cost_nano < row.held_nano for row in rows)
    # Each piece of the answer that came to a client is a token at least.
    assert sum(row.output_tokens for row in rows) >= sum(read) > 200


def test_B26_neither_another_user_field_nor_another_way_to_show_the_token_is_another_budget(served: Gateway) -> None:
    name = served.provider()
    with library(served.home) as ownkey:
        ownkey.budgets.set("mine", limit="0", per="month", owner="owner")
    try:
        for fields in ({}, {"user": "somebody"}, {"metadata": {"user_id": "x"}}, {"safety_identifier": "y"}):
            for headers in ({}, {"x-user-id": "2"}, {"openai-organization": "org-2"}):
                assert served.ask(f"{name}/gpt-4o", headers=headers, max_tokens=5, **fields).status == 402
        body = json.dumps({"model": f"{name}/gpt-4o", "messages": SAY, "max_tokens": 5}).encode()
        for header in ("x-api-key", "x-goog-api-key"):
            shown = {header: served.token, "Content-Type": "application/json"}
            assert served.send("POST", "/v1/chat/completions", body, shown).status == 402
        assert served.simulator.seen(name) == []
    finally:
        with library(served.home) as ownkey:
            ownkey.budgets.remove("mine")


def test_B27_where_one_has_no_key_nobody_elses_is_used(served: Gateway) -> None:
    name = served.provider()
    with library(served.home) as ownkey:
        _, token = ownkey.house.tokens.create("another", f"of another at {name}")
    theirs = {"Authorization": f"Bearer {token.reveal().decode()}"}
    answer = served.ask("openai/gpt-4o", headers=theirs)
    assert (answer.status, answer.error["code"]) == (422, "key_missing")
