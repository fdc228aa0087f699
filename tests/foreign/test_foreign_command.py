"""`ownkey keys import`, of a file of each program as that program writes it, to a chat with the key that came in."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from house import KEYS, MASKED, Simulator, environment, library, make_home, run

Env = dict[str, str]
OWN = "sk-canary-proxy-7Gh2KmNpQr5TvWxYz4Bc"
MORE = "sk-canary-more-3Df6HjLkPo9IuYtReWq1"
CANARIES = (*KEYS.values(), OWN, MORE)


@pytest.fixture
def env(tmp_path: Path, simulator: Simulator) -> Env:
    """A home whose OpenAI and Anthropic are the simulator, which may be spoken to."""
    home = tmp_path / "home"
    make_home(home)
    with library(home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=foreign/v1")
        ownkey.providers.set("anthropic", endpoint=f"{simulator.url}/fault/name=foreign/v1")
    return environment(home, OWNKEY_ALLOW_PRIVATE_HOSTS=f"127.0.0.1:{simulator.port}", OWNKEY_RETRIES="0")


@pytest.fixture
def at(simulator: Simulator) -> str:
    """An address that no provider of ours has."""
    return f"{simulator.url}/fault/name=elsewhere/v1"


def write(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def bring(env: Env, path: Path, *options: str, given: str = "", code: int = 0) -> CompletedProcess[str]:
    """The command, which shows no key and leaves the file as it was."""
    before = path.read_bytes()
    done = run(env, "keys", "import", str(path), *options, given=given)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert path.read_bytes() == before
    for canary in CANARIES:
        assert canary not in done.stdout + done.stderr
    return done


def rows(env: Env, path: Path, *options: str, code: int = 0) -> list[dict[str, Any]]:
    return json.loads(bring(env, path, "--json", *(options or ("--dry-run",)), code=code).stdout)["rows"]


def chats(env: Env, model: str) -> bool:
    """Whether a chat is answered; what it costs may not be known."""
    done = run(env, "chat", "-m", model, "--accept-unknown-price", "Hello")
    for canary in CANARIES:
        assert canary not in done.stdout + done.stderr
    return done.returncode == 0 and bool(done.stdout.strip())


def litellm(at: str) -> str:
    return f"""
# LiteLLM proxy
model_list:
  - model_name: gpt-4o
    litellm_params: &openai
      model: openai/gpt-4o
      api_key: {KEYS["openai"]}
      rpm: 480
  - model_name: small
    litellm_params:
      <<: *openai
      model: openai/gpt-4o-mini
  - model_name: own
    litellm_params:
      model: openai/llama-3
      api_key: os.environ/PROXY_API_KEY
      api_base: {at}
  - model_name: claude
    litellm_params:
      model: anthropic/claude-sonnet-4-5
      litellm_credential_name: of anthropic
  - model_name: unset
    litellm_params: {{model: groq/llama-3.1-8b-instant, api_key: os.environ/GROQ_API_KEY}}
  - model_name: later
    litellm_params: {{model: mistral/mistral-small, api_key: "your-key-here"}}
  - model_name: nobody's
    litellm_params: {{model: watsonx/granite, api_key: {MORE}}}
credential_list:
  - credential_name: of anthropic
    credential_values: {{api_key: {KEYS["anthropic"]}}}
general_settings:
  master_key: {MORE}
