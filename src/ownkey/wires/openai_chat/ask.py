"""A client's chat completion, as far as the hot path needs it: read, checked, and sent on with its own bytes."""

from __future__ import annotations

import re
from typing import Any, cast

from msgspec import Raw, json

from ownkey.catalog.manifest import Quirks
from ownkey.talk.errors import InvalidRequest
from ownkey.wires.members import decode_members, wrong
from ownkey.wires.openai_chat.details import foreign
from ownkey.wires.seal import MARK
from ownkey.wires.wire import Ask

MOST_CHOICES = 128
LARGEST_CAP = 2**31 - 1

# What tells of input that is no text, each as it stands in JSON. `audio` names an earlier spoken answer by its id.
_NO_TEXT = tuple(
    f'"{word}"'.encode()
    for word in ("image_url", "input_audio", "audio", "images", "file", "file_id", "video_url", "document_url")
)
_OTHER_PART = re.compile(rb'"type"\s*:\s*(?!\s|"(?:text|function|refusal|thinking|ephemeral|reasoning\.\w+)")')
# ASCII letters written as escapes would hide those words.
_ESCAPED_LETTER = re.compile(rb"\\u00[2-7]")

_options = json.Decoder(dict[str, Raw] | None)
_messages = json.Decoder(list[Raw])
_MARK = MARK.encode()
_CAPS = ("max_completion_tokens", "max_tokens")


def read_ask(body: bytes) -> Ask:
    """Raises InvalidRequest, naming the field. Of members given twice, the last one holds and is sent alone."""
    values, fields = decode_members(body)
    model, messages, options = values.get("model"), values.get("messages"), values.get("stream_options")
    if not isinstance(model, str) or not 0 < len(model) <= 512 or not model.isprintable():
        raise wrong("model", "the name of a model")
    if not isinstance(messages, list) or not messages:
        raise wrong("messages", "an array of at least one message")
    return Ask(
        model=model,
        stream=_flag(values, "stream"),
        fields=fields,
        max_output=_cap(values),
        choices=1 if values.get("n") is None else _count(values, "n", MOST_CHOICES),
        usage_in_stream=options is not None and _wants_usage(options),
        text_only=_text_only(bytes(fields["messages"]), cast("list[object]", messages)),
    )


def forward(ask: Ask, model: str, *, max_output: int | None, quirks: Quirks) -> bytes:
    """Every member with its own bytes but the model, the cap, and what makes a stream tell its usage."""
    fields = ask.fields.copy()
    fields["model"] = Raw(json.encode(model))
    if _MARK in bytes(fields["messages"]):
        fields["messages"] = Raw(json.encode([_without_foreign(raw) for raw in _messages.decode(fields["messages"])]))
    if max_output is not None:
        for name in _CAPS:
            fields.pop(name, None)
        fields[quirks.max_tokens] = Raw(b"%d" % max_output)
    if ask.stream:
        if quirks.usage_in_stream != "ask":
            fields.pop("stream_options", None)
        elif not ask.usage_in_stream:
            fields["stream_options"] = _asking(fields.get("stream_options"))
    return json.encode(fields)


def _without_foreign(raw: Raw) -> Raw:
    """Without seals that were wrapped for a client of another wire. Every other message keeps its own bytes."""
    if _MARK not in bytes(raw):
        return raw
    given: object = json.decode(raw)
    message = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    details = message.get("reasoning_details")
    if not isinstance(details, list):
        return raw
    kept = [one for one in cast("list[object]", details) if not foreign(one)]
    rest = {name: value for name, value in message.items() if name != "reasoning_details"}
    return Raw(json.encode(rest | {"reasoning_details": kept} if kept else rest))


def _asking(options: Raw | None) -> Raw:
    members = dict[str, Raw]() if options is None else _options.decode(options)
    return Raw(json.encode({**(members or {}), "include_usage": True}))


def _wants_usage(options: object) -> bool:
    if not isinstance(options, dict):
        raise wrong("stream_options", "an object")
    return _flag(cast("dict[str, Any]", options), "include_usage", "stream_options.include_usage")


def _flag(values: dict[str, Any], name: str, param: str | None = None) -> bool:
    value = values.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong(param or name, "true or false")
    return value is True


def _cap(values: dict[str, Any]) -> int | None:
    caps = {_count(values, name, LARGEST_CAP) for name in _CAPS if values.get(name) is not None}
    if len(caps) > 1:
        raise InvalidRequest(
            "max_tokens and max_completion_tokens say different caps.", "Send one of them.", param="max_tokens"
        )
    return caps.pop() if caps else None


def _count(values: dict[str, Any], name: str, most: int) -> int:
    value = values[name]
    if type(value) is not int or not 1 <= value <= most:
        raise wrong(name, f"a whole number from 1 to {most}")
    return value


def _text_only(raw: bytes, messages: list[object]) -> bool:
    if b"\\u00" in raw and _ESCAPED_LETTER.search(raw):
        raw = json.encode(messages)
    if any(word in raw for word in _NO_TEXT):
        return False
    return b'"type"' not in raw or _OTHER_PART.search(raw) is None
