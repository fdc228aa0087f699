"""Every statement that touches what is somebody's names whose: for every route, whoever asks, with every combination of
what may be asked for. What may look at everybody's stands in `tenants.toml`, and nothing stands there in vain.
"""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi.routing import APIRoute

from browsing import SIGN_IN, Browser
from everybody import everybody
from house import CHAT, Answer, Simulator, library, make_home
from inside import Inside, inside
from ownkey.app.budgets import BudgetBook
from ownkey.app.caching import CacheBook
from ownkey.app.history import HistoryBook
from ownkey.app.limits import LimitBook
from ownkey.app.signing import SignIn
from ownkey.server.api.forms import keeper, sure_keeper
from ownkey.server.api.service import PARTS
from ownkey.server.operations import MEDIA
from ownkey.server.site import DOORS
from ownkey.store.tables import metadata
from statements import Asked, watched
from tenants import DATA, TABLES, Caller, Statement, asks_for_its_own, read

WHO = ("nobody", "a", "b", "admin", "viewer", "token", "service")
ALLOWED: list[dict[str, Any]] = DATA["allowed"]
CLASSES = {"keepers": {"admin"}, "seers": {"admin", "viewer"}, "all": set(WHO)}
"""Who an allowance may be for, the fewest first."""

NOBODYS: list[str] = DATA["nobodys"]["tables"]
PATTERNS = [re.compile(".*".join(map(re.escape, one["statement"].split("*"))), re.DOTALL) for one in ALLOWED]
QUOTE = "POST /api/byok/quote"

LATE_MS = 1_700_000_000_000
QUERIES: dict[str, list[Any]] = {
    "by": [["owner", "day"], ["hour"]],
    "since_ms": [LATE_MS],
    "until_ms": [2 * LATE_MS],
    "before_ms": [2 * LATE_MS],
    "provider": ["openai"],
    "model": ["gpt-4o"],
    "automation": ["mine"],
    "token_id": ["tok_nothing"],
    "zone": ["Europe/Berlin"],
    "count": [400],
    "limit": [5],
    "everybody": ["true"],
    "seen": ["true"],
    "search": ["gpt"],
    "code": ["nothing"],
    "state": ["nothing"],
    "text": ["hello"],
    "before": ["1700000000000.nothing"],
    "whole": ["true"],
    "failed": ["true"],
    "form": ["json"],
    "actor": ["owner"],
    "action": ["key"],
    "key_id": ["key_nothing"],
    "older_than_days": [1],
    "error": ["denied"],
}
"""What each optional part of a query is given, beside nothing."""

HELLO = [{"role": "user", "content": "Hello"}]
ASKED = {
    "model": "openai/gpt-4o",
    "messages": HELLO,
    "input": "Hello",
    "max_tokens": 9,
    "contents": [{"parts": [{"text": "Hello"}]}],
}
FIELDS = {
    CHAT: ("model", "messages"),
    "/v1/responses": ("model", "input"),
    "/v1/messages": ("model", "messages", "max_tokens"),
    "/v1/messages/count_tokens": ("model", "messages"),
    "/v1/embeddings": ("model", "input"),
    "/v1beta/models/openai%2Fgpt-4o:generateContent": ("contents",),
    "/v1beta/models/openai%2Fgpt-4o:countTokens": ("contents",),
    **dict.fromkeys(MEDIA, ("model", "input")),
}
MORE: list[tuple[str, Any]] = [
    ("PUT /api/byok/budgets/{budget}", {"limit": "9", "per": "day", "provider": "openai", "share_percent": 50}),
    ("POST /api/byok/tokens", {"name": "of more", "providers": ["openai"], "budget_usd": "5"}),
    ("POST /api/byok/tokens", {"name": "of users", "kind": "service"}),
    ("POST /api/byok/choosing/explain", {"model": "auto:learned", "needs": ["tools"]}),
    ("PATCH /api/byok/users/{user}", {"role": "viewer"}),
    ("PATCH /api/byok/users/{user}", {"status": "suspended"}),
    ("DELETE /api/byok/keys/{provider}?label=default", None),
    ("PATCH /api/byok/onboarding", {"done": True}),
]
"""Routes with other bodies than those of the matrix."""


