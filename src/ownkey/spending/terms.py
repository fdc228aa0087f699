"""What a request asks for that is charged otherwise than its tokens at the plain rates. Data, and how it is read.

A tier has rates of its own in the price catalogue. What is charged by the search, the page or the session, or may be
answered at a price that nobody here knows, has no bound: it needs a person's consent, as an unknown price does.

Sources: OpenAI, Chat completions, Priority and Flex processing, Pricing (built-in tools, search models); OpenRouter,
Provider routing, Web search, Plugins, Presets, Service tiers; xAI, Live search; Groq, Compound; Anthropic, Fast mode,
Data residency. Bounded by the output cap and not named here: `n`, and `prediction`, whose rejected tokens count as
output (OpenAI, CompletionUsage). `transforms` only shortens the input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

TIERS: Mapping[str, frozenset[str]] = {
    "service_tier": frozenset({"default", "standard", "standard_only", "on_demand", "flex"}),
    "speed": frozenset({"standard"}),
}
"""Fields that choose a tier, and the values that are never dearer than the plain rates."""

LONGEST_TIER = 64
AUTO = "auto"
AUTO_MAY_BE = ("priority", "fast")
"""What `auto` may become, by the settings of the account."""

UNBOUNDED: Mapping[str, tuple[object, ...]] = {
    "web_search_options": (),
    "search_parameters": ({"mode": "off"},),
    "enable_search": (False,),
    "plugins": ([],),
    "preset": (),
    "provider": ({},),
    "modalities": (["text"],),
    "best_of": (1,),
    "compound_custom": ({},),
    "mcp_servers": ([],),
    "inference_geo": ("global", "not_available"),
    "serviceTier": ("standard", "SERVICE_TIER_STANDARD", "SERVICE_TIER_UNSPECIFIED", "flex", "SERVICE_TIER_FLEX"),
    "prompt": (),
}
"""Fields whose cost has no bound here, and the values with which they cost nothing more."""

OWN_TOOLS = frozenset({"function", "custom"})
"""Tools that the client runs. All others the provider runs, and most it charges for."""

TOOL_ITEMS = (b'"additional_tools"', b'"tool_search_output"')
"""Items of the input of OpenAI's responses that bring tools, which the provider may run."""

CONFIGS = ("generationConfig", "generation_config")
"""Gemini's: an answer in pictures or sound has rates of its own (Gemini API, Pricing)."""

MODEL_MARKS = ("deep-research", ":online", ":nitro", "@preset/", "-search-preview", "-search-api", "compound")
"""In the name of a model: it searches or runs tools by itself, or is answered at another price than its own."""

_WATCHED = frozenset({*TIERS, *UNBOUNDED, *CONFIGS, "tools", "input"})


class Terms(Struct, frozen=True):
    """`field`, `value`: the tier that is asked for. `unbounded`: what has no bound, by the name of its field."""

    field: str = "service_tier"
    value: str = "default"
    unbounded: str | None = None

    @property
    def may_be_dearer(self) -> bool:
        return self.value not in TIERS[self.field]


PLAIN = Terms()


class _Config(Struct, rename="camel"):
    response_modalities: Any = None


class _SnakeConfig(Struct):
    response_modalities: Any = None


_tools = msgspec.json.Decoder(list[dict[str, Any]])
_configs = (msgspec.json.Decoder(_Config | None), msgspec.json.Decoder(_SnakeConfig | None))


def terms_of(fields: Mapping[str, Raw]) -> Terms:
    """The terms of a request that goes to the provider with these fields."""
    if _WATCHED.isdisjoint(fields):
        return PLAIN
    terms = PLAIN
    for name, idle in UNBOUNDED.items():
        if name in fields and (value := msgspec.json.decode(fields[name])) is not None and value not in idle:
            return Terms(unbounded=name)
    if "tools" in fields and not _only_own(fields["tools"]):
        return Terms(unbounded="tools")
    if "input" in fields and any(item in bytes(fields["input"]) for item in TOOL_ITEMS):
        return Terms(unbounded="input")
    for name in CONFIGS:
        if name in fields and not _only_text(fields[name]):
            return Terms(unbounded=f"{name}.responseModalities")
    for name, cheap in TIERS.items():
        value = msgspec.json.decode(fields[name]) if name in fields else None
        if value is None:
            continue
        # Two tiers at once have no rates, nor has what is no word.
        if not isinstance(value, str) or len(value) > LONGEST_TIER or (terms.may_be_dearer and value not in cheap):
            return Terms(unbounded=name)
        if not terms.may_be_dearer:
            terms = Terms(name, value)
    return terms


def charged_by_name(model: str) -> bool:
    """Whether the name says that more than its tokens is charged."""
    return any(mark in model for mark in MODEL_MARKS)


def _only_text(config: Raw) -> bool:
    try:
        asked = [found.response_modalities for decoder in _configs if (found := decoder.decode(config)) is not None]
    except (ValueError, RecursionError):
        return False
    return all(kinds in (None, [], ["TEXT"], ["text"]) for kinds in asked)


def _only_own(tools: Raw) -> bool:
    if bytes(tools) == b"null":
        return True
    try:
        return all(map(_is_own, _tools.decode(tools)))
    except (ValueError, RecursionError):
        return False


def _is_own(tool: dict[str, Any]) -> bool:
    """OpenAI's and Anthropic's tools say their type, or they have a name; Gemini's are declarations, and what stands
    beside those is run by Google."""
    kind = tool.get("type", "function")
    named = not tool.keys().isdisjoint({"name", "function"})
    declares = bool(tool) and tool.keys() <= {"functionDeclarations", "function_declarations"}
    return kind in OWN_TOOLS if isinstance(kind, str) and (named or "type" in tool) else declares
