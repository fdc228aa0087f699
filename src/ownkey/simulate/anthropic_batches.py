"""Anthropic's Message Batches API: what was made is kept in memory.

Forms after Anthropic's API reference, Message Batches.
"""

from __future__ import annotations

import hashlib
import re
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct

from ownkey.simulate import anthropic_messages
from ownkey.simulate.answers import Answer, Request, answer, failed
from ownkey.simulate.failing import Failure
from ownkey.simulate.faults import Fault

MOST_KEPT = 1_000

_PATH = re.compile(r".*?/messages/batches(?:/([A-Za-z0-9_-]+)(?:/(results|cancel))?)?")
_JSON = ((b"content-type", b"application/json"),)


class _Line(Struct):
    custom_id: str
    params: Raw


class _Wanted(Struct):
    requests: list[_Line]


class _Made(Struct):
    """`ready_s`: when it will have ended, by the monotonic clock; `results` are there once it has."""

    lines: list[_Line]
    headers: dict[bytes, bytes]
    created: str
    ready_s: float
    expires: int
    counts: dict[str, int]
    results: bytes | None = None


def concerns(target: str) -> bool:
    return _PATH.fullmatch(target.partition("?")[0]) is not None


class MessageBatches:
    def __init__(self, *, keys: bool) -> None:
        self._keys = keys
        self._made: dict[str, _Made] = {}

    def answer(self, request: Request, fault: Fault) -> Answer:
        lacking = anthropic_messages.lacks(request.headers) if self._keys else None
        if lacking is not None:
            return failed(request, lacking)
        found = _PATH.fullmatch(request.path)
        assert found is not None
        id, doing = found.groups()
        try:
            if id is None:
                return self._create(request, fault) if request.method == "POST" else self._list(request)
            return self._at(request, id, doing)
        except KeyError:
            return failed(request, Failure("request", 404, f"No such batch: {id}"))
        except msgspec.MsgspecError as wrong:
            return failed(request, Failure("request", message=f"The body cannot be read: {wrong}"))

    def _at(self, request: Request, id: str, doing: str | None) -> Answer:
        made = self._made[id]
        if doing == "cancel" and made.results is None:
            self._end(made, len(made.lines), "canceled")
        self._go_on(made)
        if doing == "results":
            if made.results is None:
                return failed(request, Failure("request", 404, "The batch has not ended."))
            return Answer(200, ((b"content-type", b"application/x-jsonl"),), (made.results,))
        return _told(_shown(id, made))

    def _create(self, request: Request, fault: Fault) -> Answer:
        lines = msgspec.json.decode(request.body, type=_Wanted).requests
        while len(self._made) >= MOST_KEPT:
            del self._made[next(iter(self._made))]
        id = f"msgbatch_{hashlib.sha256(request.body + str(len(self._made)).encode()).hexdigest()[:24]}"
        created = datetime.now(UTC).isoformat()
        ready_s = time.monotonic() + fault.batch_takes
        counts = {"processing": len(lines), "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
        self._made[id] = _Made(lines, dict(request.headers), created, ready_s, fault.batch_expires, counts)
        return _told(_shown(id, self._made[id]))

    def _list(self, request: Request) -> Answer:
        for made in self._made.values():
            self._go_on(made)
        shown = [_shown(id, self._made[id]) for id in reversed(self._made)]
        after = re.search(r"[?&]after_id=([A-Za-z0-9_-]+)", request.target)
        limit = re.search(r"[?&]limit=([0-9]{1,4})", request.target)
        if after is not None:
            ids = [one["id"] for one in shown]
            shown = shown[ids.index(after[1]) + 1 :] if after[1] in ids else []
        size = int(limit[1]) if limit else 20
        last = shown[:size][-1]["id"] if shown else None
        return _told({"data": shown[:size], "has_more": len(shown) > size, "last_id": last})

    def _go_on(self, made: _Made) -> None:
        if made.results is None and time.monotonic() >= made.ready_s:
            self._end(made, min(made.expires, len(made.lines)), "expired")

    def _end(self, made: _Made, missing: int, why: str) -> None:
        results: list[bytes] = []
        done = len(made.lines) - missing
        made.counts["processing"] = 0
        for place, line in enumerate(made.lines):
            outcome: dict[str, Any] = {"type": why}
            if place < done:
                told = answer(Request("POST", "/v1/messages", made.headers, bytes(line.params)), keys=self._keys)
                body = Raw(msgspec.json.format(told.pieces[0], indent=-1))
                succeeded = told.status < 400
                outcome = {"type": "succeeded", "message": body} if succeeded else {"type": "errored", "error": body}
            made.counts[outcome["type"]] += 1
            results.append(msgspec.json.encode({"custom_id": line.custom_id, "result": outcome}))
        made.results = b"\n".join(results)


def _shown(id: str, made: _Made) -> dict[str, Any]:
    ended = made.results is not None
    return {
        "id": id,
        "type": "message_batch",
        "processing_status": "ended" if ended else "in_progress",
        "request_counts": made.counts,
        "created_at": made.created,
        "results_url": f"https://api.anthropic.com/v1/messages/batches/{id}/results" if ended else None,
    }


def _told(shown: dict[str, Any]) -> Answer:
    return Answer(200, _JSON, (msgspec.json.encode(shown),))
