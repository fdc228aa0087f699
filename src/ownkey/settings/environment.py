"""Keys that stand in environment variables, as other programs know them."""

from __future__ import annotations

import os

from ownkey.talk.secret import Secret


def secret(variable: str) -> Secret | None:
    """What the variable holds now; None where that is nothing, or no key."""
    try:
        return Secret(os.environ.get(variable, "").strip())
    except ValueError:
        return None
