"""Providers: who can be asked and how each stands; added, changed, put in order, removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from ownkey.app import provider_files
from ownkey.app.cards import Card, State, cards, prices_known
from ownkey.app.house import House
from ownkey.app.provider_uses import uses
from ownkey.app.providers import Providers, ProviderView
from ownkey.catalog.manifest import Kind, Provider
from ownkey.catalog.shape import begins
from ownkey.server.api.forms import Form, Keeper, Known, Removed, Shape, SureKeeper, TheHouse
from ownkey.server.doors import Principal, nothing_here
from ownkey.talk.errors import InvalidRequest, PermissionDenied

router = APIRouter(prefix="/api/byok", tags=["providers"])

Id = Annotated[str, Path(max_length=64)]
SENT = "the file"
"""What a manifest that was sent is called in an error."""


class LackShape(Shape):
    says: str
    hint: str


class FieldShape(Shape):
    """A setting that is not secret. `value` is what was set, null where nothing was; `example` stands where nothing
    is set and it is not required."""

    name: str
    required: bool
    help: str | None
    example: str | None
    value: str | None


class ProviderShape(Shape):
    """`keys`: how many the asking person has stored. `lack`: why it cannot be asked as it is; null where it can.

    `state`, in words in `says`, since or until a time where that is known. `own`: a file was added for it, so that it
    can be changed and removed. `month_nano`: what the asking person spent there this month, UTC, in nano-USD. `begins`:
    how its keys begin."""

    id: str
    name: str
    kind: Kind
    enabled: bool
    endpoint: str
    default_model: str | None
    keys: int
    key_required: bool
    key_page: str | None
    key_looks_like: str | None
    fields: dict[str, str]
    lack: LackShape | None
    begins: str
    wire: str
    fields_wanted: list[FieldShape]
    own: bool
    free: bool
    prices_known: bool
    month_nano: int
    state: State
    says: str
    since_ms: int | None
    until_ms: int | None


class ProvidersShape(Shape):
    """In the order that they were put into; `problems`: files that could not be read."""

    providers: list[ProviderShape]
    problems: list[str]


class ProviderForm(Form):
    """What is given is changed, and nothing else. An empty endpoint goes back to the provider's own."""

    enabled: bool | None = None
    endpoint: str | None = None
    default_model: str | None = None
    fields: dict[str, str] | None = None


class FilledForm(Form):
    """The least that makes a provider. `key_header` carries the key: `authorization` after the word Bearer, any other
    by itself. An address with http is a server of one's own, and so is one that needs no key."""

    id: Annotated[str, Field(max_length=64)]
    name: Annotated[str, Field(max_length=100)]
    base_url: Annotated[str, Field(max_length=2_000)]
    wire: Annotated[str, Field(max_length=64)] = "openai-chat"
    needs_key: bool = True
    key_header: Annotated[str, Field(max_length=64)] = "authorization"
    key_page: Annotated[str, Field(max_length=2_000)] | None = None
    key_looks_like: Annotated[str, Field(max_length=400)] | None = None
    models: list[Annotated[str, Field(max_length=256)]] = Field(default_factory=list[str], max_length=1_000)


class NewProviderForm(Form):
    """One of the three: a file's text, a form, or the id of a provider of the gallery."""

    toml: Annotated[str, Field(max_length=1 << 20)] | None = None
    form: FilledForm | None = None
    gallery: Annotated[str, Field(max_length=64)] | None = None


class TextForm(Form):
    toml: Annotated[str, Field(max_length=1 << 20)]


class TextShape(Shape):
    toml: str


class OrderForm(Form):
    """Ids of providers; those that are not named come after."""

    providers: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=1_000)]


class UsesShape(Shape):
    """What names it, by name: the asking person's and everybody's. `others_keys`: how many other people have stored for
    it."""

    keys: list[str]
    others_keys: int
    routes: list[str]
    automations: list[str]
    budgets: list[str]
    limits: list[str]
    preferences: list[str]


class CheckedShape(Shape):
    """`provider` is what would be added, `toml` the file, `replaces`: in place of one that is there."""

    provider: ProviderShape
    toml: str
    replaces: bool


class GalleryOneShape(Shape):
    """`added`: it can be asked already."""

    id: str
    name: str
    kind: Kind
    wire: str
    base_url: str
    key_page: str | None
    key_required: bool
    free: bool
    prices_known: bool
    fields_wanted: list[FieldShape]
    models: list[str]
    added: bool


class GalleryShape(Shape):
    providers: list[GalleryOneShape]


@router.get("/providers")
def list_providers(principal: Known, house: TheHouse) -> ProvidersShape:
    return _listed(principal, house)


@router.post("/providers", status_code=201)
def add_provider(form: NewProviderForm, principal: SureKeeper, house: TheHouse) -> ProviderShape:
    """For everybody. The file of a server of one's own is a leave to speak to its address, and so for the owner alone,
    unless it is the gallery's. `param` and `line` of an error say where it is wrong."""
    providers = Providers(house, principal.owner)
    manifest, view = _read(form, providers, house)
    provider_files.check_new(house, view.provider.id)
    if form.gallery is None:
        _may_add(view.provider, principal)
    return shape_of(providers.add(manifest, SENT), principal, house)


@router.post("/providers/check")
def check_provider(form: NewProviderForm, principal: Keeper, house: TheHouse) -> CheckedShape:
    """What would be added, or what is wrong with it. Nothing is added, and nobody asked."""
    providers = Providers(house, principal.owner)
    manifest, view = _read(form, providers, house)
    return CheckedShape(
        provider=shape_of(view, principal, house),
        toml=manifest.decode(),
        replaces=house.catalogue.file_of(view.provider.id) is not None,
    )


