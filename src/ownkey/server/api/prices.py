"""What models cost, and what is set in place of the list prices."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from ownkey.app.house import House
from ownkey.app.pricing import PriceBook
from ownkey.app.providers import Providers
from ownkey.server.api.forms import Form, Keeper, Known, Removed, Shape, TheHouse
from ownkey.server.api.models import PriceShape, price_shape
from ownkey.server.doors import Principal, nothing_here
from ownkey.talk.errors import InvalidRequest

router = APIRouter(prefix="/api/byok/prices", tags=["prices"])


class PricedShape(Shape):
    provider: str
    model: str
    price: PriceShape | None


class PricesShape(Shape):
    prices: list[PricedShape]


class PriceForm(Form):
    """Of `provider/model`: `rates` in USD per million tokens as text, or a `discount` in per cent; of a provider, a
    discount."""

    name: str
    rates: dict[str, str] | None = None
    discount: str | None = None
    note: Annotated[str, Field(max_length=200)] = ""


class OwnPricesShape(Shape):
    """The names of those that are set here."""

    own: list[str]


@router.get("")
def list_prices(
    principal: Known,
    house: TheHouse,
    provider: Annotated[str | None, Query(max_length=64)] = None,
    search: Annotated[str, Query(max_length=200)] = "",
) -> PricesShape:
    found = _book(principal, house).listed(provider, search)
    return PricesShape(
        prices=[PricedShape(provider=one.provider, model=one.model, price=price_shape(one.rates)) for one in found]
    )


@router.get("/own")
def own_prices(principal: Known, house: TheHouse) -> OwnPricesShape:
    return OwnPricesShape(own=sorted(_book(principal, house).own()))


@router.put("/own")
def set_price(form: PriceForm, principal: Keeper, house: TheHouse) -> OwnPricesShape:
    book = _book(principal, house)
    if (form.rates is None) == (form.discount is None):
        raise InvalidRequest("Give either rates or a discount.", param="rates")
    if form.rates is not None:
        book.set(form.name, form.rates, form.note)
    else:
        book.discount(form.name, form.discount or "", form.note)
    return OwnPricesShape(own=sorted(book.own()))


@router.delete("/own")
def remove_price(name: Annotated[str, Query(max_length=300)], principal: Keeper, house: TheHouse) -> Removed:
    book = _book(principal, house)
    if name not in book.own():
        raise nothing_here()
    book.remove(name)
    return Removed(removed=1)


def _book(principal: Principal, house: House) -> PriceBook:
    return PriceBook(house, Providers(house, principal.owner), principal.owner)
