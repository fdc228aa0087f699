"""What a request may cost the gateway, and what is kept of how it was written."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import Any

import pytest

from house import CHAT, Gateway, library

INTO, OUT = 2_500, 10_000
"""nano-USD a token, of every simulated provider."""


def say(content: Any, model: str = "openai/gpt-4o", **more: Any) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": content}], **more}).encode()


ENCODINGS = {
    "gzip": gzip.compress,
    "GZIP": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": bytes,
    "zstd": bytes,
    "gzip, identity": bytes,
    "identity, identity": bytes,
    "aes128gcm": bytes,
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_G04_an_encoded_body_is_415_and_not_unpacked(served: Gateway, encoding: str) -> None:
    before = len(served.simulator.seen("openai"))
    for path in (CHAT, "/v1/messages", "/v1/responses", "/v1/embeddings", "/v1/audio/speech", "/api/byok/quote"):
        body = ENCODINGS[encoding](say("Hello"))
        answer = served.send("POST", path, body, served.own | {"Content-Encoding": encoding})
        assert answer.status == 415, path
        assert b"compressed" in answer.body
    assert len(served.simulator.seen("openai")) == before


def test_G04_a_bomb_is_refused_before_it_is_looked_at(served: Gateway) -> None:
    bomb = gzip.compress(bytes(64 << 20))
    began_s = served.processor_s
    assert served.send("POST", CHAT, bomb, served.own | {"Content-Encoding": "gzip"}).status == 415
    assert served.processor_s - began_s < 0.5
    plain = {"Content-Encoding": "identity"}
    assert served.send("POST", CHAT, say("Hello"), served.own | plain).status == 200


def last(served: Gateway, provider: str) -> Any:
    return served.rows(provider)[-1]


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("wire", ["openai-chat", "anthropic-messages", "gemini"])
def test_G07_the_cap_that_is_sent_is_the_cap_that_is_held(served: Gateway, wire: str, field: str) -> None:
    provider = served.provider(wire=wire)
    held: dict[int, int] = {}
    for cap in (701, 801):
        assert served.ask(f"{provider}/gpt-4o", **{field: cap}).status == 200
        sent = json.loads(served.simulator.seen(provider)[-1].body)
        sent |= sent.get("generationConfig", {})
        caps = [sent[name] for name in ("max_tokens", "max_completion_tokens", "maxOutputTokens") if name in sent]
        assert caps == [cap]
        held[cap] = last(served, provider).held_nano
    assert held[801] - held[701] == 100 * OUT
    assert held[701] >= 701 * OUT


def test_G07_two_caps_that_differ_are_refused_and_two_alike_are_one(served: Gateway) -> None:
    provider = served.provider()
    refused = served.ask(f"{provider}/gpt-4o", max_tokens=5, max_completion_tokens=6)
    assert (refused.status, refused.error["param"]) == (422, "max_tokens")
    assert served.ask(f"{provider}/gpt-4o", max_tokens=5, max_completion_tokens=5).status == 200
    sent = json.loads(served.simulator.seen(provider)[-1].body)
    assert [sent[name] for name in ("max_tokens", "max_completion_tokens") if name in sent] in ([5], [5, 5])


def test_G08_what_multiplies_an_answer_multiplies_what_is_held(served: Gateway) -> None:
    provider = served.provider()
    held: dict[int, int] = {}
    for n in (1, 4):
        assert served.ask(f"{provider}/gpt-4o", n=n, max_tokens=1_000).status == 200
        held[n] = last(served, provider).held_nano
    assert held[4] - held[1] >= 3 * 1_000 * OUT
    before = len(served.simulator.seen(provider))
    for n in (0, -1, 129, 10**9, 2**63, 1.5, "3", True):
        assert served.ask(f"{provider}/gpt-4o", n=n).status == 422, n
    assert len(served.simulator.seen(provider)) == before


def test_G08_a_thousand_tools_are_held_for_by_their_bytes(served: Gateway) -> None:
    provider = served.provider()
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    tools = [tool | {"function": tool["function"] | {"name": f"tool_{number}"}} for number in range(1_000)]
    answer = served.ask(f"{provider}/gpt-4o", tools=tools, max_tokens=10)
    assert answer.status in (200, 402, 422)
    if answer.status == 200:
        assert last(served, provider).held_nano >= min(len(json.dumps(tools)) // 2, 100_000) * INTO


LONG = {
    "a letter": "a" * 1_000_000,
    "Chinese": "漢字仮名" * 250_000,
    "base64": base64.b64encode(bytes(range(256)) * 3_000).decode(),
    "blanks": " " * 1_000_000,
    "line breaks": "\n" * 1_000_000,
    "punctuation": "!?" * 500_000,
    "marks upon letters": "e\u0301" * 300_000,
    "a family of emoji": "👩‍👩‍👧‍👦" * 40_000,
    "digits": "9" * 1_000_000,
    "escapes": '\\"\u0000' * 300_000,
}


@pytest.fixture
def penniless(served: Gateway) -> Any:
    """A provider for which nothing may be spent: what is asked of it is sized, refused, and not sent."""
    name = served.provider()
    with library(served.home) as ownkey:
        ownkey.budgets.set(f"none for {name}", limit="0.000001", per="day", provider=name)
    yield name
    with library(served.home) as ownkey:
        for budget in ownkey.budgets.all():
            ownkey.budgets.remove(budget.id)


def test_G10_a_million_characters_of_anything_are_sized_at_once(served: Gateway, penniless: str) -> None:
    for what, text in LONG.items():
        body = say(text, f"{penniless}/gpt-4o", max_tokens=5)
        took_s: list[float] = []
        for _ in range(3):
            began_s = served.processor_s
            answer = served.send("POST", CHAT, body, served.own)
            took_s.append(served.processor_s - began_s)
            # More than the model's context can hold is refused for that; the rest for what it would cost.
            assert answer.status in (402, 400, 422), (what, answer.body)
        assert min(took_s) < 0.25, (what, took_s)
    assert served.simulator.seen(penniless) == []


ODD = {
    "control characters": "a\u0000b\u0001\u001f\u007f\u0085",
    "line ends": "a\r\nb\rc\nd\u2028e\u2029",
    "right to left": "abc\u202egnp.exe\u202c \u2067x\u2069",
    "zero width": "a\u200bb\u200cc\u200dd\u2060e\ufefff",
    "twins under NFKC": "ﬁ ① Å Å Ａ ℌ",
    "combining": "e\u0301 é a\u0300\u0301\u0302",
    "beyond the first plane": "𝒜 👩‍👩‍👧‍👦 \U0010fffd",
    "terminal codes": "\u001b[31mred\u001b[0m \u001b]0;title\u0007",
    "frames of SSE": "data: [DONE]\n\ndata: {}\n\nevent: error\n\n",
}


@pytest.mark.parametrize("what", ODD)
def test_G12_what_is_said_goes_through_as_it_was_written(served: Gateway, what: str) -> None:
    text = ODD[what]
    for model, read in (
        ("openai/gpt-4o", lambda body: body["messages"][0]["content"]),
        ("anthropic/claude-sonnet-4-5", lambda body: body["messages"][0]["content"]),
        ("gemini/gemini-2.5-flash", lambda body: body["contents"][0]["parts"][0]["text"]),
        ("local/sim-small", lambda body: body["messages"][0]["content"]),
    ):
        for escaped in (True, False):
            body = {"model": model, "messages": [{"role": "user", "content": text}]}
            raw = json.dumps(body, ensure_ascii=escaped).encode()
            assert served.send("POST", CHAT, raw, served.own).status == 200
            sent = read(json.loads(served.simulator.seen(model.partition("/")[0])[-1].body))
            assert (sent if isinstance(sent, str) else sent[0]["text"]) == text, model


@pytest.mark.parametrize("what", [*ODD, "half a pair"])
def test_G12_a_name_that_looks_like_another_is_none(served: Gateway, what: str) -> None:
    odd = ODD.get(what, "\ud800")
    before = len(served.simulator.seen("openai"))
    for model in (f"openai/gpt-4o{odd}", f"{odd}openai/gpt-4o", f"openai{odd}/gpt-4o", f"openai/{odd}"):
        answer = served.send("POST", CHAT, say("Hello", model), served.own)
        assert answer.status in (404, 409, 422), (model, answer.body)
        shown = answer.body.decode()
        assert not any(one in shown for one in "\u202e\u2028\u001b\u0000"), shown
    twins = ("ｇpt-4o", "gpt‑4o", "gpt-4о", "GPT-4o\u200b")
    for twin in twins:
        answer = served.send("POST", CHAT, say("Hello", f"openai/{twin}"), served.own)
        assert answer.status in (404, 409, 422), twin
    assert len(served.simulator.seen("openai")) == before


def test_G14_an_idempotency_key_makes_no_request_the_answer_of_another(served: Gateway) -> None:
    """It is not acted upon: each request is a run of its own, with a row of its own."""
    provider = served.provider()
    for key in ("same", "same", "k" * 256, "é"):
        header = {"Idempotency-Key": key.encode("utf-8").decode("latin-1")}
        assert served.ask(f"{provider}/gpt-4o", say=key, headers=header).status == 200
    seen = served.simulator.seen(provider)
    assert len(seen) == 4
    assert all(name.lower() != b"idempotency-key" for one in seen for name, _ in one.headers)
    assert len({row.request_id for row in served.rows(provider)}) == 4


@pytest.mark.parametrize(
    "query",
    [
        *("limit=-1", "limit=1e9", "limit=99999999999999999999", "limit=%25", "offset=-5", "after=%25", "before_id=_"),
        *(
            "after_id=' OR 1=1 --",
            "pageSize=0",
            "pageToken=forged",
            "pageToken=%00",
            "order=;drop",
            "limit=" + "9" * 9_000,
        ),
    ],
)
def test_G19_what_is_asked_of_a_list_beside_it_changes_nothing(served: Gateway, query: str) -> None:
    whole = served.send("GET", "/v1/models", None, served.own).json
    began_s = served.processor_s
    answer = served.send("GET", f"/v1/models?{query.replace(' ', '%20')}", None, served.own)
    assert served.processor_s - began_s < 0.5
    assert (answer.status, answer.json) == (200, whole)


@pytest.mark.parametrize(
    "name", ["%25", "_", "*", "openai/%25", "openai/gpt-4%25", "openai/gpt_4o", "%00", "..%2f", "'--"]
)
def test_G19_a_name_with_wildcards_finds_what_has_that_name(served: Gateway, name: str) -> None:
    answer = served.send("GET", f"/v1/models/{name}", None, served.own)
    assert answer.status == 404
    assert b"openai/gpt-4o" not in answer.body


def test_G22_nothing_that_was_answered_is_answered_again_from_memory(served: Gateway) -> None:
    provider = served.provider()
    with library(served.home) as ownkey:
        _, other = ownkey.house.tokens.create(ownkey.owner, "the other of G22")
    for token in (served.token, other.reveal().decode(), served.token):
        answer = served.ask(f"{provider}/gpt-4o", headers={"Authorization": f"Bearer {token}"}, temperature=0)
        assert answer.status == 200
        assert answer.headers["cache-control"] == "no-store"
        assert not {"age", "etag", "last-modified", "x-cache"} & set(answer.headers)
    assert len(served.simulator.seen(provider)) == 3
    assert len({row.request_id for row in served.rows(provider)}) == 3


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=0-1"},
        {"Range": "bytes=" + ",".join("0-1" for _ in range(9_000))},
        {"Range": "bytes=-999999999999999999999"},
        {"If-None-Match": "*"},
        {"If-None-Match": ",".join(f'"{number}"' for number in range(6_000))},
        {"If-Modified-Since": "Fri, 31 Dec 9999 23:59:59 GMT"},
        {"If-Match": '"x"', "If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"If-Range": '"x"', "Range": "bytes=5-"},
    ],
    ids=str,
)
def test_G23_what_asks_for_a_part_or_for_what_changed_gets_the_whole(served: Gateway, headers: dict[str, str]) -> None:
    for path in ("/v1/models", "/health", "/v1/models/openai/gpt-4o"):
        whole = served.send("GET", path, None, served.own)
        began_s = served.processor_s
        answer = served.send("GET", path, None, served.own | headers)
        assert served.processor_s - began_s < 0.5
        assert (answer.status, answer.body) == (200, whole.body)
        assert "content-range" not in answer.headers
