"""Everything out into one file, and in again somewhere else."""

from __future__ import annotations

import asyncio
import io
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from house import KEYS
from moving import PASSPHRASE, chat, everything, exported, opened, plain, taken, used, write_config
from ownkey import Ownkey
from ownkey.app.keys import KeyRing
from ownkey.app.signing import Browser, SignIn
from ownkey.settings import Password
from ownkey.settings.table import TABLE
from ownkey.settings.written import TRAVELS
from ownkey.store.audit_trail import Looked
from ownkey.store.columns import metadata
from ownkey.store.entry import Hold
from ownkey.store.parcel import PARTS, STAYS
from ownkey.talk.errors import BudgetExceeded, Conflict, InvalidRequest, OwnkeyError

New = Callable[[str], Ownkey]


@pytest.mark.row("E6")
def test_everything_is_there_again_under_another_root_key(old: Ownkey, new: New) -> None:
    there = new("new")
    there.parcels.open(io.BytesIO(exported(old)), PASSPHRASE).take()
    assert old.vault.status().kek_id != there.vault.status().kek_id
    before, after = everything(old), everything(there)
    for table, part in PARTS.items():
        if table not in ("keys", "tickets"):
            assert len(before[table]) == len(after[table]), part.what
    for table in ("choices", "prices", "budgets", "tokens", "token_terms", "usage_hours", "usage_days"):
        assert before[table] == after[table]
    assert [view.masked for view in there.keys.all()] == [view.masked for view in old.keys.all()]
    assert [view.origin for view in there.keys.all()] == [view.origin for view in old.keys.all()]
    assert used(there) == used(old)
    assert there.audit.verify().whole
    assert not there.house.store.budgets.wrong_counters()


@pytest.mark.row("E6")
def test_a_key_that_came_in_opens_the_provider_and_its_budget_holds(
    first: Ownkey, text: bytes, there: Ownkey, simulator: Any
) -> None:
    taken(there, text)
    assert chat(there, "local/gpt-4o").text
    sent = dict(simulator.seen("moved")[-1].headers)
    assert sent[b"authorization"] == f"Bearer {KEYS['openai']}".encode()
    before, after = ({room.budget.name: room for room in one.budgets.rooms()} for one in (first, there))
    assert before["house"].spent > 0
    assert {name: room.spent for name, room in after.items() if name != "of Ann"} == {
        name: 2 * room.spent for name, room in before.items() if name != "of Ann"
    }
    assert after["key local/default"].budget.key_id == there.keys.get("local").id
    there.budgets.set("house", limit="0.000001")
    with pytest.raises(BudgetExceeded):
        chat(there, "local/gpt-4o")


@pytest.mark.row("E6")
def test_people_sign_in_as_before_and_tokens_open(old: Ownkey, new: New) -> None:
    _, token = old.house.tokens.create("owner", "phone")
    there = new("new")
    taken(there, plain(exported(old)))
    assert there.house.tokens.caller(token.reveal())
    assert SignIn(there.house).by_password("ann@example.com", "a password of Ann's", Browser())
    ann = there.people.get("ann@example.com")
    assert [view.provider for view in KeyRing(there.house, ann.id).all()] == ["gemini"]


def test_twice_the_same_is_once(text: bytes, there: Ownkey) -> None:
    taken(there, text)
    before = everything(there)
    preview = taken(there, text)
    assert all(one.new == one.replaced == 0 for one in preview.parts)
    same = everything(there)
    assert before.keys() == same.keys()
    for name in before:
        if name not in ("budget_state", "counters"):
            assert before[name] == same[name], name


@pytest.mark.row("E6")
def test_V22_without_keys_nothing_of_a_key_or_of_a_way_in_is_in_it(old: Ownkey, new: New) -> None:
    text = plain(exported(old, keys=False))
    assert not [key for key in KEYS.values() if key.encode() in text]
    assert b"argon2" not in text
    assert b'"tokens"' not in text
    there = new("new")
    taken(there, text)
    assert there.keys.all() == []
    assert there.people.get("ann@example.com").password is None
    assert [one.name for one in there.budgets.all()] == [one.name for one in old.budgets.all()]
    assert used(there) == used(old)


