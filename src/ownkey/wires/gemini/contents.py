"""Writes the messages of a chat as Gemini's contents, so that what Gemini sealed goes back where it stood.

Source: the Gemini API reference (Content, Part, Blob, FileData, FunctionCall, FunctionResponse) and its pages on
thought signatures and on file input methods.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

import msgspec
from msgspec.structs import replace

from ownkey.talk.chat import (
    CacheMark,
    Chat,
    File,
    Image,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from ownkey.talk.errors import Unsupported
from ownkey.wires.gemini.values import NAME, UNSEALED, Object

NO_MARKS = "cache marks are not sent: Gemini keeps what came before by itself"

# What a result may hold within itself (Function calling, Multimodal function responses); the rest follows it.
_NESTED = frozenset({"image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"})

_DATA_URL = re.compile(r"data:([^;,]+)(?:;[^;,]+)*;base64,", re.IGNORECASE)
_ENDING = re.compile(r"\.(jpe?g|png|webp|gif|heic|heif|bmp|avif|pdf)(?:[?#]|$)", re.IGNORECASE)
_ROLES = {"user": "user", "tool": "user", "assistant": "model"}


def system_instruction(chat: Chat, warnings: list[str]) -> Object | None:
    """Raises Unsupported where an instruction holds more than text."""
    parts: list[Object] = []
    for part in (part for message in chat.messages if message.role not in _ROLES for part in message.parts):
        match part:
            case Text(text=text):
                parts += [{"text": text}] if text else []
            case CacheMark():
                if NO_MARKS not in warnings:
                    warnings.append(NO_MARKS)
            case _:
                raise Unsupported(
                    "Gemini's system instruction holds text only.", "Put the rest into a turn.", param="messages"
                )
    return {"parts": parts} if parts else None


def contents(chat: Chat, warnings: list[str], *, newer: bool) -> list[Object]:
    """Neighbours of one role become one content, since turns alternate and the results of parallel calls belong
    together. `newer`: a model of the third generation, which refuses calls without a signature and takes images
    within a result. Raises Unsupported, naming the field."""
    writer = _Writer(warnings, nests=newer)
    written: list[Object] = []
    for message in chat.messages:
        role = _ROLES.get(message.role)
        parts = writer.parts(message) if role else []
        if not parts and message.role == "user" and message.parts:
            parts = [{"text": ""}]
        if not parts:
            continue
        if written and written[-1]["role"] == role:
            written[-1]["parts"] += parts
        else:
            written.append({"role": role, "parts": parts})
    if not written:
        raise Unsupported("Gemini takes no chat without a message of the user.", "Add one.", param="messages")
    if newer:
        _seal(written)
    return written


def _seal(written: Sequence[Object]) -> None:
    """Of parallel calls the model signs the first alone."""
    for content in written:
        calls = [part for part in content["parts"] if "functionCall" in part]
        if calls and not any("thoughtSignature" in call for call in calls):
            calls[0]["thoughtSignature"] = UNSEALED


def _restored(parts: Sequence[Part]) -> Iterator[Part]:
    """Seals of Gemini's that came apart from what they stood on, as other clients keep them, are put back on it."""
    held: str | None = None
    for part, following in zip_longest(parts, parts[1:]):
        if held is not None and isinstance(part, Text | ToolCall):
            part, held = replace(part, signature=held), None
        if not isinstance(part, Reasoning) or part.maker != NAME or not (seal := part.signature or part.sealed):
            yield part
        elif isinstance(following, ToolCall if part.text else Text | ToolCall) and not following.signature:
            held = seal
            if part.text:
                yield Reasoning(part.text)
        else:
            yield Reasoning(part.text, seal, maker=NAME)


