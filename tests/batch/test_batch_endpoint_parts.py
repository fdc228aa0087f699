"""What is said to a provider's batch endpoint and read from it, and what holds outlive."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.spending.price import Rates, Tier, ceiling, cost, reduced
from ownkey.store.book import Ending, Hold
from ownkey.store.db import Store
from ownkey.talk.errors import UnexpectedResponse
from ownkey.talk.reply import Usage
from ownkey.wires.batches import batch_wire

pytestmark = pytest.mark.row("C14")

DAY_MS = 86_400_000
RATES = Rates(input=2_500_000_001, output=10_000_000_000, tiers=(Tier(over=9, input=5, output=7),), source="list")


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 90))
def test_a_reduced_price_is_never_under_what_the_provider_charges_nor_over_the_plain_one(
    taken_in: int, given_out: int, percent: int
) -> None:
    usage = Usage(taken_in, given_out)
    less, plain = cost(reduced(RATES, percent), usage), cost(RATES, usage)
    assert less <= plain
    assert less * 100 >= (plain - 1) * (100 - percent)
    assert ceiling(reduced(RATES, percent), input_tokens=taken_in, output_tokens=given_out) >= less


def standing(**more: object) -> bytes:
    return json.dumps({"id": "batch_1", "status": "completed", "created_at": 5, **more}).encode()


def test_a_batch_is_over_only_when_what_was_answered_can_be_had() -> None:
    wire = batch_wire("openai-batches")
    for status in ("validating", "in_progress", "finalizing", "cancelling", "a new word"):
        assert wire.read_standing(standing(status=status)).under_way
    counts = {"total": 2, "completed": 2, "failed": 0}
    assert wire.read_standing(standing(request_counts=counts)).under_way
    done = wire.read_standing(standing(request_counts=counts, output_file_id="file-1", metadata={"ownkey": "m"}))
    assert (done.under_way, done.results, done.mark) == (False, ("file-1",), "m")
    failed = standing(status="failed", errors={"data": [{"message": "Line 3 is wrong."}]})
    assert "Line 3 is wrong." in (wire.read_standing(failed).why or "")


@pytest.mark.parametrize("id", ["../keys", "a/b", "", "a?b", "a" * 201, "a\r\nx"])
def test_an_id_that_would_lead_elsewhere_is_refused(id: str) -> None:
    wire = batch_wire("openai-batches")
    with pytest.raises(UnexpectedResponse):
        wire.read_standing(standing(id=id))
    with pytest.raises(UnexpectedResponse):
        wire.read_standing(standing(output_file_id=id or "/"))
    with pytest.raises(UnexpectedResponse):
        wire.read_upload(json.dumps({"id": id}).encode())


@given(st.sampled_from(["openai-batches", "anthropic-batches"]), st.binary(max_size=200))
def test_whatever_a_provider_says_is_read_or_refused(name: str, body: bytes) -> None:
    wire = batch_wire(name)
    for read in (wire.read_standing, wire.read_page, wire.read_upload, lambda body: list(wire.read_results(body))):
        try:
            read(body)
        except UnexpectedResponse:
            continue


def messages(**more: object) -> bytes:
    counts = {"processing": 0, "succeeded": 1, "errored": 1, "canceled": 1, "expired": 1}
    told = {"id": "msgbatch_1", "processing_status": "ended", "created_at": "2024-08-20T18:37:24.100435Z"}
    return json.dumps({**told, "request_counts": counts, "results_url": "https://elsewhere.example/x", **more}).encode()


def test_anthropics_results_are_fetched_from_where_the_batch_was_made_whatever_address_it_names() -> None:
    wire = batch_wire("anthropic-batches")
    done = wire.read_standing(messages())
    assert (done.under_way, done.total, done.results) == (False, 4, ("msgbatch_1",))
    assert wire.fetch(done.results[0]).path == "/messages/batches/msgbatch_1/results"
    assert wire.read_standing(messages(results_url=None)).under_way
    assert wire.read_standing(messages(processing_status="in_progress")).under_way
    with pytest.raises(UnexpectedResponse):
        wire.read_standing(messages(id="../../elsewhere"))


def test_every_outcome_of_anthropics_is_told() -> None:
    refused = {"type": "error", "error": {"type": "invalid_request_error", "message": "No."}}
    outcomes = [
        {"type": "succeeded", "message": {"id": "m"}},
        {"type": "errored", "error": refused},
        {"type": "canceled"},
        {"type": "expired"},
    ]
    lines = [json.dumps({"custom_id": str(n), "result": one}) for n, one in enumerate(outcomes)]
    read = list(batch_wire("anthropic-batches").read_results("\n".join(lines).encode()))
    assert [(one.status, one.code) for one in read] == [
        (200, ""),
        (400, ""),
        (None, "batch_cancelled"),
        (None, "batch_expired"),
    ]


def hold(id: str, started_at_ms: int) -> Hold:
    return Hold(
        f"{id}.1", id, 1, "owner", None, None, "p", "m", "w", False, 700, True, "{}", started_at_ms=started_at_ms
    )


def test_a_parked_hold_outlives_its_process_for_a_month(url: str) -> None:
    now_ms = time.time_ns() // 1_000_000
    store = Store.open(url)
    asyncio.run(store.parked.hold(hold("new", now_ms)))
    asyncio.run(store.parked.hold(hold("old", now_ms - 32 * DAY_MS)))
    store.close()
    store = Store.open(url)
    assert store.book.sweep() == 1
    assert {row.request_id: row.state for row in store.book.rows()} == {"new": "held", "old": "assumed"}
    assert store.recent.running() == []
    assert store.recent.begun(60.0) == []
    store.parked.settle(Ending("new.1", "exact", 5, ended_at_ms=now_ms))
    store.close()
    store = Store.open(url)
    assert {row.request_id: row.cost_nano for row in store.book.rows()} == {"new": 5, "old": 700}
    store.close()
