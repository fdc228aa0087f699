"""What is given in code, in the environment and in config.toml, and what is refused there."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from canaries import canary
from ownkey.settings import TABLE, Setting, Settings, load
from ownkey.talk.errors import BadConfiguration

CANARY = canary("settings")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.touch(mode=0o600)
    return path


def told(home: Path, variable: str, value: str) -> str:
    with pytest.raises(BadConfiguration) as refused:
        load({"OWNKEY_HOME": str(home), variable: value})
    return str(refused.value)


def test_every_row_of_the_table_is_a_field_and_every_field_a_row() -> None:
    assert [row.name for row in TABLE] == [name for name in Settings.__struct_fields__ if name != "environ"]
    assert len({row.env for row in TABLE}) == len(TABLE)


def test_with_nothing_given_the_defaults_hold(tmp_path: Path) -> None:
    settings = load({}, home=tmp_path)
    assert (settings.host, settings.port, settings.retries, settings.keychain) == ("127.0.0.1", 3010, 2, True)
    assert settings.database_url == f"sqlite:///{tmp_path}/ownkey.db"
    assert (settings.fallback, settings.allow_private_hosts) == ((), frozenset())
    assert (settings.connect_timeout_s, settings.total_timeout_s) == (10.0, 600.0)


def test_without_a_home_the_data_folder_of_the_platform_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert "ownkey" in load({}).home.name


def test_code_comes_before_environment_before_file_before_default(config: Path) -> None:
    config.write_text("port = 1\nretries = 1\nhost = 'file'\n")
    environ = {"OWNKEY_HOME": str(config.parent), "OWNKEY_PORT": "2", "OWNKEY_RETRIES": "2"}
    settings = load(environ, port=3, host=None)
    assert (settings.port, settings.retries, settings.host, settings.log_level) == (3, 2, "file", "info")


def test_every_kind_reads_from_the_environment(tmp_path: Path) -> None:
    settings = load(
        {
            "OWNKEY_HOME": str(tmp_path),
            "OWNKEY_ALLOW_PRIVATE_HOSTS": "127.0.0.1:11434, [0:0::1]:8080,Box.Lan:80",
            "OWNKEY_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
            "OWNKEY_FALLBACK": "openai/gpt-5-mini, openrouter/meta/llama",
            "OWNKEY_WIRES": "acme, bolt",
            "OWNKEY_RETRY_DELAY_S": "0.25",
            "OWNKEY_KEYCHAIN": "off",
            "OWNKEY_LOG_LEVEL": "debug",
            "OWNKEY_MASTER_KEY_FILE": str(tmp_path / "key"),
        }
    )
    assert settings.allow_private_hosts == {("127.0.0.1", 11434), ("::1", 8080), ("box.lan", 80)}
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1/128")
    assert settings.fallback == ("openai/gpt-5-mini", "openrouter/meta/llama")
    assert settings.wires == ("acme", "bolt")
    assert (settings.retry_delay_s, settings.keychain, settings.log_level) == (0.25, False, "debug")
    assert settings.master_key_file == tmp_path / "key"


def test_lists_read_alike_from_file_and_from_code(config: Path) -> None:
    config.write_text("fallback = ['a/b', 'c/d']\nallow_private_hosts = ['[::1]:1']\n")
    written = load({}, home=config.parent)
    given = load({}, home=config.parent, fallback=("a/b", "c/d"), allow_private_hosts=frozenset({("::1", 1)}))
    assert (written.fallback, written.allow_private_hosts) == (given.fallback, given.allow_private_hosts)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OWNKEY_PORT", "65536"),
        ("OWNKEY_PORT", "-1"),
        ("OWNKEY_PORT", "٣"),
        ("OWNKEY_PORT", "8e3"),
        ("OWNKEY_RETRIES", "11"),
        ("OWNKEY_RETRY_DELAY_S", "nan"),
        ("OWNKEY_TOTAL_TIMEOUT_S", "0"),
        ("OWNKEY_IDLE_TIMEOUT_S", "1e9"),
        ("OWNKEY_KEYCHAIN", "perhaps"),
        ("OWNKEY_LOG_LEVEL", "loud"),
        ("OWNKEY_FALLBACK", "openai"),
        ("OWNKEY_WIRES", "ownkey_acme:Acme"),
        ("OWNKEY_WIRES", "../acme"),
        ("OWNKEY_ALLOW_PRIVATE_HOSTS", "127.0.0.1"),
        ("OWNKEY_ALLOW_PRIVATE_HOSTS", "::1:80"),
        ("OWNKEY_ALLOW_PRIVATE_HOSTS", "user@host:80"),
        ("OWNKEY_ALLOW_PRIVATE_HOSTS", "host:0"),
        ("OWNKEY_TRUSTED_PROXIES", "proxy.lan"),
        ("OWNKEY_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("OWNKEY_DATABASE_URL", "sqlite:///a\nb"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_the_name_of_its_variable(
    tmp_path: Path, variable: str, value: str
) -> None:
    assert told(tmp_path, variable, value).startswith(variable)


@pytest.mark.parametrize("row", [row for row in TABLE if row.kind not in ("text", "url", "path", "password")])
def test_a_key_in_the_wrong_variable_is_refused_without_being_quoted(tmp_path: Path, row: Setting) -> None:
    assert CANARY not in told(tmp_path, row.env, CANARY)


@pytest.mark.parametrize(
    "variable", ["BYOK_ENCRYPTION_PASSWORD", "BYOK_ENCRYPTION_SALT", "OWNKEY_MASTER_KEY_FILE", "OWNKEY_HOME"]
)
def test_A19_a_secret_or_path_that_is_set_but_empty_is_refused(tmp_path: Path, variable: str) -> None:
    assert told(tmp_path, variable, "").startswith(f"{variable} is set but empty")


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("port = 1\n\nprot = 2\n", 3, "no setting called prot"),
        ("port = 1\nport = 2\n", 2, "not TOML"),
        ("# port\nport = 'x'\n", 2, "port is not a whole number"),
        ("port = true\n", 1, "port is not a whole number"),
        ("retry_delay_s = nan\n", 1, "not a number"),
        ("host = 3\n", 1, "host is not a text"),
        ("[server]\nport = 1\n", 1, "no setting called server"),
        ("fallback = ['a/b', 3]\n", 1, "fallback is not a list"),
        ("log_level = ['info']\n", 1, "log_level is none of"),
        ("'encryption_password' = 'a secret of some length'\n", 1, "read from the environment only"),
        ("home = '/elsewhere'\n", 1, "read from the environment only"),
        ("port = \n", 1, "not TOML"),
    ],
)
def test_O13_a_mistake_in_the_file_is_named_with_its_line(config: Path, text: str, line: int, why: str) -> None:
    config.write_text(text)
    with pytest.raises(BadConfiguration) as refused:
        load({}, home=config.parent)
    assert f"{config}, line {line}" in str(refused.value)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [f"{CANARY} = 1", f"port = '{CANARY}'", f"port = {CANARY}", f"[{CANARY}]", "\0", "é", "port = " + "9" * 5000],
    ids=lambda text: text[:40],
)
def test_O13_no_mistake_in_the_file_quotes_what_may_be_a_key(config: Path, text: str) -> None:
    config.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadConfiguration) as refused:
        load({}, home=config.parent)
    assert CANARY not in str(refused.value)
    assert str(config) in str(refused.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_S04_a_config_file_that_is_open_to_others_is_refused(config: Path, mode: int) -> None:
    config.chmod(mode)
    with pytest.raises(BadConfiguration, match="chmod 600"):
        load({}, home=config.parent)


def test_S04_a_config_file_that_is_a_link_or_a_folder_is_refused(tmp_path: Path) -> None:
    for name in ("link", "folder"):
        (tmp_path / name).mkdir()
    (tmp_path / "link" / "config.toml").symlink_to("/dev/null")
    (tmp_path / "folder" / "config.toml").mkdir(mode=0o700)
    for name in ("link", "folder"):
        with pytest.raises(BadConfiguration, match=r"config\.toml cannot be read"):
            load({}, home=tmp_path / name)


def test_nothing_secret_stands_in_the_repr_nor_in_what_is_encoded(tmp_path: Path) -> None:
    settings = load(
        {
            "BYOK_ENCRYPTION_PASSWORD": "correct horse battery",
            "BYOK_ENCRYPTION_SALT": "salt of this house",
            "OWNKEY_DATABASE_URL": "postgresql://u:hidden-in-url@h/d",
            "OPENAI_API_KEY": CANARY,
        },
        home=tmp_path,
    )
    shown = f"{settings!r} {settings} {settings.encryption_password!r} {settings.encryption_password}"
    for hidden in ("horse", "house", "hidden", CANARY):
        assert hidden not in shown
    with pytest.raises(TypeError):
        msgspec.json.encode(settings)


def test_an_unknown_override_is_refused() -> None:
    with pytest.raises(BadConfiguration, match="no setting called prot"):
        load({}, prot=1)


def test_without_a_mapping_the_environment_of_the_process_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWNKEY_PORT", "4242")
    assert load(home=tmp_path).port == 4242
