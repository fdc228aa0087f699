"""Errors to exit codes: one table, total over the tree."""

from __future__ import annotations

from ownkey.talk import errors
from ownkey.talk.errors import OwnkeyError

# 2 is what a shell user knows as a wrong call; the others are told apart so that scripts can.
EXIT: dict[type[OwnkeyError], int] = {
    errors.OwnkeyError: 1,
    errors.RequestError: 2,
    errors.AccessError: 3,
    errors.KeyProblem: 3,
    errors.ConsentRequired: 4,
    errors.ProviderError: 5,
    errors.HouseError: 6,
}


def exit_code(error: OwnkeyError) -> int:
    return next(EXIT[kind] for kind in type(error).__mro__ if kind in EXIT)
