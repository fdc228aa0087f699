"""People at a gateway who want to be asked, with the providers that they have keys for."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from browsing import Browser, signed_in
from house import CHAT, KEYS, Answer, Gateway, Simulator, gateway, library, write_provider
from ownkey import Ownkey
from ownkey.app.keys import KeyRing
from ownkey.app.preferences import PreferenceBook

_numbers = itertools.count(1)


@dataclass
class Person:
    """Somebody with a token of their own; what another one of theirs is called is `other`."""

    here: Here
    id: str
    token: str
    browser: Browser

    def body(self, model: str, say: str = "Hello", **fields: Any) -> bytes:
        return json.dumps({"model": model, "messages": [{"role": "user", "content": say}], **fields}).encode()

    def ask(self, model: str, say: str = "Hello", headers: dict[str, str] | None = None, **fields: Any) -> Answer:
        return self.send(self.body(model, say, **fields), headers)

    def send(self, body: bytes, headers: dict[str, str] | None = None, token: str | None = None) -> Answer:
        own = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"}
        return self.here.running.send("POST", CHAT, body, own | (headers or {}))

    def wants(self, **preferences: Any) -> None:
        """From now on: the gateway is told by its own API, and has no older ones in mind."""
        answer = self.browser.ask("PATCH", "/api/byok/preferences", preferences)
        assert answer.status == 200, answer.body

    def key(self, provider: str) -> str:
        KeyRing(self.here.ownkey.house, self.id).set(provider, KEYS.get(provider, KEYS["openai"]))
        return provider

    def provider(self, fault: str = "", **more: str) -> str:
        return self.key(write_provider(self.here.running.home, self.here.running.simulator, fault, **more))


@dataclass
class Here:
    running: Gateway
    ownkey: Ownkey

    def person(self, **preferences: Any) -> Person:
        id = self.ownkey.people.add(f"Person {next(_numbers)}").id
        token = self.token(id)
        PreferenceBook(self.ownkey.house, id).update(**preferences)
        return Person(self, id, token, signed_in(self.running, id))

    def token(self, owner: str, **terms: Any) -> str:
        made = self.ownkey.house.tokens.create(owner, f"token {next(_numbers)}", **terms)
        return made[1].reveal().decode()


@contextmanager
def people(home: Path, simulator: Simulator) -> Iterator[Here]:
    with gateway(home, simulator, OWNKEY_RETRY_DELAY_S="0.01") as running, library(home) as ownkey:
        yield Here(running, ownkey)
