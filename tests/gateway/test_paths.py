"""What there is at the gateway's address, for whom, and what there is not; and providers that come while it runs."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from house import CHAT, KEYS, USER, Gateway, Simulator, gateway, library, run, until

ASKED = json.dumps({"model": "demo", "messages": USER}).encode()


@pytest.mark.parametrize(
    "host", ["evil.test", "evil.test:3010", "127.0.0.1.evil.test", "localhost@evil.test", "0.0.0.0", ""]
)
@pytest.mark.parametrize(("method", "path"), [("POST", CHAT), ("GET", "/v1/models"), ("GET", "/health")])
def test_W01_a_name_that_is_not_this_machines_is_421(served: Gateway, host: str, method: str, path: str) -> None:
    answer = served.send(method, path, ASKED if method == "POST" else None, served.own | {"Host": host})
    assert answer.status == 421
    assert "127.0.0.1" in answer.error["message"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:{port}", "127.0.0.1", "127.0.0.1:{port}", "[::1]:{port}"])
def test_a_name_of_this_machine_is_answered(served: Gateway, host: str) -> None:
    answer = served.send("GET", "/health", None, {"Host": host.format(port=served.port)})
    assert answer.status == 200


def test_A21_two_names_in_one_request_are_refused(served: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=5) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.test\r\n\r\n")
        assert connection.recv(4096).split(b"\r\n")[0].split()[1] in (b"400", b"421")


def test_O12_health_says_that_it_lives_and_nothing_else(served: Gateway) -> None:
    before = len(served.simulator.seen("openai"))
    answer = served.send("GET", "/health", None, {})
    assert (answer.status, answer.json) == (200, {"status": "ok"})
    assert not {"server", "x-powered-by", "date"} & answer.headers.keys()
    assert len(served.simulator.seen("openai")) == before


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "//v1/models", "/v1/models/", "/v1/../health", "/V1/models", "/docs", "/openapi.json"]
)
def test_A22_an_unknown_path_is_404(served: Gateway, path: str) -> None:
    for headers in ({}, served.own):
        answer = served.send("GET", path, None, headers)
        assert answer.status == 404
        assert "/v1" in answer.error["message"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", CHAT), ("PUT", CHAT), ("DELETE", "/v1/models"), ("POST", "/health"), ("TRACE", CHAT)]
)
def test_A22_a_wrong_method_is_405(served: Gateway, method: str, path: str) -> None:
    answer = served.send(method, path, None, served.own | {"X-HTTP-Method-Override": "POST"})
    assert (answer.status, answer.error["type"]) == (405, "invalid_request_error")


def test_G21_no_answer_may_be_kept_by_a_cache(served: Gateway) -> None:
    for answer in (
        served.ask("openai/gpt-4o"),
        served.ask("openai/gpt-4o", stream=True),
        served.ask("nobody/nothing"),
        served.send("GET", "/v1/models", None, served.own),
    ):
        assert answer.headers["cache-control"] == "no-store"


def test_models_are_listed_for_whom_they_answer(served: Gateway) -> None:
    own = served.send("GET", "/v1/models", None, served.own).json
    names = {model["id"] for model in own["data"]}
    assert own["object"] == "list"
    assert {"openai/gpt-4o", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash", "demo/demo"} <= names
    assert not any(name.startswith("deepseek/") for name in names)
    nobodys = served.send("GET", "/v1/models", None, {}).json["data"]
    assert [model["id"] for model in nobodys] == ["demo/demo"]


@pytest.mark.row("E9")
def test_models_that_a_provider_tells_of_are_there_after_a_refresh(served: Gateway) -> None:
    name = served.provider()
    told = run(served.env, "models", name, "--refresh", "--json")
    assert told.returncode == 0, told.stderr
    listed = {model["id"] for model in json.loads(told.stdout)}
    assert {f"{name}/gpt-4o", f"{name}/sim-large"} <= listed

    def there() -> bool:
        data = served.send("GET", "/v1/models", None, served.own).json["data"]
        return f"{name}/sim-large" in {model["id"] for model in data}

    assert until(there, within_s=2)


@pytest.mark.row("B2")
def test_a_providers_file_is_there_at_the_next_request(served: Gateway) -> None:
    assert served.ask("newcomer/gpt-4o").status == 404
    name = served.provider()
    answer = served.ask(f"{name}/gpt-4o")
    assert (answer.status, answer.headers["x-ownkey-provider"]) == (200, name)


@pytest.mark.row("B2")
def test_a_local_providers_file_opens_its_own_address_and_no_other(tmp_path: Path, simulator: Simulator) -> None:
    with gateway(tmp_path / "home", simulator, OWNKEY_ALLOW_PRIVATE_HOSTS="127.0.0.1:9999") as running:
        run_endpoint = ("providers", "set", "openai", "--endpoint", f"{simulator.url}/fault/name=private/v1")
        assert run(running.env, *run_endpoint).returncode == 0
        with library(running.home) as ownkey:
            ownkey.keys.set("openai", KEYS["openai"])
        assert running.ask("openai/gpt-4o").status == 422
        assert running.ask(f"{running.provider()}/gpt-4o").status == 200
        assert simulator.seen("private") == []


@pytest.mark.row("B2")
def test_a_broken_providers_file_is_named_and_harms_nobody_else(served: Gateway) -> None:
    broken = served.home / "providers" / "broken.toml"
    broken.write_text('id = "broken"\nname = "Broken"\nkind = "cluod"\n')
    try:
        name = served.provider()
        assert served.ask(f"{name}/gpt-4o").status == 200
        assert served.ask("broken/gpt-4o").status == 404
        told = run(served.env, "providers", "list")
        assert told.returncode == 0
        assert "broken.toml, line 3: kind" in told.stderr
        assert name in told.stdout
        assert run(served.env, "doctor").returncode == 1
    finally:
        broken.unlink()
