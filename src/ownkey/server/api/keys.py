"""A person's provider keys: stored, listed, tested, removed; never shown. Two sets of paths, one behaviour."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import Field

from ownkey.app.keys import DEFAULT, KeyRing
from ownkey.app.providers import Providers
from ownkey.app.standing import KeyView, State
from ownkey.app.trying import Tested, asked_at, since_ms
from ownkey.app.validating import validate_key
from ownkey.server.api.forms import Form, Known, Owner, Removed, Shape, SureOwner, TheHouse
from ownkey.server.api.providers import LackShape, ProvidersShape, list_providers
from ownkey.server.doors import Principal, nothing_here
from ownkey.talk.errors import NotFound, OwnkeyError, PermissionDenied, ProviderError

router = APIRouter(prefix="/api/byok/keys", tags=["keys"])
one_router = APIRouter(prefix="/api/byok", tags=["keys"])
users_router = APIRouter(prefix="/api/user/api-keys", tags=["users' keys"])

Id = Annotated[str, Path(max_length=64)]
Source = Literal["stored", "environment", "granted"]
KeyId = Annotated[str, Path(max_length=200)]
UserId = Annotated[str, Path(max_length=200)]


class KeyShape(Shape):
    """`masked` is all that is ever shown of it; `origin` the only place that it is sent to. `position` counts from 1,
    as its provider's keys are tried; `state` and `why` say whether it can be used, `valid` whether it was taken when it
    was last known, at `checked_at_ms`. `limit_nano` and `spent_nano` are this month's, in nano-USD; `budget` is the
    limit's name."""

    id: str
    provider: str
    label: str
    masked: str
    origin: str
    source: Source
    position: int
    state: State
    why: str | None
    valid: bool | None
    models: list[str]
    created_at_ms: int | None
    expires_at_ms: int | None
    used_at_ms: int | None
    weight: int | None
    rests_until_ms: int | None
    checked_at_ms: int | None
    limit_nano: int | None
    spent_nano: int
    budget: str | None


class KeysShape(Shape):
    keys: list[KeyShape]


Expires = Annotated[str, Field(max_length=40)]
Models = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=100)]
Limit = Annotated[str, Field(max_length=40)]
Weight = Annotated[int, Field(ge=0, le=1_000)]


class TermsForm(Form):
    """`expires`: its last day, or a time, in ISO 8601. `models`: those that it is for, `*` for any letters.
    `monthly_limit`: dollars, as text. `weight`: its share beside the others; keys without are tried in order."""

    expires: Expires | None = None
    models: Models | None = None
    monthly_limit: Limit | None = None
    weight: Weight | None = None


class KeyForm(TermsForm):
    """Its provider is asked whether it takes the key, unless `check` is false; where it does not, nothing is stored.
    `force` takes a key of another form than the provider's keys have."""

    key: str
    label: Annotated[str, Field(max_length=100)] = DEFAULT
    check: bool = True
    force: bool = False


class ChangeForm(TermsForm):
    """What is given is changed, and nothing else; null takes a term away."""

    label: Annotated[str, Field(max_length=100)] | None = None
    enabled: bool | None = None


class OrderForm(Form):
    """Labels; the keys that are not named come after."""

    labels: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=100)]


class StoredShape(Shape):
    """`says`: what its provider said against it, or why that was not asked. `asked`: where, as host and path, which
    took `took_ms` and listed so many `models`; null where nobody was asked."""

    key: KeyShape
    says: str | None
    asked: str | None
    took_ms: int | None
    models: int | None


class ValidateForm(Form):
    """`key`: one that is not stored yet; without it the stored one is tried."""

    provider: str
    key: str | None = None


class ValidShape(Shape):
    """`error` and `hint` say why it is not. `asked`: where, as host and path."""

    valid: bool
    provider: str
    models: int | None = None
    took_ms: int | None = None
    asked: str | None = None
    error: str | None = None
    code: str | None = None
    hint: str | None = None


