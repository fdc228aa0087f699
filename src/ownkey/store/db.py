"""The store: one door to everything that is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from ownkey.spending.catalogue import Prices
from ownkey.store.alerts import Alerts
from ownkey.store.audit import Audit, Sinks
from ownkey.store.audit_chain import AuditKey
from ownkey.store.automations import Automations
from ownkey.store.batch_parts import BatchParts
from ownkey.store.batches import Batches
from ownkey.store.book import Book
from ownkey.store.budgets import BudgetTable
from ownkey.store.cached import Cached
from ownkey.store.catalogues import Catalogues
from ownkey.store.choices import Choices, Places
from ownkey.store.connect import Database
from ownkey.store.consents import ConsentTable
from ownkey.store.first import FirstSteps
from ownkey.store.grants import Grants
from ownkey.store.history import History
from ownkey.store.install import Install
from ownkey.store.keys import Keys
from ownkey.store.learned import LearnedTable
from ownkey.store.limits import LimitTable
from ownkey.store.models import Models
from ownkey.store.page_tokens import PageTokens
from ownkey.store.parcel import Parcel
from ownkey.store.passkeys import Passkeys
from ownkey.store.people import People
from ownkey.store.preferences import PreferenceTable
from ownkey.store.prices import PriceTable
from ownkey.store.recent import Recent
from ownkey.store.remembered import Kept, MemoryTerms
from ownkey.store.rotation import Rotations
from ownkey.store.routes import Routes
from ownkey.store.runs import Runs
from ownkey.store.schema import make_ready
from ownkey.store.sessions import Sessions, SignIns, Tickets
from ownkey.store.signs import Signs
from ownkey.store.tokens import Tokens
from ownkey.store.tries import LastTries
from ownkey.store.uploads import Uploads
from ownkey.store.usage import Usage
from ownkey.talk.errors import StorageUnavailable


class Store:
    """Safe to use from many threads and event loops, and by many processes on one database.

    Every call may raise StorageUnavailable. All of them block but those of `book` that say otherwise.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.book = Book(database)
        self.parked = Book(database, parked=True)
        self.budgets = BudgetTable(database)
        self.prices = PriceTable(database)
        self.catalogues = Catalogues(database)
        self.usage = Usage(database)
        self.history = History(database)
        self.alerts = Alerts(database)
        self.last_tries = LastTries(database)
        self.runs = Runs(database)
        self.signs = Signs(database)
        self.keys = Keys(database)
        self.limits = LimitTable(database)
        self.recent = Recent(database, lambda: self.book.holder)
        self.choices = Choices(database)
        self.places = Places(database)
        self.tokens = Tokens(database)
        self.page_tokens = PageTokens(database)
        self.people = People(database)
        self.grants = Grants(database)
        self.first_steps = FirstSteps(database)
        self.preferences = PreferenceTable(database)
        self.consents = ConsentTable(database)
        self.automations = Automations(database)
        self.passkeys = Passkeys(database)
        self.sessions = Sessions(database)
        self.tickets = Tickets(database)
        self.sign_ins = SignIns(database)
        self.models = Models(database)
        self.routes = Routes(database)
        self.learned = LearnedTable(database)
        self.install = Install(database)
        self.parcel = Parcel(database)
        self.rotations = Rotations(database)
        self.memory_terms = MemoryTerms(database)
        self.kept = Kept(database)
        self.cached = Cached(database)
        self.uploads = Uploads(database)
        self.batches = Batches(database)
        self.batch_parts = BatchParts(database, self.batches)
        self._audit: Audit | None = None

    @classmethod
    def open(cls, url: str) -> Store:
        """The database of that URL, made or brought up to date where that is needed.

        Raises BadConfiguration where the URL cannot be read or the schema is newer than this program, and
        StorageUnavailable where the database does not answer, is damaged, or is not Ownkey's.
        """
        database = Database(url)
        try:
            make_ready(database)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def audited(self, keys: Callable[[], Sequence[AuditKey]], home: Path, sinks: Sinks) -> Audit:
        """The audit trail, sealed with these keys. What `home` remembers of it is for this install alone."""
        self._audit = Audit(self._database, keys, home / f"audit-{self.install.get().id[:8]}.anchor", sinks)
        return self._audit

    def sharing(self) -> AbstractContextManager[None]:
        """In here whatever this thread reads, it reads over one connection to the database."""
        return self._database.sharing()

    def bring(self, prices: Prices) -> None:
        """Bring `prices` up to date: the catalogue in use, and the owner's own."""
        self.catalogues.follow(prices)
        prices.override(self.prices.all())

    def problems(self) -> list[str]:
        """What is wrong with the database; nothing where it is whole. Reads all of a SQLite file.

        PostgreSQL looks after its own files: of it only an answer is asked.
        """
        check = "SELECT 'ok'" if self._database.file is None else "PRAGMA integrity_check(10)"
        try:
            with self._database.reading() as connection:
                said = connection.exec_driver_sql(check).scalars().all()
        except StorageUnavailable as error:
            return [error.message]
        return [line for line in said if line != "ok"]

    def close(self) -> None:
        """What was enqueued in book and audit trail is on disk when this returns, if the database answers."""
        if self._audit is not None:
            self._audit.close()
        self.batches.close()
        self.parked.close()
        self.book.close()
        self._database.close()
