"""Ownkey for scripts that have no event loop: a loop on a thread of its own, and the same calls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from types import TracebackType
from typing import Any, TypeVar

from ownkey.app.alerting import AlertBox
from ownkey.app.audit import AuditTrail
from ownkey.app.automations.book import AutomationBook, Run
from ownkey.app.budgets import BudgetBook
from ownkey.app.caching import CacheBook
from ownkey.app.consent import ConsentBook
from ownkey.app.history import HistoryBook
from ownkey.app.keys import DEFAULT, KeyRing, Stored
from ownkey.app.ownkey import Messages, Ownkey
from ownkey.app.preferences import PreferenceBook
from ownkey.app.providers import ModelView, Providers
from ownkey.app.routes import RouteBook
from ownkey.app.trying import Tested
from ownkey.spending.quote import NoQuote, Quote
from ownkey.talk.embed import Embedded
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.money import Money
from ownkey.talk.reply import Event, Receipt, Reply

Result = TypeVar("Result")


class Blocking:
    """Made by `Ownkey.blocking()`. Close it, or use it in a `with`: what is still to be written is written then."""

    def __init__(self, ownkey: Ownkey) -> None:
        self._ownkey = ownkey
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ownkey", daemon=True)
        self._thread.start()
        self.run(ownkey.__aenter__())

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of any of Ownkey's coroutines. Interrupted, it is cancelled, and settles what it held."""
        if self._loop.is_closed():
            work.close()
            raise InvalidRequest("This Ownkey is closed.", "Make another one.")
        ended = threading.Event()
        tasks: list[asyncio.Task[Result]] = []

        def begin() -> None:
            tasks.append(self._loop.create_task(work))
            tasks[0].add_done_callback(lambda _: ended.set())

        def give_up() -> None:
            # What was scheduled before has begun by now.
            for task in tasks:
                task.cancel()
            if not tasks:
                work.close()
                ended.set()

        try:
            self._loop.call_soon_threadsafe(begin)
            ended.wait()
        except BaseException:
            # It has to have ended before anything else is done with what it was working on.
            self._loop.call_soon_threadsafe(give_up)
            ended.wait()
            raise
        return tasks[0].result()

    def chat(self, messages: Messages, model: str = "auto", **options: Any) -> Reply:
        """As `Ownkey.chat`."""
        return self.run(self._ownkey.chat(messages, model, **options))

    def stream(self, messages: Messages, model: str = "auto", **options: Any) -> Iterator[Event | Receipt]:
        """As `Ownkey.stream`."""
        events = self._ownkey.stream(messages, model, **options)
        try:
            while True:
                try:
                    yield self.run(anext_of(events))
                except StopAsyncIteration:
                    return
        finally:
            self.run(events.aclose())

    def embed(self, texts: str | Sequence[str], model: str, **options: Any) -> Embedded:
        """As `Ownkey.embed`."""
        return self.run(self._ownkey.embed(texts, model, **options))

    def quote(self, messages: Messages, models: str | Sequence[str], **options: Any) -> list[Quote | NoQuote]:
        """As `Ownkey.quote`."""
        return self._ownkey.quote(messages, models, **options)

    def estimate_cost(self, model: str, input_tokens: int, output_tokens: int) -> Money:
        """As `Ownkey.estimate_cost`."""
        return self._ownkey.estimate_cost(model, input_tokens, output_tokens)

    def add_key(self, provider: str, key: str, label: str = DEFAULT, **terms: Any) -> Stored:
        """As `Ownkey.keys.add`."""
        return self.run(self._ownkey.keys.add(provider, key, label, **terms))

    def test_key(self, provider: str, label: str | None = None) -> Tested:
        """As `Ownkey.keys.test`."""
        return self.run(self._ownkey.keys.test(provider, label))

    def run_automation(self, name: str, *given: Any, **options: Any) -> Run:
        """As `Ownkey.automations.run`."""
        return self.run(self._ownkey.automations.run(name, *given, **options))

    def refresh_models(self, provider: str) -> list[ModelView]:
        """As `Ownkey.providers.refresh_models`."""
        return self.run(self._ownkey.providers.refresh_models(provider))

    @property
    def keys(self) -> KeyRing:
        return self._ownkey.keys

    @property
    def routes(self) -> RouteBook:
        return self._ownkey.routes

    @property
    def automations(self) -> AutomationBook:
        return self._ownkey.automations

    @property
    def budgets(self) -> BudgetBook:
        return self._ownkey.budgets

    @property
    def alerts(self) -> AlertBox:
        return self._ownkey.alerts

    @property
    def audit(self) -> AuditTrail:
        return self._ownkey.audit

    @property
    def history(self) -> HistoryBook:
        return self._ownkey.history

    @property
    def cache(self) -> CacheBook:
        return self._ownkey.cache

    @property
    def preferences(self) -> PreferenceBook:
        return self._ownkey.preferences

    @property
    def consents(self) -> ConsentBook:
        return self._ownkey.consents

    @property
    def providers(self) -> Providers:
        return self._ownkey.providers

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self.run(self._ownkey.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Blocking:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def anext_of(events: Any) -> Event | Receipt:
    """One event; a coroutine, as a loop on another thread wants it."""
    return await anext(events)
