"""Every recorded answer through the whole house: a real port, the wire, the engine, the book.

What comes out is compared with what plain `json` finds in the same bytes. Where there are no recordings, the cases of
`tests/cases` go the same way.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from oracle_openai import chunks
from ownkey.engine.answer import Whole
from ownkey.engine.request import Request, new_id
from ownkey.talk.errors import OwnkeyError
from ownkey.wires.wire import Door, wire
from played import ORACLES, Case, Outcome, Played, at_once, named, ours, owed_nano, playing, provider_of, recorded
from recordings import ABSENT

DONE = b"data: [DONE]\n\n"

FOUND = {name: recorded(name) for name in ORACLES}
PRESENT = any(FOUND.values())
every_source = pytest.mark.parametrize("source", ["cases", "recordings"] if PRESENT else ["cases"])
every_wire = pytest.mark.parametrize("name", list(ORACLES))


def cases_of(source: str, name: str) -> list[Case]:
    return ours(name) if source == "cases" else FOUND[name]


def ask_all(home: Path, cases: list[Case], cut: str = "") -> list[Outcome]:
    async def main() -> list[Outcome]:
        async with playing(home, cases) as played:
            return await played.ask_all(cases, cut)

    return asyncio.run(main())


def wrong_with(outcome: Outcome, compare: Any) -> str | None:
    """What differs, in words, so that one case that fails does not hide the others."""
    try:
        compare(outcome)
    except AssertionError as error:
        return f"{named(outcome.case)}: {error}"
    return None


def all_right(outcomes: list[Outcome], compare: Any) -> None:
    wrong = [words for outcome in outcomes if (words := wrong_with(outcome, compare))]
    assert not wrong, f"{len(wrong)} of {len(outcomes)}:\n" + "\n".join(wrong[:20])


def same(name: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise AssertionError(f"{name} is {found!r}, not {expected!r}")


def compare(outcome: Outcome) -> None:
    compare_answer(outcome) if outcome.case.kind == "answer" else compare_error(outcome)


def compare_answer(outcome: Outcome) -> None:
    case, reply, receipt, row = outcome.case, outcome.reply, outcome.receipt, outcome.row
    if reply is None or receipt is None or row is None:
        raise AssertionError(f"no answer: {outcome.error!r}")
    expected = case.expected
    for name, found in case.oracle.said(reply).items():
        same(name, found, expected[name])
    ids = [call.id for call in reply.tool_calls]
    same("number of calls' ids", len(set(ids)), len(ids))
    compare_row(outcome, expected)


def compare_row(outcome: Outcome, expected: dict[str, Any]) -> None:
    row, receipt, usage = outcome.row, outcome.receipt, expected["usage"]
    assert row is not None
    assert receipt is not None
    same("receipt", (receipt.provider, receipt.model), (provider_of(outcome.case.wire), row.model))
    same("finish in the book", row.finish, expected["finish"])
    same("error in the book", (row.error, row.status), (None, 200))
    assert receipt.cost is not None
    same("cost on the receipt", receipt.cost.nano_usd, row.cost_nano)
    if usage["input"] is None or usage["output"] is None:
        same("state", row.state, "counted")
        return
    same("state", row.state, "exact")
    same("cost", row.cost_nano, owed_nano(usage))
    same("tokens in the book", (row.input_tokens, row.output_tokens), (usage["input"], usage["output"]))
    same("cached in the book", row.cached_tokens or 0, usage["cached"] or 0)
    same("reasoning in the book", row.reasoning_tokens or 0, usage["reasoning"] or 0)


def compare_error(outcome: Outcome) -> None:
    case, error, row = outcome.case, outcome.error, outcome.row
    if error is None or row is None:
        raise AssertionError(f"no error: {outcome.reply!r}")
    same("code", error.code, expected_code(case))
    same("error in the book", row.error, error.code)
    if case.kind == "refusal":
        same("status", (getattr(error, "status", None), row.status), (case.status, case.status))
        same("state", (row.state, row.cost_nano), ("released", 0))


# Words by which providers tell apart what has the same status.
WORDS = {
    b"context length": "context_length_exceeded",
    b"too_many_prompt_tokens": "context_length_exceeded",
    b"prompt is too long": "context_length_exceeded",
    b"number of tokens allowed": "context_length_exceeded",
    b"insufficient_quota": "quota_exceeded",
    b"API key not valid": "upstream_auth",
    b"Incorrect API key": "upstream_auth",
    b'"status_code":400': "upstream_refused",
    b"broke off": "upstream_unavailable",
    b"verloaded": "upstream_unavailable",
    b"Rate limit": "rate_limited",
}
STATUSES = {
    200: "content_refused",
    400: "upstream_refused",
    401: "upstream_auth",
    403: "upstream_auth",
    404: "model_not_available",
    429: "rate_limited",
}


def expected_code(case: Case) -> str:
    if case.kind == "nothing":
        return "upstream_invalid"
    told = (code for words, code in WORDS.items() if words in case.response_body)
    return next(told, None) or STATUSES.get(case.status, "upstream_unavailable")


@pytest.mark.skipif(not PRESENT, reason=ABSENT)
def test_the_recordings_hold_answers_streams_and_refusals_in_each_wire() -> None:
    for cases in FOUND.values():
        assert {case.kind for case in cases} >= {"answer", "refusal"}
        assert sum(case.streaming for case in cases) > 50
        assert len({case.id for case in cases}) == len(cases)


@every_source
@every_wire
def test_every_answer_comes_out_of_the_library_as_its_json_says(name: str, source: str, tmp_path: Path) -> None:
    """However the network cuts it."""
    cases = cases_of(source, name)
    assert {case.kind for case in cases} >= {"answer", "refusal"}
    all_right(ask_all(tmp_path, cases), compare)


@every_source
@every_wire
def test_U08_a_stream_cut_anywhere_at_random_says_the_same(name: str, source: str, tmp_path: Path) -> None:
    seed = os.environ.get("OWNKEY_TEST_SEED") or str(random.randrange(2**32))
    print(f"OWNKEY_TEST_SEED={seed}")
    streams = [case for case in cases_of(source, name) if case.streaming]
    all_right(ask_all(tmp_path, streams, seed), compare_said)


def compare_said(outcome: Outcome) -> None:
    """As `compare`, but for the cost: only the cases' own names have a price."""
    if outcome.case.kind != "answer":
        compare_error(outcome)
        return
    if outcome.reply is None:
        raise AssertionError(f"no answer: {outcome.error!r}")
    same("answer", outcome.case.oracle.said(outcome.reply), outcome.case.expected)


