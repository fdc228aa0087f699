"""Everything, built once and put together."""

from __future__ import annotations

import asyncio
import atexit
import logging
from collections.abc import Collection, Iterator
from pathlib import Path

from msgspec import structs

from ownkey.app.parcel_home import recover
from ownkey.app.waiting import WaitingRoom
from ownkey.catalog.load import Catalogue
from ownkey.engine.choosing import Chooser
from ownkey.engine.discover import Discovery
from ownkey.engine.engine import Engine
from ownkey.engine.environment import EnvironmentKeys
from ownkey.engine.lessons import Lessons
from ownkey.engine.remember import Memory
from ownkey.engine.remote import Remote
from ownkey.engine.targets import Targets
from ownkey.engine.turns import Pace, Turns
from ownkey.engine.uses import KeyUses
from ownkey.routing.health import Conditions
from ownkey.routing.plan import Policy
from ownkey.routing.speed import Speeds
from ownkey.settings import Settings
from ownkey.simulate.demo import demo
from ownkey.spending.catalogue import Prices
from ownkey.store.audit import Sinks
from ownkey.store.audit_file import SystemLog, TrailFile
from ownkey.store.audit_verify import glance
from ownkey.store.db import Store
from ownkey.store.keys import KeyRow
from ownkey.talk.errors import BadConfiguration, OwnkeyError
from ownkey.talk.origin import Origin
from ownkey.talk.ready import make_ready
from ownkey.talk.secret import REDACTED, Secret
from ownkey.transport import Deadlines, Transport
from ownkey.transport.addresses import is_global, is_metadata, parse
from ownkey.vault.page_tokens import PageTokens
from ownkey.vault.personal import PersonalKeys
from ownkey.vault.tokens import Tokens
from ownkey.vault.vault import Vault
from ownkey.wires.wire import wire_names

OWNER = "owner"
"""The person whose machine it is."""

SETTLED = (
    *("order", "fallback", "retries", "retry_delay_s", "retry_max_delay_s", "retry_multiplier", "budget_wait_s"),
    *("retry_longest_wait_s", "first_token_timeout_s", "requests_per_minute", "rate_limit_wait_s", "probe_every_s"),
    *("connect_timeout_s", "headers_timeout_s", "idle_timeout_s", "total_timeout_s", "allow_private_hosts"),
    *("page_origins", "log_level"),
)
"""The settings that a running gateway takes over."""

RECALLED = 500
"""Rows of the book from which the speed of targets is known again at the start."""

_log = logging.getLogger("ownkey")


