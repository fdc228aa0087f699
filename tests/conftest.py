"""What tests of several parts share: one simulator and one gateway for each process of tests."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import postgres
from house import HEADERS_TIMEOUT_S, KEYS, UNLIMITED, Gateway, Simulator, gateway, library
from sweep import SWEEP, listen_to_children

# Keys of whoever runs the tests are no part of them.
for _name in [name for name in os.environ if name.endswith(("_API_KEY", "_TOKEN"))]:
    del os.environ[_name]

os.environ.update(UNLIMITED)

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("ownkey", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ownkey")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SWEEP)
    listen_to_children()


def pytest_collection_finish() -> None:
    """What stands for the tests themselves, a million objects, is looked through no more.

    A full collection took 0.7 s of the processor for them, in whatever test it fell.
    """
    gc.collect()
    gc.freeze()


# An Ollama, spoken to in its own API, and in those of its other forms where a client speaks them.
LOCAL = """
id = "local"
name = "Ollama here"
kind = "local"
wire = "ollama"
base_url = "{url}/fault/name=local/api"
keys = {{ required = false }}
free = true

[[models]]
id = "sim-small"
context = 32_000
does = ["chat", "stream", "tools", "json", "vision"]
"""


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    running = Simulator()
    yield running
    running.close()


@pytest.fixture(scope="session")
def served(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose OpenAI, Anthropic and Gemini are the simulator. Retries wait little; silence is cut short, what
    takes its time on a busy machine is not."""
    home = tmp_path_factory.mktemp("gateway") / "home"
    waits = {"OWNKEY_HEADERS_TIMEOUT_S": str(HEADERS_TIMEOUT_S), "OWNKEY_IDLE_TIMEOUT_S": "3"}
    quick = {"OWNKEY_RETRY_DELAY_S": "0.01", **waits}
    with library(home) as ownkey:
        for name, key in KEYS.items():
            version = "v1beta" if name == "gemini" else "v1"
            ownkey.providers.set(name, endpoint=f"{simulator.url}/fault/name={name}/{version}")
            ownkey.keys.set(name, key)
    folder = home / "providers"
    folder.mkdir(exist_ok=True)
    (folder / "local.toml").write_text(LOCAL.format(url=simulator.url))
    with gateway(home, simulator, **quick) as running:
        yield running


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Postgres]:
    with postgres.server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that is not there yet: a SQLite file, and one of a real PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/home/ownkey.db"
    return request.getfixturevalue("postgres_server").fresh()
