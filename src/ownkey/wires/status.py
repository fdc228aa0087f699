"""What a provider's refusal means: its HTTP status and its own code first, its prose last."""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from ownkey.talk.errors import (
    ContentRefused,
    ContextTooLong,
    GoesRound,
    InvalidCredentials,
    ModelNotAvailable,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimitExceeded,
    RequestRefused,
    UnexpectedResponse,
)
from ownkey.talk.secret import clean

LONGEST_WAIT_S = 3600.0

Kind = type[ProviderError]

_SAYING: Mapping[Kind, tuple[str, str]] = {
    InvalidCredentials: ("The provider refuses this key", "Check the key and what it may be used for."),
    RateLimitExceeded: ("The provider takes no more requests from this key for now", "Wait a little and try again."),
    QuotaExceeded: ("The account at the provider is used up", "Add credit there, or use another key."),
    ModelNotAvailable: ("The provider has no such model for this key", "Choose another model."),
    ContextTooLong: ("The input is longer than the model takes", "Shorten it, or use a model with a longer context."),
    ContentRefused: ("The provider will not answer this content", "Change what is asked."),
    RequestRefused: ("The provider calls the request wrong", "Change the request, or use another model."),
    ProviderUnavailable: ("The provider cannot answer now", "Try again, or use another provider."),
    ProviderTimeout: ("The provider took too long", "Try again, or use another provider."),
    GoesRound: ("The request goes round in a ring", "Look where the address of this provider leads."),
    UnexpectedResponse: ("The provider's answer cannot be read", "Check the provider's address."),
}

# Codes as the providers document or send them, in lower case. OpenAI, Azure OpenAI, Anthropic (error types), Google
# (status names), Groq, Mistral, DeepSeek, xAI, Perplexity, OpenRouter, llama.cpp, Alibaba, GitHub Models.
_CODES: Mapping[Kind, str] = {
    InvalidCredentials: "invalid_api_key api_key_invalid invalid_authentication authentication_error unauthorized "
    "unauthenticated unauthorized_error permission_error permission_denied invalid_authentication_error "
    "authentication_failed account_deactivated invalid_organization unsupported_country_region_territory "
    "access_denied invalidsubscriptionkey",
    QuotaExceeded: "insufficient_quota billing_hard_limit_reached billing_not_active insufficient_balance "
    "payment_required billing_error quota_exceeded insufficient_credits spend_limit_reached arrearage "
    "exceeded_current_quota_error insufficient_funds",
    RateLimitExceeded: "rate_limit_exceeded rate_limited rate_limit_error rate_limit too_many_requests "
    "ratelimitreached resource_exhausted rate_limit_reached_error throttling toomanyrequests",
    ModelNotAvailable: "model_not_found deploymentnotfound model_not_available unknown_model invalid_model "
    "model_decommissioned model_terms_required model_permission_blocked_org model_permission_blocked_project "
    "model_not_supported not_found_error model_deprecated",
    ContextTooLong: "context_length_exceeded too_many_prompt_tokens exceed_context_size_error tokens_limit_reached "
    "context_window_exceeded model_max_prompt_tokens_exceeded request_too_large prompt_too_long context_too_long",
    ContentRefused: "content_filter content_policy_violation responsibleaipolicyviolation content_moderation "
    "content_filtered data_inspection_failed moderation_blocked content_policy prohibited_content safety "
    "moderation_error invalid_prompt image_content_policy_violation bio_policy misalignment_policy_violation",
    # Of these a response fails that was taken first (OpenAI, Responses: the error object).
    RequestRefused: "invalid_image invalid_image_format invalid_base64_image invalid_image_url image_too_large "
    "image_too_small image_parse_error invalid_image_mode image_file_too_large unsupported_image_media_type "
    "empty_image_file failed_to_download_image image_file_not_found data_residency_mismatch",
    ProviderUnavailable: "overloaded overloaded_error engine_overloaded server_error internal_server_error "
    "service_unavailable unavailable model_overloaded serviceunavailable service_unavailable_error "
    "provider_unavailable vllm_engine_error slow_down",
    GoesRound: "loop_detected",
    ProviderTimeout: "timeout timeout_error deadline_exceeded request_timeout vector_store_timeout",
}
_KIND_OF_CODE: Mapping[str, Kind] = {code: kind for kind, codes in _CODES.items() for code in codes.split()}

