"""Limits on requests and tokens a minute and on parallel calls, as the faces see them: set, listed, removed."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, structs

from ownkey.app.naming import token_of
from ownkey.engine.turns import default_of
from ownkey.routing.limits import KINDS, PARTS, Kind, Limit, Rule
from ownkey.store.audit_trail import SYSTEM
from ownkey.talk.errors import InvalidRequest, NotFound, OwnkeyError

if TYPE_CHECKING:
    from ownkey.app.house import House

MOST = 1_000_000_000


class RuleView(Struct, frozen=True):
    """`named`: as people call it. `id` and `owner` are None in a default, which nobody has set."""

    id: str | None
    owner: str | None
    kind: Kind
    name: str
    named: str
    limit: Limit


class LimitBook:
    """Of one house. `only`: one person's in it, who sees and sets what holds for their own calls alone; what who keeps
    the house has set holds beside it, and no rule of theirs lifts it."""

    def __init__(self, house: House, owner: str, *, only: str | None = None) -> None:
        self._house = house
        self._owner = owner
        self._only = only

    def all(self) -> list[RuleView]:
        """Those that are set. Somebody's own view has the house's too, as far as they are for everybody or for them."""
        return [self._view(rule) for rule in self._house.store.limits.all() if self._concerns(rule)]

    def defaults(self) -> list[RuleView]:
        """What providers are limited to as long as nobody sets anything."""
        most = self._house.settings.requests_per_minute
        found: list[RuleView] = []
        for provider in self._house.catalogue.all():
            limit = default_of(provider, most)
            if any(getattr(limit, part) for part in PARTS):
                found.append(RuleView(None, None, "provider", provider.id, provider.name, limit))
        return found

    def set(self, kind: str, name: str, **given: int | str | None) -> RuleView:
        """Limit `requests_per_minute`, `tokens_per_minute` or `parallel` calls; what is not given stays, 0 is any
        number, None says nothing. `name`: a provider, `provider/model`, a key as PROVIDER or PROVIDER/LABEL, a person's
        id or e-mail address, a token. Raises InvalidRequest, naming the field."""
        kind, id = self._subject(kind, name)
        there = next((rule for rule in self._own() if (rule.kind, rule.name) == (kind, id)), None)
        old = there or Rule(f"l_{secrets.token_hex(6)}", self._only, kind, id, Limit(), _now_ms())
        unknown = given.keys() - set(PARTS)
        if unknown:
            raise InvalidRequest(f"A limit has no {min(unknown)[:40]!r}.", param=min(unknown)[:40])
        new = structs.replace(
            old, limit=structs.replace(old.limit, **{part: _amount(part, value) for part, value in given.items()})
        )
        if all(getattr(new.limit, part) is None for part in PARTS):
            raise InvalidRequest("A limit is on requests, on tokens or on parallel calls.", param=PARTS[0])
        with self._house.audit.within("limit.set", new.id, owner=self._owner, detail=_told(there, new)):
            self._house.store.limits.set(new)
        self._house.turns.changed()
        return self._view(new)

    def remove(self, kind: str, name: str) -> RuleView:
        """Raises InvalidRequest where there is none."""
        kind, id = self._subject(kind, name, there=False)
        for rule in self._own():
            if rule.kind == kind and rule.name in (id, name):
                return self._removed(rule)
        raise InvalidRequest(f"There is no limit for that {kind}.", "`ownkey limits list` shows them.", param="name")

    def remove_by_id(self, id: str) -> RuleView:
        """Raises NotFound."""
        for rule in self._own():
            if rule.id == id:
                return self._removed(rule)
        raise NotFound("There is no such limit of yours.")

    def name_anew(self) -> None:
        """Call each model by its id. What was kept under an alias limited nothing; where there is a limit for the id
        too, that is the one that holds."""
        rules = self._house.store.limits.all()
        taken = {(rule.owner, rule.kind, rule.name) for rule in rules}
        for rule in rules:
            with suppress(OwnkeyError):
                named = structs.replace(rule, name=self._model(rule.name)) if rule.kind == "model" else rule
                if (named.owner, named.kind, named.name) not in taken:
                    taken.add((named.owner, named.kind, named.name))
                    told = _told(rule, named)
                    with self._house.audit.within("limit.set", rule.id, owner=self._owner, actor=SYSTEM, detail=told):
                        self._house.store.limits.set(named)

    def _removed(self, rule: Rule) -> RuleView:
        view = self._view(rule)
        with self._house.audit.within("limit.removed", rule.id, owner=self._owner, detail=_told(rule, None)):
            self._house.store.limits.remove(rule.id)
        self._house.turns.changed()
        return view

    def _own(self) -> list[Rule]:
        """Those that may be changed here."""
        return [rule for rule in self._house.store.limits.all() if rule.owner == self._only]

    def _concerns(self, rule: Rule) -> bool:
        if self._only is None or rule.owner == self._only:
            return True
        if rule.owner is not None:
            return False
        if rule.kind == "user":
            return rule.name == self._only
        if rule.kind == "token":
            return any(rule.name == row.id for row in self._house.tokens.listed(self._only))
        if rule.kind == "key":
            return any(rule.name == row.id for row in self._house.vault.listed(self._only))
        return True

    def _subject(self, kind: str, name: str, *, there: bool = True) -> tuple[Kind, str]:
        """As it is kept. Raises InvalidRequest where there is no such thing; not so with `there` off."""
        known = kind if kind in KINDS else None
        if known is None:
            raise InvalidRequest(f"A limit is for one of: {', '.join(KINDS)}.", param="kind")
        try:
            return known, getattr(self, f"_{known}")(name)
        except OwnkeyError:
            if there:
                raise
            return known, name

    def _provider(self, name: str) -> str:
        return self._house.catalogue.get(name).id

    def _model(self, name: str) -> str:
        provider, _, model = name.partition("/")
        if not model:
            raise InvalidRequest("A model is named as PROVIDER/MODEL.", param="name")
        manifest = self._house.catalogue.get(provider)
        return f"{manifest.id}/{manifest.id_of(model)}"

    def _key(self, name: str) -> str:
        provider, _, label = name.partition("/")
        for row in self._house.vault.listed(self._only or self._owner):
            if row.id == name or (row.provider == provider and label in ("", row.label)):
                return row.id
        raise InvalidRequest("There is no such key.", "`ownkey keys list` shows them.", param="name")

    def _user(self, name: str) -> str:
        for user in self._house.store.people.all():
            if self._only in (None, user.id) and name in (user.id, user.email):
                return user.id
        raise InvalidRequest("There is no such person.", "`ownkey users list` shows them.", param="name")

    def _token(self, name: str) -> str:
        return token_of(self._house.tokens.listed(self._only), name, self._owner, "name")

    def _view(self, rule: Rule) -> RuleView:
        return RuleView(rule.id, rule.owner, rule.kind, rule.name, self._named(rule), rule.limit)

    def _named(self, rule: Rule) -> str:
        if rule.kind == "key":
            row = self._house.store.keys.get(rule.name)
            return rule.name if row is None else f"{row.provider}/{row.label}"
        if rule.kind == "token":
            rows = self._house.tokens.listed(self._only)
            return next((row.name for row in rows if row.id == rule.name), rule.name)
        if rule.kind == "user":
            user = self._house.store.people.get(rule.name)
            return rule.name if user is None else user.name
        return rule.name


def _amount(part: str, value: int | str | None) -> int | None:
    if value is None:
        return None
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or int(text) > MOST:
        raise InvalidRequest(f"{part} is a whole number; 0: any number.", param=part)
    return int(text)


def _told(old: Rule | None, new: Rule | None) -> dict[str, Any]:
    """For the audit trail."""
    rule = new or old
    assert rule is not None
    told: dict[str, Any] = {"kind": rule.kind, "name": rule.name, "owner": rule.owner}
    return told | {
        which: msgspec.to_builtins(one.limit) for which, one in (("old", old), ("new", new)) if one is not None
    }


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
