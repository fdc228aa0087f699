"""Gemini's generateContent and streamGenerateContent, from the provider's side.

Forms after Google's Gemini API reference (GenerateContentResponse, models, error model) and answers of the real
service: events end in CRLF CRLF, and without `alt=sse` a stream is one JSON array. Names may come in camel case or with
underscores, as in every JSON form of a protocol buffer.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec
from msgspec import Struct, field

from ownkey.simulate.failing import Failure, Reason, Usage, pretty, reports, with_usage
from ownkey.simulate.speech import IMAGE_TOKENS, Asked, Said, Tool, asked_of, count, stable
from ownkey.talk.errors import InvalidRequest, UnknownModel

JSON_TYPE: bytes = b"application/json; charset=UTF-8"
STREAM_TYPE: bytes = b"text/event-stream"
AT_ONCE = 4
"""Tokens in one event."""

_PATH = re.compile(r"/models/([^/:]+):(generateContent|streamGenerateContent)$")
_FINISH = {"stop": "STOP", "stop_sequence": "STOP", "length": "MAX_TOKENS", "tools": "STOP", "refusal": "SAFETY"}
_CALLING = {"ANY": "required", "NONE": "none", "AUTO": "auto"}
_ERRORS: Mapping[Reason, tuple[int, str, str]] = {
    "request": (400, "INVALID_ARGUMENT", "The simulator was told to call this request wrong."),
    "key": (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
    "permission": (403, "PERMISSION_DENIED", "This key may not do that."),
    "model": (404, "NOT_FOUND", "The model is not found for API version v1beta."),
    "large": (413, "INVALID_ARGUMENT", "Request payload size exceeds the limit."),
    "context": (400, "INVALID_ARGUMENT", "The input token count (1250000) exceeds the maximum allowed (1048576)."),
    "content": (400, "INVALID_ARGUMENT", "The prompt was blocked by policy."),
    "rate": (429, "RESOURCE_EXHAUSTED", "Quota exceeded for requests per minute."),
    "quota": (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing."),
    "server": (500, "INTERNAL", "An internal error has occurred."),
    "overloaded": (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    "timeout": (504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
}
_STATUSES = {401: "UNAUTHENTICATED", 409: "ABORTED", 499: "CANCELLED", 501: "UNIMPLEMENTED"}
_TYPES = "type.googleapis.com/google.rpc."


class _Blob(Struct, rename="camel"):
    mime_type: str = ""


class _FunctionResponse(Struct):
    name: str
    response: dict[str, Any] = field(default_factory=dict[str, Any])


class _Part(Struct, rename="camel"):
    text: str = ""
    inline_data: _Blob | None = None
    file_data: _Blob | None = None
    function_response: _FunctionResponse | None = None


class _Content(Struct):
    parts: list[_Part] = field(default_factory=list[_Part])
    role: str = "user"


class _Function(Struct, rename="camel"):
    name: str
    parameters: dict[str, Any] | None = None
    parameters_json_schema: dict[str, Any] | None = None


class _Tools(Struct, rename="camel"):
    function_declarations: list[_Function] = field(default_factory=list[_Function])


class _Calling(Struct, rename="camel"):
    mode: str = "AUTO"
    allowed_function_names: list[str] = field(default_factory=list[str])


class _ToolConfig(Struct, rename="camel"):
    function_calling_config: _Calling = field(default_factory=_Calling)


class _Thinking(Struct, rename="camel"):
    include_thoughts: bool = False
    thinking_budget: int | None = None
    thinking_level: str | None = None


class _Generation(Struct, rename="camel"):
    max_output_tokens: int | None = None
    stop_sequences: list[str] = field(default_factory=list[str])
    response_mime_type: str = "text/plain"
    response_schema: dict[str, Any] | None = None
    response_json_schema: dict[str, Any] | None = None
    thinking_config: _Thinking | None = None


class _Body(Struct, rename="camel"):
    contents: list[_Content]
    system_instruction: _Content | None = None
    tools: list[_Tools] = field(default_factory=list[_Tools])
    tool_config: _ToolConfig = field(default_factory=_ToolConfig)
    generation_config: _Generation = field(default_factory=_Generation)


def lacks(headers: Mapping[bytes, bytes]) -> Failure | None:
    key = headers.get(b"x-goog-api-key") or headers.get(b"authorization", b"").removeprefix(b"Bearer ")
    if not key:
        return Failure("permission", message="Requests without an API key are not allowed.")
    return Failure("key") if key.startswith(b"bad") else None


def read(target: str, body: bytes) -> Asked:
    path, _, query = target.partition("?")
    found = _PATH.search(path)
    if found is None:
        raise UnknownModel("The path names no model.")
    model, operation = found.groups()
    if model.startswith("missing"):
        raise UnknownModel(f"models/{model} is not found for API version v1beta.")
    asked = msgspec.convert(_camel(msgspec.json.decode(body)), _Body)
    if not asked.contents:
        raise InvalidRequest("GenerateContentRequest.contents: contents is not specified")
    return _asked(asked, model, operation == "streamGenerateContent", "alt=sse" in query, body)


def _said(content: _Content) -> str:
    return " ".join(part.text for part in content.parts if part.text)


def _asked(asked: _Body, model: str, stream: bool, sse: bool, body: bytes) -> Asked:
    tools = [tool for each in asked.tools for tool in each.function_declarations]
    system = asked.system_instruction.parts if asked.system_instruction else []
    parts = [*system, *(part for content in asked.contents for part in content.parts)]
    last = asked.contents[-1].parts
    text, begun = asked_of([(content.role, _said(content)) for content in asked.contents])
    results = [part.function_response for part in last if part.function_response]
    generation = asked.generation_config
    thinking = generation.thinking_config
    thinks = thinking is not None and thinking.thinking_budget != 0
    schema = generation.response_json_schema or generation.response_schema or {"type": "object"}
    prompt = sum(_tokens(part) for part in parts) + (count(_text(asked.tools)) if tools else 0)
    return Asked(
        seed=stable(model.encode(), body),
        model=model,
        stream=stream,
        sse=sse,
        text=text,
        begun=begun,
        tool_result=" ".join(_text(each.response) for each in results) if results else None,
        prompt_tokens=prompt,
        images=sum(bool(part.inline_data or part.file_data) for part in last),
        max_tokens=generation.max_output_tokens,
        stop=tuple(generation.stop_sequences),
        tools=tuple(Tool(t.name, t.parameters_json_schema or t.parameters or {}) for t in tools),
        choice=_choice(asked.tool_config.function_calling_config),
        output=schema if generation.response_mime_type == "application/json" else None,
        reasoning="none" if not thinks else "shown" if thinking and thinking.include_thoughts else "hidden",
        cache_read=prompt // 128 * 128 if prompt >= 1024 else 0,
    )


def whole(asked: Asked, said: Said, usage: Usage) -> bytes:
    parts = [_thought(said)] if said.reasoning and asked.reasoning == "shown" else []
    if said.text:
        parts.append({"text": "".join(said.text)})
    parts += _calls(said)
    told = reports(_usage(asked, said, said.answer_tokens), usage)
    return pretty(with_usage(_body(asked, _sealed(parts, said), said), "usageMetadata", told), usage) + b"\n"


def stream(asked: Asked, said: Said, usage: Usage) -> list[bytes]:
    # Each event's parts, with the number of tokens written by its end.
    steps: list[tuple[int, list[dict[str, Any]]]] = []
    if said.reasoning and asked.reasoning == "shown":
        steps.append((0, [_thought(said)]))
    for start in range(0, len(said.text), AT_ONCE):
        text = said.text[start : start + AT_ONCE]
        steps.append((start + len(text), [{"text": "".join(text)}]))
    if said.calls:
        steps.append((said.answer_tokens, _calls(said)))
    _, last = steps.pop() if steps else (0, list[dict[str, Any]]())
    told = reports(_usage(asked, said, said.answer_tokens), usage)
    early = [reports(_usage(asked, said, written), usage)[:1] for written, _ in steps]
    bodies = [with_usage(_body(asked, parts), "usageMetadata", u) for (_, parts), u in zip(steps, early, strict=True)]
    bodies += [with_usage(_body(asked, []), "usageMetadata", [report]) for report in told[:-1]]
    bodies.append(with_usage(_body(asked, _sealed(last, said), said), "usageMetadata", told[-1:]))
    if asked.sse:
        return [b"data: " + body + b"\r\n\r\n" for body in bodies]
    bodies = [pretty(body, usage) + b"\n" for body in bodies]
    return [b"[" + bodies[0], *(b",\r\n" + body for body in bodies[1:]), b"]"]


def error(failure: Failure) -> tuple[int, dict[str, Any]]:
    rows = {row[0]: row for row in reversed(list(_ERRORS.values()))}
    status = failure.status or 400
    word = _STATUSES.get(status, "UNKNOWN" if status >= 500 else "FAILED_PRECONDITION")
    row = _ERRORS[failure.reason] if failure.reason else rows.get(status, (status, word, "The simulator refuses."))
    code = failure.status or row[0]
    told: dict[str, Any] = {"code": code, "message": failure.message or row[2], "status": row[1]}
    details: list[dict[str, Any]] = []
    if failure.reason == "key":
        details.append({"@type": _TYPES + "ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"})
    if failure.retry_after and failure.retry_after.isdigit():
        details.append({"@type": _TYPES + "RetryInfo", "retryDelay": f"{failure.retry_after}s"})
    return code, {"error": told | ({"details": details} if details else {})}


def error_event(body: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(body) + b"\r\n\r\n"


def models(ids: tuple[str, ...]) -> bytes:
    listed = [
        {
            "name": f"models/{each}",
            "version": "001",
            "displayName": each.replace("-", " ").title(),
            "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
        }
        for each in ids
    ]
    return msgspec.json.format(msgspec.json.encode({"models": listed}), indent=2) + b"\n"


def headers(seed: str) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"vary", b"Origin, X-Origin, Referer"), (b"x-gemini-service-tier", b"standard"))


def _body(asked: Asked, parts: list[dict[str, Any]], ended: Said | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}} if parts else {}
    candidate |= {"finishReason": _FINISH[ended.finish]} if ended else {}
    return {
        "candidates": [candidate | {"index": 0}],
        "modelVersion": asked.model,
        "responseId": asked.seed[:22],
    }


def _usage(asked: Asked, said: Said, written: int) -> dict[str, Any]:
    usage: dict[str, Any] = {"promptTokenCount": asked.prompt_tokens}
    usage |= {"candidatesTokenCount": written} if written else {}
    usage["totalTokenCount"] = asked.prompt_tokens + written + said.reasoning_tokens
    usage |= {"cachedContentTokenCount": asked.cache_read} if asked.cache_read else {}
    usage["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": asked.prompt_tokens}]
    usage |= {"thoughtsTokenCount": said.reasoning_tokens} if said.reasoning else {}
    return usage | {"serviceTier": "standard"}


def _thought(said: Said) -> dict[str, Any]:
    return {"text": "".join(said.reasoning), "thought": True}


def _calls(said: Said) -> list[dict[str, Any]]:
    return [{"functionCall": {"name": c.name, "args": msgspec.json.decode(c.arguments)}} for c in said.calls]


def _sealed(parts: list[dict[str, Any]], said: Said) -> list[dict[str, Any]]:
    """The first part that is no thought, or a last empty text, carries the seal of what was thought."""
    if not said.reasoning:
        return parts
    seal = base64.b64encode(bytes.fromhex(stable("".join(said.reasoning).encode()))).decode()
    plain = next((place for place, part in enumerate(parts) if not part.get("thought")), None)
    if plain is None:
        return [*parts, {"text": "", "thoughtSignature": seal}]
    return [*parts[:plain], parts[plain] | {"thoughtSignature": seal}, *parts[plain + 1 :]]


def _choice(calling: _Calling) -> str:
    allowed = calling.allowed_function_names
    return allowed[0] if calling.mode == "ANY" and len(allowed) == 1 else _CALLING.get(calling.mode, "auto")


def _tokens(part: _Part) -> int:
    if part.inline_data or part.file_data:
        return IMAGE_TOKENS
    return count(part.text) + (count(_text(part.function_response.response)) if part.function_response else 0)


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _camel(value: Any) -> Any:
    """Names in camel case, but for those inside schemas, arguments and results, which are the caller's own."""
    if isinstance(value, list):
        return [_camel(each) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    renamed: dict[str, Any] = {}
    for name, member in cast("dict[str, Any]", value).items():
        camel = re.sub(r"_(\w)", lambda letter: letter[1].upper(), name)
        own = camel in (
            "parameters",
            "parametersJsonSchema",
            "responseSchema",
            "responseJsonSchema",
            "response",
            "args",
        )
        renamed[camel] = member if own else _camel(member)
    return renamed