class House:
    """Opens the store under `settings.home`. Raises StorageUnavailable or BadConfiguration where that cannot be."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        make_ready()
        _make_home(settings.home)
        self.store = Store.open(settings.database_url)
        # What a program that forgets to close has spent would stand in the book as a crash: assumed, in full.
        atexit.register(self.store.close)
        recover(settings.home, self.store.parcel.was_taken)
        self.wires = wire_names(settings.wires)
        self.catalogue = Catalogue(settings.home / "providers", wires=self.wires)
        environment = EnvironmentKeys(OWNER, self.catalogue, self.store.choices, self.store.grants)
        self.vault = Vault(self.store, settings, environment if settings.environment_keys else None)
        atexit.register(self.vault.notes.close)
        sinks = Sinks(
            TrailFile(settings.audit_file) if settings.audit_file else None,
            SystemLog(settings.audit_syslog) if settings.audit_syslog else None,
        )
        self.audit = self.store.audited(self.vault.audit_keys, settings.home, sinks)
        self.vault.tell_unreadable = self._tell_unreadable
        self.tokens = Tokens(self.store, self.audit)
        self.page_tokens = PageTokens(self.store, self.audit)
        self.prices = Prices.load(settings.home / "cache")
        self.store.bring(self.prices)
        self.private_hosts = PrivateHosts(settings.allow_private_hosts, self.catalogue)
        self.transport = Transport(allow_private=self.private_hosts, inside={"demo": demo})
        self.uses = KeyUses(self.audit)
        self.discovery = Discovery(store=self.store, vault=self.vault, transport=self.transport, uses=self.uses)
        self.remote = Remote(store=self.store, vault=self.vault, transport=self.transport, uses=self.uses)
        self.targets = Targets(
            catalogue=self.catalogue,
            store=self.store,
            vault=self.vault,
            prices=self.prices,
            order=settings.order,
            fallback=settings.fallback,
        )
        self.personal_keys = PersonalKeys(self.store, self.vault, "memory")
        self.result_keys = PersonalKeys(self.store, self.vault, "runs")
        self.memory = Memory(self.store, self.personal_keys, settings.cache_size_mb << 20)
        atexit.register(self.memory.close)
        self.conditions = Conditions()
        self.turns = Turns(self.store.limits.rules, self.store.recent, _pace(settings))
        self.speeds = Speeds()
        self.lessons = Lessons(self.store.learned)
        self.chooser = Chooser(speeds=self.speeds, lessons=self.lessons, conditions=self.conditions)
        self.waiting = WaitingRoom()
        self.models_asked: dict[tuple[str, str], float] = {}
        self.engine = Engine(
            targets=self.targets,
            vault=self.vault,
            book=self.store.book,
            transport=self.transport,
            prices=self.prices,
            audit=self.audit,
            uses=self.uses,
            turns=self.turns,
            budgets=self.store.budgets,
            memory=self.memory,
            consents=self.store.consents,
            preferences=self.store.preferences,
            budget_wait_s=settings.budget_wait_s,
            policy=_policy(settings),
            conditions=self.conditions,
            chooser=self.chooser,
            deadlines=_deadlines(settings),
        )

    def open(self) -> None:
        """End the holds of processes that died, and open the vault, which may take seconds.

        A sealed vault is no reason not to start: what needs no key works, and the rest says what is wrong.
        """
        self.store.book.sweep()
        self.memory.sweep()
        self.recall()
        if self.vault.status == "open":
            self.audit.later("vault.opened", self.vault.root_source)
            if (wrong := glance(self.audit)) is not None:
                _log.error("%s See `ownkey audit verify`.", wrong)

    def recall(self, owner: str | None = None) -> None:
        """How fast targets have answered, from the newest rows of the book, everybody's or one person's."""
        rows = [row for row in self.store.book.rows(limit=RECALLED, owner=owner) if row.stream and row.error is None]
        for row in reversed(rows):
            if row.state == "exact" and row.first_ms is not None:
                name = f"{row.provider}/{row.model}"
                self.speeds.note(name, row.first_ms, row.total_ms or 0, row.output_tokens)

    def _tell_unreadable(self, row: KeyRow) -> None:
        _log.error("The key %s for %s does not open: it was changed in the database.", row.label, row.provider)
        told = {"provider": row.provider, "label": row.label, "owner": row.owner, "key": REDACTED}
        self.audit.later("key.unreadable", row.id, detail=told)

    def settle(self, settings: Settings) -> list[str]:
        """Go on with these, from the next request on; the names of those that changed and wait for a new start."""
        changed = [name for name in Settings.__struct_fields__ if not _same(settings, self.settings, name)]
        self.targets.settle(settings.order, settings.fallback)
        self.engine.settle(_policy(settings), _deadlines(settings), settings.budget_wait_s)
        self.turns.settle(_pace(settings))
        self.private_hosts.settle(settings.allow_private_hosts)
        self.catalogue.refresh()
        known = {name: getattr(settings, name) for name in SETTLED}
        self.settings = structs.replace(self.settings, **known)
        return [name for name in changed if name not in SETTLED]

    def close(self) -> None:
        """Write down what is still to be written, and let go of the store."""
        atexit.unregister(self.memory.close)
        atexit.unregister(self.vault.notes.close)
        atexit.unregister(self.store.close)
        self.memory.close()
        self.vault.notes.close()
        self.lessons.close()
        self.store.close()

    async def aclose(self) -> None:
        """The same, and let go of the connections to providers, which belong to this event loop."""
        await self.transport.aclose()
        await asyncio.to_thread(self.close)


def _same(one: Settings, other: Settings, name: str) -> bool:
    before, after = getattr(one, name), getattr(other, name)
    if isinstance(before, Secret) and isinstance(after, Secret):
        return before.reveal() == after.reveal()
    return before == after


def _policy(settings: Settings) -> Policy:
    return Policy(
        retries=settings.retries,
        delay_s=settings.retry_delay_s,
        max_delay_s=settings.retry_max_delay_s,
        multiplier=settings.retry_multiplier,
        longest_wait_s=settings.retry_longest_wait_s,
        first_s=settings.first_token_timeout_s,
        total_s=settings.total_timeout_s,
    )


def _pace(settings: Settings) -> Pace:
    return Pace(settings.requests_per_minute, settings.rate_limit_wait_s)


def _deadlines(settings: Settings) -> Deadlines:
    return Deadlines(
        connect_s=settings.connect_timeout_s,
        headers_s=settings.headers_timeout_s,
        idle_s=settings.idle_timeout_s,
        total_s=settings.total_timeout_s,
    )


def _make_home(home: Path) -> None:
    """For its owner only, wherever the records are kept; one that is there is left as it is."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BadConfiguration(
            f"The data folder {home} cannot be made: {error.strerror}.", "Set OWNKEY_HOME to a folder of your own."
        ) from None


class PrivateHosts(Collection[tuple[str, int]]):
    """Private addresses that may be spoken to: those in the settings, and where local providers' files say they are.

    A file in the providers folder is its owner's word, though not for the metadata service of a cloud; an endpoint set
    for a cloud provider is not enough.
    """

    def refuse(self, origin: Origin) -> bool:
        """Whether it is plain without asking the DNS that no connection to this origin will be made."""
        if origin.scheme == "inside" or (origin.host, origin.port) in self:
            return False
        numbered = parse(origin.host) is not None and not is_global(origin.host)
        return origin.scheme != "https" or numbered or origin.host == "localhost"

    def __init__(self, settled: Collection[tuple[str, int]], catalogue: Catalogue) -> None:
        self._settled = settled
        self._catalogue = catalogue

    def settle(self, settled: Collection[tuple[str, int]]) -> None:
        self._settled = settled

    def _all(self) -> set[tuple[str, int]]:
        found = set(self._settled)
        for provider in self._catalogue.all():
            if provider.kind == "local":
                try:
                    origin, _ = Origin.parse(provider.base_url)
                except OwnkeyError:
                    continue
                if not is_metadata(origin.host):
                    found.add((origin.host, origin.port))
        return found

    def __contains__(self, host: object) -> bool:
        return host in self._all()

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())
