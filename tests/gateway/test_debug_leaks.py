"""With everything told that Python and the libraries can tell, and in what a person would send to ask for help."""

from __future__ import annotations

import sys
from pathlib import Path

from canaries import MARK, canary, find
from house import KEYS, Simulator, gateway, library, run, write_provider

# The command, with every logger at DEBUG, every statement of SQL and its values, and asyncio's debug mode.
TOLD = (
    "import logging, sys\n"
    "logging.basicConfig(level=logging.DEBUG, format='%(name)s %(levelname)s %(message)s')\n"
    "for name in ('sqlalchemy.engine', 'sqlalchemy.pool', 'sqlalchemy.orm', 'uvicorn', 'asyncio', 'concurrent'):\n"
    "    logging.getLogger(name).setLevel(logging.DEBUG)\n"
    "from ownkey.cli.main import main\n"
    "main()\n"
)
QUOTING = "echo-key"
FAULTS = (
    "",
    f"status=401;{QUOTING}",
    f"status=500;{QUOTING}",
    f"status=400;{QUOTING}",
    "reset",
    "cut=3",
    "malformed=2",
)
ELSEWHERE = {"GROQ_API_KEY": canary("in the environment", "gsk_"), "OPENAI_API_KEY": "not a key " + canary("no key")}
SUPPORT = (
    ("doctor",),
    ("doctor", "--json"),
    ("keys", "list", "--json"),
    ("vault", "status", "--json"),
    ("usage", "--json", "--rows", "100"),
    ("audit", "verify", "--json"),
)


def test_O04_at_debug_with_every_statement_told_no_log_holds_a_key(tmp_path: Path, simulator: Simulator) -> None:
    home = tmp_path / "home"
    quick = {"OWNKEY_RETRY_DELAY_S": "0.01", "PYTHONASYNCIODEBUG": "1", "OWNKEY_LOG_LEVEL": "debug"}
    command = (sys.executable, "-c", TOLD)
    with gateway(home, simulator, command=command, **quick) as running:
        for wire, key in zip(("openai-chat", "anthropic-messages", "gemini"), KEYS.values(), strict=True):
            for fault in FAULTS:
                name = write_provider(home, simulator, fault, wire=wire, key=key)
                for stream in (False, True):
                    answer = running.ask(f"{name}/gpt-4o", "Say 20 words", stream=stream)
                    assert find(repr(answer.headers).encode() + answer.body) == []
        assert running.ask("openai/gpt-4o", headers={"Authorization": f"Bearer {KEYS['openai']}"}).status == 401
        token = running.token
    log = running.log.read_text()
    for told in ("sqlalchemy.engine.Engine INFO", "sqlalchemy.engine.Engine DEBUG", "SELECT "):
        assert told in log
    assert find(log.encode()) == []
    assert token not in log


def test_O16_what_is_sent_to_ask_for_help_holds_no_key(tmp_path: Path, simulator: Simulator) -> None:
    home = tmp_path / "home"
    with library(home) as ownkey:
        ownkey.keys.set("anthropic", KEYS["anthropic"])
    with gateway(home, simulator, **ELSEWHERE) as running:
        for fault in FAULTS[:4]:
            running.ask(f"{running.provider(fault, key=KEYS['openai'])}/gpt-4o")
    (home / "providers" / "wrong.toml").write_text(f'id = "wrong"\nkey = "{KEYS["gemini"]}"\n')
    said = [run(running.env | ELSEWHERE, *words) for words in SUPPORT]
    told = "".join(one.stdout + one.stderr for one in said)
    assert "wrong.toml" in told
    assert find(told.encode()) == []
    assert MARK not in told
    (home / "providers" / "wrong.toml").unlink()
