"""On a shared server keys of the environment serve whom an admin granted them, within a budget of their own."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from browsing import signed_in
from house import KEYS, Gateway, Simulator, environment, gateway, library, run, until
from keyed import A, B, Keyed, keyed
from ownkey import Ownkey
from ownkey.talk.errors import BudgetExceeded, Conflict, InvalidRequest, KeyMissing, NotFound, OwnkeyError
from ownkey.talk.origin import Origin

FILE = """
id = "acme"
name = "Acme AI"
kind = "local"
wire = "openai-chat"
base_url = "{url}"
keys = {{ env = ["ACME_API_KEY"], looks_like = "^sk-[A-Za-z0-9_-]{{20,}}$" }}
default = "gpt-4o"
[[models]]
id = "gpt-4o"
context = 128_000
max_output = 16_384
does = ["chat", "stream"]
price = {{ input = "2.50", output = "10.00" }}
"""
ASKED = ("Hello", "acme/gpt-4o")
NONE = ""
"""Which key a local provider is asked with by whom there is none for."""


@pytest.fixture(autouse=True)
def a_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", A)
    monkeypatch.setenv("OPENAI_API_KEY", A)


def played(home: Path, work: Callable[[Ownkey, Ownkey, Keyed], Awaitable[None]]) -> None:
    """`work` with an admin's Ownkey and a member's, each with a house of its own on one data folder."""

    async def main() -> None:
        async with keyed() as provider:
            allowed: dict[str, Any] = {"keychain": False, "allow_private_hosts": (("127.0.0.1", provider.port),)}
            async with Ownkey(home, retries=0, **allowed) as admin:
                admin.providers.add(FILE.format(url=provider.url).encode(), "acme.toml")
                ann = admin.people.add("Ann", "ann@example.com")
                async with Ownkey(home, owner=ann.id, retries=0, **allowed) as member:
                    await work(admin, member, provider)

    asyncio.run(main())


async def key_of(ownkey: Ownkey, provider: Keyed) -> str:
    """With which key the provider is asked for it."""
    await ownkey.chat(*ASKED, max_output_tokens=16)
    return provider.used[-1]


async def opened(ownkey: Ownkey, provider: Keyed) -> bool:
    """Whether there is still a key for it. A request that was on its way as it went is told so."""
    try:
        return await key_of(ownkey, provider) != NONE
    except KeyMissing:
        return False


@pytest.mark.row("C9")
def test_A01_B27_without_a_grant_there_is_no_key_and_with_one_there_is(tmp_path: Path) -> None:
    async def work(admin: Ownkey, member: Ownkey, provider: Keyed) -> None:
        with pytest.raises(KeyMissing):
            member.house.vault.open(member.owner, "openai", Origin("https", "api.openai.com", 443))
        assert member.keys.all() == []
        assert await key_of(member, provider) == NONE
        given = admin.grants.grant("ann@example.com", "acme", "5")
        assert (given.user.id, given.provider, given.room.left) == (member.owner, "acme", 5_000_000_000)
        await asyncio.sleep(1)
        assert await key_of(member, provider) == A
        assert (await member.keys.test("acme")).models == 2
        # Whoever it was not granted to, such as a user of an application of hers, has none.
        for other in ("ben", f"{member.owner}/customer", member.owner.upper(), ""):
            assert not member.house.vault.has(other, "acme")

    played(tmp_path, work)


@pytest.mark.row("C9")
def test_a_granted_key_is_listed_as_such_and_shows_nothing_of_itself(tmp_path: Path) -> None:
    async def work(admin: Ownkey, member: Ownkey, provider: Keyed) -> None:
        admin.grants.grant(member.owner, "acme", "5")
        (view,) = member.keys.all()
        assert (view.provider, view.source, view.label, view.state) == ("acme", "granted", "granted", "ready")
        assert (view.masked, view.limit_nano) == ("***", 5_000_000_000)
        assert member.providers.get("acme").lack is None
        for change in (lambda: member.keys.pause("acme"), lambda: member.keys.change("acme", monthly_limit="9")):
            with pytest.raises(InvalidRequest, match="admin"):
                change()
        assert (member.keys.remove("acme"), member.keys.clear()) == (0, 0)
        assert [one.masked for one in admin.keys.all("acme")] == [f"sk-...{A[-4:]}"]

    played(tmp_path, work)


@pytest.mark.row("C9")
def test_a_persons_own_key_goes_first(tmp_path: Path) -> None:
    async def work(admin: Ownkey, member: Ownkey, provider: Keyed) -> None:
        admin.grants.grant(member.owner, "acme", "5")
        member.keys.set("acme", B)
        await member.chat(*ASKED)
        assert provider.used == [B]
        assert [view.source for view in member.keys.all()] == ["stored"]
        assert admin.grants.all()[0].room.spent == 0
        member.keys.pause("acme")
        assert await key_of(member, provider) == NONE
        member.keys.remove("acme")
        assert await key_of(member, provider) == A

    played(tmp_path, work)


@pytest.mark.row("C9")
def test_what_is_granted_is_spent_to_its_limit_and_not_beyond(tmp_path: Path) -> None:
    async def work(admin: Ownkey, member: Ownkey, provider: Keyed) -> None:
        # A run may take $0.0054825, and takes $0.000075.
        admin.grants.grant(member.owner, "acme", "0.006", per="day")
        answered, before = 0, len(provider.used)
        while answered < 100:
            try:
                await member.chat(*ASKED, max_output_tokens=16)
            except BudgetExceeded:
                break
            answered += 1
        (given,) = admin.grants.all(member.owner)
        assert 2 <= answered < 100
        assert given.room.spent == answered * (10 * 2_500 + 5 * 10_000) <= 6_000_000
        assert len(provider.used) - before == answered
        # The admin's own use of the same key is not hers.
        await admin.chat(*ASKED, max_output_tokens=16)
        assert admin.grants.all()[0].room.spent == given.room.spent
        admin.grants.grant(member.owner, "acme", "1")
        await asyncio.sleep(1)
        await member.chat(*ASKED, max_output_tokens=16)

    played(tmp_path, work)


@pytest.mark.row("C9")
def test_B01_calls_at_once_do_not_pass_a_grant(tmp_path: Path) -> None:
    async def work(admin: Ownkey, member: Ownkey, provider: Keyed) -> None:
        admin.grants.grant(member.owner, "acme", "0.006")
        asked = (member.chat(*ASKED, max_output_tokens=16) for _ in range(50))
        came = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(one) for one in came if isinstance(one, BaseException)} == {BudgetExceeded}
        (given,) = admin.grants.all()
        assert 0 < given.room.spent <= 6_000_000

    played(tmp_path, work)


@pytest.mark.row("C9")
@pytest.mark.parametrize("how", ["revoked", "person gone", "budget gone"])
def test_A09_a_grant_that_is_taken_back_opens_nothing_within_a_second(tmp_path: Path, how: str) -> None:
    async def work(admin: Ownkey, member: Ownkey, provider: Keyed) -> None:
        admin.grants.grant(member.owner, "acme", "5")
        assert await key_of(member, provider) == A
        if how == "revoked":
            assert admin.grants.revoke("ann@example.com", "acme") == 1
            assert admin.grants.revoke("ann@example.com", "acme") == 0
        elif how == "person gone":
            admin.people.remove(member.owner)
        else:
            # As a hand in the database would: a grant without its budget is none.
            admin.house.store.budgets.remove(admin.grants.all()[0].room.budget.id)
        asked_s = taken_back_s = time.monotonic()
        while await key_of(member, provider) != NONE:
            assert asked_s - taken_back_s < 1
            asked_s = time.monotonic()
        assert await key_of(member, provider) == NONE
        assert admin.budgets.all() == []

    played(tmp_path, work)


def test_the_budget_of_a_grant_is_changed_in_nothing_but_its_amount(tmp_path: Path) -> None:
    async def work(admin: Ownkey, member: Ownkey, provider: Keyed) -> None:
        name = admin.grants.grant(member.owner, "acme", "5").room.budget.name
        for given in ({"limit": None, "run_hard_usd": "1"}, {"owner": None}, {"key": None}, {"provider": "acme"}):
            with pytest.raises(Conflict, match="granted"):
                admin.budgets.set(name, **given)
        with pytest.raises(Conflict, match="granted"):
            admin.budgets.remove(name)
        admin.budgets.set(name, limit="7")
        assert admin.grants.all()[0].room.left == 7_000_000_000

    played(tmp_path, work)


def test_who_and_what_can_be_granted(tmp_path: Path) -> None:
    async def work(admin: Ownkey, member: Ownkey, provider: Keyed) -> None:
        for who, provider_id, limit, per, error in (
            ("nobody@example.com", "acme", "5", "month", NotFound),
            ("owner", "acme", "5", "month", Conflict),
            (member.owner, "nothing", "5", "month", OwnkeyError),
            (member.owner, "acme", "-5", "month", InvalidRequest),
            (member.owner, "acme", None, "month", InvalidRequest),
            (member.owner, "acme", 5.0, "month", InvalidRequest),
            (member.owner, "acme", "5", "year", InvalidRequest),
        ):
            with pytest.raises(error):
                admin.grants.grant(who, provider_id, limit, per)
        assert (admin.grants.all(), admin.budgets.all()) == ([], [])

    played(tmp_path, work)


@pytest.mark.row("C9")
def test_grants_are_in_the_audit_trail_and_each_use_is_the_users(tmp_path: Path) -> None:
    async def work(admin: Ownkey, member: Ownkey, provider: Keyed) -> None:
        admin.grants.grant(member.owner, "acme", "5")
        await member.chat(*ASKED)
        await admin.chat(*ASKED)
        admin.grants.revoke(member.owner, "acme")
        found = [one for one in admin.audit.listed()[::-1] if one.action.startswith(("grant.", "key.used"))]
        assert [one.action for one in found] == ["grant.given", "key.used", "key.used", "grant.revoked"]
        assert [one.actor for one in found] == ["owner", member.owner, "owner", "owner"]
        assert {one.target for one in found[::3]} == {member.owner}
        given = json.loads(found[0].detail)
        assert (given["provider"], given["limit_nano"], given["per"]) == ("acme", 5_000_000_000, "month")
        assert all(A not in one.detail for one in found)

    played(tmp_path, work)


@pytest.mark.row("C9")
def test_a_gateway_serves_whom_the_command_granted_and_stops_where_it_takes_it_back(
    tmp_path: Path, simulator: Simulator
) -> None:
    home = tmp_path / "home"
    with gateway(home, simulator, ACME_API_KEY=KEYS["openai"]) as running, library(home) as ownkey:
        url = f"{simulator.url}/fault/name=granted/v1"
        (home / "providers").mkdir(exist_ok=True)
        (home / "providers" / "acme.toml").write_text(FILE.format(url=url))
        ann = ownkey.people.add("Ann", "ann@example.com")
        token = ownkey.house.tokens.create(ann.id, "hers")[1].reveal().decode()
        asked = {"Authorization": f"Bearer {token}"}
        env = environment(home)
        assert _key(running, asked) is None
        told = run(env, "users", "grant", "ann@example.com", "acme", "--limit", "5", "--per", "month")
        assert told.stdout.strip() == (
            "Ann may use the environment's key for acme: $5.00 a month, of which $5.00 is left."
        )
        until(lambda: _key(running, asked) == KEYS["openai"], within_s=2)
        mine = signed_in(running, ann.id).get("/api/byok/keys").json["keys"]
        assert [(one["provider"], one["source"], one["masked"]) for one in mine] == [("acme", "granted", "***")]
        assert KEYS["openai"][-4:] not in json.dumps(mine)
        (listed,) = json.loads(run(env, "users", "grants", "--json").stdout)
        assert (listed["user"], listed["provider"]) == (ann.id, "acme")
        assert 0 < listed["spent_nano"] < listed["left_nano"] < listed["limit_nano"] == 5_000_000_000
        assert run(env, "users", "revoke", "ann@example.com", "acme").returncode == 0
        until(lambda: _key(running, asked) is None, within_s=2)
        assert run(env, "users", "revoke", "ann@example.com", "acme").returncode != 0


def _key(running: Gateway, asked: dict[str, str]) -> str | None:
    """With which key the provider is asked."""
    answer = running.ask("acme/gpt-4o", headers=asked, max_tokens=16)
    headers = dict(running.simulator.seen("granted")[-1].headers)
    key = headers[b"authorization"].decode().removeprefix("Bearer ") if b"authorization" in headers else None
    assert answer.status == (502 if key is None else 200)
    return key
