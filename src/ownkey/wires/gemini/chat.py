"""A client's generateContent in full: the fields of the Gemini API reference, read into a `Chat`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast, get_args

from msgspec import json

from ownkey.talk.chat import (
    Chat,
    Effort,
    File,
    Image,
    JsonOutput,
    Message,
    Opaque,
    Part,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from ownkey.talk.errors import InvalidRequest, Unsupported
from ownkey.wires.gemini.ask import member, turns
from ownkey.wires.gemini.reply import NAME
from ownkey.wires.gemini.schema import json_schema
from ownkey.wires.gemini.values import Object, as_list, as_object, as_text
from ownkey.wires.seal import unwrap
from ownkey.wires.wire import Ask

# Members of a request, and of its configuration, that have a word in `Chat`.
_WORDS = frozenset({"model", "contents", "systemInstruction", "tools", "toolConfig", "generationConfig"})
_CONFIG: dict[str, str] = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "seed": "seed",
    "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
}
_OTHERWISE = frozenset(
    {"maxOutputTokens", "stopSequences", "responseMimeType", "responseSchema", "responseJsonSchema", "thinkingConfig"}
)
# What means the same as a field of OpenAI's goes by its name.
_RENAMED = {
    "candidateCount": "n",
    "responseLogprobs": "logprobs",
    "logprobs": "top_logprobs",
    "responseModalities": "modalities",
}
_JSON = "application/json"
# Files that lie at Google, which nobody else can open.
_OWN_FILES = ("https://generativelanguage.googleapis.com/", "gs://", "files/")


def read_chat(ask: Ask) -> Chat:
    """Raises InvalidRequest or Unsupported, naming the field. What has no word in `Chat` goes into `other`."""
    try:
        asked = {_camel(name): json.decode(raw) for name, raw in ask.fields.items()}
    except RecursionError:
        raise InvalidRequest("The request is nested too deep.", "Send less deeply nested JSON.") from None
    config = {_camel(name): value for name, value in as_object(asked.get("generationConfig")).items()}
    reader = _Reader()
    messages = [*_system(asked.get("systemInstruction")), *map(reader.message, turns(asked.get("contents")))]
    tools = tuple(_tools(asked.get("tools")))
    given: Object = {_CONFIG[name]: config[name] for name in _CONFIG if config.get(name) is not None}
    _check(given)
    return Chat(
        messages=tuple(messages),
        max_output_tokens=ask.max_output,
        stop=tuple(str(one) for one in as_list(config.get("stopSequences"))),
        tools=tools,
        tool_choice=_choice(as_object(asked.get("toolConfig")), tools),
        output=_output(config),
        thinking=_thinking(config.get("thinkingConfig")),
        other=_other(asked, config),
        **given,
    )


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def _check(given: Object) -> None:
    for name, value in given.items():
        kinds = (int,) if name in ("seed", "top_k") else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise InvalidRequest(f"generationConfig: {name} must be a number.", param=f"generationConfig.{name}")


def _other(asked: Object, config: Object) -> Object:
    found = {name: value for name, value in asked.items() if name not in _WORDS}
    left = {name: value for name, value in config.items() if name not in _CONFIG and name not in _OTHERWISE}
    found |= {_RENAMED.get(name, name): value for name, value in left.items()}
    return {name: value for name, value in found.items() if value not in (None, [], {})}


def _system(asked: object) -> Iterator[Message]:
    content = {"parts": [{"text": asked}]} if isinstance(asked, str) else as_object(asked)
    parts = [as_object(part).get("text") for part in as_list(content.get("parts"))]
    texts = tuple(Text(text) for text in parts if isinstance(text, str) and text)
    if len(texts) < len(parts):
        raise Unsupported("An instruction is text only.", param="systemInstruction")
    if texts:
        yield Message("system", texts)


class _Reader:
    """Reads contents in their order. Calls need no id here: they are counted, and a result is that of the first call
    of its name which has none yet."""

    def __init__(self) -> None:
        self._count = 0
        self._waiting: list[tuple[str, str]] = []

    def message(self, content: Object) -> Message:
        role = "assistant" if content.get("role") == "model" else "user"
        parts = [self._part(as_object(part)) for part in as_list(content.get("parts"))]
        return Message(role, tuple(part for part in parts if part is not None))

    def _part(self, part: Object) -> Part | None:
        seal = as_text(member(part, "thoughtSignature"))
        call, result = member(part, "functionCall"), member(part, "functionResponse")
        if isinstance(call, dict):
            return self._call(as_object(cast("object", call)), seal)
        if isinstance(result, dict):
            return self._result(as_object(cast("object", result)))
        text = part.get("text")
        if part.get("thought") is True or (text in (None, "") and unwrap(seal) is not None):
            return _thought(text if isinstance(text, str) else "", seal)
        if isinstance(text, str) or part.keys() <= {"thoughtSignature", "thought_signature"}:
            return Text(text or "", None if unwrap(seal) else seal) if text or seal else None
        return _media(part) or Opaque(NAME, part)

    def _call(self, call: Object, seal: str | None) -> ToolCall:
        name = as_text(call.get("name"))
        if name is None:
            raise InvalidRequest("A functionCall needs a name.", param="contents")
        self._count += 1
        id = as_text(call.get("id")) or f"call_{self._count}"
        self._waiting.append((id, name))
        arguments = json.encode(as_object(call.get("args"))).decode()
        return ToolCall(id, name, arguments, None if unwrap(seal) else seal)

    def _result(self, result: Object) -> ToolResult:
        name, id = as_text(result.get("name")), as_text(result.get("id"))
        found = next((one for one in self._waiting if one[0] == id or (id is None and one[1] == name)), None)
        if found is not None:
            self._waiting.remove(found)
            id, name = found
        if id is None:
            raise InvalidRequest(f"A functionResponse of {name!r} answers no call.", param="contents")
        response = as_object(result.get("response"))
        pieces = [_media(as_object(part)) for part in as_list(result.get("parts"))]
        kept = tuple(piece for piece in pieces if isinstance(piece, Image | File))
        if len(kept) < len(pieces):
            raise Unsupported("A function's response holds what no other provider understands.", param="contents")
        text, failed = _said(response)
        return ToolResult(id, (Text(text), *kept), name, failed)


def _said(response: Object) -> tuple[str, bool]:
    """`result`, `output` and `error` are the members that the reference names for plain text."""
    if len(response) == 1:
        name, value = next(iter(response.items()))
        if name in ("result", "output", "error") and isinstance(value, str):
            return value, name == "error"
    return json.encode(response).decode(), False


def _thought(text: str, value: str | None) -> Reasoning:
    seal = unwrap(value)
    if seal is None:
        return Reasoning(text, value, maker=NAME if value else None)
    return Reasoning(text, **{"sealed" if seal.kind == "sealed" else "signature": seal.value}, maker=seal.maker)


def _media(part: Object) -> Image | File | None:
    inline, stored = as_object(member(part, "inlineData")), as_object(member(part, "fileData"))
    kind = as_text(member(inline or stored, "mimeType"))
    data, url = as_text(inline.get("data")), as_text(member(stored, "fileUri"))
    if data is None and (url is None or url.startswith(_OWN_FILES)):
        return None
    if data is not None:
        data = data.replace("-", "+").replace("_", "/")
    if kind is not None and kind.startswith("image/"):
        return Image(data, kind, url)
    name = as_text(member(inline or stored, "displayName"))
    return File(data, kind, url, name)


def _tools(asked: object) -> Iterator[Tool]:
    for place, one in enumerate(as_list(asked)):
        tool = {_camel(name): value for name, value in as_object(one).items() if value is not None}
        others = tool.keys() - {"functionDeclarations"}
        if others:
            name = min(others)
            raise Unsupported(
                f"{name} is run by Google's own models only.",
                "Leave it out, or use a model of Google's.",
                param=f"tools[{place}].{name}",
            )
        for declared in as_list(tool.get("functionDeclarations")):
            function = as_object(declared)
            name = as_text(function.get("name"))
            if name is None:
                raise InvalidRequest("A function needs a name.", param=f"tools[{place}].functionDeclarations")
            schema = member(function, "parametersJsonSchema")
            if schema is None and function.get("parameters") is not None:
                schema = json_schema(as_object(function["parameters"]))
            yield Tool(name, as_text(function.get("description")), as_object(schema) or None)


def _choice(config: Object, tools: tuple[Tool, ...]) -> ToolChoice | None:
    calling = as_object(member(config, "functionCallingConfig"))
    names = [str(name) for name in as_list(member(calling, "allowedFunctionNames"))]
    mode = as_text(calling.get("mode"))
    if mode not in ("ANY", "NONE"):
        return ToolChoice("auto") if mode else None
    if mode == "NONE":
        return ToolChoice("none")
    if len(names) == 1:
        return ToolChoice("named", names[0])
    if names and {tool.name for tool in tools} != set(names):
        raise Unsupported(
            "A choice among some of the functions is not carried.",
            "Allow one of them or all, or declare fewer.",
            param="toolConfig.functionCallingConfig.allowedFunctionNames",
        )
    return ToolChoice("required")


def _output(config: Object) -> JsonOutput | None:
    kind = as_text(config.get("responseMimeType"))
    schema = config.get("responseJsonSchema")
    if schema is None and config.get("responseSchema") is not None:
        schema = json_schema(as_object(config["responseSchema"]))
    if kind not in (None, "text/plain", _JSON):
        raise Unsupported(f"An answer of the type {kind!r} is not carried.", param="generationConfig.responseMimeType")
    return JsonOutput(as_object(schema) or None) if kind == _JSON else None


def _thinking(asked: object) -> Thinking | None:
    config = as_object(asked)
    budget, level = member(config, "thinkingBudget"), as_text(member(config, "thinkingLevel"))
    if isinstance(budget, int) and not isinstance(budget, bool):
        return Thinking("none") if budget == 0 else Thinking(budget_tokens=budget)
    effort = (level or "").lower()
    if effort in get_args(Effort):
        return Thinking(cast("Effort", effort))
    return Thinking() if member(config, "includeThoughts") is True else None
