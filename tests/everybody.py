"""Everybody who may ask the management API, with what each of its routes wants to be asked."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from browsing import Browser, signed_in
from house import KEYS, Answer, Gateway
from ownkey import Ownkey
from ownkey.app.budgets import BudgetBook
from ownkey.app.keys import KeyRing
from ownkey.app.people import PeopleBook
from ownkey.app.signing import Browser as Came
from ownkey.app.signing import SignIn
from ownkey.store.posting import Alert

BODIES: dict[str, Any] = {
    "PATCH /api/byok/providers/{provider}": {"enabled": True},
    "POST /api/byok/validate": {"provider": "openai", "key": KEYS["openai"]},
    "PUT /api/byok/keys/{provider}": {"key": KEYS["openai"]},
    "POST /api/user/api-keys/{user_id}/keys/{provider}": {"key": KEYS["openai"]},
    "PUT /api/byok/budgets/{budget}": {"limit": "5"},
    "PUT /api/byok/prices/own": {"name": "openai/gpt-4o", "rates": {"input": "1", "output": "2"}},
    "PATCH /api/byok/users/{user}": {"name": "Somebody"},
    "PUT /api/byok/users/{user}/grants/{provider}": {"limit": "5"},
    "POST /api/byok/sessions/current/proof": {"password": "not the password"},
    "PUT /api/byok/sessions/current/password": {"password": "correct horse battery"},
    "PUT /api/byok/sessions/current/authenticator": {"code": "123456"},
    "POST /api/byok/sign-in/passkey": {"credential": {}},
    "POST /api/byok/sessions/current/passkeys": {"credential": {}, "name": "Phone"},
    "POST /api/byok/export": {"passphrase": "correct horse battery", "keys": True},
    "POST /api/byok/import": {"passphrase": "correct horse battery", "file": "bm90aGluZw=="},
    "POST /api/byok/sign-in/link": {"link": "ol-nothing"},
    "POST /api/byok/sign-in/code": {"step": "o2-nothing", "code": "123456"},
    "POST /api/byok/sign-in/invitation": {"invitation": "oi-nothing", "password": "correct horse battery"},
    "POST /api/byok/quote": {"request": {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}},
}


@dataclass
class Everybody:
    """Two people, an admin, a viewer, somebody suspended, an application; and what they show to the server."""

    gateway: Gateway
    ownkey: Ownkey
    ids: dict[str, str]
    tokens: dict[str, str]
    numbers: Iterator[int]
    browsers: dict[str, Browser] = field(default_factory=dict[str, Browser])

    def browser(self, who: str) -> Browser:
        """Theirs where they have one, else a new one."""
        return self.browsers.get(who) or signed_in(self.gateway, self.ids[who])

    def ask(self, who: str, method: str, path: str, body: Any) -> Answer:
        if who in ("a", "b", "admin", "viewer"):
            return self.browser(who).ask(method, path, body)
        headers = {"Content-Type": "application/json"}
        if who in self.tokens:
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        if who == "service":
            headers["x-ownkey-user"] = "customer"
        content = None if body is None else json.dumps(body).encode()
        return self.gateway.send(method, path, content, headers)

    def fresh(self, name: str) -> str:
        """The id of something of a's that nobody has touched yet, as a path of that name wants it."""
        number, a = next(self.numbers), self.ids["a"]
        if name == "token":
            return self.ownkey.house.tokens.create(a, f"of a {number}")[0].id
        if name == "user":
            id = PeopleBook(self.ownkey.house).add(f"Somebody {number}").id
            self.ownkey.grants.grant(id, "openai", "5")
            return id
        if name == "session":
            sign_in = SignIn(self.ownkey.house)
            return sign_in.by_link(sign_in.link(a).reveal().decode(), Came()).session.id
        if name == "budget":
            return BudgetBook(self.ownkey.house, a, only=a).set(f"of a {number}", limit="5").room.budget.id
        assert name == "alert"
        alert = Alert(f"test:{number}", "test", a, None, "Something of a's.", "{}", time.time_ns() // 1_000_000)
        assert self.ownkey.house.store.alerts.raise_(alert)
        return alert.id

    def only_a_has_a_key(self) -> None:
        for owner in (*self.ids.values(), "owner/customer"):
            self.ownkey.house.store.keys.remove_of(owner, "openai")
        KeyRing(self.ownkey.house, self.ids["a"]).set("openai", KEYS["openai"])

    def path(self, route: str) -> str:
        """With something of a's in every place."""
        path = route.partition(" ")[2].replace("{provider}", "openai").replace("{user_id}", self.ids["a"])
        if "{budget}" in path:
            named = f"budget%20{next(self.numbers)}" if route.startswith("PUT") else self.fresh("budget")
            path = path.replace("{budget}", named)
        for place, name in (("{token}", "token"), ("{user}", "user")):
            path = path.replace(place, self.fresh(name)) if place in path else path
        if "{id}" in path:
            path = path.replace("{id}", self.fresh("session"))
        return path + ("?name=nothing/set" if route == "DELETE /api/byok/prices/own" else "")

    def body(self, route: str) -> Any:
        number = next(self.numbers)
        made = {
            "POST /api/byok/tokens": {"name": f"token {number}"},
            "POST /api/byok/users": {"name": "New", "email": f"new{number}@example.com"},
            "POST /api/byok/sign-in/password": {"email": f"nobody{number}@example.com", "password": "anything else"},
        }
        if route == "POST /api/byok/alerts/seen":
            return {"ids": [self.fresh("alert")]}
        return made.get(route, BODIES.get(route))


def everybody(running: Gateway, ownkey: Ownkey) -> Everybody:
    roles: dict[str, Any] = {"a": "member", "b": "member", "admin": "admin", "viewer": "viewer", "gone": "member"}
    ids = {name: ownkey.people.add(name.title(), role=role).id for name, role in roles.items()}
    owners = {"token": ids["a"], "service": "owner", "revoked": ids["a"], "suspended": ids["gone"]}
    tokens: dict[str, str] = {}
    for name, owner in owners.items():
        kind: Any = "service" if name == "service" else "use"
        tokens[name] = ownkey.house.tokens.create(owner, name, kind=kind)[1].reveal().decode()
    ownkey.house.tokens.revoke("revoked")
    ownkey.people.suspend(ids["gone"])
    return Everybody(running, ownkey, ids, tokens, itertools.count(1))
