"""`ownkey` in a shell: every command, what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from genai_prices import Usage as Counted
from genai_prices import calc_price

from house import (
    BAD,
    COMMAND,
    KEYS,
    MASKED,
    Simulator,
    environment,
    gateway,
    library,
    make_home,
    run,
    until,
    write_provider,
)
from ownkey import Ownkey
from ownkey.cli.problems import EXIT, exit_code
from ownkey.talk import errors

Env = dict[str, str]


@pytest.fixture
def env(tmp_path: Path, simulator: Simulator) -> Env:
    """A home with nothing in it."""
    home = tmp_path / "home"
    make_home(home)
    return environment(home, OWNKEY_ALLOW_PRIVATE_HOSTS=f"127.0.0.1:{simulator.port}", OWNKEY_RETRY_DELAY_S="0.01")


@pytest.fixture
def ready(env: Env, simulator: Simulator) -> Env:
    """A home whose OpenAI is the simulator."""
    with library(Path(env["OWNKEY_HOME"])) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=openai/v1")
        ownkey.keys.set("openai", KEYS["openai"])
    return env


def good(done: CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def bad(done: CompletedProcess[str], code: int) -> str:
    """One sentence or two on stderr, and nothing else."""
    assert done.returncode == code, (done.returncode, done.stderr)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith(("ownkey: ", "Usage: "))
    return done.stderr


@pytest.mark.row("B4")
@pytest.mark.row("B16")
def test_from_an_empty_home_to_an_answer_by_the_shell_alone(env: Env, simulator: Simulator) -> None:
    endpoint = f"{simulator.url}/fault/name=shell/v1"
    told = good(run(env, "providers", "set", "openai", "--endpoint", endpoint, "--field", "organization_id=org-7"))
    assert endpoint in told
    stored = good(run(env, "keys", "set", "openai", given=KEYS["openai"] + "\n"))
    assert MASKED in stored
    assert f"127.0.0.1:{simulator.port}" in stored
    home = Path(env["OWNKEY_HOME"])
    with gateway(home, simulator) as running:
        token = good(run(env, "tokens", "create", "laptop")).strip()
        whole = running.ask("openai/gpt-4o", headers={"Authorization": f"Bearer {token}"})
        streamed = good(run(env, "chat", "-m", "openai/gpt-4o", "Hello"))
        at_once = good(run(env, "chat", "-m", "openai/gpt-4o", "--no-stream", given="Hello"))
        told_json = json.loads(good(run(env, "chat", "-m", "openai/gpt-4o", "--json", "Hello")))
    assert whole.text + "\n" == streamed == at_once
    assert told_json["text"] == whole.text
    assert told_json["cost_usd"] == whole.headers["x-ownkey-cost-usd"]
    assert all(seen.header("openai-organization") == "org-7" for seen in simulator.seen("shell"))
    assert all(seen.header("authorization") == f"Bearer {KEYS['openai']}" for seen in simulator.seen("shell"))


@pytest.mark.row("B12")
def test_usage_tells_tokens_and_cost_exactly(ready: Env) -> None:
    for words in (100, 23):
        good(run(ready, "chat", "-m", "openai/gpt-4o", f"Say {words} words"))
    told = json.loads(good(run(ready, "usage", "--json")))
    price = calc_price(Counted(input_tokens=6, output_tokens=123), "gpt-4o", provider_id="openai").total_price
    (total,) = told["totals"]
    assert (total["calls"], total["input_tokens"], total["output_tokens"]) == (2, 6, 123)
    assert Decimal(total["cost_nano"]) / 10**9 == price == Decimal("0.001245")
    assert [row["output_tokens"] for row in told["rows"]] == [23, 100]
    assert {row["state"] for row in told["rows"]} == {"exact"}
    table = good(run(ready, "usage"))
    assert "$0.001245" in table
    assert "openai\tgpt-4o\t2\t\t6\t123" in table


def test_keys_are_stored_listed_tested_and_removed_and_never_shown(ready: Env, simulator: Simulator) -> None:
    (listed,) = json.loads(good(run(ready, "keys", "list", "--json")))
    assert (listed["provider"], listed["masked"]) == ("openai", MASKED)
    assert MASKED in good(run(ready, "keys", "list"))
    assert re.search(r"takes this key: \d+ models", good(run(ready, "keys", "test", "openai")))
    good(run(ready, "keys", "set", "anthropic", "--no-check", given=KEYS["anthropic"]))
    good(run(ready, "keys", "remove", "openai"))
    assert "ownkey keys list" in bad(run(ready, "keys", "remove", "openai"), 2)
    assert "ownkey keys set openai" in bad(run(ready, "chat", "-m", "openai/gpt-4o", "Hello"), 3)


@pytest.mark.parametrize(
    "key", ["", "two words in it", "a" * 5000, "schlüssel-aus-zürich", "sk-...vX2Q", "line\nbreak-in-a-key"]
)
def test_V21_what_is_no_key_is_refused_and_not_repeated(env: Env, key: str) -> None:
    told = bad(run(env, "keys", "set", "openai", given=key), 2)
    assert not key or key not in told
    with library(Path(env["OWNKEY_HOME"])) as ownkey:
        assert ownkey.keys.all() == []


def test_O14_a_key_is_never_taken_as_an_argument(env: Env) -> None:
    for arguments in ([KEYS["openai"]], ["--key", KEYS["openai"]], [f"--key={KEYS['openai']}"]):
        told = bad(run(env, "keys", "set", "openai", *arguments), 2)
        assert "shell's history" in told
        assert KEYS["openai"] not in told
    assert good(run(env, "keys", "list")).startswith("No keys yet")
    assert not re.search(r"--(api-)?key|--password", good(run(env, "keys", "set", "--help")))


def test_a_wrong_key_is_told_by_its_test(env: Env, simulator: Simulator) -> None:
    name = write_provider(Path(env["OWNKEY_HOME"]), simulator, key=BAD)
    told = bad(run(env, "keys", "test", name), 5)
    assert BAD not in told


def test_providers_are_listed_shown_and_set(env: Env) -> None:
    listed = json.loads(good(run(env, "providers", "list", "--json")))
    names = {one["id"] for one in listed}
    assert {"openai", "anthropic", "gemini", "deepseek", "azure", "groq", "ollama", "lmstudio", "demo"} <= names
    assert "no key" in good(run(env, "providers", "list"))
    shown = json.loads(good(run(env, "providers", "show", "openai", "--json")))
    assert (shown["endpoint"], shown["default_model"]) == ("https://api.openai.com/v1", "gpt-4o")
    good(run(env, "providers", "set", "openai", "--default", "gpt-4o-mini", "--disable"))
    text = good(run(env, "providers", "show", "openai"))
    assert "gpt-4o-mini" in text
    assert "off" in text
    assert "switched off" in bad(run(env, "chat", "-m", "openai/gpt-4o", "Hello"), 2)
    good(run(env, "providers", "set", "openai", "--enable", "--default", ""))
    assert "nobody" in bad(run(env, "providers", "show", "nobody"), 2)
    assert "NAME=VALUE" in bad(run(env, "providers", "set", "openai", "--field", "organization_id"), 2)
    assert "organization_id" in bad(run(env, "providers", "set", "openai", "--field", "colour=red"), 2)
    assert bad(run(env, "providers", "set", "openai", "--endpoint", "ftp://example.com"), 6)


def test_E02_a_key_does_not_go_to_a_new_endpoint(ready: Env, simulator: Simulator) -> None:
    elsewhere = "https://api.elsewhere.example/v1"
    told = run(ready, "providers", "set", "openai", "--endpoint", elsewhere)
    assert "ownkey keys set openai" in told.stderr
    assert "ready" not in told.stdout
    assert re.search(r"openai\s.*its key is for http://127", good(run(ready, "providers", "list")))
    assert "again" in bad(run(ready, "chat", "-m", "openai/gpt-4o", "Hello"), 3)
    doctor = run(ready, "doctor")
    assert doctor.returncode == 1
    assert "WRONG" in doctor.stdout


def test_a_new_path_at_the_same_origin_keeps_the_key(ready: Env, simulator: Simulator) -> None:
    told = run(ready, "providers", "set", "openai", "--endpoint", f"{simulator.url}/fault/name=moved/v1")
    assert "OpenAI: ready" in good(told)
    assert told.stderr == ""
    assert "word3" in good(run(ready, "chat", "-m", "openai/gpt-4o", "Say 3 words"))


def test_an_address_that_nothing_will_go_to_is_told_when_it_is_set(ready: Env, simulator: Simulator) -> None:
    strict = ready | {"OWNKEY_ALLOW_PRIVATE_HOSTS": ""}
    place = f"127.0.0.1:{simulator.port}"
    for endpoint in (f"http://{place}/v1", "https://10.0.0.1/v1", "http://api.example.com/v1", "https://localhost/v1"):
        told = run(strict, "providers", "set", "openai", "--endpoint", endpoint)
        assert "ready" not in good(told)
        assert "OWNKEY_ALLOW_PRIVATE_HOSTS" in told.stderr
    good(run(strict, "providers", "set", "openai", "--endpoint", f"http://{place}/v1"))
    assert "OWNKEY_ALLOW_PRIVATE_HOSTS" in run(strict, "keys", "set", "openai", given=KEYS["openai"]).stderr
    assert f"{place} is not in OWNKEY_ALLOW_PRIVATE_HOSTS" in run(strict, "doctor").stdout
    assert good(run(ready, "doctor"))


def test_a_field_that_cannot_stand_in_its_place_is_not_kept(env: Env) -> None:
    assert "not set, and needed" in good(run(env, "providers", "show", "azure"))
    assert "host name" in bad(run(env, "providers", "set", "azure", "--field", "resource=evil.example/#"), 6)
    assert "needs the setting 'resource'" in good(run(env, "providers", "set", "azure", "--field", "api_version=9"))
    assert "no key" in good(run(env, "providers", "set", "azure", "--field", "resource=ours"))


def test_the_demo_takes_no_key(env: Env) -> None:
    bad(run(env, "keys", "set", "demo", given=KEYS["openai"]), 2)
    assert good(run(env, "keys", "list")).startswith("No keys yet")


@pytest.mark.row("E9")
def test_models_are_listed_with_their_price_and_refreshed(ready: Env) -> None:
    listed = {one["id"]: one for one in json.loads(good(run(ready, "models", "openai", "--json")))}
    assert listed["openai/gpt-4o"]["input_usd_per_million"] == "2.50"
    assert listed["openai/gpt-4o"]["output_usd_per_million"] == "10.00"
    assert "openai/sim-large" not in listed
    assert "openai/sim-large" in good(run(ready, "models", "openai", "--refresh"))
    assert "openai/sim-large" in good(run(ready, "models"))
    assert "ownkey keys set" in bad(run(ready, "models", "groq", "--refresh"), 3)


def test_tokens_are_made_listed_and_revoked(env: Env, simulator: Simulator) -> None:
    made = json.loads(good(run(env, "tokens", "create", "laptop", "--json")))
    with gateway(Path(env["OWNKEY_HOME"]), simulator) as running:
        header = {"Authorization": f"Bearer {made['token']}"}
        assert running.ask("demo", headers=header).status == 200
        listed = json.loads(good(run(env, "tokens", "list", "--json")))
        assert [one["revoked_at_ms"] for one in listed if one["name"] == "laptop"] == [None]
        assert made["token"] not in json.dumps(listed)
        assert "laptop" in good(run(env, "tokens", "list"))
        good(run(env, "tokens", "revoke", "laptop"))
        until(lambda: running.ask("demo", headers=header).status == 401, within_s=2)
    assert "ownkey tokens list" in bad(run(env, "tokens", "revoke", "nobodys"), 2)


def test_doctor_finds_all_well_and_says_what_is_not(ready: Env) -> None:
    assert "WRONG" not in good(run(ready, "doctor"))
    findings = json.loads(good(run(ready, "doctor", "--json")))
    assert {one["about"] for one in findings} >= {"python", "home", "database", "book", "vault", "key openai"}
    assert {one["state"] for one in findings} == {"ok"}
    home = Path(ready["OWNKEY_HOME"])
    home.chmod(0o755)
    told = run(ready, "doctor")
    assert told.returncode == 1
    assert "chmod 700" in told.stdout
    home.chmod(0o700)


def test_an_unknown_price_is_asked_about_first(ready: Env) -> None:
    assert "--accept-unknown-price" in bad(run(ready, "chat", "-m", "openai/brand-new", "Hello"), 4)
    assert "brand-new" in good(run(ready, "chat", "-m", "openai/brand-new", "--accept-unknown-price", "Hello"))


def test_the_demo_answers_where_there_is_no_key(env: Env) -> None:
    assert "demo" in good(run(env, "chat", "Hello"))


@pytest.mark.parametrize(
    ("fault", "code"), [("status=429", 5), ("status=503", 5), ("reset", 5), ("html", 5), ("chunk-delay=0.02;cut=6", 5)]
)
def test_a_provider_that_fails_is_exit_code_5(env: Env, simulator: Simulator, fault: str, code: int) -> None:
    name = write_provider(Path(env["OWNKEY_HOME"]), simulator, fault)
    done = run(env, "chat", "-m", f"{name}/gpt-4o", "Say 30 words")
    assert done.returncode == code
    assert done.stderr.startswith("ownkey: ")
    assert "Traceback" not in done.stderr


@pytest.mark.row("B15")
def test_what_is_set_as_fallback_answers_in_the_place_of_one_that_cannot(ready: Env, simulator: Simulator) -> None:
    name = write_provider(Path(ready["OWNKEY_HOME"]), simulator, "status=503")
    told = run(ready | {"OWNKEY_FALLBACK": "openai/gpt-4o"}, "chat", "-m", f"{name}/gpt-4o", "--json", "Hello")
    answer = json.loads(good(told))
    assert (answer["provider"], answer["attempts"]) == ("openai", 4)
    rows = json.loads(good(run(ready, "usage", "--json")))["rows"]
    assert [(row["provider"], row["state"]) for row in rows] == [("openai", "exact"), *[(name, "released")] * 3]


def test_wrong_calls_and_settings_are_told_without_a_traceback(env: Env) -> None:
    assert "nothing to ask" in bad(run(env, "chat"), 2)
    assert bad(run(env, "chat", "--no-such-option", "Hello"), 2)
    assert bad(run(env, "no-such-command"), 2)
    assert "gpt-4o" in bad(run(env, "chat", "-m", "gpt-4oo", "Hello"), 2)
    assert "OWNKEY_RETRIES" in bad(run(env | {"OWNKEY_RETRIES": "many"}, "keys", "list"), 6)
    home = Path(env["OWNKEY_HOME"])
    (home / "ownkey.db").write_bytes(b"This is no database. " * 500)
    assert bad(run(env, "keys", "list"), 6)
    assert bad(run(env | {"OWNKEY_DATABASE_URL": f"sqlite:///{home}/ownkey.db/in-a-file.db"}, "keys", "list"), 6)


def test_the_data_folder_is_made_for_its_owner_only_wherever_the_records_are(tmp_path: Path) -> None:
    home = tmp_path / "made" / "by-ownkey"
    elsewhere = environment(home, OWNKEY_DATABASE_URL=f"sqlite:///{tmp_path}/records.db")
    assert good(run(elsewhere, "doctor"))
    assert home.stat().st_mode & 0o777 == 0o700
    blocked = environment(tmp_path / "records.db" / "home")
    assert str(tmp_path / "records.db") in bad(run(blocked, "keys", "list"), 6)


def test_V06_a_sealed_vault_is_exit_code_6(ready: Env, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_bytes(bytes(range(32)))
    wrong.chmod(0o600)
    sealed = ready | {"OWNKEY_MASTER_KEY_FILE": str(wrong)}
    assert "root key" in bad(run(sealed, "chat", "-m", "openai/gpt-4o", "Hello"), 6)
    assert "root key" in bad(run(sealed, "keys", "set", "openai", given=KEYS["openai"]), 6)
    assert MASKED in good(run(sealed, "keys", "list"))
    assert "demo" in good(run(sealed, "chat", "-m", "demo", "Hello"))


def test_what_cannot_be_read_or_shown_is_told_without_a_traceback(ready: Env) -> None:
    latin = subprocess.run(
        [*COMMAND, "chat", "-m", "demo"], env=ready, input=b"caf\xe9", capture_output=True, timeout=60
    )
    assert (latin.returncode, latin.stdout) == (2, b"")
    assert latin.stderr.startswith(b"ownkey: Standard input is not text")
    assert "not text" in bad(run(ready, "chat", "-m", "openai/gpt-4o", "caf\udce9"), 2)
    narrow = ready | {"PYTHONIOENCODING": "ascii"}
    assert "Gr??e" in good(run(narrow, "chat", "-m", "openai/gpt-4o", "Grüße"))
    with Path("/dev/full").open("wb") as full:
        command = [*COMMAND, "chat", "-m", "openai/gpt-4o", "Hello"]
        ended = subprocess.run(command, env=ready, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert (ended.returncode, ended.stderr) == (1, b"ownkey: No space left on device.\n")


def test_what_costs_an_unknown_amount_is_not_summed_up_as_nothing(ready: Env) -> None:
    good(run(ready, "chat", "-m", "openai/nobody-knows", "--accept-unknown-price", "Hello"))
    assert re.search(r"openai\tnobody-knows\t1\t\t\d+\t\d+\tunknown", good(run(ready, "usage")))


def test_the_welcome_calls_the_command_as_it_can_be_called(env: Env, tmp_path: Path) -> None:
    """From a virtual environment that is not on the PATH, from one that is, and from another folder."""
    folder = tmp_path / "project"
    own = folder / ".venv" / "bin"
    own.mkdir(parents=True)
    (own / "python").symlink_to(sys.executable)
    (own / "ownkey").write_text("#!/bin/sh\n")
    (own / "ownkey").chmod(0o755)
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, [env["PYTHONPATH"], *sys.path]))}
    for path, where, called in (
        (env["PATH"], folder, ".venv/bin/ownkey"),
        (f"{own}:{env['PATH']}", folder, "ownkey"),
        (env["PATH"], tmp_path / "home", f"{own}/ownkey"),
    ):
        command = [str(own / "python"), "-m", "ownkey", "serve", "--port", "0"]
        given = env | paths | {"PATH": path}
        with subprocess.Popen(command, env=given, cwd=where, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            shown = "".join(next(process.stdout) for _ in range(12))
            process.terminate()
        assert f"\n  {called} keys set openai " in shown


def test_a_taken_port_is_told(env: Env) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert "--port" in bad(run(env, "serve", "--port", port), 6)
        assert "--port" in bad(run(env, "simulate", "--port", port), 6)


def test_the_simulator_answers_from_the_shell(env: Env) -> None:
    arguments = ("simulate", "--port", "0", "--fault", "status=429;times=1")
    with subprocess.Popen([*COMMAND, *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = re.search(rb"(http://[0-9.:]+/v1) ", process.stdout.readline())
        assert url is not None
        with library(Path(env["OWNKEY_HOME"])) as ownkey:
            ownkey.providers.set("openai", endpoint=url[1].decode())
            ownkey.keys.set("openai", KEYS["openai"])
        port = url[1].decode().split(":")[2].split("/")[0]
        told = run(env | {"OWNKEY_ALLOW_PRIVATE_HOSTS": f"127.0.0.1:{port}"}, "chat", "-m", "gpt-4o", "--json", "Hello")
        assert json.loads(good(told))["attempts"] == 2
        process.send_signal(signal.SIGINT)
        assert process.wait(10) in (0, 130)
        assert b"Traceback" not in process.stderr.read()


def test_every_error_has_its_exit_code() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.OwnkeyError)]
    assert len(kinds) > 25
    for kind in kinds:
        assert exit_code(kind("x")) == next(EXIT[parent] for parent in kind.__mro__ if parent in EXIT)
        assert 1 <= exit_code(kind("x")) <= 6


def test_an_answer_that_nobody_reads_is_no_error(ready: Env) -> None:
    with subprocess.Popen(
        [*COMMAND, "chat", "-m", "openai/gpt-4o", "Say 20000 words"],
        env=ready,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(20) in (0, 141, -signal.SIGPIPE)
        assert b"Traceback" not in process.stderr.read()


def test_interrupted_in_an_answer_it_is_settled(ready: Env, simulator: Simulator) -> None:
    home = Path(ready["OWNKEY_HOME"])
    name = write_provider(home, simulator, "chunk-delay=0.05")
    arguments = [*COMMAND, "chat", "-m", f"{name}/gpt-4o", "Say 500 words"]
    with subprocess.Popen(arguments, env=ready, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(20)
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 130
        assert b"Traceback" not in process.stderr.read()
    (row,) = Ownkey(home, keychain=False).house.store.book.rows(provider=name)
    assert (row.state, 0 < row.cost_nano < row.held_nano) == ("counted", True)
