"""Who did what: everybody's for who may see it, else one's own; whether it is still what was written; and as a file."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from msgspec import structs

from ownkey.app.audit import AuditTrail
from ownkey.app.export import joined
from ownkey.server.api.filters import Time
from ownkey.server.api.forms import Known, Seer, Shape, TheHouse
from ownkey.server.doors import Principal
from ownkey.store.audit_chain import Break, Row
from ownkey.store.audit_sentences import Names, actor_name, sentence
from ownkey.store.audit_trail import Looked
from ownkey.store.usage import FOREVER_MS

router = APIRouter(prefix="/api/byok/audit", tags=["audit"])

MOST_RECORDS = 500
JSON_LINES = "application/x-ndjson"

Word = Annotated[str | None, Query(min_length=1, max_length=100)]


class RecordShape(Shape):
    """`says` it in a sentence, `actor_name` who did it. `actor` is empty where it is somebody else whom the asking
    person does not see."""

    seq: int
    at_ms: int
    actor_kind: str
    actor: str
    actor_name: str
    action: str
    target_kind: str
    target: str
    outcome: str
    request_id: str | None
    says: str
    detail: dict[str, Any]


class RecordsShape(Shape):
    """`next` is sent as `before` for the page after it; null where this is the last."""

    records: list[RecordShape]
    next: int | None


class BreakShape(Shape):
    """`seq` is the first record that is affected."""

    seq: int
    kind: str
    says: str


class VerdictShape(Shape):
    """Of so many `entries`, the last of them written at `until_ms`. `accepted` are problems that its owner has seen and
    let go; `notes` are no harm done."""

    whole: bool
    entries: int
    until_ms: int | None
    problems: list[BreakShape]
    accepted: list[BreakShape]
    notes: list[str]


@router.get("")
def list_records(
    principal: Known,
    house: TheHouse,
    actor: Word = None,
    action: Word = None,
    text: Word = None,
    since_ms: Time = None,
    until_ms: Time = None,
    before: Annotated[int | None, Query(ge=1, le=FOREVER_MS)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_RECORDS)] = 100,
) -> RecordsShape:
    """Newest first. `actor` is an id or a kind, `action` a name or what stands before its dot; `text` stands anywhere
    in it."""
    trail = AuditTrail(house, principal.owner)
    names = trail.names(everybody=principal.sees_all)
    wanted = _own(principal, Looked(since_ms, until_ms, actor, action, text), names)
    rows, following = trail.page(wanted, names, limit, before)
    return RecordsShape(records=[_record(row, names, principal) for row in rows], next=following)


@router.post("/verify")
def verify_records(principal: Seer, house: TheHouse) -> VerdictShape:
    """Every record against its hash, the seal, the data folder and the file."""
    found = AuditTrail(house, principal.owner).verify()
    last = house.audit.trail.listed(Looked(), limit=1)
    return VerdictShape(
        whole=found.whole,
        entries=found.count,
        until_ms=last[0].at_ms if last else None,
        problems=list(map(_break, found.breaks)),
        accepted=list(map(_break, found.accepted)),
        notes=found.notes,
    )


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {JSON_LINES: {"schema": {"type": "string"}}}}},
)
def export_records(principal: Seer, house: TheHouse) -> StreamingResponse:
    """All of it, oldest first, as JSON lines, each with its hash."""
    lines = joined(AuditTrail(house, principal.owner).lines())
    named = {"content-disposition": 'attachment; filename="ownkey-audit.jsonl"'}
    return StreamingResponse(lines, media_type=JSON_LINES, headers=named)


def _own(principal: Principal, wanted: Looked, names: Names) -> Looked:
    """An application's token acts for all of its users: what it did is no single one's."""
    if principal.sees_all:
        return wanted
    tokens = frozenset[str]() if principal.by == "service" else frozenset(names.tokens)
    return structs.replace(wanted, own=principal.owner, tokens=tokens)


def _record(row: Row, names: Names, principal: Principal) -> RecordShape:
    hidden = not principal.sees_all and row.actor_kind != "system" and row.actor not in (principal.owner, *names.tokens)
    plain = {name: getattr(row, name) for name in RecordShape.model_fields if hasattr(row, name)}
    plain |= {"actor": ""} if hidden else {}
    return RecordShape(
        **plain | {"detail": msgspec.json.decode(row.detail)},
        actor_name="Somebody who keeps this Ownkey" if hidden else actor_name(row, names),
        says=sentence(row, names),
    )


def _break(one: Break) -> BreakShape:
    return BreakShape(seq=one.seq, kind=one.kind, says=one.says)
