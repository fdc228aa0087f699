"""Messages as the input items of OpenAI's responses.

Source: OpenAI's API reference (Responses: input items, function call output), guides on reasoning and on files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ownkey.catalog.manifest import Quirks
from ownkey.talk.chat import (
    CacheMark,
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
from ownkey.wires.openai_responses.form import NAME

Json = dict[str, Any]

UNSEALED = "Reasoning that this provider did not seal was left out."
FOREIGN = "A piece that only another provider understands was left out."
MARKS = "Marks for the cache were left out: this provider caches by itself."
NAMES = "The name of a speaker was left out: this wire has none."


def items(messages: tuple[Message, ...], quirks: Quirks, warnings: list[str]) -> Iterator[Json]:
    """The input, in its order. Raises Unsupported, naming the message."""
    for place, message in enumerate(messages):
        where = f"messages[{place}]"
        if message.name is not None:
            warnings.append(NAMES)
        if message.role == "assistant":
            yield from _answer(message.parts, where, warnings)
            continue
        role = quirks.system_role if message.role in ("system", "developer") else "user"
        content: list[Json] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                yield {
                    "type": "function_call_output",
                    "call_id": part.call_id,
                    "output": _output(part, where, warnings),
                }
            elif (made := _content(part, where, warnings)) is not None:
                content.append(made)
        if content:
            yield {"type": "message", "role": role, "content": content}


def _answer(parts: tuple[Part, ...], where: str, warnings: list[str]) -> Iterator[Json]:
    """An earlier answer. Its pieces of text stand in messages between its calls and its reasoning."""
    said: list[Json] = []
    for part in parts:
        match part:
            case Text(text=text):
                if text:
                    said.append({"type": "output_text", "text": text, "annotations": []})
                continue
            case Refusal(text=text):
                said.append({"type": "refusal", "refusal": text})
                continue
            case CacheMark():
                warnings.append(MARKS)
                continue
            case _:
                pass
        if said:
            yield _message(said)
            said = []
        made = _item(part, where, warnings)
        if made is not None:
            yield made
    if said:
        yield _message(said)


def _message(said: list[Json]) -> Json:
    return {"type": "message", "role": "assistant", "content": said}


def _item(part: Part, where: str, warnings: list[str]) -> Json | None:
    match part:
        case Reasoning(text=text, sealed=sealed, maker=maker):
            if maker != NAME or not sealed:
                warnings.append(UNSEALED)
                return None
            summary = [{"type": "summary_text", "text": text}] if text else []
            return {"type": "reasoning", "summary": summary, "encrypted_content": sealed}
        case ToolCall():
            return {
                "type": "function_call",
                "call_id": part.id,
                "name": part.name,
                "arguments": part.arguments or "{}",
            }
        case Opaque(wire=wire, raw=raw):
            if wire == NAME:
                return raw
            warnings.append(FOREIGN)
            return None
        case _:
            raise Unsupported("An earlier answer holds what this provider cannot take back.", param=where)


def _content(part: Part, where: str, warnings: list[str]) -> Json | None:
    match part:
        case Text(text=text):
            return {"type": "input_text", "text": text}
        case Image():
            return _image(part, where)
        case File():
            return _file(part, where)
        case CacheMark():
            warnings.append(MARKS)
            return None
        case Opaque(wire=wire, raw=raw) if wire == NAME:
            return raw
        case _:
            raise Unsupported("A message holds what this provider cannot take.", param=where)


def _output(result: ToolResult, where: str, warnings: list[str]) -> str | list[Json]:
    texts = [part.text for part in result.parts if isinstance(part, Text)]
    mark = "Error: " if result.failed else ""
    if all(isinstance(part, Text | CacheMark) for part in result.parts):
        return mark + "\n\n".join(texts)
    made = [one for part in result.parts if (one := _content(part, where, warnings)) is not None]
    return [{"type": "input_text", "text": mark}, *made] if mark else made


def _image(image: Image, where: str) -> Json:
    url = image.url
    if url is None and image.data is not None:
        url = f"data:{image.media_type or 'image/png'};base64,{image.data}"
    if url is None:
        raise Unsupported("An image has neither data nor a URL.", param=where)
    return {"type": "input_image", "image_url": url, "detail": image.detail or "auto"}


def _file(file: File, where: str) -> Json:
    kind = file.media_type or "application/pdf"
    if kind.startswith(("audio/", "video/")):
        raise Unsupported(
            "A sound cannot be carried on this wire.", "Use a model that hears, by chat completions.", param=where
        )
    if file.data is not None:
        name = file.name or f"file.{kind.rpartition('/')[2]}"
        return {"type": "input_file", "filename": name, "file_data": f"data:{kind};base64,{file.data}"}
    if file.url is None:
        raise Unsupported("A file has neither data nor a URL.", param=where)
    return {"type": "input_file", "file_url": file.url}
