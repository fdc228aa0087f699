"""What a person wants: got, set and updated."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from msgspec import structs
from pydantic import Field

from ownkey.app.preferences import PreferenceBook, Wanted
from ownkey.server.api.forms import Form, Known, Owner, Shape, TheHouse

router = APIRouter(prefix="/api/byok/preferences", tags=["preferences"])

Name = Annotated[str, Field(min_length=1, max_length=200)]


class PreferencesForm(Form):
    """What is left out is as it is without preferences where all are set, and stays where they are updated; null takes
    it away. `provider`, `fallback` and the keys of `models` are ids of providers."""

    provider: Name | None = None
    fallback: Name | None = None
    preferred: Annotated[list[Name], Field(max_length=100)] | None = None
    models: Annotated[dict[Name, Name], Field(max_length=100)] | None = None
    auto_switch: bool | None = None
    ask: bool | None = None
    park: bool | None = None
    max_tokens: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    cheapest: bool | None = None
    store_history: bool | None = None
    low_quota: bool | None = None


class PreferencesShape(Shape):
    """`provider` and `preferred` lead where `auto` chooses; `fallback` is asked last; `models`: one for each;
    `store_history`: whether chats are kept, as the history's terms have it."""

    provider: str | None
    fallback: str | None
    preferred: list[str]
    models: dict[str, str]
    auto_switch: bool
    ask: bool
    park: bool
    max_tokens: int | None
    cheapest: bool
    store_history: bool
    low_quota: bool


@router.get("")
def get_preferences(principal: Known, house: TheHouse) -> PreferencesShape:
    return _shape(PreferenceBook(house, principal.owner).get())


@router.put("")
def set_preferences(form: PreferencesForm, principal: Owner, house: TheHouse) -> PreferencesShape:
    """All of them."""
    given = form.model_dump(exclude_unset=True)
    everything = dict.fromkeys(Wanted.__struct_fields__) | given
    return _shape(PreferenceBook(house, principal.owner).update(**everything))


@router.patch("")
def update_preferences(form: PreferencesForm, principal: Owner, house: TheHouse) -> PreferencesShape:
    """Those that are given."""
    return _shape(PreferenceBook(house, principal.owner).update(**form.model_dump(exclude_unset=True)))


def _shape(wanted: Wanted) -> PreferencesShape:
    told: dict[str, Any] = structs.asdict(wanted) | {"preferred": list(wanted.preferred)}
    return PreferencesShape(**told)
