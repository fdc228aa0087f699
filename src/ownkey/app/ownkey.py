"""`Ownkey`: the whole of it, as a library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from ownkey.app.alerting import AlertBox
from ownkey.app.audit import AuditTrail
from ownkey.app.budgets import BudgetBook
from ownkey.app.choosing import Recommended, compare, recommend
from ownkey.app.granting import GrantBook
from ownkey.app.house import OWNER, House
from ownkey.app.keys import KeyRing
from ownkey.app.parcels import Parcels
from ownkey.app.people import PeopleBook
from ownkey.app.pricing import PriceBook
from ownkey.app.providers import ModelView, Providers
from ownkey.app.safe import Safe
from ownkey.app.tokens import TokenBook
from ownkey.app.usage import UsageBook
from ownkey.engine.answer import Whole
from ownkey.engine.call import Call
from ownkey.engine.embed import EmbedWork
from ownkey.engine.engine import Answer
from ownkey.engine.request import Request, new_id
from ownkey.routing.route import AUTO
from ownkey.settings import load
from ownkey.spending.quote import NoQuote, Quote
from ownkey.talk.chat import Chat, Message, user
from ownkey.talk.embed import Embed, Embedded
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.money import NANO_PER_USD, Money
from ownkey.talk.reply import Event, Receipt, Reply
from ownkey.wires.wire import Door, wire

if TYPE_CHECKING:
    from ownkey.app.blocking import Blocking
    from ownkey.app.foreign.imports import Imports

Messages = str | Chat | Sequence[Message] | Sequence[Mapping[str, Any]]


class Ownkey:
    """Your keys, and everything that they open.

    Use it as an async context, from one event loop; `ownkey.blocking()` gives the same to a script without one.
    `settings` are those of `docs/settings.md`, by name. Raises OwnkeyError and nothing else.

        async with Ownkey() as ownkey:
            reply = await ownkey.chat("Say hello.", model="openai/gpt-4o")
            print(reply.text, reply.receipt.cost)
    """

    def __init__(self, home: str | Path | None = None, *, owner: str = OWNER, **settings: Any) -> None:
        if home is not None:
            settings["home"] = Path(home)
        self.settings = load(**settings)
        self.owner = owner

    @cached_property
    def house(self) -> House:
        """Everything inside; opened when it is first needed."""
        return House(self.settings)

    @cached_property
    def keys(self) -> KeyRing:
        return KeyRing(self.house, self.owner)

    @cached_property
    def imports(self) -> Imports:
        from ownkey.app.foreign.imports import Imports

        return Imports(self.house, self.owner, at_this_machine=self.owner == OWNER)

    @cached_property
    def vault(self) -> Safe:
        return Safe(self.house)

    @cached_property
    def budgets(self) -> BudgetBook:
        return BudgetBook(self.house, self.owner)

    @cached_property
    def prices(self) -> PriceBook:
        return PriceBook(self.house, self.providers, self.owner)

    @cached_property
    def usage(self) -> UsageBook:
        return UsageBook(self.house)

    @cached_property
    def alerts(self) -> AlertBox:
        return AlertBox(self.house, self.owner)

    @cached_property
    def audit(self) -> AuditTrail:
        return AuditTrail(self.house, self.owner)

    @cached_property
    def providers(self) -> Providers:
        return Providers(self.house, self.owner)

    @cached_property
    def parcels(self) -> Parcels:
        return Parcels(self.house, self.owner)

    @cached_property
    def people(self) -> PeopleBook:
        return PeopleBook(self.house)

    @cached_property
    def grants(self) -> GrantBook:
        return GrantBook(self.house)

    @cached_property
    def tokens(self) -> TokenBook:
        return TokenBook(self.house, self.owner)

    async def chat(
        self,
        messages: Messages,
        model: str = "auto",
        *,
        accept_unknown_price: bool = False,
        accept_over_budget: bool = False,
        automation: str | None = None,
        **options: Any,
    ) -> Reply:
        """The whole answer. `messages`: a text, messages in OpenAI's form, or of `ownkey.talk.chat`.

        `model` is `provider/model`, a bare model, `auto`, or several with commas between, to be tried in order.
        `options` are the fields of `Chat`. What it cost stands in `reply.receipt`. `accept_*` says yes beforehand to
        what is otherwise asked about; `automation` names the one that this is a run of, for its budgets and its usage.
        """
        request = self._request(messages, model, options, stream=False)
        request.price_accepted, request.over_accepted = accept_unknown_price, accept_over_budget
        request.automation = automation
        answer = await self._run(request)
        assert isinstance(answer, Whole)
        assert answer.reply is not None
        return answer.reply

    async def stream(
        self,
        messages: Messages,
        model: str = "auto",
        *,
        accept_unknown_price: bool = False,
        accept_over_budget: bool = False,
        automation: str | None = None,
        **options: Any,
    ) -> AsyncGenerator[Event | Receipt, None]:
        """The answer as it comes, event by event; last comes the `Receipt`. Raises where it breaks off."""
        request = self._request(messages, model, options, stream=True)
        request.price_accepted, request.over_accepted = accept_unknown_price, accept_over_budget
        request.automation = automation
        answer = await self._run(request)
        assert not isinstance(answer, Whole)
        try:
            while (events := await answer.next()) is not None:
                assert not isinstance(events, bytes)
                for event in events:
                    yield event
            yield answer.receipt()
        finally:
            answer.close()

    async def embed(
        self,
        texts: str | Sequence[str],
        model: str,
        *,
        dimensions: int | None = None,
        task: str | None = None,
        accept_unknown_price: bool = False,
        accept_over_budget: bool = False,
        automation: str | None = None,
    ) -> Embedded:
        """A vector for each text. `model` is as in `chat`, but for `auto`; `task` what the vectors are for.

        What it cost stands in `receipt`.
        """
        inputs = (texts,) if isinstance(texts, str) else tuple(texts)
        if not inputs:
            raise InvalidRequest("There are no texts to embed.", "Give a text, or at least one.", param="texts")
        if dimensions is not None and dimensions < 1:
            raise InvalidRequest("dimensions must be 1 or more.", param="dimensions")
        work = EmbedWork(embed=Embed(inputs, dimensions, task=task))
        call = Call(new_id(), self.owner, model, work, price_accepted=accept_unknown_price)
        call.over_accepted, call.automation = accept_over_budget, automation
        try:
            vectors = await self.house.engine.call(call)
        except UnicodeEncodeError:
            raise _not_text() from None
        assert vectors.embedded is not None
        return vectors.embedded

    def quote(
        self,
        messages: Messages,
        models: str | Sequence[str],
        *,
        current: str | None = None,
        stream: bool = False,
        automation: str | None = None,
        **options: Any,
    ) -> list[Quote | NoQuote]:
        """What this would cost at each model, before anything is sent: at least, as expected, and at most.

        `messages` and `options` are as in `chat`; `current` is the model that is used now, to be compared with;
        `stream`: it would be asked by `stream`, whose request is a little longer. What is in the way of asking one of
        several stands in its place, as `error`; where none can be asked it is raised.
        """
        from ownkey.app.quoting import quotes

        named = [models] if isinstance(models, str) else list(models)
        request = self._request(messages, named[0] if named else "", options, stream=stream)
        request.automation = automation
        try:
            return quotes(self.house, request, named, current).each
        except UnicodeEncodeError:
            raise _not_text() from None

    def estimate_cost(self, model: str, input_tokens: int, output_tokens: int) -> Money:
        """What so many tokens cost at this model, today. Raises PriceUnknown."""
        return self.providers.estimate_cost(model, input_tokens, output_tokens)

    def recommend_model(
        self, budget_usd: float | Decimal | str, task: str = "chat", *, usable_only: bool = True
    ) -> list[Recommended]:
        """Models for a task (`code`, `reasoning`, `vision`, …) of which one usual request costs so much at most,
        the best first. `usable_only`: of providers that can be asked now. Raises InvalidRequest."""
        try:
            nano_usd = int(Decimal(str(budget_usd)) * NANO_PER_USD)
        except (InvalidOperation, ValueError, OverflowError):
            raise InvalidRequest("A budget is an amount of dollars such as 0.01.", param="budget") from None
        return recommend(self.providers, Money(nano_usd), task, usable_only=usable_only)

    def compare_models(self, *models: str) -> list[ModelView]:
        """What is known of these models, side by side. Raises UnknownModel."""
        return compare(self.providers, models)

    def blocking(self) -> Blocking:
        """The same for a script without an event loop."""
        from ownkey.app.blocking import Blocking

        return Blocking(self)

    def close(self) -> None:
        """For one that asked no provider: let go of the store."""
        if "house" in self.__dict__:
            self.house.close()

    async def aclose(self) -> None:
        """Write down what is still to be written. Nothing can be asked afterwards."""
        if "house" in self.__dict__:
            await self.house.aclose()

    async def __aenter__(self) -> Ownkey:
        await asyncio.to_thread(self.house.open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _run(self, request: Request) -> Answer:
        try:
            return await self.house.engine.run(request)
        except UnicodeEncodeError:
            raise _not_text() from None

    def _request(self, messages: Messages, model: str, options: dict[str, Any], *, stream: bool) -> Request:
        return Request(new_id(), self.owner, model, stream, chat=_chat(messages, options))


def _chat(messages: Messages, options: Mapping[str, Any]) -> Chat:
    try:
        if isinstance(messages, Chat):
            chat = msgspec.structs.replace(messages, **options)
        else:
            chat = Chat(_messages(messages), **options)
    except TypeError as error:
        raise InvalidRequest(f"{error}".replace("Unexpected keyword argument", "There is no option")) from None
    except UnicodeEncodeError:
        raise _not_text() from None
    if chat.max_output_tokens is not None and chat.max_output_tokens < 1:
        raise InvalidRequest("max_output_tokens must be 1 or more.", param="max_output_tokens")
    if not chat.messages:
        raise InvalidRequest("There is nothing to ask.", "Give a text, or at least one message.", param="messages")
    return chat


def _not_text() -> InvalidRequest:
    """Python's text may hold what no encoding can carry, such as bytes that were not UTF-8 in the arguments."""
    return InvalidRequest("The messages are not text: they hold half a surrogate pair.", param="messages")


def _messages(messages: str | Sequence[Message] | Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    if isinstance(messages, str):
        return (user(messages),)
    if all(isinstance(message, Message) for message in messages):
        return tuple(message for message in messages if isinstance(message, Message))
    door = wire("openai-chat")
    assert isinstance(door, Door)
    body = msgspec.json.encode({"model": AUTO, "messages": messages})
    return door.read_chat(door.read_ask(body)).messages