"""


def test_a_config_of_litellm_comes_in_and_its_keys_answer(env: Env, tmp_path: Path, at: str) -> None:
    path = write(tmp_path, "config.yaml", litellm(at))
    write(tmp_path, ".env", f"PROXY_API_KEY='{OWN}'\n")
    shown = bring(env, path, "--dry-run").stdout
    assert "A file of litellm, with the .env beside it." in shown
    assert f"New here: 127.0.0.1:{at.split(':')[2].split('/')[0]}, at {at}." in shown
    found = {row["place"]: row for row in rows(env, path)}
    openai, own, claude, unset, later, nobody = found.values()
    assert (openai["provider"], openai["label"], openai["masked"]) == ("openai", "litellm", MASKED)
    assert own["goes_to"] == at.removesuffix("/fault/name=elsewhere/v1")
    assert (claude["provider"], claude["label"]) == ("anthropic", "of anthropic")
    assert unset["why"] == "it stands in the variable GROQ_API_KEY, which is not set"
    assert later["why"] == "a placeholder, not a key"
    assert nobody["why"] == "no provider of this name is known here"
    assert run(env, "keys", "list").stdout.startswith("No keys yet")
    stored = [row for row in rows(env, path, "--yes") if row["stored"]]
    assert [row["provider"] for row in stored] == ["openai", own["provider"], "anthropic"]
    assert chats(env, "openai/gpt-4o")
    assert chats(env, f"{own['provider']}/llama-3")
    assert chats(env, "anthropic/claude-sonnet-4-5")


def test_what_was_imported_is_not_imported_again(env: Env, tmp_path: Path, at: str) -> None:
    path = write(tmp_path, "config.yaml", litellm(at))
    write(tmp_path, ".env", f"PROXY_API_KEY={OWN}\n")
    first = [row for row in rows(env, path, "--yes") if row["stored"]]
    again = [row for row in rows(env, path, "--yes") if row["place"] in {one["place"] for one in first}]
    assert [row["why"] for row in again] == [f"it is stored already, as {row['label']}" for row in first]
    assert not any(row["stored"] for row in again)


def test_librechat_comes_in_with_the_env_beside_it(env: Env, tmp_path: Path, at: str) -> None:
    text = f"""
version: 1.2.1
endpoints:
  custom:
    - name: "Reverse Proxy"
      apiKey: "${{PROXY_KEY}}"
      baseURL: "{at}"
      models:
        default: ["llama-3", "mixtral"]
        fetch: false
    - name: "OpenRouter"
      apiKey: "user_provided"
      baseURL: "https://openrouter.ai/api/v1"
    - name: "groq"
      apiKey: "${{GROQ_API_KEY}}"
      baseURL: "https://api.groq.com/openai/v1/"
"""
    path = write(tmp_path, "librechat.yaml", text)
    write(tmp_path, ".env", f"# LibreChat\nPROXY_KEY={OWN}\nGROQ_API_KEY=gsk_canary0123456789abcdefghij\n")
    proxy, open_router, groq = rows(env, path)
    assert (proxy["label"], proxy["why"]) == ("Reverse Proxy", None)
    assert open_router["why"] == "a placeholder, not a key"
    assert (groq["provider"], groq["goes_to"], groq["adds"]) == ("groq", "https://api.groq.com:443", None)
    rows(env, path, "--yes", "--no-check")
    assert chats(env, f"{proxy['provider']}/llama-3")


def test_keys_json_of_llm_comes_in(env: Env, tmp_path: Path) -> None:
    keys = {
        "// Note": "This file stores secret API credentials. Do not share!",
        "openai": KEYS["openai"],
        "claude": KEYS["anthropic"],
        "my-own": MORE,
    }
    path = write(tmp_path, "keys.json", json.dumps(keys, indent=2))
    openai, claude, own = rows(env, path, "--yes")
    assert (openai["provider"], openai["stored"], openai["label"]) == ("openai", True, "llm")
    assert (claude["provider"], claude["stored"]) == ("anthropic", True)
    assert own["why"] == "no provider of this name is known here"
    assert chats(env, "openai/gpt-4o")


def one_api(path: Path, at: str, *, new: bool) -> Path:
    """As GORM makes the tables, with the columns that matter."""
    more = "`auto_ban` integer DEFAULT 1, `channel_info` json, `tag` text" if new else "`config` text"
    schema = f"""
        CREATE TABLE `channels` (`id` integer PRIMARY KEY AUTOINCREMENT, `type` integer DEFAULT 0, `key` text NOT NULL,
        `status` integer DEFAULT 1, `name` text, `weight` integer DEFAULT 0, `base_url` text DEFAULT '', `other` text,
        `models` text, `group` text DEFAULT 'default', `priority` bigint DEFAULT 0, {more});
        CREATE TABLE `users` (`id` integer PRIMARY KEY, `password` text);
        CREATE INDEX `idx_channels_name` ON `channels`(`name`);
    """
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(schema)
        insert = (
            "INSERT INTO channels (type, key, status, name, base_url, models, priority) VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        rows = [
            (1, f"{KEYS['openai']}\n{MORE}", 1, "OpenAI, paid", "", "gpt-4o", 0),
            (8 if new else 1, OWN, 1, "resold", at if new else at.removesuffix("/v1"), "llama-3,mixtral", 5),
            (14, KEYS["anthropic"], 2, "off", "", "claude-sonnet-4-5", 0),
            (43 if new else 36, "sk-canary-deepseek-00112233445566", 1, "deep", "", "deepseek-chat", 0),
            (18, "app|secret|canary", 1, "Xunfei", "", "", 0),
        ]
        connection.executemany(insert, rows)
        if new:
            connection.execute(
                "UPDATE channels SET channel_info = ? WHERE id = 1", ['{"multi_key_status_list":{"1":2}}']
            )
        connection.commit()
    return path


@pytest.mark.parametrize("new", [False, True])
def test_a_database_of_one_api_comes_in_by_the_numbers_of_its_program(
    env: Env, tmp_path: Path, at: str, new: bool
) -> None:
    path = one_api(tmp_path / "one-api.db", at, new=new)
    found = rows(env, path)
    resold, paid, second, off, deep, xunfei = found
    assert (resold["place"], resold["why"], resold["label"]) == ("channel 2", None, "resold")
    assert (paid["provider"], paid["place"], paid["label"]) == ("openai", "channel 1, key 1", "OpenAI, paid")
    assert second["why"] == ("switched off there" if new else None)
    assert off["why"] == "switched off there"
    assert (deep["provider"], deep["goes_to"]) == ("deepseek", "https://api.deepseek.com:443")
    assert xunfei["why"] == "its type 18 is of no provider that is known here"
    rows(env, path, "--yes", "--no-check")
    assert chats(env, f"{resold['provider']}/llama-3")
    assert chats(env, "openai/gpt-4o")
    assert sorted(os.listdir(tmp_path)) == ["home", "one-api.db"]


def test_a_file_of_variables_comes_in(env: Env, tmp_path: Path, at: str) -> None:
    text = f"""
