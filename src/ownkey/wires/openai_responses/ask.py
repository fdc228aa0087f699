"""A client's request for a response, as far as the hot path needs it: read, checked, and sent on with its own bytes."""

from __future__ import annotations

from typing import Any, cast

from msgspec import Raw, json

from ownkey.talk.errors import Unsupported
from ownkey.wires.members import decode_members, flag, model_name, whole_number, wrong
from ownkey.wires.seal import MARK, unwrap
from ownkey.wires.wire import Ask

LARGEST_CAP = 2**31 - 1

Json = dict[str, Any]

# What stands at the provider already is part of the input, and no byte of the request tells how much it is.
_STORED = ("previous_response_id", "conversation", "prompt")
_TEXTS = frozenset({"input_text", "output_text", "text", "refusal", "summary_text", "reasoning_text"})
_ITEMS = frozenset({"message", "function_call", "function_call_output", "reasoning"})
_MARK = MARK.encode()


def read_ask(body: bytes) -> Ask:
    """Raises InvalidRequest or Unsupported, naming the field."""
    values, fields = decode_members(body)
    given: object = values.get("input")
    stored = any(values.get(name) is not None for name in _STORED)
    if given in (None, "", []) and not stored:
        raise wrong("input", "a text, or an array of at least one item")
    if flag(values, "background"):
        raise Unsupported(
            "An answer in the background is not carried: what it costs is known only later.",
            "Leave background out, or stream the answer.",
            param="background",
        )
    if not isinstance(given, str | list | None):
        raise wrong("input", "a text, or an array of at least one item")
    cap = values.get("max_output_tokens")
    return Ask(
        model=model_name(values.get("model")),
        stream=flag(values, "stream"),
        fields=fields,
        max_output=None if cap is None else whole_number("max_output_tokens", cap, LARGEST_CAP),
        text_only=not stored and _text_only(cast("object", given)),
    )


def forward(ask: Ask, model: str, *, max_output: int | None) -> bytes:
    """Every member with its own bytes but the model and the cap. Reasoning that was sealed by another provider, and
    wrapped for this client, stays behind: this one would refuse it."""
    fields = ask.fields.copy()
    fields["model"] = Raw(json.encode(model))
    if max_output is not None:
        fields["max_output_tokens"] = Raw(b"%d" % max_output)
    if "input" in fields and _MARK in bytes(fields["input"]):
        items = json.decode(fields["input"], type=list[Json])
        fields["input"] = Raw(json.encode([item for item in items if not _foreign(item)]))
    return json.encode(fields)


def _foreign(item: Json) -> bool:
    sealed = item.get("encrypted_content")
    return item.get("type") == "reasoning" and isinstance(sealed, str) and unwrap(sealed) is not None


def _text_only(given: object) -> bool:
    if not isinstance(given, list):
        return True
    return all(isinstance(item, dict) and _item_is_text(cast("Json", item)) for item in cast("list[object]", given))


def _item_is_text(item: Json) -> bool:
    if item.get("type", "message") not in _ITEMS:
        return False
    content = item.get("output" if item.get("type") == "function_call_output" else "content")
    if not isinstance(content, list):
        return True
    pieces = [cast("Json", piece) for piece in cast("list[object]", content) if isinstance(piece, dict)]
    return all(piece.get("type") in _TEXTS for piece in pieces)
