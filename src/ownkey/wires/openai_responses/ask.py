"""A client's request for a response, as far as the hot path needs it: read, checked, and sent on with its own bytes."""

from __future__ import annotations

from typing import Any, cast

from msgspec import Raw, json

from ownkey.talk.errors import Unsupported
from ownkey.wires.members import decode_members, flag, model_name, whole_number, wrong
from ownkey.wires.openai_responses.output import OURS
from ownkey.wires.seal import MARK
from ownkey.wires.wire import Ask

LARGEST_CAP = 2**31 - 1

STORED = ("previous_response_id", "conversation", "prompt")
"""What stands at the provider already is part of the input, and no byte of the request tells how much it is."""

Json = dict[str, Any]

_TEXTS = ("input_text", "output_text", "text", "refusal", "summary_text", "reasoning_text")
_ITEMS = ("message", "function_call", "function_call_output", "reasoning")
# Tools that the client runs. What others find becomes input too.
_OWN_TOOLS = ("function", "custom")
_MARKS = (MARK.encode(), OURS.encode())

_items = json.Decoder(list[Raw])
_members = json.Decoder(dict[str, Raw])


def read_ask(body: bytes) -> Ask:
    """Raises InvalidRequest or Unsupported, naming the field."""
    values, fields = decode_members(body)
    given: object = values.get("input")
    stored = any(values.get(name) is not None for name in STORED)
    if (given in (None, "", []) and not stored) or not isinstance(given, str | list | None):
        raise wrong("input", "a text, or an array of at least one item")
    if flag(values, "background"):
        raise Unsupported(
            "An answer in the background is not carried: what it costs is known only later.",
            "Leave background out, or stream the answer.",
            param="background",
        )
    cap = values.get("max_output_tokens")
    return Ask(
        model=model_name(values.get("model")),
        stream=flag(values, "stream"),
        fields=fields,
        max_output=None if cap is None else whole_number("max_output_tokens", cap, LARGEST_CAP),
        text_only=not stored and _text_only(values),
    )


def forward(ask: Ask, model: str, *, max_output: int | None) -> bytes:
    """Every member with its own bytes but the model, the cap, and items that were made here."""
    fields = ask.fields.copy()
    fields["model"] = Raw(json.encode(model))
    if max_output is not None:
        fields["max_output_tokens"] = Raw(b"%d" % max_output)
    given = bytes(fields.get("input", b""))
    if given.startswith(b"[") and _marked(given):
        kept = (_without_ours(item) for item in _items.decode(given))
        fields["input"] = Raw(json.encode([item for item in kept if item is not None]))
    return json.encode(fields)


def _marked(raw: Raw | bytes) -> bool:
    return any(mark in bytes(raw) for mark in _MARKS)


def _without_ours(raw: Raw) -> Raw | None:
    """OpenAI looks an item up by its id, and refuses reasoning that it neither stores nor sealed ("Item with id ...
    not found"): such reasoning stays behind, and other items go without the id that they were given here."""
    item: object = json.decode(raw) if _marked(raw) else None
    if not isinstance(item, dict):
        return raw
    said = cast("Json", item)
    sealed, id = said.get("encrypted_content"), said.get("id")
    ours = isinstance(id, str) and OURS in id
    if said.get("type") == "reasoning" and (ours if not sealed else str(sealed).startswith(MARK)):
        return None
    if not ours:
        return raw
    members = _members.decode(raw)
    del members["id"]
    return Raw(json.encode(members))


def _text_only(values: Json) -> bool:
    items, tools, told = values.get("input"), values.get("tools"), values.get("instructions")
    texts = not isinstance(items, list) or all(map(_item_is_text, cast("list[object]", items)))
    own = not isinstance(tools, list) or all(_type(tool) in _OWN_TOOLS for tool in cast("list[object]", tools))
    return texts and own and isinstance(told, str | None)


def _type(item: object, usual: object = None) -> object:
    return cast("Json", item).get("type", usual) if isinstance(item, dict) else None


def _item_is_text(item: object) -> bool:
    kind = _type(item, "message")
    if kind not in _ITEMS:
        return False
    content = cast("Json", item).get("output" if kind == "function_call_output" else "content")
    return not isinstance(content, list) or all(_type(piece) in _TEXTS for piece in cast("list[object]", content))
