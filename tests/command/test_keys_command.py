"""`ownkey keys` in a shell: what each of its commands does, and what it never shows."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from canaries import canary
from house import BAD, KEYS, Simulator, environment, library, make_home, run

Env = dict[str, str]
OTHER = canary("keys command, other")


@pytest.fixture
def env(tmp_path: Path, simulator: Simulator) -> Env:
    """A home whose OpenAI is the simulator, without a key."""
    home = tmp_path / "home"
    make_home(home)
    with library(home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=keys/v1")
    return environment(home, OWNKEY_ALLOW_PRIVATE_HOSTS=f"127.0.0.1:{simulator.port}", OWNKEY_RETRIES="0")


def keys(env: Env, *arguments: str, given: str = "", code: int = 0) -> CompletedProcess[str]:
    done = run(env, "keys", *arguments, given=given)
    assert done.returncode == code, (done.stdout, done.stderr)
    for key in (KEYS["openai"], OTHER):
        assert key not in done.stdout + done.stderr
    return done


@pytest.mark.row("E3")
@pytest.mark.row("C3")
def test_keys_are_set_got_listed_paused_ordered_removed_and_cleared(env: Env) -> None:
    assert keys(env, "has", "openai", code=1).stdout == "no\n"
    keys(env, "set", "openai", given=KEYS["openai"])
    terms = ("--models", "gpt-4o*,o3", "--expires", "2099-12-31", "--monthly-limit", "20")
    told = keys(env, "set", "openai", "--label", "work", *terms, given=f"{OTHER}\n").stdout
    assert told.startswith(f"Stored sk-...{OTHER[-4:]} for OpenAI, work, to be sent to http://127.0.0.1:")
    assert keys(env, "has", "openai").stdout == "yes\n"
    first, second = json.loads(keys(env, "list", "--json").stdout)
    assert [(one["label"], one["position"], one["valid"]) for one in (first, second)] == [
        ("default", 1, True),
        ("work", 2, True),
    ]
    assert (second["models"], second["limit_nano"], second["budget"]) == (
        ["gpt-4o*", "o3"],
        20 * 10**9,
        "key openai/work",
    )
    (budget,) = json.loads(run(env, "budgets", "list", "--json").stdout)
    assert (budget["key_id"], budget["per"], budget["limit"]) == (second["id"], "month", 20 * 10**9)
    assert "key openai/work\tkey openai/work\t$20.00 a month" in run(env, "budgets", "list").stdout
    shown = keys(env, "list").stdout
    assert "$0.00 of $20.00" in shown
    assert "gpt-4o*, o3" in shown
    got = keys(env, "get", "openai", "--label", "work").stdout
    assert "ready until 2100-01-01" in got
    assert "last checked  20" in got
    assert "2 keys for openai: default, work" in keys(env, "get", "openai", code=2).stderr
    assert "paused" in keys(env, "pause", "openai", "--label", "work").stdout
    assert keys(env, "order", "openai", "work").stdout == "work, default\n"
    assert "is ready" in keys(env, "resume", "openai", "--label", "work").stdout
    changed = ("--rename", "home", "--models", "none", "--expires", "none", "--monthly-limit", "none")
    keys(env, "change", "openai", "--label", "work", *changed)
    assert json.loads(run(env, "budgets", "list", "--json").stdout) == []
    (first, _) = json.loads(keys(env, "list", "openai", "--json").stdout)
    assert (first["label"], first["models"], first["expires_at_ms"], first["limit_nano"]) == ("home", [], None, None)
    assert "Say which" in keys(env, "remove", "openai", code=2).stderr
    assert "Removed the key for OpenAI, home." in keys(env, "remove", "openai", "--label", "home").stdout
    assert keys(env, "clear", given="n\n", code=1).stdout.startswith("Remove all 1 keys?")
    keys(env, "has", "openai")
    assert "Removed 1 keys." in keys(env, "clear", given="y\n").stdout
    assert keys(env, "list").stdout.startswith("No keys yet")


@pytest.mark.row("D9")
def test_a_key_of_another_form_is_refused_and_not_repeated(env: Env) -> None:
    told = keys(env, "set", "openai", given="not-at-all-like-theirs", code=2).stderr
    assert "does not look like a key of OpenAI's" in told
    assert "begins with sk-" in told
    assert "not-at-all-like-theirs" not in told
    keys(env, "has", "openai", code=1)
    keys(env, "set", "openai", "--force", given="not-at-all-like-theirs")
    keys(env, "has", "openai")


@pytest.mark.row("C7")
def test_a_key_that_the_provider_refuses_is_not_stored(env: Env) -> None:
    told = keys(env, "set", "openai", "--force", given=BAD, code=5).stderr
    assert "refuses this key" in told
    assert "Nothing was stored" in told
    keys(env, "has", "openai", code=1)
    keys(env, "set", "openai", "--force", "--no-check", given=BAD)
    keys(env, "set", "openai", "--label", "good", given=KEYS["openai"])
    done = keys(env, "test", "openai", "--json", code=5)
    assert [(one["label"], one["valid"]) for one in json.loads(done.stdout)] == [("default", False), ("good", True)]
    assert "bad-key" not in done.stdout
    listed = keys(env, "list").stdout
    assert "refused: its provider refuses it" in listed


def test_a_provider_that_cannot_be_asked_is_told_and_the_key_is_stored_where_that_is_wanted(env: Env) -> None:
    strict = env | {"OWNKEY_ALLOW_PRIVATE_HOSTS": ""}
    told = keys(strict, "set", "openai", given=KEYS["openai"], code=6).stderr
    assert "--no-check" in told
    keys(env, "has", "openai", code=1)
    keys(strict, "set", "openai", "--no-check", given=KEYS["openai"])
    keys(env, "has", "openai")


@pytest.mark.row("C3")
def test_a_masked_key_sent_back_changes_nothing(env: Env) -> None:
    keys(env, "set", "openai", given=KEYS["openai"])
    masked = json.loads(keys(env, "list", "--json").stdout)[0]["masked"]
    for given in (masked, masked.replace("...", "***"), "sk-****************vX2Q"):
        told = keys(env, "set", "openai", "--force", given=given, code=2).stderr
        assert "Nothing" in told or "masked" in told
    assert "takes this key" in keys(env, "test", "openai").stdout


def test_the_keys_of_a_provider_that_is_gone_can_be_removed(env: Env, simulator: Simulator) -> None:
    text = f'id = "acme"\nname = "Acme"\nkind = "local"\nwire = "openai-chat"\nbase_url = "{simulator.url}/v1"\n'
    assert run(env, "providers", "add", "-", given=text).returncode == 0
    keys(env, "set", "acme", given=OTHER)
    assert run(env, "providers", "remove", "acme").returncode == 0
    (view,) = json.loads(keys(env, "list", "--json").stdout)
    assert view["state"] == "elsewhere"
    keys(env, "remove", "acme")
    assert keys(env, "list").stdout.startswith("No keys yet")
