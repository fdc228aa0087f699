"""Fields of a client's wire that have no word in `Chat`: which of them another wire may leave out."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from ownkey.talk.errors import Unsupported

# By the names that OpenAI (chat completions, responses), Anthropic and Google give them, in their API references.
NEEDED: Mapping[str, tuple[object, ...]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "audio": (),
    "modalities": (["text"], ["TEXT"]),
    "functions": ([],),
    "function_call": ("none",),
    "web_search_options": (),
    "search_parameters": ({"mode": "off"},),
    "best_of": (1,),
    "echo": (False,),
    "suffix": ("",),
    "grammar": (),
    "guided_json": (),
    "guided_regex": (),
    "previous_response_id": (),
    "conversation": (),
    "prompt": (),
    "background": (False,),
    "mcp_servers": ([],),
    "container": (),
    "cachedContent": (),
    "speechConfig": (),
    "imageConfig": (),
    "responseFormat": ([],),
    "translationConfig": (),
    "modelArmorConfig": (),
}
"""What would change the answer or its form if it were left out, with the values that ask for nothing."""

IDLE: Mapping[str, tuple[object, ...]] = {
    "store": (False,),
    "service_tier": ("auto", "default"),
    "logit_bias": ({},),
    "metadata": ({},),
    "truncation": ("disabled",),
}
"""Values of the rest that ask for nothing: nobody has to hear that they were left out."""


def carried(other: Mapping[str, Any], carries: Set[str], warnings: list[str]) -> dict[str, Any]:
    """The fields that the outward wire `carries`. The rest is named in `warnings`.

    Raises Unsupported for one that would change the answer, naming it.
    """
    for name, value in other.items():
        if name in carries or name == "stream_options" or value is None or value in IDLE.get(name, ()):
            continue
        if name not in NEEDED:
            warnings.append(f"{name} has no counterpart at this provider and was left out.")
        elif value not in NEEDED[name]:
            raise Unsupported(
                f"`{name}` cannot be carried to this provider.",
                "Leave it out, or use a provider that has it.",
                param=name,
            )
    return {name: value for name, value in other.items() if name in carries}
