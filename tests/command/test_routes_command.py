"""`ownkey routes`, in a shell: made, shown, explained, rehearsed, removed; and what is said of an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from house import KEYS, environment, library, make_home, run
from ownkey.talk.errors import InvalidRequest

Env = dict[str, str]


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Env:
    home = tmp_path_factory.mktemp("routes") / "home"
    make_home(home)
    with library(home) as ownkey:
        for name in ("openai", "gemini"):
            ownkey.keys.set(name, KEYS[name])
    return environment(home)


def good(env: Env, *arguments: str) -> str:
    done = run(env, "routes", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def told(env: Env, *arguments: str) -> Any:
    return json.loads(good(env, *arguments, "--json"))


@pytest.mark.row("B15")
def test_a_route_is_made_changed_shown_and_removed(env: Env) -> None:
    said = good(
        env, "set", "night", "--target", "openai/gpt-4o", "--target", "gemini", "--retries", "1", "--total", "30",
        "--exclude", "xai,groq", "--not-regions", "cn", "--carry-on", "yes",
    )  # fmt: skip
    assert said == "Ask for the model night: it takes the first of openai/gpt-4o gemini.\n"
    shown = told(env, "show", "night")
    assert (shown["targets"], shown["retries"], shown["total_s"]) == (["openai/gpt-4o", "gemini"], 1, 30.0)
    assert (shown["exclude"], shown["not_regions"], shown["carry_on"]) == (["xai", "groq"], ["cn"], True)
    assert (shown["fallback"], shown["ask"], shown["whose"]) == (True, False, "own")
    good(env, "set", "night", "--choose", "cheapest", "--exclude", "none", "--retries", "none", "--no-fallback")
    changed = told(env, "show", "night")
    assert (changed["choose"], changed["exclude"], changed["retries"]) == ("cheapest", [], None)
    assert (changed["fallback"], changed["targets"], changed["carry_on"]) == (False, shown["targets"], True)
    assert {"night", "auto", "auto:cheap"} <= {one["name"] for one in told(env, "list")}
    assert "night\town\tcheapest" in good(env, "list")
    assert good(env, "remove", "night") == "Removed the route night.\n"
    assert run(env, "routes", "show", "night").returncode != 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("set", "openai"), "is called 'openai' here"),
        (("set", "gpt-4o"), "is called 'gpt-4o' here"),
        (("set", "auto"), "name"),
        (("set", "mine", "--retries", "many"), "This is no route"),
        (("set", "mine", "--exclude", "nobody"), "nobody"),
        (("set", "mine", "--choose", "dearest"), "This is no route"),
        (("show", "nothing"), "There is no route 'nothing'"),
        (("remove", "auto"), "There is no route 'auto'"),
        (("explain", "nothing-of-the-kind"), "No provider here has a model"),
        (("try", "auto", "--failing", "somehow"), "A failure is one of"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(env: Env, arguments: tuple[str, ...], says: str) -> None:
    done = run(env, "routes", *arguments)
    assert done.returncode not in (0, 1)
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.row("C13")
@pytest.mark.row("A4")
def test_explain_says_of_everybody_why_they_stand_where_they_do_or_are_out(env: Env) -> None:
    found = told(env, "explain", "auto:cheap", "What is a key?")
    places = [one["place"] for one in found["candidates"]]
    inside = [one for one in found["candidates"] if one["place"]]
    assert places[: len(inside)] == list(range(1, len(inside) + 1))
    costs = [one["expected_nano"] for one in inside if one["expected_nano"] is not None]
    assert costs == sorted(costs)
    assert all(one["why"] for one in found["candidates"])
    out = {one["name"]: one["why"] for one in found["candidates"] if one["place"] is None}
    assert out["anthropic"] == "no key"
    assert not any("1.5" in one["name"] for one in inside)  # retired
    shown = good(env, "explain", "auto:cheap", "What is a key?").splitlines()
    assert shown[0].split("\t")[1:4] == ["MODEL", "WHY", "THIS REQUEST"]
    assert shown[1].startswith("1\t")


def test_explain_shows_who_cannot_do_what_is_needed(env: Env) -> None:
    found = told(env, "explain", "auto:cheap", "--need", "vision")
    out = {one["name"]: one["why"] for one in found["candidates"] if one["place"] is None}
    assert out["openai/gpt-3.5-turbo"] == "takes no pictures"


def test_explain_of_a_plain_model_says_that_it_was_asked_for(env: Env) -> None:
    found = told(env, "explain", "openai/gpt-4o,gemini")
    assert [(one["place"], one["name"]) for one in found["candidates"]] == [
        (1, "openai/gpt-4o"),
        (2, "gemini/gemini-2.5-flash"),
    ]
    assert {one["why"] for one in found["candidates"]} == {"asked for by its name"}
    assert found["route"] is None


@pytest.mark.row("A3")
@pytest.mark.row("B15")
def test_a_rehearsal_tells_what_is_tried_when_each_fails_and_asks_nobody(env: Env) -> None:
    good(env, "set", "rehearsed", "--target", "openai/gpt-4o", "--target", "gemini", "--retries", "1")
    steps = told(env, "try", "rehearsed")
    assert [(step["name"], step["number"]) for step in steps] == [
        ("openai/gpt-4o", 1),
        ("openai/gpt-4o", 2),
        ("gemini/gemini-2.5-flash", 1),
        ("gemini/gemini-2.5-flash", 2),
    ]
    assert [step["at_s"] for step in steps] == sorted(step["at_s"] for step in steps)
    refused = told(env, "try", "rehearsed", "--failing", "key_refused")
    assert [step["name"] for step in refused] == ["openai/gpt-4o", "gemini/gemini-2.5-flash"]
    assert "gemini/gemini-2.5-flash\t2" in good(env, "try", "rehearsed")
    with library(Path(env["OWNKEY_HOME"])) as ownkey:
        some = ownkey.routes.rehearse("rehearsed", failures={"openai/gpt-4o": "rate_limited"})
        assert [(step.name, step.failure) for step in some][-1] == ("gemini/gemini-2.5-flash", None)
        assert {step.failure for step in some[:-1]} == {"rate_limited"}
        (first,) = ownkey.routes.rehearse("rehearsed", failures={})
        assert (first.name, first.failure) == ("openai/gpt-4o", None)
        with pytest.raises(InvalidRequest, match="A failure is one of"):
            ownkey.routes.rehearse("rehearsed", failures={"openai/gpt-4o": "asleep"})
        assert ownkey.house.store.book.rows() == []


def test_everybodys_route_stands_behind_ones_own_of_the_name(env: Env) -> None:
    good(env, "set", "shared", "--target", "openai/gpt-4o", "--everybody")
    assert told(env, "show", "shared")["whose"] == "everybody"
    good(env, "set", "shared", "--target", "gemini")
    assert (told(env, "show", "shared")["whose"], told(env, "show", "shared")["targets"]) == ("own", ["gemini"])
    good(env, "remove", "shared")
    assert told(env, "show", "shared")["targets"] == ["openai/gpt-4o"]
    good(env, "remove", "shared", "--everybody")


def test_what_is_said_of_an_answer_is_noted_for_who_gave_it(env: Env) -> None:
    chat = run(env, "chat", "Hello", "--model", "demo")
    assert chat.returncode == 0, chat.stderr
    (row,) = json.loads(run(env, "usage", "--json").stdout)["rows"]
    done = run(env, "usage", "thumb", row["request_id"], "up")
    assert done.stdout == "Noted: thumbs up for demo/demo.\n"
    assert run(env, "usage", "thumb", "nothing", "down").returncode != 0
    assert run(env, "usage", "thumb", row["request_id"], "sideways").returncode != 0
    assert good(env, "forget") == "What was learned from your answers is gone.\n"


@pytest.mark.row("B3")
def test_what_is_recommended_for_a_task_is_the_best_that_the_budget_pays_for(env: Env) -> None:
    done = run(env, "models", "--recommend", "code", "--budget", "0.05", "--json")
    names = [one["id"] for one in json.loads(done.stdout)]
    assert names[0] == "gemini/gemini-3.8-flash"  # of these two the highest on the board
