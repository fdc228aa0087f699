"""What can go wrong, in one tree.

OwnkeyError
├── RequestError                the request itself; the caller can mend it
│   ├── InvalidRequest              malformed body, wrong type, unknown field
│   ├── Unsupported                 asked of a target that cannot carry it
│   ├── UnknownModel                no provider here has it, or more than one has
│   ├── UnsupportedMedia            a body that is no plain JSON where JSON is wanted
│   ├── TooLarge                    over a limit in bytes
│   ├── NotFound                    there is no such thing, or it is somebody else's
│   └── Conflict                    not as things stand now
├── AccessError                 who asks
│   ├── InvalidToken                no token, or not a good one
│   ├── PermissionDenied            a good one, for something else
│   ├── ProofRequired               a person has to show again who they are
│   └── TooManyAttempts             to sign in
├── KeyProblem                   the provider key that would be used
│   ├── KeyMissing                  none stored
│   └── KeyUnreadable               stored, but it cannot be opened here
├── ConsentRequired             a person has to say yes first
│   ├── PriceUnknown                what it costs is not known
│   └── OverBudget                  more than a budget has left, or than one run should take
├── BudgetExceeded              a limit that its owner has set
├── ProviderError               what came of a try at a provider
│   ├── InvalidCredentials          the provider refuses the key
│   ├── RateLimitExceeded           too many requests or tokens a minute
│   │   └── LimitReached                by a limit that is set here
│   ├── QuotaExceeded               the account there is used up
│   ├── ModelNotAvailable           the provider has no such model, or not for this key
│   ├── ContextTooLong              more input than the model takes
│   ├── ContentRefused              the provider will not answer this content
│   ├── RequestRefused              the provider calls the request wrong
│   ├── ProviderUnavailable         5xx, overloaded
│   ├── NetworkError                refused, reset, name not found, TLS
│   ├── ProviderTimeout             too slow, in a named phase
│   ├── UnexpectedResponse          an answer that cannot be read
│   ├── GoesRound                   it came back to an Ownkey, or passed through too many
│   └── StreamCut                   the answer began and did not end
└── HouseError                  Ownkey's own state
    ├── EndpointNotAllowed          an address that no key may go to
    ├── VaultSealed                 no root key, or the wrong one
    ├── StorageUnavailable          the database does not answer
    ├── AuditUnavailable            nothing can be written into the audit trail
    ├── Overloaded                  too much at once
    └── BadConfiguration            a setting or a manifest that cannot be read
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from ownkey.talk.consent import HEADER, Estimate, Reason

API_KEY_REQUIRED, RATE_LIMIT_EXCEEDED = "API_KEY_REQUIRED", "RATE_LIMIT_EXCEEDED"
CLIENT_ERROR, SERVER_ERROR, REQUEST_FAILED = "CLIENT_ERROR", "SERVER_ERROR", "REQUEST_FAILED"
FETCH_MODELS_FAILED, MAX_RETRIES_EXCEEDED = "FETCH_MODELS_FAILED", "MAX_RETRIES_EXCEEDED"
KINDS = (
    *(API_KEY_REQUIRED, RATE_LIMIT_EXCEEDED, CLIENT_ERROR, SERVER_ERROR),
    *(FETCH_MODELS_FAILED, REQUEST_FAILED, MAX_RETRIES_EXCEEDED),
)
"""The coarse codes: every error has one of them."""


class OwnkeyError(Exception):
    """Every error of Ownkey's.

    `code` names it for programs, `kind` coarsely; `message` says what happened and to whom, `hint` what to do next.
    `again`: the same target may be tried again. `move_on`: another target may answer. `of_key`: it speaks of the key
    that was used, so that another one for the same target may help; `passes` is that key, as id and version, where
    there is another one.
    No secret stands in any of them.
    """

    code: ClassVar[str] = "error"
    kind: str = SERVER_ERROR
    again: ClassVar[bool] = False
    move_on: ClassVar[bool] = False
    of_key: bool = False
    passes: tuple[str, int] | None = None

    def __init__(self, message: str, hint: str = "", *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.param = param

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class RequestError(OwnkeyError):
    code = "invalid_request"
    kind = CLIENT_ERROR


class InvalidRequest(RequestError):
    """`param` names the field; `line` that of a file's text, from 1, where it is known."""

    def __init__(self, message: str, hint: str = "", *, param: str | None = None, line: int | None = None) -> None:
        super().__init__(message, hint, param=param)
        self.line = line


class Unsupported(RequestError):
    """`param` names what cannot be carried. Another target may carry it."""

    code = "unsupported"
    move_on = True


class UnknownModel(RequestError):
    code = "model_not_found"


class UnsupportedMedia(RequestError):
    """`param` is the header that says so."""

    code = "unsupported_media_type"


class TooLarge(RequestError):
    code = "request_too_large"


class NotFound(RequestError):
    code = "not_found"


class Conflict(RequestError):
    code = "conflict"


class AccessError(OwnkeyError):
    code = "permission_denied"
    kind = CLIENT_ERROR


class InvalidToken(AccessError):
    code = "invalid_api_key"


class PermissionDenied(AccessError):
    pass


class ProofRequired(AccessError):
    code = "proof_required"


class TooManyAttempts(AccessError):
    code = "too_many_attempts"
    kind = RATE_LIMIT_EXCEEDED

    def __init__(self, message: str, hint: str = "", *, retry_after_s: float = 1.0) -> None:
        super().__init__(message, hint)
        self.retry_after_s = retry_after_s


