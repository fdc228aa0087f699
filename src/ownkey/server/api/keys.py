"""A person's provider keys: stored, listed, tested, removed; never shown. Two sets of paths, one behaviour."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from ownkey.app.keys import DEFAULT, KeyRing
from ownkey.app.providers import Providers
from ownkey.app.standing import KeyView
from ownkey.server.api.forms import Form, Known, Owner, Removed, Shape, SureOwner, TheHouse
from ownkey.server.api.providers import LackShape, ProvidersShape, ValidShape, list_providers
from ownkey.server.doors import Principal, nothing_here
from ownkey.talk.errors import OwnkeyError

router = APIRouter(prefix="/api/byok/keys", tags=["keys"])
users_router = APIRouter(prefix="/api/user/api-keys", tags=["users' keys"])

Id = Annotated[str, Path(max_length=64)]
UserId = Annotated[str, Path(max_length=200)]


class KeyShape(Shape):
    """`masked` is all that is ever shown of it; `origin` the only place that it is sent to. `position` counts from 1,
    as its provider's keys are tried; `state` and `why` say whether it can be used, `valid` whether it was taken."""

    id: str
    provider: str
    label: str
    masked: str
    origin: str
    source: str
    position: int
    state: str
    why: str | None
    valid: bool | None
    models: list[str]
    created_at_ms: int | None
    expires_at_ms: int | None
    used_at_ms: int | None


class KeysShape(Shape):
    keys: list[KeyShape]


class KeyForm(Form):
    """Its provider is asked whether it takes the key, unless `check` is false; where it does not, nothing is stored.
    `force` takes a key of another form than the provider's keys have."""

    key: str
    label: Annotated[str, Field(max_length=100)] = DEFAULT
    check: bool = True
    force: bool = False


class StoredShape(Shape):
    """`says`: what its provider said against it, or why that was not asked."""

    key: KeyShape
    says: str | None


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
    vault: str


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
    return await _tested(provider, principal, house)


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
    principal.is_named(user_id)
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


def _listed(principal: Principal, house: TheHouse) -> KeysShape:
    return KeysShape(keys=[key_shape(view) for view in KeyRing(house, principal.owner).all()])


async def _stored(provider: str, form: KeyForm, principal: Principal, house: TheHouse) -> StoredShape:
    ring = KeyRing(house, principal.owner)
    stored = await ring.add(provider, form.key.strip(), form.label, check=form.check, force=form.force)
    return StoredShape(key=key_shape(ring.get(stored.row.provider, stored.row.label)), says=stored.says)


def _removed(provider: str, principal: Principal, house: TheHouse) -> Removed:
    removed = KeyRing(house, principal.owner).remove(provider)
    if not removed:
        raise nothing_here()
    return Removed(removed=removed)


async def _tested(provider: str, principal: Principal, house: TheHouse) -> ValidShape:
    """What came of it is the answer: that a provider refuses the key is no error of this request."""
    if not KeyRing(house, principal.owner).has(provider):
        raise nothing_here()
    try:
        tested = await KeyRing(house, principal.owner).test(provider)
    except OwnkeyError as error:
        return ValidShape(valid=False, provider=provider, error=error.message, code=error.code, hint=error.hint)
    return ValidShape(valid=True, provider=provider, models=tested.models, took_ms=tested.took_ms)
