"""An installation with something of everything in it, and what is compared of two."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from sqlalchemy import select

from house import KEYS, Simulator
from ownkey import Ownkey
from ownkey.app.budgets import BudgetBook
from ownkey.app.keys import KeyRing
from ownkey.app.parcel_in import Incoming, Preview
from ownkey.app.signing import Browser, SignIn
from ownkey.settings import Password
from ownkey.store.columns import metadata
from ownkey.store.connect import Database
from ownkey.vault import age

PASSPHRASE = Password("correct horse battery")
LOCAL = """
id = "local"
name = "Local"
kind = "local"
wire = "openai-chat"
base_url = "{url}/fault/name=moved/v1"
auth = {{ header = "authorization", scheme = "Bearer" }}
default = "gpt-4o"

[[models]]
id = "gpt-4o"
context = 128_000
max_output = 4_096
does = ["chat", "stream"]
price = {{ input = "2.50", output = "10.00" }}
"""
CONFIG = 'retries = 1\nfallback = ["demo/demo"]\nport = 3999\nsmtp_password = "not for others"\n'


def fill(ownkey: Ownkey, simulator: Simulator) -> None:
    home = ownkey.settings.home
    (home / "providers").mkdir(exist_ok=True)
    (home / "providers" / "local.toml").write_text(LOCAL.format(url=simulator.url))
    write_config(home, CONFIG)
    ownkey.house.catalogue.refresh()
    ownkey.keys.set("local", KEYS["openai"], monthly_limit="5", models=["gpt-4o"])
    ownkey.keys.set("anthropic", KEYS["anthropic"], "spare")
    ownkey.budgets.set("house", limit="10", per="month")
    ownkey.prices.set("openai/gpt-4o", {"input": "1", "output": "2"})
    ownkey.providers.set("openai", default="gpt-4o")
    ann = ownkey.people.add("Ann", "ann@example.com")
    KeyRing(ownkey.house, ann.id).set("gemini", KEYS["gemini"])
    BudgetBook(ownkey.house, ann.id, only=ann.id).set("of Ann", limit="3")
    ownkey.house.tokens.create("owner", "laptop")
    entered = SignIn(ownkey.house).by_link(SignIn(ownkey.house).link(ann.id).reveal().decode(), Browser())
    sign_in = SignIn(ownkey.house)
    sign_in.set_password(entered.session, entered.user, "a password of Ann's")
    chat(ownkey, "local/gpt-4o")


def write_config(home: Path, text: str) -> None:
    (home / "config.toml").write_text(text)
    (home / "config.toml").chmod(0o600)


def chat(ownkey: Ownkey, model: str) -> Any:
    blocking = Ownkey(ownkey.settings.home, keychain=False, database_url=ownkey.settings.database_url).blocking()
    with blocking as running:
        return running.chat("Hello", model=model)


def everything(ownkey: Ownkey) -> dict[str, Any]:
    """Every row of every table but the audit trail's, and every file of the home that imports may touch."""
    ownkey.house.store.install.get()
    database = Database(ownkey.settings.database_url)
    found: dict[str, Any] = {}
    with database.reading() as connection:
        for table in metadata.sorted_tables:
            if table.name not in ("audit", "audit_head"):
                found[table.name] = [tuple(row) for row in connection.execute(select(table).order_by(*table.c)).all()]
    database.close()
    home = ownkey.settings.home
    paths = [*home.glob("providers/*"), *home.glob("config.toml"), *home.glob("import-*/**")]
    return found | {str(path.relative_to(home)): path.read_bytes() for path in paths if path.is_file()}


def exported(ownkey: Ownkey, name: str = "all.age", **asked: Any) -> bytes:
    path = ownkey.settings.home.parent / name
    ownkey.parcels.export(path, PASSPHRASE, replace=True, **asked)
    return path.read_bytes()


def plain(data: bytes) -> bytes:
    return b"".join(age.Opened(PASSPHRASE, io.BytesIO(data)).pieces())


def sealed(text: bytes, passphrase: Password = PASSPHRASE) -> bytes:
    return b"".join(age.sealed(passphrase, [text]))


def opened(ownkey: Ownkey, text: bytes, **asked: Any) -> Incoming:
    """What the file would bring that holds this, without the second that its passphrase takes."""
    return Incoming(ownkey.house, "owner", lambda: [text], **asked)


def taken(ownkey: Ownkey, text: bytes, **asked: Any) -> Preview:
    return opened(ownkey, text, **asked).take()


def used(ownkey: Ownkey) -> list[Any]:
    """What was used, by person and model, over all time."""
    return ownkey.house.store.usage.totals(("owner", "model", "key_id"), since_ms=0, until_ms=2**53)
