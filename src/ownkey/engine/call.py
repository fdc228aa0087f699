"""What is no chat: one request and one whole answer, with the same care for keys, money and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from ownkey.engine.attempt import Attempt, Made
from ownkey.engine.consent import Consents
from ownkey.engine.funds import soft_caps
from ownkey.engine.price import in_dollars
from ownkey.engine.purse import Purse
from ownkey.engine.read import MAX_REPLY_BYTES
from ownkey.engine.sender import Header, Opened, Sender, Sending
from ownkey.engine.target import Target
from ownkey.engine.walk import Tried
from ownkey.routing.scope import Scope
from ownkey.spending.catalogue import Prices
from ownkey.talk.errors import OwnkeyError, StreamCut, UnexpectedResponse
from ownkey.talk.reply import Receipt, Usage
from ownkey.transport import Incoming
from ownkey.wires.wire import Headers

Result = TypeVar("Result")


class Put(Struct, frozen=True):
    """What is sent to one target. `passes`: the client's wire is the provider's, so that bytes go through."""

    body: bytes
    headers: tuple[Header, ...] = ()
    warnings: tuple[str, ...] = ()
    passes: bool = False


class Answered(Struct, Generic[Result], frozen=True):
    """A whole answer that could be read: the usage that it tells, and what is given for it, once it is known what was
    charged, and for which usage."""

    usage: Usage
    give: Callable[[Usage, Receipt], Result]


class Work(Protocol[Result]):
    """An operation: what is sent, what it can cost, what the answer says. `asked` is the client's wire, if any.

    `counts`: what goes in can be counted here, where the provider does not.
    """

    @property
    def operation(self) -> str: ...
    @property
    def asked(self) -> str | None: ...
    @property
    def counts(self) -> bool: ...

    def put(self, target: Target) -> Put:
        """Raises Unsupported, naming the field."""
        ...

    def made(self, prices: Prices, target: Target, put: Put, *, accepted: bool) -> Made:
        """Raises PriceUnknown; `accepted`: the caller goes on where the price is not known."""
        ...

    def read(self, target: Target, put: Put, headers: Headers, body: bytes) -> Answered[Result]:
        """Raises UnexpectedResponse, or the error that the body tells of."""
        ...


class Call(Struct, Generic[Result]):
    """What is wanted, and by whom."""

    id: str
    owner: str
    model: str
    work: Work[Result]
    token_id: str | None = None
    price_accepted: bool = False
    over_accepted: bool = False
    yes: frozenset[str] = frozenset()
    budgets_accepted: frozenset[str] = frozenset()
    automation: str | None = None
    hops: int = 0
    scope: Scope | None = None
    purse: Purse | None = None


async def attempt(sender: Sender, prices: Prices, consents: Consents, call: Call[Result], tried: Tried) -> Result:
    """One try at one target, with none of the keys that are passed."""
    target, passed = tried.target, tried.passed
    async with sender.key(call.owner, target, passed, about=call.id.encode) as key:
        last = tried.last and not sender.has_other(call.owner, target, key, passed)
        return await consents.ask(
            call,
            target,
            lambda call: sender.as_budgets_are(lambda: _try(sender, prices, call, tried, key, last=last)),
        )


async def _try(sender: Sender, prices: Prices, call: Call[Result], tried: Tried, key: Opened, *, last: bool) -> Result:
    work, target, number, turn_s = call.work, tried.target, tried.number, tried.turn_s
    put = work.put(target)
    falls = sender.budgets(call, target, key.id)
    made, _ = in_dollars(falls, lambda: (work.made(prices, target, put, accepted=call.price_accepted), None))
    warnings = soft_caps(falls, made, asked_output=None, asker=call)
    spoken = target.embedding or target.wire
    booked = spoken.name if target.embedding else work.operation
    sending = Sending(
        target, spoken, work.operation, put.body, number, booked, turn_s=turn_s, headers=put.headers, hops=call.hops
    )
    under_way, incoming = await sender.begin(call, sending, made, key, wait=last)
    answered = await _read(work, target, put, under_way, incoming)
    usage = answered.usage
    if usage.known or work.counts:
        usage = under_way.answered(usage, None, text_bytes=0)
    else:
        under_way.uncounted()
    receipt = Receipt(call.id, target.provider.id, target.model, number, under_way.cost, warnings)
    return answered.give(usage, receipt)


async def _read(work: Work[Result], target: Target, put: Put, tried: Attempt, incoming: Incoming) -> Answered[Result]:
    """Whatever is raised, the attempt has ended and the connection is let go."""
    try:
        body = await incoming.read(MAX_REPLY_BYTES)
        tried.first()
        return work.read(target, put, incoming.headers, body)
    except (StreamCut, UnexpectedResponse) as error:
        if work.counts:
            tried.cut(Usage(output_tokens=0), None, error, text_bytes=0)
        else:
            tried.uncounted(error)
        raise
    except OwnkeyError as error:
        tried.failed(error)
        raise
    except BaseException:
        tried.abandoned()
        raise
    finally:
        incoming.close()
