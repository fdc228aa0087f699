"""Alerts: what a person should know of, kept until it is seen, and sent from here like from an outbox.

A claim is good for a while only: who claims and dies leaves the alert to be claimed again. A channel that has had an
alert is not asked again for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, structs
from sqlalchemy import ColumnElement, delete, func, or_, select, text, update

from ownkey.store import tables
from ownkey.store.connect import Database
from ownkey.store.posting import Alert

FIRST_WAIT_MS = 60_000
LONGEST_WAIT_MS = 3_600_000
MOST_TRIES = 30
"""The waits between them come to a day."""

TOO_OLD_MS = 7 * 86_400_000
"""What has not been sent by then is old news: a channel that is set up later does not begin with years of it."""


class AlertRow(Alert, frozen=True):
    """`tries` counts the claims; `sent_at_ms` is when the last of all channels had it."""

    seen_at_ms: int | None = None
    sent_at_ms: int | None = None
    claimed_by: str | None = None
    claimed_at_ms: int | None = None
    tries: int = 0


class Delivery(Struct, frozen=True):
    """What became of an alert at one channel; `error` is of the last try, None after a success."""

    alert_id: str
    channel: str
    sent_at_ms: int | None
    error: str | None
    tries: int


class Alerts:
    def __init__(self, database: Database) -> None:
        self._database = database

    def raise_(self, alert: Alert) -> bool:
        """False where there is one of that id already, which stays as it is."""
        with self._database.writing() as connection:
            return connection.execute(_RAISE, structs.asdict(alert)).rowcount == 1

    def listed(
        self, owner: str, *, seen: bool = False, limit: int = 200, without: Sequence[str] = ()
    ) -> list[AlertRow]:
        """This owner's and everybody's: those not seen yet, and with `seen` the others after them; newest first. Of the
        kinds in `without` none that are theirs alone."""
        query = _ALL.where(_of(owner)) if seen else _ALL.where(_of(owner), _T.seen_at_ms.is_(None))
        if without:
            query = query.where(_wanted(without))
        query = query.order_by(_T.seen_at_ms.is_not(None), _T.at_ms.desc(), _T.id).limit(limit)
        with self._database.reading() as connection:
            return [AlertRow(*row) for row in connection.execute(query).all()]

    def about(self, subject: str) -> list[AlertRow]:
        """Those whose id is `subject`, a colon and more; in no order."""
        query = _ALL.where(_T.id.startswith(f"{subject}:", autoescape=True))
        with self._database.reading() as connection:
            return [AlertRow(*row) for row in connection.execute(query).all()]

    def unseen(self, owner: str, *, without: Sequence[str] = ()) -> int:
        query = select(func.count()).where(_of(owner), _T.seen_at_ms.is_(None))
        if without:
            query = query.where(_wanted(without))
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one()

    def see(self, owner: str, ids: Iterable[str] | None, at_ms: int) -> int:
        """Note that these were seen, or all where None; how many had not been."""
        query = update(tables.alerts).where(_of(owner), _T.seen_at_ms.is_(None)).values(seen_at_ms=at_ms)
        if ids is not None:
            query = query.where(_T.id.in_(list(ids)))
        with self._database.writing() as connection:
            return connection.execute(query).rowcount

    def claim(self, by: str, at_ms: int) -> AlertRow | None:
        """The oldest that waits to be sent, from now on this one's to send. None where there is none."""
        waiting = _ALL.where(_T.sent_at_ms.is_(None), _T.tries < MOST_TRIES, _T.at_ms > at_ms - TOO_OLD_MS)
        with self._database.reading() as connection:
            rows = [AlertRow(*row) for row in connection.execute(waiting.order_by(_T.at_ms, _T.id)).all()]
        for row in rows:
            if not is_due(row, at_ms):
                continue
            # `tries` is the fence: of all who read the same row one changes it.
            still = (_T.id == row.id, _T.sent_at_ms.is_(None), _T.tries == row.tries)
            mine = {"claimed_by": by, "claimed_at_ms": at_ms, "tries": row.tries + 1}
            with self._database.writing() as connection:
                if connection.execute(update(tables.alerts).where(*still).values(mine)).rowcount == 1:
                    return structs.replace(row, **mine)
        return None

    def delivered(self, alert_id: str, channel: str, at_ms: int) -> None:
        self._tried(Delivery(alert_id, channel, at_ms, None, 1))

    def failed(self, alert_id: str, channel: str, error: str) -> None:
        self._tried(Delivery(alert_id, channel, None, error, 1))

    def deliveries(self, alert_ids: Sequence[str]) -> list[Delivery]:
        query = select(*(_D[name] for name in Delivery.__struct_fields__)).where(_D.alert_id.in_(alert_ids))
        with self._database.reading() as connection:
            return [Delivery(*row) for row in connection.execute(query.order_by(_D.alert_id, _D.channel)).all()]

    def sent(self, id: str, at_ms: int) -> None:
        """Every channel has had it."""
        with self._database.writing() as connection:
            connection.execute(
                update(tables.alerts).where(_T.id == id, _T.sent_at_ms.is_(None)).values(sent_at_ms=at_ms)
            )

    def forget(self, before_ms: int) -> int:
        """Remove what was seen before that time; how many."""
        old = select(_T.id).where(_T.seen_at_ms < before_ms)
        with self._database.writing() as connection:
            connection.execute(delete(tables.deliveries).where(_D.alert_id.in_(old)))
            return connection.execute(delete(tables.alerts).where(_T.seen_at_ms < before_ms)).rowcount

    def _tried(self, delivery: Delivery) -> None:
        with self._database.writing() as connection:
            connection.execute(_TRIED, structs.asdict(delivery))


def is_due(row: AlertRow, at_ms: int) -> bool:
    """Whether it may be claimed: a claim is respected for a minute, and twice as long each time, up to an hour."""
    if row.claimed_at_ms is None:
        return True
    return at_ms >= row.claimed_at_ms + min(FIRST_WAIT_MS << max(row.tries - 1, 0), LONGEST_WAIT_MS)


def _of(owner: str) -> ColumnElement[bool]:
    return or_(_T.owner.is_(None), _T.owner == owner)


_T = tables.alerts.c
_D = tables.deliveries.c
_ALL = select(*(_T[name] for name in AlertRow.__struct_fields__))
_RAISE = text(
    f"INSERT INTO alerts ({', '.join(Alert.__struct_fields__)}, tries)"  # noqa: S608
    f" VALUES ({', '.join(f':{name}' for name in Alert.__struct_fields__)}, 0) ON CONFLICT DO NOTHING"
)
_TRIED = text(
    "INSERT INTO deliveries (alert_id, channel, sent_at_ms, error, tries)"
    " VALUES (:alert_id, :channel, :sent_at_ms, :error, :tries) ON CONFLICT (alert_id, channel) DO UPDATE SET"
    " sent_at_ms = coalesce(deliveries.sent_at_ms, excluded.sent_at_ms), error = excluded.error,"
    " tries = deliveries.tries + 1"
)


def _wanted(without: Sequence[str]) -> ColumnElement[bool]:
    return or_(_T.owner.is_(None), _T.kind.not_in(without))
