"""`ownkey chat` where a person has to say yes first, `ownkey consents`, and `ownkey preferences`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from house import KEYS, Simulator, book_rows, environment, library, make_home, run, write_provider
from terminal import on_a_terminal

Env = dict[str, str]


@pytest.fixture
def env(tmp_path: Path, simulator: Simulator) -> Env:
    home = tmp_path / "home"
    make_home(home)
    with library(home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=priced/v1")
        ownkey.keys.set("openai", KEYS["openai"])
    return environment(home, OWNKEY_ALLOW_PRIVATE_HOSTS=f"127.0.0.1:{simulator.port}", OWNKEY_RETRY_DELAY_S="0.01")


@pytest.fixture
def model(env: Env, simulator: Simulator) -> str:
    """Of a provider that fails, and of one that answers; who asks wants to be asked."""
    home = Path(env["OWNKEY_HOME"])
    assert run(env, "preferences", "set", "ask", "yes").returncode == 0
    return ",".join(f"{write_provider(home, simulator, fault)}/gpt-4o" for fault in ("status=503", ""))


@pytest.mark.row("B15")
def test_on_a_terminal_it_asks_and_always_is_not_asked_again(env: Env, model: str) -> None:
    asked = ("chat", "-m", model, "--max-tokens", "40", "Hello")
    code, shown = on_a_terminal(env, *asked, typed=b"n\n")
    assert code != 0
    assert "Ask all the same? [y/N/always]" in shown
    second = model.split(",")[1].partition("/")[0]
    assert book_rows(Path(env["OWNKEY_HOME"]), second) == []
    code, shown = on_a_terminal(env, *asked, typed=b"y\n")
    assert (code, "You wrote: Hello" in shown) == (0, True), shown
    code, shown = on_a_terminal(env, *asked, typed=b"always\n")
    assert code == 0, shown
    code, shown = on_a_terminal(env, *asked)
    assert (code, "Ask all the same" in shown) == (0, False), shown
    (kept,) = json.loads(run(env, "consents", "list", "--json").stdout)
    assert (kept["kind"], kept["target"]) == ("switch", second)
    assert f"{second} in place of" in run(env, "consents", "list").stdout
    assert run(env, "consents", "remove", kept["id"]).returncode == 0
    assert run(env, "consents", "remove", kept["id"]).returncode == 2
    assert run(env, "consents", "list").stdout == "You are asked about everything.\n"
    assert "Ask all the same?" in on_a_terminal(env, *asked, typed=b"n\n")[1]


@pytest.mark.row("B15")
def test_a_script_is_told_and_goes_on_with_yes_past_soft_things_only(env: Env, model: str) -> None:
    refused = run(env, "chat", "-m", model, "--max-tokens", "40", "Hello")
    assert refused.returncode == 4
    assert "would be asked in place of" in refused.stderr
    assert run(env, "chat", "-m", model, "--max-tokens", "40", "--yes", "Hello").returncode == 0
    assert run(env, "chat", "-m", "openai/brand-new-model", "--yes", "Hello").returncode == 4
    assert run(env, "budgets", "set", "soft", "--run-soft-tokens", "10", "--run-soft", "ask").returncode == 0
    capped = ("chat", "-m", "openai/gpt-4o", "--max-tokens", "400", "Hello")
    assert run(env, *capped).returncode == 4
    assert run(env, *capped, "--yes").returncode == 0
    assert run(env, "budgets", "set", "hard", "--limit", "0.0001").returncode == 0
    assert run(env, *capped, "--yes").returncode == 1
    assert run(env, "budgets", "set", "hard", "--when-exhausted", "ask").returncode == 0
    assert run(env, *capped, "--yes").returncode == 4


@pytest.mark.row("C4")
@pytest.mark.row("E4")
def test_preferences_are_shown_set_and_unset(env: Env) -> None:
    def shown(*arguments: str) -> dict[str, object]:
        done = run(env, "preferences", *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    nothing = shown("show")
    wanted = shown("set", "preferred", "openai/gpt-4o, openai/gpt-4o-mini")
    assert wanted["preferred"] == ["openai/gpt-4o", "openai/gpt-4o-mini"]
    assert shown("set", "models.openai", "gpt-4o")["models"] == {"openai": "gpt-4o"}
    assert shown("set", "max-tokens", "40")["max_tokens"] == 40
    assert shown("set", "auto-switch", "no")["auto_switch"] is False
    plain = run(env, "preferences", "show").stdout
    assert "models\topenai: gpt-4o\n" in plain
    assert "auto_switch\tno\n" in plain
    for name in ("preferred", "models.openai", "max_tokens"):
        shown("unset", name)
    assert shown("unset", "auto-switch") == nothing


@pytest.mark.parametrize(
    ("name", "value"),
    [("colour", "blue"), ("max_tokens", "many"), ("ask", "perhaps"), ("models", "a"), ("provider", "nobody")],
)
def test_what_cannot_be_wanted_is_a_wrong_call(env: Env, name: str, value: str) -> None:
    assert run(env, "preferences", "set", name, value).returncode == 2