@dataclass
class Heard:
    """Statements as they are for all values: those that name their owner, each with one that was asked and who by; and
    those that do not, with who asked them at which route."""

    samples: dict[str, tuple[Statement, Caller]] = field(default_factory=dict[str, tuple[Statement, Caller]])
    astray: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict[str, set[tuple[str, str]]](set))

    @property
    def own(self) -> set[str]:
        return set(self.samples)


class Listening:
    """Asks as each of them, and notes what the database is asked for it."""

    def __init__(self, here: Inside, asked: Asked) -> None:
        self.here, self.asked, self.heard = here, asked, Heard()
        self.people = everybody(here.gateway, here.ownkey)
        self.owner_of: dict[tuple[str, str], str | None] = {}
        self._kept = sqlite3.connect(here.gateway.home / "ownkey.db", isolation_level=None)
        for who in ("a", "b"):
            BudgetBook(here.ownkey.house, self.people.ids[who], only=self.people.ids[who]).set(f"of {who}", limit="5")
        BudgetBook(here.ownkey.house, "owner").set("of the house", limit="50")
        LimitBook(here.ownkey.house, "owner").set("provider", "openai", requests_per_minute=10_000, parallel=1_000)
        for owner in (self.people.ids["a"], "owner/customer"):
            HistoryBook(here.ownkey.house, owner).on(30)
            CacheBook(here.ownkey.house, owner).on()

    def upload(self, who: str) -> str:
        """The id of a file of theirs."""
        form = b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b\r\n'
        form += b'Content-Disposition: form-data; name="file"; filename="calls.jsonl"\r\n\r\n{}\r\n--b--\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        if who in self.people.tokens:
            headers["Authorization"] = f"Bearer {self.people.tokens[who]}"
        if who == "service":
            headers["x-ownkey-user"] = "customer"
        with self._listening(who, "POST /v1/files"):
            answer = self.here.gateway.send("POST", "/v1/files", form, headers)
        return answer.json.get("id", "file-nothing")

    def ask(self, who: str, route: str, path: str, body: Any, *, idle: bool = False) -> Answer:
        """`idle`: what goes on afterwards is heard too."""
        if "/key" in route:
            self.people.only_a_has_a_key()
        if who in self.people.ids:
            self._sign_in(who)
        with self._listening(who, route, idle=idle):
            answer = self.people.ask(who, route.partition(" ")[0], path, body)
        if "sessions" in route and not route.startswith("GET"):
            self.people.browsers.clear()
        return answer

    def _sign_in(self, who: str) -> None:
        if who not in self.people.browsers:
            link = SignIn(self.here.ownkey.house).link(self.people.ids[who]).reveal().decode()
            browser = Browser(self.here.gateway)
            with self._listening(who, f"POST {SIGN_IN}/link"):
                assert browser.post(f"{SIGN_IN}/link", {"link": link}).status == 200
            self.people.browsers[who] = browser

    @contextmanager
    def _listening(self, who: str, route: str, *, idle: bool = False) -> Iterator[None]:
        self.here.settle()
        self._learn()
        with self.asked.recording() as statements:
            yield
            self.here.settle(idle=idle)
        self._learn()
        caller = Caller(self._owners(who, route), self.owner_of)
        for statement in map(read, statements):
            if asks_for_its_own(statement, caller):
                self.heard.samples[statement.normal] = (statement, caller)
            else:
                self.heard.astray[statement.normal].add((who, route))

    def _owners(self, who: str, route: str) -> frozenset[str] | None:
        """Whose things are meant where they ask."""
        if who == "admin" and route in KEEPERS:
            return None
        others = {"nobody": "", "service": "owner/customer", "token": self.people.ids["a"]}
        owner = others[who] if who in others else self.people.ids[who]
        return frozenset({owner, *(f"{kind}:{owner}" for kind in ("totp", "memory", "runs", "boxes"))})

    def _learn(self) -> None:
        """Whose each row is that has an id."""
        for name, facts in TABLES.items():
            if "owner" in facts and name in facts.get("ids", {}).values():
                self.owner_of |= {
                    (name, id): owner for id, owner in self._kept.execute(f"SELECT id, {facts['owner']} FROM {name}")
                }

    def close(self) -> None:
        self._kept.close()


