"""A small OpenID provider on loopback, with RSA keys of its own, that can also be a bad one."""

from __future__ import annotations

import json
import secrets
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from canaries import canary

CLIENT = "ownkey tests"
SECRET = canary("oidc", "a secret with : and % ")

Claims = dict[str, Any]


@dataclass
class Provider:
    """`person` is who signs in there. `change` may spoil the claims, `sign` the token, `answer` what is fetched."""

    person: Claims = field(default_factory=lambda: {"sub": "ann-1", "email": "ann@example.com", "email_verified": True})
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    change: Callable[[Claims], Claims] = field(default_factory=lambda: lambda claims: claims)
    sign: Callable[[Claims], str] | None = None
    answer: dict[str, tuple[int, Any]] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    port: int = 0

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def renew(self, kid: str) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})

    def authorize(self, address: str) -> str:
        """Where the browser is sent back to, once the person has said yes."""
        asked = dict(parse_qsl(urlsplit(address).query))
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def found(self, path: str) -> tuple[int, Any]:
        self.fetched.append(path)
        if path in self.answer:
            return self.answer[path]
        if path == "/.well-known/openid-configuration":
            names = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
            return 200, {"issuer": self.issuer, **{name: self.issuer + place for name, place in names.items()}}
        if path == "/keys":
            return 200, {"keys": [self.key.as_dict(private=False)]}
        return 404, {}

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        self.fetched.append("/token")
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        named = b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        good = (
            asked is not None
            and form.get("grant_type") == "authorization_code"
            and form.get("redirect_uri") == asked["redirect_uri"]
            and asked["code_challenge"] == challenge
            and asked["code_challenge_method"] == "S256"
            and (unquote(named[0]), unquote(named[2])) == (CLIENT, SECRET)
        )
        if not good or asked is None:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 60,
            "nonce": asked["nonce"],
            **self.person,
        }
        claims = self.change(claims)
        signed = self.sign(claims) if self.sign else jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)
        return 200, {"access_token": "nothing", "token_type": "Bearer", "id_token": signed}


class Running:
    """The provider on a thread of this process."""

    def __init__(self) -> None:
        self.provider = provider = Provider()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._say(*provider.found(self.path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                self._say(*provider.token(form, self.headers.get("authorization", "")))

            def _say(self, status: int, value: Any) -> None:
                body = json.dumps(value).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("location", str(value))
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        provider.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
