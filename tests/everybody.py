"""Everybody who may ask the management API, with what each of its routes wants to be asked."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from attempts import exact, hold
from browsing import Browser, signed_in
from house import KEYS, Answer, Gateway
from ownkey import Ownkey
from ownkey.app.automations.book import AutomationBook
from ownkey.app.budgets import BudgetBook
from ownkey.app.consent import ConsentBook
from ownkey.app.history import HistoryBook
from ownkey.app.keys import KeyRing
from ownkey.app.limits import LimitBook
from ownkey.app.onboarding import agreement
from ownkey.app.people import PeopleBook
from ownkey.app.routes import RouteBook
from ownkey.app.signing import Browser as Came
from ownkey.app.signing import SignIn
from ownkey.engine.request import new_id
from ownkey.store.automations import RunRow
from ownkey.store.posting import Alert
from ownkey.store.remembered import KeptRow
from ownkey.talk.consent import Reason
from store_asked import ask, settle

BODIES: dict[str, Any] = {
    "PATCH /api/byok/providers/{provider}": {"enabled": True},
    "POST /api/byok/providers/check": {"gallery": "mistral"},
    "PUT /api/byok/provider-order": {"providers": ["openai"]},
    "POST /api/byok/models/refresh": {"provider": "openai"},
    "PATCH /api/byok/onboarding": {"step": "mode", "mode": "cloud"},
    "POST /api/byok/agreement": {"version": agreement().version},
    "PATCH /api/byok/key/{key}": {"enabled": True},
    "PUT /api/byok/key-order/{provider}": {"labels": ["default"]},
    "POST /api/byok/validate": {"provider": "openai", "key": KEYS["openai"]},
    "PUT /api/byok/keys/{provider}": {"key": KEYS["openai"]},
    "POST /api/user/api-keys/{user_id}/keys/{provider}": {"key": KEYS["openai"]},
    "PUT /api/byok/budgets/{budget}": {"limit": "5"},
    "POST /api/byok/budget-preview": {"name": "a limit", "limit": "5"},
    "PUT /api/byok/limits": {"kind": "provider", "name": "openai", "requests_per_minute": 5},
    "PUT /api/byok/prices/own": {"name": "openai/gpt-4o", "rates": {"input": "1", "output": "2"}},
    "PATCH /api/byok/users/{user}": {"name": "Somebody"},
    "PUT /api/byok/users/{user}/grants/{provider}": {"limit": "5"},
    "POST /api/byok/sessions/current/proof": {"password": "not the password"},
    "PUT /api/byok/sessions/current/password": {"password": "correct horse battery"},
    "PUT /api/byok/sessions/current/authenticator": {"code": "123456"},
    "POST /api/byok/sign-in/passkey": {"credential": {}},
    "POST /api/byok/sessions/current/passkeys": {"credential": {}, "name": "Phone"},
    "PUT /api/byok/history-terms": {"keep": True, "days": 30},
    "PUT /api/byok/cache": {"on": True, "ttl_s": 60},
    "POST /api/byok/export": {"passphrase": "correct horse battery", "keys": True},
    "POST /api/byok/import": {"passphrase": "correct horse battery", "file": "bm90aGluZw=="},
    "PUT /api/byok/preferences": {"provider": "openai", "max_tokens": 500},
    "PATCH /api/byok/preferences": {"preferred": ["openai/gpt-4o"]},
    "POST /api/byok/waiting/{waiting}/approve": {"remember": True},
    "POST /api/byok/sign-in/link": {"link": "ol-nothing"},
    "POST /api/byok/sign-in/code": {"step": "o2-nothing", "code": "123456"},
    "POST /api/byok/sign-in/invitation": {"invitation": "oi-nothing", "password": "correct horse battery"},
    "PUT /api/byok/routes/{route}": {"targets": ["openai/gpt-4o"], "choose": "cheapest"},
    "POST /api/byok/choosing/explain": {"model": "demo"},
    "POST /api/byok/choosing/try": {"model": "demo"},
    "POST /api/byok/usage/runs/{run}/thumb": {"up": True},
    "PATCH /api/automations/{automation}": {"limit": "1"},
    "PATCH /api/automations/{automation}/model": {"model": "demo", "confirmed": True},
    "POST /api/automations/{automation}/quote": {"values": {"what": "something"}},
    "POST /api/automations/{automation}/run": {"values": {"what": "something"}},
    "PUT /api/automation-default": {"model": None},
    "POST /api/byok/quote": {"request": {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}},
}


FORM = {"id": "form", "name": "By form", "base_url": "https://api.example.com/v1"}
OF_ADDED = {
    f"{method} /api/byok/providers/{{provider}}{rest}"
    for method, rest in (("DELETE", ""), ("GET", "/toml"), ("PUT", "/toml"))
}
"""Where only a provider that was added can stand."""


def manifest(id: str) -> str:
    return (
        f'id = "{id}"\nname = "Added"\nkind = "cloud"\nwire = "openai-chat"\nbase_url = "https://api.example.com/v1"\n'
    )


@dataclass
class Everybody:
    """Two people, an admin, a viewer, somebody suspended, an application and a page of its; and what they show to the
    server."""

    gateway: Gateway
    ownkey: Ownkey
    ids: dict[str, str]
    tokens: dict[str, str]
    numbers: Iterator[int]
    browsers: dict[str, Browser] = field(default_factory=dict[str, Browser])
    added: list[str] = field(default_factory=list[str])

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
        if name == "key":
            ring = KeyRing(self.ownkey.house, a)
            self.only_a_has_a_key()
            return ring.get("openai", "default").id
        if name == "provider":
            id = f"added-{number}"
            self.ownkey.providers.add(manifest(id).encode(), "added")
            self.added.append(id)
            return id
        if name == "budget":
            return BudgetBook(self.ownkey.house, a, only=a).set(f"of a {number}", limit="5").room.budget.id
        if name == "limit":
            view = LimitBook(self.ownkey.house, a, only=a).set("model", f"openai/m{number}", parallel=1)
            assert view.id is not None
            return view.id
        if name == "entry":
            HistoryBook(self.ownkey.house, a).on()
            kept = KeptRow(f"kept{number}", a, time.time_ns() // 1_000_000, lost="queue_full")
            assert self.ownkey.house.store.kept.add([kept])
            return kept.id
        if name == "route":
            return RouteBook(self.ownkey.house, a).set(f"of-a-{number}").name
        if name == "run":
            made = hold(request_id=f"r{number}", id=f"r{number}.1", owner=a)
            ask(self.ownkey.house.store, made)
            settle(self.ownkey.house.store, exact(made.id))
            return f"r{number}"
        if name == "consent":
            reason = Reason("switch", "", f"provider-{number}/model", "openai")
            return ConsentBook(self.ownkey.house, a).remember([reason])[0].id
        if name == "automation":
            book = AutomationBook(self.ownkey.house, a)
            return book.add(f"of a {number}", "Say {{what}}", model="demo").name
        if name == "automation-run":
            run = RunRow(new_id(), a, "of a", "demo", "done", time.time_ns() // 1_000_000)
            self.ownkey.house.store.automations.begin(run)
            return run.id
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
        path = route.partition(" ")[2]
        if route in OF_ADDED:
            path = path.replace("{provider}", self.fresh("provider"))
        path = path.replace("{provider}", "openai").replace("{user_id}", self.ids["a"])
        if "{budget}" in path:
            named = f"budget%20{next(self.numbers)}" if route.startswith("PUT") else self.fresh("budget")
            path = path.replace("{budget}", named)
        if "{route}" in path:
            named = f"route-{next(self.numbers)}" if route.startswith("PUT") else self.fresh("route")
            path = path.replace("{route}", named)
        path = path.replace("automation-runs/{run}", "automation-runs/{automation-run}")
        for name in ("automation-run", "run", "token", "user", "limit", "entry", "consent", "automation", "key"):
            place = f"{{{name}}}"
            path = path.replace(place, quote(self.fresh(name))) if place in path else path
        path = path.replace("{waiting}", "wait_nothing")
        if "{id}" in path:
            path = path.replace("{id}", self.fresh("session"))
        return path + ("?name=nothing/set" if route == "DELETE /api/byok/prices/own" else "")

    def body(self, route: str) -> Any:
        number = next(self.numbers)
        made: dict[str, Any] = {
            "POST /api/byok/providers": {"form": FORM | {"id": f"form-{number}"}},
            "PUT /api/byok/providers/{provider}/toml": {"toml": manifest(self.added[-1] if self.added else "none")},
            "POST /api/byok/budgets": {"name": f"budget {number}", "limit": "5"},
            "POST /api/byok/routes": {"name": f"route-of-{number}", "targets": ["openai/gpt-4o"]},
            "POST /api/automations": {"name": f"automation {number}", "prompt": "Say {{what}}"},
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
    service = next(row.id for row in ownkey.house.tokens.listed("owner") if row.name == "service")
    tokens["page"] = ownkey.house.page_tokens.create("owner/customer", service)[1].reveal().decode()
    ownkey.people.suspend(ids["gone"])
    return Everybody(running, ownkey, ids, tokens, itertools.count(1))
