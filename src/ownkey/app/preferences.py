"""Preferences, as the faces see them: what one person wants, got, set and updated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs

from ownkey.app.history import HistoryBook
from ownkey.store.preferences import Preferences
from ownkey.talk.errors import InvalidRequest, OwnkeyError
from ownkey.talk.secret import clean

if TYPE_CHECKING:
    from ownkey.app.house import House

MOST_NAMED = 100
LONGEST_NAME = 200


class Wanted(Preferences, frozen=True, forbid_unknown_fields=True):
    """Preferences with `store_history`, whether chats are kept: that is the history's own switch, seen from here."""

    store_history: bool = False


NONE = Wanted()


class PreferenceBook:
    """Raises InvalidRequest, naming the field, for what cannot be wanted."""

    def __init__(self, house: House, owner: str) -> None:
        self._house = house
        self._owner = owner
        self._history = HistoryBook(house, owner)

    def get(self) -> Wanted:
        kept = self._house.store.preferences.get(self._owner)
        return Wanted(**structs.asdict(kept), store_history=self._history.terms.history)

    def set(self, wanted: Wanted) -> Wanted:
        """All of them: what is not said is as it is without preferences. Raises VaultSealed where chats are to be kept
        from now on, and cannot be."""
        self._check(wanted)
        before = self.get()
        if wanted.store_history != before.store_history:
            self._switch_history(on=wanted.store_history)
        kept = Preferences(**{name: getattr(wanted, name) for name in Preferences.__struct_fields__})
        changed = [name for name in Preferences.__struct_fields__ if getattr(kept, name) != getattr(before, name)]
        if changed:
            told = {"changed": changed}
            with self._house.audit.within("preferences.changed", self._owner, owner=self._owner, detail=told):
                self._house.store.preferences.set(self._owner, kept)
            self._house.targets.forget()
        return wanted

    def _switch_history(self, *, on: bool) -> None:
        """Each chat is kept for as many days as were last said."""
        if on:
            self._history.on(self._history.terms.history_days)
        else:
            self._history.off()

    def update(self, **given: Any) -> Wanted:
        """Those that are given; None takes one away."""
        for name in given:
            _known(name)
        plain = {name: getattr(NONE, name) if value is None else value for name, value in given.items()}
        try:
            wanted = msgspec.convert(structs.asdict(self.get()) | plain, Wanted)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"This cannot be wanted: {clean(str(error), limit=160)}.") from None
        return self.set(wanted)

    def unset(self, *names: str) -> Wanted:
        return self.update(**dict.fromkeys(names))

    def _check(self, wanted: Preferences) -> None:
        if wanted.max_tokens is not None and not 1 <= wanted.max_tokens < 2**31:
            raise InvalidRequest("max_tokens is 1 or more.", param="max_tokens")
        if max(len(wanted.preferred), len(wanted.models)) > MOST_NAMED:
            raise InvalidRequest(f"At most {MOST_NAMED} models are preferred.", param="preferred")
        for field, provider in (("provider", wanted.provider), *(("models", id) for id in wanted.models)):
            self._check_provider(field, provider)
        for model in wanted.models.values():
            _check_name("models", model)
        for model in wanted.preferred:
            self._check_model("preferred", model)
        if wanted.fallback is not None:
            self._check_model("fallback", wanted.fallback, alone=True)

    def _check_model(self, field: str, name: str, *, alone: bool = False) -> None:
        provider, slash, model = name.partition("/")
        if not slash and not alone:
            raise InvalidRequest(f"{field} are named as PROVIDER/MODEL.", param=field)
        self._check_provider(field, provider)
        if slash:
            _check_name(field, model)

    def _check_provider(self, field: str, provider: str | None) -> None:
        if provider is None:
            return
        try:
            self._house.catalogue.get(provider)
        except OwnkeyError as error:
            raise InvalidRequest(error.message, error.hint, param=field) from None


def plain(wanted: Wanted) -> dict[str, Any]:
    """All of them, as JSON has them."""
    return structs.asdict(wanted)


def _known(name: str) -> None:
    if name not in Wanted.__struct_fields__:
        known = ", ".join(Wanted.__struct_fields__)
        raise InvalidRequest(f"There is no preference {clean(name, limit=40)!r}.", f"There are: {known}.", param="name")


def _check_name(field: str, name: str) -> None:
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable() or "," in name or name != name.strip():
        raise InvalidRequest("A model's name is 1 to 200 printable characters.", param=field)
