"""A transit engine on a real port: encrypt, decrypt and rotate, tokens and key versions as HashiCorp Vault and OpenBao
document them in their API pages, with AES-256-GCM inside."""

from __future__ import annotations

import base64
import json
import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from canaries import canary

TOKEN = canary("transit token", "hvs.")


class TransitServer(ThreadingHTTPServer):
    """`fault`: `slow`, `huge`, `garbage`, `sealed`, `deaf` (knows nothing of associated data) or nothing.

    `says` is answered in place of the data of a verb: `encrypt`, `decrypt` or `rotate`.
    """

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme = "https" if context else "http"
        self.versions = {"ownkey": [os.urandom(32)]}
        self.token = TOKEN
        self.fault = ""
        self.says: dict[str, Any] = {}
        self.asked: list[str] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.let_go = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def settings(self) -> dict[str, str]:
        url = f"{self.scheme}://127.0.0.1:{self.port}"
        return {
            "OWNKEY_TRANSIT_URL": url,
            "OWNKEY_TRANSIT_TOKEN": TOKEN,
            "OWNKEY_ALLOW_PRIVATE_HOSTS": f"127.0.0.1:{self.port}",
        }

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is none of the server's trouble."""

    def do(self, path: list[str], body: dict[str, str]) -> tuple[int, Any]:
        match path:
            case ["transit", "encrypt", name] if name in self.versions:
                nonce, number = os.urandom(12), len(self.versions[name])
                plain = base64.b64decode(body["plaintext"], validate=True)
                sealed = nonce + AESGCM(self.versions[name][-1]).encrypt(nonce, plain, self._tied(body))
                return 200, {
                    "ciphertext": f"vault:v{number}:{base64.b64encode(sealed).decode()}",
                    "key_version": number,
                }
            case ["transit", "decrypt", name] if name in self.versions:
                try:
                    prefix, number, text = body["ciphertext"].split(":")
                    sealed = base64.b64decode(text, validate=True)
                    key = self.versions[name][int(number.removeprefix("v")) - 1]
                    assert prefix == "vault"
                    plain = AESGCM(key).decrypt(sealed[:12], sealed[12:], self._tied(body))
                except (InvalidTag, ValueError, IndexError, AssertionError):
                    return 400, ["invalid ciphertext: no prefix"]
                return 200, {"plaintext": base64.b64encode(plain).decode()}
            case ["transit", "keys", name, "rotate"] if name in self.versions:
                self.versions[name].append(os.urandom(32))
                return 200, {"name": name, "latest_version": len(self.versions[name])}
            case ["transit", _, _]:
                return 400, ["encryption key not found"]
            case _:
                return 404, ["no handler for route"]

    def _tied(self, body: dict[str, str]) -> bytes | None:
        return None if self.fault == "deaf" else base64.b64decode(body.get("associated_data", ""), validate=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: TransitServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(self.path)
        self.server.bodies.append(body)
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        if self.server.fault == "slow":
            self.server.let_go.wait(20)
        if self.headers.get("X-Vault-Token") != self.server.token:
            self._say(403, {"errors": ["permission denied"]})
        elif self.server.fault == "sealed":
            self._say(503, {"errors": ["Vault is sealed"]})
        elif self.server.fault == "huge":
            self._say(200, {"data": {"ciphertext": "x" * 1_000_000}})
        elif self.server.fault == "garbage":
            self._say(200, ["data"])
        elif (verb := next((verb for verb in self.server.says if f"/{verb}" in self.path), None)) is not None:
            said = self.server.says[verb]
            self._say(*(said if isinstance(said, tuple) else (200, {"data": said})))
        else:
            status, found = self.server.do(self.path.removeprefix("/v1/").split("/"), json.loads(body))
            self._say(status, {"data": found} if status == 200 else {"errors": found})

    def _say(self, status: int, answer: Any) -> None:
        content = b"" if status == 204 else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """The tests look at `asked`."""


@contextmanager
def transit_server(context: ssl.SSLContext | None = None) -> Iterator[TransitServer]:
    server = TransitServer(context)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join()
