"""One request of a run and its answer: asked by a schema where there is one, checked, and once asked to mend it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, structs

from ownkey.app.automations.answer import Schema, json_in
from ownkey.engine.answer import Whole
from ownkey.engine.purse import Purse
from ownkey.engine.request import Request
from ownkey.routing.scope import Scope
from ownkey.talk.chat import Chat, JsonOutput, Message, Part, Text, system, user
from ownkey.talk.errors import (
    BudgetExceeded,
    ConsentRequired,
    ContentRefused,
    OwnkeyError,
    RequestRefused,
    UnexpectedResponse,
    Unsupported,
)
from ownkey.talk.reply import Collector, Reply

if TYPE_CHECKING:
    from ownkey.app.house import House

ONLY_JSON = "Answer with JSON only, without any word before or after it. It fits this JSON Schema:\n"


class Asker(Struct, frozen=True):
    """Who asks, for which automation, and what they said yes to. `token_id` and `scope` are of a gateway's token."""

    owner: str
    automation: str
    token_id: str | None = None
    scope: Scope | None = None
    price_accepted: bool = False
    over_accepted: bool = False

    def request(self, id: str, model: str, chat: Chat, *, stream: bool = False, purse: Purse | None = None) -> Request:
        return Request(
            id,
            self.owner,
            model,
            stream,
            token_id=self.token_id,
            chat=chat,
            price_accepted=self.price_accepted,
            over_accepted=self.over_accepted,
            automation=self.automation,
            scope=self.scope,
            carries=stream,
            purse=purse,
        )


class Answered(Struct):
    """What came of one request, of its mending too."""

    value: Any = None
    faults: tuple[str, ...] = ()
    cost_nano: int | None = 0
    took_ms: int = 0
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    model: str = ""


def chat_of(
    instruction: str, prompt: str, parts: tuple[Part, ...], schema: Schema | None, most: int | None, *, told: bool
) -> Chat:
    """`told`: the schema goes to the provider too, and not to the model alone."""
    before = instruction.strip()
    if schema is not None:
        before = f"{before}\n\n{ONLY_JSON}{msgspec.json.encode(schema.schema).decode()}".strip()
    said = Message("user", (Text(prompt), *parts))
    output = JsonOutput(schema.schema, name="answer") if schema is not None and told else None
    return Chat((system(before), said) if before else (said,), max_output_tokens=most, output=output)


class Line:
    """The requests of one run, one after the other: their ids begin with the run's, so that the book knows them."""

    def __init__(self, house: House, asker: Asker, run: str, purse: Purse | None) -> None:
        self._house = house
        self._asker = asker
        self._run = run
        self._purse = purse
        self._number = 0

    async def ask(self, model: str, chat: Chat, schema: Schema | None, further: Callable[[Any], list[str]]) -> Answered:
        """`further`: what is wrong with an answer that fits the schema. Raises where nobody answers, and
        UnexpectedResponse where no answer can be read."""
        answered, started_s = Answered(), time.monotonic()
        reply = await self._answer(model, chat, answered)
        value, faults = _value(reply, schema, further)
        if faults:
            mended = await self._mended(model, chat, reply, faults, answered)
            if mended is not None:
                again, wrong = _value(mended, schema, further)
                reply = mended if value is None else reply
                if again is not None and (value is None or len(wrong) <= len(faults)):
                    value, faults = again, wrong
        if value is None:
            raise UnexpectedResponse(f"The answer is not what was asked for: {_why(reply)}.", "Choose a larger model.")
        answered.value, answered.faults = value, tuple(faults)
        answered.took_ms = int((time.monotonic() - started_s) * 1000)
        return answered

    async def _mended(
        self, model: str, chat: Chat, reply: Reply, faults: list[str], answered: Answered
    ) -> Reply | None:
        """What it says to its faults; None where that is not paid for, or nobody answers any more."""
        wrong = "\n".join(f"- {fault}" for fault in faults)
        says = f"That answer is not right:\n{wrong}\nGive the whole answer again, mended."
        before = Message("assistant", (Text(reply.text or "-"),))
        try:
            return await self._answer(
                model, structs.replace(chat, messages=(*chat.messages, before, user(says))), answered
            )
        except OwnkeyError:
            return None

    async def _answer(self, model: str, chat: Chat, answered: Answered) -> Reply:
        try:
            reply = await self._reply(model, chat)
        except (Unsupported, RequestRefused):
            if chat.output is None:
                raise
            # Some say that they take a schema, and do not take this one: the model has read it anyway.
            reply = await self._reply(model, structs.replace(chat, output=None))
        receipt, usage = reply.receipt, reply.usage
        assert receipt is not None
        answered.model = f"{receipt.provider}/{receipt.model}"
        answered.cost_nano = _sum(answered.cost_nano, receipt.cost.nano_usd if receipt.cost is not None else None)
        answered.input_tokens = _sum(answered.input_tokens, usage.input_tokens)
        answered.output_tokens = _sum(answered.output_tokens, usage.output_tokens)
        if reply.refusal and not reply.text:
            raise ContentRefused("The model refuses to answer.", "Change the prompt, or choose another model.")
        return reply

    async def _reply(self, model: str, chat: Chat) -> Reply:
        """A text that breaks off is gone on with elsewhere; JSON cannot be, and is asked for again, whole."""
        self._number += 1
        id = f"{self._run}-{self._number}"
        request = self._asker.request(id, model, chat, stream=chat.output is None, purse=self._purse)
        answer = await self._house.engine.run(request)
        if isinstance(answer, Whole):
            assert answer.reply is not None
            return answer.reply
        collector = Collector()
        try:
            while (events := await answer.next()) is not None:
                assert not isinstance(events, bytes)
                for event in events:
                    collector.add(event)
        finally:
            answer.close()
        return structs.replace(collector.reply(), receipt=answer.receipt())


STOPS = (BudgetExceeded, ConsentRequired)
"""Errors after which nothing more of a run is asked."""


def _value(reply: Reply, schema: Schema | None, further: Callable[[Any], list[str]]) -> tuple[Any, list[str]]:
    if schema is None:
        value: Any = reply.text
    else:
        try:
            value = json_in(reply.text)
        except ValueError as wrong:
            cut = " (it ends early)" if reply.finish.unified == "length" else ""
            return None, [f"{wrong}{cut}"]
        if faults := schema.faults(value):
            return None, faults
    return value, further(value)


def _why(reply: Reply) -> str:
    """Without a word of the answer."""
    if reply.finish.unified == "length":
        return "it ends early"
    try:
        json_in(reply.text)
    except ValueError:
        return "it holds no JSON"
    return "it does not fit the schema"


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