class _Writer:
    """Writes parts in their order; remembers the names of calls, which their results need."""

    def __init__(self, warnings: list[str], *, nests: bool) -> None:
        self._warnings = warnings
        self._nests = nests
        self._names: dict[str, str] = {}

    def parts(self, message: Message) -> list[Object]:
        written: list[Object] = []
        media: list[Object] = []
        for part in _restored(message.parts):
            match part:
                case ToolResult():
                    result, beside = self._result(part)
                    written.append(result)
                    media += beside
                case Opaque(wire=wire, raw=raw) if wire == NAME and raw.keys() == {"thoughtSignature"} and written:
                    written[-1] |= raw
                case Opaque(wire=wire, raw=raw) if wire != NAME and message.role != "assistant":
                    kind = raw.get("type", "piece")
                    raise Unsupported(f"A {kind!s} of {wire} cannot be carried to Gemini.", param="messages")
                case _:
                    one = self._part(part)
                    if one is not None:
                        written.append(one)
        return written + media

    def _part(self, part: Part) -> Object | None:
        match part:
            case Text(text=text, signature=signature):
                return _signed({"text": text}, signature) if text or signature else None
            case Refusal(text=text):
                return {"text": text} if text else None
            case Image() | File():
                return self._media(part)
            case CacheMark():
                self._warn(NO_MARKS)
            case ToolCall():
                return self._call(part)
            case Reasoning(text=text, signature=signature, sealed=sealed, maker=maker):
                if maker == NAME or not (maker or signature or sealed):
                    return _signed({"text": text, "thought": True}, signature) if text or signature else None
                self._warn("messages: reasoning that another provider sealed is not sent")
            case Opaque(wire=wire, raw=raw):
                if wire == NAME:
                    return dict(raw)
                self._warn(f"messages: a part that only {wire} understands is not sent")
            case ToolResult():
                return self._result(part)[0]
        return None

    def _call(self, call: ToolCall) -> Object:
        self._names[call.id] = call.name
        written: Object = {"name": call.name, "args": _arguments(call)}
        return _signed({"functionCall": {"id": call.id, **written} if call.id else written}, call.signature)

    def _result(self, result: ToolResult) -> tuple[Object, list[Object]]:
        """The result, and the images that follow it."""
        name = result.name or self._names.get(result.call_id)
        if name is None:
            raise Unsupported(
                "Gemini needs the name of the tool that a result comes from, and no call in the chat tells it.",
                "Send the call too, or name the tool on its result.",
                param="messages",
            )
        if any(isinstance(part, CacheMark) for part in result.parts):
            self._warn(NO_MARKS)
        media = [self._media(part) for part in result.parts if isinstance(part, Image | File)]
        said = [part.text for part in result.parts if isinstance(part, Text)]
        silent = bool(media) and not said and not result.failed
        written: Object = {"name": name, "response": {} if silent else _response("".join(said), failed=result.failed)}
        if result.call_id:
            written = {"id": result.call_id, **written}
        within = [one for one in media if self._nests and _media_type(one) in _NESTED]
        if within:
            written["parts"] = within
        return {"functionResponse": written}, [one for one in media if one not in within]

    def _media(self, part: Image | File) -> Object:
        if isinstance(part, File) and part.name:
            self._warn("messages: names of files are not sent")
        if isinstance(part, Image) and part.detail not in (None, "auto"):
            self._warn("messages: how closely to look at an image is not sent")
        return inline(part)

    def _warn(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.append(text)


def _signed(part: Object, signature: str | None) -> Object:
    return part | {"thoughtSignature": signature} if signature else part


def _arguments(call: ToolCall) -> Any:
    """The model's own bytes, once they are known to be an object; no text is a call without arguments."""
    if not call.arguments.strip():
        return {}
    found = _object_text(call.arguments)
    if found is None:
        raise Unsupported(
            f"Gemini takes a call's arguments as a JSON object only, and those of {call.name!r} are none.",
            "Use another provider for this conversation.",
            param="messages",
        )
    return found


def _response(text: str, *, failed: bool) -> Any:
    """A response is an object; `result` and `error` are the members that the reference names for plain text."""
    if failed:
        return {"error": text}
    found = _object_text(text)
    return {"result": text} if found is None else found


def _object_text(text: str) -> msgspec.Raw | None:
    try:
        raw = text.encode()
        msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return msgspec.Raw(raw)


def inline(part: Image | File) -> Object:
    """The part that holds an image or a file, or its address. Raises Unsupported where there is neither."""
    usual = "image/jpeg" if isinstance(part, Image) else "application/pdf"
    if part.data is not None:
        return {"inlineData": {"mimeType": part.media_type or usual, "data": part.data}}
    url = part.url or ""
    within = _DATA_URL.match(url)
    if within:
        return {"inlineData": {"mimeType": within.group(1), "data": url[within.end() :]}}
    if not url or url[:5].lower() == "data:":
        kind = "an image" if isinstance(part, Image) else "a file"
        raise Unsupported(f"Gemini takes {kind} as base64 data or by a URL.", "Send one of them.", param="messages")
    media_type = part.media_type or media_type_of(url)
    return {"fileData": {"mimeType": media_type, "fileUri": url} if media_type else {"fileUri": url}}


def _media_type(written: Object) -> object:
    return next(iter(written.values())).get("mimeType")


def media_type_of(url: str) -> str | None:
    """Vertex AI asks for the media type of a file; an address often tells it."""
    match = _ENDING.search(url)
    ending = match.group(1).lower() if match else None
    if ending == "pdf":
        return "application/pdf"
    return f"image/{'jpeg' if ending == 'jpg' else ending}" if ending else None
