"""What OpenAI's form of an answer says about its end and its tokens, in the dialects of those who speak it.

Read from the API references of OpenAI, DeepSeek (`prompt_cache_hit_tokens`), Groq (`x_groq`), Mistral
(`num_cached_tokens`), Together and Moonshot (`cached_tokens`), OpenRouter (`cache_write_tokens`) and xAI.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ownkey.talk.reply import Finish, Unified, Usage

LARGEST_COUNT = 2**53
"""Beyond it a JSON number is no exact count."""

LONGEST_TIER = 64

_UNIFIED: Mapping[Unified, str] = {
    "stop": "stop eos eos_token stop_token stop_sequence end_turn end completed",
    "length": "length max_tokens model_length max_output_tokens max_completion_tokens",
    "tool_calls": "tool_calls tool_call tool_use function_call",
    "content_filter": "content_filter content_filtered safety sensitive recitation refusal",
}
_FINISH: Mapping[str, Unified] = {raw: unified for unified, raws in _UNIFIED.items() for raw in raws.split()}

# A reason that tells of a failure: the answer before it is not whole. OpenRouter and Mistral say `error`, DeepSeek
# `insufficient_system_resource`, Z.ai `network_error`, SGLang and vLLM `abort`.
_FAILED = frozenset({"error", "insufficient_system_resource", "network_error", "abort"})


def finish_of(raw: str | None) -> Finish:
    """The reason as programs and as the provider say it."""
    return Finish(_FINISH.get(raw.lower(), "unknown") if raw else "unknown", raw or None)


def failed(raw: str | None) -> bool:
    """Whether this reason says that the provider broke off."""
    return raw in _FAILED


def usage_of(raw: object, groq: object = None, tier: object = None) -> Usage:
    """The counts in a `usage` object, or in Groq's `x_groq`; whatever is not a plain count is unknown.

    Some providers keep a part of the tokens out of the sums: xAI its reasoning, Google the thinking, Mistral
    the audio. `total_tokens` holds it, and so the arithmetic tells. `tier` is the answer's `service_tier`.
    """
    if not isinstance(raw, dict) and isinstance(groq, dict):
        raw = cast("dict[str, Any]", groq).get("usage")
    if not isinstance(raw, dict):
        return Usage()
    said = cast("dict[str, Any]", raw)
    into, out = _object(said, "prompt_tokens_details"), _object(said, "completion_tokens_details")
    taken = _first(said, "prompt_tokens", "input_tokens")
    made = _first(said, "completion_tokens", "output_tokens")
    reasoning = _first(said | out, "reasoning_tokens")
    heard = _first(into, "audio_tokens")
    cached = _first(said | into, "cached_tokens", "prompt_cache_hit_tokens", "num_cached_tokens")
    taken, made = _with_what_is_outside(taken, made, _first(said, "total_tokens"), reasoning, heard)
    return Usage(
        input_tokens=taken,
        output_tokens=made,
        cached_tokens=_part(cached, taken),
        cache_write_tokens=_part(_first(into, "cache_write_tokens", "cache_creation_input_tokens"), taken),
        reasoning_tokens=_part(reasoning, made),
        input_audio_tokens=_part(heard, taken),
        output_audio_tokens=_part(_first(out, "audio_tokens"), made),
        tier=tier if isinstance(tier, str) and 0 < len(tier) <= LONGEST_TIER else None,
    )


def usage_object(usage: Usage) -> dict[str, Any]:
    """The counts in OpenAI's own form. Only what is known stands in it."""
    total = (
        None if usage.input_tokens is None or usage.output_tokens is None else usage.input_tokens + usage.output_tokens
    )
    return _known(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        total_tokens=total,
        prompt_tokens_details=_known(
            cached_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            audio_tokens=usage.input_audio_tokens,
        )
        or None,
        completion_tokens_details=_known(
            reasoning_tokens=usage.reasoning_tokens, audio_tokens=usage.output_audio_tokens
        )
        or None,
    )


def _with_what_is_outside(
    taken: int | None, made: int | None, total: int | None, reasoning: int | None, heard: int | None
) -> tuple[int | None, int | None]:
    if taken is None or made is None:
        return taken, made
    if total is None:
        return taken, made + reasoning if reasoning is not None and reasoning > made else made
    outside = total - taken - made
    if outside <= 0:
        return taken, made
    if heard and outside in (heard, heard + (reasoning or 0)):
        taken += heard
        outside -= heard
    return taken, made + outside


def _object(said: dict[str, Any], name: str) -> dict[str, Any]:
    value = said.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _first(said: dict[str, Any], *names: str) -> int | None:
    for name in names:
        value = said.get(name)
        if type(value) is int and 0 <= value <= LARGEST_COUNT:
            return value
    return None


def _part(count: int | None, whole: int | None) -> int | None:
    return None if count is not None and whole is not None and count > whole else count


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
