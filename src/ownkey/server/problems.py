"""Errors to HTTP: one table, total over the tree."""

from __future__ import annotations

import math

from ownkey.talk import errors
from ownkey.talk.errors import OwnkeyError, ProviderError
from ownkey.talk.notices import notice

# Status by class; a class without a row of its own has its parent's.
# 401 is kept for Ownkey's own tokens: a provider that refuses a key answers 502, or clients would ask for a new token.
STATUS: dict[type[OwnkeyError], int] = {
    errors.OwnkeyError: 500,
    errors.RequestError: 422,
    errors.UnknownModel: 404,
    errors.TooLarge: 413,
    errors.UnsupportedMedia: 415,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.AccessError: 403,
    errors.InvalidToken: 401,
    errors.TooManyAttempts: 429,
    errors.KeyProblem: 422,
    errors.ConsentRequired: 409,
    errors.BudgetExceeded: 402,
    errors.ProviderError: 502,
    errors.RateLimitExceeded: 429,
    errors.QuotaExceeded: 402,
    errors.ModelNotAvailable: 404,
    errors.ContextTooLong: 400,
    errors.ContentRefused: 400,
    errors.RequestRefused: 400,
    errors.ProviderTimeout: 504,
    errors.GoesRound: 508,
    errors.HouseError: 503,
    errors.EndpointNotAllowed: 422,
}

# Clients of OpenAI's retry 408, 409, 429 and 5xx by themselves and obey `x-should-retry`
# (openai-python, `_should_retry`). Not worth it is what was tried here already, and what a person has to mend.
WORTH_RETRYING = (errors.RateLimitExceeded, errors.Overloaded, errors.StorageUnavailable, errors.AuditUnavailable)


def status_of(error: OwnkeyError) -> int:
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def headers_of(error: OwnkeyError) -> list[tuple[bytes, bytes]]:
    """What an error's answer carries besides its body."""
    status = status_of(error)
    headers = [(b"x-should-retry", b"true" if isinstance(error, WORTH_RETRYING) else b"false")]
    headers.append((b"x-ownkey-error", error.kind.encode("ascii")))
    if (told := notice(error)) is not None:
        headers.append((b"x-ownkey-action", told.action.encode("ascii")))
    if status == 429 and isinstance(error, ProviderError | errors.TooManyAttempts):
        headers.append((b"retry-after", str(max(1, math.ceil(error.retry_after_s or 1))).encode()))
    if status == 503 and isinstance(error, errors.Overloaded):
        headers.append((b"retry-after", b"1"))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return headers