@every_wire
def test_U08_a_stream_that_comes_byte_by_byte_says_the_same(name: str, tmp_path: Path) -> None:
    """Heads, chunk sizes and all: each byte in a packet of its own."""
    streams = [case for case in ours(name) if case.streaming]
    streams += sorted((case for case in FOUND[name] if case.streaming), key=lambda case: len(case.response_body))[:12]
    all_right(ask_all(tmp_path, streams, "single"), compare_said)


@every_wire
@pytest.mark.parametrize("how", ["ends", "gone"])
def test_U08_a_stream_cut_off_anywhere_never_looks_whole(name: str, how: str, tmp_path: Path) -> None:
    """`ends`: a server between ends it politely; then only the wire can tell. `gone`: the connection is closed.
    In OpenAI's chat the reason comes before the end: then it is whole, but for its counts."""
    streams = [case for case in ours(name) if case.streaming and case.kind == "answer"]

    async def main() -> list[str]:
        async with playing(tmp_path, streams) as played:
            # Where the connection breaks, no wire is asked: some places stand for all.
            step = 1 if how == "ends" else 5
            places = [(case, at) for case in streams for at in range(0, len(case.response_body), step)]
            return list(filter(None, await at_once(places, lambda place: cut_off(played, *place, how))))

    wrong = asyncio.run(main())
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:20])


async def cut_off(played: Played, case: Case, at: int, how: str) -> str | None:
    outcome = await played.ask(case, f"{how}{at}")
    where = f"{named(case)} after {at} of {len(case.response_body)} bytes"
    if outcome.reply is None:
        kinds = {"upstream_cut"} if how == "ends" else {"upstream_cut", "upstream_unreachable"}
        return None if outcome.error and outcome.error.code in kinds else f"{where}: {outcome.error!r}"
    rest = case.response_body[at:]
    if how == "gone" and rest.strip() and case.wire != "openai-chat":
        return f"{where}: a clean end, though the connection broke"
    found, expected = case.oracle.said(outcome.reply), case.expected
    missing = [field for field in found if field != "usage" and found[field] != expected[field]]
    return f"{where}: a clean end without its {missing}" if missing else None


def test_U08_a_stream_that_passes_through_and_is_cut_off_anywhere_never_looks_whole(tmp_path: Path) -> None:
    streams = [case for case in ours("openai-chat") if case.streaming and case.kind == "answer"]

    async def main() -> list[str]:
        async with playing(tmp_path, streams) as played:
            places = [(case, at) for case in streams for at in range(len(case.response_body))]
            return list(filter(None, await at_once(places, lambda place: passing_cut_off(played, *place))))

    wrong = asyncio.run(main())
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:20])


