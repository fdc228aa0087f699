"""`/v1/files` and `/v1/batches`, in OpenAI's form (API reference, Files and Batch)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct

from ownkey.app.batches.asking import Asker, Terms, check
from ownkey.app.batches.batches import WINDOW, BatchBook
from ownkey.app.batches.files import KEPT_S, FileBox
from ownkey.app.batches.line import Problem, read_all
from ownkey.app.batches.quoting import BatchQuote, Sum, quote_all
from ownkey.app.house import House
from ownkey.server.exchange import Exchange
from ownkey.server.gateway import no_token
from ownkey.server.guard import Head, caller_of, check_body_is_json, check_body_is_plain
from ownkey.store.batches import BatchRow, Tally
from ownkey.store.uploads import FileRow
from ownkey.talk.errors import InvalidRequest, Overloaded, OwnkeyError
from ownkey.talk.money import show_usd
from ownkey.talk.secret import clean
from ownkey.vault.tokens import Caller
from ownkey.wires.form import FormReader

Answering = Callable[[Exchange, Head, Caller, str], Awaitable[None]]

MOST_LISTED, MOST_FILES_LISTED = 100, 10_000
MOST_QUOTED = 4
"""Batches whose price is asked for at once. One after the other is looked at, on a thread: fifty thousand lines take a
while, and other threads have other things to do."""
MOST_METADATA, MOST_NAME, MOST_VALUE = 16, 64, 512
"""OpenAI's own limits to metadata."""

_PATH = re.compile(r"/v1/(files|batches)(?:/([A-Za-z0-9_-]{1,128})(?:/(content|cancel))?)?")
_LINES = (b"content-type", b"application/jsonl")
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")


class Kept(Struct):
    seconds: int
    anchor: Literal["created_at"] = "created_at"


class CreateBatch(Struct):
    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None = None
    output_expires_after: Kept | None = None


class QuoteBatch(Struct, forbid_unknown_fields=True):
    input_file_id: str
    endpoint: str | None = None