def routes() -> dict[str, APIRoute]:
    found = [route for part in PARTS for route in part.routes if isinstance(route, APIRoute)]
    return {f"{method} {route.path}": route for route in found for method in route.methods}


KEEPERS = frozenset(
    name
    for name, route in routes().items()
    if any(one.call in (keeper, sure_keeper) for one in route.dependant.dependencies)
)


MANY = 6
"""Of so many that may be asked for, each is asked for alone, and all of them together."""


def queries(route: APIRoute) -> Iterator[str]:
    """Every combination of what may be asked for; filters, which are asked for together, each and all."""
    parts = [part for part in route.dependant.query_params if not part.field_info.is_required()]
    filters = [part for one in route.dependant.dependencies for part in one.query_params if part.alias != "owner"]
    names = [part.alias for part in parts]
    if len(names) > MANY:
        filters, names = [*parts, *filters], []
    for given in itertools.product(*([None, *QUERIES[name]] for name in names)):
        asked = zip(names, given, strict=True)
        query = urlencode([(name, value) for name, value in asked if value is not None], doseq=True)
        yield f"?{query}" if query else ""
    for some in (*([part] for part in filters), filters):
        if some:
            yield "?" + urlencode([(part.alias, QUERIES[part.alias][0]) for part in some], doseq=True)


