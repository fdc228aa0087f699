"""What is remembered of a request for those who want it: kept in their history, and given again when they ask the same.

For others their row of terms is looked at once a second, and nothing else is done.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from fnmatch import fnmatchcase
from functools import partial

import msgspec
from msgspec import Struct, structs

from ownkey.engine.again import MOST_BYTES, PURPOSE, Replay, Stored, content, is_good, receipt, whole
from ownkey.engine.answer import AnyStream, Whole
from ownkey.engine.keeper import Keeper
from ownkey.engine.request import Request
from ownkey.engine.said import Entry, Piece, Said, said
from ownkey.engine.taken import Taken, Watched, taken_whole
from ownkey.engine.target import Target
from ownkey.store.cached import CachedRow, Hit
from ownkey.store.db import Store
from ownkey.store.remembered import KeptRow, Terms
from ownkey.talk.chat import Chat, user
from ownkey.talk.errors import KeyProblem, RequestError, StorageUnavailable, VaultSealed
from ownkey.talk.reply import Reply
from ownkey.vault.personal import PersonalKeys

ENTRY = "kept chat"
TTL_S = 3_600
LONGEST_TTL_S = 30 * 86_400
KNOWN_S = 0.9
SWEPT_S = 3_600.0
SETTLED_S = 3.0
_KNOWN = 4_096
_MS_A_DAY = 86_400_000


class Wish(Struct, frozen=True):
    """What is wanted for one request. `ttl_s`: answers of up to that age will do, and a new one is kept so long."""

    keeps: bool
    ttl_s: int | None = None
    anew: bool = False


class Place(Struct, frozen=True):
    """Where the answer to a request is kept."""

    digest: bytes
    key_id: str
    in_words: bool
    ttl_s: int


class Job(Struct):
    """What is to be written for one request: of the parts that are given each is written once."""

    request: Request
    at_ms: int
    keeps: bool
    ended_at_ms: int = 0
    taken: Taken | None = None
    place: Place | None = None
    hit: Hit | None = None
    size: int = 0


class Memory:
    """Safe to use from many threads. `most_bytes`: of each person's cache."""

    def __init__(self, store: Store, keys: PersonalKeys, most_bytes: int) -> None:
        self._store = store
        self._keys = keys
        self._most_bytes = most_bytes
        self._known: dict[str, tuple[float, Terms]] = {}
        self._keeper = Keeper(self._write, self._lose)
        self._pending: set[bytes] = set()
        self._swept_s = time.monotonic()

    def terms(self, owner: str) -> Terms:
        """What this person wants, as it was at most a second ago. Raises StorageUnavailable."""
        known = self._known.get(owner)
        if known is None or time.monotonic() >= known[0]:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            known = self._known[owner] = (time.monotonic() + KNOWN_S, self._store.memory_terms.get(owner))
        return known[1]

    def put_terms(self, terms: Terms) -> None:
        self._store.memory_terms.put(terms)
        self._known.pop(terms.owner, None)

    def wish(self, request: Request) -> Wish | None:
        """None where there is nothing to be done."""
        if not request.owner:
            return None
        terms = self.terms(request.owner)
        ttl_s = _ttl_s(request, terms)
        return Wish(terms.history, ttl_s, request.cache == "refresh") if terms.history or ttl_s is not None else None

    async def around(
        self, wish: Wish, request: Request, targets: Sequence[Target], ask: Callable[[], Awaitable[Whole | AnyStream]]
    ) -> Whole | AnyStream:
        """The answer that is kept, if there is one; else what `ask` gives, which will be written down."""
        job = Job(request, _now_ms(), wish.keeps)
        if wish.ttl_s is not None:
            found = await asyncio.to_thread(self._look, wish, wish.ttl_s, job, targets)
            if found is not None:
                return self._again(job, found, targets)
        answer = await ask()
        if isinstance(answer, Whole):
            self._put(job, taken_whole(answer))
            return _marked(answer) if wish.ttl_s is not None else answer
        return Watched(answer, partial(self._put, job), missed=wish.ttl_s is not None)

    def settle(self) -> bool:
        """Whether what was answered here is written down by now; waits a little for it."""
        return self._keeper.settle(SETTLED_S)

    def sweep(self) -> None:
        """What is kept for so long goes when that is over."""
        self._swept_s = time.monotonic()
        for terms in self._store.memory_terms.limited():
            self._store.kept.remove(terms.owner, before_ms=kept_since_ms(terms))
        self._store.cached.expire(_now_ms())

    def close(self) -> None:
        self._keeper.close()

    def _look(self, wish: Wish, ttl_s: int, job: Job, targets: Sequence[Target]) -> Stored | None:
        """No cache is no reason not to answer."""
        request = job.request
        try:
            asked = content(request, targets)
            if asked is None:
                return None
            key = self._keys.first(request.owner)
            place = job.place = Place(key.digest(PURPOSE, asked[0]), key.id, asked[1], ttl_s)
            if wish.anew:
                return None
            if place.digest in self._pending:
                self._keeper.settle(1.0)
            row = self._store.cached.get(request.owner, place.digest)
            if row is None or row.key_id != key.id:
                return None
            plain = key.unseal(PURPOSE, place.digest.hex(), row.sealed)
            stored = msgspec.msgpack.decode(plain, type=Stored)
        except (VaultSealed, StorageUnavailable, KeyProblem, msgspec.MsgspecError):
            return None
        age_ms = _now_ms() - stored.made_at_ms
        return stored if 0 <= age_ms < min(stored.ttl_s, ttl_s) * 1000 else None

    def _again(self, job: Job, stored: Stored, targets: Sequence[Target]) -> Whole | AnyStream:
        request, usage = job.request, stored.reply.usage
        told = receipt(request, stored, _now_ms())
        job.place = None
        job.hit = Hit(
            id=request.id,
            owner=request.owner,
            token_id=request.token_id,
            automation=request.automation,
            provider=stored.provider,
            model=stored.model,
            at_ms=job.at_ms,
            priced=stored.cost_nano is not None,
            saved_nano=stored.cost_nano or 0,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
        )
        self._put(job, Taken(told, stored.target, reply=stored.reply))
        return Replay(stored, told, targets) if request.stream else whole(stored, told)

    def _put(self, job: Job, taken: Taken) -> None:
        job.taken, job.ended_at_ms = taken, _now_ms()
        if not taken.whole or taken.error is not None:
            job.place = None
        if not (job.keeps or job.place or job.hit):
            return
        ask = job.request.ask
        job.size = taken.size + (1_000 if ask is None else sum(memoryview(raw).nbytes for raw in ask.fields.values()))
        if job.place is not None:
            self._pending.add(job.place.digest)
        self._keeper.put(job, partial(self._bare, job))

    def _bare(self, job: Job) -> Job:
        self._forget_pending(job)
        slim = Request(job.request.id, job.request.owner, "", False)
        return Job(slim, job.at_ms, job.keeps, job.ended_at_ms, hit=job.hit)

    def _forget_pending(self, job: Job) -> None:
        if job.place is not None:
            self._pending.discard(job.place.digest)

    def _write(self, jobs: list[Job]) -> None:
        """Asked again after StorageUnavailable, it goes on where it was."""
        self._note([job for job in jobs if job.hit is not None])
        answers = [job for job in jobs if job.place is not None]
        try:
            rows = [row for job in answers if (row := self._answer(job)) is not None]
            if rows:
                self._store.cached.put(rows, _now_ms(), self._most_bytes)
        finally:
            for job in answers:
                self._forget_pending(job)
        for job in answers:
            job.place = None
        kept = [job for job in jobs if job.keeps]
        if kept:
            self._store.kept.add([self._entry(job) for job in kept])
        for job in kept:
            job.keeps = False
        if time.monotonic() - self._swept_s > SWEPT_S:
            self.sweep()

    def _lose(self, lost: list[tuple[Job, str]]) -> None:
        self._note([job for job, _ in lost if job.hit is not None])
        rows = [_lost(job, why) for job, why in lost if job.keeps]
        if rows:
            self._store.kept.add(rows)

    def _note(self, jobs: list[Job]) -> None:
        if jobs:
            self._store.cached.note([job.hit for job in jobs if job.hit is not None])
        for job in jobs:
            job.hit = None

    def _answer(self, job: Job) -> CachedRow | None:
        """What is kept to be given again; None where it is no good answer, too long, or cannot be sealed."""
        request, place, taken = job.request, job.place, job.taken
        assert place is not None
        assert taken is not None
        reply = taken.read(request.door)
        if taken.error is not None or not is_good(reply):
            return None
        cost = taken.receipt.cost
        plain = msgspec.msgpack.encode(
            Stored(
                made_at_ms=job.ended_at_ms,
                ttl_s=place.ttl_s,
                provider=taken.receipt.provider,
                model=taken.receipt.model,
                target=taken.target or f"{taken.receipt.provider}/{taken.receipt.model}",
                cost_nano=None if cost is None else cost.nano_usd,
                reply=structs.replace(reply, receipt=None),
                body=None if place.in_words or taken.passed is None else taken.body,
            )
        )
        try:
            key = self._keys.of(request.owner, place.key_id)
        except VaultSealed:
            return None
        if key is None or len(plain) > MOST_BYTES:
            return None
        sealed = key.seal(PURPOSE, place.digest.hex(), plain)
        until_ms = job.ended_at_ms + place.ttl_s * 1000
        return CachedRow(place.digest, request.owner, key.id, sealed, len(sealed), job.ended_at_ms, until_ms)

    def _entry(self, job: Job) -> KeptRow:
        request, taken = job.request, job.taken
        assert taken is not None
        reply = taken.read(request.door)
        messages, given, left_out = _said(request, reply)
        entry = Entry(
            at_ms=job.at_ms,
            asked=request.model,
            provider=taken.receipt.provider,
            model=taken.receipt.model,
            messages=messages,
            answer=given,
            finish=reply.finish.unified,
            whole=taken.whole and taken.error is None,
            error=taken.error,
            cached=taken.receipt.cache == "hit",
            token_id=request.token_id,
            automation=request.automation,
            left_out=left_out,
        )
        try:
            key = self._keys.first(request.owner)
        except (VaultSealed, KeyProblem) as error:
            return _lost(job, error.code)
        sealed = key.seal(ENTRY, request.id, msgspec.json.encode(entry))
        return KeptRow(request.id, request.owner, job.at_ms, key.id, sealed)


