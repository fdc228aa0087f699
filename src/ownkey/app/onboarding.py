"""The first steps: where somebody is in them, and what they agreed to."""

from __future__ import annotations

import time
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import msgspec
from msgspec import Struct, structs

from ownkey.app.keys import KeyRing
from ownkey.store.first import Accepted, Step, Steps
from ownkey.talk.errors import Conflict

if TYPE_CHECKING:
    from ownkey.app.house import House

STEPS: tuple[Step, ...] = get_args(Step)
"""In their order."""

_AGREEMENT = Path(__file__).with_name("agreement.toml")


class Agreement(Struct, frozen=True, forbid_unknown_fields=True):
    """What people agree to: `date` in ISO 8601, paragraphs of `text` with an empty line between."""

    version: str
    date: str
    text: str


class Standing(Struct, frozen=True):
    """`accepted`: what was accepted last, which may be an earlier version. `has_key`: there is one for some provider;
    `has_local`: a server of one's own can be asked."""

    steps: Steps
    agreement: Agreement
    accepted: Accepted | None
    has_key: bool
    has_local: bool


@cache
def agreement() -> Agreement:
    """The one that holds now."""
    found = msgspec.convert(tomllib.loads(_AGREEMENT.read_text("utf-8")), Agreement)
    return structs.replace(found, text=found.text.strip())


class Onboarding:
    def __init__(self, house: House, owner: str) -> None:
        self._house = house
        self._owner = owner

    def get(self) -> Standing:
        accepted = self._house.store.first_steps.accepted(self._owner)
        return Standing(
            self._house.store.first_steps.of(self._owner),
            agreement(),
            accepted[0] if accepted else None,
            bool(KeyRing(self._house, self._owner).all()),
            any(provider.kind == "local" and self._asked(provider.id) for provider in self._house.catalogue.all()),
        )

    def change(self, **given: Any) -> Standing:
        """`step`, `mode`, `demo`, and `done`: whether they came to the end, which is the step `done` too.

        Raises Conflict for the end before the agreement was accepted.
        """
        before = self._house.store.first_steps.of(self._owner)
        done = given.pop("done", given.get("step") == "done" or None)
        if done:
            self._check_accepted()
            given |= {"step": "done"}
        elif done is False and given.get("step", before.step) == "done":
            given |= {"step": "more"}
        after = structs.replace(before, **given)
        ended = after.step == "done"
        now_ms = _now_ms()
        after = structs.replace(after, done_at_ms=(before.done_at_ms or now_ms) if ended else None)
        if after != before:
            told = {"step": after.step, "mode": after.mode, "done": ended}
            with self._house.audit.within("onboarding.changed", self._owner, owner=self._owner, detail=told):
                self._house.store.first_steps.set(structs.replace(after, changed_at_ms=now_ms))
        return self.get()

    def accept(self, version: str) -> Standing:
        """Raises Conflict where another version holds now."""
        current = agreement()
        if version != current.version:
            raise Conflict(
                f"The agreement is of version {current.version} by now.", "Read that one first.", param="version"
            )
        accepted = self._house.store.first_steps.accepted(self._owner)
        if all(one.version != version for one in accepted):
            at_ms = _now_ms()
            told = {"version": version, "at_ms": at_ms}
            with self._house.audit.within("agreement.accepted", self._owner, owner=self._owner, detail=told):
                self._house.store.first_steps.accept(self._owner, version, at_ms)
        return self.get()

    def _check_accepted(self) -> None:
        accepted = self._house.store.first_steps.accepted(self._owner)
        if all(one.version != agreement().version for one in accepted):
            raise Conflict("The agreement has not been accepted yet.", "Read it, and accept it first.", param="step")

    def _asked(self, provider: str) -> bool:
        """Whether it has told of its models."""
        return bool(self._house.store.models.of(provider))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
