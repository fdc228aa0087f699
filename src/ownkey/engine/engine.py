"""From a request to its answer: route, then for each try key, hold, send, decode, settle."""

from __future__ import annotations

import asyncio
import random
import time

from ownkey.catalog.manifest import Model
from ownkey.engine.answer import Answer
from ownkey.engine.attempt import Attempt, Made
from ownkey.engine.price import priced
from ownkey.engine.read import Sent, read
from ownkey.engine.request import Request
from ownkey.engine.target import Target, key_header
from ownkey.engine.targets import Targets
from ownkey.routing.plan import Plan, Policy
from ownkey.routing.route import AUTO
from ownkey.spending.catalogue import Prices
from ownkey.store.book import Book, Hold
from ownkey.talk.errors import OwnkeyError, ProviderError
from ownkey.talk.secret import Secret
from ownkey.transport import Deadlines, Incoming, Outgoing, Transport
from ownkey.vault.vault import Vault
from ownkey.wires.thinking import fitted
from ownkey.wires.wire import Written

MAX_ERROR_BYTES = 64 << 10

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
        self._vault = vault
        self._book = book
        self._transport = transport
        self._prices = prices
        self._policy = policy
        self._deadlines = deadlines

    async def run(self, request: Request) -> Answer:
        """The answer of the first target that gives one. Raises one error that says why none did.

        Where `request.stream` is set, the stream has begun when this returns, and is the caller's to close.
        """
        targets = self._targets.find(request.owner, request.model, request.door.name if request.door else None)
        plan = Plan(len(targets), self._policy, time.monotonic(), random.random)
        step, number = plan.begin(), 0
        while True:
            number += 1
            target = targets[step.target]
            try:
                return await self._attempt(request, target, number)
            except OwnkeyError as error:
                if isinstance(error, ProviderError):
                    _name(error, target)
                again = plan.failed(error, time.monotonic())
                if again is None:
                    raise _summed_up(plan, targets) from None
            step = again
            if step.wait_s > 0:
                await asyncio.sleep(step.wait_s)

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
        key_id, key = self._key(request.owner, target)
        passes = request.door is target.wire and request.ask is not None
        written, cap = _write(request, target, passes=passes)
        made = priced(self._prices, request, target, size=len(written.body), cap=cap, passes=passes)
        attempt = Attempt(self._book, self._hold(request, target, key_id, made, number), made, key)
        try:
            await self._book.hold(attempt.hold)
            passed = request.headers if passes else ()
            incoming = await self._send(target, written, key_id, key, stream=request.stream, passed=passed)
            if incoming.status >= 300:
                body = await incoming.read(MAX_ERROR_BYTES)
                raise target.wire.read_error(incoming.status, incoming.headers, body)
        except OwnkeyError as error:
            attempt.failed(error)
            raise
        except BaseException:
            attempt.abandoned()
            raise
        return await read(Sent(request, target, attempt, incoming, written.warnings, number, passes))

    def _key(self, owner: str, target: Target) -> tuple[str | None, Secret | None]:
        if target.provider.kind != "cloud" and not self._vault.has(owner, target.provider.id):
            return None, None
        row, secret = self._vault.open(owner, target.provider.id, target.origin)
        return row.id, secret

    def _hold(self, request: Request, target: Target, key_id: str | None, made: Made, number: int) -> Hold:
        return Hold(
            id=f"{request.id}.{number}",
            request_id=request.id,
            attempt=number,
            owner=request.owner,
            token_id=request.token_id,
            key_id=key_id,
            provider=target.provider.id,
            model=target.model,
            wire=target.wire.name,
            stream=request.stream,
            held_nano=made.held_nano,
            priced=made.rates is not None,
            price=made.price,
            started_at_ms=time.time_ns() // 1_000_000,
        )

    async def _send(
        self,
        target: Target,
        written: Written,
        key_id: str | None,
        key: Secret | None,
        *,
        stream: bool,
        passed: tuple[tuple[bytes, bytes], ...],
    ) -> Incoming:
        shown = None if key is None else key_header(target.auth, key.reveal())
        path = target.paths["stream" if stream else "chat"]
        headers = target.headers
        if passed:
            own = {name for name, _ in passed}
            headers = (*(one for one in headers if one[0] not in own), *passed)
        outgoing = Outgoing(b"POST", target.origin, path, headers, written.body, key_id or "", shown)
        return await self._transport.send(outgoing, self._deadlines)


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


def _name(error: ProviderError, target: Target) -> None:
    """Whoever reads it has to know which provider it was."""
    if error.provider is None:
        error.provider, error.model = target.provider.id, target.model
        error.message = f"{target.provider.name}, {target.model}: {error.message}"
        error.args = (error.message,)


def _told(error: OwnkeyError, target: Target) -> str:
    return error.message if isinstance(error, ProviderError) else f"{target.name}: {error.message}"


def _summed_up(plan: Plan, targets: tuple[Target, ...]) -> OwnkeyError:
    """The first target's error: it is the one that was asked for. The others are named."""
    first = plan.first_errors[0]
    others = [_told(error, targets[place]) for place, error in plan.first_errors.items() if place]
    if others:
        first.hint = " ".join(filter(None, [first.hint, "Then tried " + " Then ".join(others)]))
    return first
