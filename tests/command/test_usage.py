"""Usage in the terminal and as files: by anything, with what it will come to; the same figures everywhere."""

from __future__ import annotations

import csv
import json
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from attempts import exact, hold
from house import environment, library, make_home, run
from store_asked import ask, settle

DAY_MS = 86_400_000
NOW_MS = time.time_ns() // 1_000_000

Env = dict[str, str]


@pytest.fixture(scope="module")
def spent(tmp_path_factory: pytest.TempPathFactory) -> Env:
    """A home with some weeks of runs: every day the same, of two models, one of them an automation's."""
    home = tmp_path_factory.mktemp("spent") / "home"
    make_home(home)
    with library(home) as ownkey:
        store = ownkey.house.store
        for back in range(40):
            at_ms = NOW_MS - back * DAY_MS - 1_000
            dear = hold(started_at_ms=at_ms, model="gpt-4o", automation="=nightly", held_nano=20_000_000)
            cheap = hold(started_at_ms=at_ms, model="gpt-4o-mini", held_nano=20_000_000)
            failed = hold(started_at_ms=at_ms, model="gpt-4o")
            ask(store, dear, cheap, failed)
            tokens: dict[str, Any] = {"input_tokens": 1_000, "output_tokens": 500, "total_ms": 900, "first_ms": 200}
            settle(
                store,
                exact(dear.id, 7_500_000, **tokens),
                exact(cheap.id, 450_000, **tokens),
                exact(failed.id, 0, error="upstream_unavailable"),
            )
        ownkey.budgets.set("month", limit="1", per="month")
    return environment(home)


def told(env: Env, *arguments: str) -> Any:
    done = run(env, "usage", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.row("C12")
@pytest.mark.row("C5")
def test_totals_by_anything(spent: Env) -> None:
    by_model = {one["group"]["model"]: one for one in told(spent, "by", "model")}
    assert by_model["gpt-4o"]["cost_nano"] == 40 * 7_500_000
    assert (by_model["gpt-4o"]["calls"], by_model["gpt-4o"]["failed"], by_model["gpt-4o"]["succeeded"]) == (80, 40, 0.5)
    assert by_model["gpt-4o-mini"]["input_tokens"] == 40_000
    assert 750 < by_model["gpt-4o-mini"]["p50_ms"] <= 1_000
    assert 150 < by_model["gpt-4o-mini"]["first_p95_ms"] <= 200
    nightly = next(one for one in told(spent, "by", "automation") if one["group"]["automation"])
    assert nightly["cost_nano"] // nightly["calls"] == 7_500_000
    days = told(spent, "by", "day")
    assert len(days) in (40, 41)
    first = datetime.fromtimestamp(days[0]["group"]["day"] / 1000, UTC).date().isoformat()
    assert sum(one["cost_nano"] for one in told(spent, "by", "day", "--until", first)) == days[0]["cost_nano"]
    assert told(spent, "by", "key_id,owner,token_id")[0]["group"] == {
        "key_id": "key-1", "owner": "local", "token_id": "",
    }  # fmt: skip


@pytest.mark.row("B13")
@pytest.mark.row("C14")
def test_this_month_and_what_it_will_come_to(spent: Env) -> None:
    summary = told(spent)["summary"]
    day_nano = 7_950_000
    today = datetime.now().astimezone().date()
    next_month = (today.replace(day=28) + timedelta(days=4)).replace(day=1)
    length = (next_month - timedelta(days=1)).day
    assert summary["projection"]["says"].startswith("You're on track for $0.2")
    assert abs(summary["projection"]["expected"] - length * day_nano) < 1.1 * day_nano
    assert summary["projection"]["low"] <= summary["projection"]["expected"] <= summary["projection"]["high"]
    (ends,) = summary["budgets"]
    assert ends["runs_out"] is None
    with library(Path(spent["OWNKEY_HOME"])) as ownkey:
        spent_nano = sum(one.cost_nano for one in ownkey.usage.totals(()))
        ownkey.budgets.set("soon", limit=str((spent_nano + 3 * day_nano) / 10**9), per="ever")
    try:
        ends = next(one for one in told(spent)["summary"]["budgets"] if one["budget"] == "soon")
        found = date.fromisoformat(ends["runs_out"])
        assert timedelta(days=2) <= found - datetime.now(UTC).date() <= timedelta(days=4)
        assert "The budget soon will be used up on" in run(spent, "usage").stdout
    finally:
        with library(Path(spent["OWNKEY_HOME"])) as ownkey:
            ownkey.budgets.remove("soon")


@pytest.mark.row("B13")
def test_this_month_stands_beside_the_last(spent: Env) -> None:
    day_nano = 7_950_000
    began = [datetime.fromtimestamp((NOW_MS - back * DAY_MS - 1_000) / 1000).astimezone() for back in range(40)]
    first = datetime.now().astimezone().date().replace(day=1)
    before = (first - timedelta(days=1)).replace(day=1)
    last = [at for at in began if before <= at.date() < first]
    by_now = [at for at in last if (at.date() - before).days < (datetime.now().astimezone().date() - first).days]
    summary = told(spent)["summary"]
    assert summary["last_month"]["cost_nano"] == len(last) * day_nano
    found = summary["last_month_by_now"]
    assert 0 <= (found["cost_nano"] if found else 0) - len(by_now) * day_nano <= day_nano
    assert "Last month $" in run(spent, "usage").stdout


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"])
def test_a_day_is_that_of_the_zone_and_nothing_is_lost_between_days(spent: Env, zone: str) -> None:
    there = UTC if zone == "UTC" else ZoneInfo(zone)
    wanted: dict[date, int] = {}
    for back in range(40):
        # A rollup is of an hour of UTC: what falls into it is told at its beginning.
        hour_ms = (NOW_MS - back * DAY_MS - 1_000) // 3_600_000 * 3_600_000
        day = datetime.fromtimestamp(hour_ms / 1000, UTC).astimezone(there).date()
        wanted[day] = wanted.get(day, 0) + 7_950_000
    with library(Path(spent["OWNKEY_HOME"])) as ownkey:
        assert ownkey.usage.by_day(60, there) == wanted
        last = datetime.now(there).astimezone(there).date()
        assert ownkey.usage.by_day(7, there) == {
            day: nano for day, nano in wanted.items() if day > last - timedelta(days=7)
        }
        month = ownkey.usage.summary(there)
        assert month.projection is not None
        assert month.month is not None
        assert month.projection.expected >= month.month.cost_nano


def test_rollups_are_exported_with_the_same_sums(spent: Env, tmp_path: Path) -> None:
    for ending in ("csv", "json", "parquet"):
        done = run(spent, "usage", "export", str(tmp_path / f"days.{ending}"), "--rollups")
        assert done.returncode == 0, done.stderr
    with (tmp_path / "days.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    whole = json.loads((tmp_path / "days.json").read_text())
    assert len(rows) == len(whole)
    assert sum(row["calls"] for row in whole) == sum(int(row["calls"]) for row in rows) == 120
    assert sum(row["cost_nano"] for row in whole) == 40 * 7_950_000
    assert {row["automation"] for row in rows} == {"", "'=nightly"}
    assert {(row["day"], row["model"], row["automation"]) for row in whole} >= {
        (datetime.fromtimestamp((NOW_MS - 1_000) / 1000, UTC).date().isoformat(), "gpt-4o", "=nightly")
    }
    import pyarrow.parquet as parquet

    table = parquet.read_table(tmp_path / "days.parquet")
    assert table.to_pylist() == [{name: row[name] for name in table.column_names} for row in whole]


@pytest.mark.row("D10")
def test_savings_are_told_against_one_model_for_everything(spent: Env) -> None:
    every = told(spent)["summary"]["savings"]
    against = {f"{one['provider']}/{one['model']}": one for one in every}
    dear = against["openai/gpt-4o"]
    assert dear["saved"] == dear["instead"] - dear["actual"] > 0
    assert dear["percent"] == pytest.approx(100 * (15_000_000 - 7_950_000) / 15_000_000, abs=0.1)
    assert against["openai/gpt-4o-mini"]["saved"] < 0
    assert "You saved" in run(spent, "usage").stdout


def test_W13_every_try_is_exported_and_no_cell_is_a_formula(spent: Env, tmp_path: Path) -> None:
    for ending in ("csv", "json", "parquet"):
        done = run(spent, "usage", "export", str(tmp_path / f"out.{ending}"))
        assert done.returncode == 0, done.stderr
        assert "120 rows" in done.stdout
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    whole = json.loads((tmp_path / "out.json").read_text())
    assert [row["id"] for row in rows] == [row["id"] for row in whole]
    assert sum(int(row["cost_nano"]) for row in rows) == sum(row["cost_nano"] for row in whole) == 40 * 7_950_000
    assert {row["automation"] for row in rows} == {"", "'=nightly"}
    assert {row["automation"] for row in whole} == {None, "=nightly"}
    import pyarrow.parquet as parquet

    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.column("id").to_pylist() == [row["id"] for row in whole]
    assert sum(table.column("cost_nano").to_pylist()) == 40 * 7_950_000
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("by", "colour"),
        ("by", "model,model"),
        ("by", "day", "--since", "yesterday"),
        ("by", "day", "--since", "2026-02-02", "--until", "2026-01-01"),
        ("export", "/tmp/out.exe"),
        ("export", "/nowhere/at/all/out.csv"),
    ],
)
def test_bad_wishes_get_one_clear_error(spent: Env, arguments: tuple[str, ...]) -> None:
    done = run(spent, "usage", *arguments)
    assert done.returncode != 0
    assert done.stderr.startswith("ownkey: ")
    assert "Traceback" not in done.stderr


