"""`ownkey users`: who else may use this Ownkey, and what they may do."""

from __future__ import annotations

from typing import cast

import typer

from ownkey.app.granting import GrantView
from ownkey.app.signing import SignIn
from ownkey.cli.show import JsonOption, ProviderArgument, opened, print_json, print_table, usd, when
from ownkey.store.people import Role, User
from ownkey.talk.errors import NotFound

app = typer.Typer(no_args_is_help=True, help="People beside you; with none of them there is nothing to sign in to.")

_WhoArgument = typer.Argument(help="Their id or e-mail address.")
_RoleArgument = typer.Argument(help="owner, admin, member or viewer.")


@app.command("add")
def add_user(
    name: str = typer.Argument(help="What they are called."),
    email: str | None = typer.Option(None, help="The address that they sign in with."),
    role: str = typer.Option("member", help="owner, admin, member or viewer."),
    as_json: bool = JsonOption,
) -> None:
    """Add somebody, with an invitation by which they choose their password."""
    from ownkey.server.pages import address

    with opened() as ownkey:
        user = ownkey.people.add(name, email, cast("Role", role))
        invitation = ownkey.people.invite(user.id)
        if as_json:
            print_json(_plain(user) | {"invitation": invitation.reveal().decode("ascii")})
            return
        typer.echo(f"Added {user.name} as {user.role}, with the id {user.id}.")
        typer.echo("Their invitation, good once and for a week:")
        typer.echo(address(ownkey.house.settings, secret=invitation, kind="invitation"))


@app.command("list")
def list_users(as_json: bool = JsonOption) -> None:
    """Who there is."""
    with opened() as ownkey:
        users = ownkey.people.listed()
        if as_json:
            print_json([_plain(user) for user in users])
            return
        print_table(
            ("ID", "NAME", "E-MAIL", "ROLE", "STATUS", "SIGNS IN BY", "SINCE"),
            [
                (user.id, user.name, user.email or "", user.role, user.status, _by(user), when(user.created_at_ms))
                for user in users
            ],
            empty="Nobody.",
        )


@app.command("role")
def set_role(who: str = _WhoArgument, role: str = _RoleArgument) -> None:
    """Give somebody another role."""
    with opened() as ownkey:
        user = ownkey.people.change(who, role=cast("Role", role))
        typer.echo(f"{user.name} is {user.role} now.")


@app.command("email")
def set_email(who: str = _WhoArgument, email: str = typer.Argument(help="The new address.")) -> None:
    """Give somebody an e-mail address to sign in with, or another one."""
    with opened() as ownkey:
        user = ownkey.people.change(who, email=email)
        typer.echo(f"{user.name} signs in as {user.email}.")


@app.command("invite")
def invite_user(who: str = _WhoArgument) -> None:
    """Make a new invitation, by which somebody chooses a password; earlier ones are good no more."""
    from ownkey.server.pages import address

    with opened() as ownkey:
        typer.echo(address(ownkey.house.settings, secret=ownkey.people.invite(who), kind="invitation"))
        typer.echo("Whoever opens it chooses the password: it is good once and for a week.", err=True)


@app.command("sign-in")
def sign_in(who: str = typer.Argument("owner", help="Their id or e-mail address; yours unless said.")) -> None:
    """Make an address that signs a browser in once, within 15 minutes: for who has the terminal."""
    from ownkey.server.pages import address

    with opened() as ownkey:
        user = ownkey.people.get(who)
        typer.echo(address(ownkey.house.settings, secret=SignIn(ownkey.house).link(user.id)))
        typer.echo("Open it in a browser: it is good once, within 15 minutes.", err=True)


@app.command("suspend")
def suspend_user(who: str = _WhoArgument) -> None:
    """Shut somebody out: within a second their tokens and sessions open nothing."""
    with opened() as ownkey:
        typer.echo(f"{ownkey.people.suspend(who).name} is suspended.")


@app.command("activate")
def activate_user(who: str = _WhoArgument) -> None:
    """Let somebody in again who was suspended."""
    with opened() as ownkey:
        typer.echo(f"{ownkey.people.activate(who).name} is active again.")


@app.command("remove")
def remove_user(who: str = _WhoArgument) -> None:
    """Remove somebody, with their keys and tokens. What they have spent stays in the book."""
    with opened() as ownkey:
        typer.echo(f"Removed {ownkey.people.remove(who).name}.")


@app.command("grant")
def grant_key(
    who: str = _WhoArgument,
    provider: str = ProviderArgument,
    limit: str = typer.Option(help="The most that they may spend with it, in dollars."),
    per: str = typer.Option("month", help="day, week, month, cycle (a billing month) or ever."),
) -> None:
    """Let somebody without a key of their own use the environment's, within a budget."""
    with opened() as ownkey:
        given = ownkey.grants.grant(who, provider, limit, per)
        typer.echo(f"{given.user.name} may use the environment's key for {given.provider}: {_room(given)}.")


@app.command("revoke")
def revoke_grant(who: str = _WhoArgument, provider: str = ProviderArgument) -> None:
    """Take a grant back: within a second it opens nothing any more."""
    with opened() as ownkey:
        if not ownkey.grants.revoke(who, provider):
            raise NotFound("They were granted no such key.", "`ownkey users grants` shows what was granted.")
        typer.echo(f"{ownkey.people.get(who).name} may use it no more.")


@app.command("grants")
def list_grants(who: str | None = typer.Argument(None, help="Only this one's."), as_json: bool = JsonOption) -> None:
    """Who may use which of the environment's keys, and what is left."""
    with opened() as ownkey:
        found = ownkey.grants.all(who)
        if as_json:
            print_json([_granted(one) for one in found])
            return
        print_table(
            ("ID", "NAME", "PROVIDER", "BUDGET"),
            [(one.user.id, one.user.name, one.provider, _room(one)) for one in found],
            empty="Nothing was granted.",
        )


def _room(given: GrantView) -> str:
    room, per = given.room, given.room.budget.window.period
    limit = f"{usd(room.budget.limit)} in all" if per == "ever" else f"{usd(room.budget.limit)} a {per}"
    return f"{limit}, of which {usd(room.left)} is left"


def _granted(given: GrantView) -> dict[str, object]:
    room = given.room
    return {
        "user": given.user.id,
        "provider": given.provider,
        "limit_nano": room.budget.limit,
        "per": room.budget.window.period,
        "spent_nano": room.spent,
        "pending_nano": room.pending,
        "left_nano": room.left,
    }


def _by(user: User) -> str:
    if user.password is None:
        return "a link"
    return "password and code" if user.totp_step is not None else "password"


def _plain(user: User) -> dict[str, object]:
    fields = ("id", "name", "email", "role", "status", "created_at_ms")
    known: dict[str, object] = {field: getattr(user, field) for field in fields}
    return known | {"password": user.password is not None, "second_factor": user.totp_step is not None}
