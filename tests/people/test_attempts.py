"""How many sign-ins may fail: by whom, from where, of whom. Nobody is kept out for good by what others try."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from browsing import PASSWORD
from house import library
from ownkey import Ownkey
from ownkey.app.attempts import MOST_FROM, MOST_OF, MOST_TRIES, WITHIN_MS, Attempts, of_name, place_of
from ownkey.app.signing import Browser, Entered, SignIn
from ownkey.store.connect import Database
from ownkey.talk.errors import InvalidToken, TooManyAttempts

HOME, ELSEWHERE = "198.51.100.7", "203.0.113.9"
ANN = "ann@example.com"


@pytest.fixture
def ownkey(url: str, tmp_path: Path) -> Iterator[Ownkey]:
    """With Ann, who has a password and is signed in at home."""
    with library(tmp_path / "home", database_url=url) as ownkey:
        ann = ownkey.people.add("Ann", ANN)
        invitation = ownkey.people.invite(ann.id).reveal().decode()
        assert isinstance(SignIn(ownkey.house).accept(invitation, PASSWORD, Browser(address=HOME)), Entered)
        yield ownkey


def fail(ownkey: Ownkey, name: str, address: str, times: int = 1) -> None:
    attempts = Attempts(ownkey.house.store.sign_ins)
    limits = of_name(name.encode(), place_of(address), at_home=False)
    for _ in range(times):
        with contextlib.suppress(InvalidToken), attempts.one(limits):
            raise InvalidToken("not it")


def enter(ownkey: Ownkey, address: str, name: str = ANN, password: str = PASSWORD) -> bool:
    """Whether they are in; a refusal for too many is raised."""
    try:
        return isinstance(SignIn(ownkey.house).by_password(name, password, Browser(address=address)), Entered)
    except InvalidToken:
        return False


def counted(url: str) -> list[int]:
    with closing(Database(url)) as database, database.reading() as connection:
        return sorted(connection.execute(text("SELECT failures FROM sign_ins")).scalars())


def test_A14_many_names_tried_from_one_place_are_counted_together(ownkey: Ownkey) -> None:
    for n in range(MOST_FROM):
        fail(ownkey, f"name{n}", ELSEWHERE)
    for name in ("name0", "another", ANN):
        with pytest.raises(TooManyAttempts) as told:
            enter(ownkey, ELSEWHERE, name)
        assert 0 < (told.value.retry_after_s or 0) <= WITHIN_MS / 1000
    assert enter(ownkey, "203.0.113.10")


@pytest.mark.parametrize(
    ("address", "same", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:3::1"),
        ("::ffff:203.0.113.9", ELSEWHERE, "::ffff:203.0.113.10"),
        ("fe80::1%eth0", "fe80::2", "2001:db8::2"),
    ],
)
def test_A14_an_ipv6_network_is_one_place_and_so_are_both_forms_of_an_address(
    address: str, same: str, other: str
) -> None:
    assert place_of(address) == place_of(same) != place_of(other)
    assert "" not in (place_of(address), place_of(other))


def test_A14_whoever_tries_elsewhere_takes_no_try_from_whose_name_it_is(ownkey: Ownkey) -> None:
    fail(ownkey, ANN, ELSEWHERE, MOST_TRIES)
    with pytest.raises(TooManyAttempts):
        enter(ownkey, ELSEWHERE)
    assert enter(ownkey, "192.0.2.1")


def test_A14_of_many_places_that_try_one_name_all_are_told_to_wait_but_where_they_are_signed_in(
    ownkey: Ownkey,
) -> None:
    for n in range(MOST_OF):
        fail(ownkey, ANN, f"10.{n}.0.1")
    with pytest.raises(TooManyAttempts):
        enter(ownkey, "192.0.2.1")
    assert enter(ownkey, HOME)


def test_A14_after_the_wait_the_right_password_is_good(ownkey: Ownkey, url: str) -> None:
    fail(ownkey, ANN, ELSEWHERE, MOST_TRIES)
    with pytest.raises(TooManyAttempts):
        enter(ownkey, ELSEWHERE)
    with closing(Database(url)) as database, database.writing() as connection:
        connection.execute(text("UPDATE sign_ins SET since_ms = since_ms - :all"), {"all": WITHIN_MS})
    assert enter(ownkey, ELSEWHERE)


def test_A14_who_signs_in_gives_back_one_try_of_their_place_and_not_all(ownkey: Ownkey, url: str) -> None:
    fail(ownkey, "another", HOME, 3)
    assert enter(ownkey, HOME)
    assert counted(url) == [3, 3, 3]


def test_A14_where_the_place_is_not_known_the_name_is_counted_alone(ownkey: Ownkey) -> None:
    """Behind what ends TLS everybody comes from one address: no stranger takes the tries of all."""
    for n in range(MOST_FROM + 1):
        fail(ownkey, f"name{n}", "")
    assert enter(ownkey, "")
    fail(ownkey, ANN, "", MOST_TRIES)
    with pytest.raises(TooManyAttempts):
        enter(ownkey, "")


def test_O17_who_is_refused_leaves_nothing_behind_whatever_they_try(ownkey: Ownkey, url: str) -> None:
    fail(ownkey, "somebody", ELSEWHERE, MOST_TRIES)
    for n in range(MOST_FROM - MOST_TRIES):
        fail(ownkey, f"name{n}", ELSEWHERE)
    before = counted(url)
    for n in range(200):
        with pytest.raises(TooManyAttempts):
            enter(ownkey, ELSEWHERE, f"new{n}")
    assert counted(url) == before


def test_A14_processes_share_what_they_count(ownkey: Ownkey, url: str, tmp_path: Path) -> None:
    with library(tmp_path / "home", database_url=url) as another:
        for n in range(MOST_TRIES):
            fail((ownkey, another)[n % 2], ANN, ELSEWHERE)
        for one in (ownkey, another):
            with pytest.raises(TooManyAttempts):
                enter(one, ELSEWHERE)
