"""A gateway in this process whose owner, and another person, ask a simulated provider in every wire."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from house import KEYS, Answer, Simulator, library, make_home, write_provider
from inside import Inside, inside
from matrix import CLIENTS
from ownkey import Ownkey
from ownkey.app.keys import KeyRing
from ownkey.routing.scope import Scope


@dataclass
class Remembering:
    """`people`: what each shows to the gateway. `model` is the simulated provider's."""

    here: Inside
    provider: str
    people: dict[str, str]
    ids: dict[str, str]

    @property
    def ownkey(self) -> Ownkey:
        return self.here.ownkey

    @property
    def model(self) -> str:
        return f"{self.provider}/gpt-4o"

    def of(self, who: str) -> Ownkey:
        """The library as that person has it, over the same house."""
        mine = Ownkey(self.ownkey.settings.home, owner=self.ids[who], keychain=False)
        mine.__dict__["house"] = self.ownkey.house
        return mine

    def token(self, name: str, owner: str, scope: Scope) -> None:
        """One more, by which that person asks for no more than so much."""
        self.ids[name] = owner
        self.people[name] = self.ownkey.house.tokens.create(owner, name, scope=scope)[1].reveal().decode()

    @contextmanager
    def sql(self) -> Generator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.ownkey.settings.home / "ownkey.db", isolation_level=None)) as connection:
            yield connection

    def digests(self, who: str) -> set[bytes]:
        """Of the answers that are kept for somebody."""
        self.of(who).cache.stats()
        with self.sql() as sql:
            return {row[0] for row in sql.execute("SELECT digest FROM cached WHERE owner = ?", (self.ids[who],))}

    def leave(self, who: str, asked: dict[str, Any], headers: dict[str, str]) -> None:
        """Ask in OpenAI's wire, and hang up once something has come."""
        body = json.dumps(CLIENTS["openai-chat"].body(asked) | {"model": self.model}).encode()
        own = {"Host": "127.0.0.1", "Authorization": f"Bearer {self.people[who]}", "Content-Type": "application/json"}
        own |= {"Content-Length": str(len(body)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in own.items())
        with socket.create_connection(("127.0.0.1", self.here.gateway.port), timeout=10) as connection:
            connection.sendall(f"POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n".encode() + body)
            assert connection.recv(1_000).startswith(b"HTTP/1.1 200")

    def asked(self) -> int:
        """How many chats the provider was asked."""
        seen = self.here.gateway.simulator.seen(self.provider)
        return sum(one.path.endswith(("completions", "messages", "Content", "Content?alt=sse")) for one in seen)

    def ask(self, who: str, wire: str, asked: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
        """As a client of that wire asks; `asked` in the words of the matrix."""
        client = CLIENTS[wire]
        body = client.body(asked)
        streamed = bool(asked.get("stream"))
        verb = "streamGenerateContent?alt=sse" if streamed else "generateContent"
        if "{model}" in client.path:
            path = client.path.replace("{model}", quote(self.model, safe="")).replace("{verb}", verb)
        else:
            path, body = client.path, body | {"model": self.model}
        own = {"Authorization": f"Bearer {self.people[who]}", "Content-Type": "application/json"}
        return self.here.gateway.send("POST", path, json.dumps(body).encode(), own | (headers or {}))

    def texts(self, who: str, wire: str, asked: dict[str, Any], **headers: str) -> tuple[Answer, Any]:
        """The answer, and what a client of that wire reads in it."""
        named = {f"x-ownkey-{name.replace('_', '-')}": value for name, value in headers.items()}
        answer = self.ask(who, wire, asked, named)
        assert answer.status == 200, answer.body
        return answer, CLIENTS[wire].shown(answer, bool(asked.get("stream")))


@contextmanager
def remembering(
    home: Path, simulator: Simulator, *, fault: str = "", wire: str = "openai-chat", **settings: Any
) -> Generator[Remembering]:
    make_home(home)
    private = f"127.0.0.1:{simulator.port}"
    with library(home, allow_private_hosts=private, **settings) as ownkey:
        ids = {"a": ownkey.people.add("Ann").id, "b": ownkey.people.add("Ben").id}
        provider = write_provider(home, simulator, fault, wire=wire)
        people = {who: ownkey.house.tokens.create(id, f"of {who}")[1].reveal().decode() for who, id in ids.items()}
        for id in ids.values():
            KeyRing(ownkey.house, id).set(provider, KEYS["openai"])
        with inside(ownkey, simulator) as here:
            made = Remembering(here, provider, people, ids)
            yield made
            here.settle(idle=True)