@pytest.mark.row("D10")
def test_a_past_month_is_priced_anew_on_other_models_and_at_other_prices(spent: Env) -> None:
    first = datetime.now(UTC).replace(day=1) - timedelta(days=1)
    months = {f"{datetime.fromtimestamp((NOW_MS - back * DAY_MS) / 1000, UTC):%Y-%m}" for back in range(40)}
    assert f"{first:%Y-%m}" in months
    same = told(spent, "reprice", "--month", f"{first:%Y-%m}")
    assert {one["was"]: one["difference"] for one in same} == {"openai/gpt-4o": 0, "openai/gpt-4o-mini": 0}
    dear = told(spent, "reprice", "--month", f"{first:%Y-%m}", "--model", "openai/gpt-4o")
    mini = next(one for one in dear if one["was"] == "openai/gpt-4o-mini")
    assert mini["instead"] == mini["calls"] * 7_500_000
    swapped = told(spent, "reprice", "--month", f"{first:%Y-%m}", "--swap", "openai/gpt-4o=openai/gpt-4o-mini")
    assert all(one["instead"] == (one["calls"] - one["unknown"]) * 450_000 for one in swapped)
    unknown = told(spent, "reprice", "--month", f"{first:%Y-%m}", "--model", "openai/never-heard-of")
    assert all((one["unknown"], one["instead"], one["actual"]) == (one["calls"], 0, 0) for one in unknown)
    assert "In all $" in run(spent, "usage", "reprice", "--month", f"{first:%Y-%m}", "--prices", "then").stdout
    for bad in (("--month", "October"), ("--swap", "a"), ("--model", "x"), ("--prices", "later")):
        assert run(spent, "usage", "reprice", *bad).stderr.startswith("ownkey: ")
