"""The audit trail over the API: in sentences, page by page, whole or not, as a file; and one's own for everybody."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browsing import Browser, signed_in
from house import KEYS, MASKED, Gateway, Simulator, gateway, library
from ownkey.app.budgets import BudgetBook
from ownkey.app.keys import KeyRing
from ownkey.store.audit import acting
from ownkey.store.audit_trail import Actor

AUDIT = "/api/byok/audit"


@pytest.fixture(scope="module")
def place(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("trail") / "home", simulator) as running:
        with library(running.home) as ownkey:
            ownkey.keys.set("openai", KEYS["openai"])
            for number in range(25):
                ownkey.budgets.set(f"number {number}", limit="5")
        yield running


def told(browser: Browser, query: str = "") -> list[dict[str, Any]]:
    return browser.get(f"{AUDIT}{query}").json["records"]


def test_it_says_in_sentences_what_was_done_and_who_did_it(place: Gateway) -> None:
    (record,) = told(signed_in(place), "?action=key.added")
    assert record["says"] == f"Key ending {KEYS['openai'][-4:]} added to OpenAI"
    assert (record["actor_kind"], record["actor"]) == ("owner", "owner")
    assert record["detail"]["provider"] == "openai"
    assert KEYS["openai"] not in json.dumps(record)


@pytest.mark.parametrize("limit", [1, 4, 25, 500])
def test_each_record_stands_on_one_page_newest_first(place: Gateway, limit: int) -> None:
    browser, found, before = signed_in(place), list[int](), ""
    while True:
        page = browser.get(f"{AUDIT}?action=budget&limit={limit}{before}").json
        assert len(page["records"]) <= limit
        found += [record["seq"] for record in page["records"]]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert len(found) == 25
    assert found == sorted(set(found), reverse=True)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("action=budget.set", 25),
        ("action=budge", 0),
        ("text=NUMBER%201", 11),
        ("text=number%2024&action=budget", 1),
        ("text=100%25", 0),
        ("actor=system&action=budget", 0),
        ("actor=owner&action=budget", 25),
        ("since_ms=9007199254740992", 0),
        ("until_ms=0", 0),
    ],
)
def test_filters_are_held_to_together(place: Gateway, query: str, count: int) -> None:
    assert len(told(signed_in(place), f"?{query}&limit=500")) == count


def test_a_key_is_found_by_its_ending_and_a_person_by_their_name(place: Gateway) -> None:
    browser = signed_in(place)
    assert told(browser, f"?text={MASKED[-4:]}&action=key.added")
    with library(place.home) as ownkey:
        ann = ownkey.people.add("Annabel").id
    assert {record["target"] for record in told(browser, "?text=annabel")} == {ann}


def test_A05_a_person_sees_what_they_did_and_what_was_done_to_them(place: Gateway) -> None:
    with library(place.home) as ownkey:
        house, people = ownkey.house, ownkey.people
        ben, eve = people.add("Ben"), people.add("Eve")
        with acting(Actor("user", ben.id)):
            BudgetBook(house, ben.id, only=ben.id).set("of ben", limit="1")
        with acting(Actor("user", eve.id)):
            KeyRing(house, eve.id).set("openai", KEYS["openai"])
        token, _ = house.tokens.create(ben.id, "of ben")
        with acting(Actor("token", token.id)):
            house.audit.record("key.tested", "openai", detail={})
        keeper = people.add("Keeper", role="admin")
        with acting(Actor("user", keeper.id)):
            people.change(ben.id, name="Benjamin")
    found = told(signed_in(place, ben.id), "?limit=500")
    said = {record["says"] for record in found}
    assert {"Budget of ben set", "Key tested at OpenAI", "Benjamin signed in"} <= said
    assert not {record["says"] for record in found if eve.id in json.dumps(record)}
    (changed,) = [record for record in found if record["action"] == "person.changed"]
    assert (changed["actor"], changed["actor_name"]) == ("", "Somebody who keeps this Ownkey")
    assert keeper.id not in json.dumps(found)
    viewer = next(record for record in told(signed_in(place), f"?action=person.changed&actor={keeper.id}"))
    assert viewer["actor_name"] == "Keeper"


def test_A05_what_an_application_did_for_one_user_is_not_told_to_another(place: Gateway) -> None:
    with library(place.home) as ownkey:
        row, secret = ownkey.house.tokens.create("owner", "app", kind="service")
    asked = {"Authorization": f"Bearer {secret.reveal().decode()}", "Content-Type": "application/json"}
    body = json.dumps({"key": KEYS["openai"], "check": False}).encode()
    put = place.send("POST", "/api/user/api-keys/one/keys/openai", body, asked | {"x-ownkey-user": "one"})
    assert put.status == 200, put.body
    for user in ("one", "two"):
        answer = place.send("GET", AUDIT, None, asked | {"x-ownkey-user": user})
        assert answer.json["records"] == []
    assert [record["actor_name"] for record in told(signed_in(place), f"?actor={row.id}")] == ["Token app"]


def test_V12_it_is_verified_and_names_the_first_record_that_is_not_what_was_written(
    simulator: Simulator, tmp_path: Path
) -> None:
    with gateway(tmp_path / "home", simulator) as running:
        with library(running.home) as ownkey:
            for number in range(5):
                ownkey.budgets.set(f"number {number}", limit="5")
        browser = signed_in(running)
        verdict = browser.post(f"{AUDIT}/verify").json
        assert (verdict["whole"], verdict["problems"], verdict["accepted"]) == (True, [], [])
        last = told(browser, "?limit=1")[0]
        assert (verdict["entries"], verdict["until_ms"]) == (last["seq"], last["at_ms"])
        with sqlite3.connect(running.home / "ownkey.db") as database:
            names = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'")
            for (name,) in names.fetchall():
                database.execute(f"DROP TRIGGER {name}")
            database.execute("UPDATE audit SET target = 'another' WHERE seq = 3")
        verdict = browser.post(f"{AUDIT}/verify").json
    assert verdict["whole"] is False
    assert (verdict["problems"][0]["seq"], verdict["problems"][0]["kind"]) == (3, "edited")


def test_it_is_given_as_a_file_of_json_lines(place: Gateway) -> None:
    answer = signed_in(place).get(f"{AUDIT}/export")
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[-1]["action"] == "audit.exported"
    with library(place.home) as ownkey:
        file = place.home.parent / "of-the-command.jsonl"
        ownkey.audit.export(file)
    assert file.read_bytes().startswith(answer.body)
    assert KEYS["openai"].encode() not in answer.body
