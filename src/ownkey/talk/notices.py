"""What a page says to a person who never saw a terminal, and what it offers them to do."""

from __future__ import annotations

import math

from msgspec import Struct

from ownkey.talk.errors import (
    InvalidCredentials,
    ModelNotAvailable,
    NetworkError,
    OwnkeyError,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimitExceeded,
    UnexpectedResponse,
)

ACTIONS = {
    "reenter_key": "Re-enter key",
    "wait": "Auto-retry",
    "choose_model": "Model picker",
    "provider_settings": "Provider settings",
    "retry": "Retry",
}
"""What a person can do about it, and what the button says."""

SAID: dict[type[ProviderError], tuple[str, str]] = {
    InvalidCredentials: ("Your {provider} API key is invalid. Please check and try again.", "reenter_key"),
    RateLimitExceeded: ("{provider} rate limit hit.", "wait"),
    QuotaExceeded: ("You've hit your {provider} usage cap. Upgrade your plan", "provider_settings"),
    ModelNotAvailable: ("{model} is unavailable right now.", "choose_model"),
    ProviderUnavailable: ("{provider} is unavailable right now.", "retry"),
    NetworkError: ("Can't reach {provider}.", "retry"),
    ProviderTimeout: ("{provider} took too long to answer.", "retry"),
    UnexpectedResponse: ("{provider} sent an answer that cannot be read.", "retry"),
}
"""What is said of each, and what is offered."""


class Notice(Struct, frozen=True):
    """What a page says to a person, and one of `ACTIONS`: what it offers."""

    message: str
    action: str

    @property
    def label(self) -> str:
        return ACTIONS[self.action]


def notice(error: OwnkeyError, *, retries: bool = True) -> Notice | None:
    """None where there is none. `retries`: whoever shows it asks again by itself, as the action `wait` says."""
    kind = next((one for one in type(error).__mro__ if one in SAID), None)
    if kind is None or not isinstance(error, ProviderError):
        return None
    provider = error.provider_name or error.provider
    if provider is None:
        return None
    text, action = SAID[kind]
    said = text.format(provider=provider, model=error.model_name or error.model or "This model")
    return Notice(said + _more(error, retries=retries), action)


def _more(error: ProviderError, *, retries: bool) -> str:
    """What is said besides."""
    match error:
        case RateLimitExceeded():
            wait_s = max(1, math.ceil(error.retry_after_s or 1))
            after = f"in {wait_s} second{'' if wait_s == 1 else 's'}"
            return f" Retrying {after}..." if retries else f" Try again {after}."
        case QuotaExceeded():
            return f" or use {error.instead}." if error.instead else "."
        case ModelNotAvailable():
            return f" Try {error.instead} instead?" if error.instead else ""
        case NetworkError():
            return " Check that it is running." if error.is_local else " Check your internet connection."
        case _:
            return ""
