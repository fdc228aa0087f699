"""Every action has its sentence, and each sentence names what its record tells."""

from __future__ import annotations

import re

import msgspec
import pytest

from ownkey.store.audit_actions import ACTIONS
from ownkey.store.audit_chain import Row
from ownkey.store.audit_sentences import SENTENCES, Names, actor_name, sentence

NAMES = Names(
    endings={"key_1": "vX2Q"},
    providers={"openai": "OpenAI"},
    people={"u1": "Ann", "owner": "Owner"},
    tokens={"tok_1": "laptop"},
)


def row(
    action: str, about: str = "", outcome: str = "done", actor: tuple[str, str] = ("owner", "owner"), **detail: object
) -> Row:
    told = msgspec.json.encode(detail).decode()
    kind = ACTIONS[action].target if action in ACTIONS else ""
    return Row(1, 0, *actor, action, kind, about, outcome, None, told, b"", b"")


MOVED = {"from": "openai/a", "to": "groq/b"}
SWITCH = {"kind": "switch", "source": "openai", "target": "groq"}


def test_no_action_is_without_a_sentence() -> None:
    assert set(SENTENCES) == set(ACTIONS)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("outcome", ["done", "begun", "succeeded", "failed"])
def test_each_can_be_said_of_a_record_that_tells_nothing(action: str, outcome: str) -> None:
    said = sentence(row(action, outcome=outcome))
    assert re.fullmatch(r"[A-Z].*[^ .:]", said), said
    assert "{" not in said
    assert "None" not in said


@pytest.mark.parametrize(
    ("said", "record"),
    [
        ("Key ending vX2Q added to OpenAI", row("key.added", "openai/work", provider="openai", ending="vX2Q")),
        ("Key ending vX2Q used at OpenAI", row("key.used", "key_1", "begun", provider="openai")),
        ("Key work removed from OpenAI", row("key.removed", "key_gone", provider="openai", label="work")),
        ("A key used at OpenAI", row("key.used", "key_gone", "begun", provider="openai")),
        ("Keys for OpenAI put into another order", row("key.changed", "openai", provider="openai", order=["a", "b"])),
        ("Begun: key tested at OpenAI", row("key.tested", "openai", "begun")),
        ("Failed: key tested at OpenAI (denied)", row("key.tested", "openai", "failed", error="denied")),
        ("Budget house set", row("budget.set", "b_1", name="house")),
        ("Default model of OpenAI set to nothing", row("provider.default_model", "openai", old="a", new=None)),
        ("A request to openai/a went on to groq/b", row("fallback.triggered", "a", **MOVED)),
        ("Ann signed in", row("session.begun", "u1", browser="x")),
        ("Ann suspended", row("person.suspended", "u1")),
        ("Token laptop made", row("token.created", "tok_1", name="laptop")),
        ("A page of token laptop may ask for customer", row("page.begun", "tok_1", user="customer")),
        ("A yes remembered: openai may be replaced by groq", row("consent.remembered", "u1", **SWITCH)),
        ("Something.new: that", row("something.new", "that")),
    ],
)
def test_a_sentence_names_what_is_known(said: str, record: Row) -> None:
    assert sentence(record, NAMES) == said


def test_what_stands_in_a_record_is_not_read_as_a_form() -> None:
    assert sentence(row("budget.set", name="{target} {provider}")) == "Budget {target} {provider} set"


@pytest.mark.parametrize(
    ("name", "actor"),
    [
        ("Ownkey", ("system", "")),
        ("Token laptop", ("token", "tok_1")),
        ("A token", ("token", "tok_2")),
        ("Ann", ("user", "u1")),
        ("Somebody", ("user", "u2")),
        ("Owner", ("owner", "owner")),
    ],
)
def test_who_did_it_is_named(name: str, actor: tuple[str, str]) -> None:
    assert actor_name(row("budget.mended", actor=actor), NAMES) == name
