"""Models: what is known of each, and what servers of one's own there are."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from ownkey.app.asking_models import Refreshed, ask_for_models
from ownkey.app.local import Local, State, look_for_local
from ownkey.app.providers import ModelView, Providers
from ownkey.catalog.manifest import Ability
from ownkey.server.api.forms import Form, Known, Owner, Shape, SignedIn, TheHouse
from ownkey.spending.price import Rates

router = APIRouter(prefix="/api/byok", tags=["models"])


class PriceShape(Shape):
    """In nano-USD per million tokens. `cached` and `cache_write` are kinds of input, `reasoning` one of output; null:
    charged as the kind that it is a part of. `per_request`: nano-USD for each request. `tiers`: longer requests cost
    otherwise."""

    input: int | None
    output: int | None
    source: str
    cached: int | None
    cache_write: int | None
    reasoning: int | None
    per_request: int
    tiers: bool
    dated: str | None


class ModelShape(Shape):
    """`does` is empty where nobody knows. `price` is null where it is not known; `free`: nothing is paid. `default`: it
    is asked where its provider is named alone; `preferred`: the asking person wants it. `first_ms`, to the first word,
    and `tokens_per_s` are what is usual here, null before anything was measured. `retired`: its provider ended it."""

    id: str
    provider: str
    name: str | None
    context: int | None
    max_output: int | None
    does: list[Ability]
    price: PriceShape | None
    free: bool
    default: bool
    preferred: bool
    retired: bool
    first_ms: int | None
    tokens_per_s: float | None


class ModelsShape(Shape):
    models: list[ModelShape]


class RefreshForm(Form):
    """null: every provider that can be asked."""

    provider: Annotated[str, Field(max_length=64)] | None = None


class RefreshedShape(Shape):
    """`models`: how many are known now. `asked` is false where it was asked less than half a minute ago. `error` and
    `hint` say what came of it otherwise."""

    provider: str
    models: int
    asked: bool
    took_ms: int
    error: str | None
    code: str | None
    hint: str | None


class RefreshesShape(Shape):
    providers: list[RefreshedShape]


class LocalShape(Shape):
    """`state`: `found`; `wants_key`, it shows its models to who has a key; `other`, what listens there answers
    otherwise; `nothing` listens there. `added`: it can be asked already, else it is added from the gallery."""

    provider: str
    name: str
    address: str
    state: State
    models: list[str]
    added: bool


class LocalsShape(Shape):
    """Those that were found first."""

    providers: list[LocalShape]


@router.get("/models")
def list_models(
    principal: Known, house: TheHouse, provider: Annotated[str | None, Query(max_length=64)] = None
) -> ModelsShape:
    found = Providers(house, principal.owner).models(provider)
    return ModelsShape(models=[model_shape(view) for view in found])


@router.post("/models/refresh")
async def refresh_models(form: RefreshForm, principal: Owner, house: TheHouse) -> RefreshesShape:
    """Ask providers which models they have now. What goes wrong at one is told of that one."""
    found = await ask_for_models(house, principal.owner, form.provider)
    return RefreshesShape(providers=[_refreshed(one) for one in found])


@router.get("/local")
async def list_local(principal: SignedIn, house: TheHouse) -> LocalsShape:
    """Which servers of one's own listen on this machine, at the addresses that their files name. No key is sent."""
    return LocalsShape(providers=[_local(one) for one in await look_for_local(house)])


def price_shape(rates: Rates | None) -> PriceShape | None:
    if rates is None:
        return None
    names = ("input", "output", "source", "cached", "cache_write", "reasoning", "per_request", "dated")
    return PriceShape(tiers=bool(rates.tiers), **{name: getattr(rates, name) for name in names})


def model_shape(view: ModelView) -> ModelShape:
    model, rates = view.model, view.rates
    return ModelShape(
        id=model.id,
        provider=view.provider,
        name=model.name,
        context=model.context,
        max_output=model.max_output,
        does=list(model.does or ()),
        price=price_shape(rates),
        free=rates is not None and not any((rates.input, rates.output, rates.per_request, rates.tiers)),
        default=view.default,
        preferred=view.preferred,
        retired=model.retired,
        first_ms=None if view.first_s is None else round(view.first_s * 1000),
        tokens_per_s=view.tokens_per_s,
    )


def _refreshed(one: Refreshed) -> RefreshedShape:
    error = one.error
    return RefreshedShape(
        provider=one.provider,
        models=one.models,
        asked=one.asked,
        took_ms=one.took_ms,
        error=None if error is None else error.message,
        code=None if error is None else error.code,
        hint=None if error is None else error.hint,
    )


def _local(one: Local) -> LocalShape:
    return LocalShape(
        provider=one.provider.id,
        name=one.provider.name,
        address=one.address,
        state=one.state,
        models=list(one.models),
        added=one.added,
    )