# what a shell would read
export OPENAI_API_KEY="{KEYS["openai"]}"   # ours
ANTHROPIC_API_KEY='{KEYS["anthropic"]}'
RESOLD_API_KEY={OWN}
RESOLD_BASE_URL={at}
GEMINI_API_KEY=
XAI_API_KEY=sk-...
MOONSHOT_API_KEY=sk-canary-moonshot-0011223344556677
DATABASE_PASSWORD={MORE}
STRANGE_API_KEY={MORE}
"""
    path = write(tmp_path, ".env", text)
    openai, claude, resold, xai, moonshot, strange = rows(env, path)
    assert (openai["provider"], openai["place"]) == ("openai", "OPENAI_API_KEY")
    assert claude["provider"] == "anthropic"
    assert resold["adds"].endswith(at)
    assert xai["why"] == "a placeholder, not a key"
    assert moonshot["why"].startswith("it may be of moonshot or moonshot-cn")
    assert strange["why"] == "no provider of this name is known here"
    rows(env, path, "--yes")
    assert chats(env, "openai/gpt-4o")


def test_a_key_for_another_address_does_not_go_to_the_providers_own(env: Env, tmp_path: Path, at: str) -> None:
    """The variable says OpenAI, and its neighbour that this is a key of somebody else's."""
    path = write(tmp_path, ".env", f"OPENAI_API_KEY={OWN}\nOPENAI_BASE_URL={at}\n")
    (row,) = rows(env, path, "--yes", "--no-check")
    assert row["provider"] != "openai"
    assert row["goes_to"] == at.split("/fault")[0]
    (view,) = json.loads(run(env, "keys", "list", "--json").stdout)
    assert (view["provider"], view["origin"]) == (row["provider"], row["goes_to"])


def test_it_asks_once_and_names_addresses_that_are_new(env: Env, tmp_path: Path, at: str) -> None:
    path = write(tmp_path, ".env", f"OPENAI_API_KEY={KEYS['openai']}\nRESOLD_API_KEY={OWN}\nRESOLD_BASE_URL={at}\n")
    asked = bring(env, path, given="n\n", code=1).stdout
    assert "Store these 2 keys, 1 of the addresses being new here?" in asked
    assert run(env, "keys", "list").stdout.startswith("No keys yet")
    done = bring(env, path, given="y\n").stdout
    assert done.count("Stored sk-...") == 2
    assert "--dry-run" in bring(env, path, "--json", code=2).stderr


