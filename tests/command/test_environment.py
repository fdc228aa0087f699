"""What the environment and the current folder say about the network is not obeyed: no proxy, no other endpoint, no
other authority, no log of keys; and what asks no provider opens no socket."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest

from answering import answering, json_answer
from canaries import canary
from certificates import Authority
from house import COMMAND, KEYS, environment, library, run, until
from scripted import Peer, answer, serve

LISTED = b'{"object":"list","data":[{"id":"gpt-4o","object":"model"}]}'
BASES = (
    *("OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_API_HOST", "OPENAI_ENDPOINT", "ANTHROPIC_BASE_URL"),
    *("GOOGLE_GEMINI_BASE_URL", "GEMINI_BASE_URL", "OLLAMA_HOST", "LITELLM_PROXY_API_BASE", "BASE_URL", "ENDPOINT"),
    *("OWNKEY_OPENAI_BASE_URL", "OWNKEY_BASE_URL", "OWNKEY_ENDPOINT", "BYOK_BASE_URL"),
)
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "SOCKS_PROXY", "OWNKEY_PROXY")


@contextmanager
def trap() -> Iterator[tuple[int, list[str]]]:
    """A port that nobody has a reason to connect to, and who did."""
    caught: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def count() -> None:
            while True:
                try:
                    connection, (address, *_) = listener.accept()
                except OSError:
                    return
                caught.append(address)
                connection.close()

        thread = threading.Thread(target=count, daemon=True)
        thread.start()
        yield listener.getsockname()[1], caught
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def proxied(port: int) -> dict[str, str]:
    """The environment of one who would have everything go through that port."""
    proxy = f"http://127.0.0.1:{port}"
    given = dict.fromkeys(PROXIES, proxy) | {name.lower(): proxy for name in PROXIES}
    return given | {"NO_PROXY": "", "no_proxy": "", "REQUEST_METHOD": ""}


def test_E20_V27_a_proxy_of_the_environment_is_not_used(tmp_path: Path) -> None:
    paths = {"/v1/models": json_answer(LISTED), "/hook": json_answer(b"{}")}
    with answering(paths) as provider, trap() as (port, caught):
        home = tmp_path / "home"
        with library(home) as ownkey:
            ownkey.providers.set("openai", endpoint=f"{provider.url}/v1")
            ownkey.keys.set("openai", KEYS["openai"])
        env = environment(home, OWNKEY_ALLOW_PRIVATE_HOSTS=f"127.0.0.1:{provider.port}") | proxied(port)
        env |= {
            "OWNKEY_ALERT_WEBHOOK_URL": f"{provider.url}/hook",
            "OWNKEY_ALERT_WEBHOOK_SECRET": canary("webhook in the environment", ""),
        }
        tested, told = run(env, "keys", "test", "openai"), run(env, "alerts", "test")
        assert tested.returncode == 0, tested.stderr
        assert told.returncode == 0, told.stderr
        assert [request.target for request in provider.requests] == ["/v1/models", "/hook"]
        assert caught == []


def test_V27_an_authority_and_a_log_of_keys_that_the_environment_names_are_not_used(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    folder = tmp_path / "certificates"
    folder.mkdir()
    (folder / "authority.pem").write_bytes(authority.path.read_bytes())
    log, home = tmp_path / "keys.log", tmp_path / "home"
    seen: list[Peer] = []

    async def listed(peer: Peer) -> None:
        seen.append(peer)
        await peer.request()
        await peer.send(answer(LISTED))

    async def main() -> subprocess.CompletedProcess[str]:
        async with serve(listed, tls=authority.server("localhost")) as server:
            with library(home) as ownkey:
                ownkey.providers.set("openai", endpoint=f"https://localhost:{server.port}/v1")
                ownkey.keys.set("openai", KEYS["openai"])
            env = environment(home, OWNKEY_ALLOW_PRIVATE_HOSTS=f"localhost:{server.port}", SSLKEYLOGFILE=str(log))
            for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
                env[name] = str(authority.path)
            env |= {"SSL_CERT_DIR": str(folder), "PYTHONHTTPSVERIFY": "0", "NODE_TLS_REJECT_UNAUTHORIZED": "0"}
            return await asyncio.to_thread(run, env, "keys", "test", "openai")

    done = asyncio.run(main())
    assert done.returncode != 0
    assert "an authority that this machine trusts" in done.stderr
    assert [peer.requests for peer in seen] in ([], [[]])
    assert not log.exists()


def test_E04_neither_the_environment_nor_the_current_folder_says_where_a_key_goes(tmp_path: Path) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    here.mkdir()
    with library(home) as ownkey:
        ownkey.keys.set("openai", KEYS["openai"])
        right = {view.provider.id: view.endpoint for view in ownkey.providers.listed()}
    with trap() as (port, caught):
        wrong = f"http://127.0.0.1:{port}/v1"
        allowed = f"127.0.0.1:{port}"
        lines = "".join(f"{name}={wrong}\n" for name in BASES) + f"OWNKEY_ALLOW_PRIVATE_HOSTS={allowed}\n"
        (here / ".env").write_text(lines)
        (here / "config.toml").write_text(f"allow_private_hosts = ['{allowed}']\n")
        for folder in ("providers", ".ownkey/providers", "ownkey/providers"):
            (here / folder).mkdir(parents=True)
            (here / folder / "openai.toml").write_text(f'id = "openai"\nbase_url = "{wrong}"\n')
        for name in ("json.py", "httptools.py", "ssl.py", "sitecustomize.py"):
            (here / name).write_text(f"open({str(tmp_path / 'run')!r}, 'w')\n")
        env = environment(home) | dict.fromkeys(BASES, wrong)

        def told(*arguments: str) -> str:
            command = [sys.executable, "-P", "-m", "ownkey", *arguments]
            done = subprocess.run(command, cwd=here, env=env, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            return done.stdout

        views = json.loads(told("providers", "list", "--json"))
        assert {view["id"]: view["endpoint"] for view in views} == right
        (key,) = json.loads(told("keys", "list", "--json"))
        assert key["origin"] == "https://api.openai.com:443"
        in_code = subprocess.run(
            [sys.executable, "-P", "-c", "from ownkey import Ownkey; print(Ownkey().providers.get('openai').endpoint)"],
            cwd=here,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert in_code.stdout.strip() == right["openai"]
    assert caught == []
    assert not (tmp_path / "run").exists()


WATCHED = dedent(
    """
    import sys
    def watch(event, arguments):
        if event.startswith("socket.") and event not in SILENT and not (event == "socket.bind"):
            where = arguments[1] if event == "socket.connect" else arguments
            if not isinstance(where, (str, bytes)):
                print("REACHED", event, where, file=sys.stderr, flush=True)
    SILENT = {"socket.__new__", "socket.gethostname", "socket.sethostname"}
    sys.addaudithook(watch)
    sys.modules["uvloop"] = None  # its sockets are not told to the watch
    sys.argv = ["ownkey", *sys.argv[1:]]
    from ownkey.cli.main import main
    main()
    """
)
QUIET = (
    ("providers", "list"),
    ("providers", "gallery"),
    ("models",),
    ("models", "--compare", "openai/gpt-4o", "anthropic/claude-sonnet-4-5"),
    ("keys", "list"),
    ("quote", "Hello", "-m", "openai/gpt-4o"),
    ("budgets", "list"),
    ("usage",),
    ("alerts",),
    ("chat", "Hello", "-m", "demo"),
    ("doctor",),
)


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("quiet") / "home"
    with library(home) as ownkey:
        ownkey.keys.set("openai", KEYS["openai"])
    return home


@pytest.mark.row("B16")
@pytest.mark.parametrize("arguments", QUIET, ids=" ".join)
def test_E20_a_command_that_asks_no_provider_opens_no_socket(lived_in: Path, arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", WATCHED, *arguments]
    done = subprocess.run(command, env=environment(lived_in), capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    assert "REACHED" not in done.stderr


def test_E20_the_watch_tells_of_what_is_asked_of_a_provider(lived_in: Path) -> None:
    env = environment(lived_in, OWNKEY_ALLOW_PRIVATE_HOSTS="127.0.0.1:9999")
    run(env, "providers", "set", "deepseek", "--endpoint", "http://127.0.0.1:9999/v1")
    run(env, "keys", "set", "deepseek", "--no-check", "--force", given=KEYS["openai"])
    command = [sys.executable, "-c", WATCHED, "keys", "test", "deepseek"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert "REACHED socket.connect ('127.0.0.1', 9999)" in done.stderr


@pytest.mark.row("B16")
def test_E20_a_gateway_that_nobody_asks_sends_nothing(lived_in: Path) -> None:
    command = [sys.executable, "-c", WATCHED, "serve", "--port", "0"]
    with subprocess.Popen(
        command, env=environment(lived_in), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        port = int(first.split(":")[-1].split("/")[0])

        def got(path: str) -> int:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                connection.request("GET", path)
                return connection.getresponse().status
            finally:
                connection.close()

        assert [got("/health"), got("/v1/models"), got("/nothing")] == [200, 200, 404]
        # It looks for alerts after five seconds.
        with pytest.raises(AssertionError):
            until(lambda: process.poll() is not None, within_s=6.0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert "REACHED" not in process.stderr.read()


def test_O15_under_an_open_umask_nothing_is_open_to_others(tmp_path: Path) -> None:
    home = tmp_path / "home"
    text = 'umask 000; exec "$@"'
    for arguments in (
        ("providers", "list"),
        ("budgets", "set", "all", "--limit", "5"),
        ("keys", "set", "openai", "--no-check"),
    ):
        command = ["sh", "-c", text, "sh", *COMMAND, *arguments]
        told = subprocess.run(
            command, env=environment(home), input=KEYS["openai"], capture_output=True, text=True, timeout=60
        )
        assert told.returncode == 0, told.stderr
    found = [home, *home.rglob("*")]
    assert len(found) > 4
    assert [path for path in found if path.stat().st_mode & 0o077 and path.parent != home / "cache"] == []
