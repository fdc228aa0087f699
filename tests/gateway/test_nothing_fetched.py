"""What a body, a ring of gateways or a failing test could make a gateway fetch or tell: nothing."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from answering import answering
from house import CHAT, KEYS, Gateway, Simulator, environment, gateway, library, run
from ssrf import SCHEMES


@dataclass
class Trap:
    """A port that nobody has a reason to connect to."""

    port: int
    caught: list[str] = field(default_factory=list)


@pytest.fixture
def trap() -> Iterator[Trap]:
    with listening() as trap:
        yield trap
        assert trap.caught == []


@contextmanager
def listening() -> Iterator[Trap]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        trap = Trap(listener.getsockname()[1])

        def count() -> None:
            while True:
                try:
                    connection, (address, *_) = listener.accept()
                except OSError:
                    return
                trap.caught.append(address)
                connection.close()

        thread = threading.Thread(target=count, daemon=True)
        thread.start()
        yield trap
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def bodies(url: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Every place of every client's wire where an address may stand, by what it is."""
    text = {"type": "text", "text": "What is there?"}
    schema = {"type": "object", "properties": {}, "$ref": url, "$schema": url}
    google = {"contents": [{"role": "user", "parts": [{"text": "What is there?"}]}]}

    def chat(**more: Any) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": [text]}], **more}

    def with_part(part: dict[str, Any]) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": [text, part]}]}

    def messages(part: dict[str, Any]) -> dict[str, Any]:
        return {"max_tokens": 9, **with_part(part)}

    def given(part: dict[str, Any]) -> dict[str, Any]:
        return {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}, part]}]}

    return {
        "chat, an image": (CHAT, with_part({"type": "image_url", "image_url": {"url": url}})),
        "chat, an image by its address alone": (CHAT, with_part({"type": "image_url", "image_url": url})),
        "chat, a file": (CHAT, with_part({"type": "file", "file": {"file_data": url, "filename": "a.pdf"}})),
        "chat, a video": (CHAT, with_part({"type": "video_url", "video_url": {"url": url}})),
        "chat, a sound": (CHAT, with_part({"type": "input_audio", "input_audio": {"data": url, "format": "wav"}})),
        "chat, a tool": (CHAT, chat(tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}])),
        "chat, a format": (
            CHAT,
            chat(response_format={"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}),
        ),
        "chat, metadata": (CHAT, chat(metadata={"webhook": url, "callback_url": url})),
        "chat, a field of no name": (CHAT, chat(callback_url=url)),
        "messages, an image": ("/v1/messages", messages({"type": "image", "source": {"type": "url", "url": url}})),
        "messages, a document": ("/v1/messages", messages({"type": "document", "source": {"type": "url", "url": url}})),
        "messages, a server": (
            "/v1/messages",
            {"max_tokens": 9, **chat(mcp_servers=[{"type": "url", "url": url, "name": "x"}])},
        ),
        "responses, an image": ("/v1/responses", given({"type": "input_image", "image_url": url})),
        "responses, a file": ("/v1/responses", given({"type": "input_file", "file_url": url})),
        "responses, a server": (
            "/v1/responses",
            {"input": "Hi", "tools": [{"type": "mcp", "server_label": "x", "server_url": url}]},
        ),
        "gemini, a file": (
            ":generateContent",
            {"contents": [{"role": "user", "parts": [{"fileData": {"fileUri": url, "mimeType": "image/png"}}]}]},
        ),
        "gemini, a tool": (":generateContent", google | {"tools": [{"urlContext": {}}]}),
        "embeddings": ("/v1/embeddings", {"input": url}),
        "images": ("/v1/images/edits", {"prompt": "x", "image": url, "images": [{"image_url": url}]}),
        "a quote": ("/api/byok/quote", {"request": with_part({"type": "image_url", "image_url": {"url": url}})}),
        "a count": ("/v1/messages/count_tokens", messages({"type": "image", "source": {"type": "url", "url": url}})),
    }


@pytest.mark.parametrize("what", bodies(""))
def test_E12_an_address_in_a_body_is_passed_on_or_refused_and_never_fetched(
    served: Gateway, trap: Trap, what: str
) -> None:
    passed: set[str] = set()
    for scheme in ("http", "https"):
        url = f"{scheme}://127.0.0.1:{trap.port}/cat.png"
        path, body = bodies(url)[what]
        for model in ("openai/gpt-4o", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash", "local/sim-small"):
            name = model.partition("/")[0]
            before = len(served.simulator.seen(name))
            place = f"/v1beta/models/{model}{path}" if path.startswith(":") else path
            asked = {"request": body["request"] | {"model": model}} if "request" in body else body | {"model": model}
            answer = served.send("POST", place, json.dumps(asked).encode(), served.own)
            assert answer.status < 500 or answer.status == 501, (model, answer.body)
            sent = served.simulator.seen(name)[before:]
            if answer.status == 200 and sent and url.encode() in b"".join(one.body for one in sent):
                passed.add(name)
    assert passed >= PASSED_ON.get(what, set())


PASSED_ON = {
    "chat, an image": {"openai", "anthropic"},
    "chat, a tool": {"openai"},
    "chat, a field of no name": {"openai"},
    "messages, an image": {"openai", "anthropic"},
    "responses, an image": {"openai", "anthropic"},
    "gemini, a file": {"openai", "anthropic", "gemini"},
    "embeddings": {"openai", "gemini"},
}
"""Where the provider gets the address as it was written."""


def test_E12_the_forms_of_other_addresses_are_not_looked_at(served: Gateway, trap: Trap) -> None:
    for form in SCHEMES:
        url = form.replace("{port}", str(trap.port))
        path, body = bodies(url)["chat, an image"]
        answer = served.send("POST", path, json.dumps(body | {"model": "openai/gpt-4o"}).encode(), served.own)
        assert answer.status in (200, 422)
        if answer.status == 200:
            sent = json.loads(served.simulator.seen("openai")[-1].body)
            assert sent["messages"][0]["content"][1]["image_url"]["url"] == url


RING = """
    id = "{id}"
    name = "Ring"
    kind = "local"
    wire = "{wire}"
    base_url = "http://127.0.0.1:{port}/{version}"
    auth = {{ header = "{header}", scheme = "{scheme}" }}
    free = true
    [paths]
    models = "/models"
"""


def ring(running: Gateway, name: str, to: Gateway, wire: str = "openai-chat") -> None:
    """In `running`, the provider `name` is the gateway `to`."""
    form = {
        "openai-chat": {"version": "v1", "header": "authorization", "scheme": "Bearer"},
        "anthropic-messages": {"version": "v1", "header": "x-api-key", "scheme": ""},
        "gemini": {"version": "v1beta", "header": "x-goog-api-key", "scheme": ""},
    }[wire]
    with library(running.home) as ownkey:
        ownkey.providers.add(RING.format(id=name, wire=wire, port=to.port, **form).encode(), f"{name}.toml")
        ownkey.keys.set(name, to.token)


def test_E13_a_gateway_whose_provider_it_is_itself_says_so(tmp_path: Path, simulator: Simulator) -> None:
    with gateway(tmp_path / "home", simulator, OWNKEY_RETRY_DELAY_S="0.01") as running:
        for wire in ("openai-chat", "anthropic-messages", "gemini"):
            name = f"ring-{wire}"
            ring(running, name, running, wire)
            model = "/".join([name] * 5 + ["m"])
            for stream in (False, True):
                answer = running.ask(model, stream=stream)
                assert (answer.status, answer.error["code"]) == (508, "loop_detected"), answer.body
                assert answer.headers["x-should-retry"] == "false"
            assert [row.state for row in running.rows(name)] == ["released"] * 4, "two hops for each request"
        vectors = {"model": "/".join(["ring-openai-chat"] * 5 + ["m"]), "input": "x"}
        answer = running.send("POST", "/v1/embeddings", json.dumps(vectors).encode(), running.own)
        assert (answer.status, answer.error["code"]) in ((508, "loop_detected"), (422, "unsupported"))


def test_E13_two_gateways_in_a_ring_end_it_and_two_in_a_row_answer(tmp_path: Path, simulator: Simulator) -> None:
    with gateway(tmp_path / "a", simulator) as first, gateway(tmp_path / "b", simulator) as second:
        ring(first, "second", second)
        ring(second, "first", first)
        assert first.ask("second/demo/demo").status == 200
        answer = first.ask("second/first/second/first/second/demo/demo")
        assert (answer.status, answer.error["code"]) == (508, "loop_detected")


@pytest.mark.parametrize("hops", ["2", "999", "-1", "x", "1e1", "1 ", "0x1", "00002"])
def test_E13_a_request_that_came_through_others_is_refused(served: Gateway, hops: str) -> None:
    for path in (CHAT, "/v1/messages", "/v1/embeddings", "/v1beta/models/demo:generateContent"):
        answer = served.send("POST", path, b"{}", served.own | {"x-ownkey-hops": hops})
        assert (answer.status, b"other Ownkeys" in answer.body) == (508, True)


def test_E13_what_is_sent_says_through_how_many_it_came(served: Gateway) -> None:
    for headers, told in (({}, b"1"), ({"x-ownkey-hops": "0"}, b"1"), ({"x-ownkey-hops": "1"}, b"2")):
        for model, name in (("openai/gpt-4o", "openai"), ("anthropic/claude-sonnet-4-5", "anthropic")):
            assert served.ask(model, headers=headers).status == 200
            assert dict(served.simulator.seen(name)[-1].headers)[b"x-ownkey-hops"] == told


INSIDE_PAGE = b"<html><title>Grafana admin</title><body>db password: hunter22hunter22</body></html>"


@pytest.mark.parametrize("status", [200, 201, 301, 400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("kind", ["text/html", "text/plain", "application/json", "application/octet-stream"])
def test_E19_what_an_internal_service_says_is_not_told(tmp_path: Path, status: int, kind: str) -> None:
    bodies = [INSIDE_PAGE, json.dumps({"db": {"password": "hunter22hunter22"}}).encode(), b"hunter22hunter22 " * 9]
    for body in bodies if kind == "application/json" else bodies[:1]:
        reply = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\ncontent-type: {kind}\r\n\r\n".encode() + body
        home = tmp_path / f"home-{bodies.index(body)}"
        with (
            answering({"/v1/models": reply, "/v1/chat/completions": reply}) as service,
            library(home, allow_private_hosts=[("127.0.0.1", service.port)], retries=0) as ownkey,
        ):
            ownkey.providers.set("openai", endpoint=f"{service.url}/v1")
            ownkey.keys.set("openai", KEYS["openai"])
            with ownkey.blocking() as blocking:
                told = []
                for asked in (
                    lambda: blocking.test_key("openai"),
                    lambda: blocking.refresh_models("openai"),
                    lambda: blocking.chat("Hello", "openai/gpt-4o"),
                ):
                    try:
                        told.append(repr(asked()))
                    except Exception as error:  # noqa: BLE001
                        told.append(f"{error} {error!r} {error.__dict__}")
        assert "hunter22" not in "".join(told), told


def test_E03_a_stored_key_is_tested_at_its_own_endpoint_only(tmp_path: Path, trap: Trap) -> None:
    home = tmp_path / "home"
    with library(home) as ownkey:
        ownkey.keys.set("openai", KEYS["openai"])
        ownkey.providers.set("openai", endpoint=f"http://127.0.0.1:{trap.port}/v1")
    env = environment(home, OWNKEY_ALLOW_PRIVATE_HOSTS=f"127.0.0.1:{trap.port}")
    for arguments in (
        ("keys", "test", "openai"),
        ("models", "openai", "--refresh"),
        ("providers", "check", "openai"),
        ("chat", "Hello", "-m", "openai/gpt-4o"),
    ):
        done = run(env, *arguments)
        assert done.returncode != 0
        assert "again" in done.stderr + done.stdout
        assert KEYS["openai"] not in done.stderr + done.stdout
    assert run(env, "keys", "test", "openai", "--endpoint", f"http://127.0.0.1:{trap.port}").returncode == 2
