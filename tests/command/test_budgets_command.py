"""`ownkey budgets`: what one is for, as it is set, shown and changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from house import environment, make_home, run

Env = dict[str, str]


@pytest.fixture
def env(tmp_path: Path) -> Env:
    make_home(tmp_path / "home")
    return environment(tmp_path / "home")


def budgets(env: Env, *arguments: str) -> Any:
    done = run(env, "budgets", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.row("B11")
def test_a_budget_for_one_model_is_its_providers_until_it_is_said_otherwise(env: Env) -> None:
    made = budgets(env, "set", "dear", "--limit", "5", "--per", "day", "--model", "openai/gpt-4o")
    assert (made["provider"], made["model"]) == ("openai", "gpt-4o")
    assert "model openai/gpt-4o" in run(env, "budgets", "list").stdout
    moved = budgets(env, "set", "dear", "--model", "openrouter/meta-llama/llama-3.3-70b-instruct")
    assert (moved["provider"], moved["model"]) == ("openrouter", "meta-llama/llama-3.3-70b-instruct")
    wide = budgets(env, "set", "dear", "--model", "none")
    assert (wide["provider"], wide["model"], wide["limit"]) == ("openrouter", None, 5_000_000_000)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("--model", "gpt-4o"), "PROVIDER/MODEL"),
        (("--model", "nobody/gpt-4o"), "nobody"),
        (("--provider", "anthropic", "--model", "openai/gpt-4o-mini"), "not a model of anthropic"),
        (("--provider", "anthropic"), "for the model openai/gpt-4o"),
        (("--provider", "none"), "for the model openai/gpt-4o"),
    ],
)
def test_a_budgets_model_and_its_provider_never_disagree(env: Env, asked: tuple[str, str], says: str) -> None:
    before = budgets(env, "set", "dear", "--limit", "5", "--model", "openai/gpt-4o")
    refused = run(env, "budgets", "set", "dear", *asked)
    assert refused.returncode == 2, refused.stdout
    assert says in refused.stderr
    assert budgets(env, "list") == [before]


@pytest.mark.row("B11")
def test_what_a_budget_is_for_is_called_as_the_book_calls_it(env: Env) -> None:
    added = run(env, "users", "add", "Ann", "--email", "ann@example.com", "--json")
    assert added.returncode == 0, added.stderr
    ann = json.loads(added.stdout)["id"]
    dated = budgets(env, "set", "dear", "--limit", "5", "--model", "anthropic/claude-opus-4-5-20251101")
    assert (dated["provider"], dated["model"]) == ("anthropic", "claude-opus-4-5")
    unknown = budgets(env, "set", "other", "--limit", "5", "--model", "anthropic/claude-opus-4-5-19990101")
    assert unknown["model"] == "claude-opus-4-5-19990101"
    people = {"Ann@Example.com": ann, ann: ann, "tok-owner/bob@example.com": "tok-owner/bob@example.com"}
    for named, owner in people.items():
        assert budgets(env, "set", "hers", "--limit", "5", "--owner", named)["owner"] == owner


@pytest.mark.row("B11")
def test_a_token_is_ones_own_before_others_and_never_one_of_several(env: Env) -> None:
    def made(*whose: str) -> str:
        done = run(env, "tokens", "create", "ci", *whose, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["id"]

    for name in ("ann", "bob"):
        assert run(env, "users", "add", name, "--email", f"{name}@example.com").returncode == 0
    ann = made("--user", "ann@example.com")
    assert budgets(env, "set", "tests", "--limit", "5", "--token", "ci")["token_id"] == ann
    bob = made("--user", "bob@example.com")
    limits = ("limits", "set", "token", "ci", "--requests", "5")
    for refused in (run(env, "budgets", "set", "tests", "--token", "ci"), run(env, *limits)):
        assert refused.returncode == 2, refused.stdout
        assert f"{ann}, {bob}" in refused.stderr
    assert budgets(env, "set", "tests", "--token", bob)["token_id"] == bob
    own = made()
    assert budgets(env, "set", "tests", "--token", "ci")["token_id"] == own
    assert run(env, *limits).returncode == 0
    (limit,) = json.loads(run(env, "limits", "list", "--json").stdout)["limits"]
    assert limit["name"] == own
