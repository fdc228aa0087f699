"""What a person has to say yes to before a request goes on, and whether they have."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar, cast

from msgspec import Struct, structs

from ownkey.engine.target import Target
from ownkey.store.consents import ConsentTable
from ownkey.store.preferences import PreferenceTable
from ownkey.talk.consent import HEADER, Reason
from ownkey.talk.errors import ConsentRequired, OwnkeyError

Result = TypeVar("Result")

GO_ON = f"Send it again with the token in `{HEADER}`, or say yes where you are asked."
OF_BUDGETS = ("soft_cap", "over_budget")


class Asker(Protocol):
    """Who wants it. `yes`: the marks of the reasons that were said yes to."""

    @property
    def owner(self) -> str: ...
    @property
    def yes(self) -> frozenset[str]: ...


A = TypeVar("A", bound=Asker)


class Consents:
    """What has been said yes to, with this request or for good, and who wants to be asked."""

    def __init__(self, consents: ConsentTable, preferences: PreferenceTable) -> None:
        self._consents = consents
        self._preferences = preferences

    def given(self, asker: Asker, reasons: tuple[Reason, ...]) -> bool:
        """Whether each of these has been said yes to."""
        left = [reason for reason in reasons if reason.mark not in asker.yes]
        if not left:
            return True
        known = self._consents.all(asker.owner, time.time_ns() // 1_000_000)
        remembered = {(one.kind, one.source, one.target) for one in known}
        return all(reason.kept in remembered for reason in left)

    async def ask(self, asker: A, target: Target, tried: Callable[[A], Awaitable[Result]]) -> Result:
        """What `tried` gives; where it asks for what has been said yes to, it is tried once more with leave for just
        that. Raises ConsentRequired with everything that is asked for."""
        while True:
            try:
                return await tried(asker)
            except ConsentRequired as error:
                error.reasons = tuple(_of(target, reason) for reason in error.reasons)
                allowed = _allowed(asker, error.reasons)
                if allowed is None or not self.given(asker, error.reasons):
                    raise
                asker = allowed

    def moving(
        self, asker: Asker, first: Target, *, ask: bool = False
    ) -> Callable[[Target, Target, OwnkeyError], None]:
        """Called with each target that another one is asked in place of, and why. Raises ConsentRequired where its
        owner wants to be asked before another provider is, or `ask` says so."""
        asked = {first.provider.id}

        def moved(left: Target, next: Target, error: OwnkeyError) -> None:
            if next.provider.id in asked:
                return
            if ask or self._preferences.of(asker.owner).ask:
                reason = _switch(first, next, error)
                if not self.given(asker, (reason,)):
                    raise ConsentRequired(reason.says, GO_ON, reasons=(reason,))
            asked.add(next.provider.id)

        return moved


def _switch(first: Target, next: Target, error: OwnkeyError) -> Reason:
    """In place of the first, whoever was asked between: which of them rest is another thing the next time."""
    return Reason(
        "switch",
        f"{next.provider.name} would be asked in place of {first.provider.name}. {error.message}",
        model=next.name,
        source=first.provider.id,
        error=error.code,
    )


def _of(target: Target, reason: Reason) -> Reason:
    return reason if reason.model else structs.replace(reason, model=target.name)


def _allowed(asker: A, reasons: tuple[Reason, ...]) -> A | None:
    """The same request with leave for these; None where it has it already."""
    known = cast("Any", asker)
    price = known.price_accepted or any(reason.kind == "price_unknown" for reason in reasons)
    budgets = known.budgets_accepted | {f"{one.kind}:{one.budget}" for one in reasons if one.kind in OF_BUDGETS}
    if (price, budgets) == (known.price_accepted, known.budgets_accepted):
        return None
    return cast("A", structs.replace(cast("Struct", asker), price_accepted=price, budgets_accepted=budgets))