class ServiceShape(Shape):
    provider: str
    name: str
    configured: bool
    usable: bool
    lack: LackShape | None


class ServicesShape(Shape):
    services: list[ServiceShape]


class StatusShape(Shape):
    """`vault` is `open` or `sealed`; `usable` are the providers that can be asked now."""

    user_id: str
    keys: int
    providers: list[str]
    usable: list[str]
    vault: Literal["open", "sealed"]


@router.get("")
def list_keys(principal: Known, house: TheHouse) -> KeysShape:
    return _listed(principal, house)


@router.put("/{provider}")
async def set_key(provider: Id, form: KeyForm, principal: Owner, house: TheHouse) -> StoredShape:
    """Put it in place of the one that is there of the same label."""
    return await _stored(provider, form, principal, house)


@router.delete("/{provider}")
def remove_key(provider: Id, principal: SureOwner, house: TheHouse) -> Removed:
    return _removed(provider, principal, house)


@router.post("/{provider}/test")
async def try_key(provider: Id, principal: Known, house: TheHouse) -> ValidShape:
    return await _tested(provider, principal.asks(), house)


@one_router.post("/validate")
async def validate(form: ValidateForm, principal: Owner, house: TheHouse) -> ValidShape:
    """Ask the provider whether it takes the key. Nothing is stored."""
    return await _told(form.provider, house, validate_key(house, _ring(principal, house), form.provider, form.key))


@one_router.put("/key-order/{provider}")
def order_keys(provider: Id, form: OrderForm, principal: Owner, house: TheHouse) -> KeysShape:
    """In which the provider's keys are tried."""
    ring = _ring(principal, house)
    if not ring.has(provider):
        raise nothing_here()
    return KeysShape(keys=[key_shape(view) for view in ring.order(provider, form.labels)])


@one_router.patch("/key/{key}")
def change_key(key: KeyId, form: ChangeForm, principal: Owner, house: TheHouse) -> KeyShape:
    """Its label, its terms, and whether it is used: by its id."""
    ring, view = _one(key, principal, house)
    given = form.model_dump(exclude_unset=True)
    enabled, label = given.pop("enabled", None), given.pop("label", None)
    if given or label is not None:
        view = ring.change(view.provider, view.label, rename=label, **given)
    if enabled is not None:
        view = (ring.resume if enabled else ring.pause)(view.provider, view.label)
    return key_shape(view)


@one_router.delete("/key/{key}")
def remove_one_key(key: KeyId, principal: SureOwner, house: TheHouse) -> Removed:
    ring, view = _one(key, principal, house)
    removed = ring.remove(view.provider, view.label)
    if not removed:
        raise nothing_here()
    return Removed(removed=removed)


@one_router.post("/key/{key}/test")
async def try_one_key(key: KeyId, principal: Known, house: TheHouse) -> ValidShape:
    ring, view = _one(key, principal.asks(), house)
    return await _told(view.provider, house, ring.test(view.provider, view.label))


@users_router.get("/providers")
def providers_of_users(principal: Known, house: TheHouse) -> ProvidersShape:
    return list_providers(principal, house)


@users_router.get("/{user_id}/keys")
def keys_of_user(user_id: UserId, principal: Known, house: TheHouse) -> KeysShape:
    principal.is_named(user_id)
    return _listed(principal, house)


@users_router.post("/{user_id}/keys/{provider}")
async def set_key_of_user(
    user_id: UserId, provider: Id, form: KeyForm, principal: Owner, house: TheHouse
) -> StoredShape:
    principal.is_named(user_id)
    return await _stored(provider, form, principal, house)


@users_router.delete("/{user_id}/keys/{provider}")
def remove_key_of_user(user_id: UserId, provider: Id, principal: SureOwner, house: TheHouse) -> Removed:
    principal.is_named(user_id)
    return _removed(provider, principal, house)


