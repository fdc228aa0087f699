"""A browser, as far as the API sees one: it keeps the cookie, and says where its requests come from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from canaries import canary
from house import Answer, Gateway, library
from ownkey.app.signing import SignIn

SIGN_IN = "/api/byok/sign-in"
PASSWORD = canary("password", "correct horse ")


@dataclass
class Browser:
    gateway: Gateway
    cookie: str | None = None
    csrf: str | None = None
    more: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port}"

    def headers(self) -> dict[str, str]:
        """What a page of ours sends."""
        found = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
        found |= {"Cookie": f"ownkey={self.cookie}"} if self.cookie is not None else {}
        found |= {"X-Ownkey-Csrf": self.csrf} if self.csrf is not None else {}
        return found | self.more

    def ask(self, method: str, path: str, body: Any = None, **changed: str | None) -> Answer:
        """`changed` headers, by their names with underlines; None takes one away."""
        named = {name.replace("_", "-").title(): value for name, value in changed.items()}
        headers = {name: value for name, value in (self.headers() | named).items() if value is not None}
        content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.gateway.send(method, path, content, headers)
        set_cookie = answer.headers.get("set-cookie", "")
        if set_cookie.startswith(("ownkey=", "__Host-ownkey=")):
            self.cookie = set_cookie.partition("=")[2].partition(";")[0] or None
        told = answer.headers.get("content-type", "").startswith("application/json")
        if answer.status == 200 and told and isinstance(answer.json, dict) and "csrf" in answer.json:
            self.csrf = answer.json["csrf"]
        return answer

    def get(self, path: str, **changed: str | None) -> Answer:
        return self.ask("GET", path, **changed)

    def post(self, path: str, body: Any = None, **changed: str | None) -> Answer:
        return self.ask("POST", path, body, **changed)


def signed_in(gateway: Gateway, user_id: str = "owner") -> Browser:
    """A browser of this person's, by a link."""
    with library(gateway.home) as ownkey:
        link = SignIn(ownkey.house).link(user_id).reveal().decode()
    browser = Browser(gateway)
    answer = browser.post(f"{SIGN_IN}/link", {"link": link})
    assert answer.status == 200, answer.body
    return browser


def with_password(gateway: Gateway, name: str, role: Any = "member", password: str = PASSWORD) -> tuple[str, Browser]:
    """The id of somebody new who has accepted an invitation, and their browser."""
    with library(gateway.home) as ownkey:
        user = ownkey.people.add(name, f"{name.lower()}@example.com", role)
        invitation = ownkey.people.invite(user.id).reveal().decode()
    browser = Browser(gateway)
    answer = browser.post(f"{SIGN_IN}/invitation", {"invitation": invitation, "password": password})
    assert answer.status == 200, answer.body
    return user.id, browser
