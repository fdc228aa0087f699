"""People: added, given roles, suspended, removed; and what becomes of what is theirs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from attempts import hold
from canaries import canary
from house import library, run
from ownkey import Ownkey
from ownkey.app.people import PeopleBook
from ownkey.store.people import User
from ownkey.talk.errors import Conflict, InvalidRequest, NotFound, OwnkeyError, PermissionDenied
from store_asked import ask


@pytest.fixture
def ownkey(tmp_path: Path) -> Iterator[Ownkey]:
    with library(tmp_path / "home") as opened:
        yield opened


def test_one_person_is_there_from_the_beginning(ownkey: Ownkey) -> None:
    (user,) = ownkey.people.listed()
    assert (user.id, user.role, user.status, user.password) == ("owner", "owner", "active", None)
    assert ownkey.owner == user.id


def test_somebody_is_known_by_id_and_by_any_spelling_of_the_address(ownkey: Ownkey) -> None:
    ann = ownkey.people.add("Ann", " Ann@Example.COM ", "admin")
    assert ann.email == "ann@example.com"
    for who in (ann.id, "ann@example.com", "ANN@EXAMPLE.COM", "ａnn@example.com"):
        assert ownkey.people.get(who) == ann
    with pytest.raises(Conflict):
        ownkey.people.add("Another", "aNN@example.com")
    with pytest.raises(NotFound):
        ownkey.people.get("nobody@example.com")


@pytest.mark.parametrize(
    ("name", "email", "role"),
    [("", None, "member"), ("a\nb", None, "member"), ("x" * 101, None, "member"), ("Ann", "ann", "member"),
     ("Ann", "a@b\r\nBcc: c@d", "member"), ("Ann", None, "root")],
)  # fmt: skip
def test_what_is_no_person_is_refused(ownkey: Ownkey, name: str, email: str | None, role: str) -> None:
    with pytest.raises(InvalidRequest):
        ownkey.people.add(name, email, role)  # pyright: ignore[reportArgumentType]
    assert len(ownkey.people.listed()) == 1


def test_A18_the_last_who_may_change_things_stays(ownkey: Ownkey) -> None:
    for way in (
        lambda: ownkey.people.change("owner", role="member"),
        lambda: ownkey.people.suspend("owner"),
        lambda: ownkey.people.remove("owner"),
    ):
        with pytest.raises(Conflict):
            way()
    assert ownkey.people.get("owner").role == "owner"


def test_A18_of_two_admins_who_demote_each_other_at_once_one_stays(url: str, tmp_path: Path) -> None:
    with library(tmp_path / "home", database_url=url) as ownkey:
        for _ in range(10):
            before = [user for user in ownkey.people.listed() if user.keeper]
            first, second = (ownkey.people.add(name, role="admin") for name in ("Ann", "Ben"))
            for user in before:
                ownkey.people.change(user.id, role="member")

            def demote(user: User) -> User | OwnkeyError:
                try:
                    return ownkey.people.change(user.id, role="member")
                except OwnkeyError as error:
                    return error

            with ThreadPoolExecutor(2) as pool:
                done = list(pool.map(demote, (second, first)))
            assert sorted(type(one).__name__ for one in done) == ["Conflict", "User"]
            assert len([user for user in ownkey.people.listed() if user.keeper]) == 1


def test_nobody_but_an_owner_has_a_say_over_owners(ownkey: Ownkey) -> None:
    ann = ownkey.people.add("Ann", role="admin")
    as_admin = PeopleBook(ownkey.house, "admin")
    for way in (
        lambda: as_admin.add("Ben", role="owner"),
        lambda: as_admin.change(ann.id, role="owner"),
        lambda: as_admin.change("owner", email="mine@example.com"),
        lambda: as_admin.invite("owner"),
        lambda: as_admin.suspend("owner"),
        lambda: as_admin.remove("owner"),
    ):
        with pytest.raises(PermissionDenied):
            way()
    assert as_admin.change(ann.id, role="member").role == "member"


def test_A10_a_suspended_owners_tokens_stop_here_at_once_and_elsewhere_within_a_second(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with library(home) as ownkey, library(home) as elsewhere:
        ann = ownkey.people.add("Ann")
        _, token = ownkey.house.tokens.create(ann.id, "laptop")
        for one in (ownkey, elsewhere):
            assert one.house.tokens.caller(token.reveal()) is not None
        ownkey.people.suspend(ann.id)
        suspended_s = time.monotonic()
        with pytest.raises(PermissionDenied, match="suspended"):
            ownkey.house.tokens.caller(token.reveal())
        asked_s = suspended_s
        while _opens(elsewhere, token.reveal()):
            assert asked_s - suspended_s < 1
            time.sleep(0.01)
            asked_s = time.monotonic()
        ownkey.people.activate(ann.id)
        assert ownkey.house.tokens.caller(token.reveal()) is not None
        ownkey.people.change(ann.id, role="viewer")
        with pytest.raises(PermissionDenied, match="viewer"):
            ownkey.house.tokens.caller(token.reveal())


def _opens(ownkey: Ownkey, token: bytes) -> bool:
    try:
        return ownkey.house.tokens.caller(token) is not None
    except PermissionDenied:
        return False


def test_O20_who_is_removed_leaves_no_key_and_no_name_and_the_book_stays_as_it_was(tmp_path: Path) -> None:
    with library(tmp_path / "home") as ownkey:
        ann, ben = ownkey.people.add("Ann Example", "ann@example.com"), ownkey.people.add("Ben")
        for owner in (ann.id, f"{ann.id}/customer", ben.id, f"{ann.id}x"):
            library_of = Ownkey(tmp_path / "home", owner=owner, keychain=False)
            library_of.keys.set("openai", canary("people", "sk-proj-"))
            library_of.close()
        _, token = ownkey.house.tokens.create(ann.id, "laptop")
        ask(ownkey.house.store, hold(owner=ann.id))
        before = ownkey.house.store.book.rows()
        ownkey.people.remove(ann.id)
        assert ownkey.house.tokens.caller(token.reveal()) is None
        left = {owner: len(ownkey.house.store.keys.all(owner)) for owner in (ann.id, f"{ann.id}/customer")}
        assert left == {ann.id: 0, f"{ann.id}/customer": 0}
        assert len(ownkey.house.store.keys.all(ben.id)) == len(ownkey.house.store.keys.all(f"{ann.id}x")) == 1
        assert ownkey.house.store.book.rows() == before
        assert "ann@example.com" not in repr(ownkey.people.listed())


def test_people_are_kept_in_a_shell(tmp_path: Path) -> None:
    from house import environment

    env = environment(tmp_path / "home")
    added = run(env, "users", "add", "Ann", "--email", "ann@example.com", "--role", "admin")
    assert added.returncode == 0, added.stderr
    assert added.stdout.splitlines()[-1].startswith("http://127.0.0.1:3010/sign-in#invitation=oi-")
    elsewhere = env | {"OWNKEY_PUBLIC_URL": "https://ownkey.example.com"}
    invited = run(elsewhere, "users", "invite", "ann@example.com").stdout
    assert invited.startswith("https://ownkey.example.com/sign-in#invitation=oi-")
    assert run(env, "users", "role", "ann@example.com", "member").stdout == "Ann is member now.\n"
    listed = run(env, "users", "list").stdout.splitlines()
    assert [line.split("\t")[1:5] for line in listed[1:]] == [
        ["Owner", "", "owner", "active"],
        ["Ann", "ann@example.com", "member", "active"],
    ]
    assert run(env, "users", "suspend", "owner").returncode == 2
    assert run(env, "users", "remove", "ann@example.com").stdout == "Removed Ann.\n"
    assert run(env, "users", "remove", "ann@example.com").returncode == 2


def test_an_invitation_takes_the_place_of_the_one_before(ownkey: Ownkey) -> None:
    ann = ownkey.people.add("Ann")
    first, second = ownkey.people.invite(ann.id).reveal(), ownkey.people.invite(ann.id).reveal()
    tickets = ownkey.house.store.tickets
    from ownkey.vault.login import digest

    now_ms = time.time_ns() // 1_000_000
    assert tickets.look(digest(first), "invitation", now_ms) is None
    assert tickets.look(digest(second), "reset", now_ms) is None
    assert tickets.look(digest(second), "invitation", now_ms + 8 * 86_400_000) is None
    assert tickets.use(digest(second), "invitation", now_ms) is not None
    assert tickets.use(digest(second), "invitation", now_ms) is None
