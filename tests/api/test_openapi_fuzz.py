"""What the API's document says and what the server does, compared by schemathesis with requests that fit and that do
not: for everybody who may ask. The seed is fixed: what fails fails again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from browsing import signed_in
from house import KEYS, Gateway, Simulator, gateway, library

# Whoever asks with a session does not end it, nor whom they are asking as.
ENDING = ("/api/byok/sessions/current", "/api/byok/sessions/{id}")
# `{id}` of the passkey that is removed may be any text, `options` too; so may `{provider}`, `check` too.
TWO_READINGS = ("/api/byok/sessions/current/passkeys/options", "/api/byok/providers/check")
PEOPLE = ("member", "viewer", "admin", "owner")


@pytest.fixture(scope="module")
def place(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("document") / "home"
    with gateway(home, simulator) as running, library(home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=document/v1")
        yield running


def shown(place: Gateway, who: str) -> dict[str, dict[str, str]]:
    """What they show, by the document's names for it."""
    if who == "nobody":
        return {}
    with library(place.home) as ownkey:
        if who == "token":
            return {"token": {"bearer": place.token}}
        if who == "service":
            made = ownkey.tokens.create("of an application", kind="service")
            return {"token": {"bearer": made.secret.reveal().decode()}}
        user = "owner" if who == "owner" else ownkey.people.add(who.title(), role=who).id  # pyright: ignore
    browser = signed_in(place, user)
    assert browser.cookie is not None
    assert browser.csrf is not None
    return {"session": {"api_key": browser.cookie}, "csrf": {"api_key": browser.csrf}}


def config(place: Gateway, who: str) -> str:
    """Not every rule fits a schema: a request that fits one may be refused as 422 all the same."""
    headers = {"Origin": f"http://127.0.0.1:{place.port}", "Sec-Fetch-Site": "same-origin"}
    headers |= {"x-ownkey-user": "customer"} if who == "service" else {}
    fine = ["2xx", "303", "400", "401", "402", "403", "404", "409", "422", "429", "502", "503", "504"]
    lines = [
        f"headers = {{ {', '.join(f'{json.dumps(name)} = {json.dumps(value)}' for name, value in headers.items())} }}",
        f"[checks.positive_data_acceptance]\nexpected-statuses = {json.dumps(fine)}",
        *(
            f"[auth.openapi.{name}]\n{key} = {json.dumps(given[key])}"
            for name, given in shown(place, who).items()
            for key in given
        ),
        *(
            f"[[operations]]\ninclude-path = {json.dumps(path)}\nchecks.allow_header_conformance.enabled = false"
            for path in TWO_READINGS
        ),
    ]
    return "\n".join(lines)


def compared(place: Gateway, folder: Path, who: str, *arguments: str, within_s: int) -> None:
    document = signed_in(place).get("/api/openapi.json").body
    (folder / "openapi.json").write_bytes(document)
    (folder / "schemathesis.toml").write_text(config(place, who))
    leaving = [part for path in ENDING for part in ("--exclude-path", path)] if who in PEOPLE else []
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "--no-color", "run"]
    command += ["openapi.json", "--url", f"http://127.0.0.1:{place.port}", "--seed", "1", "--warnings", "off"]
    done = subprocess.run(
        [*command, "--suppress-health-check", "all", *leaving, *arguments],
        cwd=folder, capture_output=True, text=True, timeout=within_s,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    said = place.log.read_text()
    assert "Ownkey failed" not in said
    assert not [key for key in KEYS.values() if key in said]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("who", ["nobody", "owner"])
def test_G20_the_document_is_what_the_server_does(place: Gateway, tmp_path: Path, who: str) -> None:
    compared(place, tmp_path, who, "--phases", "coverage", within_s=360)


@pytest.mark.soak
@pytest.mark.parametrize("who", ["nobody", "member", "viewer", "admin", "owner", "token", "service"])
def test_G20_the_document_is_what_the_server_does_at_length(place: Gateway, tmp_path: Path, who: str) -> None:
    compared(place, tmp_path, who, "--max-examples", "60", "--max-time", "300", within_s=500)
