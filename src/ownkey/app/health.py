"""Is everything as it should be: what `ownkey doctor` looks at."""

from __future__ import annotations

import sqlite3
import stat
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from ownkey.app import startup, watching
from ownkey.app.alerting import now_ms
from ownkey.app.keys import DEFAULT
from ownkey.app.safe import SOURCES
from ownkey.app.standing import state_of
from ownkey.engine.target import locate
from ownkey.store.audit_verify import glance
from ownkey.talk.errors import OwnkeyError

if TYPE_CHECKING:
    from ownkey.app.house import House


PRICE_ALERTS = ("price_changed", "price_missing")
MOST_MESSAGES = 5


class Finding(Struct, frozen=True):
    """`state`: `ok`, `look` (worth a look), or `wrong`."""

    about: str
    state: Literal["ok", "look", "wrong"]
    says: str


def examine(house: House, owner: str) -> Iterator[Finding]:
    """Looks at one thing after the other; nothing is changed, and nobody is asked."""
    version = sys.version.split()[0]
    yield Finding("python", "ok", f"{version}, SQLite {sqlite3.sqlite_version}")
    yield from _start()
    yield _home(house)
    yield from _database(house)
    yield _vault(house)
    yield _audit(house)
    yield from _provider_files(house)
    yield from _wires(house)
    yield from _prices(house, owner)
    yield from _keys(house, owner)


def _start() -> Iterator[Finding]:
    """What runs before Ownkey does, in the process that opens keys."""
    found = startup.unknown()
    for path in found:
        yield Finding(
            "start", "look", f"{path} is run or read whenever Python starts; no installed package brought it so"
        )
    if not found:
        yield Finding("start", "ok", "nothing runs before Ownkey but what installed packages brought")


def _home(house: House) -> Finding:
    home = house.settings.home
    mode = stat.S_IMODE(home.stat().st_mode)
    if mode & 0o077:
        return Finding("home", "wrong", f"{home} can be read by others. Mend it: chmod 700 '{home}'")
    return Finding("home", "ok", str(home))


def _database(house: House) -> Iterator[Finding]:
    problems = house.store.problems()
    if problems:
        yield Finding("database", "wrong", "; ".join(problems[:3]))
    else:
        yield Finding("database", "ok", "whole")
    pending = sum(total.pending_nano > 0 for total in house.store.book.totals())
    yield Finding("book", "ok", f"{pending} models with money held at this moment" if pending else "nothing is held")


def _vault(house: House) -> Finding:
    reason = house.vault.sealed_reason
    if reason:
        return Finding("vault", "wrong", reason)
    return Finding(
        "vault", "ok", f"open; the root key comes from {SOURCES.get(house.vault.root_source, 'nowhere yet')}"
    )


def _audit(house: House) -> Finding:
    wrong = glance(house.audit)
    if wrong is not None:
        return Finding("audit trail", "wrong", f"{wrong} See `ownkey audit verify`.")
    return Finding("audit trail", "ok", f"{house.audit.trail.head().count} records; `ownkey audit verify` reads them")


def _provider_files(house: House) -> Iterator[Finding]:
    count = len(house.catalogue.all())
    for problem in house.catalogue.problems:
        yield Finding("provider file", "wrong", str(problem))
    yield Finding("providers", "ok", f"{count} known")


def _wires(house: House) -> Iterator[Finding]:
    """Those of other packages: their code runs where keys are."""
    for name in house.settings.wires:
        if name in house.wires:
            yield Finding("wires", "ok", f"{name}, of another package, as OWNKEY_WIRES says")
        else:
            yield Finding("wires", "wrong", f"OWNKEY_WIRES names {name}, which no package brings")


def _prices(house: House, owner: str) -> Iterator[Finding]:
    """Which catalogue is in use, and what has become of the prices of models in use."""
    house.store.bring(house.prices)
    last = house.store.catalogues.last()
    if house.prices.problem is not None:
        yield Finding("prices", "wrong", f"{house.prices.problem} Fetch them again: ownkey prices refresh")
    elif last is None or not last.used:
        yield Finding("prices", "ok", f"{house.prices.shipped.source}, as they came with Ownkey")
    else:
        taken = next((one for one in house.store.catalogues.listed() if one.number == last.used), last)
        yield Finding("prices", "ok", f"of {taken.day}, from {taken.source}")
        if taken.shipped != house.prices.shipped.source:
            newer = f"since then Ownkey brought {house.prices.shipped.source} in place of {taken.shipped}"
            yield Finding("prices", "look", f"{newer}: ownkey prices refresh, or ownkey prices revert --shipped")
    untold = [alert.message for alert in watching.prices(house, now_ms())]
    told = [alert.message for alert in house.store.alerts.listed(owner) if alert.kind in PRICE_ALERTS]
    messages = list(dict.fromkeys((*untold, *told)))
    for message in messages[:MOST_MESSAGES]:
        yield Finding("prices", "look", message)
    if len(messages) > MOST_MESSAGES:
        yield Finding("prices", "look", f"{len(messages) - MOST_MESSAGES} more prices have changed: ownkey alerts")


def _keys(house: House, owner: str) -> Iterator[Finding]:
    rows = house.vault.listed(owner)
    if not rows:
        yield Finding("keys", "look", "none stored yet: ownkey keys set PROVIDER")
    for row in rows:
        about = f"key {row.provider}" if row.label == DEFAULT else f"key {row.provider}/{row.label}"
        try:
            provider = house.catalogue.get(row.provider)
            origin, _ = locate(provider, "models", house.store.choices.get(row.provider))
            house.vault.open_this(row, origin)
        except OwnkeyError as error:
            yield Finding(about, "wrong", str(error))
        else:
            if house.private_hosts.refuse(origin):
                place = f"{origin.bracketed}:{origin.port}"
                yield Finding(about, "wrong", f"{place} is not in OWNKEY_ALLOW_PRIVATE_HOSTS")
                continue
            state, why = state_of(house, row, now_ms())
            says = f"{row.masked} for {row.origin}"
            yield Finding(about, "ok", says) if state == "ready" else Finding(about, "look", f"{says}: {why or state}")