async def passing_cut_off(played: Played, case: Case, at: int) -> str | None:
    outcome, out = await passed(played, case, wants_usage=True, cut=f"ends{at}")
    where = f"{named(case)} after {at} of {len(case.response_body)} bytes"
    if outcome.error is not None:
        right = outcome.error.code == "upstream_cut" and not out.endswith(DONE)
        return None if right else f"{where}: {outcome.error!r} after {out[-60:]!r}"
    found, expected = case.oracle.streamed(out), case.expected
    missing = [field for field in found if field != "usage" and found[field] != expected[field]]
    return f"{where}: a clean end without its {missing}" if missing or not out.endswith(DONE) else None


@every_source
def test_every_chat_completion_passes_through_byte_for_byte(source: str, tmp_path: Path) -> None:
    """Asked for in the wire it is answered in: the body goes on as it came, the book says the same."""
    cases = cases_of(source, "openai-chat")

    async def main() -> list[str]:
        async with playing(tmp_path, cases) as played:
            found = await at_once(cases, lambda case: passed(played, case, wants_usage=True))
            rows = await played.rows()
            for outcome, _ in found:
                outcome.row = rows[named(outcome.case)]
            return [words for outcome, out in found if (words := wrong_with(outcome, lambda o, b=out: passes(o, b)))]

    wrong = asyncio.run(main())
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong[:20])


@every_source
def test_a_client_that_asked_for_no_usage_is_not_told_it(source: str, tmp_path: Path) -> None:
    cases = [case for case in cases_of(source, "openai-chat") if case.streaming and case.kind == "answer"]

    async def main() -> None:
        async with playing(tmp_path, cases) as played:
            for outcome, out in await at_once(cases, lambda case: passed(played, case, wants_usage=False)):
                body = outcome.case.response_body
                assert chunks(out) == [one for one in chunks(body) if one.get("choices") or not one.get("usage")]
                assert out.endswith(DONE)
            exact = sum(row.state == "exact" for row in (await played.rows()).values())
            assert exact == sum(case.expected["usage"]["input"] is not None for case in cases)

    asyncio.run(main())


async def passed(played: Played, case: Case, *, wants_usage: bool, cut: str = "") -> tuple[Outcome, bytes]:
    """The bytes that a client of the same wire is given, until the end or the error."""
    door = wire(case.wire)
    assert isinstance(door, Door)
    options = {"stream_options": {"include_usage": wants_usage}} if case.streaming else {}
    asked = {"model": named(case, cut), "stream": case.streaming, "messages": [{"role": "user", "content": "Go"}]}
    ask = door.read_ask(json.dumps(asked | options).encode())
    out: list[bytes] = []
    receipt = None
    try:
        request = Request(new_id(), "owner", ask.model, ask.stream, door=door, ask=ask)
        answer = await played.ownkey.house.engine.run(request)
        if isinstance(answer, Whole):
            assert answer.body is not None
            return Outcome(case, receipt=answer.receipt), answer.body
        while (piece := await answer.next()) is not None:
            assert isinstance(piece, bytes)
            out.append(piece)
        receipt = answer.receipt()
        answer.close()
    except OwnkeyError as error:
        return Outcome(case, error=error), b"".join(out)
    return Outcome(case, receipt=receipt), b"".join(out)


def passes(outcome: Outcome, out: bytes) -> None:
    case = outcome.case
    if case.kind != "answer":
        compare_error(outcome)
        return
    if outcome.error is not None:
        raise AssertionError(f"no answer: {outcome.error!r}")
    same("body", out, as_sent(case.response_body) if case.streaming else case.response_body)
    compare_row(outcome, case.expected)


def as_sent(body: bytes) -> bytes:
    """The data lines of a stream, each with its own bytes; the end mark is put where it was left out."""
    lines = body.replace(b"\r\n", b"\n").split(b"\n")
    data = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
    return b"".join(b"data: " + payload + b"\n\n" for payload in data if payload.strip() != b"[DONE]") + DONE


def test_the_cases_hold_what_the_wires_must_carry() -> None:
    for name in ORACLES:
        answers = [case.expected for case in ours(name) if case.kind == "answer"]
        assert any(len(answer["calls"]) == 2 for answer in answers)
        assert any(answer["reasoning"] for answer in answers)
        assert any(answer["usage"]["cached"] for answer in answers)
        assert {answer["unified"] for answer in answers} == {"stop", "length", "tool_calls", "content_filter"}
