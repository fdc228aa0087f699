"""A root key from a password: what is believed of the cost that was recorded, and how short a password may be."""

from __future__ import annotations

import pytest

from ownkey.settings import Password
from ownkey.talk.errors import BadConfiguration, VaultSealed
from ownkey.vault.envelope import Root
from ownkey.vault.password import Cost, derive, stretch

LEAST = Cost(19_456, 2, 1)
PASSWORD, SALT = "vK9mTq2Lz7wR", "8fJ2pQ6z"


@pytest.mark.parametrize("cost", [LEAST, Cost(1_048_576, 10, 16), Cost()])
def test_V13_a_recorded_cost_within_the_bounds_is_believed(cost: Cost) -> None:
    assert Cost.recorded(str(cost)) == cost


@pytest.mark.parametrize(
    "cost",
    [
        Cost(19_455, 2, 1),
        Cost(1_048_577, 10, 16),
        Cost(65_536, 1, 4),
        Cost(65_536, 11, 4),
        Cost(65_536, 3, 0),
        Cost(65_536, 3, 17),
    ],
)
def test_V13_a_recorded_cost_just_out_of_the_bounds_is_not(cost: Cost) -> None:
    with pytest.raises(VaultSealed, match="out of bounds"):
        Cost.recorded(str(cost))


def test_V05_the_root_key_is_argon2ids_of_password_salt_and_cost() -> None:
    made = derive(Password(PASSWORD), Password(SALT), LEAST)
    assert made.kek_id == Root(stretch(PASSWORD.encode(), SALT.encode(), LEAST)).kek_id
    assert made.kek_id != derive(Password(PASSWORD), Password(SALT), Cost(19_456, 3, 1)).kek_id


@pytest.mark.parametrize(
    ("password", "salt", "why"),
    [
        (PASSWORD[:-1], SALT, "BYOK_ENCRYPTION_PASSWORD is too short"),
        (PASSWORD, SALT[:-1], "BYOK_ENCRYPTION_SALT is too short"),
        ("zxyvzxyvzxyv", SALT, "BYOK_ENCRYPTION_PASSWORD is well known"),
        (PASSWORD, "zxyvzxyv", "BYOK_ENCRYPTION_SALT is well known"),
        (PASSWORD, PASSWORD, "BYOK_ENCRYPTION_SALT is the same as BYOK_ENCRYPTION_PASSWORD"),
        (None, SALT, "BYOK_ENCRYPTION_PASSWORD is not set, but BYOK_ENCRYPTION_SALT is"),
        (PASSWORD, None, "BYOK_ENCRYPTION_SALT is not set, but BYOK_ENCRYPTION_PASSWORD is"),
    ],
)
def test_A19_what_a_password_lacks_is_said_by_its_name(password: str | None, salt: str | None, why: str) -> None:
    given = [None if text is None else Password(text) for text in (password, salt)]
    with pytest.raises(BadConfiguration, match=why):
        derive(given[0], given[1], LEAST)


def test_A19_twelve_characters_of_which_five_differ_are_a_password_and_eight_a_salt() -> None:
    derive(Password("zxyvwzxyvwzx"), Password("zxyvwzxy"), LEAST)
