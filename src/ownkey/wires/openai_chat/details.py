"""`reasoning_details`: what was thought, with its seals, in OpenRouter's form (Reasoning tokens), read and written.

A piece is a text with its `signature`, a summary, or `data` that is encrypted; its `format` tells who made the seal.
Where `id` is a tool call's, Gemini sealed that call. A seal without a format of its own is wrapped (`wires.seal`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from ownkey.talk.chat import Reasoning
from ownkey.wires.seal import MARK, Seal, unwrap, wrap

MAKERS = {
    "anthropic-claude-v1": "anthropic-messages",
    "google-gemini-v1": "gemini",
    "openai-responses-v1": "openai-responses",
}
"""The `format` of a seal, and the wire whose providers read it."""

_FORMATS = {maker: format for format, maker in MAKERS.items()}
GEMINI = "gemini"


@dataclass(frozen=True)
class Detail:
    """`call_id`: the tool call that it may belong to. `of_text`: it is the seal of the answer's text."""

    thought: Reasoning
    call_id: str | None = None
    of_text: bool = False


def details(raw: object) -> list[Detail]:
    """Pieces in their order. A streamed piece may be kept as many: its text first, its signature last."""
    found: list[Detail] = []
    waiting = ""
    for item in objects(raw):
        text = item.get("text") or item.get("summary")
        said = text if isinstance(text, str) else ""
        signature, sealed, id = (_text(item, name) for name in ("signature", "data", "id"))
        if not signature and not sealed:
            waiting += said
            continue
        seal = unwrap(signature or sealed)
        if seal is not None and seal.kind in ("text", "call"):
            found.append(Detail(Reasoning("", None, seal.value, seal.maker), of_text=seal.kind == "text"))
            continue
        maker = seal.maker if seal else MAKERS.get(str(item.get("format")))
        value = seal.value if seal else signature or sealed
        signed, kept = (value, None) if signature else (None, value)
        found.append(Detail(Reasoning(waiting + said, signed, kept, maker), id if maker == GEMINI else None))
        waiting = ""
    return [*found, Detail(Reasoning(waiting))] if waiting else found


def sealed_details(part: Reasoning, call_id: str | None = None) -> list[dict[str, Any]]:
    """The form in which a client gives the provider's seals back with its next request; nothing where none are."""
    value = part.signature or part.sealed
    if not value:
        return []
    format = _FORMATS.get(part.maker or "")
    made: dict[str, Any] = {"format": format} if format else {}
    if format is None and part.maker is not None:
        value = wrap(Seal(part.maker, "signature" if part.signature else "sealed", value))
    if part.signature:
        return [{"type": "reasoning.text", "text": part.text, "signature": value, **made}]
    summary = [{"type": "reasoning.summary", "summary": part.text, **made}] if part.text else []
    named = {"id": call_id} if call_id else {}
    return [*summary, {"type": "reasoning.encrypted", "data": value, **named, **made}]


def text_details(signature: str) -> list[dict[str, Any]]:
    """Gemini's seal on the text of an answer, for which this form has no field."""
    return [{"type": "reasoning.encrypted", "data": wrap(Seal(GEMINI, "text", signature))}]


def sealed(part: Reasoning) -> bool:
    return bool(part.signature or part.sealed)


def readable(part: Reasoning) -> bool:
    """Whether its seal has a format by which those behind OpenRouter know their own."""
    return part.maker in _FORMATS


def foreign(item: object) -> bool:
    """Whether a piece holds a wrapped seal, which no provider reads."""
    if not isinstance(item, dict):
        return False
    values = cast("dict[str, object]", item).values()
    return any(isinstance(value, str) and value.startswith(MARK) for value in values)


def objects(raw: object) -> Iterator[dict[str, Any]]:
    """The objects of a list; nothing where it is none."""
    if isinstance(raw, list):
        yield from (cast("dict[str, Any]", item) for item in cast("list[object]", raw) if isinstance(item, dict))


def _text(item: dict[str, Any], name: str) -> str | None:
    value = item.get(name)
    return value if isinstance(value, str) and value else None
