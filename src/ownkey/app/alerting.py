"""Alerts, as the faces see them: listed, seen, sent; and the loop of the gateway that looks and sends."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from ownkey.app.channels import Channel, channels
from ownkey.app.watching import signs
from ownkey.store.alerts import AlertRow, Delivery
from ownkey.store.posting import Alert
from ownkey.talk.errors import InvalidRequest, OwnkeyError, StorageUnavailable

if TYPE_CHECKING:
    from ownkey.app.house import House

SENT_EVERY_S = 5.0
LOOKED_EVERY_S = 3600.0
LOW_QUOTA = ("budget_threshold", "budget_exhausted")
KEPT_MS = 365 * 86_400_000


RULES: Mapping[str, str] = {
    "budget_threshold": "A budget has as many per cent of its limit spent as it says, or all of it.",
    "budget_exhausted": "A run was refused because a budget is used up.",
    "key_failing": "The last three tries with a key, within six hours, were refused by its provider.",
    "price_changed": "A model that was used in the last 30 days costs other than before.",
    "price_missing": "Nobody knows the price of a model any more that was used in the last 30 days.",
    "unusual_spending": "Far more was spent today than the days before make likely.",
}
"""When an alert of each kind is raised."""


class Told(Struct, frozen=True):
    """What came of a test at one channel; `error` is None where it was taken."""

    channel: str
    error: str | None


class AlertBox:
    def __init__(self, house: House, owner: str) -> None:
        self._house = house
        self._owner = owner
        self._id = secrets.token_hex(8)

    @cached_property
    def channels(self) -> list[Channel]:
        """Where alerts are sent, as the settings have it."""
        return channels(self._house.settings, self._house.transport)

    def listed(self, *, seen: bool = False, limit: int = 200) -> list[AlertRow]:
        """Those not seen yet, newest first; with `seen`, the others after them."""
        return self._house.store.alerts.listed(self._owner, seen=seen, limit=limit, without=self._unwanted(seen=seen))

    def deliveries(self, alerts: Sequence[Alert]) -> list[Delivery]:
        """What became of these at each channel that was tried."""
        return self._house.store.alerts.deliveries([alert.id for alert in alerts])

    def unseen(self) -> int:
        """How many were not seen yet."""
        return self._house.store.alerts.unseen(self._owner, without=self._unwanted())

    async def written(self) -> None:
        """What runs of this process raise stands among the alerts when this returns."""
        await self._house.store.book.drain()

    def wanted(self, kind: str) -> bool:
        """Whether its person wants to be told of that."""
        return kind not in self._unwanted()

    def see(self, ids: Sequence[str] | None = None) -> int:
        """Note that these were seen, or all. How many had not been. Raises InvalidRequest where one is not there."""
        if ids is not None:
            there = {row.id for row in self.listed(seen=True, limit=2**31 - 1)}
            if missing := [id for id in ids if id not in there]:
                raise InvalidRequest(f"There is no alert {missing[0][:100]!r}.", "`ownkey alerts --all` shows them.")
        return self._house.store.alerts.see(self._owner, ids, now_ms())

    def look(self, at_ms: int | None = None) -> list[Alert]:
        """Look for keys that stopped working, prices that changed, unusual spending; what is new of it."""
        at_ms = now_ms() if at_ms is None else at_ms
        self._house.store.alerts.forget(at_ms - KEPT_MS)
        return [alert for alert in signs(self._house, at_ms) if self._house.store.alerts.raise_(alert)]

    async def deliver_once(self, at_ms: int | None = None) -> int:
        """Send what waits to be sent; how many alerts every channel has had now.

        Safe to call in many processes at once: each alert is claimed by one. What a channel did not take is tried
        again later, by whoever calls this then.
        """
        sent = 0
        while self.channels:
            at = now_ms() if at_ms is None else at_ms
            alert = await asyncio.to_thread(self._house.store.alerts.claim, self._id, at)
            if alert is None:
                break
            sent += await self._deliver(alert, at)
        return sent

    async def test(self) -> list[Told]:
        """Send a test to each channel, and say what came of it."""
        id = f"test:{secrets.token_hex(8)}"
        alert = Alert(id, "test", self._owner, None, "This is a test of Ownkey's alerts.", "{}", now_ms())
        return list(await asyncio.gather(*(_send(channel, alert) for channel in self.channels)))

    async def run(self) -> None:
        """Look every hour, send every few seconds, until cancelled. A database that does not answer is waited for."""
        look_at_s = 0.0
        while True:
            # A server that is stopped as soon as it was started has nothing under way here.
            await asyncio.sleep(SENT_EVERY_S)
            try:
                if time.monotonic() >= look_at_s:
                    await asyncio.to_thread(self.look)
                    look_at_s = time.monotonic() + LOOKED_EVERY_S
                await self.deliver_once()
            except StorageUnavailable:
                continue

    def _unwanted(self, *, seen: bool = False) -> Sequence[str]:
        """Kinds that its person does not want to be told of; among those that were seen they stand all the same."""
        return () if seen or self._house.store.preferences.of(self._owner).low_quota else LOW_QUOTA

    async def _deliver(self, alert: AlertRow, at_ms: int) -> bool:
        store = self._house.store.alerts
        if alert.kind in LOW_QUOTA and alert.owner is not None:
            wanted = await asyncio.to_thread(self._house.store.preferences.get, alert.owner)
            if not wanted.low_quota:
                await asyncio.to_thread(store.sent, alert.id, at_ms)
                return False
        known = await asyncio.to_thread(store.deliveries, [alert.id])
        reached = {delivery.channel for delivery in known if delivery.sent_at_ms is not None}
        told = await asyncio.gather(
            *(self._reach(one, alert, at_ms) for one in self.channels if one.name not in reached)
        )
        if not all(told):
            return False
        await asyncio.to_thread(store.sent, alert.id, at_ms)
        return True

    async def _reach(self, channel: Channel, alert: Alert, at_ms: int) -> bool:
        told = await _send(channel, alert)
        store = self._house.store.alerts
        if told.error is None:
            await asyncio.to_thread(store.delivered, alert.id, channel.name, at_ms)
        else:
            await asyncio.to_thread(store.failed, alert.id, channel.name, told.error)
        return told.error is None


async def _send(channel: Channel, alert: Alert) -> Told:
    try:
        await channel.send(alert)
    except OwnkeyError as error:
        return Told(channel.shown, str(error))
    return Told(channel.shown, None)


def now_ms() -> int:
    return time.time_ns() // 1_000_000