def test_V22_the_file_is_for_its_owner_and_shows_no_key(first: Ownkey, tmp_path: Path) -> None:
    first.parcels.export(tmp_path / "all.age", PASSPHRASE)
    data = (tmp_path / "all.age").read_bytes()
    assert stat.S_IMODE((tmp_path / "all.age").stat().st_mode) == 0o600
    assert plain(data).count(KEYS["openai"].encode()) == 1
    for key in KEYS.values():
        assert key.encode() not in data
    assert b"not for others" not in plain(data)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["all.age"]


def test_without_usage_there_is_none(old: Ownkey, new: New) -> None:
    there = new("new")
    taken(there, plain(exported(old, usage=False)))
    assert everything(there)["book"] == []
    assert there.keys.get("local")


def test_a_run_that_is_not_over_stays_where_it_is(old: Ownkey, new: New) -> None:
    hold = Hold("r1.1", "r1", 1, "owner", None, None, "local", "gpt-4o", "openai-chat", False, 5, True, "{}", 1)

    async def held() -> None:
        await old.house.store.book.hold(hold)

    asyncio.run(held())
    there = new("new")
    taken(there, plain(exported(old)))
    assert "r1.1" not in str(everything(there)["book"])


def test_settings_come_and_what_is_this_machines_does_not(text: bytes, fresh: Ownkey) -> None:
    write_config(fresh.settings.home, "# mine\nport = 3011\n")
    taken(fresh, text)
    text = (fresh.settings.home / "config.toml").read_text()
    assert "retries = 1" in text
    assert 'fallback = ["demo/demo"]' in text
    assert "# mine\nport = 3011" in text
    assert "3999" not in text
    assert stat.S_IMODE((fresh.settings.home / "config.toml").stat().st_mode) == 0o600
    assert Ownkey(fresh.settings.home).settings.retries == 1


def _own_local(there: Ownkey) -> None:
    (there.settings.home / "providers").mkdir(exist_ok=True)
    (there.settings.home / "providers" / "local.toml").write_text("# other")


CONFLICTS: dict[str, Callable[[Ownkey], Any]] = {
    "budget house": lambda there: there.budgets.set("house", limit="99"),
    "key anthropic/spare": lambda there: there.keys.set("anthropic", KEYS["anthropic"][:-1] + "x", "spare"),
    "price openai/gpt-4o": lambda there: there.prices.set("openai/gpt-4o", {"input": "7", "output": "2"}),
    "provider's setting openai": lambda there: there.providers.set("openai", enabled=False),
    "setting retries": lambda there: write_config(there.settings.home, "retries = 5\n"),
    "file providers/local.toml": _own_local,
}


@pytest.mark.row("E6")
@pytest.mark.parametrize("what", CONFLICTS)
def test_V23_what_says_something_else_refuses_all_of_it_by_name(
    first: Ownkey, text: bytes, there: Ownkey, what: str
) -> None:
    CONFLICTS[what](there)
    before = everything(there)
    assert opened(there, text).preview.conflicts == [what]
    with pytest.raises(Conflict, match=what):
        taken(there, text)
    assert everything(there) == before
    preview = taken(there, text, replace=True)
    assert sum(one.replaced for one in preview.parts) == 1
    again = opened(there, text).preview
    assert again.conflicts == []
    assert all(one.new == 0 for one in again.parts)
    assert there.keys.get("anthropic", "spare").id == first.keys.get("anthropic", "spare").id
    assert there.audit.verify().whole


def test_a_token_that_was_revoked_here_stays_so(text: bytes, there: Ownkey) -> None:
    taken(there, text)
    there.house.tokens.revoke("laptop")
    taken(there, text, replace=True)
    assert all(row.revoked_at_ms for row in there.house.tokens.listed("owner"))


def test_nobody_takes_the_place_of_somebody_else(text: bytes, there: Ownkey) -> None:
    there.people.add("Another Ann", "ann@example.com")
    with pytest.raises(Conflict, match="person Ann"):
        taken(there, text, replace=True)


