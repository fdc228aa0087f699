"""What writes the book: one pen for each kind of database, in its driver's own words."""

from __future__ import annotations

from typing import Protocol

from ownkey.store.entry import Ending
from ownkey.store.posting import Verdict, Wish


class Pen(Protocol):
    """Writes for one thread. Raises StorageUnavailable where the database does not answer: close it then.

    Any other error says that a row cannot be kept as it is; nothing of the batch was written.
    """

    def write(self, wishes: list[Wish], endings: list[Ending]) -> list[Verdict]:
        """All of it, durably, or nothing, and the verdict on each wish. Of two endings of one id, the first to be
        written stands."""
        ...

    def assume(self, id: str, at_ms: int) -> None:
        """End that hold at the amount held."""
        ...

    here: bool
    """Whether it may write on an event loop: the database is a file of this machine."""

    def wait_for_others(self, patient: bool) -> None:
        """Whether `write` waits while another process writes, or fails at once."""
        ...

    @property
    def untidy(self) -> bool: ...

    def tidy(self) -> None:
        """What has to be done after some writes, and takes longer than they."""
        ...

    def close(self) -> None: ...

    def leave(self) -> None:
        """In a forked child: let go of what is the parent's without a word to the database."""
        ...
