"""A client's generateContent, as far as the hot path needs it: read, checked, and sent on with its own bytes.

Google's APIs take names in camelCase and in snake_case (ProtoJSON), so both are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Raw, json

from ownkey.talk.errors import InvalidRequest
from ownkey.wires.gemini.values import Object, as_list, as_object
from ownkey.wires.members import decode_members, model_name, whole_number, wrong
from ownkey.wires.seal import MARK, unwrap
from ownkey.wires.wire import Ask, Named

LARGEST_CAP = 2**31 - 1
MOST_CHOICES = 8

_CONFIG = ("generationConfig", "generation_config")
_CAP = ("maxOutputTokens", "max_output_tokens")
_TEXTS = frozenset(
    {"text", "thought", "thoughtSignature", "thought_signature", "functionCall", "function_call"}
    | {"functionResponse", "function_response"}
)
_UPPER = re.compile(r"(?<!^)([A-Z])")
_MARK = MARK.encode()
_members: json.Decoder[dict[str, Raw] | None] = json.Decoder(dict[str, Raw] | None)


def member(value: Mapping[str, Any], name: str) -> Any:
    """The member of that name, in camelCase or in snake_case."""
    return value[name] if name in value else value.get(_UPPER.sub(r"_\1", name).lower())


def read_ask(body: bytes, named: Named | None) -> Ask:
    """Raises InvalidRequest, naming the field."""
    values, fields = decode_members(body)
    return _ask(values, fields, named)


def read_count_ask(body: bytes, named: Named | None) -> Ask:
    """The same for countTokens, which takes the contents alone or a whole request."""
    values, fields = decode_members(body)
    inner = member(values, "generateContentRequest")
    if inner is not None:
        values, fields = decode_members(bytes(member(fields, "generateContentRequest")))
    return _ask(values, fields, named)


def forward(ask: Ask, model: str, *, max_output: int | None) -> bytes:
    """Every member with its own bytes but the cap; the model is in the path. Signatures of other providers, wrapped
    for this client, stay behind: this one would refuse them."""
    fields = ask.fields.copy()
    fields.pop("model", None)
    if max_output is not None and max_output != ask.max_output:
        name = next((name for name in _CONFIG if name in fields), _CONFIG[0])
        given = _members.decode(fields[name]) if name in fields else None
        config = {key: raw for key, raw in (given or {}).items() if key not in _CAP}
        fields[name] = Raw(json.encode({**config, _CAP[0]: max_output}))
    if _MARK in bytes(fields["contents"]):
        fields["contents"] = Raw(json.encode(_without_foreign(json.decode(fields["contents"]))))
    return json.encode(fields)


def turns(contents: object) -> list[Object]:
    """The contents as a list: a single one may stand alone, as text too."""
    if isinstance(contents, str):
        return [{"role": "user", "parts": [{"text": contents}]}]
    single = as_object(contents)
    return [single] if single else [as_object(one) for one in as_list(contents)]


def _ask(values: dict[str, Any], fields: dict[str, Raw], named: Named | None) -> Ask:
    if named is None:
        raise InvalidRequest("The path names no model.", "POST /v1beta/models/MODEL:generateContent.", param="model")
    contents = turns(values.get("contents"))
    if not contents:
        raise wrong("contents", "an array of at least one content")
    config = as_object(member(values, "generationConfig"))
    cap, choices = member(config, "maxOutputTokens"), member(config, "candidateCount")
    plain = member(values, "cachedContent") is None
    return Ask(
        model=model_name(named.model.removeprefix("models/")),
        stream=named.stream,
        fields=fields,
        max_output=None if cap is None else whole_number("generationConfig.maxOutputTokens", cap, LARGEST_CAP),
        choices=1 if choices is None else whole_number("generationConfig.candidateCount", choices, MOST_CHOICES),
        text_only=plain and all(map(_only_texts, contents)),
        sse=named.sse,
    )


def _only_texts(content: Object) -> bool:
    parts = [as_object(part) for part in as_list(content.get("parts"))]
    return all(part.keys() <= _TEXTS and not as_object(member(part, "functionResponse")).get("parts") for part in parts)


def _without_foreign(contents: object) -> list[Object]:
    kept: list[Object] = []
    for content in turns(contents):
        parts = [part for one in as_list(content.get("parts")) if (part := _own(as_object(one)))]
        if parts:
            kept.append({**content, "parts": parts})
    return kept


def _own(part: Object) -> Object:
    seal = member(part, "thoughtSignature")
    if not isinstance(seal, str) or unwrap(seal) is None:
        return part
    if part.get("thought"):
        return {}
    return {name: value for name, value in part.items() if name not in ("thoughtSignature", "thought_signature")}