@users_router.post("/{user_id}/keys/{provider}/test")
async def try_key_of_user(user_id: UserId, provider: Id, principal: Known, house: TheHouse) -> ValidShape:
    principal.asks().is_named(user_id)
    return await _tested(provider, principal, house)


@users_router.get("/{user_id}/services")
def services_of_user(user_id: UserId, principal: Known, house: TheHouse) -> ServicesShape:
    """Each provider, and whether this person can use it."""
    principal.is_named(user_id)
    found = [
        ServiceShape(
            provider=view.provider.id,
            name=view.provider.name,
            configured=view.keys > 0 or view.provider.kind != "cloud",
            usable=view.lack is None,
            lack=None if view.lack is None else LackShape(says=view.lack.says, hint=view.lack.hint),
        )
        for view in Providers(house, principal.owner).listed()
    ]
    return ServicesShape(services=found)


@users_router.get("/{user_id}/status")
def status_of_user(user_id: UserId, principal: Known, house: TheHouse) -> StatusShape:
    principal.is_named(user_id)
    views = Providers(house, principal.owner).listed()
    return StatusShape(
        user_id=principal.name,
        keys=sum(view.keys for view in views),
        providers=[view.provider.id for view in views if view.keys],
        usable=[view.provider.id for view in views if view.lack is None],
        vault=house.vault.status,
    )


def key_shape(view: KeyView) -> KeyShape:
    plain = {name: getattr(view, name) for name in KeyShape.model_fields if name != "models"}
    return KeyShape(models=list(view.models), **plain)


def _ring(principal: Principal, house: TheHouse) -> KeyRing:
    """Theirs; what is asked with a token stays within what the token is for."""
    return KeyRing(house, principal.owner, token_id=principal.token_id, scope=principal.scope)


def _listed(principal: Principal, house: TheHouse) -> KeysShape:
    return KeysShape(keys=[key_shape(view) for view in _ring(principal, house).all()])


async def _stored(provider: str, form: KeyForm, principal: Principal, house: TheHouse) -> StoredShape:
    ring = _ring(principal, house)
    terms = form.model_dump(exclude_unset=True, include=set(TermsForm.model_fields))
    stored = await ring.add(provider, form.key.strip(), form.label, check=form.check, force=form.force, **terms)
    tested = stored.tested
    return StoredShape(
        key=key_shape(ring.get(stored.row.provider, stored.row.label)),
        says=stored.says,
        asked=tested and tested.asked,
        took_ms=tested and tested.took_ms,
        models=tested and tested.models,
    )


def _removed(provider: str, principal: Principal, house: TheHouse) -> Removed:
    removed = _ring(principal, house).remove(provider)
    if not removed:
        raise nothing_here()
    return Removed(removed=removed)


def _one(key: str, principal: Principal, house: TheHouse) -> tuple[KeyRing, KeyView]:
    ring = _ring(principal, house)
    try:
        return ring, ring.by_id(key)
    except NotFound:
        raise nothing_here() from None


async def _tested(provider: str, principal: Principal, house: TheHouse) -> ValidShape:
    ring = _ring(principal, house)
    if not ring.has(provider):
        raise nothing_here()
    return await _told(provider, house, ring.test(provider))


async def _told(provider: str, house: TheHouse, trying: Coroutine[Any, Any, Tested]) -> ValidShape:
    """What came of it is the answer: that a provider refuses the key is no error of this request, but that a token is
    not for it."""
    started_s = time.monotonic()
    try:
        tested = await trying
    except PermissionDenied:
        raise
    except OwnkeyError as error:
        asked = asked_at(house, provider) if isinstance(error, ProviderError) else None
        took_ms = None if asked is None else since_ms(started_s)
        said: dict[str, Any] = {"error": error.message, "code": error.code, "hint": error.hint}
        return ValidShape(valid=False, provider=provider[:64], took_ms=took_ms, asked=asked, **said)
    return ValidShape(valid=True, provider=provider, models=tested.models, took_ms=tested.took_ms, asked=tested.asked)