class KeyProblem(OwnkeyError):
    code = "key_missing"
    kind = API_KEY_REQUIRED
    move_on = True


class KeyMissing(KeyProblem):
    pass


class KeyUnreadable(KeyProblem):
    code = "key_unreadable"


class ConsentRequired(OwnkeyError):
    """`reasons`: everything that has to be said yes to. `quote`: what it would cost. `token`: good once, until
    `until_ms`, for the same request of the same caller, and for these reasons alone. `begun`: something of a stream has
    passed. A client is told the code of this class, whichever of them it is; the reasons say which."""

    code = "consent_required"
    kind = CLIENT_ERROR

    def __init__(
        self, message: str, hint: str = "", *, param: str | None = None, reasons: Sequence[Reason] = ()
    ) -> None:
        super().__init__(message, hint, param=param)
        self.reasons = tuple(reasons)
        self.quote: Estimate | None = None
        self.token: str | None = None
        self.until_ms: int | None = None
        self.begun = False

    def plain(self) -> dict[str, Any]:
        """What a client is told beside the message."""
        return {
            "header": HEADER,
            "token": self.token,
            "until_ms": self.until_ms,
            "reasons": self.reasons,
            "quote": None if self.quote is None else self.quote.plain(),
        }


class PriceUnknown(ConsentRequired):
    code = "price_unknown"
    move_on = True


class OverBudget(ConsentRequired):
    code = "over_budget"


class BudgetExceeded(OwnkeyError):
    """`budget` is the id of the one that has not enough left. Another target may cost less, or fall under another:
    whether it is tried is the budget's to say. `resets_at_ms`: when its next window begins. `of_run`: it is this
    request that is too much for it, whatever else is asked."""

    code = "budget_exceeded"
    kind = CLIENT_ERROR

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        budget: str = "",
        resets_at_ms: int | None = None,
        move_on: bool = False,
        of_key: bool = False,
        of_run: bool = False,
    ) -> None:
        super().__init__(message, hint)
        self.of_key = of_key
        self.of_run = of_run
        self.budget = budget
        self.resets_at_ms = resets_at_ms
        self._move_on = move_on

    @property
    def move_on(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._move_on


def code_told(kind: type[OwnkeyError]) -> str:
    """By which a client of the gateway knows an error of this class."""
    return ConsentRequired.code if issubclass(kind, ConsentRequired) else kind.code


class ProviderError(OwnkeyError):
    """One try that failed. `status` is the provider's own, where it gave one; `retry_after_s` what it asked for.

    `perhaps_billed`: the request was taken, and nobody knows what became of it. `provider_name`, `model_name`: as
    people know them; `instead`: what could be asked in its place.
    """

    is_local: bool = False
    provider_name: str | None = None
    model_name: str | None = None
    instead: str | None = None

    code = "upstream_error"
    kind = REQUEST_FAILED

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        param: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        status: int | None = None,
        retry_after_s: float | None = None,
        perhaps_billed: bool = False,
    ) -> None:
        super().__init__(message, hint, param=param)
        self.provider = provider
        self.model = model
        self.status = status
        self.retry_after_s = retry_after_s
        self.perhaps_billed = perhaps_billed


class InvalidCredentials(ProviderError):
    code = "upstream_auth"
    kind = CLIENT_ERROR
    move_on = True
    of_key = True


class RateLimitExceeded(ProviderError):
    code = "rate_limited"
    kind = RATE_LIMIT_EXCEEDED
    again = True
    move_on = True


class LimitReached(RateLimitExceeded):
    """Nothing was sent. `retry_after_s`: when there will be room, as far as things stand."""

    again = False


class QuotaExceeded(ProviderError):
    code = "quota_exceeded"
    kind = CLIENT_ERROR
    move_on = True
    of_key = True


class ModelNotAvailable(ProviderError):
    code = "model_not_available"
    kind = CLIENT_ERROR
    move_on = True


class ContextTooLong(ProviderError):
    code = "context_length_exceeded"
    kind = CLIENT_ERROR
    move_on = True


class ContentRefused(ProviderError):
    code = "content_refused"
    kind = CLIENT_ERROR


class RequestRefused(ProviderError):
    code = "upstream_refused"
    kind = CLIENT_ERROR


class ProviderUnavailable(ProviderError):
    code = "upstream_unavailable"
    kind = SERVER_ERROR
    again = True
    move_on = True


class NetworkError(ProviderError):
    code = "upstream_unreachable"
    again = True
    move_on = True


class ProviderTimeout(ProviderError):
    code = "upstream_timeout"
    move_on = True


class UnexpectedResponse(ProviderError):
    code = "upstream_invalid"
    again = True
    move_on = True


class GoesRound(ProviderError):
    """It came back to an Ownkey that it had gone out from, or passed through too many of them."""

    code = "loop_detected"
    move_on = True


class StreamCut(ProviderError):
    code = "upstream_cut"
    again = True
    move_on = True


class HouseError(OwnkeyError):
    code = "unavailable"


class EndpointNotAllowed(HouseError):
    code = "endpoint_not_allowed"
    move_on = True


class VaultSealed(HouseError):
    code = "vault_sealed"


class StorageUnavailable(HouseError):
    code = "storage_unavailable"


class AuditUnavailable(HouseError):
    code = "audit_unavailable"


class Overloaded(HouseError):
    code = "overloaded"


class BadConfiguration(HouseError):
    code = "bad_configuration"
