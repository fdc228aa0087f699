"""The starters with their own examples: what is exact comes from Ownkey, and what a model makes up is caught."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest

from modelled import LARGE, SMALL, Modelled, completion
from ownkey import Ownkey
from ownkey.app.automations.book import Run, starters
from ownkey.app.automations.given import GivenFile
from ownkey.app.starters import example
from ownkey.talk.errors import InvalidRequest, ProviderUnavailable
from scripted import answer

Running = Callable[[Callable[[Ownkey], Coroutine[Any, Any, Any]]], Any]
NAMES = [one.name for one in starters()]


def ran(running: Running, name: str, texts: dict[str, str] | None = None, **files: str) -> Run:
    """A run of the starter with its example, or what is given in its place."""

    async def work(ownkey: Ownkey) -> Run:
        ownkey.automations.add_starter(name, model=SMALL)
        own_texts, own_files = example(name)
        given = own_files | {key: GivenFile(f"{key}.txt", text.encode()) for key, text in files.items()}
        return await ownkey.automations.run(name, own_texts | (texts or {}), given)

    return running(work)


def test_every_starter_has_an_example_that_it_takes_a_schema_and_a_bounded_answer() -> None:
    assert NAMES == ["financial-analysis", "meeting-insights", "code-review", "translation", "comparison"]
    for one in starters():
        texts, files = example(one.name)
        assert texts.keys() | files.keys() >= {
            name for name, variable in one.document.variables.items() if variable.default is None
        }
        assert one.document.output_schema is not None
        assert one.document.max_output_tokens is not None


FINDING = {"statement": "Energy cost 2,610.45 in 2025-11.", "kind": "extreme", "facts": ["F44"]}


@pytest.mark.row("C10")
def test_figures_are_computed_exactly_and_a_number_that_is_in_none_of_them_is_marked(
    model: Modelled, running: Running
) -> None:
    lies = {"statement": "Energy rose by 73% in a year.", "kind": "change", "facts": ["F44"]}
    without = {"statement": "Rent is steady.", "kind": "level", "facts": ["F99"]}
    summary = "Fees of 49.5 thousand carry the year; 12 months, about 2,610 for November's energy."
    said = {"summary": summary, "findings": [lies, FINDING, without], "questions": ["Why was November dear?"]}
    model.says(said)
    run = ran(running, "financial-analysis")
    assert run.result is not None
    values = {(one["column"], one["says"].partition(":")[0]): Decimal(one["value"]) for one in run.result["figures"]}
    assert values["Membership fees", "sum of 12 rows"] == Decimal("49500.00")
    assert values["Energy", "sum of 12 rows"] == Decimal("7908.15")
    assert values["Energy", "mean"] == Decimal("659.01")
    assert values["Energy", "unusual"] == Decimal("2610.45")
    assert values["Events", "largest fall between two rows"] == Decimal("-2150.75")
    assert values["Rent", "the same in per cent"] == Decimal("4.1")
    assert run.result["rows"] == 12
    assert run.result["warnings"] == []
    checked = {one["statement"]: (one["checked"], one["numbers_not_in_the_figures"]) for one in run.result["findings"]}
    assert checked == {
        FINDING["statement"]: (True, []),
        lies["statement"]: (False, ["73%"]),
        without["statement"]: (False, []),
    }
    assert run.result["findings"][0]["based_on"] == ["Energy: unusual: 2,610.45 (2025-11)"]
    assert run.result["summary_numbers_not_in_the_figures"] == []
    # It was told once, and shown what it may use.
    assert len(model.asked) == 2
    assert "F44 | Energy | unusual: 2,610.45 (2025-11)" in model.prompt()
    assert "73% is in none of the facts" in model.asked[1]["messages"][-1]["content"]


@pytest.mark.row("C10")
def test_a_row_of_totals_is_compared_and_not_added_and_other_countries_numbers_are_read(
    model: Modelled, running: Running
) -> None:
    model.says({"summary": "s", "findings": [], "questions": []})
    table = "Monat;Umsatz;Anteil\nJanuar;1.234,50 €;12,5%\nFebruar;(200,25);7%\nMärz;;8%\nSumme;1.034,26;\n"
    run = ran(running, "financial-analysis", figures=table)
    assert run.result is not None
    said = {f"{one['column']} {one['says']}" for one in run.result["figures"]}
    assert "Umsatz sum of 2 rows: 1,034.25" in said
    assert "Anteil largest: 12.5% (Januar)" in said
    assert not any("Anteil sum" in one for one in said)
    assert run.result["warnings"] == [
        "Umsatz: 1 of 3 rows have no figure.",
        "Umsatz: the row of totals says 1,034.26, and the rows add up to 1,034.25.",
    ]


def test_a_table_without_figures_is_refused_before_anything_is_asked(model: Modelled, running: Running) -> None:
    with pytest.raises(InvalidRequest, match="no figures"):
        ran(running, "financial-analysis", figures="Name,Town\nHall,Here\n")
    assert model.asked == []


def insights(**found: list[dict[str, Any]]) -> dict[str, Any]:
    return {"decisions": [], "actions": [], "questions": [], "summary": "They met."} | found


def action(text: str, owner: str | None, due: str | None, line: int, quote: str) -> dict[str, Any]:
    return {"text": text, "owner": owner, "due": due, "line": line, "quote": quote}


@pytest.mark.row("C11")
def test_what_was_said_is_kept_with_owner_and_date_and_what_was_not_is_told_apart(
    model: Modelled, running: Running
) -> None:
    ask = action("Ask for readings", "treasurer", "by Friday", 5, "I will ask the supplier for the meter readings")
    offers = action("Two offers", "I", None, 99, "i'll get two more offers by the END of the month")
    form = action("Ask the volunteer", "Chair", "tomorrow", 22, "Then I will ask the volunteer who built it, tomorrow.")
    letters = action("Write", "Somebody Else", "in two weeks", 16, "I will write to the stall holders in two weeks.")
    invented = action("Buy a boiler", "Chair", "by June", 9, "I will buy the new boiler myself")
    fair = {
        "text": "The fair is on 13 June",
        "line": 15,
        "quote": "the fair is on the thirteenth of June, that is decided",
    }
    marquee = {"text": "Who pays?", "line": 17, "quote": "Who pays for the marquee this year?"}
    model.says(insights(decisions=[fair], actions=[ask, offers, form, letters, invented], questions=[marquee]))
    run = ran(running, "meeting-insights")
    assert run.result is not None
    found = {one["text"]: (one["owner"], one["due"], one["line"], one["time"]) for one in run.result["actions"]}
    # The meeting was on a Thursday, 5 March 2026.
    assert found == {
        "Ask for readings": ("Treasurer", "2026-03-06", 5, "01:40"),
        "Two offers": ("Caretaker", "2026-03-31", 10, "03:10"),
        "Write": (None, "2026-03-19", 16, "05:05"),
        "Ask the volunteer": ("Chair", "2026-03-06", 22, "06:32"),
    }
    assert run.result["unverified"] == [{"kind": "actions", **invented}]
    assert [one["said_by"] for one in run.result["decisions"] + run.result["questions"]] == ["Chair", "Caretaker"]
    assert {one["line"] for one in run.result["look_at"]} >= {9, 20, 24}
    assert run.result["speakers"] == ["Chair", "Treasurer", "Caretaker", "Secretary"]


@pytest.mark.row("C11")
def test_a_long_transcript_is_asked_about_in_parts_and_what_two_of_them_share_is_told_once(
    model: Modelled, running: Running
) -> None:
    place = model.home / "providers" / "modelled.toml"
    place.write_text(place.read_text().replace("context = 128_000", "context = 4_096"))
    lines = [f"Speaker {number % 3}: This is sentence number {number} of a long evening." for number in range(1, 301)]
    lines[149] = "Speaker 2: We decided to paint the hall green."
    decision = {"text": "Green", "line": 150, "quote": "We decided to paint the hall green."}
    model.says(insights(decisions=[decision]))
    run = ran(running, "meeting-insights", transcript="\n".join(lines))
    assert run.result is not None
    assert [one["line"] for one in run.result["decisions"]] == [150]
    prompts = [model.prompt(number) for number in range(len(model.asked))]
    assert 3 <= len(prompts) == run.calls
    asked = {int(line.partition(" |")[0]) for prompt in prompts for line in prompt.splitlines() if " | Speaker" in line}
    assert asked == set(range(1, 301))
    assert max(map(len, prompts)) < 4_096 * 3


@pytest.mark.row("C11")
@pytest.mark.parametrize(
    ("text", "speaker", "time"),
    [
        (
            "WEBVTT\n\n1\n00:00:05.000 --> 00:00:08.000\n<v Chair>We agreed on the new date for it.</v>",
            "Chair",
            "00:00:05",
        ),
        ("1\n00:00:05,000 --> 00:00:08,000\nChair: We agreed on the new date for it.", "Chair", "00:00:05"),
        ("(00:05) Chair: We agreed on the new date for it.", "Chair", "00:05"),
        ("We agreed on the new date for it.", None, None),
    ],
    ids=["WebVTT", "SRT", "stamped", "plain"],
)
def test_transcripts_of_every_kind_tell_who_spoke_and_when(
    model: Modelled, running: Running, text: str, speaker: str | None, time: str | None
) -> None:
    model.says(insights(decisions=[{"text": "Date", "line": 1, "quote": "We agreed on the new date for it."}]))
    run = ran(running, "meeting-insights", transcript=text)
    assert run.result is not None
    (found,) = run.result["decisions"]
    assert (found["said_by"], found["time"]) == (speaker, time)


def finding(file: str, line: int, quote: str, title: str, severity: str = "high") -> dict[str, Any]:
    return {"file": file, "line": line, "quote": quote, "severity": severity, "title": title, "detail": "It is."}


def test_a_finding_is_at_a_line_that_is_there_or_is_told_apart(model: Modelled, running: Running) -> None:
    there = finding("booking/hall.py", 16, '    taken = self.database.query(f"SELECT', "SQL put together")
    moved = finding("hall.py", 3, 'def book(self, member, start, end, room="main", notify=[]):', "Shared list", "low")
    gone = finding("booking/hall.py", 15, "raise Taken(start, end)", "Never raised")
    invented = finding("booking/other.py", 1, "import os", "Unused")
    model.says({"findings": [moved, there, gone, invented], "summary": "A few."})
    run = ran(running, "code-review")
    assert run.result is not None
    assert [(one["file"], one["line"], one["title"], one["moved"]) for one in run.result["findings"]] == [
        ("booking/hall.py", 16, "SQL put together", False),
        ("booking/hall.py", 23, "Shared list", True),
    ]
    assert [one["title"] for one in run.result["unverified"]] == ["Never raised", "Unused"]
    assert run.result["files"] == ["booking/hall.py", "booking/mail.py"]


def test_a_file_of_source_is_reviewed_by_its_own_lines(model: Modelled, running: Running) -> None:
    model.says({"findings": [finding("code", 2, "return a / b", "Divides by nothing")], "summary": ""})
    run = ran(running, "code-review", code="def f(a, b):\n    return a / b\n")
    assert run.result is not None
    assert [(one["line"], one["file"]) for one in run.result["findings"]] == [(2, "code.txt")]


def test_what_is_not_translated_comes_back_as_it_was_and_what_is_lost_is_named(
    model: Modelled, running: Running
) -> None:
    def german(request: str) -> str:
        return request.replace("Dear", "Liebe").replace("members have renewed", "Mitglieder haben verlängert")

    async def masked(ownkey: Ownkey) -> str:
        ownkey.automations.add_starter("translation", model=SMALL)
        model.says({"translation": "x"})
        texts, files = example("translation")
        await ownkey.automations.run("translation", texts, files)
        return model.prompt().partition("German:\n\n")[2]

    asked = running(masked).rstrip("\n")
    for kept in ("{{first_name}}", "fair@example.org", "https://example.org/fair?year=2026", "{date}", "%d", "<a href"):
        assert kept not in asked
    assert "13 June" in asked

    async def twice(ownkey: Ownkey) -> tuple[Run, Run]:
        texts, files = example("translation")
        model.says({"translation": german(asked)})
        good = await ownkey.automations.run("translation", texts, files)
        model.says({"translation": german(asked).replace("[[3]]", "").replace("12 euros", "zwölf Euro")})
        bad = await ownkey.automations.run("translation", texts, files)
        return good, bad

    good, bad = running(twice)
    text = example("translation")[1]["text"].data.decode().strip()
    assert good.result == {
        "translation": german(text),
        "checked": True,
        "wrong": [],
        "not_translated": [],
        "kept": 8,
        "parts": 1,
    }
    assert bad.result is not None
    assert bad.result["checked"] is False
    assert bad.result["wrong"] == ["https://example.org/fair?year=2026 is missing", "the number 12 is missing"]


def test_one_prompt_at_several_models_is_told_side_by_side_and_one_that_fails_stops_no_other(
    model: Modelled, running: Running
) -> None:
    down = answer(b'{"error": {"message": "down"}}', 503, "content-type: application/json")
    model.says(completion({"answer": "3 hours 25 minutes"}), completion({"answer": "3 Hours, 25 minutes."}), down)
    third = f"{SMALL}-gone"
    run = ran(running, "comparison", {"models": f"{SMALL}, {LARGE}, {third}"})
    assert run.result is not None
    assert run.status == "partly"
    assert run.error == ProviderUnavailable.code
    assert [(one["model"], one["cost_usd"], one["error"]) for one in run.result["models"]] == [
        (SMALL, "0.0012", None),
        (LARGE, "0.014", None),
        (third, None, ProviderUnavailable.code),
    ]
    assert run.result["agree"] == [[SMALL, LARGE]]
    assert run.result["cheapest"] == SMALL
    assert run.result["fastest"] in (SMALL, LARGE)
    assert run.cost.nano_usd == 15_200_000
    assert [note.partition(":")[0] for note in run.notes or ()] == [third]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_an_answer_that_is_nonsense_passes_as_checked(model: Modelled, running: Running, name: str) -> None:
    """A model that fills in the schema with whatever comes: what Ownkey computed is there, and what it says is not
    taken for true."""
    nonsense: dict[str, Any] = {
        "financial-analysis": {"summary": "4711", "findings": [FINDING | {"statement": "9,999"}], "questions": []},
        "meeting-insights": insights(
            decisions=[{"text": "x", "line": 1, "quote": "zzz zzz zzz"}], actions=[action("x", "x", "x", 1, "q q q q")]
        ),
        "code-review": {
            "findings": [finding("x", 1, "", "x"), finding("booking/hall.py", 12, "y", "y")],
            "summary": "",
        },
        "translation": {"translation": "x"},
        "comparison": {"answer": "x"},
    }
    model.says(nonsense[name])
    texts = {"models": SMALL} if name == "comparison" else None
    run = ran(running, name, texts)
    assert run.result is not None
    kept = {
        "financial-analysis": [one for one in run.result.get("findings", ()) if one.get("checked")],
        "meeting-insights": run.result.get("decisions", []) + run.result.get("actions", []),
        "code-review": run.result.get("findings", []),
        "translation": [run.result] if run.result.get("checked") else [],
        "comparison": [],
    }
    assert json.dumps(kept[name]) == "[]"
    if name == "financial-analysis":
        assert len(run.result["figures"]) == 44
    if name == "meeting-insights":
        assert len(run.result["look_at"]) >= 8
