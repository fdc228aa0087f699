"""Gemini's counts of tokens (UsageMetadata)."""

from __future__ import annotations

from ownkey.talk.reply import Usage
from ownkey.wires.gemini.values import Object, as_count, as_list, as_object

_AUDIO = ("AUDIO", 4)


def read_usage(counts: Object, before: Usage) -> Usage:
    """What is known by now: the last counts of a stream are its counts, `before` those of the chunk before.

    Protobuf's JSON leaves a zero out. So where the prompt was counted, a part that an earlier chunk counted and this
    one does not is 0. Output that was never counted is what the total leaves for it; without a total it is unknown.
    """
    if not counts.keys() & {"promptTokenCount", "candidatesTokenCount", "totalTokenCount"}:
        return before
    found = Usage(
        input_tokens=_sum(counts, "promptTokenCount", "toolUsePromptTokenCount"),
        output_tokens=_output(counts),
        cached_tokens=as_count(counts.get("cachedContentTokenCount")),
        reasoning_tokens=as_count(counts.get("thoughtsTokenCount")),
        input_audio_tokens=_audio(counts, "promptTokensDetails", "toolUsePromptTokensDetails"),
        output_audio_tokens=_audio(counts, "candidatesTokensDetails"),
        cached_audio_tokens=_audio(counts, "cacheTokensDetails"),
    )
    if found.input_tokens is None:
        return before.merged(found)
    return Usage(
        input_tokens=found.input_tokens,
        output_tokens=found.output_tokens,
        cached_tokens=_or_zero(found.cached_tokens, before.cached_tokens),
        reasoning_tokens=_or_zero(found.reasoning_tokens, before.reasoning_tokens),
        input_audio_tokens=_or_zero(found.input_audio_tokens, before.input_audio_tokens),
        output_audio_tokens=_or_zero(found.output_audio_tokens, before.output_audio_tokens),
        cached_audio_tokens=_or_zero(found.cached_audio_tokens, before.cached_audio_tokens),
    )


def _or_zero(now: int | None, before: int | None) -> int | None:
    return 0 if now is None and before is not None else now


def _sum(counts: Object, first: str, second: str) -> int | None:
    """The first count, and the second where it is there; None where one of them is no count."""
    number = as_count(counts.get(first))
    if number is None or (also := counts.get(second)) is None:
        return number
    more = as_count(also)
    return None if more is None else number + more


def _output(counts: Object) -> int | None:
    if counts.get("candidatesTokenCount") is not None:
        return _sum(counts, "candidatesTokenCount", "thoughtsTokenCount")
    total = as_count(counts.get("totalTokenCount"))
    inward = _sum(counts, "promptTokenCount", "toolUsePromptTokenCount")
    thoughts = as_count(counts.get("thoughtsTokenCount", 0))
    if total is None or inward is None or thoughts is None:
        return None
    return max(total - inward, thoughts)


def _audio(counts: Object, *names: str) -> int | None:
    total: int | None = None
    for name in names:
        for detail in as_list(counts.get(name)):
            one = as_object(detail)
            if one.get("modality") not in _AUDIO:
                continue
            number = as_count(one.get("tokenCount", 0))
            if number is None:
                return None
            total = number + (total or 0)
    return total


def write_usage(usage: Usage) -> Object:
    """UsageMetadata; empty where nothing is known."""
    known = {
        "promptTokenCount": usage.input_tokens,
        "cachedContentTokenCount": usage.cached_tokens,
        "candidatesTokenCount": None if usage.output_tokens is None else _visible(usage, usage.output_tokens),
        "thoughtsTokenCount": usage.reasoning_tokens,
        "totalTokenCount": _total(usage),
    }
    counts: Object = {name: value for name, value in known.items() if value is not None}
    for name, audio in (
        ("promptTokensDetails", usage.input_audio_tokens),
        ("candidatesTokensDetails", usage.output_audio_tokens),
        ("cacheTokensDetails", usage.cached_audio_tokens),
    ):
        if audio is not None:
            counts[name] = [{"modality": "AUDIO", "tokenCount": audio}]
    return counts


def _visible(usage: Usage, output: int) -> int:
    """Google counts thoughts beside the candidates, not among them."""
    return max(output - (usage.reasoning_tokens or 0), 0)


def _total(usage: Usage) -> int | None:
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    return usage.input_tokens + usage.output_tokens
