"""OpenAI's Files and Batch APIs, as far as a batch needs them: what was uploaded and made is kept in memory.

Forms after OpenAI's API reference, Files and Batch; a line that was not come to in time is in the file of errors, as
the guide Batch API shows.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import msgspec
from msgspec import Raw, Struct

from ownkey.simulate.answers import WIRES, Answer, Request, answer, failed
from ownkey.simulate.failing import Failure
from ownkey.simulate.faults import Fault

MOST_KEPT = 1_000

_PATH = re.compile(r".*?/(files|batches)(?:/([A-Za-z0-9_-]+)(?:/(content|cancel))?)?")
_JSON = ((b"content-type", b"application/json"),)
_OVER = ("failed", "completed", "expired", "cancelled")


class _Wanted(Struct):
    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None = None


class _Line(Struct):
    custom_id: str
    url: str
    body: Raw


class _Made(Struct):
    """`ready_s`: when it will have ended, by the monotonic clock. `expires`: so many of its lines will not be done."""

    wanted: _Wanted
    headers: dict[bytes, bytes]
    created_s: int
    ready_s: float
    expires: int
    status: str = "in_progress"
    output: str | None = None
    errors: str | None = None
    counts: tuple[int, int, int] = (0, 0, 0)


def concerns(target: str) -> bool:
    return _PATH.fullmatch(target.partition("?")[0]) is not None


class Batches:
    def __init__(self, *, keys: bool) -> None:
        self._keys = keys
        self._files: dict[str, bytes] = {}
        self._batches: dict[str, _Made] = {}

    def answer(self, request: Request, fault: Fault) -> Answer:
        lacking = WIRES["openai-chat"].lacks(request.headers) if self._keys else None
        if lacking is not None:
            return failed(request, lacking)
        found = _PATH.fullmatch(request.path)
        assert found is not None
        kind, id, doing = found.groups()
        name = f"{request.method} {kind}{'/id' if id else ''}{f'/{doing}' if doing else ''}"
        do: Callable[[Request, str, Fault], Answer] | None = {
            "POST files": self._upload,
            "GET files/id/content": self._content,
            "POST batches": self._create,
            "GET batches": self._list,
            "GET batches/id": self._look,
            "POST batches/id/cancel": self._cancel,
        }.get(name)
        if do is None:
            return failed(request, Failure("request", 404, f"Invalid URL ({request.method} {request.path})"))
        try:
            return do(request, id or "", fault)
        except KeyError:
            return failed(request, Failure("request", 404, f"No such {kind[:-1]} object: {id}"))
        except msgspec.MsgspecError as wrong:
            return failed(request, Failure("request", message=f"The body cannot be read: {wrong}"))

    def _upload(self, request: Request, id: str, fault: Fault) -> Answer:
        head = b"content-type: " + request.headers.get(b"content-type", b"") + b"\r\n\r\n"
        parts: dict[str, bytes] = {}
        for part in BytesParser(policy=HTTP).parsebytes(head + request.body).iter_parts():
            name = part.get_param("name", header="content-disposition")
            content: object = part.get_payload(decode=True)
            if isinstance(content, bytes):
                parts[str(name)] = content
        if parts.get("purpose", b"").strip() != b"batch" or "file" not in parts:
            return failed(request, Failure("request", message="purpose and file are needed."))
        id = self._keep(parts["file"])
        return _told({"id": id, "object": "file", "bytes": len(parts["file"]), "purpose": "batch"})

    def _content(self, request: Request, id: str, fault: Fault) -> Answer:
        return Answer(200, ((b"content-type", b"application/octet-stream"),), (self._files[id],))

    def _create(self, request: Request, id: str, fault: Fault) -> Answer:
        wanted = msgspec.json.decode(request.body, type=_Wanted)
        lines = self._files[wanted.input_file_id]
        id = f"batch_{hashlib.sha256(lines + str(len(self._batches)).encode()).hexdigest()[:24]}"
        _limit(self._batches)
        self._batches[id] = _Made(
            wanted,
            dict(request.headers),
            int(time.time()),
            time.monotonic() + fault.batch_takes,
            fault.batch_expires,
        )
        return _told(self._shown(id))

    def _list(self, request: Request, id: str, fault: Fault) -> Answer:
        shown = [self._shown(one) for one in reversed(self._batches)]
        after = re.search(r"[?&]after=([A-Za-z0-9_-]+)", request.target)
        limit = re.search(r"[?&]limit=([0-9]{1,3})", request.target)
        if after is not None:
            ids = [one["id"] for one in shown]
            shown = shown[ids.index(after[1]) + 1 :] if after[1] in ids else []
        size = int(limit[1]) if limit else 20
        return _told({"object": "list", "data": shown[:size], "has_more": len(shown) > size})

    def _look(self, request: Request, id: str, fault: Fault) -> Answer:
        made = self._batches[id]
        if made.status not in _OVER and time.monotonic() >= made.ready_s:
            self._work(made)
        return _told(self._shown(id))

    def _cancel(self, request: Request, id: str, fault: Fault) -> Answer:
        made = self._batches[id]
        if made.status not in _OVER:
            made.status = "cancelled"
        return _told(self._shown(id))

    def _work(self, made: _Made) -> None:
        lines = [msgspec.json.decode(one, type=_Line) for one in self._files[made.wanted.input_file_id].splitlines()]
        done = len(lines) - min(made.expires, len(lines))
        output: list[bytes] = []
        errors: list[bytes] = []
        for line in lines[:done]:
            told = answer(Request("POST", line.url, made.headers, bytes(line.body)), keys=self._keys)
            response = {
                "status_code": told.status,
                "request_id": "req_simulated",
                "body": Raw(msgspec.json.format(told.pieces[0], indent=-1)),
            }
            shown = {"id": "batch_req_simulated", "custom_id": line.custom_id, "response": response, "error": None}
            (output if told.status < 400 else errors).append(msgspec.json.encode(shown))
        for line in lines[done:]:
            error = {"code": "batch_expired", "message": "The completion window was over before this was executed."}
            shown = {"id": "batch_req_simulated", "custom_id": line.custom_id, "response": None, "error": error}
            errors.append(msgspec.json.encode(shown))
        made.status = "expired" if done < len(lines) else "completed"
        made.counts = (len(lines), len(output), len(errors))
        made.output = self._keep(b"\n".join(output)) if output else None
        made.errors = self._keep(b"\n".join(errors)) if errors else None

    def _keep(self, content: bytes) -> str:
        _limit(self._files)
        id = f"file-{hashlib.sha256(content + str(len(self._files)).encode()).hexdigest()[:24]}"
        self._files[id] = content
        return id

    def _shown(self, id: str) -> dict[str, Any]:
        made = self._batches[id]
        total, completed, wrong = made.counts
        return {
            "id": id,
            "object": "batch",
            "endpoint": made.wanted.endpoint,
            "input_file_id": made.wanted.input_file_id,
            "completion_window": made.wanted.completion_window,
            "status": made.status,
            "created_at": made.created_s,
            "output_file_id": made.output,
            "error_file_id": made.errors,
            "request_counts": {"total": total, "completed": completed, "failed": wrong},
            "metadata": made.wanted.metadata,
        }


def _told(shown: dict[str, Any]) -> Answer:
    return Answer(200, _JSON, (msgspec.json.encode(shown),))


def _limit(kept: dict[str, Any]) -> None:
    while len(kept) >= MOST_KEPT:
        del kept[next(iter(kept))]
