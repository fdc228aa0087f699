"""What opens something stands in no record, whatever it is wrapped in."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canaries import canary
from ownkey.engine.request import new_id
from ownkey.store.audit_actions import ACTIONS, OUTCOMES
from ownkey.store.audit_detail import MOST_BYTES, detail_text, plain
from ownkey.talk.secret import REDACTED, Secret

KEY = canary("audit detail", "sk-proj-")
ODD = "hunter2 of the seven seas"  # looks like no key at all
NAMES = ("key", "api_key", "apiKey", "token", "x-api-key", "Authorization", "client_secret", "password", "cookie")

shaped: st.SearchStrategy[Any] = st.sampled_from(
    (
        *(KEY, f"Bearer {KEY}", f"at {KEY} it broke", f"https://user:{KEY}@example.com/v1", f"/v1?key={KEY}&a=b"),
        *(f"/v1?x={quote(KEY)}", KEY.encode(), bytearray(KEY.encode()), memoryview(KEY.encode()), Secret(KEY)),
    )
)
odd: st.SearchStrategy[Any] = st.one_of(
    st.just(ODD.encode()),
    st.just({"password": ODD}),
    st.builds(lambda name: {name: ODD}, st.sampled_from(NAMES)),
    st.builds(lambda name: {name: [ODD, {"x": ODD}]}, st.sampled_from(NAMES)),
    st.builds(lambda name: (name, ODD), st.sampled_from(NAMES)),
    st.builds(lambda name: [(name.encode(), ODD.encode())], st.sampled_from(NAMES)),
    st.just("/v1?session=" + quote(ODD)),
    st.just(f"https://user:{quote(ODD)}@example.com/"),
)
nested = st.recursive(
    st.one_of(shaped, odd),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.tuples(inner), st.dictionaries(st.sampled_from(["a", "note", "b_c"]), inner)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["note", "detail", "headers", "url"]), nested))
def test_O09_secrets_as_bytes_nested_in_headers_and_in_queries_are_redacted(detail: dict[str, Any]) -> None:
    text = detail_text(detail)
    for secret in (KEY, ODD, quote(ODD)):
        for start in range(len(secret) - 8):
            assert secret[start : start + 9] not in text
    msgspec.json.decode(text)
    assert len(text.encode()) <= MOST_BYTES


@given(st.dictionaries(st.text(max_size=300), st.text() | st.floats() | st.integers() | st.none() | st.booleans()))
def test_O05_any_text_is_one_line_of_json(detail: dict[str, Any]) -> None:
    text = detail_text(detail)
    assert "\n" not in text
    assert "\u2028" not in text
    assert "\x1b" not in text
    assert isinstance(json.loads(text), dict)


def test_what_is_no_secret_stays() -> None:
    given = {"provider": "openai", "key_id": "key_0123456789abcdef", "token_id": "tok_0123456789abcdef", "tokens": 5}
    given |= {"old": {"limit": 5}, "model": "openai/gpt-4o", "input_tokens": 7, "base_url": "https://a.example/v1"}
    assert json.loads(detail_text(given)) == given


@pytest.mark.parametrize("id", ["key_0123456789abcdef", "tok_0123456789abcdef,key_0123456789abcdef", "b_0123456789ab"])
def test_ids_of_ours_stay_as_they_are(id: str) -> None:
    assert plain(id) == id
    assert plain(new_id()) not in ("", REDACTED)


def test_every_action_is_named_after_what_it_is_about() -> None:
    assert all(name.count(".") == 1 and name == name.lower() and action.when for name, action in ACTIONS.items())
    assert set(OUTCOMES) == {"done", "begun", "succeeded", "failed"}
