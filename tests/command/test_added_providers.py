"""`ownkey providers add | remove | check | gallery` and `ownkey models --compare | --recommend`, in a shell."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from house import KEYS, Gateway, Simulator, environment, gateway, library, make_home, run

Env = dict[str, str]

ACME = """
id = "acme"
name = "Acme AI"
kind = "local"
wire = "openai-chat"
base_url = "{url}/fault/{fault}/v1"
default = "sim-large"

[[models]]
id = "sim-large"
context = 128_000
price = {{ input = "2.50", output = "10.00" }}
"""


@pytest.fixture
def env(tmp_path: Path, simulator: Simulator) -> Env:
    home = tmp_path / "home"
    make_home(home)
    return environment(home, OWNKEY_ALLOW_PRIVATE_HOSTS=f"127.0.0.1:{simulator.port}", OWNKEY_RETRY_DELAY_S="0.01")


def write(path: Path, simulator: Simulator, fault: str = "name=acme", **changes: str) -> Path:
    text = ACME.format(url=simulator.url, fault=fault)
    for old, new in changes.items():
        text = text.replace(old, new)
    path.write_text(text)
    return path


def good(env: Env, *arguments: str, given: str = "") -> str:
    done = run(env, *arguments, given=given)
    assert done.returncode == 0, done.stderr
    return done.stdout


def bad(env: Env, *arguments: str, given: str = "") -> str:
    done = run(env, *arguments, given=given)
    assert done.returncode not in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.row("B2")
@pytest.mark.row("B7")
def test_a_file_that_is_added_answers_at_once_in_a_gateway_that_runs(tmp_path: Path, simulator: Simulator) -> None:
    home = tmp_path / "home"
    file = write(tmp_path / "mine.toml", simulator)
    with gateway(home, simulator) as served:
        assert served.ask("acme/sim-large").status == 404
        assert "Added Acme AI as acme." in good(served.env, "providers", "add", str(file))
        with library(home) as ownkey:
            ownkey.keys.set("acme", KEYS["openai"])
        assert "sim-large" in served.ask("acme/sim-large").text
        good(served.env, "providers", "remove", "acme")
        _until_gone(served)


def _until_gone(served: Gateway) -> None:
    from house import until

    assert until(lambda: served.ask("acme/sim-large").status == 404)


def test_a_file_comes_from_standard_input_too_and_replaces_the_one_before(env: Env, simulator: Simulator) -> None:
    text = ACME.format(url=simulator.url, fault="name=acme")
    good(env, "providers", "add", "-", given=text)
    good(env, "providers", "add", "-", given=text.replace("Acme AI", "Acme Two"))
    assert "Acme Two" in good(env, "providers", "show", "acme")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("local", "cloudy", "line 4: kind"),
        ('default = "sim-large"', 'default = "none"', "default"),
        ('id = "acme"', 'id = "openai"', "Ownkey's own"),
        ("openai-chat", "acme-wire", "wire"),
        ("base_url", "base_ur", "base_ur"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_line_and_key_and_nothing_changes(
    env: Env, tmp_path: Path, simulator: Simulator, old: str, new: str, named: str
) -> None:
    good(env, "providers", "add", str(write(tmp_path / "good.toml", simulator)))
    before = list((Path(env["OWNKEY_HOME"]) / "providers").iterdir())
    said = bad(env, "providers", "add", str(write(tmp_path / "wrong.toml", simulator, **{old: new})))
    assert named in said
    assert list((Path(env["OWNKEY_HOME"]) / "providers").iterdir()) == before
    assert "Acme AI" in good(env, "providers", "list")


def test_what_is_neither_a_file_nor_in_the_gallery_is_said_so(env: Env) -> None:
    said = bad(env, "providers", "add", "nowhere-at-all")
    assert "not in the gallery" in said
    assert "providers gallery" in said


def test_a_provider_that_comes_with_ownkey_cannot_be_removed(env: Env) -> None:
    assert "Ownkey's own" in bad(env, "providers", "remove", "openai")
    assert "There is no file" in bad(env, "providers", "remove", "acme")


@pytest.mark.row("E5")
def test_a_check_shows_what_works_and_what_it_cost(env: Env, tmp_path: Path, simulator: Simulator) -> None:
    good(env, "providers", "add", str(write(tmp_path / "acme.toml", simulator)))
    good(env, "keys", "set", "acme", given=KEYS["openai"])
    done = run(env, "providers", "check", "acme", "--json")
    found = {row["check"]: row for row in json.loads(done.stdout)}
    assert list(found) == ["key", "models", "chat", "stream", "usage", "tools", "json", "errors"]
    states = {name: row["state"] for name, row in found.items()}
    assert states["key"] == states["models"] == states["chat"] == states["stream"] == states["usage"] == "ok", found
    assert states["tools"] == states["errors"] == "ok", found
    assert float(found["chat"]["cost_usd"]) > 0


@pytest.mark.parametrize(
    ("fault", "check", "state"),
    [("reason=key", "key", "failed"), ("usage=missing", "usage", "weak"), ("html", "key", "failed")],
)
def test_a_check_says_what_does_not_work(
    env: Env, tmp_path: Path, simulator: Simulator, fault: str, check: str, state: str
) -> None:
    good(env, "providers", "add", str(write(tmp_path / "acme.toml", simulator, fault)))
    good(env, "keys", "set", "acme", "--no-check", given=KEYS["openai"])
    done = run(env, "providers", "check", "acme", "--json")
    found = {row["check"]: row for row in json.loads(done.stdout)}
    assert found[check]["state"] == state
    assert found[check]["says"]
    assert done.returncode == (1 if state == "failed" else 0)


def test_a_file_is_checked_before_it_is_added_and_leaves_nothing(
    env: Env, tmp_path: Path, simulator: Simulator
) -> None:
    file = write(tmp_path / "acme.toml", simulator)
    done = run(env, "providers", "check", str(file), given=KEYS["openai"])
    assert "key" in done.stdout, done.stderr
    assert not (Path(env["OWNKEY_HOME"]) / "providers").exists()
    assert KEYS["openai"] not in done.stdout + done.stderr


def test_where_anybody_may_see_the_models_a_key_is_tried_with_a_short_answer(
    env: Env, tmp_path: Path, simulator: Simulator
) -> None:
    changed = {'default = "sim-large"': 'default = "sim-large"\ncheck = "chat"'}
    good(env, "providers", "add", str(write(tmp_path / "acme.toml", simulator, "name=tried", **changed)))
    good(env, "keys", "set", "acme", given=KEYS["openai"])
    assert "it answers" in good(env, "keys", "test", "acme")
    assert [seen.path.rpartition("/")[2] for seen in simulator.seen("tried")] == ["completions"]
    good(env, "keys", "set", "acme", given="bad-key-of-nobody-0123456789")
    assert "refuses this key" in run(env, "keys", "test", "acme").stderr


@pytest.mark.row("B7")
def test_a_provider_of_the_gallery_is_found_by_words_and_added(env: Env) -> None:
    listed: list[dict[str, Any]] = json.loads(good(env, "providers", "gallery", "--json"))
    assert len(listed) >= 30
    assert not any(one["added"] for one in listed)
    assert "mistral" in good(env, "providers", "gallery", "MISTRAL")
    said = run(env, "providers", "add", "mistral")
    assert said.returncode == 0
    assert "keys set mistral" in said.stderr
    listed = json.loads(good(env, "providers", "gallery", "mistral", "--json"))
    assert next(one for one in listed if one["id"] == "mistral")["added"]
    assert "mistral/" in good(env, "models", "mistral")


@pytest.mark.row("E13")
def test_models_stand_side_by_side(env: Env) -> None:
    said = good(env, "models", "--compare", "openai/gpt-4o", "anthropic/claude-sonnet-4-5", "gemini-2.5-pro")
    rows = [line.split("\t") for line in said.splitlines()]
    assert rows[0] == ["", "openai/gpt-4o", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-pro"]
    table = {row[0]: row[1:] for row in rows[1:]}
    assert table["context"] == ["128,000", "200,000", "1,048,576"]
    assert table["in / 1M"][:2] == ["$2.50", "$3.00"]
    assert table["reasoning"] == ["no", "yes", "yes"]
    assert "no-such-model" in bad(env, "models", "--compare", "no-such-model", "gpt-4o")


@pytest.mark.row("B3")
@pytest.mark.row("C13")
def test_a_model_is_recommended_for_a_task_and_a_budget(env: Env) -> None:
    asked = ("models", "--recommend", "vision", "--budget", "0.01", "--any", "--json")
    found = json.loads(good(env, *asked))
    assert found
    assert all("vision" in one["does"] and float(one["request_usd"]) <= 0.01 for one in found)
    scores = [score and float(score[1]) for score in (re.search(r"quality ([\d.]+)", one["why"]) for one in found)]
    assert scores == sorted(scores, key=lambda score: -(score or 0)), "the best first, and then those without a score"
    assert any(scores)
    assert json.loads(good(env, *asked[:-2], "--json")) == []
    good(env, "keys", "set", "openai", "--no-check", given=KEYS["openai"])
    usable = json.loads(good(env, *asked[:-2], "--json"))
    assert {one["provider"] for one in usable} == {"openai"}
    assert "There is no task" in bad(env, "models", "--recommend", "juggling")
