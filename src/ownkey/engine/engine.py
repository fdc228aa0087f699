"""From a request to its answer: route, then for each try key, hold, send, decode, settle."""

from __future__ import annotations

from typing import TypeVar

from ownkey.catalog.manifest import Model
from ownkey.engine.answer import Answer
from ownkey.engine.call import Call, attempt
from ownkey.engine.counting import Count, Counted, count
from ownkey.engine.price import priced
from ownkey.engine.read import Sent, read
from ownkey.engine.request import Request
from ownkey.engine.sender import Sender, Sending
from ownkey.engine.target import Target
from ownkey.engine.targets import Targets
from ownkey.engine.walk import walk
from ownkey.routing.plan import Policy
from ownkey.routing.route import AUTO
from ownkey.spending.catalogue import Prices
from ownkey.store.book import Book
from ownkey.talk.errors import OwnkeyError
from ownkey.transport import Deadlines, Transport
from ownkey.vault.vault import Vault
from ownkey.wires.thinking import fitted
from ownkey.wires.wire import Written

Result = TypeVar("Result")

# What is asked for where the wire wants a cap and the caller set none: a long answer, for a model known to give it.
LONG_OUTPUT_TOKENS = 16_384


class Engine:
    """Everything that one request needs, built once."""

    def __init__(
        self,
        *,
        targets: Targets,
        vault: Vault,
        book: Book,
        transport: Transport,
        prices: Prices,
        policy: Policy,
        deadlines: Deadlines,
    ) -> None:
        self._targets = targets
        self._sender = Sender(vault=vault, book=book, transport=transport, deadlines=deadlines)
        self._prices = prices
        self._policy = policy

    async def run(self, request: Request) -> Answer:
        """The answer of the first target that gives one. Raises one error that says why none did.

        Where `request.stream` is set, the stream has begun when this returns, and is the caller's to close.
        """
        targets = self._targets.find(request.owner, request.model, request.door.name if request.door else None)
        return await walk(targets, self._policy, lambda target, number: self._attempt(request, target, number))

    async def call(self, call: Call[Result]) -> Result:
        """The same for what is no chat."""
        work = call.work
        targets = self._targets.find(call.owner, call.model, work.asked, work.operation)
        return await walk(
            targets, self._policy, lambda target, number: attempt(self._sender, self._prices, call, target, number)
        )

    async def count(self, asked: Count) -> Counted:
        """How many tokens a chat would be, as the provider of its first usable target counts them."""
        targets = self._targets.find(asked.owner, asked.ask.model, asked.door.name, "count")
        return await walk(targets, self._policy, lambda target, number: count(self._sender, asked, target, number))

    def is_demo(self, owner: str, model: str) -> bool:
        """Whether the demo was asked for, and nothing but it would answer: no key, no cost, no socket.

        `auto` does not count: the demo in place of a model would look like its answer.
        """
        names = [name for name in map(str.strip, model.split(",")) if name]
        if not names or AUTO in names:
            return False
        try:
            targets = self._targets.find(owner, model)
        except OwnkeyError:
            return False
        return all(target.provider.kind == "demo" for target in targets)

    def listed(self, owner: str, *, demo_only: bool) -> list[Model]:
        """The models that this caller can ask for, each with `provider/model` as its id."""
        return self._targets.listed(owner, demo_only=demo_only)

    async def _attempt(self, request: Request, target: Target, number: int) -> Answer:
        key = self._sender.key(request.owner, target)
        passes = request.door is target.wire and request.ask is not None
        written, cap = _write(request, target, passes=passes)
        made = priced(self._prices, request, target, size=len(written.body), cap=cap, passes=passes)
        sending = Sending(
            target,
            target.wire,
            "stream" if request.stream else "chat",
            written.body,
            number,
            booked=target.wire.name,
            stream=request.stream,
            headers=request.headers if passes else (),
        )
        attempt, incoming = await self._sender.begin(request, sending, made, key)
        return await read(Sent(request, target, attempt, incoming, written.warnings, number, passes))


def _write(request: Request, target: Target, *, passes: bool) -> tuple[Written, int | None]:
    """The body that is sent, and the output cap in it."""
    cap, limit, quirks = request.max_output, target.facts.max_output, target.quirks
    if cap is None and target.wire.default_output is not None:
        thinking = fitted(request.as_chat(), quirks.thinking, [])
        cap = LONG_OUTPUT_TOKENS if limit is not None else target.wire.default_output
        cap += thinking.budget_tokens or 0 if thinking else 0
    if cap is not None and limit is not None:
        cap = min(cap, limit)
    if passes and request.door is not None and request.ask is not None:
        return Written(request.door.forward(request.ask, target.model, max_output=cap, quirks=quirks)), cap
    chat = request.as_chat()
    return target.wire.write_request(chat, target.model, stream=request.stream, max_output=cap, quirks=quirks), cap
