"""Answers that are given again: one's own."""

from __future__ import annotations

from fastapi import APIRouter

from ownkey.app.caching import CacheBook
from ownkey.engine.remember import TTL_S
from ownkey.server.api.forms import Form, Known, Owner, Removed, Shape, TheHouse

router = APIRouter(prefix="/api/byok/cache", tags=["cache"])


class CacheForm(Form):
    """`models`: patterns with blanks between; null for all."""

    on: bool
    ttl_s: int = TTL_S
    models: str | None = None


class CacheShape(Shape):
    """`ttl_s` is null where it is off but for requests that ask for it. `saved_nano`: what the answers that were given
    again cost at first, but for those `unpriced`."""

    ttl_s: int | None
    models: str | None
    answers: int
    bytes: int
    most_bytes: int
    hits: int
    saved_nano: int
    unpriced: int


@router.get("")
def read_cache(principal: Known, house: TheHouse) -> CacheShape:
    """Whether it is on, what it holds, what it saved."""
    return _shape(CacheBook(house, principal.owner))


@router.put("")
def set_cache(form: CacheForm, principal: Owner, house: TheHouse) -> CacheShape:
    book = CacheBook(house, principal.owner)
    if form.on:
        book.on(form.ttl_s, form.models)
    else:
        book.off()
    return _shape(book)


@router.delete("")
def clear_cache(principal: Owner, house: TheHouse) -> Removed:
    return Removed(removed=CacheBook(house, principal.owner).clear())


def _shape(book: CacheBook) -> CacheShape:
    told = book.stats()
    return CacheShape(
        ttl_s=told.ttl_s,
        models=told.models,
        answers=told.held.answers,
        bytes=told.held.bytes,
        most_bytes=told.most_bytes,
        hits=told.saved.hits,
        saved_nano=told.saved.saved_nano,
        unpriced=told.saved.unpriced,
    )
