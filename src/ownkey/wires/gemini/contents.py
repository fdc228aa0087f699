"""Writes the messages of a chat as Gemini's contents, so that what Gemini sealed goes back where it stood.

Source: the Gemini API reference (Content, Part, Blob, FileData, FunctionCall, FunctionResponse) and its pages on
thought signatures and on file input methods.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

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
from ownkey.wires.gemini.reply import NAME
from ownkey.wires.gemini.values import Object

# What Google documents for a call that no Gemini model made: newer models refuse a call without any signature.
UNSEALED = "skip_thought_signature_validator"

_DATA_URL = re.compile(r"data:([^;,]+)(?:;[^;,]+)*;base64,", re.IGNORECASE)
_ENDING = re.compile(r"\.(jpe?g|png|webp|gif|heic|heif|bmp|avif)(?:[?#]|$)", re.IGNORECASE)
_ROLES = {"user": "user", "tool": "user", "assistant": "model"}


def system_instruction(chat: Chat) -> Object | None:
    parts = [
        {"text": part.text}
        for message in chat.messages
        if message.role not in _ROLES
        for part in message.parts
        if isinstance(part, Text) and part.text
    ]
    return {"parts": parts} if parts else None


def contents(chat: Chat, warnings: list[str], *, seal_calls: bool) -> list[Object]:
    """Neighbours of one role become one content, since turns alternate and the results of parallel calls belong
    together. `seal_calls`: the model refuses calls without a signature. Raises Unsupported, naming the field."""
    writer = _Writer(chat, warnings)
    written: list[Object] = []
    for message in chat.messages:
        role = _ROLES.get(message.role)
        parts = writer.parts(message) if role else []
        if not parts:
            continue
        if written and written[-1]["role"] == role:
            written[-1]["parts"] += parts
        else:
            written.append({"role": role, "parts": parts})
    if not written:
        raise Unsupported("Gemini takes no chat without a message of the user.", "Add one.", param="messages")
    if seal_calls:
        _seal(written)
    return written


def _seal(written: Sequence[Object]) -> None:
    """Of parallel calls the model signs the first alone."""
    for content in written:
        calls = [part for part in content["parts"] if "functionCall" in part]
        if calls and not any("thoughtSignature" in call for call in calls):
            calls[0]["thoughtSignature"] = UNSEALED


class _Writer:
    """Writes parts in their order; remembers the names of calls, which their results need."""

    def __init__(self, chat: Chat, warnings: list[str]) -> None:
        self._warnings = warnings
        self._names: dict[str, str] = {}

    def parts(self, message: Message) -> list[Object]:
        written: list[Object] = []
        media: list[Object] = []
        for part in message.parts:
            match part:
                case ToolResult():
                    written.append(self._result(part))
                    media += [_media(one) for one in part.parts if isinstance(one, Image | File)]
                case Opaque(wire=wire, raw=raw) if wire == NAME and raw.keys() == {"thoughtSignature"} and written:
                    written[-1] |= raw
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
            case Image():
                return _image(part)
            case File():
                return _file(part)
            case CacheMark():
                self._warn("messages: marks for the cache are not sent: Gemini caches by itself")
            case ToolCall():
                return self._call(part)
            case Reasoning(text=text, signature=signature, maker=maker):
                signature = signature if maker == NAME else None
                if maker in (None, NAME) and (text or signature):
                    return _signed({"text": text, "thought": True}, signature)
                self._warn("messages: reasoning that no Gemini model sealed is not sent")
            case Opaque(wire=wire, raw=raw):
                if wire == NAME:
                    return dict(raw)
                self._warn(f"messages: a part that only {wire} understands is not sent")
            case ToolResult():
                return self._result(part)
        return None

    def _call(self, call: ToolCall) -> Object:
        self._names[call.id] = call.name
        written: Object = {"name": call.name, "args": _arguments(call)}
        return _signed({"functionCall": {"id": call.id, **written} if call.id else written}, call.signature)

    def _result(self, result: ToolResult) -> Object:
        name = result.name or self._names.get(result.call_id)
        if name is None:
            raise Unsupported(
                "Gemini needs the name of the tool that a result comes from, and no call in the chat tells it.",
                "Send the call too, or name the tool on its result.",
                param="messages",
            )
        text = "".join(part.text for part in result.parts if isinstance(part, Text))
        written: Object = {"name": name, "response": _response(text, failed=result.failed)}
        return {"functionResponse": {"id": result.call_id, **written} if result.call_id else written}

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


def _image(image: Image) -> Object:
    if image.data is not None:
        return {"inlineData": {"mimeType": image.media_type or "image/jpeg", "data": image.data}}
    url = image.url or ""
    inline = _DATA_URL.match(url)
    if inline:
        return {"inlineData": {"mimeType": inline.group(1), "data": url[inline.end() :]}}
    if not url or url[:5].lower() == "data:":
        raise Unsupported("Gemini takes an image as base64 data or by a URL.", "Send one of them.", param="messages")
    media_type = image.media_type or _by_ending(url)
    return {"fileData": {"mimeType": media_type, "fileUri": url} if media_type else {"fileUri": url}}


def _media(part: Image | File) -> Object:
    return _image(part) if isinstance(part, Image) else _file(part)


def _file(file: File) -> Object:
    if file.data is not None:
        return {"inlineData": {"mimeType": file.media_type or "application/pdf", "data": file.data}}
    if file.url is None:
        raise Unsupported("Gemini takes a file as base64 data or by a URL.", "Send one of them.", param="messages")
    return {"fileData": {"mimeType": file.media_type or "application/pdf", "fileUri": file.url}}


def _by_ending(url: str) -> str | None:
    """Vertex AI asks for the media type of a file; an address often tells it."""
    match = _ENDING.search(url)
    ending = match.group(1).lower() if match else None
    return f"image/{'jpeg' if ending == 'jpg' else ending}" if ending else None