def test_a_key_that_is_refused_is_left_out_and_its_provider_goes_again(
    env: Env, tmp_path: Path, simulator: Simulator
) -> None:
    bad = "bad-canary-0123456789abcdefghijkl"
    at = f"{simulator.url}/fault/name=refusing/v1"
    path = write(tmp_path, ".env", f"RESOLD_API_KEY={bad}\nRESOLD_BASE_URL={at}\nOPENAI_API_KEY={KEYS['openai']}\n")
    with library(Path(env["OWNKEY_HOME"])) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=keys/v1")
    refused, stored = rows(env, path, "--yes", code=1)
    assert (refused["stored"], stored["stored"]) == (False, True)
    assert "refuses this key" in refused["says"]
    assert refused["provider"] not in run(env, "providers", "list").stdout
    actions = [record["action"] for record in json.loads(run(env, "audit", "list", "--json").stdout)]
    assert {"provider.added", "provider.removed", "key.added"} <= set(actions)


def test_two_resources_of_azure_are_two_providers(env: Env, tmp_path: Path) -> None:
    entry = "  - litellm_params: {{model: azure/gpt-4o, api_key: {key}, api_base: https://{at}.openai.azure.com/}}\n"
    keys = ("canary0123456789abcdef0123456789ab", "canary0123456789abcdef0123456789cd")
    text = "model_list:\n" + "".join(entry.format(key=key, at=at) for key, at in zip(keys, ("eu", "us"), strict=True))
    path = write(tmp_path, "config.yaml", text)
    rows(env, path, "--yes", "--no-check")
    views = json.loads(run(env, "keys", "list", "--json").stdout)
    assert {view["origin"] for view in views} == {f"https://{at}.openai.azure.com:443" for at in ("eu", "us")}
    shown = json.loads(run(env, "providers", "show", "azure", "--json").stdout)
    assert shown["fields"]["resource"] == "eu"


@pytest.mark.parametrize("where", ["http://169.254.169.254/v1", "http://10.1.2.3/v1", "http://llm.example.com/v1"])
def test_a_private_address_in_a_file_is_refused_as_by_hand(env: Env, tmp_path: Path, where: str) -> None:
    path = write(tmp_path, ".env", f"RESOLD_API_KEY={OWN}\nRESOLD_BASE_URL={where}\n")
    (row,) = rows(env, path, "--yes", "--no-check")
    assert "OWNKEY_ALLOW_PRIVATE_HOSTS" in row["why"]
    assert not row["stored"]


@pytest.mark.parametrize(
    "where",
    ["inside://demo/v1", "https://u:p@example.com/v1", "https://a.example/v1?x=1", "ftp://a.example", "https://a\\.b/"],
)
def test_an_address_that_reads_in_two_ways_is_refused(env: Env, tmp_path: Path, where: str) -> None:
    path = write(tmp_path, ".env", f"RESOLD_API_KEY={OWN}\nRESOLD_BASE_URL='{where}'\n")
    (row,) = rows(env, path, "--yes", "--no-check")
    assert row["why"] is not None
    assert run(env, "keys", "list").stdout.startswith("No keys yet")


def test_a_file_cannot_send_this_machines_variables_elsewhere(env: Env, tmp_path: Path, at: str) -> None:
    text = f"""
model_list:
  - litellm_params: {{model: openai/x, api_key: os.environ/OPENAI_API_KEY, api_base: {at}}}
  - litellm_params: {{model: openai/x, api_key: os.environ/AWS_SECRET_ACCESS_KEY, api_base: {at}}}
  - litellm_params: {{model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY}}
"""
    path = write(tmp_path, "config.yaml", text)
    env = env | {"OPENAI_API_KEY": KEYS["openai"], "AWS_SECRET_ACCESS_KEY": MORE}
    elsewhere, secret, own = rows(env, path, "--yes", "--no-check")
    assert elsewhere["why"] == "OPENAI_API_KEY of this machine is for openai, and goes nowhere else"
    assert secret["why"] == "it stands in the variable AWS_SECRET_ACCESS_KEY, which is not set"
    assert own["stored"]
    none = rows(env | {"OWNKEY_ENVIRONMENT_KEYS": "off"}, path)
    assert all(row["why"] for row in none)
