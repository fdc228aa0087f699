"""`ownkey batch --provider-batch`: made once at the provider, paid for once, at its own price."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from batched import line, shown, started, written
from house import Simulator, book_rows, environment, library, make_home, run, until, write_provider
from ownkey.store.entry import Ending

pytestmark = pytest.mark.row("C14")

BATCH = 'batch = {{ wire = "{wire}", discount_percent = 50, source = "the simulator, whose batches cost half" }}'
WIRES = {"openai-chat": "openai-batches", "anthropic-messages": "anthropic-batches"}
NANO_A_TOKEN = 5_000
"""Of an answer, at half the price."""
on_both = pytest.mark.parametrize("wire", WIRES)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_home(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def env(home: Path, simulator: Simulator) -> dict[str, str]:
    return environment(home, OWNKEY_ALLOW_PRIVATE_HOSTS=f"127.0.0.1:{simulator.port}", OWNKEY_RETRY_DELAY_S="0.01")


def batching(home: Path, simulator: Simulator, fault: str = "", wire: str = "openai-chat") -> str:
    """A provider with a batch endpoint."""
    return write_provider(home, simulator, fault, wire=wire, quirks="{}\n" + BATCH.format(wire=WIRES[wire]))


def hellos(path: Path, name: str, count: int) -> Path:
    return written(path, [line(f"c{number}", f"{name}/gpt-4o") for number in range(count)])


def made(simulator: Simulator, name: str) -> list[dict[str, Any]]:
    """What the provider was asked to make."""
    return [json.loads(one.body) for one in simulator.seen(name) if _is(one, "POST", "/batches")]


def _is(one: Any, method: str, end: str) -> bool:
    return one.method == method and one.path.partition("?")[0].endswith(end)


@on_both
def test_lines_go_to_the_batch_endpoint_and_cost_half(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path, wire: str
) -> None:
    name = batching(home, simulator, "batch-takes=1", wire)
    file = hellos(tmp_path / "calls.jsonl", name, 5)
    told = run(env, "batch", str(file), "--provider-batch", "--yes", "--json")
    assert told.returncode == 0, told.stderr
    assert "within 24 hours" in told.stderr
    results = shown(tmp_path / "calls.results.jsonl")
    assert set(results) == {f"c{n}" for n in range(5)}
    assert results["c1"]["response"]["body"]["choices"][0]["message"]["content"].endswith("You wrote: Hello c1")
    assert len(made(simulator, name)) == 1
    assert not [one for one in simulator.seen(name) if one.path.endswith(("/completions", "/messages"))]
    later = book_rows(home, name)
    assert {row.state for row in later} == {"exact"}
    usual = written(tmp_path / "usual.jsonl", [line(f"d{number}", f"{name}/gpt-4o") for number in range(5)])
    assert run(env, "batch", str(usual), "--yes").returncode == 0
    all_rows = book_rows(home, name)
    full = sum(row.cost_nano for row in all_rows) - sum(row.cost_nano for row in later)
    assert sum(row.cost_nano for row in later) * 2 == full > 0


def test_lines_without_a_batch_endpoint_go_the_usual_way_and_are_told(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    name, other = batching(home, simulator), write_provider(home, simulator)
    lines = [line(f"c{n}", f"{(name, other)[n % 2]}/gpt-4o") for n in range(6)]
    lines.append(line("tier", f"{name}/gpt-4o", service_tier="flex"))
    file = written(tmp_path / "calls.jsonl", lines)
    told = run(env, "batch", str(file), "--provider-batch", "--yes")
    assert told.returncode == 0, told.stderr
    assert "3 lines go to their providers' own batch endpoints" in told.stderr
    assert "4 lines go the usual way" in told.stderr
    assert set(shown(tmp_path / "calls.results.jsonl")) == {*(f"c{n}" for n in range(6)), "tier"}
    assert len([one for one in simulator.seen(other) if _is(one, "POST", "/chat/completions")]) == 3
    usual = [json.loads(one.body) for one in simulator.seen(name) if _is(one, "POST", "/chat/completions")]
    assert [one["service_tier"] for one in usual] == ["flex"]


def test_without_the_option_the_quote_says_what_it_would_cost_there(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    name, other = batching(home, simulator), write_provider(home, simulator)
    told = run(env, "batch", str(hellos(tmp_path / "calls.jsonl", name, 4)))
    assert "$0.0021 now, $0.00105 within 24 hours: `--provider-batch`" in told.stderr
    mixed = written(tmp_path / "mixed.jsonl", [line("a", f"{name}/gpt-4o"), line("b", f"{other}/gpt-4o")])
    assert "--provider-batch" not in run(env, "batch", str(mixed)).stderr
    assert not simulator.seen(name)


@pytest.mark.parametrize(
    ("wire", "end"),
    [("openai-chat", "/files"), ("openai-chat", "/batches"), ("anthropic-messages", "/batches")],
)
def test_S01_killed_while_it_is_made_it_is_made_once_and_paid_for_once(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path, wire: str, end: str
) -> None:
    name = batching(home, simulator, "delay=1;batch-takes=1", wire)
    file = hellos(tmp_path / "calls.jsonl", name, 4)
    running = started(env, str(file), "--provider-batch")
    until(lambda: any(_is(one, "POST", end) for one in simulator.seen(name)), 30.0)
    running.kill()
    running.communicate()
    assert {row.state for row in book_rows(home, name)} == {"held"}
    told = run(env, "batch", str(file), "--yes", "--json")
    assert told.returncode == 0, told.stderr
    _all_once(home, simulator, tmp_path, name, 4)


def test_S01_killed_while_money_is_held_it_begins_anew_and_charges_for_nothing_that_was_not_sent(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    name = batching(home, simulator, "delay=2")
    file = hellos(tmp_path / "calls.jsonl", name, 300)
    running = started(env, str(file), "--provider-batch")
    until(lambda: _held(home), 30.0)
    running.kill()
    running.communicate()
    told = run(env, "batch", str(file), "--yes", "--json")
    assert (json.loads(told.stdout)["done"], json.loads(told.stdout)["doubtful"]) == (300, 0), told.stderr
    states = Counter(row.state for row in book_rows(home, name))
    assert states.keys() <= {"exact", "released"}
    assert states["exact"] == 300
    assert len(made(simulator, name)) == 1


def _held(home: Path) -> bool:
    with closing(sqlite3.connect(home / "ownkey.db")) as database:
        return database.execute("SELECT count(*) FROM book").fetchone()[0] > 0


def _all_once(home: Path, simulator: Simulator, tmp_path: Path, name: str, count: int) -> None:
    assert len(made(simulator, name)) == 1
    assert set(shown(tmp_path / "calls.results.jsonl")) == {f"c{n}" for n in range(count)}
    rows = book_rows(home, name)
    assert [row.state for row in rows] == ["exact"] * count
    assert not (tmp_path / "calls.errors.jsonl").exists()


@on_both
def test_S01_killed_while_the_provider_works_its_holds_stay_and_the_answers_come_later(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path, wire: str
) -> None:
    name = batching(home, simulator, "batch-takes=4", wire)
    file = hellos(tmp_path / "calls.jsonl", name, 4)
    running = started(env, str(file), "--provider-batch")
    until(lambda: any("/batches/" in one.path for one in simulator.seen(name)), 30.0)
    running.kill()
    running.communicate()
    # Another process ends what the dead have left, but not this.
    assert run(env, "usage").returncode == 0
    assert {row.state for row in book_rows(home, name)} == {"held"}
    running = started(env, str(file))
    until(lambda: any(one.path.endswith(("/content", "/results")) for one in simulator.seen(name)), 30.0)
    running.kill()
    running.communicate()
    assert run(env, "batch", str(file)).returncode == 0
    _all_once(home, simulator, tmp_path, name, 4)


def test_S01_killed_before_it_is_there_what_costs_more_by_then_is_held_for_anew(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    name = batching(home, simulator, "silence")
    lines = [line(f"c{n}", f"{name}/gpt-4o", max_tokens=4_000) for n in range(2)]
    file = written(tmp_path / "calls.jsonl", lines)
    with library(home) as ownkey:
        ownkey.preferences.update(max_tokens=100)
    _killed_in_its_upload(env, simulator, name, file)
    assert {_cap(one) for one in _uploaded(simulator, name)} == {100}
    with library(home) as ownkey:
        ownkey.preferences.unset("max_tokens")
    _heal(home, name)
    told = run(env, "batch", str(file), "--yes", "--json")
    assert told.returncode == 0, told.stderr
    rows = {row.request_id: row for row in book_rows(home, name)}
    sent = _uploaded(simulator, name)[2:]
    assert [_cap(one) for one in sent] == [4_000, 4_000]
    assert all(rows[one["custom_id"]].held_nano >= 4_000 * NANO_A_TOKEN for one in sent)
    assert sorted(row.state for row in rows.values()) == ["exact", "exact", "released", "released"]


def test_S01_killed_before_it_is_there_a_line_whose_money_was_let_go_is_held_for_anew(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    """As where it is killed while it gives a part up."""
    name = batching(home, simulator, "silence")
    file = hellos(tmp_path / "calls.jsonl", name, 2)
    _killed_in_its_upload(env, simulator, name, file)
    first = book_rows(home, name)[0]
    with library(home) as ownkey:
        ownkey.house.store.parked.settle(Ending(first.id, "released", ended_at_ms=first.started_at_ms))
    _heal(home, name)
    assert run(env, "batch", str(file), "--yes", "--json").returncode == 0
    rows = {row.request_id: row for row in book_rows(home, name)}
    assert [rows[one["custom_id"]].state for one in _uploaded(simulator, name)[2:]] == ["exact", "exact"]


def _killed_in_its_upload(env: dict[str, str], simulator: Simulator, name: str, file: Path) -> None:
    running = started(env, str(file), "--provider-batch")
    until(lambda: simulator.seen(name), 60.0)
    running.kill()
    running.communicate()


def _heal(home: Path, name: str) -> None:
    """From now on the provider is not silent."""
    file = home / "providers" / f"{name}.toml"
    file.write_text(file.read_text().replace("/silence;", "/"))


def _uploaded(simulator: Simulator, name: str) -> list[dict[str, Any]]:
    """Every line that the provider was given so far."""
    bodies = [one.body for one in simulator.seen(name) if _is(one, "POST", "/files")]
    lines = [json.loads(line) for body in bodies for line in body.splitlines() if line.startswith(b'{"custom_id"')]
    return lines or [one for batch in made(simulator, name) for one in batch["requests"]]


def _cap(uploaded: dict[str, Any]) -> int:
    body: dict[str, int] = uploaded.get("body") or uploaded["params"]
    return body.get("max_tokens") or body["max_completion_tokens"]


def test_ctrl_c_leaves_it_at_the_provider_and_says_how_to_come_back(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    name = batching(home, simulator, "batch-takes=3")
    file = hellos(tmp_path / "calls.jsonl", name, 3)
    running = started(env, str(file), "--provider-batch")
    until(lambda: any("/batches/" in one.path for one in simulator.seen(name)), 30.0)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 130, err
    assert f"Come back for the answers: ownkey batch {file}" in err
    assert not [one for one in simulator.seen(name) if _is(one, "POST", "/cancel")]
    assert run(env, "batch", str(file)).returncode == 0
    _all_once(home, simulator, tmp_path, name, 3)


@on_both
def test_cancelled_it_is_cancelled_at_the_provider_and_nothing_is_paid(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path, wire: str
) -> None:
    name = batching(home, simulator, "batch-takes=600", wire)
    file = hellos(tmp_path / "calls.jsonl", name, 3)
    running = started(env, str(file), "--provider-batch")
    until(lambda: any("/batches/" in one.path for one in simulator.seen(name)), 30.0)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    told = run(env, "batch", str(file), "--cancel", "--json")
    assert json.loads(told.stdout)["status"] == "cancelled", told.stderr
    lost = shown(tmp_path / "calls.errors.jsonl")
    assert {one["error"]["code"] for one in lost.values()} == {"batch_cancelled"}
    assert [row.state for row in book_rows(home, name)] == ["released"] * 3


@on_both
def test_what_the_provider_did_not_come_to_in_time_is_let_go_and_can_be_sent_again(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path, wire: str
) -> None:
    name = batching(home, simulator, "batch-expires=2", wire)
    file = hellos(tmp_path / "calls.jsonl", name, 5)
    told = run(env, "batch", str(file), "--provider-batch", "--yes", "--json")
    assert (json.loads(told.stdout)["done"], json.loads(told.stdout)["failed"]) == (3, 2), told.stderr
    lost = shown(tmp_path / "calls.errors.jsonl")
    assert {one["error"]["code"] for one in lost.values()} == {"batch_expired"}
    assert sorted(row.state for row in book_rows(home, name)) == ["exact"] * 3 + ["released"] * 2
    again = run(env, "batch", str(file), "--retry-failed", "--no-provider-batch", "--json")
    assert json.loads(again.stdout)["done"] == 5, again.stderr


def test_a_refused_batch_holds_nothing_and_sends_nothing_the_usual_way(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    name = batching(home, simulator, "status=403")
    told = run(env, "batch", str(hellos(tmp_path / "calls.jsonl", name, 3)), "--provider-batch", "--yes")
    assert told.returncode != 0
    assert [row.state for row in book_rows(home, name)] == ["released"] * 3
    assert not [one for one in simulator.seen(name) if _is(one, "POST", "/chat/completions")]


def test_what_a_budget_has_no_room_for_waits_until_the_first_have_ended(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    name = batching(home, simulator)
    file = hellos(tmp_path / "calls.jsonl", name, 12)
    told = run(env, "batch", str(file), "--provider-batch", "--yes", "--json", "--limit", "0.017")
    assert told.returncode == 0, told.stderr
    assert len(made(simulator, name)) > 1
    assert set(shown(tmp_path / "calls.results.jsonl")) == {f"c{n}" for n in range(12)}
    assert not [one for one in simulator.seen(name) if _is(one, "POST", "/chat/completions")]


@pytest.mark.parametrize(
    ("terms", "nano", "tokens", "whole"),
    [
        ({"run_hard_tokens": 4_000}, 10**9, 4_000, False),
        ({"run_hard_usd": "0.02"}, 20_000_000, 10**6, False),
        ({"limit": "0.02", "per": "ever"}, 20_000_000, 10**6, False),
        # There is room for two whole answers: the third is not cut short, but waits.
        ({"limit": "0.2", "per": "ever"}, 200_000_000, 10**6, True),
    ],
)
@on_both
def test_a_line_that_does_not_say_how_long_its_answer_may_be_gets_one_that_budgets_pay_for(
    home: Path,
    env: dict[str, str],
    simulator: Simulator,
    tmp_path: Path,
    wire: str,
    terms: dict[str, Any],
    nano: int,
    tokens: int,
    whole: bool,
) -> None:
    name = batching(home, simulator, "", wire)
    lines = [line(f"c{n}", f"{name}/gpt-4o") for n in range(3)]
    for one in lines:
        del one["body"]["max_tokens"]
    with library(home) as ownkey:
        ownkey.budgets.set("small", **terms)
    told = run(env, "batch", str(written(tmp_path / "calls.jsonl", lines)), "--provider-batch", "--yes", "--json")
    assert told.returncode == 0, told.stderr
    assert set(shown(tmp_path / "calls.results.jsonl")) == {"c0", "c1", "c2"}
    assert not [one for one in simulator.seen(name) if one.path.endswith(("/completions", "/messages"))]
    rows = {row.request_id: row for row in book_rows(home, name) if row.state == "exact"}
    sent = _uploaded(simulator, name)
    assert len(sent) == len(rows) == 3
    for one in sent:
        row, cap = rows[one["custom_id"]], _cap(one)
        assert cap * NANO_A_TOKEN < row.held_nano <= nano
        assert cap < row.held_tokens <= tokens
        assert cap >= 256
        assert (cap == 16_384) is whole
