"""A `Chat` as a chat completion for a provider, after OpenAI's API reference, bent by the provider's quirks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any, cast

from msgspec import json

from ownkey.catalog.manifest import Quirks
from ownkey.talk.chat import (
    CacheMark,
    Chat,
    File,
    Image,
    JsonOutput,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from ownkey.talk.errors import Unsupported
from ownkey.wires.openai_chat.details import GEMINI, readable, sealed, sealed_details
from ownkey.wires.other import carried
from ownkey.wires.thinking import fitted
from ownkey.wires.wire import Written

NAME = "openai-chat"
MARKS = "Marks for the cache were left out: this provider takes none."
MISPLACED = "Marks for the cache that stand on no text were left out."
SEALS = "Reasoning that another provider sealed was left out."

# The words that OpenAI has for them (Chat completions, input_audio).
_SOUNDS = {"mpeg": "mp3", "wave": "wav", "vnd.wave": "wav"}

# Fields with no word in `Chat` that this form takes and that leave a `Reply` able to hold the answer.
_CARRIED = frozenset(
    {"logit_bias", "prompt_cache_key", "safety_identifier", "store", "verbosity", "min_p", "repetition_penalty"}
    | {"enable_thinking", "chat_template_kwargs", "reasoning_effort", "prediction", "prompt_cache_retention"}
)
# What shapes the choice of words, with the values that change nothing: these are taken by every model.
_SAMPLING: Mapping[str, float] = {"temperature": 1, "top_p": 1, "frequency_penalty": 0, "presence_penalty": 0}


def write_request(chat: Chat, model: str, *, stream: bool, max_output: int | None, quirks: Quirks) -> Written:
    """Raises Unsupported, naming the field. What is left out without changing what was promised is a warning."""
    warnings: list[str] = []
    body: dict[str, Any] = {"model": model, "messages": [*_Messages(quirks, warnings).write(chat.messages)]}
    if stream:
        body["stream"] = True
        if quirks.usage_in_stream == "ask":
            body["stream_options"] = {"include_usage": True}
    if max_output is not None:
        body[quirks.max_tokens] = max_output
    body |= _settings(chat, quirks, warnings)
    if chat.tools:
        body["tools"] = [_tool(tool, quirks, warnings) for tool in chat.tools]
        if chat.tool_choice is not None:
            choice, name = chat.tool_choice.mode, chat.tool_choice.name
            body["tool_choice"] = {"type": "function", "function": {"name": name}} if choice == "named" else choice
    if chat.output is not None:
        body["response_format"] = _format(chat.output, quirks, warnings)
    thinking = fitted(chat, quirks.thinking, warnings)
    if thinking is not None and thinking.effort is not None:
        body["reasoning_effort"] = thinking.effort
    body |= carried(chat.other, _CARRIED, warnings)
    return Written(json.encode(body), tuple(warnings))


def _settings(chat: Chat, quirks: Quirks, warnings: list[str]) -> dict[str, Any]:
    said: dict[str, Any] = {"stop": chat.stop or None, "user": chat.user}
    body = {name: value for name, value in said.items() if value is not None}
    for name, usual in _SAMPLING.items():
        value = getattr(chat, name)
        _put(body, name, value, quirks.thinking.sampling or value == usual, warnings)
    _put(body, "top_k", chat.top_k, False, warnings)
    _put(body, "seed", chat.seed, quirks.seed, warnings)
    if chat.tools:
        _put(body, "parallel_tool_calls", chat.parallel_tools, quirks.parallel_tools, warnings)
    return body


def _put(body: dict[str, Any], name: str, value: object, taken: bool, warnings: list[str]) -> None:
    if value is None:
        return
    if taken:
        body[name] = value
    else:
        warnings.append(f"{name} is not taken by this provider and was left out.")


class _Messages:
    """Writes messages in their order. A tool's message holds text only: the pictures and files of results follow in a
    message of the user's, once the results of that turn are all told."""

    def __init__(self, quirks: Quirks, warnings: list[str]) -> None:
        self._quirks = quirks
        self._warnings = warnings
        self._shown: list[dict[str, Any]] = []

    def write(self, messages: tuple[Message, ...]) -> Iterator[dict[str, Any]]:
        for place, message in enumerate(messages):
            where = f"messages[{place}]"
            results = [*self._results(message.parts, where)]
            yield from results
            rest = tuple(part for part in message.parts if not isinstance(part, ToolResult))
            if results and all(isinstance(part, CacheMark) for part in rest):
                continue
            yield from self._show()
            if message.role == "assistant":
                yield self._assistant(message, where)
                continue
            role = self._quirks.system_role if message.role in ("system", "developer") else "user"
            named = {"name": message.name} if message.name else {}
            yield {"role": role, "content": self._content(rest, where), **named}
        yield from self._show()

    def _results(self, parts: tuple[Part, ...], where: str) -> Iterator[dict[str, Any]]:
        for part, following in zip_longest(parts, parts[1:]):
            if isinstance(part, ToolResult):
                made = self._result(part, where)
                if isinstance(following, CacheMark):
                    self._mark(made, following)
                yield made

    def _show(self) -> Iterator[dict[str, Any]]:
        if self._shown:
            yield {"role": "user", "content": self._shown}
            self._shown = []

    def _result(self, result: ToolResult, where: str) -> dict[str, Any]:
        texts = [part.text for part in result.parts if isinstance(part, Text)]
        media = tuple(part for part in result.parts if isinstance(part, Image | File))
        if media:
            name = result.name or "the tool"
            self._shown.append({"type": "text", "text": f"What {name} returned for the call {result.call_id}:"})
            self._shown += cast("list[dict[str, Any]]", self._content(media, where))
        said = "\n\n".join(texts) or ("It follows." if media else "")
        content = f"Error: {said}" if result.failed else said
        made: dict[str, Any] = {"role": "tool", "tool_call_id": result.call_id, "content": content}
        for part in result.parts:
            if isinstance(part, CacheMark):
                self._mark(made, part)
        return made

    def _assistant(self, message: Message, where: str) -> dict[str, Any]:
        """An earlier answer. Reasoning goes back only where the provider asks for it: others refuse the field."""
        texts, refusals, calls, marks = list[str](), list[str](), list[dict[str, Any]](), list[CacheMark]()
        for part in message.parts:
            match part:
                case Text(text=text):
                    texts.append(text)
                case Refusal(text=text):
                    refusals.append(text)
                case ToolCall():
                    called = {"name": part.name, "arguments": part.arguments or "{}"}
                    calls.append({"id": part.id, "type": "function", "function": called})
                case CacheMark():
                    marks.append(part)
                case ToolResult() | Reasoning():
                    pass
                case Image() | File() | Opaque():
                    raise Unsupported("An earlier answer holds what this provider cannot take back.", param=where)
        made: dict[str, Any] = {"role": "assistant", "content": "".join(texts) or (None if calls or refusals else "")}
        for mark in marks:
            self._mark(made, mark)
        if refusals:
            made["refusal"] = "".join(refusals)
        if calls:
            made["tool_calls"] = calls
        made |= self._thoughts(message.parts)
        if message.name:
            made["name"] = message.name
        return made

    def _thoughts(self, parts: tuple[Part, ...]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        back = self._quirks.reasoning_back
        if back is not None and (thought := "".join(part.text for part in parts if isinstance(part, Reasoning))):
            made[back] = thought
        details = [
            detail for part, following in zip_longest(parts, parts[1:]) for detail in self._seal(part, following)
        ]
        if details:
            made["reasoning_details"] = details
        return made

    def _seal(self, part: Part, following: Part | None) -> list[dict[str, Any]]:
        """The seal of this part. Gemini's on a call names the call, also where it came apart from it."""
        match part:
            case Reasoning():
                thought, id = part, following.id if isinstance(following, ToolCall) else None
            case Text(signature=signature) | ToolCall(signature=signature):
                thought, id = Reasoning("", None, signature, GEMINI), part.id if isinstance(part, ToolCall) else None
            case _:
                return []
        if not sealed(thought):
            return []
        if not self._quirks.seals or not readable(thought):
            self._warn(SEALS)
            return []
        return sealed_details(thought, id if thought.maker == GEMINI and not thought.signature else None)

    def _mark(self, message: dict[str, Any], mark: CacheMark) -> None:
        """On the text of this message, which then is a list: no other member takes a mark."""
        if not self._quirks.cache_marks:
            self._warn(MARKS)
            return
        content: Any = message["content"]
        if isinstance(content, str) and content:
            content = message["content"] = [{"type": "text", "text": content}]
        if content:
            content[-1]["cache_control"] = _cache_control(mark)
        else:
            self._warn(MISPLACED)

    def _content(self, parts: tuple[Part, ...], where: str) -> str | list[dict[str, Any]]:
        """One string where there is nothing but text: not every server takes a list."""
        marked = self._quirks.cache_marks and any(isinstance(part, CacheMark) for part in parts)
        if all(isinstance(part, Text | CacheMark | Reasoning) for part in parts) and not marked:
            if any(isinstance(part, CacheMark) for part in parts):
                self._warn(MARKS)
            return "\n\n".join(part.text for part in parts if isinstance(part, Text))
        made: list[dict[str, Any]] = []
        for part in parts:
            match part:
                case Text():
                    made.append({"type": "text", "text": part.text})
                case Image():
                    made.append({"type": "image_url", "image_url": _link(part, where)})
                case File():
                    made.append(_file(part, self._quirks, where))
                case CacheMark():
                    if not self._quirks.cache_marks:
                        self._warn(MARKS)
                    elif made:
                        made[-1]["cache_control"] = _cache_control(part)
                    else:
                        self._warn(MISPLACED)
                case Opaque() if part.wire == NAME:
                    made.append(dict(part.raw))
                case Reasoning():
                    pass
                case _:
                    raise Unsupported("A message holds what this provider cannot take.", param=where)
        return made

    def _warn(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.append(text)


def _cache_control(mark: CacheMark) -> dict[str, Any]:
    return {"type": "ephemeral", "ttl": mark.ttl} if mark.ttl else {"type": "ephemeral"}


def _file(file: File, quirks: Quirks, where: str) -> dict[str, Any]:
    kind = file.media_type or "application/pdf"
    if file.data is None and (file.url is None or not quirks.file_urls or kind.startswith("audio/")):
        raise Unsupported("A file is carried with its data only to this provider.", "Send its data.", param=where)
    if kind.startswith("video/"):
        raise Unsupported("A film cannot be carried on this wire.", "Send pictures of it.", param=where)
    if kind.startswith("audio/"):
        sound = kind.removeprefix("audio/").removeprefix("x-")
        return {"type": "input_audio", "input_audio": {"data": file.data, "format": _SOUNDS.get(sound, sound)}}
    name = file.name or f"file.{kind.rpartition('/')[2]}"
    return {"type": "file", "file": {"filename": name, "file_data": file.url or f"data:{kind};base64,{file.data}"}}


def _link(image: Image, where: str) -> dict[str, Any]:
    url = image.url
    if url is None and image.data is not None:
        url = f"data:{image.media_type or 'image/png'};base64,{image.data}"
    if url is None:
        raise Unsupported("An image has neither data nor a URL.", param=where)
    return {"url": url, "detail": image.detail} if image.detail else {"url": url}


def _tool(tool: Tool, quirks: Quirks, warnings: list[str]) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }
    made: dict[str, Any] = {
        "type": "function",
        "function": {name: value for name, value in function.items() if value is not None},
    }
    if tool.cache is not None and quirks.cache_marks:
        made["cache_control"] = _cache_control(tool.cache)
    elif tool.cache is not None and MARKS not in warnings:
        warnings.append(MARKS)
    return made


def _format(output: JsonOutput, quirks: Quirks, warnings: list[str]) -> dict[str, Any]:
    if output.schema is None:
        return {"type": "json_object"}
    if not quirks.json_schema:
        warnings.append("The provider promises JSON, and not that it keeps to the schema.")
        return {"type": "json_object"}
    given = {
        "name": output.name or "answer",
        "description": output.description,
        "schema": output.schema,
        "strict": output.strict,
    }
    return {"type": "json_schema", "json_schema": {name: value for name, value in given.items() if value is not None}}
