"""`ownkey tokens`: what programs show to the gateway."""

from __future__ import annotations

import typer

from ownkey.app.tokens import TokenBook, ends_at_ms, scope_in
from ownkey.cli.show import JsonOption, opened, print_json, print_table, when
from ownkey.store.tokens import TokenRow
from ownkey.talk.errors import InvalidRequest

app = typer.Typer(no_args_is_help=True, help="Tokens with which programs use the gateway.")


@app.command("create")
def create_token(
    name: str = typer.Argument(help="What it is for."),
    user: str | None = typer.Option(None, help="Whose it is: an id or e-mail address; yours unless said."),
    providers: str = typer.Option("", help="Only for these, with commas between."),
    models: str = typer.Option("", help="Only for these: PROVIDER/MODEL or a bare name; `*` at the end for any rest."),
    expires: str | None = typer.Option(None, help="After 12h, 30d or 4w, or with a day such as 2030-01-31."),
    addresses: str = typer.Option("", help="Only from these: 192.0.2.7 or 192.0.2.0/24, with commas between."),
    budget: str | None = typer.Option(None, help="At most so many dollars a month."),
    service: bool = typer.Option(False, "--service", help="For an application that asks for users of its own."),
    as_json: bool = JsonOption,
) -> None:
    """Make a token. It is shown this once."""
    with opened() as ownkey:
        owner = ownkey.people.get(user).id if user is not None else ownkey.owner
        made = TokenBook(ownkey.house, owner).create(
            name,
            kind="service" if service else "use",
            providers=_listed(providers),
            models=_listed(models),
            addresses=_listed(addresses),
            expires_at_ms=None if expires is None else ends_at_ms(expires),
            budget=budget,
        )
        value = made.secret.reveal().decode("ascii")
        if as_json:
            print_json({"id": made.row.id, "name": made.row.name, "token": value})
            return
        typer.echo(value)
        typer.echo("Keep it: it is not shown again. Send it as `Authorization: Bearer …`.", err=True)
        if service:
            typer.echo("With each request say for whom: `x-ownkey-user: NAME`.", err=True)


@app.command("list")
def list_tokens(as_json: bool = JsonOption) -> None:
    """Which tokens there are."""
    with opened() as ownkey:
        rows = ownkey.house.tokens.listed()
        if as_json:
            fields = ("id", "name", "owner", "kind", "shown", "created_at_ms", "expires_at_ms", "revoked_at_ms")
            plain = [{field: getattr(row, field) for field in fields} for row in rows]
            print_json([one | {"scope": scope_in(row)} for one, row in zip(plain, rows, strict=True)])
            return
        print_table(
            ("NAME", "TOKEN", "OF", "FOR", "MADE", "EXPIRES", "REVOKED"),
            [
                (
                    *(row.name, row.shown, row.owner, _for(row)),
                    *map(when, (row.created_at_ms, row.expires_at_ms, row.revoked_at_ms)),
                )
                for row in rows
            ],
            empty="No tokens yet. Make one: `ownkey tokens create NAME`.",
        )


@app.command("revoke")
def revoke_token(
    name: str = typer.Argument(help="Its name or id."),
    user: str | None = typer.Option(None, help="Whose it is, where it is named by its name; yours unless said."),
) -> None:
    """End a token: within a second it opens nothing."""
    with opened() as ownkey:
        owner = ownkey.people.get(user).id if user is not None else ownkey.owner
        if not ownkey.house.tokens.revoke(name, None if name.startswith("tok_") else owner):
            raise InvalidRequest(f"There is no token {name!r}.", "`ownkey tokens list` shows those that there are.")
        typer.echo(f"Revoked {name}.")


def _listed(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _for(row: TokenRow) -> str:
    scope = scope_in(row)
    limits = [*scope.providers, *scope.models, *(f"from {address}" for address in scope.addresses)]
    return ", ".join([*(["its users"] if row.kind == "service" else []), *limits]) or "everything"
