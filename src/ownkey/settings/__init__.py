"""Settings: the only reader of the environment and of `config.toml` in the home folder.

What is given in code comes before the environment, the environment before `config.toml`, and that before the default.
No value is quoted in an error or a repr: what was put into the wrong variable may be a key.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs
from msgspec import Struct

from ownkey.settings import alerts
from ownkey.settings.table import TABLE, Setting
from ownkey.settings.values import READ, Password
from ownkey.talk.errors import BadConfiguration
from ownkey.talk.origin import Origin
from ownkey.talk.secret import clean

__all__ = ["TABLE", "Password", "Setting", "Settings", "load"]

CONFIG = "config.toml"


class Settings(Struct, frozen=True, eq=False, kw_only=True):
    """What holds for this process; made by `load`. Times in seconds. `retries` counts the tries after the first."""

    home: Path
    database_url: str
    host: str
    port: int
    public_url: str | None
    trusted_proxies: tuple[str, ...]
    page_origins: tuple[str, ...]
    master_key_file: Path | None
    encryption_password: Password | None
    encryption_salt: Password | None
    keychain: bool
    transit_url: str | None
    transit_key: str
    transit_mount: str
    transit_namespace: str | None
    transit_token: Password | None
    transit_token_file: Path | None
    transit_ca_file: Path | None
    environment_keys: bool
    allow_private_hosts: frozenset[tuple[str, int]]
    fallback: tuple[str, ...]
    order: tuple[str, ...]
    wires: tuple[str, ...]
    batch_parallel: int
    retries: int
    retry_delay_s: float
    retry_max_delay_s: float
    retry_multiplier: float
    retry_longest_wait_s: float
    probe_every_s: float
    first_token_timeout_s: float
    connect_timeout_s: float
    headers_timeout_s: float
    idle_timeout_s: float
    total_timeout_s: float
    budget_wait_s: float
    requests_per_minute: int
    rate_limit_wait_s: float
    cache_size_mb: int
    prices_url: str
    alert_webhook_url: str | None
    alert_webhook_secret: Password | None
    smtp_url: str | None
    smtp_password: Password | None
    alert_email_to: tuple[str, ...]
    alert_email_from: str | None
    audit_file: Path | None
    audit_syslog: Path | None
    oidc_issuer: str | None
    oidc_client_id: str | None
    oidc_client_secret: Password | None
    log_level: str

    @property
    def public_origin(self) -> Origin | None:
        return None if self.public_url is None else Origin.parse(self.public_url)[0]

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{row.name}={getattr(self, row.name)!r}" for row in TABLE if row.kind not in ("url", "password")
        )
        return f"Settings({shown})"


def load(environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """The settings of this process. An override is named like its field; None means not given.

    Raises BadConfiguration, naming the variable, or the file with key and line.
    """
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in overrides.items() if value is not None}
    if unknown := given.keys() - {row.name for row in TABLE}:
        raise BadConfiguration(f"There is no setting called {', '.join(sorted(unknown))}.")
    home = _value(TABLE[0], given, environ, File(Path(CONFIG)))
    home = home or Path(platformdirs.user_data_dir("ownkey", appauthor=False))
    file = file_of(home / CONFIG)
    values = {row.name: _value(row, given, environ, file) for row in TABLE[1:]}
    alerts.check(values)
    values["database_url"] = values["database_url"] or f"sqlite:///{home}/ownkey.db"
    return Settings(home=home, **values)


class File(Struct, frozen=True):
    """What `config.toml` says, and its text, in which an error finds its line."""

    path: Path
    text: str = ""
    values: dict[str, Any] = {}

    def place(self, name: str) -> str:
        """`…/config.toml, line 7` where a key or a table of that name stands, as far as it can be told."""
        begins = re.compile(rf"\s*\[*\s*[\"']?{re.escape(name)}[\"']?\s*[=.\]]")
        lines = enumerate(self.text.splitlines(), 1)
        return next((f"{self.path}, line {number}" for number, line in lines if begins.match(line)), str(self.path))


def _value(row: Setting, given: Mapping[str, object], environ: Mapping[str, str], file: File) -> Any:
    written = environ.get(row.env)
    if row.name in given:
        found, where = given[row.name], f"The setting {row.name}"
    elif written or (written is not None and row.kind in ("path", "password")):
        found, where = written, row.env
    elif row.name in file.values:
        found, where = file.values[row.name], f"{file.place(row.name)}: {row.name}"
    else:
        return row.default
    try:
        return READ[row.kind](row, found)
    except ValueError as wrong:
        raise BadConfiguration(f"{where} {wrong}.", row.help, param=row.name) from None


def file_of(path: Path) -> File:
    """`config.toml`, checked for names; empty where there is none. Raises BadConfiguration."""
    try:
        text = _read_private(path)
        file = File(path, text, tomllib.loads(text))
    except FileNotFoundError:
        return File(path)
    except tomllib.TOMLDecodeError as wrong:
        line = re.search(r"line \d+", str(wrong))
        raise BadConfiguration(f"{path}{', ' + line.group() if line else ''}: this is not TOML.") from None
    except (OSError, ValueError, RecursionError) as wrong:
        hint = "A link is not followed." if path.is_symlink() else ""
        raise BadConfiguration(f"{path} cannot be read ({type(wrong).__name__}).", hint) from None
    known = {row.name: row for row in TABLE}
    for name in file.values:
        if name not in known:
            raise BadConfiguration(f"{file.place(name)}: there is no setting called {clean(name, limit=60)}.")
        if known[name].env_only:
            hint = f"Set {known[name].env} there."
            raise BadConfiguration(f"{file.place(name)}: {name} is read from the environment only.", hint)
    return file


def _read_private(path: Path) -> str:
    """The text of a file that only its owner can read or change: it may hold the password of a database."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, encoding="utf-8") as file:
        state = os.fstat(descriptor)
        if os.name == "posix" and state.st_uid != os.geteuid():
            raise BadConfiguration(f"{path} belongs to another user.", "Own it, or remove it.")
        if os.name == "posix" and stat.S_IMODE(state.st_mode) & 0o077:
            raise BadConfiguration(f"{path} is open to other users.", f"Run: chmod 600 {path}")
        return file.read()
