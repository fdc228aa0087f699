"""Tokens with which programs use the gateway: a person's own, and for who keeps this Ownkey everybody's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from ownkey.app.tokens import TokenBook, scope_in
from ownkey.server.api.forms import Application, Form, Known, Removed, Shape, SignedIn, TheHouse
from ownkey.server.doors import nothing_here
from ownkey.store.tokens import TokenKind, TokenRow

router = APIRouter(prefix="/api/byok/tokens", tags=["tokens"])
pages_router = APIRouter(prefix="/api/user/api-keys", tags=["users' keys"])


class TokenForm(Form):
    """`budget_usd`: the most that it may spend in each `per`. Without an end it is good until it is revoked."""

    name: str
    kind: Literal["use", "service"] = "use"
    providers: list[str] = Field(default_factory=list, max_length=100)
    models: list[str] = Field(default_factory=list, max_length=100)
    addresses: list[str] = Field(default_factory=list, max_length=100)
    expires_at_ms: int | None = None
    budget_usd: str | None = None
    per: Literal["day", "week", "month", "ever"] = "month"


class TokenShape(Shape):
    """`shown` is all that is ever shown of it again."""

    id: str
    owner: str
    name: str
    kind: TokenKind
    shown: str
    providers: list[str]
    models: list[str]
    addresses: list[str]
    created_at_ms: int
    expires_at_ms: int | None
    revoked_at_ms: int | None


class TokensShape(Shape):
    tokens: list[TokenShape]


class PageTokenShape(Shape):
    """`token` is shown this once; the page sends it as a bearer token, until `until_ms`."""

    token: str
    until_ms: int


class NewToken(Shape):
    """`token` is shown this once."""

    token: str
    made: TokenShape


@router.get("")
def list_tokens(principal: Known, house: TheHouse, everybody: Annotated[bool, Query()] = False) -> TokensShape:
    """One's own; `everybody`: all, for who keeps this Ownkey."""
    owner = None if everybody and principal.keeps() else principal.owner
    return TokensShape(tokens=[token_shape(row) for row in house.tokens.listed(owner)])


@router.post("", status_code=201)
def create_token(form: TokenForm, principal: SignedIn, house: TheHouse) -> NewToken:
    """Only for who has signed in: a token makes no tokens."""
    principal.changes()
    if form.kind == "service":
        principal.keeps()
    made = TokenBook(house, principal.owner).create(
        form.name,
        kind=form.kind,
        providers=form.providers,
        models=form.models,
        addresses=form.addresses,
        expires_at_ms=form.expires_at_ms,
        budget=form.budget_usd,
        per=form.per,
    )
    return NewToken(token=made.secret.reveal().decode("ascii"), made=token_shape(made.row))


@router.delete("/{token}")
def revoke_token(token: Annotated[str, Path(max_length=64)], principal: SignedIn, house: TheHouse) -> Removed:
    """By its id. Within a second it opens nothing."""
    owner = None if principal.keeper else principal.changes().owner
    if not token.startswith("tok_") or not house.tokens.revoke(token, owner):
        raise nothing_here()
    return Removed(removed=1)


@pages_router.post("/{user_id}/page-token", status_code=201)
def create_page_token(
    user_id: Annotated[str, Path(max_length=200)], principal: Application, house: TheHouse
) -> PageTokenShape:
    """For a page that an application shows to this user of its own: it may see and set their keys, and see models,
    usage and quotes, from an origin that the settings name; nothing else, and for a quarter of an hour."""
    principal.is_named(user_id)
    assert principal.token_id is not None
    row, secret = house.page_tokens.create(principal.owner, principal.token_id)
    return PageTokenShape(token=secret.reveal().decode("ascii"), until_ms=row.until_ms)


def token_shape(row: TokenRow) -> TokenShape:
    scope = scope_in(row)
    own = ("id", "owner", "name", "kind", "shown", "created_at_ms", "expires_at_ms", "revoked_at_ms")
    limits: dict[str, Any] = {name: list(getattr(scope, name)) for name in ("providers", "models", "addresses")}
    return TokenShape(**limits, **{name: getattr(row, name) for name in own})
