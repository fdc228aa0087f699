"""`ownkey.testing`: what it finds, with wires and a provider that are known; and a wire that another package brings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from house import KEYS, Simulator, environment, run
from ownkey.simulate.answers import Request, answer
from ownkey.talk.errors import ContextTooLong, InvalidCredentials, RateLimitExceeded
from ownkey.testing import ProviderConformance, WireConformance
from ownkey.wires.wire import WIRE_NAMES, wire

CHAT = b'{"model":"sim-small","messages":[{"role":"user","content":"Say 5 words"}],"stream":%b}'


def told(body: bytes) -> bytes:
    request = Request("POST", "/v1/chat/completions", {b"authorization": b"Bearer good"}, body)
    return b"".join(answer(request).pieces)


class TestChatCompletions(WireConformance):
    wire = "openai-chat"
    replies = (told(CHAT % b"false"),)
    streams = (told(CHAT % b"true"),)
    refusals = (
        (401, b'{"error":{"message":"Incorrect API key","code":"invalid_api_key"}}', InvalidCredentials),
        (429, b'{"error":{"message":"Slow down","code":"rate_limit_exceeded"}}', RateLimitExceeded),
        (400, b'{"error":{"message":"Too long","code":"context_length_exceeded"}}', ContextTooLong),
    )


@pytest.fixture(autouse=True)
def here(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    TestSimulated.manifest = tmp_path / "simulated.toml"
    TestSimulated.manifest.write_text(
        f'id = "simulated"\nname = "Simulated"\nkind = "local"\nwire = "openai-chat"\n'
        f'base_url = "{simulator.url}/v1"\ndefault = "sim-large"\n'
    )
    monkeypatch.setenv("OWNKEY_ALLOW_PRIVATE_HOSTS", f"127.0.0.1:{simulator.port}")


class TestSimulated(ProviderConformance):
    manifest = Path("simulated.toml")
    key = KEYS["openai"]
    price_accepted = True

    def test_json_keeps_to_its_schema(self) -> None:
        """The simulator fills the schema in, whatever was asked."""
        super().test_json_keeps_to_its_schema()


def test_a_reader_that_calls_a_broken_stream_whole_is_found_out() -> None:
    class Lenient(TestChatCompletions):
        streams = (b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n' * 2,)

    with pytest.raises(pytest.fail.Exception):
        Lenient().test_a_stream_that_breaks_off_never_looks_whole()


PACKAGE = """
from ownkey.wires.openai_chat.wire import OpenAIChat


class Acme(OpenAIChat):
    name = "acme"
"""


def test_a_wire_of_another_package_is_spoken_by_its_entry_point(tmp_path: Path, simulator: Simulator) -> None:
    place = tmp_path / "site"
    metadata = place / "ownkey_acme-1.dist-info"
    metadata.mkdir(parents=True)
    (place / "ownkey_acme.py").write_text(PACKAGE)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: ownkey-acme\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[ownkey.wires]\nacme = ownkey_acme:Acme\n")
    home = tmp_path / "home"
    env = environment(home, OWNKEY_ALLOW_PRIVATE_HOSTS=f"127.0.0.1:{simulator.port}", OWNKEY_WIRES="acme")
    env["PYTHONPATH"] += f":{place}"
    text = f'id = "acme"\nname = "Acme"\nkind = "local"\nwire = "acme"\nbase_url = "{simulator.url}/v1"\n'
    done = run(env, "providers", "add", "-", given=text)
    assert done.returncode == 0, done.stderr
    assert run(env, "keys", "set", "acme", given=KEYS["openai"]).returncode == 0
    said = run(env, "chat", "-m", "acme/sim-small", "Hello.", "--no-stream")
    assert "You wrote: Hello." in said.stdout, said.stderr


def test_a_wire_that_nobody_brings_is_named_with_those_there_are() -> None:
    assert "acme" not in WIRE_NAMES
    code = "from ownkey.wires.wire import wire; wire('acme')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "openai-responses" in done.stderr
    assert wire("gemini").name == "gemini"
