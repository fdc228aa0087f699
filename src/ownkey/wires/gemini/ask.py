"""A client's generateContent, as far as the hot path needs it: read, checked, and sent on with its own bytes."""

from __future__ import annotations

from typing import cast

from msgspec import Raw, json

from ownkey.catalog.manifest import Quirks
from ownkey.talk.errors import InvalidRequest
from ownkey.wires.gemini.said import inner, listed, members, snake
from ownkey.wires.gemini.values import UNSEALED, Object
from ownkey.wires.members import decode_members, model_name, whole_number, wrong
from ownkey.wires.seal import MARK
from ownkey.wires.wire import Ask, Named

# Gemini API reference, GenerationConfig.candidateCount.
MOST_CHOICES = 8
LARGEST_CAP = 2**31 - 1

# Vertex AI, GenerationConfig: by these another model may answer than the one that was allowed and priced.
_ROUTED = ("routingConfig", "modelConfig", "modelSelectionConfig")

# Parts whose bytes bound their tokens. Others hold a file, or name one.
_TEXTS = frozenset({"text", "thought", "thoughtSignature", "functionCall", "functionResponse", "partMetadata"})
_MARKS = (MARK.encode(), UNSEALED.encode())
_CONFIG = "generationConfig"

_raws = json.Decoder(dict[str, Raw])


def read_ask(body: bytes, named: Named | None) -> Ask:
    """Raises InvalidRequest, naming the field."""
    values, fields = decode_members(body)
    said = members(values)
    config = inner(said, _CONFIG)
    routed = next((name for name in _ROUTED if name in config), None)
    if routed is not None:
        raise InvalidRequest(
            f"{routed} is not taken: another model might answer.", "Leave it out.", param=f"{_CONFIG}.{routed}"
        )
    fields = {name: raw for name, raw in fields.items() if name != "model"}
    # Written anew, since of a member given twice only the last one was read.
    fields |= {
        name: Raw(json.encode(_raws.decode(fields[name])))
        for name in (_CONFIG, snake(_CONFIG))
        if isinstance(values.get(name), dict)
    }
    return Ask(
        model=model_name(None if named is None else named.model),
        stream=named is not None and named.stream,
        fields=fields,
        max_output=_count(config, "maxOutputTokens", LARGEST_CAP),
        choices=_count(config, "candidateCount", MOST_CHOICES) or 1,
        text_only=_text_only(said),
        sse=named is None or named.sse,
    )


def read_count_ask(body: bytes, named: Named | None) -> Ask:
    """A countTokens: bare contents, or a whole request in `generateContentRequest`. Raises InvalidRequest."""
    values, fields = decode_members(body)
    said = members(values)
    inside = said.get("generateContentRequest")
    if inside is None:
        return read_ask(body, named)
    if "contents" in said:
        raise InvalidRequest("contents and generateContentRequest are both given.", "Send one.", param="contents")
    members(inside, "generateContentRequest")
    name = "generateContentRequest"
    return read_ask(bytes(fields.get(name) or fields[snake(name)]), named)


def forward(ask: Ask, *, max_output: int | None, quirks: Quirks) -> bytes:
    """Every member with its own bytes but the cap. Reasoning that another provider sealed, wrapped for this client,
    stays behind: this one would refuse it; so does, at a model that needs none, the word for an unsealed call."""
    fields = ask.fields.copy()
    if max_output is not None:
        name = _CONFIG if _CONFIG in fields else snake(_CONFIG)
        given = fields.pop(name, None)
        config = {} if given is None or bytes(given) == b"null" else _raws.decode(given)
        for cap in ("maxOutputTokens", "max_output_tokens"):
            config.pop(cap, None)
        fields[_CONFIG] = Raw(json.encode({**config, "maxOutputTokens": max_output}))
    if any(mark in bytes(fields["contents"]) for mark in _MARKS):
        fields["contents"] = _own(fields["contents"], keeps_unsealed=quirks.thinking.by == "effort")
    return json.encode(fields)


def _count(config: Object, name: str, most: int) -> int | None:
    """ProtoJSON takes a number as text too."""
    value = config.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        value = int(value)
    return None if value is None else whole_number(f"{_CONFIG}.{name}", value, most)


def _text_only(said: Object) -> bool:
    """Whether nothing but text goes in. What is cached, and what Google's own tools find, is of any length."""
    turns = listed(said, "contents")
    if not turns:
        raise wrong("contents", "an array of at least one content")
    if "cachedContent" in said:
        return False
    if any(tool.keys() - {"functionDeclarations"} for _, tool in listed(said, "tools")):
        return False
    instruction = said.get("systemInstruction")
    if isinstance(instruction, dict):
        turns.append(("systemInstruction", members(cast("object", instruction), "systemInstruction")))
    return all(_only_texts(turn, where) for where, turn in turns)


def _only_texts(turn: Object, where: str) -> bool:
    for place, part in listed(turn, "parts", where):
        if part.keys() - _TEXTS:
            return False
        if "functionResponse" in part and "parts" in inner(part, "functionResponse", place):
            return False
    return True


def _own(contents: Raw, *, keeps_unsealed: bool) -> Raw:
    """The contents without others' thoughts and seals; every other member with its own bytes.

    A thought that came in pieces bears its seal on the last of them, which may stand in a content of its own.
    """
    kept: list[tuple[dict[str, Raw], list[dict[str, Raw]]]] = []
    unsealed: list[list[dict[str, Raw]]] = []
    for content in _raw_list(contents):
        parts: list[dict[str, Raw]] = []
        for part in _raw_list(content.get("parts")):
            name = "thoughtSignature" if "thoughtSignature" in part else "thought_signature"
            seal = json.decode(part[name]) if name in part else None
            foreign = isinstance(seal, str) and seal.startswith(MARK)
            thought = "thought" in part and bytes(part["thought"]) == b"true"
            if foreign and thought:
                for place in unsealed:
                    place.pop()
                unsealed.clear()
                continue
            if foreign or (seal == UNSEALED and not keeps_unsealed):
                part = {key: raw for key, raw in part.items() if key != name}
            parts.append(part)
            if thought and not seal:
                unsealed.append(parts)
            else:
                unsealed.clear()
        kept.append((content, parts))
    return Raw(json.encode([{**content, "parts": parts} for content, parts in kept if parts]))


def _raw_list(raw: Raw | None) -> list[dict[str, Raw]]:
    if raw is None or bytes(raw) == b"null":
        return []
    return json.decode(raw, type=list[dict[str, Raw]]) if bytes(raw).startswith(b"[") else [_raws.decode(raw)]