_STATUSES: Mapping[int, Kind] = {
    401: InvalidCredentials,
    402: QuotaExceeded,
    403: InvalidCredentials,
    404: ModelNotAvailable,
    408: ProviderUnavailable,
    413: ContextTooLong,
    429: RateLimitExceeded,
    504: ProviderTimeout,
    508: GoesRound,
    524: ProviderTimeout,
}

# Read only where a status that says little comes without a code that is known.
_PROSE: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    (
        InvalidCredentials,
        (
            "incorrect api key",
            "invalid api key",
            "api key not valid",
            "api key expired",
            "api key is invalid",
            "invalid api-key",
            "api key not found",
        ),
    ),
    (
        QuotaExceeded,
        (
            "credit balance is too low",
            "insufficient balance",
            "insufficient credit",
            "exceeded your current quota",
            "doesn't have any credits",
            "usage limits",
        ),
    ),
    (
        ContextTooLong,
        (
            "context length",
            "context window",
            "context size",
            "prompt is too long",
            "prompt too long",
            "input is too long",
            "too many tokens",
            "maximum number of tokens allowed",
            "reduce the length of the messages",
            "maximum prompt length",
        ),
    ),
)
_SAYS_LITTLE = frozenset({200, 400, 403, 422, 500})


def retry_after_s(headers: Mapping[bytes, bytes]) -> float | None:
    """How long the provider asks to wait, 0 to an hour; None where it does not say or it cannot be read.

    `retry-after-ms` is OpenAI's; `retry-after` holds seconds or a date (RFC 9110), which is measured from the
    answer's own `date`, so that no clock is needed.
    """
    wait_s = _seconds(headers.get(b"retry-after-ms"), per_second=1000)
    if wait_s is None:
        wait_s = _seconds(headers.get(b"retry-after"))
    if wait_s is None:
        wait_s = _until(headers.get(b"retry-after"), headers.get(b"date"))
    return None if wait_s is None else min(max(wait_s, 0.0), LONGEST_WAIT_S)


def names_an_error(code: str | None) -> bool:
    """Whether this code alone says what is wrong."""
    return code is not None and code.lower() in _KIND_OF_CODE


def by_status(status: int, headers: Mapping[bytes, bytes], *, code: str | None, text: str | None) -> ProviderError:
    """The error that an answer of this status tells of; `code` and `text` are the provider's own, where it gave them.

    The text is made fit to be shown. A status of 200 stands for an error within a good answer or a stream.
    """
    kind = _kind(status, code, (text or "")[:4000].lower())
    said, hint = _SAYING[kind]
    quoted = clean(text) if text else ""
    return kind(
        f"{said} (status {status}): {quoted}" if quoted else f"{said} (status {status}).",
        hint,
        status=status,
        retry_after_s=retry_after_s(headers),
    )


def _kind(status: int, code: str | None, text: str) -> Kind:
    named = _KIND_OF_CODE.get(code.lower()) if code else None
    if 300 <= status < 400:
        return UnexpectedResponse
    # Groq answers a request above its limit of tokens a minute with 413 and a rate-limit code: waiting mends nothing.
    if named is not None and not (status == 413 and named is RateLimitExceeded):
        return named
    if status in _SAYS_LITTLE:
        said = next((kind for kind, phrases in _PROSE if any(phrase in text for phrase in phrases)), None)
        if said is not None:
            return said
    if status >= 500 or status < 300:
        return _STATUSES.get(status, ProviderUnavailable)
    return _STATUSES.get(status, RequestRefused)


def _seconds(value: bytes | None, per_second: int = 1) -> float | None:
    if value is None:
        return None
    try:
        number = float(value.decode("ascii")) / per_second
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _until(value: bytes | None, now: bytes | None) -> float | None:
    if value is None or now is None:
        return None
    try:
        then, start = (parsedate_to_datetime(text.decode("ascii")) for text in (value, now))
        return (then - start).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
