"""Budgets, as the faces see them: set by name, listed with what is left, removed."""

from __future__ import annotations

import re
import secrets
import time
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from itertools import count
from typing import TYPE_CHECKING, Any, get_args

import msgspec
from msgspec import Struct, structs

from ownkey.app.naming import id_of, token_of
from ownkey.spending.budget import SCOPES, Budget, Exhausted, Room, Unit
from ownkey.spending.preview import Cut, Preview, last_month, preview
from ownkey.spending.window import Period, Window, check
from ownkey.store.audit_trail import SYSTEM
from ownkey.store.runs import Wanted
from ownkey.store.usage import UsageTotal
from ownkey.talk.errors import Conflict, InvalidRequest, NotFound, OwnkeyError, PermissionDenied
from ownkey.talk.money import NANO_PER_USD

if TYPE_CHECKING:
    from ownkey.app.house import House

KEPT, OWN = "b_", "bo_"
"""How the id of a budget begins: of one that is kept over people, and of one that its person has made."""

_ID = re.compile(rf"({KEPT}|{OWN})[0-9a-f]{{12}}")

MOST_NANO = 2**53 - 1
"""About nine million dollars: what the book keeps."""

_AMOUNT = re.compile(r"\d{1,7}(\.\d{1,9})?", re.ASCII)
_CHOICES: dict[str, tuple[str, ...]] = {
    "unit": get_args(Unit),
    "per": get_args(Period),
    "exhausted": get_args(Exhausted),
    "run_soft": ("warn", "ask"),
}
_PERCENTS = {"alert_percent": (1, 100), "share_percent": (1, 100)}
_WINDOW = {"per": "period", "zone": "zone", "anchor_day": "anchor_day"}
_SCOPES = ("owner", "provider", "model", "key", "token", "automation")


class Impact(Struct, frozen=True):
    """What a budget comes to as things are: how it stands, and whether runs would be refused from now on."""

    room: Room
    refuses: bool


