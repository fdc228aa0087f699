"""Errors to exit codes: one table, total over the tree."""

from __future__ import annotations

from ownkey.talk import errors
from ownkey.talk.errors import OwnkeyError, ProviderError
from ownkey.talk.notices import Notice

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


COMMANDS = {
    "reenter_key": "ownkey keys set {provider}",
    "choose_model": "ownkey models {provider}",
    "provider_settings": "ownkey providers show {provider}",
}
"""What does, in a terminal, what a button does on a page."""


def todo(error: OwnkeyError, notice: Notice) -> str:
    """`→ Re-enter key: ownkey keys set openai`; nothing where there is no command for it."""
    command = COMMANDS.get(notice.action)
    if command is None or not isinstance(error, ProviderError) or error.provider is None:
        return ""
    return f"→ {notice.label}: {command.format(provider=error.provider)}"