WRONG: dict[str, Callable[[list[str]], list[str]]] = {
    "another format": lambda lines: [lines[0].replace('"ownkey"', '"other"', 1), *lines[1:]],
    "another version": lambda lines: [lines[0].replace('"version":1', '"version":2'), *lines[1:]],
    "a schema to come": lambda lines: [lines[0].replace('"schema":"0', '"schema":"9'), *lines[1:]],
    "no end": lambda lines: lines[:-1],
    "a line less": lambda lines: [*lines[:3], *lines[4:]],
    "something behind its end": lambda lines: [*lines, "{}"],
    "an unknown table": lambda lines: [line.replace('"prices"', '"install"') for line in lines],
    "an unknown column": lambda lines: [line.replace('"label"', '"labels"') for line in lines],
    "a foreign setting": lambda lines: [line.replace('"retries"', '"port"') for line in lines],
    "a file elsewhere": lambda lines: [line.replace("providers/local", "providers/../x") for line in lines],
    "a file that is no provider": lambda lines: [line.replace("openai-chat\\", "no-such-wire\\") for line in lines],
    "a budget of no window": lambda lines: [line.replace('"month"', '"moon"') for line in lines],
    "an origin that is none": lambda lines: [line.replace("https://api.anthropic.com:443", "x") for line in lines],
    "a key that is none": lambda lines: [line.replace(KEYS["anthropic"], "a b") for line in lines],
    "a run that is open": lambda lines: [line.replace('"exact"', '"held"') for line in lines],
    "settings that do not load": lambda lines: [line.replace('"retries":1', '"retries":99') for line in lines],
    "a text for a number": lambda lines: [line.replace("5000000000", '"5"') for line in lines],
    "not JSON": lambda lines: ["nothing", *lines],
    "empty": lambda lines: [],
}


@pytest.mark.parametrize("what", WRONG)
def test_V23_what_is_not_as_it_should_be_is_refused_whole(text: bytes, fresh: Ownkey, what: str) -> None:
    lines = text.decode().splitlines()
    wrong = WRONG[what](lines)
    assert wrong != lines
    before = everything(fresh)
    with pytest.raises(OwnkeyError) as told:
        taken(fresh, "".join(f"{line}\n" for line in wrong).encode())
    assert everything(fresh) == before
    assert not [key for key in KEYS.values() if key in str(told.value)]
    assert fresh.house.audit.trail.listed(Looked(action="parcel.imported")) == []


def test_another_passphrase_is_said_and_changes_nothing(data: bytes, fresh: Ownkey) -> None:
    before = everything(fresh)
    with pytest.raises(InvalidRequest, match="not the passphrase"):
        fresh.parcels.open(io.BytesIO(data), Password("correct horse batter"))
    assert everything(fresh) == before


def test_a_short_passphrase_and_a_file_that_is_there_are_refused(first: Ownkey, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="12 characters"):
        first.parcels.export(tmp_path / "x.age", Password("short"))
    (tmp_path / "x.age").write_text("mine")
    with pytest.raises(Conflict):
        first.parcels.export(tmp_path / "x.age", PASSPHRASE)
    assert (tmp_path / "x.age").read_text() == "mine"


def test_both_are_recorded(first: Ownkey, text: bytes, there: Ownkey) -> None:
    taken(there, text)
    came = there.house.audit.trail.listed(Looked(action="parcel.imported"))[0]
    assert (came.outcome, came.actor_kind) == ("done", "owner")
    told = json.loads(came.detail)
    assert told["came"]["key"] == 3
    assert KEYS["openai"] not in came.detail


def test_every_table_travels_or_says_why_not() -> None:
    assert PARTS.keys() | STAYS.keys() == set(metadata.tables)
    assert not PARTS.keys() & STAYS.keys()
    assert {row.name for row in TABLE} > set(TRAVELS)
    assert not [row.name for row in TABLE if row.name in TRAVELS and row.kind in ("password", "path", "url")]
