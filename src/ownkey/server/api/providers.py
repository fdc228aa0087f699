"""Providers and their models: what there is, what can be asked, and what a key opens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from ownkey.app.providers import ModelView, Providers, ProviderView
from ownkey.app.validating import validate_key
from ownkey.server.api.forms import Form, Known, Owner, Shape, SureKeeper, TheHouse
from ownkey.spending.price import Rates
from ownkey.talk.errors import OwnkeyError

router = APIRouter(prefix="/api/byok", tags=["providers"])

Id = Annotated[str, Path(max_length=64)]


class LackShape(Shape):
    says: str
    hint: str


class ProviderShape(Shape):
    """`keys`: how many the asking person has stored. `lack`: why it cannot be asked as it is; null where it can."""

    id: str
    name: str
    kind: str
    enabled: bool
    endpoint: str
    default_model: str | None
    keys: int
    key_required: bool
    key_page: str | None
    key_looks_like: str | None
    fields: dict[str, str]
    lack: LackShape | None


class ProvidersShape(Shape):
    providers: list[ProviderShape]


class PriceShape(Shape):
    """In nano-USD per million tokens."""

    input: int | None
    output: int | None
    source: str


class ModelShape(Shape):
    id: str
    provider: str
    name: str | None
    context: int | None
    max_output: int | None
    does: list[str]
    price: PriceShape | None


class ModelsShape(Shape):
    models: list[ModelShape]


class ValidateForm(Form):
    """`key`: one that is not stored yet; without it the stored one is tried."""

    provider: str
    key: str | None = None


class ValidShape(Shape):
    """`error` and `hint` say why it is not."""

    valid: bool
    provider: str
    models: int | None = None
    took_ms: int | None = None
    error: str | None = None
    code: str | None = None
    hint: str | None = None


class ProviderForm(Form):
    """What is given is changed, and nothing else. An empty endpoint goes back to the provider's own."""

    enabled: bool | None = None
    endpoint: str | None = None
    default_model: str | None = None
    fields: dict[str, str] | None = None


@router.get("/providers")
def list_providers(principal: Known, house: TheHouse) -> ProvidersShape:
    found = Providers(house, principal.owner).listed()
    return ProvidersShape(providers=[provider_shape(view) for view in found])


@router.get("/providers/{provider}")
def get_provider(provider: Id, principal: Known, house: TheHouse) -> ProviderShape:
    return provider_shape(Providers(house, principal.owner).get(provider))


@router.patch("/providers/{provider}")
def change_provider(provider: Id, form: ProviderForm, principal: SureKeeper, house: TheHouse) -> ProviderShape:
    """Everybody's. A key goes only to the endpoint that it was entered for: after a change it is entered again."""
    given = form.model_dump(exclude_unset=True)
    changed = Providers(house, principal.owner).set(
        provider,
        endpoint=given.get("endpoint"),
        fields=given.get("fields"),
        enabled=given.get("enabled"),
        default=given.get("default_model"),
    )
    return provider_shape(changed)


@router.get("/models")
def list_models(
    principal: Known, house: TheHouse, provider: Annotated[str | None, Query(max_length=64)] = None
) -> ModelsShape:
    found = Providers(house, principal.owner).models(provider)
    return ModelsShape(models=[_model(view) for view in found])


@router.post("/validate")
async def validate(form: ValidateForm, principal: Owner, house: TheHouse) -> ValidShape:
    """Ask the provider whether it takes the key. Nothing is stored."""
    try:
        tested = await validate_key(house, principal.owner, form.provider, form.key)
    except OwnkeyError as error:
        return ValidShape(
            valid=False, provider=form.provider[:64], error=error.message, code=error.code, hint=error.hint
        )
    return ValidShape(valid=True, provider=form.provider, models=tested.models, took_ms=tested.took_ms)


def provider_shape(view: ProviderView) -> ProviderShape:
    one = view.provider
    return ProviderShape(
        id=one.id,
        name=one.name,
        kind=one.kind,
        enabled=view.enabled,
        endpoint=view.endpoint,
        default_model=view.default,
        keys=view.keys,
        key_required=one.kind == "cloud" and one.keys.required,
        key_page=one.keys.page,
        key_looks_like=one.keys.looks_like,
        fields=dict(view.fields),
        lack=None if view.lack is None else LackShape(says=view.lack.says, hint=view.lack.hint),
    )


def price_shape(rates: Rates | None) -> PriceShape | None:
    return None if rates is None else PriceShape(input=rates.input, output=rates.output, source=rates.source)


def _model(view: ModelView) -> ModelShape:
    model = view.model
    return ModelShape(
        id=model.id,
        provider=view.provider,
        name=model.name,
        context=model.context,
        max_output=model.max_output,
        does=list(model.does or ()),
        price=price_shape(view.rates),
    )
