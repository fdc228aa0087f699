"""Kept chats: one's own, and nobody else's."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query

from ownkey.app.history import LONGEST_DAYS, LONGEST_TEXT, MOST_PAGE, PAGE, HistoryBook, Kept, Page
from ownkey.server.api.forms import Form, Owner, Removed, Shape, TheHouse

router = APIRouter(prefix="/api/byok/history", tags=["history"])
terms_router = APIRouter(prefix="/api/byok/history-terms", tags=["history"])

EntryPath = Annotated[str, Path(max_length=64)]


class TermsForm(Form):
    """`days`: for how long each is kept; null until it is deleted."""

    keep: bool
    days: int | None = None


class TermsShape(Shape):
    keep: bool
    days: int | None
    count: int


class PieceShape(Shape):
    """`kind`: text, reasoning, refusal, tool_call, tool_result, image, file or other; `text` that of it, for a call its
    arguments. A picture or file is told by its kind, size, SHA-256 or address. `cut`: so many characters of its text
    were left out. Of what is not given the default holds."""

    kind: str
    text: str = ""
    name: str | None = None
    call_id: str | None = None
    media_type: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    url: str | None = None
    cut: int = 0


class SaidShape(Shape):
    role: str
    pieces: list[PieceShape]


class EntryShape(Shape):
    """`asked`: the model by the name it was asked for; `provider` and `model` who answered. `whole`: the answer came to
    its end; else `error` is what broke it off. `left_out`: so many messages, the oldest, are not here. Of what is not
    given the default holds."""

    at_ms: int
    asked: str
    provider: str
    model: str
    messages: list[SaidShape]
    answer: list[PieceShape]
    finish: str
    whole: bool = True
    error: str | None = None
    cached: bool = False
    token_id: str | None = None
    automation: str | None = None
    left_out: int = 0


class KeptShape(Shape):
    """`entry`: the messages, the answer, who gave it; null where it could not be kept, for the reason in `lost`."""

    id: str
    at_ms: int
    entry: EntryShape | None
    lost: str | None
    cost_nano: int | None


class PageShape(Shape):
    """Newest first. `next` goes into `before` for the following page; null at the end."""

    entries: list[KeptShape]
    next: str | None
    looked_at: int


@terms_router.get("")
def read_terms(principal: Owner, house: TheHouse) -> TermsShape:
    """Whether chats are kept, and how many are."""
    return _terms(HistoryBook(house, principal.owner))


@terms_router.put("")
def set_terms(form: TermsForm, principal: Owner, house: TheHouse) -> TermsShape:
    """Keep chats from now on, or no more."""
    book = HistoryBook(house, principal.owner)
    if form.keep:
        book.on(form.days)
    else:
        book.off()
    return _terms(book)


@router.get("", response_model_exclude_unset=True)
def list_kept(
    principal: Owner,
    house: TheHouse,
    text: Annotated[str | None, Query(min_length=1, max_length=LONGEST_TEXT)] = None,
    before: Annotated[str | None, Query(max_length=96)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_PAGE)] = PAGE,
) -> PageShape:
    """All, or those in which a text stands, whatever its case: such a page may be short, and have a next one."""
    book = HistoryBook(house, principal.owner)
    return _page(book.page(before, limit) if text is None else book.search(text, before, limit))


@router.get("/{entry}", response_model_exclude_unset=True)
def read_kept(entry: EntryPath, principal: Owner, house: TheHouse) -> KeptShape:
    return _shape(HistoryBook(house, principal.owner).get(entry))


@router.delete("/{entry}")
def delete_kept(entry: EntryPath, principal: Owner, house: TheHouse) -> Removed:
    HistoryBook(house, principal.owner).delete(entry)
    return Removed(removed=1)


@router.delete("")
def clear_kept(
    principal: Owner,
    house: TheHouse,
    older_than_days: Annotated[int | None, Query(ge=0, le=LONGEST_DAYS)] = None,
) -> Removed:
    """All of them, or those that are older."""
    return Removed(removed=HistoryBook(house, principal.owner).clear(older_than_days))


def _terms(book: HistoryBook) -> TermsShape:
    terms = book.terms
    return TermsShape(keep=terms.history, days=terms.history_days, count=book.count())


def _page(page: Page) -> PageShape:
    return PageShape(entries=[_shape(kept) for kept in page.entries], next=page.next, looked_at=page.looked_at)


def _shape(kept: Kept) -> KeptShape:
    return KeptShape(
        id=kept.id,
        at_ms=kept.at_ms,
        entry=None if kept.entry is None else EntryShape.model_validate(msgspec.to_builtins(kept.entry)),
        lost=kept.lost,
        cost_nano=kept.cost_nano,
    )
