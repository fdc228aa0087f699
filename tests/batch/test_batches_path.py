"""`/v1/files` and `/v1/batches` as OpenAI's own client asks for them, and batches whose gateway dies."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openai import APIStatusError, ConflictError, NotFoundError, OpenAI
from openai.types import Batch

from batched import asked, line
from browsing import Browser, signed_in
from house import KEYS, Gateway, Simulator, book_rows, gateway, library, until, write_provider
from ownkey.app.batches.asking import Terms
from ownkey.app.batches.batches import BatchBook
from ownkey.app.batches.files import FileBox
from ownkey.store.batches import BatchRow

pytestmark = pytest.mark.row("C14")

CHAT = "/v1/chat/completions"


@contextmanager
def client(running: Gateway, token: str | None = None) -> Generator[OpenAI]:
    with OpenAI(base_url=running.url, api_key=token or running.token, max_retries=0) as made:
        yield made


def lines(ids: int, model: str, **fields: Any) -> bytes:
    return "".join(json.dumps(line(f"c{n}", model, **fields)) + "\n" for n in range(ids)).encode()


def begun(openai: OpenAI, content: bytes, endpoint: Any = CHAT, **more: Any) -> Batch:
    file = openai.files.create(file=("calls.jsonl", content), purpose="batch")
    return openai.batches.create(
        input_file_id=file.id, endpoint=endpoint, completion_window="24h", extra_headers=more, metadata={"for": "tests"}
    )


def ended(openai: OpenAI, id: str, within_s: float = 30.0) -> Batch:
    def over() -> Batch | None:
        batch = openai.batches.retrieve(id)
        return batch if batch.status in ("completed", "failed", "expired", "cancelled") else None

    batch = until(over, within_s)
    assert batch is not None
    return batch


def shown(openai: OpenAI, file_id: str | None) -> dict[str, Any]:
    assert file_id is not None
    content = openai.files.content(file_id)
    found = [json.loads(one) for one in content.text.splitlines()]
    assert openai.files.retrieve(file_id).bytes == len(content.content)
    assert len({one["custom_id"] for one in found}) == len(found)
    return {one["custom_id"]: one for one in found}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    return made


def test_the_client_of_openai_makes_a_batch_and_reads_its_results(served: Gateway) -> None:
    name = served.provider("status=400;times=1")
    with client(served) as openai:
        batch = begun(openai, lines(6, f"{name}/gpt-4o"))
        assert (batch.object, batch.status, batch.endpoint) == ("batch", "validating", CHAT)
        done = ended(openai, batch.id)
        assert done.status == "completed"
        assert done.metadata == {"for": "tests"}
        assert done.request_counts is not None
        counts = done.request_counts
        assert (counts.total, counts.completed, counts.failed) == (6, 5, 1)
        results, errors = shown(openai, done.output_file_id), shown(openai, done.error_file_id)
        assert len(results) == 5
        assert {*results, *errors} == {f"c{n}" for n in range(6)}
        assert next(iter(errors.values()))["response"]["status_code"] == 400
        (told,) = openai.batches.list(limit=1).data
        assert told.id == batch.id
        kept = {file.id for file in openai.files.list()}
        assert {done.output_file_id, done.error_file_id, done.input_file_id} <= kept
        assert openai.files.delete(done.input_file_id).deleted
        assert shown(openai, done.output_file_id) == results
        assert done.output_file_id is not None
        assert openai.files.delete(done.output_file_id).deleted
        with pytest.raises(NotFoundError):
            openai.files.content(done.output_file_id)
        with closing(sqlite3.connect(served.home / "ownkey.db")) as database:
            query = "SELECT count(*) FROM batch_lines WHERE batch_id = ? AND result IS NOT NULL"
            assert database.execute(query, (batch.id,)).fetchone() == (1,)


def test_what_a_file_would_cost_is_told_before_anything_of_it_is_sent(served: Gateway) -> None:
    quirks = '{}\nbatch = { wire = "openai-batches", discount_percent = 50, source = "the simulator" }'
    name, cheap = served.provider(), served.provider(quirks=quirks)
    content = lines(6, f"{name}/gpt-4o") + b"".join(
        json.dumps(line(id, model)).encode() + b"\n"
        for id, model in (("1", f"{cheap}/gpt-4o"), ("2", "nowhere/gpt-4o"))
    )
    with client(served) as openai:
        file = openai.files.create(file=("calls.jsonl", content), purpose="batch")
        told = quoted(openai, input_file_id=file.id, endpoint=CHAT)
        assert [(one["model"], one["lines"]) for one in told["models"]] == [
            (f"{name}/gpt-4o", 6),
            (f"{cheap}/gpt-4o", 1),
        ]
        whole = told["total"]
        for amount in ("low_usd", "expected_usd", "ceiling_usd"):
            assert Decimal(whole[amount]) == sum(Decimal(one[amount]) for one in told["models"])
        assert 0 < Decimal(whole["low_usd"]) <= Decimal(whole["expected_usd"]) <= Decimal(whole["ceiling_usd"])
        there = told["models"][1]["provider_batch"]
        assert (there["lines"], told["models"][0]["provider_batch"]) == (1, None)
        assert Decimal(there["otherwise_usd"]) == Decimal(told["models"][1]["expected_usd"])
        assert 0 <= 2 * Decimal(there["expected_usd"]) - Decimal(there["otherwise_usd"]) <= Decimal("0.000000001")
        [refused] = told["refused"]
        assert refused["lines"] == 1
        assert "nowhere" in refused["message"]
        assert (told["errors"], served.simulator.seen(name), book_rows(served.home, name)) == ([], [], [])

        done = ended(openai, openai.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h").id)
        assert done.request_counts is not None
        assert done.request_counts.completed == 7
        cost = Decimal(sum(row.cost_nano for one in (name, cheap) for row in served.rows(one))) / 10**9
        assert Decimal(whole["low_usd"]) < cost <= Decimal(whole["ceiling_usd"])


def test_what_is_no_batch_has_its_lines_named_in_place_of_a_price(served: Gateway) -> None:
    with client(served) as openai:
        file = openai.files.create(file=("calls.jsonl", lines(1, "demo") + b"{}\n"), purpose="batch")
        told = quoted(openai, input_file_id=file.id)
        assert [one["line"] for one in told["errors"]] == [2]
        other = quoted(openai, input_file_id=file.id, endpoint="/v1/responses")
        assert [one["line"] for one in other["errors"]] == [1, 2]
        with pytest.raises(NotFoundError):
            quoted(openai, input_file_id="file-nothing")
        with pytest.raises(APIStatusError) as refused:
            quoted(openai, input_file=file.id)
        assert refused.value.status_code == 422


def quoted(openai: OpenAI, **asked: str) -> Any:
    return openai.post("/batches/quote", body=asked, cast_to=object)


def test_embeddings_and_responses_are_batched_too(served: Gateway) -> None:
    with client(served) as openai:
        made: list[tuple[str, Any]] = [
            ("/v1/embeddings", {"model": "openai/text-embedding-3-small", "input": "Hello"}),
            ("/v1/responses", {"model": "anthropic/claude-sonnet-4-5", "input": "Hello"}),
        ]
        for endpoint, body in made:
            batch = begun(openai, json.dumps({"custom_id": "e", "url": endpoint, "body": body}).encode(), endpoint)
            done = ended(openai, batch.id)
            assert done.error_file_id is None
            answered = shown(openai, done.output_file_id)["e"]["response"]["body"]
            assert answered["object"] in ("list", "response")


def test_asked_for_it_lines_go_to_the_providers_own_batch_endpoint_and_go_on_there_after_a_restart(home: Path) -> None:
    quirks = '{}\nbatch = { wire = "openai-batches", discount_percent = 50, source = "the simulator" }'
    simulator = Simulator()
    try:
        with gateway(home, simulator) as running, client(running) as openai:
            name = running.provider("batch-takes=3", quirks=quirks)
            file = openai.files.create(file=("calls.jsonl", lines(3, f"{name}/gpt-4o")), purpose="batch")
            asked_for = {"ownkey_batch": "provider"}
            batch = openai.batches.create(
                input_file_id=file.id, endpoint=CHAT, completion_window="24h", metadata=asked_for
            )
            until(lambda: any("/batches/" in one.path for one in simulator.seen(name)), 30.0)
        with gateway(home, simulator) as running, client(running) as openai:
            done = ended(openai, batch.id)
            assert set(shown(openai, done.output_file_id)) == {"c0", "c1", "c2"}
            cancelled = openai.batches.create(
                input_file_id=file.id, endpoint=CHAT, completion_window="24h", metadata=asked_for
            )
            until(lambda: len([one for one in simulator.seen(name) if one.path.endswith("/batches")]) == 2, 30.0)
            openai.batches.cancel(cancelled.id)
            assert ended(openai, cancelled.id).status == "cancelled"
        made = [one.path for one in simulator.seen(name) if one.method == "POST"]
        assert len([one for one in made if one.endswith("/batches")]) == 2
        assert len([one for one in made if one.endswith("/cancel")]) == 1
        assert not [one for one in made if one.endswith("/chat/completions")]
    finally:
        simulator.close()


def test_a_file_that_is_wrong_fails_with_its_lines_and_nothing_is_sent(served: Gateway) -> None:
    name = served.provider()
    with client(served) as openai:
        good = line("a", f"{name}/gpt-4o")
        wrong = [good, {**good, "custom_id": "b", "url": "/v1/embeddings"}, good]
        batch = begun(openai, "".join(json.dumps(one) + "\n" for one in wrong).encode() + b"{")
        done = ended(openai, batch.id)
        assert done.status == "failed"
        assert done.errors is not None
        assert [error.line for error in done.errors.data or ()] == [2, 3, 4]
        assert not served.simulator.seen(name)


@pytest.mark.parametrize(
    "body",
    [
        {"input_file_id": "file-nothing", "endpoint": CHAT, "completion_window": "24h"},
        {"input_file_id": 5, "endpoint": CHAT, "completion_window": "24h"},
        {"endpoint": CHAT, "completion_window": "24h"},
        {"input_file_id": "FILE", "endpoint": "/v1/images", "completion_window": "24h"},
        {"input_file_id": "FILE", "endpoint": CHAT, "completion_window": "1h"},
        {"input_file_id": "FILE", "endpoint": CHAT, "completion_window": "24h", "metadata": {"a": "b" * 513}},
        {"input_file_id": "FILE", "endpoint": CHAT, "completion_window": "24h", "metadata": {"a": 1}},
    ],
)
def test_what_is_no_batch_is_refused(served: Gateway, body: dict[str, Any]) -> None:
    with client(served) as openai:
        file = openai.files.create(file=("calls.jsonl", b"{}"), purpose="batch")
        asking = json.dumps(body).replace("FILE", file.id).encode()
        told = served.send("POST", "/v1/batches", asking, served.own)
        assert told.status in (404, 422)
        assert told.error["message"]
        with pytest.raises(APIStatusError):
            openai.files.create(file=("calls.jsonl", b"{}"), purpose="assistants")
        with pytest.raises(APIStatusError):
            openai.files.create(file=("calls.jsonl", b""), purpose="batch")


def test_U01_what_is_another_persons_is_not_there(home: Path, simulator: Simulator) -> None:
    with gateway(home, simulator) as running:
        name = running.provider()
        with library(home) as ownkey:
            other = ownkey.people.add("Other").id
            token = ownkey.house.tokens.create(other, "other")[1].reveal().decode()
        with client(running) as mine, client(running, token) as theirs:
            batch = begun(mine, lines(2, f"{name}/gpt-4o"))
            done = ended(mine, batch.id)
            assert done.output_file_id is not None
            for file in (done.input_file_id, done.output_file_id):
                for asking in (theirs.files.retrieve, theirs.files.content, theirs.files.delete):
                    with pytest.raises(NotFoundError):
                        asking(file)
            for looking in (theirs.batches.retrieve, theirs.batches.cancel):
                with pytest.raises(NotFoundError) as found:
                    looking(batch.id)
                with pytest.raises(NotFoundError) as nothing:
                    looking("batch_nothing")
                assert found.value.body == nothing.value.body
            with pytest.raises(NotFoundError):
                theirs.batches.create(input_file_id=done.input_file_id, endpoint=CHAT, completion_window="24h")
            with pytest.raises(NotFoundError):
                quoted(theirs, input_file_id=done.input_file_id)
            with pytest.raises(NotFoundError):
                theirs.batches.list(after=batch.id)
            assert theirs.files.list().data == theirs.batches.list().data == []
            assert shown(mine, done.output_file_id)
        assert running.send("GET", "/v1/files", None, {}).status == 401
        assert running.send("GET", f"/v1/batches/{batch.id}", None, {}).status == 401
        assert running.send("PUT", "/v1/batches", b"{}", running.own).status == 405


def test_with_a_person_go_their_files_and_batches(home: Path, simulator: Simulator) -> None:
    with gateway(home, simulator) as running:
        with library(home) as ownkey:
            other = ownkey.people.add("Other").id
            token = ownkey.house.tokens.create(other, "other")[1].reveal().decode()
        with client(running, token) as theirs:
            ended(theirs, begun(theirs, lines(3, "demo")).id)
        with library(home) as ownkey:
            ownkey.people.remove(other)
        with closing(sqlite3.connect(home / "ownkey.db")) as database:
            for table in ("files", "file_parts", "batches", "batch_lines"):
                assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
            assert database.execute("SELECT count(*) FROM keys WHERE owner LIKE 'boxes:%'").fetchone() == (0,)


def test_S01_a_gateway_that_is_killed_goes_on_and_asks_for_no_line_twice(home: Path, simulator: Simulator) -> None:
    name = write_provider(home, simulator, "delay=0.15")
    with gateway(home, simulator) as first, client(first) as openai:
        batch = begun(openai, lines(60, f"{name}/gpt-4o"))
        token = first.token
        until(lambda: len(simulator.seen(name)) >= 10, 20.0)
        first.process.kill()
        first.process.wait(10)
    for more in (3, 12):
        with gateway(home, simulator, token=token) as again:
            at = len(simulator.seen(name)) + more
            until(lambda at=at: len(simulator.seen(name)) >= at, 20.0)
            again.process.kill()
            again.process.wait(10)
    with gateway(home, simulator, token=token) as last, client(last) as openai:
        done = ended(openai, batch.id)
        results, errors = shown(openai, done.output_file_id), shown(openai, done.error_file_id)
        assert len(results) + len(errors) == 60
        assert {one["error"]["code"] for one in errors.values()} == {"in_doubt"}
        assert max(asked(simulator, name).values()) == 1
        assert done.model_extra is not None
        rows = last.rows(name)
        assert done.model_extra["ownkey"]["in_doubt"] == len(errors)
        assert float(done.model_extra["ownkey"]["cost_usd"]) == pytest.approx(sum(row.cost_nano for row in rows) / 1e9)


def test_S18_a_gateway_that_is_told_to_stop_ends_the_lines_under_way(home: Path, simulator: Simulator) -> None:
    name = write_provider(home, simulator, "delay=0.4")
    with gateway(home, simulator) as first, client(first) as openai:
        batch = begun(openai, lines(30, f"{name}/gpt-4o"))
        until(lambda: len(simulator.seen(name)) >= 10, 20.0)
        assert first.stop(signal.SIGTERM) == 0
        token = first.token
    before = len(simulator.seen(name))
    with gateway(home, simulator, token=token) as again, client(again) as openai:
        done = ended(openai, batch.id)
        assert done.error_file_id is None
        assert asked(simulator, name) == {f"c{n}": 1 for n in range(30)}
        assert before < 30


def test_a_cancelled_batch_ends_what_is_under_way_and_sends_no_more(served: Gateway) -> None:
    name = served.provider("delay=0.3")
    with client(served) as openai:
        batch = begun(openai, lines(80, f"{name}/gpt-4o"))
        until(lambda: len(served.simulator.seen(name)) >= 8, 20.0)
        with pytest.raises(ConflictError):
            openai.files.delete(batch.input_file_id)
        assert openai.batches.cancel(batch.id).status == "cancelling"
        done = ended(openai, batch.id)
        assert done.status == "cancelled"
        assert done.cancelled_at is not None
        results, errors = shown(openai, done.output_file_id), shown(openai, done.error_file_id)
        assert len(results) == len(served.simulator.seen(name)) < 80
        assert len(results) + len(errors) == 80
        assert {one["error"]["code"] for one in errors.values()} == {"batch_cancelled"}
        with pytest.raises(ConflictError):
            openai.batches.cancel(batch.id)


def test_a_batch_of_a_revoked_token_sends_no_more(home: Path, simulator: Simulator) -> None:
    with gateway(home, simulator) as running:
        name = running.provider("delay=0.3")
        with library(home) as ownkey:
            token = ownkey.house.tokens.create("owner", "for a while")[1].reveal().decode()
            with client(running, token) as openai:
                batch = begun(openai, lines(200, f"{name}/gpt-4o"))
            until(lambda: simulator.seen(name), 20.0)
            ownkey.house.tokens.revoke("for a while")
        with client(running) as openai:
            assert ended(openai, batch.id).status == "cancelled"
        assert len(simulator.seen(name)) < 60


def page_batch(browser: Browser, content: bytes) -> str:
    """The id of a batch that is begun on the page."""
    form = (
        b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="calls.jsonl"\r\n\r\n%b\r\n--x--\r\n'
    )
    file = browser.post("/v1/files", form % content, content_type="multipart/form-data; boundary=x")
    wanted = {"input_file_id": file.json["id"], "endpoint": CHAT, "completion_window": "24h"}
    return browser.post("/v1/batches", wanted).json["id"]


@pytest.mark.parametrize("becomes", ["suspended", "viewer"])
def test_a_batch_of_the_page_sends_no_more_for_who_may_not_ask_any_more(
    home: Path, simulator: Simulator, becomes: str
) -> None:
    with gateway(home, simulator) as running:
        name = running.provider("silence")
        with library(home) as ownkey:
            ann = ownkey.people.add("Ann").id
        browser = signed_in(running, ann)
        key = {"key": KEYS["openai"], "check": False}
        assert browser.ask("PUT", f"/api/byok/keys/{name}", key).status == 200
        batch = page_batch(browser, lines(40, f"{name}/gpt-4o"))
        until(lambda: simulator.seen(name), 60.0)
        with library(home) as ownkey:
            if becomes == "suspended":
                ownkey.people.suspend(ann)
            else:
                ownkey.people.change(ann, role="viewer")

            def status() -> str:
                row = ownkey.house.store.batches.get(ann, batch)
                assert row is not None
                return row.status

            until(lambda: status() in ("cancelling", "cancelled"), 60.0)
        running.process.kill()


def test_a_batch_of_the_page_and_of_who_has_no_account_goes_on(home: Path, simulator: Simulator) -> None:
    with gateway(home, simulator) as running:
        content = lines(3, "demo")
        with library(home) as ownkey:
            ann = ownkey.people.add("Ann").id
            file = FileBox(ownkey.house, "nobody").put("calls.jsonl", [content])
            made = {"nobody": BatchBook(ownkey.house, "nobody").create(file.id, CHAT, Terms()).id}
        made |= {who: page_batch(signed_in(running, who), content) for who in ("owner", ann)}
        with library(home) as ownkey:
            kept = ownkey.house.store.batches

            def over() -> list[BatchRow]:
                found = [kept.get(who, id) for who, id in made.items()]
                return [row for row in found if row is not None and row.ended_at_ms is not None]

            until(lambda: len(over()) == 3, 60.0)
            assert [(row.status, row.completed) for row in over()] == [("completed", 3)] * 3


def test_B01_a_budget_that_is_used_up_holds_a_batch_up_and_is_not_passed(home: Path, simulator: Simulator) -> None:
    with gateway(home, simulator) as running:
        name = running.provider("delay=0.02")
        with library(home) as ownkey:
            ownkey.budgets.set("small", limit="0.01", per="ever")
        with client(running) as openai:
            batch = begun(openai, lines(40, f"{name}/gpt-4o"))

            def waits() -> str | None:
                told = openai.batches.retrieve(batch.id)
                return (told.model_extra or {})["ownkey"]["waits_for"]

            assert "small" in str(until(waits, 20.0))
            rows = running.rows(name)
            assert sum(row.cost_nano for row in rows) <= 10_000_000
            assert openai.batches.retrieve(batch.id).status == "in_progress"
            assert len(simulator.seen(name)) == len(rows) < 40
            openai.batches.cancel(batch.id)
            assert ended(openai, batch.id).status == "cancelled"


def test_ten_thousand_lines_take_no_memory_of_their_own(home: Path, simulator: Simulator) -> None:
    with gateway(home, simulator, OWNKEY_BATCH_PARALLEL="16") as running, client(running) as openai:
        running.ask("demo")
        before = _resident_kb(running.process.pid)
        content = b"".join(
            json.dumps(line(f"c{n}", "demo", "Hello " + "x" * 1000)).encode() + b"\n" for n in range(10_000)
        )
        file = openai.files.create(file=("calls.jsonl", content), purpose="batch")
        most = _resident_kb(running.process.pid)
        batch = openai.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
        until(lambda: openai.batches.retrieve(batch.id).status == "in_progress", 60.0)
        end_s = time.monotonic() + 8
        while time.monotonic() < end_s:
            most = max(most, _resident_kb(running.process.pid))
            time.sleep(0.2)
        told = openai.batches.cancel(batch.id)
        assert told.request_counts is not None
        assert told.request_counts.total == 10_000
        assert told.request_counts.completed > 50
        assert most - before < 60_000


def _resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(row.split()[1]) for row in status.splitlines() if row.startswith("VmRSS"))
