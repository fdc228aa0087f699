"""A client's contents, read into messages: who said what, which result belongs to which call.

Source: the Gemini API reference (Content, Part, FunctionCall, FunctionResponse) and its page on function calling.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2s
from json import dumps
from typing import Any, cast

from ownkey.talk.chat import File, Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from ownkey.talk.errors import InvalidRequest, Unsupported
from ownkey.wires.gemini.contents import media_type_of
from ownkey.wires.gemini.said import flag, inner, listed, members, needed, plain, text
from ownkey.wires.gemini.values import NAME, UNSEALED, Object
from ownkey.wires.seal import Seal, unwrap

_ROLES = {"user": "user", "function": "user", "tool": "user", "model": "assistant"}

# Beside the piece itself. The metadata are the client's own (Part.partMetadata).
_BESIDE = frozenset({"thought", "thoughtSignature", "partMetadata"})
# How closely an image is looked at (Part.mediaResolution).
_DETAILS = {"MEDIA_RESOLUTION_LOW": "low", "MEDIA_RESOLUTION_HIGH": "high", "MEDIA_RESOLUTION_ULTRA_HIGH": "high"}
_STANDARD = str.maketrans("-_", "+/")
# Files kept at Google, and videos that it fetches by their page: no other provider reads them.
_GOOGLES = re.compile(
    r"(?!https?://)|https://generativelanguage\.googleapis\.com/|https?://(?:www\.|m\.)?(?:youtube\.com|youtu\.be)/",
    re.IGNORECASE,
)


def instruction(said: Object) -> list[Message]:
    """The system instruction as a message. Raises InvalidRequest, and Unsupported where it holds more than text."""
    value = said.get("systemInstruction")
    if value is None:
        return []
    if isinstance(value, str):
        return [Message("system", (Text(value),))]
    where = "systemInstruction"
    found: list[Part] = []
    for place, part in listed(members(value, where), "parts", where):
        if part.keys() - _BESIDE != {"text"}:
            raise Unsupported("An instruction holds text only.", "Put the rest into a turn.", param=place)
        found.append(Text(needed(part, "text", place)))
    return [Message("system", tuple(found))] if found else []


def messages(said: Object) -> Iterator[Message]:
    """Raises InvalidRequest or Unsupported, naming the place.

    A client that keeps every chunk of a stream as a content of its own (Google's clients do) means one answer.
    """
    turns = _Turns()
    answer: list[Part] = []
    for where, content in listed(said, "contents"):
        role = _ROLES.get(str(content.get("role", "user")))
        if role is None:
            raise InvalidRequest(f"{where}.role must be user or model.", param=f"{where}.role")
        parts = [part for place, one in listed(content, "parts", where) for part in turns.part(one, place)]
        if role == "assistant":
            answer += parts
            continue
        if answer:
            yield Message("assistant", tuple(_joined(answer)))
            answer = []
        # Results first: other wires take them nowhere but straight after the calls.
        yield from (Message("tool", (part,)) for part in parts if isinstance(part, ToolResult))
        rest = tuple(part for part in parts if not isinstance(part, ToolResult))
        if rest or not parts:
            yield Message("user", rest or (Text(""),))
    if answer:
        yield Message("assistant", tuple(_joined(answer)))


class _Turns:
    """Reads parts in their order; remembers the calls that have no result yet, as `(id, name)`."""

    def __init__(self) -> None:
        self._open: list[tuple[str, str]] = []
        self._made = 0

    def part(self, said: Object, where: str) -> Iterator[Part]:
        kind = said.keys() - _BESIDE
        signature = text(said, "thoughtSignature", where)
        if kind == {"text"} and flag(said, "thought", where):
            yield _thought(text(said, "text", where) or "", signature)
            return
        seal = unwrap(signature)
        if seal is not None:
            signature = seal.value if seal.maker == NAME else None
            if seal.maker != NAME:
                yield _reasoning("", seal)
        if signature == UNSEALED:
            signature = None
        if kind == {"text"}:
            said_text = text(said, "text", where)
            if said_text or signature:
                yield Text(said_text or "", signature)
        elif kind == {"functionCall"}:
            yield self._call(inner(said, "functionCall", where), signature, f"{where}.functionCall")
        elif kind == {"functionResponse"}:
            yield self._result(inner(said, "functionResponse", where), f"{where}.functionResponse")
        elif not kind:
            if signature:
                yield Text("", signature)
        else:
            yield from _media(said, kind, signature, where)

    def _call(self, call: Object, signature: str | None, where: str) -> ToolCall:
        if "partialArgs" in call or call.get("willContinue"):
            raise Unsupported("A call whose arguments are in pieces is not carried.", "Send it whole.", param=where)
        name = needed(call, "name", where)
        id = text(call, "id", where) or self._make(name)
        self._open.append((id, name))
        arguments = dumps(plain(call, "args", where), ensure_ascii=False, separators=(",", ":"))
        return ToolCall(id, name, arguments, signature)

    def _result(self, result: Object, where: str) -> ToolResult:
        if result.get("willContinue"):
            raise Unsupported("A result that is not whole is not carried.", "Send it whole.", param=where)
        name = needed(result, "name", where)
        id = self._answered(text(result, "id", where), name)
        response = plain(result, "response", where)
        media = [
            part
            for place, one in listed(result, "parts", where)
            for part in _media(one, one.keys() - _BESIDE, None, place)
        ]
        if not all(isinstance(part, Image | File) for part in media):
            raise Unsupported("A result holds images and documents only.", "Send them otherwise.", param=where)
        kept = tuple(part for part in media if isinstance(part, Image | File))
        failed = response.keys() == {"error"}
        value = next(iter(response.values())) if response.keys() in ({"result"}, {"output"}, {"error"}) else response
        if not isinstance(value, str):
            value = dumps(value if failed else response, ensure_ascii=False, separators=(",", ":"))
        said = () if not response and kept else (Text(value),)
        return ToolResult(id, (*said, *kept), name, failed)

    def _answered(self, id: str | None, name: str) -> str:
        """The id of the call that this answers: the one that is named, else the first of that tool without a result.
        Google leaves the ids out on both sides, on one or on none."""
        known = [one for one in self._open if one[0] == id] or [one for one in self._open if one[1] == name]
        if not known:
            return id or self._make(name)
        self._open.remove(known[0])
        return known[0][0]

    def _make(self, name: str) -> str:
        """An id that is the same whenever this conversation comes again, and that every wire takes."""
        self._made += 1
        return "call_" + blake2s(f"{name}/{self._made}".encode(), digest_size=9).hexdigest()


def _thought(said: str, signature: str | None) -> Reasoning:
    seal = unwrap(signature)
    if seal is not None:
        return _reasoning(said, seal)
    return Reasoning(said, signature or None, maker=NAME if signature else None)


def _reasoning(said: str, seal: Seal) -> Reasoning:
    sealed = seal.kind == "sealed"
    return Reasoning(said, None if sealed else seal.value, seal.value if sealed else None, seal.maker or None)


def _joined(parts: list[Part]) -> list[Part]:
    """Neighbours as one, as they were before they were streamed: a seal ends a piece of reasoning."""
    found: list[Part] = []
    for part in parts:
        last = found[-1] if found else None
        match part, last:
            case Reasoning(), Reasoning(signature=None, sealed=None):
                found[-1] = Reasoning(last.text + part.text, part.signature, part.sealed, part.maker)
            case Text(signature=None), Text(signature=None):
                found[-1] = Text(last.text + part.text)
            case _:
                found.append(part)
    return found


def _media(said: Object, kind: set[str], signature: str | None, where: str) -> Iterator[Part]:
    """An image or a file; what else there is, only Gemini understands."""
    found = None if flag(said, "thought", where) else _file(said, kind - {"mediaResolution"}, where)
    if found is None:
        yield Opaque(NAME, {name: value for name, value in said.items() if name != "partMetadata"})
        return
    yield found
    if signature:
        yield Opaque(NAME, {"thoughtSignature": signature})


def _file(said: Object, kind: set[str], where: str) -> Image | File | None:
    if kind == {"inlineData"}:
        place = f"{where}.inlineData"
        blob = inner(said, "inlineData", where)
        # Google's own clients write it in the alphabet for URLs, which other providers do not read.
        url, data = None, needed(blob, "data", place).translate(_STANDARD)
        media_type = needed(blob, "mimeType", place)
    elif kind == {"fileData"}:
        place = f"{where}.fileData"
        blob = inner(said, "fileData", where)
        url, data = needed(blob, "fileUri", place), None
        media_type = text(blob, "mimeType", place) or media_type_of(url)
        if _GOOGLES.match(url):
            return None
    else:
        return None
    if media_type is not None and media_type.startswith("video/"):
        return None
    if media_type is not None and media_type.startswith("image/"):
        return Image(data, media_type, url, _detail(said))
    return File(data, media_type, url, text(blob, "displayName", place))


def _detail(said: Object) -> str | None:
    level: Any = said.get("mediaResolution")
    if isinstance(level, dict):
        level = members(cast("object", level)).get("level")
    return _DETAILS.get(str(level))
