"""Keys and a token that are known anywhere are used in every way there is; then everything is searched for them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from canaries import canary
from house import CHAT, Gateway, Simulator, gateway, library, run, until, write_provider

MARKED = "+/=Ab5"
KEYS = {
    "openai-chat": canary("of marks, openai", of=MARKED),
    "anthropic-messages": canary("of marks, anthropic", "sk-ant-", of=MARKED),
    "gemini": canary("of marks, gemini", "AIza", of=MARKED),
}
FAULTS = (
    "",
    "echo-key",
    "status=401;echo-key",
    "status=500;echo-key",
    "status=429",
    "status=302;location=elsewhere",
    "html",
    "reset",
    "cut=3",
    "chunk-delay=0.01;cut=9",
    "chunk-delay=0.01;error=9",
    "chunk-delay=0.01;malformed=9",
    "end=2",
    "gzip",
    "usage=string",
    "reason=key",
    "silence",
)
COMMANDS = (
    ("keys", "list"),
    ("keys", "list", "--json"),
    ("providers", "list", "--json"),
    ("tokens", "list", "--json"),
    ("usage", "--json", "--rows", "500"),
    ("doctor",),
    ("doctor", "--json"),
)


def forms(secret: str) -> dict[str, bytes]:
    """How a secret might stand somewhere; of base64, what is the same wherever it begins in a text."""
    raw = secret.encode()
    inner = {f"base64 at {at}": base64.b64encode(b" " * at + raw)[4:-4] for at in range(3)}
    return {
        "plain": raw,
        "its last nine": raw[-9:],
        "reversed": raw[::-1],
        "hex": raw.hex().encode(),
        "URL-encoded": quote(secret, safe="").encode(),
        **inner,
    }


def found(where: str, data: bytes, secrets: dict[str, str]) -> Iterator[str]:
    lower = data.lower()
    for name, secret in secrets.items():
        for form, value in forms(secret).items():
            if value in data or (form in ("hex", "URL-encoded") and value.lower() in lower):
                yield f"{name}, {form}, in {where}"


@pytest.fixture(params=["5"])
def everything(
    tmp_path: Path, simulator: Simulator, request: pytest.FixtureRequest
) -> Iterator[tuple[Gateway, dict[str, str]]]:
    home = tmp_path / "home"
    with library(home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=canary/v1")
        ownkey.keys.set("openai", KEYS["openai-chat"], force=True)
    debug = {"OWNKEY_LOG_LEVEL": "debug", "OWNKEY_RETRY_DELAY_S": "0.01", "OWNKEY_HEADERS_TIMEOUT_S": request.param}
    with gateway(home, simulator, **debug) as running:
        yield running, {**KEYS, "token": running.token}


@pytest.mark.row("B16")
@pytest.mark.parametrize("everything", ["0.3"], indirect=True)
def test_O01_a_key_and_a_token_appear_nowhere(everything: tuple[Gateway, dict[str, str]]) -> None:
    running, secrets = everything
    said: dict[str, bytes] = {}
    for wire, key in KEYS.items():
        for fault in FAULTS:
            name = write_provider(running.home, running.simulator, fault, wire=wire, key=key)
            for stream in (False, True):
                answer = running.ask(f"{name}/gpt-4o", "Say 20 words", stream=stream)
                said[f"the answer to {fault!r} on {wire}"] = answer.body + repr(answer.headers).encode()
    for body in (b"", b"{", b'{"model":"openai/gpt-4o","messages":[]}', f'{{"model":"{KEYS["gemini"]}"}}'.encode()):
        answer = running.send("POST", CHAT, body, running.own)
        said[f"the answer to {body!r}"[:40]] = answer.body
    said["a wrong host"] = running.send("GET", "/health", None, running.own | {"Host": "evil.test"}).body
    said["the models"] = running.send("GET", "/v1/models", None, running.own).body
    with running.open("openai/gpt-4o", "Say 5 words", stream=True) as connection:
        said["a stream as it came"] = connection.recv(1 << 20)
    for arguments in COMMANDS:
        told = run(running.env, *arguments)
        said[" ".join(arguments)] = (told.stdout + told.stderr).encode()
    refused = run(running.env, "keys", "set", "openai", given=KEYS["gemini"] + " and more")
    said["a refused key"] = (refused.stdout + refused.stderr).encode()
    said["how the gateway was started"] = Path(f"/proc/{running.process.pid}/cmdline").read_bytes()
    with suppress(PermissionError):  # nobody but root can look into a server
        said["the gateway's environment"] = Path(f"/proc/{running.process.pid}/environ").read_bytes()
    files = [path for path in running.home.rglob("*") if path.is_file()]
    assert any(path.name.endswith("-wal") for path in files)
    said |= {str(path): path.read_bytes() for path in files}
    running.stop()
    assert running.process.stdout is not None
    said["standard output"] = running.process.stdout.read().encode()
    said["standard error"] = running.log.read_bytes()
    said |= {f"{path} at the end": path.read_bytes() for path in running.home.rglob("*") if path.is_file()}
    leaks = [leak for where, data in said.items() for leak in found(where, data, secrets)]
    assert leaks == []
    assert len(said) > 60


def test_the_search_itself_finds_what_is_there() -> None:
    secret = KEYS["openai-chat"]
    for text in (secret, secret[::-1], secret.encode().hex().upper(), quote(secret, safe="").lower(), f"x{secret[5:]}"):
        assert list(found("a text", f"before {text} after".encode(), {"key": secret}))
    for before in ("", "1", "12"):
        assert list(found("base64", base64.b64encode(f"{before}{secret}".encode()), {"key": secret}))


def test_E17_no_secret_stands_in_a_path_and_the_token_goes_no_further(
    everything: tuple[Gateway, dict[str, str]],
) -> None:
    running, secrets = everything
    for wire, key in KEYS.items():
        name = write_provider(running.home, running.simulator, wire=wire, key=key)
        extra = {"Cookie": "a=b", "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Host": "evil.test", "Referer": "http://a"}
        assert running.ask(f"{name}/gpt-4o", headers=extra).status == 200
        (seen,) = until(lambda name=name: running.simulator.seen(name))
        assert not list(found("the path", seen.path.encode(), secrets))
        sent = dict(seen.headers)
        assert not {b"cookie", b"x-forwarded-for", b"x-forwarded-host", b"referer"} & {key.lower() for key in sent}
        carrying = [header for header, value in sent.items() if key.encode() in value]
        assert len(carrying) == 1
        assert not list(found("what was sent", json.dumps(repr(sent)).encode() + seen.body, {"token": running.token}))