def _lost(job: Job, why: str) -> KeptRow:
    return KeptRow(job.request.id, job.request.owner, job.at_ms, lost=why)


def kept_since_ms(terms: Terms) -> int:
    """What was asked before is kept no longer."""
    return 0 if terms.history_days is None else _now_ms() - terms.history_days * _MS_A_DAY


def _ttl_s(request: Request, terms: Terms) -> int | None:
    if request.cache == "off":
        return None
    if request.cache or request.cache_ttl_s is not None:
        return request.cache_ttl_s or terms.cache_ttl_s or TTL_S
    if terms.cache_ttl_s is None or not _fits(terms.cache_models, request.model):
        return None
    return terms.cache_ttl_s


def _fits(patterns: str | None, model: str) -> bool:
    return patterns is None or any(fnmatchcase(model, pattern) for pattern in patterns.split())


def _said(request: Request, reply: Reply) -> tuple[tuple[Said, ...], tuple[Piece, ...], int]:
    """What only the client's own wire knows is kept as it came."""
    try:
        return said(request.as_chat(), reply)
    except RequestError:
        fields = {} if request.ask is None else request.ask.fields
        text = msgspec.json.encode(fields).decode("utf-8", "replace")
        return said(Chat((user(text),)), reply)


def _marked(answer: Whole) -> Whole:
    told = structs.replace(answer.receipt, cache="miss")
    reply = answer.reply and structs.replace(answer.reply, receipt=told)
    return structs.replace(answer, receipt=told, reply=reply)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
