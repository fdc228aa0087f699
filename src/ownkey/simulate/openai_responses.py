"""OpenAI's responses, from the provider's side.

Forms after OpenAI's API reference (Responses: create, input items, streaming events). Reasoning that comes back must be
encrypted as it was given; a function's output must answer a call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from ownkey.simulate import openai_chat
from ownkey.simulate.failing import Usage, pretty, reports, with_usage
from ownkey.simulate.speech import IMAGE_TOKENS, Asked, Call, Said, Tool, count, stable, tokens
from ownkey.talk.errors import InvalidRequest, UnknownModel

Object = dict[str, Any]

JSON_TYPE: bytes = b"application/json"
STREAM_TYPE: bytes = b"text/event-stream; charset=utf-8"

SEALED = "gAAAAABsimulated"
"""How reasoning that this simulator encrypted begins."""

_PIECES = frozenset({"input_text", "input_image", "input_file", "output_text", "refusal"})

lacks = openai_chat.lacks
error = openai_chat.error
models = openai_chat.models
headers = openai_chat.headers


class _Tool(Struct):
    type: str
    name: str = ""
    parameters: Object = field(default_factory=dict[str, Any])


class _Item(Struct):
    type: str = "message"
    role: str = "user"
    content: str | list[Object] | None = None
    call_id: str | None = None
    name: str = ""
    arguments: str = ""
    output: str | list[Object] = ""
    encrypted_content: str | None = None
    summary: list[Object] | None = None


class _Body(Struct, forbid_unknown_fields=False):
    input: str | list[_Item]
    model: str | None = None
    instructions: str | None = None
    stream: bool | None = None
    store: bool | None = None
    include: list[str] | None = None
    max_output_tokens: int | None = None
    tools: Raw = Raw(b"null")
    tool_choice: str | Object | None = None
    parallel_tool_calls: bool | None = None
    text: Object | None = None
    reasoning: Object | None = None
    service_tier: str | None = None


_decode = msgspec.json.Decoder(_Body).decode
_tools: msgspec.json.Decoder[list[_Tool] | None] = msgspec.json.Decoder(list[_Tool] | None)
_UNKNOWN = ("stop", "seed", "n", "messages", "max_tokens", "max_completion_tokens", "response_format", "top_k")


def read(target: str, body: bytes) -> Asked:
    asked = _decode(body)
    for name in _UNKNOWN:
        if name in msgspec.json.decode(body):
            raise InvalidRequest(f"Unknown parameter: '{name}'.", param=name)
    if not asked.model:
        raise InvalidRequest("you must provide a model parameter", param="model")
    if asked.model.startswith("missing"):
        raise UnknownModel(f"The model `{asked.model}` does not exist or you do not have access to it.")
    items = [_Item(content=asked.input)] if isinstance(asked.input, str) else asked.input
    _check(items)
    return _asked(asked, asked.model, items, body)


def _check(items: list[_Item]) -> None:
    called: set[str] = set()
    for item in items:
        if item.type == "function_call":
            called.add(item.call_id or "")
        if item.type == "function_call_output" and item.call_id not in called:
            raise InvalidRequest(f"No tool call found for function call output with call_id {item.call_id}.")
        if item.type == "reasoning" and not (item.encrypted_content or "").startswith(SEALED):
            raise InvalidRequest("The encrypted content could not be verified.", param="input")
        for piece in item.content if isinstance(item.content, list) else ():
            if piece.get("type") not in _PIECES:
                raise InvalidRequest(f"Invalid value: '{piece.get('type')}'.", param="input")


def _asked(asked: _Body, model: str, items: list[_Item], body: bytes) -> Asked:
    tools: list[_Tool] = _tools.decode(asked.tools) or []
    last = items[-1]
    texts = [text for item in items for text in _texts(item)]
    images = [sum(piece.get("type") == "input_image" for piece in _pieces(item)) for item in items]
    prompt = (
        sum(map(count, texts)) + count(asked.instructions or "") + (count(bytes(asked.tools).decode()) if tools else 0)
    )
    prompt += sum(images) * IMAGE_TOKENS
    choice: Any = asked.tool_choice or "auto"
    effort = (asked.reasoning or {}).get("effort")
    wanted: Object = (asked.text or {}).get("format") or {}
    output = wanted.get("schema") if wanted.get("type") == "json_schema" else {"type": "object"}
    answers = last.type == "function_call_output"
    return Asked(
        seed=stable(body),
        model=model,
        stream=bool(asked.stream),
        text="" if answers else " ".join(_texts(last)),
        tool_result=" ".join(_texts(last)) if answers else None,
        prompt_tokens=prompt,
        images=images[-1],
        max_tokens=asked.max_output_tokens,
        tools=tuple(Tool(tool.name, tool.parameters) for tool in tools if tool.type == "function"),
        choice=choice if isinstance(choice, str) else choice.get("name", "auto"),
        parallel=asked.parallel_tool_calls is not False,
        output=output if wanted.get("type", "text") != "text" else None,
        reasoning="shown" if asked.reasoning is not None and effort != "none" else "none",
        cache_read=prompt // 128 * 128 if prompt >= 1024 else 0,
        tier=asked.service_tier if asked.service_tier in ("flex", "priority") else "default",
    )


def whole(asked: Asked, said: Said, usage: Usage) -> bytes:
    told = [_usage(asked, said)]
    body = _response(asked, said, _items(asked, said))
    return pretty(with_usage(body, "usage", reports(told[0], usage)), usage) + b"\n"


def stream(asked: Asked, said: Said, usage: Usage) -> list[bytes]:
    events = [_event(number, kind, fields) for number, (kind, fields) in enumerate(_events(asked, said))]
    told = reports(_usage(asked, said), usage)
    body = _response(asked, said, _items(asked, said))
    kind = f"response.{body['status']}"
    last = {"type": kind, "sequence_number": len(events), "response": Raw(with_usage(body, "usage", told[-1:]))}
    return [*events, b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode(last))]


def error_event(body: Object) -> bytes:
    return b"event: error\ndata: " + msgspec.json.encode({"type": "error", "sequence_number": 0, **body}) + b"\n\n"


def _events(asked: Asked, said: Said) -> Iterator[tuple[str, Object]]:
    begun = {**_response(asked, said, []), "status": "in_progress", "usage": None, "incomplete_details": None}
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for place, item in enumerate(_items(asked, said)):
        at = {"output_index": place, "item_id": item["id"]}
        yield "response.output_item.added", {"output_index": place, "item": _empty(item)}
        match item["type"]:
            case "reasoning":
                yield from _pieces_of(at | {"summary_index": 0}, "reasoning_summary_text", "".join(said.reasoning))
            case "function_call":
                yield from _pieces_of(at, "function_call_arguments", item["arguments"], "arguments")
            case _:
                content = item["content"][0]
                refuses = content["type"] == "refusal"
                name, text = ("refusal", content["refusal"]) if refuses else ("output_text", content["text"])
                within = at | {"content_index": 0}
                empty = {**content, "refusal" if refuses else "text": ""}
                yield "response.content_part.added", {**within, "part": empty}
                yield from _pieces_of(within, name, text, "refusal" if refuses else "text")
                yield "response.content_part.done", {**within, "part": content}
        yield "response.output_item.done", {"output_index": place, "item": item}


def _pieces_of(at: Object, name: str, text: str, whole: str = "text") -> Iterator[tuple[str, Object]]:
    for piece in tokens(text):
        yield f"response.{name}.delta", {**at, "delta": piece}
    yield f"response.{name}.done", {**at, whole: text}


def _items(asked: Asked, said: Said) -> list[Object]:
    made: list[Object] = []
    if asked.reasoning == "shown":
        made.append(
            {
                "id": f"rs_{asked.seed[:24]}",
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "".join(said.reasoning)}],
                "encrypted_content": SEALED + asked.seed[:40],
            }
        )
    if said.refusal:
        made.append(_message(asked, {"type": "refusal", "refusal": "".join(said.refusal)}))
    elif not said.calls:
        text: Object = {"type": "output_text", "text": "".join(said.text), "annotations": [], "logprobs": []}
        made.append(_message(asked, text))
    return [*made, *map(_call, said.calls)]


def _message(asked: Asked, content: Object) -> Object:
    head = {"id": f"msg_{asked.seed[:24]}", "type": "message", "status": "completed", "role": "assistant"}
    return {**head, "content": [content]}


def _call(call: Call) -> Object:
    head = {"id": f"fc_{call.id}", "type": "function_call", "status": "completed", "call_id": f"call_{call.id}"}
    return {**head, "name": call.name, "arguments": call.arguments}


def _empty(item: Object) -> Object:
    nothing: Object = {"content": [], "summary": [], "arguments": "", "encrypted_content": "", "status": "in_progress"}
    return {name: nothing.get(name, value) for name, value in item.items()}


def _response(asked: Asked, said: Said, output: list[Object]) -> Object:
    cut = said.finish == "length"
    return {
        "id": f"resp_{asked.seed[:40]}",
        "object": "response",
        "created_at": openai_chat.CREATED,
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "model": asked.model,
        "output": output,
        "parallel_tool_calls": asked.parallel,
        "service_tier": asked.tier,
        "store": False,
        "tool_choice": "auto",
        "tools": [],
    }


def _usage(asked: Asked, said: Said) -> Object:
    written = said.answer_tokens + said.reasoning_tokens
    return {
        "input_tokens": asked.prompt_tokens,
        "input_tokens_details": {"cached_tokens": asked.cache_read},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": said.reasoning_tokens},
        "total_tokens": asked.prompt_tokens + written,
    }


def _event(number: int, kind: str, fields: Object) -> bytes:
    data = msgspec.json.encode({"type": kind, "sequence_number": number, **fields})
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


def _pieces(item: _Item) -> list[Object]:
    given = item.output if item.type == "function_call_output" else item.content
    return given if isinstance(given, list) else []


def _texts(item: _Item) -> list[str]:
    given = item.output if item.type == "function_call_output" else item.content
    if isinstance(given, str):
        return [given]
    return [piece["text"] for piece in _pieces(item) if isinstance(piece.get("text"), str)]
