"""Anthropic's Message Batches API. Pure.

Sources: Anthropic's API reference, Message Batches (Create, Retrieve, List, Cancel, Retrieve results), and the guide
Batch processing: 100,000 requests or 256 MB, results for 29 days, and that requests which errored, expired or were
cancelled are not billed. Batches carry no mark: one is known by the ids of its requests, once it has ended.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from ownkey.talk.errors import ProviderError, UnexpectedResponse
from ownkey.talk.secret import clean
from ownkey.wires.batches import Page, Question, Result, Standing
from ownkey.wires.wire import Headers, spoken

Read = TypeVar("Read")

_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "overloaded_error": 529,
}
_OVER = {
    "expired": ("batch_expired", "The provider did not come to this request within its completion window."),
    "canceled": ("batch_cancelled", "The batch was cancelled before this request was answered."),
}


class _Counts(Struct):
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0


class _Batch(Struct):
    id: str
    processing_status: str
    created_at: datetime
    request_counts: _Counts
    results_url: str | None = None


class _List(Struct):
    data: list[_Batch]
    has_more: bool = False
    last_id: str | None = None


class _Kind(Struct):
    type: str = ""


class _Failed(Struct):
    error: _Kind


class _Outcome(Struct):
    type: str
    message: Raw = Raw()
    error: Raw = Raw()


class _Line(Struct):
    custom_id: str
    result: _Outcome


class AnthropicBatches:
    name: str = "anthropic-batches"
    urls: Mapping[str, str] = {"anthropic-messages": "/v1/messages"}
    most_lines: int = 50_000
    most_bytes: int = 64 << 20
    """Less than Anthropic takes: it is held in memory."""
    uploads: bool = False
    marks: bool = False

    def write_line(self, custom_id: str, url: str, body: bytes) -> bytes:
        return msgspec.json.encode({"custom_id": custom_id, "params": Raw(msgspec.json.format(body, indent=-1))})

    def upload(self, mark: str, lines: Iterable[bytes]) -> Question:
        raise UnexpectedResponse("This provider takes a batch in one piece.")

    def read_upload(self, body: bytes) -> str:
        raise UnexpectedResponse("This provider takes a batch in one piece.")

    def create(self, mark: str, url: str, upload: str, lines: Iterable[bytes]) -> Question:
        return Question("POST", "/messages/batches", b'{"requests":[' + b",".join(lines) + b"]}")

    def look(self, id: str) -> Question:
        return Question("GET", f"/messages/batches/{_id(id)}")

    def cancel(self, id: str) -> Question:
        return Question("POST", f"/messages/batches/{_id(id)}/cancel")

    def read_standing(self, body: bytes) -> Standing:
        return _standing(_read(body, _Batch))

    def every(self, query: Mapping[str, str] | None = None) -> Question:
        return Question("GET", "/messages/batches", query={"limit": "100", **(query or {})})

    def read_page(self, body: bytes) -> Page:
        read = _read(body, _List)
        found = tuple(map(_standing, read.data))
        return Page(found, {"after_id": found[-1].id} if found and read.has_more else None)

    def fetch(self, results: str) -> Question:
        return Question("GET", f"/messages/batches/{_id(results)}/results")

    def read_results(self, body: bytes) -> Iterator[Result]:
        for raw in body.splitlines():
            if raw.strip():
                line = _read(raw, _Line)
                yield _result(line.custom_id, line.result)

    def read_error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        return spoken("anthropic-messages").read_error(status, headers, body)


def _standing(batch: _Batch) -> Standing:
    """Where its results are is not read from `results_url`: they are at the same origin, under the id."""
    counts = batch.request_counts
    total = counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired
    # What was answered is charged: until it can be had, the batch is not over.
    can_be_had = batch.results_url is not None or counts.succeeded == 0
    ended = batch.processing_status == "ended" and counts.processing == 0 and can_be_had
    at = batch.created_at if batch.created_at.tzinfo is not None else batch.created_at.replace(tzinfo=UTC)
    return Standing(
        _id(batch.id),
        not ended,
        int(at.timestamp()),
        ending=batch.processing_status == "canceling",
        results=(_id(batch.id),) if ended and batch.results_url is not None else (),
        total=total,
    )


def _result(custom_id: str, outcome: _Outcome) -> Result:
    if outcome.type == "succeeded" and bytes(outcome.message):
        return Result(custom_id, 200, bytes(outcome.message))
    if outcome.type == "errored" and bytes(outcome.error):
        kind = _read(bytes(outcome.error), _Failed).error.type
        return Result(custom_id, _STATUS.get(kind, 500), bytes(outcome.error))
    code, message = _OVER.get(outcome.type, ("batch_failed", "It was not answered."))
    return Result(custom_id, None, b"", code, clean(message, limit=200))


def _id(text: str) -> str:
    """It stands in a path: nothing in it may lead elsewhere."""
    if not _ID.fullmatch(text):
        raise UnexpectedResponse("The provider named an id that is none.")
    return text


def _read(body: bytes, type: type[Read]) -> Read:
    try:
        return msgspec.json.decode(body, type=type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise UnexpectedResponse("What the provider says of a batch cannot be read.") from None