@pytest.fixture(scope="module")
def heard(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Heard:
    home = tmp_path_factory.mktemp("tenants") / "home"
    make_home(home)
    private = f"127.0.0.1:{simulator.port}"
    with watched() as asked, library(home, allow_private_hosts=private) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=tenants/v1")
        with inside(ownkey, simulator) as here:
            listening = Listening(here, asked)
            assert asked.connections > 1
            try:
                ask_the_gateway(listening)
                ask_the_api(listening)
            finally:
                listening.close()
    return listening.heard


def ask_the_api(listening: Listening) -> None:
    people = listening.people
    for name, route in routes().items():
        for who in WHO:
            each = list(queries(route))
            for query in each if who in ("a", "admin") else dict.fromkeys((each[0], each[-1])):
                listening.ask(who, name, people.path(name) + query, people.body(name))
    for name, body in MORE:
        for who in WHO:
            listening.ask(who, name, people.path(name), body)


def ask_the_gateway(listening: Listening) -> None:
    people = listening.people
    people.only_a_has_a_key()
    for who in ("nobody", "token", "service"):
        for path, fields in FIELDS.items():
            for stream in (False, True) if path in DOORS else (False,):
                body = {name: ASKED[name] for name in fields} | ({"stream": True} if stream else {})
                listening.ask(who, f"POST {path}", path, body)
        for path in ("/v1/models", "/v1beta/models", "/v1/models/openai%2Fgpt-4o"):
            listening.ask(who, f"GET {path}", path, None)
    listening.ask(
        "token", f"POST {CHAT}", CHAT, {"model": "openai/gpt-4o", "messages": HELLO, "stream": True}, idle=True
    )
    for who in ("nobody", "token", "service"):
        ask_for_a_batch(listening, who)
    for who in WHO:
        listening.ask(who, QUOTE, QUOTE.partition(" ")[2], {"request": {"model": "openai/gpt-4o", "messages": HELLO}})


def ask_for_a_batch(listening: Listening, who: str) -> None:
    file = listening.upload(who)
    batch = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
    listening.ask(who, "POST /v1/batches/quote", "/v1/batches/quote", {"input_file_id": file})
    made = listening.ask(who, "POST /v1/batches", "/v1/batches", batch)
    id = made.json.get("id", "batch_nothing")
    for path in ("files", "batches", f"files?after={file}&purpose=batch", f"batches?after={id}", f"batches/{id}"):
        listening.ask(who, f"GET /v1/{path.partition('?')[0].replace(id, 'ID')}", f"/v1/{path}", None)
    for path in (f"files/{file}", f"files/{file}/content"):
        listening.ask(who, f"GET /v1/{path.replace(file, 'ID')}", f"/v1/{path}", None)
    listening.ask(who, "DELETE /v1/files/ID", f"/v1/files/{file}", None)
    listening.ask(who, "POST /v1/batches/ID/cancel", f"/v1/batches/{id}/cancel", {})
    listening.ask(who, "DELETE /v1/files/ID", f"/v1/files/{listening.upload(who)}", None)


def allowances(statement: str, who: str, route: str) -> list[int]:
    return [
        number
        for number, one in enumerate(ALLOWED)
        if who in CLASSES[one["for"]] and route in one.get("at", (route,)) and PATTERNS[number].fullmatch(statement)
    ]


def test_A26_every_table_of_the_schema_is_said_to_be_somebodys_or_nobodys() -> None:
    assert sorted(metadata.tables) == sorted([*TABLES, *NOBODYS])
    for name, facts in TABLES.items():
        said = {*facts.get("ids", ()), *facts.get("secret", ()), *filter(None, [facts.get("owner")])}
        assert said <= set(metadata.tables[name].c.keys())
    for name in NOBODYS:
        assert not {"owner", "user_id"} & set(metadata.tables[name].c.keys())


def test_A26_every_statement_at_every_route_names_its_owner_or_is_allowed(heard: Heard) -> None:
    astray = [
        f"{who} at {route}: {statement}"
        for statement, asked in heard.astray.items()
        for who, route in sorted(asked)
        if not allowances(statement, who, route)
    ]
    assert astray == []


def test_A26_nothing_is_allowed_in_vain_or_to_more_than_need_it(heard: Heard) -> None:
    needed: dict[int, set[tuple[str, str]]] = defaultdict(set)
    for statement, asked in heard.astray.items():
        for who, route in asked:
            for number in allowances(statement, who, route):
                needed[number].add((who, route))
    for number, one in enumerate(ALLOWED):
        assert one["why"].endswith(".")
        assert needed[number], one
        fewest = next(name for name, them in CLASSES.items() if {who for who, _ in needed[number]} <= them)
        assert one["for"] == fewest, one
        assert set(one.get("at", ())) <= {route for _, route in needed[number]}, one


def test_A26_what_is_asked_touches_every_table(heard: Heard) -> None:
    text = "\n".join(heard.own | heard.astray.keys())
    touched = {name for name in TABLES if re.search(rf"(?:FROM|INTO|UPDATE|JOIN) {name}\b", text)}
    assert touched == set(TABLES)
    assert len(heard.own) >= 100
    assert set(DOORS) | set(MEDIA) <= set(FIELDS)


def test_A26_each_of_these_statements_is_caught_without_its_condition_or_with_anothers_name(heard: Heard) -> None:
    checked = 0
    for statement, caller in heard.samples.values():
        touched = any(re.search(rf"(?:FROM|INTO|UPDATE) {name}\b", statement.text) for name in TABLES)
        if not touched or caller.owners is None or not caller.owners & set(statement.values):
            continue
        stranger = Caller(frozenset({"somebody else"}), caller.owner_of)
        assert not asks_for_its_own(statement, stranger), statement
        checked += 1
        if statement.text.startswith("INSERT"):
            continue
        without = re.sub(r" WHERE .*?(?= ORDER BY | GROUP BY | RETURNING |$)", "", statement.text)
        assert not asks_for_its_own(Statement(without, statement.values), caller), without
    assert checked >= 60


MINE = Caller(frozenset({"a"}), {("keys", "mine"): "a", ("keys", "theirs"): "b", ("budgets", "ours"): None})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM keys WHERE keys.owner = 'a' AND keys.provider = 'openai'",
        "SELECT id FROM keys WHERE (keys.owner = 'a') AND (keys.label = 'x' OR keys.label = 'y')",
        "SELECT id FROM keys WHERE keys.owner IN ('a', 'a')",
        "UPDATE keys SET used_at_ms=1 WHERE keys.id = 'mine'",
        "SELECT spent FROM counters WHERE budget = 'ours'",
        "SELECT message FROM alerts WHERE alerts.owner IS NULL OR alerts.owner = 'a'",
        "INSERT INTO keys (id, owner) VALUES ('k', 'a'), ('l', 'a')",
        "SELECT provider FROM choices",
    ],
)
def test_A26_a_statement_that_names_its_owner_is_known(sql: str) -> None:
    assert asks_for_its_own(read(sql), MINE)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM keys",
        "SELECT id FROM keys WHERE keys.provider = 'openai'",
        "SELECT id FROM keys WHERE keys.owner = 'b'",
        "SELECT id FROM keys WHERE keys.owner = keys.owner",
        "SELECT id FROM keys WHERE keys.owner != 'a'",
        "SELECT id FROM keys WHERE NOT keys.owner = 'a'",
        "SELECT id FROM keys WHERE keys.owner IS NULL",
        "SELECT id FROM keys WHERE keys.owner IN ('a', 'b')",
        "SELECT id FROM keys WHERE keys.owner = 'a' OR keys.provider = 'openai'",
        "SELECT id FROM keys WHERE keys.label = ' AND keys.owner = ''a'' AND '",
        "SELECT id FROM keys WHERE keys.owner = ?",
        "SELECT id FROM keys WHERE keys.owner = 'a' UNION SELECT id FROM keys",
        "WITH k AS (SELECT id FROM keys) SELECT id FROM k WHERE k.owner = 'a'",
        "SELECT id FROM models WHERE models.id IN (SELECT id FROM keys)",
        "SELECT k.id FROM keys AS k WHERE k.owner = 'a'",
        "SELECT keys.id FROM tokens, keys WHERE tokens.owner = 'a'",
        "SELECT keys.id FROM tokens JOIN keys ON keys.provider = tokens.name WHERE tokens.owner = 'a'",
        "SELECT users.id FROM users LEFT OUTER JOIN tokens ON users.id = tokens.owner WHERE tokens.owner = 'b'",
        "UPDATE keys SET paused_at_ms=1 WHERE keys.id = 'theirs'",
        "UPDATE keys SET paused_at_ms=1 WHERE keys.id = 'nobody knows whose'",
        "UPDATE book SET state = ending.column2 FROM (SELECT id FROM book) AS ending WHERE id = ending.column1",
        "DELETE FROM keys",
        "INSERT INTO keys (id, owner) VALUES ('k', 'b')",
        "INSERT INTO keys (id, owner) VALUES ('k', 'a'), ('l', 'b')",
        "INSERT INTO keys (id) VALUES ('k')",
        "INSERT INTO keys (id, owner) SELECT id, 'a' FROM keys",
        "SELECT message FROM alerts WHERE alerts.owner IS NULL OR alerts.owner = 'b'",
        "REPLACE INTO keys (id, owner) VALUES ('k', 'a')",
    ],
)
def test_A26_a_statement_that_does_not_or_is_not_understood_is_caught(sql: str) -> None:
    assert not asks_for_its_own(read(sql), MINE)
