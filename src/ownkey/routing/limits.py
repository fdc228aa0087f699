"""Which limits a call falls under: pure.

For a provider and a model calls are counted for each owner apart, so that nobody's limit holds up somebody else's. Of
several limits for the same, the least holds. Where nobody has set how many requests a provider may get, the default
holds, or what its file says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from ownkey.catalog.manifest import Limits

Kind = Literal["provider", "model", "key", "user", "token"]
KINDS: tuple[Kind, ...] = ("provider", "model", "key", "user", "token")

PARTS = ("requests_per_minute", "tokens_per_minute", "parallel")


Limit = Limits
"""0 in a rule: no limit. None: nothing is said."""


class Rule(Struct, frozen=True):
    """One that somebody has set. `name`: a provider's id, `provider/model`, or the id of a key, a person or a token.
    `owner`: whose calls alone it is for; None: everybody's."""

    id: str
    owner: str | None
    kind: Kind
    name: str
    limit: Limit
    created_at_ms: int = 0


class Scope(Struct, frozen=True):
    """Of one call."""

    owner: str
    provider: str
    model: str
    key_id: str | None = None
    token_id: str | None = None


Place = tuple[Kind, str, str]
"""What is counted together: the kind, its name, and the owner where it is counted for each apart."""


def places(scope: Scope) -> list[Place]:
    """Everything that a call is counted under."""
    owner, provider, model = scope.owner, scope.provider, scope.model
    found: list[Place] = [("provider", provider, owner), ("model", f"{provider}/{model}", owner)]
    if scope.key_id is not None:
        found.append(("key", scope.key_id, ""))
    found.append(("user", owner, ""))
    if scope.token_id is not None:
        found.append(("token", scope.token_id, ""))
    return found


class Rules:
    """Of one moment."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.all = tuple(rules)
        self._by_name: dict[tuple[Kind, str], list[Rule]] = {}
        for rule in self.all:
            self._by_name.setdefault((rule.kind, rule.name), []).append(rule)

    def of(self, scope: Scope, default: Limit) -> Mapping[Place, Limit]:
        """What holds for a call. `default`: the provider's, as far as nobody has set another."""
        found: dict[Place, Limit] = {}
        for place in places(scope):
            kind, name, _ = place
            if limit := self._least(kind, name, scope.owner, default if kind == "provider" else None):
                found[place] = limit
        return found

    def _least(self, kind: Kind, name: str, owner: str, default: Limit | None = None) -> Limit | None:
        """None where there is no limit."""
        rules = [rule.limit for rule in self._by_name.get((kind, name), ()) if rule.owner in (None, owner)]
        if not rules and default is None:
            return None
        parts = [_least([getattr(rule, part) for rule in rules], getattr(default, part, None)) for part in PARTS]
        return Limit(*parts) if any(part is not None for part in parts) else None


def _least(said: list[int | None], default: int | None) -> int | None:
    """0 lifts the default, and no other rule."""
    given = [one for one in said if one is not None]
    if not given:
        return default or None
    return min((one for one in given if one), default=None)
