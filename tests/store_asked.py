"""Holds and endings put to a store, as a test without an event loop wants it."""

from __future__ import annotations

import asyncio

from ownkey.store.book import Ending, Hold, Wish
from ownkey.store.db import Store
from ownkey.talk.errors import OwnkeyError


def ask(store: Store, *holds: Hold, wait_s: float = 0.0, wish: Wish | None = None) -> list[Hold | OwnkeyError]:
    async def one(each: Hold) -> Hold | OwnkeyError:
        try:
            return await store.book.hold(each, wish, wait_s=wait_s)
        except OwnkeyError as error:
            return error

    async def main() -> list[Hold | OwnkeyError]:
        given = await asyncio.gather(*map(one, holds))
        await store.book.drain()
        return given

    return asyncio.run(main())


def settle(store: Store, *endings: Ending) -> None:
    for ending in endings:
        store.book.settle(ending)
    asyncio.run(store.book.drain())