class Batching:
    """Each is of one person, whom a token shows: what is somebody else's is not there."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._routes: dict[tuple[str, str, str], Answering] = {
            ("POST", "files", ""): self._upload,
            ("GET", "files", ""): self._list_files,
            ("GET", "files", "/"): self._file,
            ("DELETE", "files", "/"): self._delete_file,
            ("GET", "files", "content"): self._content,
            ("POST", "batches", ""): self._create,
            ("GET", "batches", ""): self._list,
            ("GET", "batches", "/"): self._batch,
            ("POST", "batches", "cancel"): self._cancel,
            ("POST", "batches", "quote"): self._quote,
        }
        self._quotes = ThreadPoolExecutor(1, "batch-quotes")
        self._quoting = 0

    def find(self, method: str, path: str) -> Callable[[Exchange, Head], Awaitable[None]] | None:
        """What answers there."""
        if (found := _PATH.fullmatch(path)) is None:
            return None
        kind, id, verb = found[1], found[2] or "", found[3] or ""
        if (kind, id, verb) == ("batches", "quote", ""):
            id, verb = "", "quote"
        answer = self._routes.get((method, kind, verb or ("/" if id else "")))
        if answer is None:
            return None

        async def answered(exchange: Exchange, head: Head) -> None:
            caller = caller_of(exchange, head, self._house.tokens)
            if caller is None:
                raise no_token()
            await answer(exchange, head, caller, id)

        return answered

    def allowed(self, path: str) -> list[str]:
        """The methods that there are at this path."""
        return [method for method in ("GET", "POST", "DELETE") if self.find(method, path) is not None]

    async def _upload(self, exchange: Exchange, head: Head, caller: Caller, id: str) -> None:
        check_body_is_plain(head)
        reader = FormReader(head.content_type or b"")
        pieces = reader.feed(exchange.body)
        reader.close()
        if reader.fields.get("purpose") != "batch":
            raise InvalidRequest("Files are kept for batches here.", "Send `purpose=batch`.", param="purpose")
        kept_s = reader.fields.get("expires_after[seconds]", str(KEPT_S))
        if not kept_s.isascii() or not kept_s.isdigit() or len(kept_s) > 9:
            raise InvalidRequest("That is no number of seconds.", param="expires_after[seconds]")
        files = FileBox(self._house, caller.owner)
        name = (reader.filename or "").replace("\\", "/").rpartition("/")[2] or "file"
        row = await asyncio.to_thread(files.put, name, pieces, kept_s=int(kept_s))
        exchange.answer_json(200, file_told(row), [])

    async def _list_files(self, exchange: Exchange, head: Head, caller: Caller, id: str) -> None:
        asked = _query(exchange)
        files, after, limit = FileBox(self._house, caller.owner), asked.get("after"), _limit(asked, MOST_FILES_LISTED)
        purpose = asked.get("purpose")
        rows = await asyncio.to_thread(files.listed, after=after, limit=limit + 1, purpose=purpose)
        exchange.answer_json(200, _page([file_told(row) for row in rows], limit), [])

    async def _file(self, exchange: Exchange, head: Head, caller: Caller, id: str) -> None:
        row = await asyncio.to_thread(FileBox(self._house, caller.owner).get, id)
        exchange.answer_json(200, file_told(row), [])

    async def _delete_file(self, exchange: Exchange, head: Head, caller: Caller, id: str) -> None:
        await asyncio.to_thread(FileBox(self._house, caller.owner).remove, id)
        exchange.answer_json(200, {"id": id, "object": "file", "deleted": True}, [])

    async def _content(self, exchange: Exchange, head: Head, caller: Caller, id: str) -> None:
        files = FileBox(self._house, caller.owner)
        row = await asyncio.to_thread(files.get, id)
        pieces = files.pieces(row)
        # What is wrong with it is found before anything of it is given.
        first = await asyncio.to_thread(_gathered, pieces)
        exchange.start([_LINES, _NO_SNIFFING])
        piece = first
        try:
            while piece and not exchange.gone:
                await exchange.write(piece)
                piece = await asyncio.to_thread(_gathered, pieces)
        except OwnkeyError:
            # What is not whole does not end: the connection does.
            return
        exchange.end()

    async def _create(self, exchange: Exchange, head: Head, caller: Caller, id: str) -> None:
        check_body_is_json(head)
        asked = _read_create(exchange.body)
        terms = Terms(
            price_accepted=head.price_accepted,
            over_accepted=head.over_accepted,
            automation=head.automation,
            hops=head.hops,
            scope=caller.scope,
            retry_doubtful=(asked.metadata or {}).get("ownkey_retry_doubtful") == "yes",
            provider_batch=(asked.metadata or {}).get("ownkey_batch") == "provider",
            metadata=asked.metadata,
            kept_s=asked.output_expires_after.seconds if asked.output_expires_after else KEPT_S,
        )
        row = await asyncio.to_thread(self._made, caller, asked, terms)
        exchange.answer_json(200, batch_told(row), [])

    def _made(self, caller: Caller, asked: CreateBatch, terms: Terms) -> BatchRow:
        file = _input(FileBox(self._house, caller.owner), asked.input_file_id)
        return BatchBook(self._house, caller.owner).create(file.id, asked.endpoint, terms, caller.token_id)

    async def _quote(self, exchange: Exchange, head: Head, caller: Caller, id: str) -> None:
        """What a file would cost as a batch. Nothing is held, and nothing sent to a provider."""
        check_body_is_json(head)
        try:
            asked = msgspec.json.decode(exchange.body, type=QuoteBatch)
        except msgspec.MsgspecError as error:
            raise InvalidRequest(f"This is not a batch to quote: {clean(str(error), limit=160)}.", _QUOTED) from None
        terms = Terms(automation=head.automation, scope=caller.scope)
        if self._quoting >= MOST_QUOTED:
            raise Overloaded("Too many batches are quoted at once.", "Ask again in a few seconds.")
        self._quoting += 1
        try:
            loop, asker = asyncio.get_running_loop(), Asker(caller.owner, caller.token_id, terms)
            told = await loop.run_in_executor(self._quotes, self._quoted, asker, asked)
        finally:
            self._quoting -= 1
        exchange.answer_json(200, told, [])

    def _quoted(self, asker: Asker, asked: QuoteBatch) -> dict[str, Any]:
        files, problems = FileBox(self._house, asker.owner), list[Problem]()
        lines = read_all(files.pieces(_input(files, asked.input_file_id)), problems, asked.endpoint, check)
        return quote_told(quote_all(self._house, asker, lines), problems)

    async def _list(self, exchange: Exchange, head: Head, caller: Caller, id: str) -> None:
        asked = _query(exchange)
        limit, book = _limit(asked, MOST_LISTED, 20), BatchBook(self._house, caller.owner)
        rows = await asyncio.to_thread(book.listed, after=asked.get("after"), limit=limit + 1)
        exchange.answer_json(200, _page([batch_told(row) for row in rows], limit), [])

    async def _batch(self, exchange: Exchange, head: Head, caller: Caller, id: str) -> None:
        book = BatchBook(self._house, caller.owner)
        row = await asyncio.to_thread(book.get, id)
        exchange.answer_json(200, batch_told(row, await asyncio.to_thread(book.tally, row)), [])

    async def _cancel(self, exchange: Exchange, head: Head, caller: Caller, id: str) -> None:
        row = await asyncio.to_thread(BatchBook(self._house, caller.owner).cancel, id)
        exchange.answer_json(200, batch_told(row), [])


def file_told(row: FileRow) -> dict[str, Any]:
    """OpenAI's file object."""
    return {
        "id": row.id,
        "object": "file",
        "bytes": row.size_bytes,
        "created_at": row.created_at_ms // 1000,
        "expires_at": row.expires_at_ms // 1000,
        "filename": row.name,
        "purpose": row.purpose,
        "status": "processed",
        "status_details": None,
    }


