"""Rows of an exported file beside those that are here: which come, which are here already, which say something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import msgspec
from msgspec import Struct, field

from ownkey.app.automations.document import check_name, checked, read
from ownkey.catalog.manifest import Model
from ownkey.routing.scope import Scope
from ownkey.spending.override import Override
from ownkey.spending.override import checked as checked_price
from ownkey.spending.window import Period, Window, check
from ownkey.store.first import Mode
from ownkey.store.first import Step as StepName
from ownkey.store.keys import ENVIRONMENT
from ownkey.store.parcel import Part, Step, Values, differs
from ownkey.store.preferences import Preferences
from ownkey.talk.errors import InvalidRequest, OwnkeyError
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret, clean

Alike = Callable[[Part, Values, Values], bool]


class Compared(Struct):
    """What becomes of one table. `replaced` are those of `changed`, and of what is gone, that said something else."""

    part: Part
    same: int = 0
    replaced: int = 0
    conflicts: list[str] = field(default_factory=list[str])
    gone: list[Values] = field(default_factory=list[Values])
    changed: list[tuple[Values, Values]] = field(default_factory=list[tuple[Values, Values]])
    added: list[Values] = field(default_factory=list[Values])

    @property
    def new(self) -> int:
        return len(self.added) + len(self.changed) - self.replaced

    @property
    def step(self) -> Step:
        return Step(self.part, self.gone, self.changed, self.added)


def compared(
    part: Part,
    rows: Sequence[Values],
    there: Sequence[Values],
    alike: Alike,
    *,
    replace: bool,
    only: str | None = None,
) -> Compared:
    """`alike`: whether two rows of one primary key say the same. With `replace` what says something else gives way;
    a person never does to somebody else, nor does a key of anybody's but `only`'s, where that is given."""
    found = Compared(part)
    index = {columns: {_of(row, columns): row for row in there} for columns in (part.key, *part.also)}
    for row in rows:
        mine = index[part.key].get(_of(row, part.key))
        others = [
            other
            for columns in part.also
            if any(_of(row, columns)) and (other := index[columns].get(_of(row, columns))) is not None
            if other is not mine
        ]
        if mine is None and not others:
            found.added.append(row)
        elif mine is not None and not others and (_stays(part, row, mine) or alike(part, row, mine)):
            found.same += 1
        elif mine is not None and not others and _untouched(part, mine):
            found.changed.append((_key(part, mine), _changed(part, row)))
        elif not replace or (others and part.table == "users") or _is_anothers(part, mine, only):
            found.conflicts.append(named(part, row))
        else:
            found.replaced += 1
            found.gone += [_key(part, other) for other in others if _key(part, other) not in found.gone]
            if mine is None:
                found.added.append(row)
            else:
                found.changed.append((_key(part, mine), _changed(part, row)))
    return found


def alike(part: Part, row: Values, there: Values) -> bool:
    return not differs(part, row, there)


def named(part: Part, row: Mapping[str, Any]) -> str:
    """As people know it."""
    name = "/".join(str(row.get(column)) for column in part.name if row.get(column))
    return clean(f"{part.what} {name}", limit=120)


def check_row(part: Part, row: Values) -> None:
    """Raises InvalidRequest where a row of the right form says what nobody here could read."""
    look = _CHECKS.get(part.table)
    try:
        if look is not None:
            look(row)
    except (OwnkeyError, ValueError, KeyError) as error:
        why = error.message if isinstance(error, OwnkeyError) else "it is not what it should be"
        raise InvalidRequest(
            f"This file cannot be read: {named(part, row)}: {why}", "Nothing was changed.", param="file"
        ) from None


def _stays(part: Part, row: Values, there: Values) -> bool:
    """What was revoked here stays so, and nothing is lost to an owner's row that nobody ever touched."""
    if part.kept or _untouched(part, row):
        return True
    return part.table == "tokens" and there["revoked_at_ms"] is not None and row["digest"] == there["digest"]


def _is_anothers(part: Part, there: Values | None, only: str | None) -> bool:
    return part.table == "keys" and there is not None and only not in (None, there["owner"])


def _untouched(part: Part, there: Values) -> bool:
    """The owner as every installation makes one."""
    made = {"id": "owner", "name": "Owner", "email": None, "password": None, "role": "owner", "status": "active"}
    return part.table == "users" and {name: there.get(name) for name in made} == made


def _changed(part: Part, row: Values) -> Values:
    return {name: value for name, value in row.items() if name not in part.key}


def _of(row: Values, columns: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in columns)


def _key(part: Part, row: Values) -> Values:
    return {name: row[name] for name in part.key}


def _check_choice(row: Values) -> None:
    msgspec.json.decode(row["fields"], type=dict[str, str])
    if row["endpoint"] is not None:
        Origin.parse(row["endpoint"])


def _check_automation(row: Values) -> None:
    check_name(row["name"])
    checked(read(row["document"]))


def _check_price(row: Values) -> None:
    checked_price(msgspec.json.decode(row["facts"], type=Override))


def _check_budget(row: Values) -> None:
    if row["period"] not in get_args(Period):
        raise ValueError("period")
    check(Window(row["period"], row["zone"], row["anchor_day"]))


def _check_terms(row: Values) -> None:
    if row["scope"] is not None:
        msgspec.json.decode(row["scope"], type=Scope)


def _check_key(row: Values) -> None:
    row["masked"] = Secret(row["sealed"]).masked()
    if str(Origin.parse(row["origin"])[0]) != row["origin"] or row["id"].startswith(ENVIRONMENT):
        raise ValueError("origin")


def _check_run(row: Values) -> None:
    msgspec.json.decode(row["price"])
    if row["state"] == "held" or row["attempt"] < 1 or row["ended_at_ms"] is None:
        raise ValueError("state")


def _check_steps(row: Values) -> None:
    if row["step"] not in get_args(StepName) or row["mode"] not in (None, *get_args(Mode)):
        raise ValueError("step")


_CHECKS: Mapping[str, Callable[[Values], None]] = {
    "choices": _check_choice,
    "models": lambda row: msgspec.json.decode(row["facts"], type=Model) and None,
    "prices": _check_price,
    "budgets": _check_budget,
    "automations": _check_automation,
    "token_terms": _check_terms,
    "keys": _check_key,
    "preferences": lambda row: msgspec.json.decode(row["document"], type=Preferences) and None,
    "onboarding": _check_steps,
    "book": _check_run,
}
