"""A provider's own bill compared with the book. Nothing is written."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from msgspec import Struct

from ownkey.spending.bill import Bill, read_bill
from ownkey.spending.drift import Booked, Drift, compare
from ownkey.spending.window import Window, check
from ownkey.store.history import Quarter
from ownkey.talk.errors import InvalidRequest

if TYPE_CHECKING:
    from ownkey.app.house import House


class Reconciled(Struct, frozen=True):
    bill: Bill
    drift: Drift


def reconcile(house: House, provider: str, path: Path, zone: str = "UTC") -> Reconciled:
    """The bill in that CSV file beside what the book has of the provider, from the bill's first day to its last.

    Days are those of `zone` (an IANA name). Raises InvalidRequest where there is no such provider or zone, and where
    the file is no bill.
    """
    check(Window(zone=zone))
    days: tzinfo = UTC if zone == "UTC" else ZoneInfo(zone)
    house.catalogue.get(provider)
    bill = _read(path, days)
    since_ms, until_ms = _midnight_ms(bill.first, days), _midnight_ms(bill.last + timedelta(days=1), days)
    quarters = house.store.history.quarters(provider, since_ms, until_ms)
    return Reconciled(bill, compare(bill, [_booked(one, days) for one in quarters]))


def _read(path: Path, zone: tzinfo) -> Bill:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return read_bill(file, zone)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror or error}.", param="path") from None
    except UnicodeDecodeError:
        raise InvalidRequest(f"{path} is no text in UTF-8.", "Export the bill as CSV.", param="path") from None


def _booked(one: Quarter, zone: tzinfo) -> Booked:
    day = datetime.fromtimestamp(one.start_ms / 1000, UTC).astimezone(zone).date()
    if one.state == "held":
        return Booked(day, one.model, 0, 0, 0, pending_nano=one.held_nano)
    assumed = one.cost_nano if one.state == "assumed" else 0
    return Booked(day, one.model, one.calls, one.unpriced, one.cost_nano, assumed)


def _midnight_ms(day: date, zone: tzinfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)