@router.get("/providers/{provider}")
def get_provider(provider: Id, principal: Known, house: TheHouse) -> ProviderShape:
    return shape_of(Providers(house, principal.owner).get(provider), principal, house)


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
    return shape_of(changed, principal, house)


@router.delete("/providers/{provider}")
def remove_provider(provider: Id, principal: SureKeeper, house: TheHouse) -> Removed:
    """One that was added. Its keys stay stored, for no one, until they are removed."""
    providers = Providers(house, principal.owner)
    if providers.text(provider) is None:
        raise nothing_here()
    providers.remove(provider)
    return Removed(removed=1)


@router.get("/providers/{provider}/uses")
def uses_of_provider(provider: Id, principal: Keeper, house: TheHouse) -> UsesShape:
    """What would go with it, or stand still."""
    found = uses(house, principal.owner, provider)
    return UsesShape(**{name: getattr(found, name) for name in UsesShape.model_fields})


@router.get("/providers/{provider}/toml")
def text_of_provider(provider: Id, principal: Keeper, house: TheHouse) -> TextShape:
    """The file that was added."""
    text = Providers(house, principal.owner).text(provider)
    if text is None:
        raise nothing_here()
    return TextShape(toml=text)


@router.put("/providers/{provider}/toml")
def change_text_of_provider(provider: Id, form: TextForm, principal: SureKeeper, house: TheHouse) -> ProviderShape:
    """Another file in its place, of the same id."""
    providers = Providers(house, principal.owner)
    if providers.text(provider) is None:
        raise nothing_here()
    manifest = form.toml.encode()
    found = providers.check(manifest, SENT).provider
    if found.id != provider:
        raise InvalidRequest(f"This is the file of {found.id}, not of {provider}.", "Nothing was changed.", param="id")
    _may_add(found, principal)
    return shape_of(providers.add(manifest, SENT), principal, house)


@router.put("/provider-order")
def order_providers(form: OrderForm, principal: Keeper, house: TheHouse) -> ProvidersShape:
    """In which they are listed, for everybody."""
    Providers(house, principal.owner).arrange(form.providers)
    return _listed(principal, house)


@router.get("/gallery")
def list_gallery(principal: Known, house: TheHouse, search: Annotated[str, Query(max_length=200)] = "") -> GalleryShape:
    """Providers that can be added; `search`: those in which all of these words stand."""
    there = {provider.id for provider in house.catalogue.all()}
    found = Providers(house, principal.owner).gallery(search.split())
    return GalleryShape(providers=[_of_gallery(one, one.id in there) for one in found])


def shape_of(view: ProviderView, principal: Principal, house: House) -> ProviderShape:
    return provider_shape(cards(house, principal.owner, [view])[0])


def provider_shape(card: Card) -> ProviderShape:
    view, one = card.view, card.view.provider
    return ProviderShape(
        id=one.id,
        name=one.name,
        kind=one.kind,
        enabled=view.enabled,
        endpoint=view.endpoint,
        default_model=view.default,
        keys=view.keys,
        key_required=_key_required(one),
        key_page=one.keys.page,
        key_looks_like=one.keys.looks_like,
        fields=dict(view.fields),
        lack=None if view.lack is None else LackShape(says=view.lack.says, hint=view.lack.hint),
        begins=begins(one),
        wire=one.wire,
        fields_wanted=_wanted(one, view.fields),
        own=card.own,
        free=one.free,
        prices_known=card.prices_known,
        month_nano=card.month_nano,
        state=card.state,
        says=card.says,
        since_ms=card.since_ms,
        until_ms=card.until_ms,
    )


def _listed(principal: Principal, house: House) -> ProvidersShape:
    problems = Providers(house, principal.owner).problems() if principal.keeper else []
    return ProvidersShape(providers=[provider_shape(card) for card in cards(house, principal.owner)], problems=problems)


def _read(form: NewProviderForm, providers: Providers, house: House) -> tuple[bytes, ProviderView]:
    """The file, and what it describes."""
    if (form.toml is not None) + (form.form is not None) + (form.gallery is not None) != 1:
        raise InvalidRequest("A file's text, a form or an id of the gallery is wanted.", "Send one.", param="toml")
    if form.form is not None:
        given: dict[str, Any] = form.form.model_dump() | {"models": tuple(form.form.models)}
        manifest = provider_files.from_form(house, provider_files.Form(**given))
        return manifest, providers.check(manifest, SENT)
    manifest = house.catalogue.gallery_file(form.gallery) if form.gallery is not None else (form.toml or "").encode()
    return manifest, providers.check(manifest, SENT)


def _may_add(found: Provider, principal: Principal) -> None:
    if found.kind == "local" and principal.role != "owner":
        raise PermissionDenied(
            "A server of one's own is added by the owner of this Ownkey: its file is a leave to speak to its address.",
            "Ask them, or take one of the gallery.",
        )


def _of_gallery(one: Provider, added: bool) -> GalleryOneShape:
    return GalleryOneShape(
        id=one.id,
        name=one.name,
        kind=one.kind,
        wire=one.wire,
        base_url=one.base_url,
        key_page=one.keys.page,
        key_required=_key_required(one),
        free=one.free,
        prices_known=prices_known(one),
        fields_wanted=_wanted(one, {}),
        models=[model.id for model in one.models],
        added=added,
    )


def _key_required(provider: Provider) -> bool:
    return provider.kind == "cloud" and provider.keys.required


def _wanted(provider: Provider, given: Mapping[str, str]) -> list[FieldShape]:
    return [
        FieldShape(
            name=name, required=field.required, help=field.help, example=field.default, value=given.get(name) or None
        )
        for name, field in provider.fields.items()
    ]