def batch_told(row: BatchRow, tally: Tally | None = None) -> dict[str, Any]:
    """OpenAI's batch object. `ownkey` says what it has cost, what is in doubt, and what it waits for."""
    problems = None if row.problems is None else msgspec.json.decode(row.problems, type=list[Problem])
    ended = {status: _s(row.ended_at_ms) if row.status == status else None for status in _ENDS}
    own: dict[str, Any] = {"waits_for": row.waits_for}
    if tally is not None:
        own |= {"cost_usd": show_usd(tally.cost_nano), "in_doubt": tally.doubtful}
    return {
        "id": row.id,
        "object": "batch",
        "endpoint": row.endpoint,
        "errors": None if problems is None else {"object": "list", "data": problems},
        "input_file_id": row.source,
        "completion_window": WINDOW,
        "status": row.status,
        "output_file_id": row.output_file_id,
        "error_file_id": row.error_file_id,
        "created_at": _s(row.created_at_ms),
        "in_progress_at": _s(row.begun_at_ms),
        "expires_at": _s(row.expires_at_ms),
        "finalizing_at": ended["completed"],
        "completed_at": ended["completed"],
        "failed_at": ended["failed"],
        "expired_at": ended["expired"],
        "cancelling_at": _s(row.cancelling_at_ms),
        "cancelled_at": ended["cancelled"],
        "request_counts": {"total": row.total, "completed": row.completed, "failed": row.failed},
        "metadata": msgspec.json.decode(row.terms, type=Terms).metadata,
        "ownkey": own,
    }


def quote_told(quote: BatchQuote, problems: list[Problem]) -> dict[str, Any]:
    """Amounts in dollars as text, exactly. `errors` are of lines for which no batch is begun at all; `refused` of such
    as will fail."""
    return {
        "object": "batch.quote",
        "total": _sum_told(quote.whole),
        "models": [{"model": one.model, **_sum_told(one)} for one in quote.models],
        "refused": [{"message": message, "lines": lines} for message, lines in quote.refused.items()],
        "errors": problems,
    }


def _sum_told(one: Sum) -> dict[str, Any]:
    apart = {"lines": one.apart, "expected_usd": show_usd(one.later_nano), "otherwise_usd": show_usd(one.apart_nano)}
    return {
        "lines": one.lines,
        "unknown": one.unknown,
        "low_usd": show_usd(one.low_nano),
        "expected_usd": show_usd(one.expected_nano),
        "ceiling_usd": show_usd(one.most_nano),
        "provider_batch": apart if one.apart else None,
    }


def _input(files: FileBox, id: str) -> FileRow:
    file = files.get(id)
    if file.purpose != "batch":
        raise InvalidRequest("This file is no batch's input.", param="input_file_id")
    return file


_ENDS = ("completed", "failed", "expired", "cancelled")


def _s(at_ms: int | None) -> int | None:
    return None if at_ms is None else at_ms // 1000


def _read_create(body: bytes) -> CreateBatch:
    try:
        asked = msgspec.json.decode(body, type=CreateBatch)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"This is not a batch: {clean(str(error), limit=160)}.", _FORM) from None
    if asked.completion_window != WINDOW:
        raise InvalidRequest(f"completion_window is {WINDOW}.", param="completion_window")
    metadata = asked.metadata or {}
    if len(metadata) > MOST_METADATA or any(len(k) > MOST_NAME or len(v) > MOST_VALUE for k, v in metadata.items()):
        raise InvalidRequest(f"metadata is at most {MOST_METADATA} short texts.", param="metadata")
    kept = asked.output_expires_after
    if kept is not None and not 3600 <= kept.seconds <= KEPT_S:
        raise InvalidRequest("It is kept for an hour to 30 days.", param="output_expires_after")
    return asked


def _query(exchange: Exchange) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(exchange.query, max_num_fields=20).items()}


def _limit(asked: dict[str, str], most: int, usual: int | None = None) -> int:
    text = asked.get("limit", str(usual or most))
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= most):
        raise InvalidRequest(f"limit is from 1 to {most}.", param="limit")
    return int(text)


def _page(told: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    data = told[:limit]
    ids = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {"first_id": None, "last_id": None}
    return {"object": "list", "data": data, **ids, "has_more": len(told) > limit}


def _gathered(pieces: Iterator[bytes]) -> bytes:
    """As much as is given at once; empty at the end."""
    found, size = list[bytes](), 0
    for piece in pieces:
        found.append(piece)
        size += len(piece)
        if size >= _GIVEN_BYTES:
            break
    return b"".join(found)


_GIVEN_BYTES = 256 << 10
_QUOTED = 'Send {"input_file_id": "file-…"}; `endpoint` may be added.'
_FORM = 'Send {"input_file_id": "file-…", "endpoint": "/v1/chat/completions", "completion_window": "24h"}.'
