"""A client's message request, as far as the hot path needs it: read, checked, and sent on with its own bytes."""

from __future__ import annotations

from typing import Any, cast

from msgspec import Raw, json

from ownkey.talk.errors import InvalidRequest
from ownkey.wires.members import decode_members, flag, model_name, whole_number, wrong
from ownkey.wires.seal import MARK, unwrap
from ownkey.wires.wire import Ask

LARGEST_CAP = 2**31 - 1

Json = dict[str, Any]

# Blocks whose bytes bound their tokens. Others name a file, or hold one.
_TEXTS = frozenset({"text", "tool_use", "tool_result", "thinking", "redacted_thinking"})
_MARK = MARK.encode()


def read_ask(body: bytes) -> Ask:
    """Raises InvalidRequest, naming the field."""
    return _read(body, counts=False)


def read_count_ask(body: bytes) -> Ask:
    """The same for a request that only asks how many tokens it has: it has no cap."""
    return _read(body, counts=True)


def forward(ask: Ask, model: str, *, max_output: int | None) -> bytes:
    """Every member with its own bytes but the model and the cap. Reasoning that was sealed by another provider, and
    wrapped for this client, stays behind: this one would refuse it."""
    fields = ask.fields.copy()
    fields["model"] = Raw(json.encode(model))
    if max_output is not None:
        fields["max_tokens"] = Raw(b"%d" % max_output)
    if _MARK in bytes(fields["messages"]):
        fields["messages"] = Raw(json.encode(_without_foreign(json.decode(fields["messages"]))))
    return json.encode(fields)


def _read(body: bytes, *, counts: bool) -> Ask:
    values, fields = decode_members(body)
    messages = values.get("messages")
    if not isinstance(messages, list) or not messages:
        raise wrong("messages", "an array of at least one message")
    if not counts and values.get("max_tokens") is None:
        raise InvalidRequest("max_tokens is missing.", "Say how long the answer may be.", param="max_tokens")
    cap = values.get("max_tokens")
    return Ask(
        model=model_name(values.get("model")),
        stream=flag(values, "stream"),
        fields=fields,
        max_output=None if cap is None else whole_number("max_tokens", cap, LARGEST_CAP),
        text_only="container" not in values and _text_only(cast("list[object]", messages), values.get("system")),
    )


def _text_only(messages: list[object], system: object) -> bool:
    contents = [cast("Json", one).get("content") for one in messages if isinstance(one, dict)]
    return all(_only_texts(content) for content in (*contents, system))


def _only_texts(content: object) -> bool:
    if not isinstance(content, list):
        return True
    for item in cast("list[object]", content):
        if not isinstance(item, dict):
            return False
        block = cast("Json", item)
        kind = block.get("type")
        if not isinstance(kind, str) or kind not in _TEXTS:
            return False
        if kind == "tool_result" and not _only_texts(block.get("content")):
            return False
    return True


def _without_foreign(messages: list[object]) -> list[object]:
    kept: list[object] = []
    for one in messages:
        message = cast("Json", one) if isinstance(one, dict) else {}
        content = message.get("content")
        if not isinstance(content, list):
            kept.append(cast("object", one))
        elif blocks := [block for block in cast("list[object]", content) if not _foreign(block)]:
            kept.append({**message, "content": blocks})
    return kept


def _foreign(item: object) -> bool:
    block = cast("Json", item) if isinstance(item, dict) else {}
    seal = block.get("signature") or block.get("data")
    return block.get("type") in ("thinking", "redacted_thinking") and isinstance(seal, str) and unwrap(seal) is not None
