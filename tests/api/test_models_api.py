"""Models in the management API: what a table of them needs, asked for again, and servers found on this machine."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from browsing import Browser, signed_in
from house import KEYS, Gateway, Simulator, gateway, library, nobody, until

LOCAL = """id = "{id}"
name = "{id}"
kind = "local"
wire = "openai-chat"
base_url = "http://127.0.0.1:{port}/v1"
keys = {{ required = false }}
"""


@pytest.fixture(scope="module")
def place(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("models-api") / "home"
    with library(home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=models/v1", default="gpt-4o")
    with gateway(home, simulator) as running:
        yield running


@pytest.fixture(scope="module")
def browser(place: Gateway) -> Browser:
    return signed_in(place)


def models(browser: Browser, provider: str) -> dict[str, Any]:
    return {one["id"]: one for one in browser.get(f"/api/byok/models?provider={provider}").json["models"]}


@pytest.mark.row("C8")
def test_a_model_comes_with_all_that_a_table_shows(browser: Browser) -> None:
    assert browser.ask("PUT", "/api/byok/keys/openai", {"key": KEYS["openai"]}).status == 200
    browser.ask("PATCH", "/api/byok/preferences", {"preferred": ["openai/gpt-4o-mini"]})
    assert browser.post("/api/byok/models/refresh", {"provider": "openai"}).status == 200
    found = models(browser, "openai")
    one = found["gpt-4o"]
    assert (one["default"], one["preferred"], one["free"], one["retired"]) == (True, False, False, False)
    assert one["price"]["input"] == 2_500_000_000
    assert one["price"]["cached"] == 1_250_000_000
    assert one["context"] == 128_000
    assert (found["gpt-4o-mini"]["preferred"], found["gpt-4o-mini"]["default"]) == (True, False)
    assert one["first_ms"] is None
    assert browser.gateway.ask("openai/gpt-4o", stream=True).status == 200
    browser.gateway.rows("openai")
    measured = models(browser, "openai")["gpt-4o"]
    assert measured["first_ms"] >= 0
    assert models(browser, "demo")["demo"]["free"] is True


def test_providers_are_asked_again_each_with_what_came_of_it(
    simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("refresh") / "home"
    with library(home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=refresh/v1")
        ownkey.providers.set("anthropic", endpoint=f"{simulator.url}/fault/name=refresh-down,status=503/v1")
    with gateway(home, simulator) as running:
        browser = signed_in(running)
        for provider in ("openai", "anthropic"):
            browser.ask("PUT", f"/api/byok/keys/{provider}", {"key": KEYS[provider], "check": False})
        told = {one["provider"]: one for one in browser.post("/api/byok/models/refresh", {}).json["providers"]}
        assert (told["openai"]["asked"], told["openai"]["error"]) == (True, None)
        assert told["openai"]["models"] == len(models(browser, "openai"))
        assert told["anthropic"]["code"] == "upstream_unavailable"
        assert not {"demo", "gemini"} & set(told)
        again = {one["provider"]: one for one in browser.post("/api/byok/models/refresh", {}).json["providers"]}
        assert (again["openai"]["asked"], again["openai"]["models"]) == (False, told["openai"]["models"])
        assert len(simulator.seen("refresh")) == 1
        assert browser.post("/api/byok/models/refresh", {"provider": "nobody"}).status == 422


@contextmanager
def listening(answer: tuple[int, Any], wait_s: float = 0.0) -> Iterator[tuple[int, list[str]]]:
    """A server on a free port that gives one answer; its port, and what it was asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('authorization')}")
            gone.wait(wait_s)
            body = json.dumps(answer[1]).encode()
            self.send_response(answer[0])
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    gone = threading.Event()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        gone.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.row("A9")
def test_servers_of_ones_own_are_found_by_themselves(place: Gateway, browser: Browser) -> None:
    listed = (200, {"object": "list", "data": [{"id": "small", "object": "model"}, {"id": "tall", "object": "model"}]})
    with (
        listening(listed) as (there, asked),
        listening((401, {"error": {"message": "A key is wanted."}})) as (locked, _),
        listening((200, {"hello": "world"})) as (other, _),
        listening(listed, wait_s=20) as (slow, _),
        nobody() as empty,
    ):
        places = {"there": there, "locked": locked, "other": other, "slow": slow, "empty": empty}
        folder = place.home / "providers"
        folder.mkdir(exist_ok=True)
        for id, port in places.items():
            (folder / f"{id}.toml").write_text(LOCAL.format(id=id, port=port))
        until(lambda: {one["id"] for one in browser.get("/api/byok/providers").json["providers"]} >= set(places))
        began_s = time.monotonic()
        answer = browser.get("/api/byok/local")
        took_s = time.monotonic() - began_s
        found = {one["provider"]: one for one in answer.json["providers"]}
        states = {id: found[id]["state"] for id in places}
        assert states == {
            "there": "found",
            "locked": "wants_key",
            "other": "other",
            "slow": "nothing",
            "empty": "nothing",
        }
        assert (found["there"]["address"], found["there"]["models"]) == (f"http://127.0.0.1:{there}", ["small", "tall"])
        assert (found["there"]["added"], found["vllm"]["added"]) == (True, False)
        assert {"ollama", "lmstudio", "jan", "llamacpp", "vllm"} <= set(found)
        assert answer.json["providers"][0]["provider"] == "there"
        assert asked == ["/v1/models None"]
        assert took_s < 5, "it waits for all of them at once"
        for id in places:
            (folder / f"{id}.toml").unlink()


def test_E11_a_gallerys_address_is_asked_without_becoming_a_leave_to_go_there(place: Gateway, browser: Browser) -> None:
    assert browser.get("/api/byok/local").status == 200
    changed = browser.ask("PATCH", "/api/byok/providers/ollama", {"endpoint": "http://127.0.0.1:8000/v1"})
    assert "not allowed" in changed.json["lack"]["says"]
    assert "ollama" not in {one["provider"] for one in browser.get("/api/byok/local").json["providers"]}
    assert browser.ask("PATCH", "/api/byok/providers/ollama", {"endpoint": ""}).json["endpoint"].endswith(":11434/v1")
