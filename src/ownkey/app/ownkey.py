"""`Ownkey`: the whole of it, as a library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import structs

from ownkey.app.books import Books
from ownkey.app.caching import cache_wish
from ownkey.app.choosing import Recommended, compare, recommend
from ownkey.app.consent import complete, said_yes
from ownkey.app.house import OWNER
from ownkey.app.providers import ModelView
from ownkey.engine.answer import AnyStream, Whole
from ownkey.engine.call import Call
from ownkey.engine.embed import EmbedWork
from ownkey.engine.request import Request, new_id
from ownkey.routing.route import AUTO
from ownkey.settings import load
from ownkey.spending.quote import NoQuote, Quote
from ownkey.talk.chat import Chat, Message, user
from ownkey.talk.embed import Embed, Embedded
from ownkey.talk.errors import ConsentRequired, InvalidRequest
from ownkey.talk.money import NANO_PER_USD, Money
from ownkey.talk.reply import Event, Receipt, Reply
from ownkey.vault.consent import Asked
from ownkey.wires.wire import Door, wire

if TYPE_CHECKING:
    from ownkey.app.blocking import Blocking

Ask = Callable[[ConsentRequired], bool | Literal["always"] | Awaitable[bool | Literal["always"]]]
"""Whether to go on; `always`: and not to be asked about it again for thirty days."""

Messages = str | Chat | Sequence[Message] | Sequence[Mapping[str, Any]]


class Ownkey(Books):
    """Your keys, and everything that they open.

    Use it as an async context, from one event loop; `ownkey.blocking()` gives the same to a script without one.
    `settings` are those of `docs/settings.md`, by name; `ask` answers where a person has to say yes first.
    Raises OwnkeyError and nothing else.

        async with Ownkey() as ownkey:
            reply = await ownkey.chat("Say hello.", model="openai/gpt-4o")
            print(reply.text, reply.receipt.cost)
    """

    def __init__(
        self, home: str | Path | None = None, *, owner: str = OWNER, ask: Ask | None = None, **settings: Any
    ) -> None:
        if home is not None:
            settings["home"] = Path(home)
        self.settings = load(**settings)
        self.owner = owner
        self._ask = ask or _nobody

    async def chat(
        self,
        messages: Messages,
        model: str = "auto",
        *,
        accept_unknown_price: bool = False,
        accept_over_budget: bool = False,
        automation: str | None = None,
        cache: bool | int | None = None,
        consent: str | None = None,
        ask: Ask | None = None,
        **options: Any,
    ) -> Reply:
        """The whole answer. `messages`: a text, messages in OpenAI's form, or of `ownkey.talk.chat`.

        `model` is `provider/model`, a bare model, `auto`, or several with commas between, to be tried in order.
        `options` are the fields of `Chat`. What it cost stands in `reply.receipt`. `accept_*` says yes beforehand to
        what is otherwise asked about; `automation` names the one that this is a run of, for its budgets and its usage.
        `cache`: whether an answer to the same may be given again, or for how many seconds; None: as is set.

        Where a person has to say yes first, `ask` is called with the ConsentRequired, and says whether; else that is
        raised, and `consent` is its token, with which the same is asked again.
        """
        request = self._request(messages, model, options, stream=False)
        request.price_accepted, request.over_accepted = accept_unknown_price, accept_over_budget
        request.automation = automation
        request.cache, request.cache_ttl_s = cache_wish(cache)
        answer = await self._run(request, consent, ask)
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
        carry_on: bool | None = None,
        cache: bool | int | None = None,
        consent: str | None = None,
        ask: Ask | None = None,
        **options: Any,
    ) -> AsyncGenerator[Event | Receipt, None]:
        """The answer as it comes, event by event; last comes the `Receipt`. Where it breaks off, another target goes on
        with it, unless `carry_on`, or else the route that is asked for, says not; its `Finish` names all. Raises where
        it breaks off and nobody goes on. `consent` and `ask` are as in `chat`; once something has come nobody is asked,
        and ConsentRequired is raised."""
        request = self._request(messages, model, options, stream=True)
        request.carries, request.carry_said = carry_on is not False, carry_on is not None
        request.price_accepted, request.over_accepted = accept_unknown_price, accept_over_budget
        request.automation = automation
        request.cache, request.cache_ttl_s = cache_wish(cache)
        answer = await self._run(request, consent, ask)
        assert not isinstance(answer, Whole)
        try:
            while (events := await answer.next()) is not None:
                assert not isinstance(events, bytes)
                for event in events:
                    yield event
            yield answer.receipt()
        except ConsentRequired as error:
            complete(self.house, error, _asked(request), request)
            raise
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

    async def _run(self, request: Request, consent: str | None, ask: Ask | None) -> Whole | AnyStream:
        if consent is not None:
            request.yes = said_yes(self.house, _asked(request), consent.encode())
        while True:
            try:
                return await self.house.engine.run(request)
            except UnicodeEncodeError:
                raise _not_text() from None
            except ConsentRequired as error:
                asked = error
            await asyncio.to_thread(complete, self.house, asked, _asked(request), request)
            said = (ask or self._ask)(asked)
            if isinstance(said, Awaitable):
                said = await said
            if not said or not asked.reasons:
                raise asked
            if said == "always":
                self.consents.remember(asked.reasons)
            yes = request.yes | {reason.mark for reason in asked.reasons}
            # The book has each try of a request once.
            request = structs.replace(request, id=new_id(), yes=yes)

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


def _nobody(asked: ConsentRequired) -> bool:
    return False


def _asked(request: Request) -> Asked:
    digest = sha256(msgspec.msgpack.encode((request.model, request.automation, request.as_chat()))).digest()
    return Asked(request.owner, None, digest)


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
