"""`ownkey run` and `ownkey automations`: the cost is shown first, a change of model is asked about."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from house import environment, run
from modelled import LARGE, SMALL, Modelled, streamed
from terminal import on_a_terminal

Env = dict[str, str]


@pytest.fixture
def env(model: Modelled) -> Env:
    return environment(model.home, OWNKEY_RETRIES="0")


@pytest.mark.row("B9")
@pytest.mark.row("C10")
def test_a_starter_is_added_quoted_and_run_from_the_shell(env: Env, model: Modelled, tmp_path: Path) -> None:
    finding = {"statement": "Fees were 30.", "kind": "level", "facts": ["F1"]}
    model.says({"summary": "Fees were 30.", "findings": [finding], "questions": []})
    figures = tmp_path / "fees.csv"
    figures.write_text("Month,Fees\nJanuary,10\nFebruary,20\n")
    added = run(env, "automations", "add", "--starter", "financial-analysis", "-m", SMALL, "--limit", "0.50")
    assert added.returncode == 0, added.stderr
    assert added.stdout == "Added financial-analysis: modelled/small, at most $0.50 per run.\n"
    assert "ownkey run financial-analysis --file figures=PATH" in added.stderr
    asked = ("run", "financial-analysis", "--file", str(figures))
    quoted = run(env, *asked, "--quote", "--json")
    told = json.loads(quoted.stdout)
    assert float(told["low"]) <= float(told["expected"]) <= float(told["most"]) <= 0.5
    assert model.asked == []
    done = run(env, *asked)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("This run costs about $")
    assert "- statement: Fees were 30., kind: level, based on: Fees: sum of 2 rows: 30, checked: yes" in done.stdout
    whole = json.loads(run(env, *asked, "--json").stdout)
    assert (whole["status"], whole["cost"], whole["result"]["findings"][0]["checked"]) == ("done", "0.0012", True)
    listed = json.loads(run(env, "automations", "runs", "financial-analysis", "--json").stdout)
    assert next((one["id"], one["cost"], one["result"]) for one in listed) == (whole["id"], "0.0012", None)
    again = run(env, "automations", "result", whole["id"], "--json")
    assert json.loads(again.stdout)["result"] == whole["result"]
    assert run(env, "automations", "result", whole["id"], "--forget").returncode == 0
    assert run(env, "automations", "result", whole["id"]).returncode != 0


@pytest.mark.row("B9")
def test_at_a_terminal_it_says_what_it_costs_and_asks(env: Env, model: Modelled) -> None:
    model.says(streamed("Tidied."))
    assert run(env, "automations", "add", "tidy", "--prompt", "Tidy: {{text}}", "-m", SMALL).returncode == 0
    asked = ("run", "tidy", "--var", "text=a mess")
    code, shown = on_a_terminal(env, *asked, typed=b"n\n")
    assert code != 0
    assert shown.index("This run costs about $") < shown.index("Run it?")
    assert model.asked == []
    code, shown = on_a_terminal(env, *asked, typed=b"y\n")
    assert code == 0, shown
    assert "Tidied." in shown
    code, shown = on_a_terminal(env, *asked, "--yes")
    assert code == 0
    assert "Run it?" not in shown
    assert len(model.asked) == 2


@pytest.mark.row("B10")
def test_another_model_is_changed_only_where_that_is_said(env: Env, model: Modelled) -> None:
    model.says(streamed("Tidied.", (2_000, 1_000)))
    run(env, "automations", "add", "tidy", "--prompt", "Tidy.", "-m", SMALL)
    run(env, "run", "tidy")
    told = run(env, "automations", "set", "tidy", "--model", LARGE)
    assert told.returncode != 0
    assert f"From {SMALL} to {LARGE}: about $0.06 more per run, by its 1 run of the last 30 days." in told.stderr
    code, shown = on_a_terminal(env, "automations", "set", "tidy", "-m", LARGE, typed=b"n\n")
    assert code != 0
    assert "about $0.06 more per run" in shown
    (listed,) = json.loads(run(env, "automations", "list", "--json").stdout)
    assert listed["model"] == SMALL
    code, shown = on_a_terminal(env, "automations", "set", "tidy", "-m", LARGE, typed=b"y\n")
    assert code == 0, shown
    assert run(env, "run", "tidy").returncode == 0
    assert [one["model"] for one in model.asked] == ["small", "large"]
    back = run(env, "automations", "set", "tidy", "-m", SMALL, "--yes", "--json")
    changed = json.loads(back.stdout)["change"]
    assert (changed["difference"], changed["changed"]) == ("-0.056", True)


@pytest.mark.row("B10")
def test_it_is_shown_with_its_models_and_the_default_for_new_ones_is_set(env: Env, model: Modelled) -> None:
    assert run(env, "automations", "default", SMALL).stdout == f"{SMALL}\n"
    run(env, "automations", "add", "tidy", "--prompt", "-", given="Tidy:\n{{text}}").check_returncode()
    shown = run(env, "automations", "show", "tidy")
    assert f"tidy: {SMALL}, no limit per run" in shown.stdout
    assert "modelled\tlarge\t$" in shown.stdout
    assert "the current model" in shown.stdout
    models = json.loads(run(env, "automations", "show", "tidy", "--json").stdout)["models"]
    assert {one["model"] for one in models if one["provider"] == "modelled"} == {"small", "large"}
    assert len(json.loads(run(env, "automations", "starters", "--json").stdout)) == 5
    assert run(env, "automations", "remove", "tidy").stdout == "Removed tidy.\n"
    assert json.loads(run(env, "automations", "list", "--json").stdout) == []


def test_what_is_given_wrongly_is_said_before_anything_is_asked(env: Env, model: Modelled, tmp_path: Path) -> None:
    run(env, "automations", "add", "tidy", "--prompt", "{{a}} {{b}}", "--file", "a", "--file", "b", "-m", SMALL)
    for given, says in (
        (("--var", "a"), "is no VARIABLE=VALUE"),
        (("--file", "x.txt"), "For which variable"),
        (("--file", f"a={tmp_path}/none"), "cannot be read"),
        (("--var", "c=d"), "There is no variable 'c'"),
        ((), "a is not given"),
    ):
        ended = run(env, "run", "tidy", *given)
        assert ended.returncode != 0
        assert says in ended.stderr
    assert "There is no such automation." in run(env, "run", "other").stderr
    assert model.asked == []


def test_a_saved_schema_and_what_is_not_one(env: Env, model: Modelled, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "required": ["colour"]}')
    model.says({"colour": "red"})
    run(env, "automations", "add", "c", "--prompt", "Colour?", "-m", SMALL, "--schema", str(schema)).check_returncode()
    assert json.loads(run(env, "run", "c", "--json").stdout)["result"] == {"output": {"colour": "red"}}
    schema.write_text('{"type": "nothing"}')
    wrong = run(env, "automations", "set", "c", "--schema", str(schema))
    assert "The schema cannot be used" in wrong.stderr
