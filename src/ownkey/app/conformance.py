"""Whether a provider does what its file says: asked at its real address, one thing after the other."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

from msgspec import Struct

from ownkey.talk.chat import JsonOutput, Message, Text, Tool, ToolCall, ToolChoice, ToolResult, user
from ownkey.talk.errors import (
    InvalidRequest,
    KeyProblem,
    ModelNotAvailable,
    OwnkeyError,
    PriceUnknown,
    RequestRefused,
    Unsupported,
)
from ownkey.talk.money import Money
from ownkey.talk.reply import Event, Receipt, Reply, TextDelta, collect

if TYPE_CHECKING:
    from ownkey.app.ownkey import Ownkey

State = Literal["ok", "weak", "failed", "left out"]

MAX_OUTPUT_TOKENS = 512
"""Enough for a model that thinks first, and little money where it does not stop."""

_WEATHER = Tool(
    "get_weather",
    "The weather in a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False},
)
_CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
    "required": ["city", "country"],
    "additionalProperties": False,
}
_NO_MODEL = "missing-model-of-a-check"


class Finding(Struct, frozen=True):
    """What came of one check. `weak`: it works, but not all of it; `left out`: there is nothing to check."""

    check: str
    state: State
    says: str
    took_ms: int = 0
    cost: Money | None = None


class _Weak(Exception):
    pass


Found = tuple[str, Money | None]


class Conformance:
    """Checks one provider with one model: its default, where none is named. It costs what its few answers cost.

    `price_accepted`: go on where the model's price is not known.
    """

    def __init__(
        self, ownkey: Ownkey, provider: str, model: str | None = None, *, price_accepted: bool = False
    ) -> None:
        self._ownkey = ownkey
        self._view = ownkey.providers.get(provider)
        self._given = model
        self._price_accepted = price_accepted
        self._models: list[str] = []

    @property
    def checks(self) -> Mapping[str, Callable[[], Awaitable[Found]]]:
        """Each check by its name, in the order in which they are run."""
        return {
            "key": self._key,
            "models": self._listed,
            "chat": self._chat,
            "stream": self._stream,
            "usage": self._usage,
            "tools": self._tools,
            "json": self._json,
            "errors": self._errors,
        }

    async def run(self) -> AsyncIterator[Finding]:
        """One finding after the other. Where the key is refused, nothing else is tried."""
        for name in self.checks:
            finding = await self.check(name)
            yield finding
            if name == "key" and finding.state == "failed":
                return

    async def check(self, name: str) -> Finding:
        """One check. Raises nothing of the provider's: that is the finding."""
        started_s = time.monotonic()

        def took_ms() -> int:
            return int((time.monotonic() - started_s) * 1000)

        try:
            says, cost = await self.checks[name]()
        except _Weak as weak:
            return Finding(name, "weak", str(weak), took_ms())
        except (Unsupported, PriceUnknown) as error:
            return Finding(name, "left out", str(error), took_ms())
        except OwnkeyError as error:
            return Finding(name, "failed", str(error), took_ms())
        return Finding(name, "ok", says, took_ms(), cost)

    @property
    def model(self) -> str:
        """The model that is asked. Raises InvalidRequest where there is none to ask."""
        name = self._given or self._view.default or next(iter(self._models), None)
        if name is None:
            raise InvalidRequest("No model is known to ask.", "Name one: --model MODEL.", param="model")
        return f"{self._view.provider.id}/{name}"

    async def _key(self) -> Found:
        if self._view.lack is not None:
            raise KeyProblem(f"{self._view.provider.name}: {self._view.lack.says}.", self._view.lack.hint)
        if self._view.provider.kind != "cloud" and not self._view.keys:
            return "none is needed", None
        tested = await self._ownkey.keys.test(self._view.provider.id)
        return f"taken, in {tested.took_ms} ms", None

    async def _listed(self) -> Found:
        views = await self._ownkey.providers.refresh_models(self._view.provider.id)
        self._models = [view.model.id for view in views if not view.model.does or "chat" in view.model.does]
        if not views:
            raise _Weak("The list is empty; models can be asked for by name only.")
        return f"{len(views)} listed", None

    async def _chat(self) -> Found:
        reply = await self._ask("Answer with the one word: pong")
        if not reply.text.strip():
            raise _Weak(f"It answered without text (finish: {reply.finish.raw}).")
        return f"{self.model.partition('/')[2]} says {reply.text.strip()[:40]!r}", _cost(reply)

    async def _stream(self) -> Found:
        reply, pieces = await self._streamed("Count from 1 to 20 in digits.")
        if not reply.text.strip():
            raise _Weak("The stream held no text.")
        if pieces < 2:
            raise _Weak("The stream came in one piece.")
        return f"{pieces} pieces", _cost(reply)

    async def _usage(self) -> Found:
        whole = await self._ask("Say yes.")
        streamed, _ = await self._streamed("Say yes.")
        missing = [name for name, one in (("whole", whole), ("streamed", streamed)) if not one.usage.known]
        if missing:
            raise _Weak(f"Not told with a {' or a '.join(missing)} answer: Ownkey counts it by itself.")
        usage = whole.usage
        return f"{usage.input_tokens} in, {usage.output_tokens} out", _sum(whole, streamed)

    async def _tools(self) -> Found:
        question = user("What is the weather in Paris? Call the tool.")
        options = {"tools": (_WEATHER,), "tool_choice": ToolChoice("required")}
        try:
            first = await self._ask((question,), **options)
        except RequestRefused:
            first = await self._ask((question,), tools=(_WEATHER,))
        if not first.tool_calls:
            raise _Weak("It was asked to call a tool and did not.")
        call = first.tool_calls[0]
        _arguments(call)
        result = Message("tool", (ToolResult(call.id, (Text('{"celsius": 21}'),), call.name),))
        second = await self._ask((question, Message("assistant", first.parts), result), tools=(_WEATHER,))
        if not second.text.strip():
            raise _Weak("It called the tool, and said nothing to the result.")
        return f"{call.name}({call.arguments[:40]}), and an answer to its result", _sum(first, second)

    async def _json(self) -> Found:
        output = JsonOutput(_CITY, "city", strict=True)
        reply = await self._ask("Paris is in which country? Answer as JSON with city and country.", output=output)
        try:
            value = json.loads(reply.text)
        except ValueError:
            raise _Weak("A JSON schema was asked for; the answer is no JSON.") from None
        if not isinstance(value, dict) or cast("dict[str, object]", value).keys() != {"city", "country"}:
            raise _Weak("The answer is JSON, and not of the schema.")
        return "of the schema", _cost(reply)

    async def _errors(self) -> Found:
        provider = self._view.provider.id
        try:
            await self._ownkey.chat(
                "Hello.", f"{provider}/{_NO_MODEL}", accept_unknown_price=True, max_output_tokens=16
            )
        except (ModelNotAvailable, RequestRefused) as error:
            return f"a model that does not exist: {error.code}", None
        except OwnkeyError as error:
            raise _Weak(f"A model that does not exist is answered with {error.code}: {error.message}") from None
        raise _Weak("A model that does not exist is answered all the same.")

    async def _ask(self, messages: str | tuple[Message, ...], **options: Any) -> Reply:
        return await self._ownkey.chat(
            messages,
            self.model,
            accept_unknown_price=self._price_accepted,
            max_output_tokens=MAX_OUTPUT_TOKENS,
            **options,
        )

    async def _streamed(self, text: str) -> tuple[Reply, int]:
        events: list[Event] = []
        receipt: Receipt | None = None
        stream = self._ownkey.stream(
            text, self.model, accept_unknown_price=self._price_accepted, max_output_tokens=MAX_OUTPUT_TOKENS
        )
        async for event in stream:
            if isinstance(event, Receipt):
                receipt = event
            else:
                events.append(event)
        reply = collect(events)
        pieces = sum(isinstance(event, TextDelta) for event in events)
        return Reply(reply.parts, reply.finish, reply.usage, receipt=receipt), pieces


def _arguments(call: ToolCall) -> None:
    try:
        value = json.loads(call.arguments or "{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _Weak(f"The arguments of its call are no JSON object: {call.arguments[:60]}")


def _cost(reply: Reply) -> Money | None:
    return reply.receipt.cost if reply.receipt else None


def _sum(*replies: Reply) -> Money | None:
    costs = [cost for reply in replies if (cost := _cost(reply)) is not None]
    return Money(sum(cost.nano_usd for cost in costs)) if costs else None
