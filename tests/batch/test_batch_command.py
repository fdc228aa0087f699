"""`ownkey batch`: what is answered is paid for once, whatever ends the command."""

from __future__ import annotations

import json
import signal
from decimal import Decimal
from pathlib import Path

import pytest

from batched import asked, hellos, line, shown, started, written
from house import Simulator, book_rows, environment, make_home, run, until, write_provider

pytestmark = pytest.mark.row("C14")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_home(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def env(home: Path, simulator: Simulator) -> dict[str, str]:
    return environment(home, OWNKEY_ALLOW_PRIVATE_HOSTS=f"127.0.0.1:{simulator.port}", OWNKEY_RETRY_DELAY_S="0.01")


def test_every_line_is_answered_under_its_custom_id_for_what_the_book_says(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    one, two = write_provider(home, simulator), write_provider(home, simulator, wire="anthropic-messages")
    lines = [line(f"c{n}", f"{(one, two)[n % 2]}/gpt-4o") for n in range(10)]
    lines.append({"custom_id": "r", "url": "/v1/responses", "body": {"model": f"{one}/gpt-4o", "input": "Hello r"}})
    lines.append(line("bad", f"{one}/gpt-4o", temperature="hot"))
    file = written(tmp_path / "calls.jsonl", lines[:-1])
    told = run(env, "batch", str(file), "--yes", "--json")
    assert told.returncode == 0, told.stderr
    results = shown(tmp_path / "calls.results.jsonl")
    assert set(results) == {*(f"c{n}" for n in range(10)), "r"}
    assert all(one["response"]["status_code"] == 200 and one["error"] is None for one in results.values())
    assert results["c1"]["response"]["body"]["choices"][0]["message"]["content"].endswith("You wrote: Hello c1")
    assert results["r"]["response"]["body"]["object"] == "response"
    assert not (tmp_path / "calls.errors.jsonl").exists()
    cost = sum(row.cost_nano for row in book_rows(home))
    summed = sum(Decimal(one["ownkey"]["cost_usd"]) for one in results.values())
    assert json.loads(told.stdout)["cost_nano"] == cost == int(summed * 10**9) > 0


def test_a_bad_line_is_named_and_nothing_is_sent(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    name = write_provider(home, simulator)
    good = [line(f"c{n}", f"{name}/gpt-4o") for n in range(3)]
    wrong = {
        "not JSON": "Line 4",
        json.dumps({**good[0], "custom_id": "c1"}): "Line 4: its custom_id is that of a line before",
        json.dumps({**good[0], "custom_id": "x", "url": "/v1/images/generations"}): "Line 4: url is one of",
        json.dumps({**good[0], "custom_id": "x", "body": []}): "Line 4: body is not an object",
        json.dumps({**good[0], "custom_id": "x", "body": {"model": 5}}): "Line 4",
        json.dumps({**line("x", "m"), "body": {**line("x", "m")["body"], "stream": True}}): "Line 4: A line of a batch",
    }
    for number, (text, says) in enumerate(wrong.items()):
        file = written(tmp_path / f"bad{number}.jsonl", good)
        file.write_text(file.read_text() + text + "\n")
        told = run(env, "batch", str(file), "--yes")
        assert (told.returncode, told.stdout) == (2, ""), text
        assert says in told.stderr
        assert "Nothing was sent" in told.stderr
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    assert run(env, "batch", str(empty), "--yes").returncode == 2
    assert not simulator.seen(name)


def test_without_a_yes_and_nobody_to_ask_nothing_is_sent(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    name = write_provider(home, simulator)
    told = run(env, "batch", str(hellos(tmp_path / "calls.jsonl", f"{name}/gpt-4o", 20)))
    assert told.returncode == 2
    assert "--yes" in told.stderr
    assert told.stdout.splitlines()[1].startswith(f"{name}/gpt-4o\t20\t$0.0")
    assert not simulator.seen(name)


def test_S01_killed_again_and_again_no_line_is_paid_for_twice_and_none_is_lost(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    name = write_provider(home, simulator, "delay=0.15")
    file, count = hellos(tmp_path / "calls.jsonl", f"{name}/gpt-4o", 60), 60
    for more in (1, 4, 9, 16, 11):
        before = len(simulator.seen(name))
        running = started(env, str(file), "--parallel", "6")
        until(lambda at=before + more: len(simulator.seen(name)) >= at, 30.0)
        running.kill()
        running.communicate()
    told = run(env, "batch", str(file), "--yes", "--json")
    assert told.returncode == 0, told.stderr
    said = json.loads(told.stdout)
    done, lost = shown(tmp_path / "calls.results.jsonl"), shown(tmp_path / "calls.errors.jsonl")
    times = asked(simulator, name)
    assert max(times.values()) == 1
    assert not done.keys() & lost.keys()
    assert len(done) + len(lost) == count
    assert all(one["error"]["code"] == "in_doubt" for one in lost.values())
    assert 5 <= len(lost) <= 30
    assert (said["done"], said["doubtful"], said["waiting"]) == (len(done), len(lost), 0)
    assert said["cost_nano"] == sum(row.cost_nano for row in book_rows(home, name))
    assert "--retry-doubtful" in told.stderr
    # Only when it is told to it sends them again.
    again = run(env, "batch", str(file), "--yes", "--json", "--retry-doubtful")
    assert json.loads(again.stdout)["done"] == count
    assert set(shown(tmp_path / "calls.results.jsonl")) == {f"c{n}" for n in range(count)}
    assert not (tmp_path / "calls.errors.jsonl").exists()
    times = asked(simulator, name)
    assert {id for id, often in times.items() if often > 1} <= set(lost)
    assert json.loads(again.stdout)["cost_nano"] == sum(row.cost_nano for row in book_rows(home, name))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_lines_under_way_end_and_the_rest_goes_on_later(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path, how: signal.Signals
) -> None:
    name = write_provider(home, simulator, "delay=0.3")
    file = hellos(tmp_path / "calls.jsonl", f"{name}/gpt-4o", 20)
    running = started(env, str(file), "--parallel", "4", "--json")
    until(lambda: len(simulator.seen(name)) >= 6, 30.0)
    running.send_signal(how)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130, err
    said = json.loads(out)
    assert said["doubtful"] == 0
    assert said["done"] == len(simulator.seen(name)) == len(shown(tmp_path / "calls.results.jsonl")) < 20
    assert f"ownkey batch {file}" in err
    assert run(env, "batch", str(file), "--yes").returncode == 0
    assert asked(simulator, name) == {f"c{n}": 1 for n in range(20)}


def test_run_a_second_time_it_sends_nothing_and_writes_the_results_anew(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    name = write_provider(home, simulator)
    file = hellos(tmp_path / "calls.jsonl", f"{name}/gpt-4o", 5)
    assert run(env, "batch", str(file), "--yes").returncode == 0
    first = shown(tmp_path / "calls.results.jsonl")
    (tmp_path / "calls.results.jsonl").unlink()
    assert run(env, "batch", str(file)).returncode == 0
    assert shown(tmp_path / "calls.results.jsonl") == first
    assert len(simulator.seen(name)) == 5
    assert run(env, "batch", str(file), "--again", "--yes").returncode == 0
    assert len(simulator.seen(name)) == 10


def test_what_failed_is_in_its_own_file_and_is_sent_again_on_demand(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    name = write_provider(home, simulator, "status=400;times=2")
    file = hellos(tmp_path / "calls.jsonl", f"{name}/gpt-4o", 6)
    told = run(env, "batch", str(file), "--yes")
    assert told.returncode == 0
    failed = shown(tmp_path / "calls.errors.jsonl")
    assert [one["response"]["status_code"] for one in failed.values()] == [400, 400]
    assert len(shown(tmp_path / "calls.results.jsonl")) == 4
    assert "--retry-failed" in told.stderr
    assert run(env, "batch", str(file), "--retry-failed").returncode == 0
    assert len(shown(tmp_path / "calls.results.jsonl")) == 6
    assert len(simulator.seen(name)) == 8


def test_B01_its_limit_is_never_passed_and_the_rest_waits(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    name = write_provider(home, simulator, "delay=0.02")
    file = hellos(tmp_path / "calls.jsonl", f"{name}/gpt-4o", 40)
    # A line holds about $0.006 and costs about $0.00024.
    told = run(env, "batch", str(file), "--yes", "--limit", "0.01")
    assert told.returncode == 1, told.stderr
    rows = book_rows(home, name)
    spent = sum(row.cost_nano for row in rows)
    done = len(shown(tmp_path / "calls.results.jsonl"))
    assert 3_000_000 < spent <= 10_000_000
    assert done == len(rows) == len(simulator.seen(name)) < 40
    assert "the limit of batch_" in told.stderr
    assert f"{40 - done} are still to be sent" in told.stderr
    again = run(env, "batch", str(file), "--yes", "--limit", "5")
    assert again.returncode == 0, again.stderr
    assert asked(simulator, name) == {f"c{n}": 1 for n in range(40)}
    assert run(env, "budgets", "list", "--json").stdout.strip() == "[]"


def test_no_more_lines_are_under_way_than_it_was_told(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    name = write_provider(home, simulator, "delay=0.2")
    file = hellos(tmp_path / "calls.jsonl", f"{name}/gpt-4o", 18)
    assert run(env, "batch", str(file), "--yes", "--parallel", "3").returncode == 0
    spans = [(seen.at_s, seen.ended_at_s or seen.at_s) for seen in simulator.seen(name)]
    most = max(sum(begin <= at < end for begin, end in spans) for at, _ in spans)
    assert most == 3


def test_a_provider_that_limits_the_rate_is_asked_again_when_it_says(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    name = write_provider(home, simulator, "status=429;retry-after=1;times=4")
    file = hellos(tmp_path / "calls.jsonl", f"{name}/gpt-4o", 6)
    told = run(env | {"OWNKEY_RETRIES": "0"}, "batch", str(file), "--yes", "--json")
    assert json.loads(told.stdout)["done"] == 6, told.stderr
    assert not (tmp_path / "calls.errors.jsonl").exists()


def test_two_commands_on_one_file_do_not_both_send(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    name = write_provider(home, simulator, "delay=40")
    file = hellos(tmp_path / "calls.jsonl", f"{name}/gpt-4o", 20)
    running = started(env, str(file), "--parallel", "2")
    until(lambda: len(simulator.seen(name)) >= 2, 30.0)
    other = run(env, "batch", str(file), "--yes")
    assert other.returncode == 2
    assert "being worked on already" in other.stderr
    running.kill()
    running.communicate(timeout=30)
    assert asked(simulator, name) == {"c0": 1, "c1": 1}


def test_files_that_are_no_results_of_it_are_left_alone(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    name = write_provider(home, simulator)
    file = hellos(tmp_path / "calls.jsonl", f"{name}/gpt-4o", 2)
    (tmp_path / "calls.results.jsonl").write_text("mine\n")
    told = run(env, "batch", str(file), "--yes")
    assert told.returncode == 2
    assert (tmp_path / "calls.results.jsonl").read_text() == "mine\n"
    assert run(env, "batch", str(file), "--yes", "--out", str(file)).returncode == 2
    assert run(env, "batch", str(file), "--yes", "--out", str(tmp_path / "other.jsonl")).returncode == 0
    assert len(shown(tmp_path / "other.jsonl")) == 2


def test_no_prompt_or_answer_of_it_is_readable_in_the_database(
    home: Path, env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    name = write_provider(home, simulator)
    file = written(tmp_path / "calls.jsonl", [line("person-of-note", f"{name}/gpt-4o", "A very private matter")])
    assert run(env, "batch", str(file), "--yes").returncode == 0
    assert "A very private matter" in (tmp_path / "calls.results.jsonl").read_text()
    for path in home.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"private matter" not in data, path
            assert b"person-of-note" not in data, path
