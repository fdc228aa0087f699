"""What several requests together may cost at most, whatever is tried for them."""

from __future__ import annotations

from msgspec import structs

from ownkey.engine.attempt import Attempt
from ownkey.store.book import Hold
from ownkey.talk.errors import BudgetExceeded
from ownkey.talk.money import say_usd


class Purse:
    """`most_nano` is never passed: what was charged is gone, what is held may be, and no hold is for more than what is
    left. `of` is whose it is, as an error says it. For requests that follow each other."""

    def __init__(self, most_nano: int, of: str) -> None:
        self.most_nano = most_nano
        self._of = of
        self._attempts: list[Attempt] = []

    @property
    def left_nano(self) -> int:
        return self.most_nano - sum(one.nano for one in self._attempts)

    def within(self, wanted: Hold, least_nano: int | None) -> Hold:
        """The hold that can be paid for. `least_nano`: with how little the request can do, where it can with less.

        Raises BudgetExceeded, after which a cheaper model may be asked.
        """
        left = self.left_nano
        if wanted.priced and wanted.held_nano <= left:
            return wanted
        if wanted.priced and least_nano is not None and least_nano <= left:
            return structs.replace(wanted, held_nano=left)
        if not wanted.priced:
            said = f"What {wanted.model} costs is not known, and {self._of} has a limit in dollars."
            raise BudgetExceeded(said, "Give its price: `ownkey prices set PROVIDER/MODEL`.", move_on=True)
        needs = wanted.held_nano if least_nano is None else least_nano
        raise BudgetExceeded(
            f"{self._of} may cost {say_usd(self.most_nano)} in all, of which {say_usd(max(0, left))} is left; "
            f"asking {wanted.model} may take {say_usd(needs)}.",
            "Raise its limit, give it less to read, or choose a cheaper model.",
            move_on=True,
        )

    def took(self, attempt: Attempt) -> None:
        self._attempts.append(attempt)