class BudgetBook:
    """Of one house. `only`: one person's in it, who sees and makes budgets for what is their own, and no others."""

    def __init__(self, house: House, owner: str, *, only: str | None = None) -> None:
        self._house = house
        self._owner = owner
        self._only = only

    def all(self) -> list[Budget]:
        return [one for one in self._house.store.budgets.all() if self._only in (None, one.owner)]

    def rooms(self) -> list[Room]:
        """Each in its present window: what was spent, what is pending, what is left."""
        ids = None if self._only is None else [one.id for one in self.all()]
        return self._house.store.budgets.rooms(time.time_ns() // 1_000_000, ids)

    def get(self, name: str) -> Budget:
        """By its id or name. Raises InvalidRequest."""
        there = self.all()
        named = [one for one in there if one.id == name] or [one for one in there if one.name == name]
        if not named:
            raise InvalidRequest(
                f"There is no budget {name[:100]!r}.", "`ownkey budgets list` shows those that there are.", param="name"
            )
        # What is kept over people comes before what they have made for themselves.
        return min(named, key=lambda one: one.id.startswith(OWN))

    def add(self, name: str, **given: Any) -> Impact:
        """As `set`, where there is none of that name yet. Raises Conflict too."""
        if self._to_set(name) is not None:
            raise Conflict(
                f"There is a budget {name[:100]!r} already.", "Take another name, or change that one.", param="name"
            )
        return self._put(None, name, given)

    def make(self, name: str, **given: Any) -> Impact:
        """A new one whatever there is; where there is one of that name, with a number behind it."""
        taken = {one.name for one in self.all()}
        numbered = (f"{name[:95]} {number}" for number in count(2))
        return self._put(None, name if name not in taken else next(one for one in numbered if one not in taken), given)

    def change(self, budget: Budget, **given: Any) -> Impact:
        """What is given of exactly this one."""
        return self._put(budget, budget.name, given)

    def set(self, name: str, **given: Any) -> Impact:
        """Make a budget of that name, or change what is given of the one that there is, by its id or name; None takes a
        value away. What somebody made for themselves, others change by its id only: its name is theirs.

        `limit` in dollars (an exact decimal, or text), tokens or requests, as `unit` says; `per` is `day`, `week`,
        `month`, `cycle` or `ever`, with `zone` and `anchor_day`; `provider`, `model` (PROVIDER/MODEL), `owner` (by id
        or e-mail address), `key` (PROVIDER or PROVIDER/LABEL), `token` (by id or name) and `automation` say what it is
        for; `exhausted` is `refuse`, `fall_back` or `ask`; `run_soft_usd`, `run_hard_usd`, `run_soft_tokens`,
        `run_hard_tokens`, `run_soft`, `alert_percent`, `share_percent`. Raises InvalidRequest, naming the field, and
        NotFound for an id of none.
        """
        return self._put(self._to_set(name), name, given)

    def _put(self, there: Budget | None, name: str, given: dict[str, Any]) -> Impact:
        """In place of that one, or as a new one of this name."""
        if not 1 <= len(name) <= 100 or not name.isprintable() or not name.strip():
            raise InvalidRequest("A budget's name is 1 to 100 printable characters.", param="name")
        budget = self._would_be(there, name, given)
        self._check_grant(there, budget)
        with self._house.audit.within("budget.set", budget.id, owner=self._owner, detail=_told(there, budget)):
            self._house.store.budgets.set(budget)
        (room,) = self._house.store.budgets.rooms(time.time_ns() // 1_000_000, [budget.id])
        return Impact(room, room.left == 0)

    def preview(self, name: str, **given: Any) -> Preview:
        """What `set` would come to with what was used last month, and as things are. Raises InvalidRequest."""
        budget = self._would_be(self._to_set(name), name, given)
        check(budget.window)
        now_ms = time.time_ns() // 1_000_000
        since_ms, until_ms = last_month(budget, now_ms)
        where = {scope: value for scope in SCOPES if (value := getattr(budget, scope)) is not None}
        hours = self._house.store.usage.totals(("hour",), since_ms=since_ms, until_ms=until_ms, where=where)
        cut = None
        if budget.run_hard_nano is not None or budget.run_hard_tokens is not None:
            last = Wanted(where, since_ms, until_ms)
            cut = Cut(*self._house.store.runs.above(last, budget.run_hard_nano, budget.run_hard_tokens))
        by_hour = {int(one.group["hour"]): _used(one, budget.unit) for one in hours}
        return preview(budget, by_hour, self._house.store.budgets.room(budget, now_ms), now_ms, cut)

    def _would_be(self, there: Budget | None, name: str, given: dict[str, Any]) -> Budget:
        if self._only is not None:
            given = given | {"owner": self._only}
            self._check_own(there)
        budget = self._changed(there or _new(name, OWN if self._only is not None else KEPT), given)
        _check(budget)
        return budget

    def _to_set(self, name: str) -> Budget | None:
        there = self.all()
        if _ID.fullmatch(name):
            for budget in there:
                if budget.id == name:
                    return budget
            raise NotFound("There is no such budget.", "It may have been removed.")
        own = self._only is not None
        return next((one for one in there if one.name == name and (own or not one.id.startswith(OWN))), None)

    def remove(self, name: str) -> Budget:
        """Raises InvalidRequest where there is none."""
        budget = self.get(name)
        self._check_own(budget)
        self._check_grant(budget, None)
        with self._house.audit.within("budget.removed", budget.id, owner=self._owner, detail=_told(budget, None)):
            self._house.store.budgets.remove(budget.id)
        return budget

    def wrong(self) -> int:
        """How many counters are not what the book's rows add up to."""
        return len(self._house.store.budgets.wrong_counters())

    def mend(self) -> int:
        with self._house.audit.within("budget.mended", "", owner=self._owner):
            return self._house.store.budgets.mend()

    def name_anew(self) -> None:
        """Call what each is for as the book does. What was kept as it had been typed, an alias or an e-mail address,
        limited nothing; what cannot be changed now is so at the next start."""
        audit = self._house.audit
        for old in self.all():
            with suppress(OwnkeyError):
                new = self._by_ids(old)
                if new != old:
                    with audit.within("budget.set", old.id, owner=self._owner, actor=SYSTEM, detail=_told(old, new)):
                        self._house.store.budgets.set(new)

    def _by_ids(self, budget: Budget) -> Budget:
        if budget.owner is not None and not budget.id.startswith(OWN):
            budget = structs.replace(budget, owner=id_of(self._house, budget.owner))
        if budget.provider is None or budget.model is None:
            return budget
        return structs.replace(budget, model=self._house.catalogue.get(budget.provider).id_of(budget.model))

    def _check_own(self, budget: Budget | None) -> None:
        if self._only is not None and budget is not None and not budget.id.startswith(OWN):
            raise PermissionDenied("This budget was set for you.", "Ask an admin of this Ownkey to change it.")

    def _check_grant(self, old: Budget | None, new: Budget | None) -> None:
        """What was granted stays limited, whatever else is changed of its budget."""
        if old is None or (new is not None and new.limit is not None and _scope(old) == _scope(new)):
            return
        if any(grant.budget == old.id for grant in self._house.store.grants.all()):
            raise Conflict(
                "This budget limits what somebody was granted.", "Take the grant back: `ownkey users revoke`."
            )

    def _changed(self, budget: Budget, given: dict[str, Any]) -> Budget:
        changes = self._scopes(budget, given)
        window = structs.asdict(budget.window)
        unit = given.get("unit", budget.unit)
        terms = {field: value for field, value in given.items() if field not in _SCOPES}
        for field, value in terms.items():
            if field in _CHOICES and value not in _CHOICES[field]:
                raise InvalidRequest(f"{field} is one of: {', '.join(_CHOICES[field])}.", param=field)
            if field in _WINDOW:
                window[_WINDOW[field]] = value
            elif field == "limit":
                changes["limit"] = amount_of(value, unit, field)
            elif field.endswith("_usd"):
                changes[field.replace("_usd", "_nano")] = amount_of(value, "usd", field)
            elif field.endswith("_tokens"):
                changes[field] = amount_of(value, "tokens", field)
            elif field in _PERCENTS:
                changes[field] = _percent(value, field)
            elif field in ("unit", "exhausted", "run_soft"):
                changes[field] = value
            else:
                raise InvalidRequest(f"A budget has no {field[:40]!r}.", param=field[:40])
        if "unit" in changes and changes["unit"] != budget.unit and "limit" not in changes and budget.limit is not None:
            raise InvalidRequest("With another unit, say the limit in it too.", param="limit")
        return structs.replace(budget, window=Window(**window), **changes)

    def _scopes(self, budget: Budget, given: dict[str, Any]) -> dict[str, Any]:
        """What is given of what it is for. A model is its provider's, which it brings along."""
        changes: dict[str, Any] = {}
        for field in (field for field in _SCOPES if field in given):
            named = self._scope(field, given[field])
            if named.get("model") and changes.get("provider") not in (None, named["provider"]):
                raise InvalidRequest(f"{given[field][:100]} is not a model of {changes['provider']}.", param="model")
            changes |= named
        provider, model = (changes.get(name, getattr(budget, name)) for name in ("provider", "model"))
        if model is not None and "model" not in changes and provider != budget.provider:
            told = f"This budget is for the model {budget.provider}/{model}."
            raise InvalidRequest(told, "Say another model too, or `none`.", param="provider")
        return changes

    def _scope(self, field: str, value: str | None) -> dict[str, str | None]:
        """What is named, as the book names it. Raises InvalidRequest where there is no such thing."""
        if value is None:
            return {{"key": "key_id", "token": "token_id"}.get(field, field): None}
        if field == "provider":
            return {"provider": self._house.catalogue.get(value).id}
        if field == "model":
            provider, _, model = value.partition("/")
            if not model:
                raise InvalidRequest("A model is named as PROVIDER/MODEL.", param=field)
            manifest = self._house.catalogue.get(provider)
            return {"provider": manifest.id, "model": manifest.id_of(model)}
        if field == "owner" and self._only is None:
            return {"owner": id_of(self._house, value)}
        if field == "token":
            return {"token_id": token_of(self._house.tokens.listed(self._only), value, self._owner, field)}
        if field == "key":
            provider, _, label = value.partition("/")
            for row in self._house.vault.listed(self._owner):
                if row.id == value or (row.provider == provider and label in ("", row.label)):
                    return {"key_id": row.id}
            raise InvalidRequest("There is no such key.", "`ownkey keys list` shows them.", param=field)
        return {field: value}


def _told(old: Budget | None, new: Budget | None) -> dict[str, Any]:
    """For the audit trail: what is another than before."""
    before: dict[str, Any] = {} if old is None else msgspec.to_builtins(old)
    after: dict[str, Any] = {} if new is None else msgspec.to_builtins(new)
    changed = [name for name in Budget.__struct_fields__ if before.get(name) != after.get(name)]
    named = old or new
    told = {"name": "" if named is None else named.name}
    return (
        told
        | {"old": {name: before[name] for name in changed if name in before}}
        | {"new": {name: after[name] for name in changed if name in after}}
    )


def _used(one: UsageTotal, unit: Unit) -> int:
    """What failed is no request that was answered."""
    if unit == "requests":
        return one.calls - one.failed
    return one.cost_nano if unit == "usd" else one.input_tokens + one.output_tokens


def _scope(budget: Budget) -> list[str | None]:
    return [getattr(budget, name) for name in SCOPES]


def _new(name: str, kind: str) -> Budget:
    return Budget(id=f"{kind}{secrets.token_hex(6)}", name=name, created_at_ms=time.time_ns() // 1_000_000)


def _check(budget: Budget) -> None:
    caps = (budget.run_soft_nano, budget.run_hard_nano, budget.run_soft_tokens, budget.run_hard_tokens)
    if budget.limit is None and not any(cap is not None for cap in caps):
        raise InvalidRequest("A budget has a limit, or a cap on each run.", "Say --limit.", param="limit")
    if budget.window.period not in ("cycle", "week") and budget.window.anchor_day != 1:
        raise InvalidRequest("Only a billing cycle and a week have an anchor day.", param="anchor_day")


def amount_of(value: object, unit: Unit, field: str) -> int | None:
    """In the unit, or nano-USD. An amount that cannot be kept exactly is refused, never rounded."""
    if value is None:
        return None
    if isinstance(value, bool | float):
        raise InvalidRequest(f"{field} is an exact amount: give it as text, such as '20' or '0.05'.", param=field)
    text = str(value).strip().removeprefix("$")
    try:
        exact = Decimal(text) if _AMOUNT.fullmatch(text) else None
    except InvalidOperation:
        exact = None
    if unit == "usd" and exact is not None and exact * NANO_PER_USD <= MOST_NANO:
        return int(exact * NANO_PER_USD)
    if unit != "usd" and re.fullmatch(r"\d{1,15}", text, re.ASCII):
        return int(text)
    kind = "dollars such as 20 or 0.05, at most 9,000,000" if unit == "usd" else f"a whole number of {unit}"
    raise InvalidRequest(f"{field} is in {kind}.", param=field)


def _percent(value: object, field: str) -> int | None:
    low, high = _PERCENTS[field]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidRequest(f"{field} is from {low} to {high}.", param=field)
    return value
