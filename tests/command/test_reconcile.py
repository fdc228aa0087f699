"""`ownkey usage reconcile`: a provider's own bill beside the book, and nothing of it written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from attempts import exact, hold
from house import environment, library, make_home, run
from ownkey.store.book import Ending
from store_asked import ask, settle

Env = dict[str, str]


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(scope="module")
def booked(tmp_path_factory: pytest.TempPathFactory) -> Env:
    """A home whose book has three days, with every way in which a try ends."""
    home = tmp_path_factory.mktemp("booked") / "home"
    make_home(home)
    with library(home) as ownkey:
        store = ownkey.house.store
        edges = [
            hold(started_at_ms=ms("2026-10-31T23:59:59.999")),
            hold(started_at_ms=ms("2026-11-01T00:00")),
            hold(started_at_ms=ms("2026-11-01T23:59:59.999")),
            hold(started_at_ms=ms("2026-11-02T00:00")),
            hold(started_at_ms=ms("2026-11-02T08:00"), provider="gemini"),
        ]
        counted = hold(started_at_ms=ms("2026-11-02T09:00"), model="gpt-4o-mini")
        assumed = hold(started_at_ms=ms("2026-11-02T10:00"), model="gpt-4o-mini", held_nano=50)
        released = hold(started_at_ms=ms("2026-11-02T11:00"), model="o3")
        pending = hold(started_at_ms=ms("2026-11-02T12:00"), model="gpt-4o-mini", held_nano=70)
        unpriced = hold(started_at_ms=ms("2026-11-02T13:00"), model="new", priced=False, held_nano=0)
        ask(store, *edges, counted, assumed, released, pending, unpriced)
        settle(
            store,
            *(exact(one.id, 10**6 * 10**number) for number, one in enumerate(edges)),
            Ending(counted.id, "counted", 5_000, ended_at_ms=1),
            Ending(assumed.id, "assumed", 50, ended_at_ms=1),
            Ending(released.id, "released", 0, ended_at_ms=1),
            exact(unpriced.id, 0),
        )
    return environment(home)


def told(env: Env, bill: Path, text: str, *options: str) -> Any:
    bill.write_text(text)
    done = run(env, "usage", "reconcile", "openai", str(bill), "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.row("C12")
def test_a_bill_is_compared_with_the_book_by_day_and_model(booked: Env, tmp_path: Path) -> None:
    bill = tmp_path / "bill.csv"
    text = (
        "date,model,cost\n"
        "2026-11-01,gpt-4o-2024-08-06,0.10\n"
        "2026-11-01,gpt-4o-2024-08-06,0.01\n"
        "2026-11-02,gpt-4o-2024-08-06,1.5\n"
        "2026-11-02,gpt-4o-mini,0.000005\n"
        "2026-11-02,web search,0.02\n"
        "some day,gpt-4o,3\n"
    )
    found = told(booked, bill, text)
    assert (found["first"], found["last"]) == ("2026-11-01", "2026-11-02")
    by_place = {(one["day"], one["model"]): one for one in found["lines"]}
    first, second = by_place["2026-11-01", "gpt-4o"], by_place["2026-11-02", "gpt-4o"]
    assert (first["booked"], first["drift"], first["agrees"]) == (110_000_000, 0, True)
    assert (second["booked"], second["drift"], second["percent"]) == (
        1_000_000_000,
        500_000_000,
        pytest.approx(33.33, 0.01),
    )
    mini = by_place["2026-11-02", "gpt-4o-mini"]
    assert (mini["booked"], mini["assumed"], mini["pending"], mini["calls"]) == (5_050, 50, 70, 2)
    assert (by_place["2026-11-02", "web search"]["calls"], by_place["2026-11-02", "web search"]["booked"]) == (0, None)
    new = by_place["2026-11-02", "new"]
    assert (new["billed"], new["booked"], new["unpriced"], new["drift"]) == (None, None, 1, None)
    assert ("2026-11-02", "o3") not in by_place
    assert found["unread"] == [{"line": 7, "why": "its day 'some day' is not one such as 2026-11-01"}]
    assert found["total"]["drift"] == 1_630_005_000 - 1_110_005_050

    said = run(booked, "usage", "reconcile", "openai", str(bill)).stdout
    assert "The bill is $0.51999995 (31.90 %) more than the book. Tries without a known price: 1." in said
    assert "2026-11-02\tweb search\t$0.02\t\t+$0.02\t+100.00\tnot in the book" in said
    assert "2026-11-02\tnew\t\tunknown\tunknown\t\tnot on the bill, 1 without a price" in said
    assert "line 7" in said


def test_days_are_those_of_the_zone_that_is_named(booked: Env, tmp_path: Path) -> None:
    """Of a zone eight hours before, what began on the last evening of October, UTC, was in November."""
    found = told(booked, tmp_path / "bill.csv", "date,cost\n2026-11-01,0.011\n", "--zone", "Asia/Shanghai")
    (line,) = found["lines"]
    assert (line["booked"], line["agrees"]) == (11_000_000, True)
    found = told(booked, tmp_path / "bill.csv", "date,cost\n2026-11-01,0.11\n")
    assert found["lines"][0]["agrees"] is True
    assert (
        "The bill and the book agree." in run(booked, "usage", "reconcile", "openai", str(tmp_path / "bill.csv")).stdout
    )


def test_what_is_no_bill_and_no_provider_gets_one_clear_error(booked: Env, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"date,cost\n2026-11-01,\xff\n")
    none = tmp_path / "none.csv"
    none.write_text("a,b\n1,2\n")
    good = tmp_path / "good.csv"
    good.write_text("date,cost\n2026-11-01,1\n")
    asked = [
        ("openai", str(bad)),
        ("openai", str(none)),
        ("openai", str(tmp_path)),
        ("openai", str(tmp_path / "nowhere.csv")),
        ("nobody", str(good)),
        ("openai", str(good), "--zone", "Mars/Olympus"),
    ]
    for arguments in asked:
        done = run(booked, "usage", "reconcile", *arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert done.stderr.startswith("ownkey: ")
        assert "Traceback" not in done.stderr
