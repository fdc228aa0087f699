"""`ownkey chat` on a terminal: what it will cost stands there before it is asked."""

from __future__ import annotations

import re
import resource
from decimal import Decimal
from pathlib import Path

import pytest

from house import KEYS, Simulator, book_rows, environment, library, make_home, run
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


@pytest.mark.row("A13")
@pytest.mark.row("B19")
def test_what_a_run_will_cost_is_shown_by_provider_and_model_before_it_is_asked(env: Env) -> None:
    code, shown = on_a_terminal(env, "chat", "-m", "openai/gpt-4o", "--max-tokens", "40", "Say 9 words")
    assert code == 0, shown
    found = re.search(r"about \$([\d.]+), at most \$([\d.]+) · 11 in · openai/gpt-4o.*\n.*word1", shown)
    assert found is not None, shown
    (row,) = book_rows(Path(env["OWNKEY_HOME"]), "openai")
    assert Decimal(found[2]) * 10**9 == row.held_nano
    assert Decimal(found[1]) <= Decimal(found[2])
    _, shown = on_a_terminal(env, "chat", "-m", "openai/gpt-4o,openai/gpt-4o-mini", "Hello")
    assert re.search(r"openai/gpt-4o\b.*\n.*about .* · then openai/gpt-4o-mini\b", shown), shown


def test_it_is_shown_only_to_people_or_where_it_is_asked_for(env: Env) -> None:
    asked = ("chat", "-m", "openai/gpt-4o", "Hello")
    piped, wanted = run(env, *asked), run(env, *asked, "--quote")
    assert "at most" not in piped.stderr
    assert "at most" in wanted.stderr
    assert wanted.stdout == piped.stdout
    assert "at most" not in on_a_terminal(env, *asked, "--no-quote")[1]


@pytest.mark.row("A13")
def test_an_unknown_price_is_said_and_asked_about(env: Env) -> None:
    asked = ("chat", "-m", "openai/brand-new-model", "Hello")
    code, shown = on_a_terminal(env, *asked, typed=b"n\n")
    assert code != 0
    assert shown.index("price unknown · ") < shown.index("Ask all the same?")
    assert book_rows(Path(env["OWNKEY_HOME"]), "openai") == []
    code, shown = on_a_terminal(env, *asked, typed=b"y\n")
    assert code == 0, shown
    assert shown.count("price unknown · ~") == 1


def test_a_chat_without_a_quote_goes_its_way(env: Env) -> None:
    code, shown = on_a_terminal(env, "chat", "-m", "nothing-of-that-name", "Hello")
    assert code != 0
    assert shown.count("No provider here has a model 'nothing-of-that-name'") == 1
    code, shown = on_a_terminal(env, "chat", "-m", "demo", "Hello")
    assert code == 0, shown
    assert re.search(r"free · ~\d+ in · demo/", shown), shown


def test_a_long_chat_is_priced_without_a_noticeable_delay(env: Env) -> None:
    """Of a processor's time, beside the same without: the vocabulary, too, has to be read."""

    def took_s(option: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = run(env, "chat", "-m", "openai/gpt-4o", option, "word " * 5_000)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert ("at most" in done.stderr) == (option == "--quote"), done.stderr
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    pairs = [(took_s("--quote"), took_s("--no-quote")) for _ in range(3)]
    more_s = min(priced for priced, _ in pairs) - min(plain for _, plain in pairs)
    print(f"{more_s * 1_000:.0f} ms")
    assert more_s < 0.3
