"""What a person is asked before a request goes on: why, and what it would cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct

from ownkey.talk.money import Money, show_usd

Kind = Literal["switch", "soft_cap", "over_budget", "price_unknown"]

REMEMBERED = ("switch", "soft_cap", "price_unknown")
"""A limit that asks is asked about each time."""

HEADER = "x-ownkey-consent"
"""With which the token is sent again."""


class Reason(Struct, frozen=True, omit_defaults=True, rename={"source": "from"}):
    """One thing that has to be said yes to.

    `model` is the `provider/model` that would be asked. `switch`: in place of the provider `source`, for `error` is
    what came of that. `soft_cap` and `over_budget`: the run takes `about` where `budget` has `cap` for it, both in
    nano-USD, tokens or requests, as `unit` says. `price_unknown`: `field` of the
    request is what has no bound, or `model`.
    """

    kind: Kind
    says: str
    model: str = ""
    source: str = ""
    error: str = ""
    budget: str = ""
    name: str = ""
    unit: str = ""
    about: int = 0
    cap: int = 0
    field: str = ""

    @classmethod
    def of_mark(cls, mark: str) -> Reason:
        """What a mark says, without its words."""
        kind, source, model, budget, unit, about, cap, field = msgspec.json.decode(mark)
        return cls(kind, "", model, source, budget=budget, unit=unit, about=about, cap=cap, field=field)

    @property
    def mark(self) -> str:
        """Exactly this, in one text: another model, budget or amount is another reason."""
        exact = (self.kind, self.source, self.model, self.budget, self.unit, self.about, self.cap, self.field)
        return msgspec.json.encode(exact).decode()

    @property
    def kept(self) -> tuple[str, str, str]:
        """What is remembered of a yes: the kind, from where, to what; a switch is of providers, whatever the model."""
        if self.kind == "switch":
            return self.kind, self.source, self.model.partition("/")[0]
        if self.kind == "price_unknown":
            return self.kind, self.field, self.model
        return self.kind, "", self.budget


def remembered(reasons: Iterable[Reason]) -> list[Reason]:
    """Those of which a yes can be remembered."""
    return [reason for reason in reasons if reason.kind in REMEMBERED]


class Estimate(Struct, frozen=True):
    """What it would cost: at least, as expected, at most; None where the price is not known."""

    model: str
    low: Money | None
    expected: Money | None
    most: Money | None

    def plain(self) -> dict[str, str | None]:
        """Amounts in dollars as text, exactly."""
        amounts = {"low_usd": self.low, "expected_usd": self.expected, "most_usd": self.most}
        return {"model": self.model} | {
            name: None if amount is None else show_usd(amount.nano_usd) for name, amount in amounts.items()
        }
