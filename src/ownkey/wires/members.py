"""The members of a client's body, each with its bytes, and those that no client may send."""

from __future__ import annotations

from typing import Any

from msgspec import Raw, json

from ownkey.talk.errors import InvalidRequest

# Fields by which other gateways let a request choose where it goes, with whose key, or what is answered in place of
# a model; and `models`, by which one request may be answered by a model that nobody allowed or priced.
_REFUSED = """
    api_base api_key api_type api_version api_secret aws_access_key_id aws_region_name aws_secret_access_key
    aws_session_token azure_ad_token azure_endpoint base_url config context_window_fallback_dict
    content_policy_fallbacks custom_host custom_llm_provider default_headers default_query endpoint extra_body
    extra_headers extra_query fallback_models fallbacks headers http_client litellm_params mock_response
    mock_testing_content_policy_fallbacks mock_testing_context_fallbacks mock_testing_fallbacks mock_timeout
    mock_tool_calls model_info model_list models organization provider_url proxies proxy route ssl_verify
    user_config vertex_credentials vertex_location vertex_project virtual_key
"""
REFUSED = frozenset(_REFUSED.split())

_members = json.Decoder(dict[str, Raw])
_values = json.Decoder(dict[str, Any])


def decode_members(body: bytes) -> tuple[dict[str, Any], dict[str, Raw]]:
    """The body's members, decoded and as they came. Of members given twice, the last one holds.

    Raises InvalidRequest where the body is no JSON object, or has a member that would say where it goes.
    """
    try:
        values = _values.decode(body)
        fields = _members.decode(body)
    except (ValueError, RecursionError):
        raise InvalidRequest("The body is not a JSON object in UTF-8.", "Send one JSON object.") from None
    if not REFUSED.isdisjoint(fields):
        raise refused(min(REFUSED & fields.keys()))
    return values, fields


def refused(name: str) -> InvalidRequest:
    return InvalidRequest(f"Unknown field: {name}.", "Leave it out: where a request goes is not set by it.", param=name)


def wrong(name: str, expected: str) -> InvalidRequest:
    return InvalidRequest(f"{name} must be {expected}.", "Correct it and send the request again.", param=name)


def flag(values: dict[str, Any], name: str) -> bool:
    """A member that is true or false. Raises InvalidRequest."""
    value = values.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong(name, "true or false")
    return value is True


def model_name(value: object) -> str:
    """The name of a model that was asked for. Raises InvalidRequest."""
    if not isinstance(value, str) or not 0 < len(value) <= 512 or not value.isprintable():
        raise wrong("model", "the name of a model")
    return value


def whole_number(name: str, value: object, most: int, least: int = 1) -> int:
    """Raises InvalidRequest."""
    if type(value) is not int or not least <= value <= most:
        raise wrong(name, f"a whole number from {least} to {most}")
    return value
