"""When alerts are raised, and where they are sent; where to stands in the settings, and no secret of it is told."""

from __future__ import annotations

import asyncio
from typing import Literal

from fastapi import APIRouter

from ownkey.app.alerting import RULES, AlertBox
from ownkey.app.budgets import BudgetBook
from ownkey.server.api.forms import Keeper, Known, Seer, Shape, TheHouse

router = APIRouter(prefix="/api/byok/alerts", tags=["alerts"])


class ChannelShape(Shape):
    """`shown` tells which it is: of a webhook no more than its origin."""

    kind: Literal["webhook", "email"]
    shown: str


class ChannelsShape(Shape):
    """`settings` are those by which channels are set."""

    channels: list[ChannelShape]
    settings: list[str]


class RuleShape(Shape):
    """`says` when alerts of this kind are raised. `wanted`: the asking person is told of them, as their preference
    `low_quota` says of budgets."""

    kind: str
    says: str
    wanted: bool


class ThresholdShape(Shape):
    """Told when so many per cent of the budget are spent, beside all of it; null: only then."""

    budget_id: str
    name: str
    alert_percent: int | None


class RulesShape(Shape):
    rules: list[RuleShape]
    thresholds: list[ThresholdShape]


class ToldShape(Shape):
    """What came of a test at one channel; `error` is null where it was taken."""

    channel: str
    error: str | None


class TestedShape(Shape):
    told: list[ToldShape]


class SentShape(Shape):
    """How many were found, and how many alerts every channel has had now."""

    raised: int
    sent: int


SETTINGS = (
    *("alert_webhook_url", "alert_webhook_secret", "smtp_url", "smtp_password"),
    *("alert_email_to", "alert_email_from"),
)


@router.get("/channels")
def list_channels(principal: Seer, house: TheHouse) -> ChannelsShape:
    found = AlertBox(house, principal.owner).channels
    kinds = [ChannelShape(kind="webhook" if one.name == "webhook" else "email", shown=one.shown) for one in found]
    return ChannelsShape(channels=kinds, settings=list(SETTINGS))


@router.get("/rules")
def list_rules(principal: Known, house: TheHouse) -> RulesShape:
    box = AlertBox(house, principal.owner)
    budgets = BudgetBook(house, principal.owner, only=principal.house_wide).all()
    return RulesShape(
        rules=[RuleShape(kind=kind, says=says, wanted=box.wanted(kind)) for kind, says in RULES.items()],
        thresholds=[
            ThresholdShape(budget_id=one.id, name=one.name, alert_percent=one.alert_percent)
            for one in budgets
            if one.limit is not None
        ],
    )


@router.post("/test")
async def test_channels(principal: Keeper, house: TheHouse) -> TestedShape:
    """Send a test to each channel, and say what came of it."""
    told = await AlertBox(house, principal.owner).test()
    return TestedShape(told=[ToldShape(channel=one.channel, error=one.error) for one in told])


@router.post("/send")
async def send_alerts(principal: Keeper, house: TheHouse) -> SentShape:
    """Look for what is new, and send what was not sent yet; the gateway does both by itself."""
    box = AlertBox(house, principal.owner)
    raised = await asyncio.to_thread(box.look)
    return SentShape(raised=len(raised), sent=await box.deliver_once())
