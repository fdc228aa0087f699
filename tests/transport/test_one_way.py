"""There is one way out: who in `src/ownkey` may open a socket at all, read from the code itself."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "ownkey"

# Modules by which a program reaches the network, or another program that does.
REACH = frozenset(
    (
        *("socket", "ssl", "smtplib", "ftplib", "poplib", "imaplib", "nntplib", "telnetlib", "socketserver"),
        *("webbrowser", "ctypes", "cffi", "subprocess", "pty", "http.client", "http.server"),
        *("http.cookiejar", "urllib.request", "urllib.robotparser", "xmlrpc", "wsgiref", "multiprocessing"),
        *("asyncio.streams", "logging.handlers"),
    )
)
# Functions that do, wherever they come from.
CALLS = frozenset(
    (
        *("open_connection", "create_connection", "create_server", "start_server"),
        *("create_datagram_endpoint", "create_unix_connection", "create_unix_server", "open_unix_connection"),
        *("start_unix_server", "sock_connect", "sock_sendto", "getaddrinfo", "gethostbyname"),
        *("create_subprocess_exec", "create_subprocess_shell", "subprocess_exec", "subprocess_shell"),
        *("urlopen", "urlretrieve", "__import__", "import_module"),
    )
)
OF_OS = frozenset(
    (
        *("system", "popen", "posix_spawn", "posix_spawnp", "fork", "execv", "execve", "execvp", "execvpe"),
        *("spawnv", "spawnvp"),
    )
)
# What is neither Python's nor ours. None of these is an HTTP client; `genai_prices` has one, in a module named below.
PARTS = frozenset(
    (
        *(
            "PySide6",
            "alembic",
            "argon2",
            "bpe_openai",
            "cryptography",
            "fastapi",
            "genai_prices",
            "httptools",
            "joserfc",
        ),
        *(
            "PySide6",
            "jsonschema_rs",
            "keyring",
            "msgspec",
            "openpyxl",
            "platformdirs",
            "psycopg",
            "pyarrow",
            "pydantic",
            "pyotp",
            "pytest",
            "rich",
        ),
        *("sqlalchemy", "starlette", "typer", "uvicorn", "uvloop", "webauthn", "yaml"),
    )
)
FETCHING = frozenset({"genai_prices.update_prices", "uvicorn.workers", "fastapi.testclient", "starlette.testclient"})

# Who may, what, and why.
ALLOWED: Mapping[str, Mapping[str, str]] = {
    "transport/dial.py": {
        "create_connection": "the one connection to a provider, or a webhook: to an address that the guard has checked",
        "ssl": "the errors of a handshake",
    },
    "transport/mail.py": {
        "smtplib": "the conversation with a mail server",
        "socket": "its connection, to an address that the guard has checked",
        "create_connection": "the same",
        "ssl": "its certificate",
    },
    "transport/lookup.py": {"socket": "names to addresses", "getaddrinfo": "the same"},
    "transport/tls.py": {"ssl": "how a provider proves who it is"},
    "transport/client.py": {"ssl": "the type of a context that is given"},
    "server/run.py": {"socket": "the gateway listens", "create_server": "the same"},
    "cli/desktop.py": {"subprocess": "the gateway, in a process of its own that ends with the window"},
    "simulate/server.py": {"socket": "the simulator listens", "create_server": "the same"},
    "spending/catalogue.py": {"subprocess": "this Python compiles the price list, which it has on disk, beside"},
    "store/audit_file.py": {"logging.handlers": "the system's log, at a socket of this machine"},
    "vault/asking.py": {"ssl": "the certificate of the server that keeps the root key, when one is given"},
    "vault/memory.py": {"ctypes": "prctl: nobody else looks into this process"},
    "vault/keychain.py": {"import_module": "keyring, when it is needed"},
    "cli/opening.py": {"webbrowser": "the person's own browser is told to open the page, where they ask for it"},
    "__init__.py": {"import_module": "Ownkey, when it is needed"},
    "wires/wire.py": {"import_module": "the wires of the table"},
    "wires/batches.py": {"import_module": "the wires of its table"},
    "cli/table.py": {"import_module": "the commands of its table"},
}


def reaches(tree: ast.AST) -> Iterator[str]:
    """What in this module could open a socket: each by the name under which it may be allowed."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            module = node.module or ""
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
            known = CALLS | OF_OS if module == "os" else CALLS
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.Attribute) and node.attr in CALLS:
            yield node.attr
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            yield from {node.attr} & OF_OS
        elif isinstance(node, ast.Name) and node.id in CALLS:
            yield node.id
        elif isinstance(node, ast.Constant) and node.value in CALLS:
            yield str(node.value)
        for name in names:
            yield from _foreign(name)


def _foreign(name: str) -> Iterator[str]:
    top = name.partition(".")[0]
    if top in REACH or name in REACH or name in FETCHING:
        yield top if top in REACH else name
    elif top != "ownkey" and top not in PARTS and top not in sys.stdlib_module_names:
        yield top


@pytest.mark.parametrize("path", sorted(SRC.rglob("*.py")), ids=lambda path: path.relative_to(SRC).as_posix())
def test_E20_no_module_reaches_the_network_but_those_that_say_why(path: Path) -> None:
    name = path.relative_to(SRC).as_posix()
    found = set(reaches(ast.parse(path.read_bytes())))
    assert found == set(ALLOWED.get(name, {})), "one way out: through ownkey.transport"


def test_E20_every_module_that_is_allowed_is_there() -> None:
    assert [name for name in ALLOWED if not (SRC / name).is_file()] == []


@pytest.mark.parametrize(
    "code",
    [
        "import socket",
        "import socket as s",
        "from socket import create_connection as c",
        "def f():\n    import ssl",
        "import http.client",
        "from http import client",
        "from urllib import request",
        "import urllib.request",
        "import httpx",
        "import httpx2",
        "import aiohttp",
        "import requests",
        "from openai import OpenAI",
        "import asyncio\nasyncio.open_connection('a', 1)",
        "import asyncio\nasyncio.get_running_loop().create_connection(None)",
        "from asyncio import open_connection",
        "import asyncio\ngetattr(asyncio, 'open_connection')",
        "from importlib import import_module",
        "__import__('socket')",
        "import os\nos.system('curl x')",
        "from os import popen",
        "import subprocess",
        "from multiprocessing.connection import Client",
        "from genai_prices import update_prices",
        "import genai_prices.update_prices",
        "import webbrowser",
        "import ctypes",
        "from logging.handlers import HTTPHandler",
        "import xmlrpc.client",
    ],
)
def test_E20_what_would_reach_the_network_is_found(code: str) -> None:
    assert list(reaches(ast.parse(code)))


@pytest.mark.parametrize("code", ["from urllib.parse import quote", "from http import HTTPStatus", "import asyncio"])
def test_what_reaches_nothing_is_let_be(code: str) -> None:
    assert list(reaches(ast.parse(code))) == []
