"""OpenAI's Batch API. Pure.

Sources: OpenAI's API reference, Files (Upload file, Retrieve file content) and Batch (Create, Retrieve, Cancel, List;
the request input and output objects); the guide Batch API for its limits (50,000 requests and 200 MB, requests to one
model in a file), for what is in the file of errors, and for what is charged: tokens of requests that were completed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from ownkey.talk.errors import ProviderError, UnexpectedResponse
from ownkey.talk.secret import clean
from ownkey.wires.batches import Page, Question, Result, Standing
from ownkey.wires.openai_error import read_error
from ownkey.wires.wire import Headers

Read = TypeVar("Read")

MARK = "ownkey"
"""The key in a batch's metadata by which it is found again."""

_BOUNDARY = "ownkey-5b1f0c9e7a3d4826"
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")

_OVER = {
    "expired": ("batch_expired", "The provider did not come to this request within its completion window."),
    "cancelled": ("batch_cancelled", "The batch was cancelled before this request was answered."),
}
_ENDED = ("failed", "completed", "expired", "cancelled")


class _Error(Struct):
    code: str | None = None
    message: str | None = None
    line: int | None = None


class _Errors(Struct):
    data: list[_Error] = []


class _Counts(Struct):
    completed: int = 0


class _Batch(Struct):
    id: str
    status: str
    created_at: int
    metadata: dict[str, Any] | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: _Errors | None = None
    request_counts: _Counts | None = None


class _List(Struct):
    data: list[_Batch]
    has_more: bool = False


class _File(Struct):
    id: str


class _Response(Struct):
    status_code: int
    body: Raw


class _Line(Struct):
    custom_id: str
    response: _Response | None = None
    error: _Error | None = None


class OpenAIBatches:
    name: str = "openai-batches"
    urls: Mapping[str, str] = {
        "openai-chat": "/v1/chat/completions",
        "openai-responses": "/v1/responses",
    }
    most_lines: int = 50_000
    most_bytes: int = 64 << 20
    """Less than OpenAI takes: it is held in memory."""
    uploads: bool = True
    marks: bool = True

    def write_line(self, custom_id: str, url: str, body: bytes) -> bytes:
        line = {"custom_id": custom_id, "method": "POST", "url": url, "body": Raw(msgspec.json.format(body, indent=-1))}
        return msgspec.json.encode(line) + b"\n"

    def upload(self, mark: str, lines: Iterable[bytes]) -> Question:
        """A form in parts (RFC 7578). A line of JSON holds no line end, so that it cannot end its part."""
        head = (
            f'--{_BOUNDARY}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--{_BOUNDARY}\r\n'
            f'content-disposition: form-data; name="file"; filename="{mark}.jsonl"\r\n'
            "content-type: application/jsonl\r\n\r\n"
        )
        body = b"".join((head.encode(), *lines, f"\r\n--{_BOUNDARY}--\r\n".encode()))
        return Question("POST", "/files", body, f"multipart/form-data; boundary={_BOUNDARY}")

    def read_upload(self, body: bytes) -> str:
        return _id(_read(body, _File).id)

    def create(self, mark: str, url: str, upload: str, lines: Iterable[bytes]) -> Question:
        asked = {"input_file_id": upload, "endpoint": url, "completion_window": "24h", "metadata": {MARK: mark}}
        return Question("POST", "/batches", msgspec.json.encode(asked))

    def look(self, id: str) -> Question:
        return Question("GET", f"/batches/{_id(id)}")

    def cancel(self, id: str) -> Question:
        return Question("POST", f"/batches/{_id(id)}/cancel")

    def read_standing(self, body: bytes) -> Standing:
        return _standing(_read(body, _Batch))

    def every(self, query: Mapping[str, str] | None = None) -> Question:
        return Question("GET", "/batches", query={"limit": "100", **(query or {})})

    def read_page(self, body: bytes) -> Page:
        read = _read(body, _List)
        found = tuple(map(_standing, read.data))
        return Page(found, {"after": found[-1].id} if found and read.has_more else None)

    def fetch(self, results: str) -> Question:
        return Question("GET", f"/files/{_id(results)}/content")

    def read_results(self, body: bytes) -> Iterator[Result]:
        for raw in body.splitlines():
            if not raw.strip():
                continue
            line = _read(raw, _Line)
            if line.response is not None:
                yield Result(line.custom_id, line.response.status_code, bytes(line.response.body))
            else:
                error = line.error or _Error()
                message = clean(error.message or "It was not answered.", limit=500)
                yield Result(line.custom_id, None, b"", clean(error.code or "batch_failed", limit=60), message)

    def read_error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        return read_error(status, headers, body)


def _standing(batch: _Batch) -> Standing:
    mark = (batch.metadata or {}).get(MARK)
    completed = batch.request_counts.completed if batch.request_counts else 0
    # What was answered is charged: until it can be had, the batch is not over.
    under_way = batch.status not in _ENDED or (completed > 0 and batch.output_file_id is None)
    code, why = _OVER.get(batch.status, ("batch_failed", None))
    if batch.status == "failed":
        told = [one.message for one in (batch.errors.data if batch.errors else ()) if one.message]
        why = clean(f"The provider refused the batch. {' '.join(told[:3])}".strip(), limit=500)
    return Standing(
        _id(batch.id),
        under_way,
        batch.created_at,
        mark if isinstance(mark, str) else None,
        batch.status == "cancelling",
        code,
        why,
        tuple(_id(one) for one in (batch.output_file_id, batch.error_file_id) if one),
    )


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
