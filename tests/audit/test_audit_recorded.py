"""What people and programs do stands in the trail: who, what, of what; and no key."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from house import CHAT, KEYS, Gateway, Simulator, environment, gateway, library, run, write_provider
from ownkey import Ownkey
from ownkey.store.audit_actions import ACTIONS
from ownkey.store.audit_trail import SYSTEM
from ownkey.store.keys import KeyRow
from ownkey.talk.errors import AuditUnavailable, OwnkeyError
from ownkey.talk.origin import Origin

SRC = Path(__file__).parents[2] / "src" / "ownkey"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def ownkey(home: Path) -> Iterator[Ownkey]:
    with library(home) as made:
        yield made


def recorded(ownkey: Ownkey, action: str | None = None) -> list[tuple[str, str, Any]]:
    """Oldest first: the action, of what, and the detail."""
    rows = ownkey.audit.listed(action=action, limit=1000)[::-1]
    return [(row.action, row.target, json.loads(row.detail)) for row in rows]


@pytest.mark.row("A7")
@pytest.mark.row("B17")
def test_every_operation_on_a_key_is_recorded_and_the_key_is_redacted(ownkey: Ownkey, home: Path) -> None:
    ownkey.keys.set("openai", KEYS["openai"])
    ownkey.keys.set("openai", KEYS["anthropic"], force=True)
    assert ownkey.keys.remove("openai") == 1
    assert ownkey.keys.remove("openai") == 0
    told = recorded(ownkey)
    assert [(action, detail["key"]) for action, _, detail in told] == [
        ("key.added", "REDACTED"),
        ("key.replaced", "REDACTED"),
        ("key.removed", "REDACTED"),
    ]
    named = {"provider": "openai", "origin": "https://api.openai.com:443", "label": "default"}
    assert told[0][1:] == ("openai/default", named | {"ending": KEYS["openai"][-4:], "key": "REDACTED"})
    assert [detail["ending"] for _, _, detail in told[1:]] == [KEYS["anthropic"][-4:]] * 2
    assert told[1][1] == told[2][1] != ""
    assert {(row.actor_kind, row.actor) for row in ownkey.audit.listed()} == {("owner", "owner")}
    assert ownkey.audit.verify().whole


@pytest.mark.row("A7")
def test_whatever_else_is_done_to_keys_is_recorded_and_no_record_shows_one(ownkey: Ownkey) -> None:
    ownkey.keys.set("openai", KEYS["openai"], "a")
    ownkey.keys.set("openai", KEYS["anthropic"], "b", force=True)
    ownkey.keys.set("gemini", KEYS["gemini"])
    ownkey.keys.change("openai", "a", rename="c", models=["gpt-4o*"], expires="2099-12-31", monthly_limit="20")
    ownkey.keys.pause("openai", "b")
    ownkey.keys.resume("openai", "b")
    ownkey.keys.order("openai", ["b", "c"])
    assert ownkey.keys.clear() == 3
    told = recorded(ownkey)
    assert [action for action, _, _ in told] == [
        *("key.added", "key.added", "key.added", "budget.set", "key.changed"),
        *("key.changed", "key.changed", "key.changed"),
        *("key.removed", "key.removed", "key.removed"),
    ]
    assert {detail["key"] for action, _, detail in told if action in ("key.added", "key.removed")} == {"REDACTED"}
    assert set(told[4][2]["changed"]) == {"label", "models", "expires_at_ms"}
    assert list(told[5][2]["changed"]) == list(told[6][2]["changed"]) == ["paused_at_ms"]
    assert told[7][2]["order"] == ["b", "c"]
    shown = json.dumps(told)
    for key in KEYS.values():
        assert not any(key[start : start + 9] in shown for start in range(len(key) - 8))


@pytest.mark.row("B17")
def test_what_is_done_to_providers_models_and_budgets_is_recorded(ownkey: Ownkey) -> None:
    ownkey.providers.set("openai", enabled=False)
    ownkey.providers.set("openai", enabled=True, default="gpt-4o-mini")
    ownkey.providers.set("openai", endpoint="https://eu.api.openai.com/v1")
    ownkey.providers.set("openai", endpoint="https://eu.api.openai.com/v1")
    ownkey.budgets.set("monthly", limit="20")
    ownkey.budgets.set("monthly", limit="30")
    ownkey.budgets.remove("monthly")
    ownkey.prices.set("openai/gpt-4o", {"input": "1", "output": "2"}, note="a contract")
    ownkey.prices.remove("openai/gpt-4o")
    told = recorded(ownkey)
    assert [action for action, _, _ in told] == [
        *("provider.disabled", "provider.enabled", "provider.default_model", "provider.endpoint"),
        *("budget.set", "budget.set", "budget.removed", "price.set", "price.removed"),
    ]
    assert told[2][2]["new"] == "gpt-4o-mini"
    assert told[3] == ("provider.endpoint", "openai", {"old": None, "new": "https://eu.api.openai.com/v1"})
    assert told[5][2] == {"name": "monthly", "old": {"limit": 20_000_000_000}, "new": {"limit": 30_000_000_000}}
    assert told[7][2]["rates"] == {"input": "1", "output": "2"}


def test_what_is_done_to_tokens_files_and_exports_is_recorded(ownkey: Ownkey, tmp_path: Path) -> None:
    _, secret = ownkey.house.tokens.create("owner", "laptop")
    assert ownkey.house.tokens.revoke("laptop")
    assert not ownkey.house.tokens.revoke("laptop")
    gallery = ownkey.providers.gallery()
    ownkey.providers.add_from_gallery(gallery[0].id)
    ownkey.providers.remove(gallery[0].id)
    ownkey.audit.export(tmp_path / "audit.jsonl")
    told = recorded(ownkey)
    # What was begun is told at once, and how it ended within two seconds.
    assert list(dict.fromkeys(action for action, _, _ in told)) == [
        *("token.created", "token.revoked", "provider.added", "provider.removed", "audit.exported")
    ]
    assert told[0][2] == {"name": "laptop", "token": "REDACTED"}
    lines = (tmp_path / "audit.jsonl").read_text().splitlines()
    assert {json.loads(line)["action"] for line in lines} == {action for action, _, _ in told}
    assert secret.reveal().decode() not in "".join(lines)


@pytest.mark.row("B17")
def test_what_was_begun_has_an_end_in_the_trail(home: Path) -> None:
    with library(home) as ownkey:
        one = ownkey.providers.gallery()[0].id
        ownkey.providers.add_from_gallery(one)
        ownkey.providers.remove(one)
        folder = home / "providers"
        folder.rmdir()
        folder.write_text("no folder")
        with pytest.raises(OwnkeyError):
            ownkey.providers.add_from_gallery(one)
        folder.unlink()
        with pytest.raises(OwnkeyError):
            ownkey.providers.remove(one)
    with library(home) as ownkey:
        ends: dict[str, list[str]] = {"begun": [], "succeeded": [], "failed": []}
        for row in ownkey.audit.listed()[::-1]:
            ends[row.outcome].append(row.action)
        assert ends["begun"] == ["provider.added", "provider.removed", "provider.added"]
        assert sorted(ends["succeeded"]) == ["provider.added", "provider.removed"]
        assert ends["failed"] == ["provider.added"]


# Rows that only their owner changes; the book, alerts and what was discovered have records of their own kind.
_WATCHED = ("keys", "choices", "tokens", "budgets", "prices")


def test_O10_no_row_changes_without_a_record_before_it(ownkey: Ownkey, home: Path) -> None:
    ownkey.keys.all()
    with closing(sqlite3.connect(home / "ownkey.db")) as connection:
        # In each transaction that changes such a row there has to be a record that was not there in the last one.
        connection.execute("CREATE TABLE told (records INTEGER)")
        connection.execute("INSERT INTO told SELECT count(*) FROM audit")
        for table in _WATCHED:
            for verb in ("INSERT", "UPDATE", "DELETE"):
                connection.execute(
                    f"CREATE TRIGGER watch_{table}_{verb} BEFORE {verb} ON {table}"
                    " WHEN (SELECT count(*) FROM audit) <= (SELECT records FROM told)"
                    " BEGIN SELECT RAISE(ABORT, 'no record'); END"
                )
        connection.commit()

        def next_one() -> None:
            connection.execute("UPDATE told SET records = (SELECT count(*) FROM audit)")
            connection.commit()

        for change in (
            lambda: ownkey.keys.set("openai", KEYS["openai"]),
            lambda: ownkey.keys.set("openai", KEYS["anthropic"], force=True),
            lambda: ownkey.keys.pause("openai"),
            lambda: ownkey.keys.resume("openai"),
            lambda: ownkey.keys.change("openai", models=["gpt-4o*"]),
            lambda: ownkey.keys.order("openai", ["default"]),
            lambda: ownkey.keys.remove("openai"),
            lambda: ownkey.providers.set("openai", enabled=False),
            lambda: ownkey.budgets.set("monthly", limit="20"),
            lambda: ownkey.budgets.set("monthly", limit="30"),
            lambda: ownkey.budgets.remove("monthly"),
            lambda: ownkey.prices.discount("openai", "15"),
            lambda: ownkey.prices.remove("openai"),
            lambda: ownkey.house.tokens.create("owner", "laptop"),
            lambda: ownkey.house.tokens.revoke("laptop"),
        ):
            next_one()
            change()
        next_one()
        with pytest.raises(Exception, match="no record"):  # the watch itself watches
            ownkey.house.store.keys.put(_row(), under=None)


def _row() -> KeyRow:
    return KeyRow("key_1", "owner", "openai", "https://a:443", 1, b"x", "...", "default", 1)


def test_every_action_of_the_table_is_recorded_somewhere() -> None:
    text = "".join(path.read_text() for path in SRC.rglob("*.py") if path.name != "audit_actions.py")
    for name in ACTIONS:
        assert f'"{name}"' in text or name == "audit.accepted", name


@pytest.mark.row("A7")
@pytest.mark.row("D9")
@pytest.mark.row("B17")
def test_uses_of_keys_and_fallbacks_are_recorded_once_and_hold_no_key(home: Path, simulator: Simulator) -> None:
    with gateway(home, simulator, OWNKEY_RETRIES="0") as running:
        good = running.provider()
        bad = running.provider("status=503")
        for _ in range(5):
            assert running.ask(f"{good}/gpt-4o").status == 200
        with library(home) as ownkey:
            # On disk by now: nobody waits for a record of a use afterwards.
            used = [row for row in ownkey.audit.listed(action="key.used") if f'"{good}"' in row.detail]
            assert len(used) == 1
            assert (used[0].actor_kind, used[0].outcome) == ("token", "begun")
            assert used[0].request_id
            detail = json.loads(used[0].detail)
            assert (detail["provider"], detail["model"], detail["key"]) == (good, "gpt-4o", "REDACTED")
            assert detail["origin"].startswith("http://127.0.0.1:")
        for _ in range(6):
            assert running.ask(f"{bad}/gpt-4o,{good}/gpt-4o").status == 200
        assert running.stop() == 0
    with library(home) as ownkey:
        rows = [row for row in ownkey.audit.listed(action="fallback") if row.target.startswith(bad)]
        fallbacks = [json.loads(row.detail) for row in rows]
        assert sum(one.get("times", 1) for one in fallbacks) == 6
        assert fallbacks[0]["from"] == f"{bad}/gpt-4o"
        assert fallbacks[0]["to"] == f"{good}/gpt-4o"
        assert fallbacks[0]["error"] == "upstream_unavailable"
        assert ownkey.audit.listed(action="vault.opened") != []
        assert ownkey.audit.verify().whole
    for path in home.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        for key in KEYS.values():
            assert not any(key[start : start + 9].encode() in data for start in range(0, len(key) - 8, 9)), path


@pytest.mark.row("A7")
def test_a_key_that_is_tested_is_recorded_with_what_came_of_it(home: Path, simulator: Simulator) -> None:
    with library(home) as ownkey:
        good = write_provider(home, simulator)
        bad = write_provider(home, simulator, "reason=key")
    hosts = frozenset({("127.0.0.1", simulator.port)})
    with Ownkey(home, keychain=False, allow_private_hosts=hosts).blocking() as tried:
        tried.test_key(good)
        with pytest.raises(OwnkeyError):
            tried.test_key(bad)
    with library(home) as ownkey:
        told = [(row.target, row.outcome, json.loads(row.detail)) for row in ownkey.audit.listed(action="key.tested")]
    assert [(target, outcome) for target, outcome, _ in told[::-1]] == [
        (good, "begun"),
        (bad, "begun"),
        (good, "succeeded"),
        (bad, "failed"),
    ]
    assert told[1][2]["models"] > 0
    assert told[0][2] == {"key": "REDACTED", "error": "upstream_auth"}


def test_O07_without_a_record_no_key_is_sent_and_it_recovers(home: Path, simulator: Simulator) -> None:
    with gateway(home, simulator) as running:
        name = running.provider()
        with closing(sqlite3.connect(home / "ownkey.db", timeout=10)) as connection:
            connection.execute("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END")
        for stream in (False, True):
            refused = running.ask(f"{name}/gpt-4o", stream=stream)
            assert (refused.status, refused.error["code"]) == (503, "audit_unavailable")
            assert refused.headers["x-should-retry"] == "true"
        assert simulator.seen(name) == []
        rows = running.rows(name)
        assert {(row.state, row.error, row.cost_nano) for row in rows} == {("released", "audit_unavailable", 0)}
        with library(home) as ownkey, pytest.raises(AuditUnavailable):
            ownkey.keys.set("openai", KEYS["openai"])
        with closing(sqlite3.connect(home / "ownkey.db", timeout=10)) as connection:
            connection.execute("DROP TRIGGER full")
        assert running.ask(f"{name}/gpt-4o").status == 200
        with library(home) as ownkey:
            assert "openai" not in {row.provider for row in ownkey.keys.all()}


def test_a_key_in_use_pays_nothing_for_its_record(ownkey: Ownkey) -> None:
    uses = ownkey.house.uses
    asyncio.run(uses.note("key_1", SYSTEM, "openai", Origin("https", "api.openai.com", 443)))
    best_s = min(_timed(lambda: uses.due("key_1")) for _ in range(20))
    assert best_s < 2e-6
    assert not uses.due("key_1")
    assert uses.due("key_2")


def _timed(call: Any, times: int = 2000) -> float:
    began_s = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - began_s) / times


def test_O06_bad_requests_do_not_fill_the_trail(served: Gateway) -> None:
    with library(served.home) as ownkey:
        before = ownkey.house.audit.trail.head().count
        for number in range(100):
            served.send("POST", CHAT, b"{", served.own | {"Authorization": f"Bearer nobody-{number}"})
        assert ownkey.house.audit.trail.head().count - before <= 3


def test_the_command_lists_verifies_and_exports(home: Path, tmp_path: Path) -> None:
    with library(home) as ownkey:
        ownkey.budgets.set("monthly", limit="20")
        ownkey.house.tokens.create("owner", "laptop")
    env = environment(home)
    listed = run(env, "audit", "list", "--action", "budget", "--json")
    assert [row["action"] for row in json.loads(listed.stdout)] == ["budget.set"]
    assert "token.created" in run(env, "audit", "list", "--since", "1d", "--actor", "owner").stdout
    assert run(env, "audit", "list", "--since", "soon").returncode == 2
    verified = run(env, "audit", "verify")
    assert (verified.returncode, verified.stdout) == (0, "2 records: each is there and is what was written.\n")
    with closing(sqlite3.connect(home / "ownkey.db")) as connection:
        connection.execute("DROP TRIGGER audit_stays")
        connection.execute("UPDATE audit SET actor = 'somebody' WHERE seq = 1")
        connection.commit()
    broken = run(env, "audit", "verify")
    assert broken.returncode == 1
    assert "BROKEN at record 1: record 1 is not what was written." in broken.stderr
    assert json.loads(run(env, "audit", "verify", "--json").stdout)["breaks"][0]["kind"] == "edited"
    exported = run(env, "audit", "export", str(tmp_path / "all.jsonl"))
    assert exported.stdout == f"3 records are in {tmp_path / 'all.jsonl'}.\n"
    assert run(env, "audit", "accept", "--yes").returncode == 0
    again = run(env, "audit", "verify")
    assert again.returncode == 0
    assert "Accepted before" in again.stderr
