"""A newer price catalogue: fetched when it is asked for, read, compared, and taken or let be."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from msgspec import Struct

from ownkey.catalog.manifest import Provider
from ownkey.spending.catalogue import Listing
from ownkey.spending.changes import Change, Near, changes, vanished
from ownkey.spending.listed import File
from ownkey.spending.published import MOST_BYTES, read
from ownkey.store.catalogues import Edition, now_ms
from ownkey.store.posting import DAY_MS
from ownkey.talk.errors import BadConfiguration, EndpointNotAllowed, InvalidRequest, OwnkeyError, UnexpectedResponse
from ownkey.talk.origin import Origin
from ownkey.transport import Deadlines, Outgoing

if TYPE_CHECKING:
    from ownkey.app.house import House

IN_USE_MS = 30 * DAY_MS

# A person waits for it, on whatever line.
_DEADLINES = Deadlines(connect_s=10, headers_s=20, idle_s=20, total_s=60)


class Proposal(Struct, frozen=True):
    """Prices that may be taken. `after` is the number of the change that they were compared with."""

    source: str
    sha256: str
    after: int
    changes: list[Change]
    file: File

    @property
    def large(self) -> list[Change]:
        return [change for change in self.changes if change.large]


async def fetch(house: House, place: str | None = None) -> tuple[str, bytes]:
    """Where the prices are from, and their bytes, from a file or a URL; without one, from the setting `prices_url`.

    Raises InvalidRequest, EndpointNotAllowed and what the transport raises.
    """
    if place is None or "://" in place:
        return await _download(house, place or house.settings.prices_url, given=place is not None)
    return await asyncio.to_thread(_read, place)


def propose(house: House, source: str, data: bytes) -> Proposal:
    """What these prices would change. Raises InvalidRequest where they are none, or miss too much of those of now."""
    file = read(data)
    house.store.bring(house.prices)
    listing = Listing(file, "refreshed")
    if (why := vanished(house.prices.listing, listing)) is not None:
        raise InvalidRequest(
            f"These prices cannot be taken: {why}.", "Nothing was changed. Is it the whole file?", param="prices"
        )
    found = _changes(house, listing)
    return Proposal(source, sha256(data).hexdigest(), house.prices.edition, found, file)


def take(house: House, proposal: Proposal) -> Edition:
    """Put them into use, in every process. Raises InvalidRequest where others were put into use since."""
    edition = Edition(proposal.after + 1, None, proposal.source, proposal.sha256, house.prices.shipped.source, now_ms())
    return _add(house, edition, proposal.file)


def revert(house: House, number: int | None = None) -> tuple[Edition, list[Change]]:
    """Go back to the catalogue of that number, 0 for the shipped one; None: to the one before the one in use.

    Raises InvalidRequest where there is none.
    """
    history = house.store.catalogues.listed()
    current = history[0].used if history else 0
    taken = {one.number: one for one in history if one.back_to is None}
    number = max((one for one in taken if one < current), default=0) if number is None else number
    if number == current:
        raise InvalidRequest(
            "The shipped prices are in use already." if number == 0 else f"The prices {number} are in use already.",
            "`ownkey prices history` shows the others.",
        )
    if number and number not in taken:
        raise InvalidRequest(f"There are no prices {number}.", "`ownkey prices history` shows those there are.")
    house.store.bring(house.prices)
    listing = house.store.catalogues.listing(number) if number else house.prices.shipped
    if isinstance(listing, str):
        raise InvalidRequest(f"The prices {number} cannot be used: {listing}.", "Nothing was changed.")
    found = _changes(house, listing)
    back = taken.get(number)
    edition = Edition(
        history[0].number + 1,
        number,
        back.source if back else "",
        back.sha256 if back else "",
        house.prices.shipped.source,
        now_ms(),
    )
    return _add(house, edition, None), found


def _add(house: House, edition: Edition, file: File | None) -> Edition:
    if not house.store.catalogues.add(edition, file):
        raise InvalidRequest(
            "Other prices were put into use at this moment.", "Nothing was changed: look at them, and try again."
        )
    house.store.bring(house.prices)
    return edition


def _changes(house: House, listing: Listing) -> list[Change]:
    return changes(house.prices, house.prices.with_listing(listing), _near(house), datetime.now(UTC))


def _near(house: House) -> Iterator[tuple[Provider, str, Near]]:
    """The models that were used in the last 30 days, then all others of the providers that somebody has a key for."""
    used = {(one.provider, one.model) for one in house.store.signs.models(now_ms() - IN_USE_MS)}
    for name, model in sorted(used):
        try:
            yield house.catalogue.get(name), model, "used"
        except OwnkeyError:
            # Its provider's file is gone.
            continue
    told, keyed = house.store.models.all(), house.store.keys.providers()
    for provider in house.catalogue.all():
        if provider.kind == "cloud" and provider.id in keyed:
            for name in dict.fromkeys(model.id for model in (*provider.models, *told.get(provider.id, ()))):
                if (provider.id, name) not in used:
                    yield provider, name, "key"


async def _download(house: House, url: str, *, given: bool) -> tuple[str, bytes]:
    try:
        origin, path = Origin.parse(url)
    except EndpointNotAllowed as error:
        if given:
            raise InvalidRequest(error.message.replace("base URL", "address"), param="place") from None
        message = error.message.replace("This base URL", "OWNKEY_PRICES_URL")
        raise BadConfiguration(message, param="prices_url") from None
    if origin.scheme == "inside":
        raise InvalidRequest("Prices are fetched over HTTPS.", param="place")
    headers = ((b"accept", b"application/json"), (b"user-agent", b"ownkey"))
    out = Outgoing(b"GET", origin, path.encode("ascii") or b"/", headers, b"", "prices")
    answer = await house.transport.send(out, _DEADLINES)
    if answer.status != 200:
        answer.close()
        why = ": redirects are not followed" if 300 <= answer.status < 400 else ""
        raise UnexpectedResponse(
            f"{origin} answered {answer.status} when it was asked for prices{why}.",
            "Nothing was changed. OWNKEY_PRICES_URL may name a mirror, or give a file.",
            status=answer.status,
        )
    return f"{origin}{path}", await answer.read(MOST_BYTES)


def _read(place: str) -> tuple[str, bytes]:
    path = Path(place).absolute()
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            if not S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InvalidRequest(f"{path} is not a file.", param="place")
            return str(path), file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "there can be no such name"
        raise InvalidRequest(f"{place[:200]} cannot be read: {why}.", param="place") from None
