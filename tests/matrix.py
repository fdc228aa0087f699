"""Every wire in against every wire out: what is asked arrives, what is answered comes back, or a typed refusal says
what cannot be carried.

Each cell is run: a client's own request goes through the gateway's engine to a provider on a real port, which notes
what it was sent and answers in its own wire. What was sent and what came back is then looked at.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from house import KEYS, PRICE, Answer, Gateway, Simulator, gateway, library
from ownkey.wires.wire import TABLE, Door, wire

Body = dict[str, Any]

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKJSVFT0YK"
URL = "https://pictures.example/cat.png"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
LONG = "lorem " * 34_000

IN = tuple(name for name in TABLE if "embeddings" not in name and isinstance(wire(name), Door))
OUT = tuple(name for name in TABLE if "embeddings" not in name)

# What a client asks, in no wire's words yet: `say` steers the simulator.
FEATURES: dict[str, Body] = {
    "text": {},
    "stream": {"stream": True},
    "system messages": {"system": "Be brief."},
    "developer messages": {"developer": "Be kind."},
    "images by bytes": {"image": PNG},
    "images by URL": {"image_url": URL},
    "files": {"file": PDF},
    "tools": {"say": "use tool get_weather", "tools": ["get_weather"]},
    "tools, streamed": {"say": "use tool get_weather", "tools": ["get_weather"], "stream": True},
    "parallel tools": {"say": "use all tools", "tools": ["get_weather", "get_time"]},
    "tool results": {"tools": ["get_weather"], "result": "It is sunny."},
    "tool results with images": {"tools": ["get_weather"], "result": "Look.", "result_image": PNG},
    "tool choice": {"tools": ["get_weather", "get_time"], "choice": "get_time"},
    "JSON schema": {"schema": SCHEMA},
    "reasoning, returned on the next turn": {
        "effort": "low",
        "say": "use tool get_weather",
        "tools": ["get_weather"],
        "turns": 2,
    },
    "stop sequences": {"stop": "word7", "say": "Say 50 words"},
    "seeds": {"seed": 7},
    "logprobs": {"logprobs": True},
    "n > 1": {"n": 2},
    "prompt-cache marks": {"system": "Be brief.", "cache": True},
    "cached-token usage": {"say": "key " * 1500, "system": "Be brief.", "cache": True},
    "stop reasons": {"say": "Say 50 words", "cap": 5},
    "refusals": {"say": "Please refuse this."},
    "long context": {"say": LONG},
}

PROVIDERS: Mapping[str, tuple[str, str, str, str]] = {
    "openai-chat": ("o3-mini", "v1", 'header = "authorization"', 'max_tokens = "max_completion_tokens"'),
    "openai-responses": ("o3-mini", "v1", 'header = "authorization"', 'system_role = "developer"'),
    "anthropic-messages": (
        "claude-sonnet-4-5",
        "v1",
        'header = "x-api-key", scheme = ""',
        'thinking = { by = "budget", least = 1024 }',
    ),
    "gemini": (
        "gemini-2.5-pro",
        "v1beta",
        'header = "x-goog-api-key", scheme = ""',
        'thinking = { by = "budget", least = 128, most = 32768, off = false }',
    ),
    "ollama": ("sim-small", "", 'header = "authorization"', 'thinking = { by = "effort" }'),
}
"""For each wire out: the model, the version in its path, how the key is shown, and a quirk."""

CALL = ("call_0123456789abcdef01234567", "get_weather", {"city": "Paris"})


@dataclass
class Shown:
    """What a client was given, in no wire's words."""

    text: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    reason: str | None = None
    stop_sequence: str | None = None
    refused: bool = False
    cached: int = 0
    choices: int = 1
    turn: Any = None
    """The answer as the client puts it into its next request."""


@dataclass
class Cell:
    """`state`: carried, refused, ignored (and said so), or absent: the client's wire has no word for it.

    `wrong` is what is amiss; a cell without it holds.
    """

    feature: str
    inward: str
    outward: str
    state: str
    says: str = ""
    wrong: str = ""


def schema_of(name: str) -> Body:
    field_name = {"get_weather": "city", "get_time": "zone"}[name]
    return {"type": "object", "properties": {field_name: {"type": "string"}}, "required": [field_name]}


# --- what each client sends -------------------------------------------------------------------------------------------


def chat_body(asked: Body) -> Body | None:
    content: Any = asked.get("say", "Hello.")
    extra: list[Body] = []
    if "image" in asked:
        extra.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{asked['image']}"}})
    if "image_url" in asked:
        extra.append({"type": "image_url", "image_url": {"url": asked["image_url"]}})
    if "file" in asked:
        file = {"filename": "paper.pdf", "file_data": f"data:application/pdf;base64,{asked['file']}"}
        extra.append({"type": "file", "file": file})
    if extra:
        content = [{"type": "text", "text": content}, *extra]
    messages: list[Body] = []
    for role in ("system", "developer"):
        if role in asked:
            piece: Body = {"type": "text", "text": asked[role]}
            if asked.get("cache"):
                piece["cache_control"] = {"type": "ephemeral"}
            messages.append({"role": role, "content": [piece]})
    messages.append({"role": "user", "content": content})
    if "result" in asked:
        function = {"name": CALL[1], "arguments": json.dumps(CALL[2])}
        messages.append(
            {"role": "assistant", "tool_calls": [{"id": CALL[0], "type": "function", "function": function}]}
        )
        shown: Any = asked["result"]
        if "result_image" in asked:
            url = f"data:image/png;base64,{asked['result_image']}"
            shown = [{"type": "text", "text": shown}, {"type": "image_url", "image_url": {"url": url}}]
        messages.append({"role": "tool", "tool_call_id": CALL[0], "content": shown})
    body: Body = {"messages": messages, "stream": bool(asked.get("stream"))}
    if body["stream"]:
        body["stream_options"] = {"include_usage": True}
    if "tools" in asked:
        functions = [{"name": name, "description": "A tool.", "parameters": schema_of(name)} for name in asked["tools"]]
        body["tools"] = [{"type": "function", "function": one} for one in functions]
    if "choice" in asked:
        body["tool_choice"] = {"type": "function", "function": {"name": asked["choice"]}}
    if "schema" in asked:
        named = {"name": "answer", "schema": asked["schema"], "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    for name, theirs in (("effort", "reasoning_effort"), ("stop", "stop"), ("seed", "seed"), ("logprobs", "logprobs")):
        if name in asked:
            body[theirs] = asked[name]
    body |= {"n": asked["n"]} if "n" in asked else {}
    return body | ({"max_completion_tokens": asked["cap"]} if "cap" in asked else {})


def responses_body(asked: Body) -> Body | None:
    if asked.keys() & {"stop", "seed", "n", "cache"}:
        return None
    content: list[Body] = [{"type": "input_text", "text": asked.get("say", "Hello.")}]
    if "image" in asked:
        content.append({"type": "input_image", "image_url": f"data:image/png;base64,{asked['image']}"})
    if "image_url" in asked:
        content.append({"type": "input_image", "image_url": asked["image_url"]})
    if "file" in asked:
        data = f"data:application/pdf;base64,{asked['file']}"
        content.append({"type": "input_file", "filename": "paper.pdf", "file_data": data})
    items: list[Body] = [{"role": role, "content": asked[role]} for role in ("system", "developer") if role in asked]
    items.append({"role": "user", "content": content})
    if "result" in asked:
        call = {"type": "function_call", "call_id": CALL[0], "name": CALL[1], "arguments": json.dumps(CALL[2])}
        shown: Any = asked["result"]
        if "result_image" in asked:
            url = f"data:image/png;base64,{asked['result_image']}"
            shown = [{"type": "input_text", "text": shown}, {"type": "input_image", "image_url": url}]
        items += [call, {"type": "function_call_output", "call_id": CALL[0], "output": shown}]
    body: Body = {"input": items, "stream": bool(asked.get("stream")), "store": False}
    if "tools" in asked:
        body["tools"] = [
            {"type": "function", "name": name, "description": "A tool.", "parameters": schema_of(name), "strict": False}
            for name in asked["tools"]
        ]
    if "choice" in asked:
        body["tool_choice"] = {"type": "function", "name": asked["choice"]}
    if "schema" in asked:
        body["text"] = {"format": {"type": "json_schema", "name": "answer", "schema": asked["schema"], "strict": True}}
    if "effort" in asked:
        body |= {"reasoning": {"effort": asked["effort"]}, "include": ["reasoning.encrypted_content"]}
    if "logprobs" in asked:
        body |= {"include": ["message.output_text.logprobs"], "top_logprobs": 1}
    return body | ({"max_output_tokens": asked["cap"]} if "cap" in asked else {})


def messages_body(asked: Body) -> Body | None:
    if asked.keys() & {"developer", "seed", "logprobs", "n"}:
        return None
    content: list[Body] = [{"type": "text", "text": asked.get("say", "Hello.")}]
    if "image" in asked:
        source = {"type": "base64", "media_type": "image/png", "data": asked["image"]}
        content.append({"type": "image", "source": source})
    if "image_url" in asked:
        content.append({"type": "image", "source": {"type": "url", "url": asked["image_url"]}})
    if "file" in asked:
        source = {"type": "base64", "media_type": "application/pdf", "data": asked["file"]}
        content.append({"type": "document", "source": source, "title": "paper.pdf"})
    messages: list[Body] = [{"role": "user", "content": content}]
    if "result" in asked:
        shown: Any = asked["result"]
        if "result_image" in asked:
            source = {"type": "base64", "media_type": "image/png", "data": asked["result_image"]}
            shown = [{"type": "text", "text": shown}, {"type": "image", "source": source}]
        call = {"type": "tool_use", "id": CALL[0], "name": CALL[1], "input": CALL[2]}
        result = {"type": "tool_result", "tool_use_id": CALL[0], "content": shown}
        messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    body: Body = {"messages": messages, "max_tokens": asked.get("cap", 4000), "stream": bool(asked.get("stream"))}
    if "system" in asked:
        block: Body = {"type": "text", "text": asked["system"]}
        if asked.get("cache"):
            block["cache_control"] = {"type": "ephemeral"}
        body["system"] = [block]
    if "tools" in asked:
        body["tools"] = [
            {"name": name, "description": "A tool.", "input_schema": schema_of(name)} for name in asked["tools"]
        ]
    if "choice" in asked:
        body["tool_choice"] = {"type": "tool", "name": asked["choice"]}
    if "schema" in asked:
        body["output_config"] = {"format": {"type": "json_schema", "schema": asked["schema"]}}
    if "effort" in asked:
        body["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    return body | ({"stop_sequences": [asked["stop"]]} if "stop" in asked else {})


def gemini_body(asked: Body) -> Body | None:
    if asked.keys() & {"developer"} or asked.get("cache"):
        return None
    parts: list[Body] = [{"text": asked.get("say", "Hello.")}]
    if "image" in asked:
        parts.append({"inlineData": {"mimeType": "image/png", "data": asked["image"]}})
    if "image_url" in asked:
        parts.append({"fileData": {"mimeType": "image/png", "fileUri": asked["image_url"]}})
    if "file" in asked:
        parts.append({"inlineData": {"mimeType": "application/pdf", "data": asked["file"]}})
    contents: list[Body] = [{"role": "user", "parts": parts}]
    if "result" in asked:
        response: Body = {"name": CALL[1], "id": CALL[0], "response": {"result": asked["result"]}}
        if "result_image" in asked:
            response["parts"] = [{"inlineData": {"mimeType": "image/png", "data": asked["result_image"]}}]
        contents += [
            {"role": "model", "parts": [{"functionCall": {"name": CALL[1], "id": CALL[0], "args": CALL[2]}}]},
            {"role": "user", "parts": [{"functionResponse": response}]},
        ]
    config: Body = {}
    if "schema" in asked:
        config |= {"responseMimeType": "application/json", "responseJsonSchema": asked["schema"]}
    if "effort" in asked:
        config["thinkingConfig"] = {"thinkingBudget": 1024, "includeThoughts": True}
    for name, theirs in (("seed", "seed"), ("cap", "maxOutputTokens"), ("n", "candidateCount")):
        config |= {theirs: asked[name]} if name in asked else {}
    config |= {"stopSequences": [asked["stop"]]} if "stop" in asked else {}
    config |= {"responseLogprobs": True, "logprobs": 1} if "logprobs" in asked else {}
    body: Body = {"contents": contents}
    body |= {"systemInstruction": {"parts": [{"text": asked["system"]}]}} if "system" in asked else {}
    if "tools" in asked:
        declared = [
            {"name": name, "description": "A tool.", "parametersJsonSchema": schema_of(name)} for name in asked["tools"]
        ]
        body["tools"] = [{"functionDeclarations": declared}]
    if "choice" in asked:
        calling = {"mode": "ANY", "allowedFunctionNames": [asked["choice"]]}
        body["toolConfig"] = {"functionCallingConfig": calling}
    return body | ({"generationConfig": config} if config else {})


# --- what each client is given ----------------------------------------------------------------------------------------


def events_of(answer: Answer) -> list[Body]:
    lines = answer.body.decode().replace("\r\n", "\n").split("\n")
    payloads = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [json.loads(payload) for payload in payloads if payload != "[DONE]"]


def chat_shown(answer: Answer, streamed: bool) -> Shown:
    if streamed:
        return _chat_streamed(events_of(answer))
    whole = answer.json
    choice = whole["choices"][0]
    message = choice["message"]
    shown = Shown(message.get("content") or "", reason=choice["finish_reason"], choices=len(whole["choices"]))
    for call in message.get("tool_calls") or ():
        shown.calls.append((call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])))
    shown.refused = bool(message.get("refusal"))
    shown.cached = (whole["usage"].get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    shown.turn = [message]
    return shown


def _chat_streamed(events: list[Body]) -> Shown:
    shown, calls = Shown(), dict[int, list[str]]()
    for chunk in events:
        for choice in chunk["choices"]:
            delta = choice["delta"]
            shown.text += delta.get("content") or ""
            shown.reason = choice["finish_reason"] or shown.reason
            for call in delta.get("tool_calls") or ():
                parts = calls.setdefault(call["index"], ["", "", ""])
                parts[0] += call.get("id") or ""
                parts[1] += call["function"].get("name") or ""
                parts[2] += call["function"].get("arguments") or ""
    shown.calls = [(id, name, json.loads(arguments)) for id, name, arguments in calls.values()]
    return shown


def responses_shown(answer: Answer, streamed: bool) -> Shown:
    whole = events_of(answer)[-1]["response"] if streamed else answer.json
    shown = Shown(reason=whole["status"], turn=whole["output"])
    if whole.get("incomplete_details"):
        shown.reason = whole["incomplete_details"]["reason"]
    for item in whole["output"]:
        if item["type"] == "function_call":
            shown.calls.append((item["call_id"], item["name"], json.loads(item["arguments"])))
        for piece in item.get("content") or () if item["type"] == "message" else ():
            shown.text += piece.get("text") or ""
            shown.refused = shown.refused or piece["type"] == "refusal"
    shown.cached = whole["usage"]["input_tokens_details"]["cached_tokens"]
    if streamed:
        deltas = [event["delta"] for event in events_of(answer) if event["type"] == "response.output_text.delta"]
        assert "".join(deltas) == shown.text
    return shown


def messages_shown(answer: Answer, streamed: bool) -> Shown:
    whole = _messages_streamed(events_of(answer)) if streamed else answer.json
    shown = Shown(reason=whole["stop_reason"], stop_sequence=whole.get("stop_sequence"))
    for block in whole["content"]:
        if block["type"] == "text":
            shown.text += block["text"]
        if block["type"] == "tool_use":
            shown.calls.append((block["id"], block["name"], block["input"]))
    shown.refused = whole["stop_reason"] == "refusal" or "asked to refuse" in shown.text
    shown.cached = whole["usage"].get("cache_read_input_tokens") or 0
    shown.turn = [{"role": "assistant", "content": whole["content"]}]
    return shown


def _messages_streamed(events: list[Body]) -> Body:
    blocks: dict[int, Body] = {}
    whole: Body = {}
    texts = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
    for event in events:
        match event["type"]:
            case "message_start":
                whole = dict(event["message"])
            case "content_block_start":
                blocks[event["index"]] = {**event["content_block"], "json": ""}
            case "content_block_delta":
                block, delta = blocks[event["index"]], event["delta"]
                name = texts.get(delta["type"])
                if name:
                    block[name] = block.get(name, "") + delta[name]
                else:
                    block["json"] += delta["partial_json"]
            case "message_delta":
                whole |= event["delta"] | {"usage": event["usage"]}
            case _:
                pass
    for block in blocks.values():
        arguments = block.pop("json")
        if block["type"] == "tool_use":
            block["input"] = json.loads(arguments or "{}")
    return whole | {"content": list(blocks.values())}


def gemini_shown(answer: Answer, streamed: bool) -> Shown:
    chunks = events_of(answer) if streamed else [answer.json]
    candidates = [chunk["candidates"][0] for chunk in chunks if chunk.get("candidates")]
    parts = [part for one in candidates for part in (one.get("content") or {}).get("parts") or ()]
    shown = Shown(reason=candidates[-1].get("finishReason"), choices=len(chunks[-1].get("candidates") or ()))
    for part in parts:
        if "functionCall" in part:
            call = part["functionCall"]
            shown.calls.append((call.get("id") or "", call["name"], call.get("args") or {}))
        elif not part.get("thought"):
            shown.text += part.get("text") or ""
    shown.refused = shown.reason == "SAFETY" or "asked to refuse" in shown.text
    shown.cached = chunks[-1].get("usageMetadata", {}).get("cachedContentTokenCount") or 0
    shown.turn = [{"role": "model", "parts": parts}]
    return shown


@dataclass(frozen=True)
class Client:
    """A wire as a client speaks it: its path, its body for a feature, what its answer shows, and where turns stand."""

    path: str
    body: Any
    shown: Any
    turns: str
    cut: str
    """How it calls an answer that ran into its cap."""

    def result(self, call: tuple[str, str, Any], text: str) -> Body:
        """A tool's result as the next turn has it."""
        id, name, _ = call
        match self.turns:
            case "input":
                return {"type": "function_call_output", "call_id": id, "output": text}
            case "contents":
                response = {"name": name, "response": {"result": text}} | ({"id": id} if id else {})
                return {"role": "user", "parts": [{"functionResponse": response}]}
            case _ if self.path.endswith("/messages"):
                block = {"type": "tool_result", "tool_use_id": id, "content": text}
                return {"role": "user", "content": [block]}
            case _:
                return {"role": "tool", "tool_call_id": id, "content": text}


CLIENTS: Mapping[str, Client] = {
    "openai-chat": Client("/v1/chat/completions", chat_body, chat_shown, "messages", "length"),
    "openai-responses": Client("/v1/responses", responses_body, responses_shown, "input", "max_output_tokens"),
    "anthropic-messages": Client("/v1/messages", messages_body, messages_shown, "messages", "max_tokens"),
    "gemini": Client("/v1beta/models/{model}:{verb}", gemini_body, gemini_shown, "contents", "MAX_TOKENS"),
}


# --- what is to be seen -----------------------------------------------------------------------------------------------


def flaw(feature: str, asked: Body, client: Client, shown: Shown, sent: str) -> str:
    """What of the feature did not arrive or come back; nothing where all did."""
    words: Body = {
        "system messages": "Be brief.",
        "developer messages": "Be kind.",
        "images by bytes": PNG,
        "images by URL": URL,
        "files": PDF,
        "seeds": '"seed":7',
        "prompt-cache marks": '"cache_control":{"type":"ephemeral"',
    }
    word = words.get(feature)
    if word is not None and word not in sent:
        return f"{word[:30]!r} did not arrive"
    if "result" in asked and asked["result"] not in sent:
        return "the tool's result did not arrive"
    if "result_image" in asked and PNG not in sent:
        return "the image of the tool's result did not arrive"
    names = [name for _, name, _ in shown.calls]
    arguments = [given for _, _, given in shown.calls]
    held = {
        "text": "You wrote: Hello." in shown.text,
        "stream": "You wrote: Hello." in shown.text and shown.reason is not None,
        "tools": names == ["get_weather"] and arguments == [{"city": "city"}],
        "tools, streamed": names == ["get_weather"] and arguments == [{"city": "city"}],
        "parallel tools": names == ["get_weather", "get_time"]
        and (not shown.calls[0][0] or shown.calls[0][0] != shown.calls[1][0]),
        "tool results": "It is sunny." in shown.text,
        "tool choice": names == ["get_time"],
        "stop sequences": shown.text.strip().endswith("word6") and "word7" in sent,
        "logprobs": any(word in sent for word in ('"logprobs":true', "text.logprobs", '"responseLogprobs":true')),
        "n > 1": shown.choices == 2 or '"candidateCount":2' in sent,
        "cached-token usage": shown.cached > 0,
        "stop reasons": shown.reason == client.cut,
        "refusals": shown.refused or shown.reason in ("content_filter", "refusal", "SAFETY"),
        "long context": len(sent) > 200_000 and "You wrote: lorem" in shown.text,
    }
    if feature == "JSON schema":
        return "" if shown.text and json.loads(shown.text) == {"city": "city"} else "the answer is not of the schema"
    if feature == "images by bytes":
        return "" if "1 image" in shown.text else "the image was not seen"
    return "" if held.get(feature, True) else f"the answer shows {shown.text[:60]!r}, {names}, {shown.reason}"


SEALS = {
    "openai-responses": '"encrypted_content":"',
    "anthropic-messages": '"signature":"',
    "gemini": '"thoughtSignature":"',
}
"""Where a provider of each wire finds what it sealed; chat completions of OpenAI's seal nothing."""


class Matrix:
    """A gateway with one provider for each wire out."""

    def __init__(self, served: Gateway) -> None:
        self._served = served

    def cell(self, feature: str, inward: str, outward: str) -> Cell:
        """Runs it."""
        asked, client = FEATURES[feature], CLIENTS[inward]
        marks = inward in ("openai-chat", "anthropic-messages")
        if feature == "cached-token usage" and not marks:
            asked = {name: value for name, value in asked.items() if name != "cache"}
            if outward == "anthropic-messages":
                return Cell(feature, inward, outward, "absent")
        body = client.body(asked)
        if body is None:
            return Cell(feature, inward, outward, "absent")
        made = Cell(feature, inward, outward, "carried")
        answer = self._ask(client, outward, body, asked)
        if answer.status != 200:
            return self._refused(made, answer)
        shown = client.shown(answer, bool(asked.get("stream")))
        made.wrong = flaw(feature, asked, client, shown, self._sent(outward))
        if not made.wrong and asked.get("turns"):
            made.wrong = self._next_turn(client, outward, body, shown, asked)
        warned = answer.headers.get("x-ownkey-warning", "")
        if made.wrong and warned and feature in ("seeds", "prompt-cache marks"):
            made.state, made.says, made.wrong = "ignored", warned, ""
        return made

    def _next_turn(self, client: Client, outward: str, body: Body, shown: Shown, asked: Body) -> str:
        result = client.result(shown.calls[0], "It is sunny.")
        again = {**body, client.turns: [*body[client.turns], *shown.turn, result]}
        answer = self._ask(client, outward, again, asked)
        if answer.status != 200:
            return f"the next turn was answered with {answer.status}: {answer.body[:200]!r}"
        sent = self._sent(outward)
        if outward in SEALS and SEALS[outward] not in sent:
            return "the seal did not go back to its maker"
        return "" if "It is sunny." in client.shown(answer, False).text else "the tool's result did not arrive"

    def _refused(self, cell: Cell, answer: Answer) -> Cell:
        told = json.dumps(answer.json)
        error = answer.json.get("error") or {}
        violations = [one for detail in error.get("details", ()) for one in detail.get("fieldViolations", ())]
        param = error.get("param") or next((one["field"] for one in violations), None)
        cell.state, cell.says = "refused", str(param)
        if answer.status != 422 or "unsupported" not in told.lower() or not param:
            cell.wrong = f"answered with {answer.status}: {told[:300]}"
        return cell

    def _ask(self, client: Client, outward: str, body: Body, asked: Body) -> Answer:
        model = f"out-{outward}/{PROVIDERS[outward][0]}"
        verb = "streamGenerateContent?alt=sse" if asked.get("stream") else "generateContent"
        path = client.path.format(model=model, verb=verb)
        whole = body if "{model}" in client.path else {"model": model, **body}
        return self._served.send("POST", path, json.dumps(whole).encode(), self._served.own)

    def _sent(self, outward: str) -> str:
        """Without the blanks between, which a client may have sent."""
        body = json.loads(self._served.simulator.seen(f"out-{outward}")[-1].body)
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


@contextmanager
def running(home: Path, simulator: Simulator, outward: tuple[str, ...] = OUT) -> Iterator[Matrix]:
    folder = home / "providers"
    folder.mkdir(parents=True)
    for name in outward:
        (folder / f"out-{name}.toml").write_text(_provider(name, simulator))
    with library(home) as ownkey:
        for name in outward:
            ownkey.keys.set(f"out-{name}", KEYS["openai"])
    with gateway(home, simulator) as served:
        yield Matrix(served)


def _provider(name: str, simulator: Simulator) -> str:
    model, version, auth, quirk = PROVIDERS[name]
    price = f'price = {{ input = "{PRICE["input"]}", output = "{PRICE["output"]}" }}'
    return f"""
        id = "out-{name}"
        name = "Out"
        kind = "local"
        wire = "{name}"
        base_url = "{simulator.url}/fault/name=out-{name}/{version}"
        auth = {{ {auth} }}
        quirks = {{ {quirk} }}
        [[models]]
        id = "{model}"
        context = 1_000_000
        max_output = 64_000
        {price}
    """


def cells(matrix: Matrix) -> list[Cell]:
    return [matrix.cell(feature, inward, outward) for feature in FEATURES for inward in IN for outward in OUT]


# --- the page ---------------------------------------------------------------------------------------------------------

PAGE = Path(__file__).parent.parent / "docs" / "matrix.md"
SIGNS = {"carried": "✓", "refused": "422", "ignored": "warns", "absent": "–"}

HEAD = """# The matrix

What a client says in its wire (the rows) and what a provider hears in its own (the columns). Every cell was run, by a
client's own request through a gateway to a provider on a port; `make docs` runs them all again and writes this page.

- **✓** carried: it arrived, and what was answered came back.
- **422** refused: `unsupported`, with the name of the field that cannot be carried.
- **warns**: the provider has no such setting; it is left out, and the answer's `x-ownkey-warning` says so.
- **–**: the client's wire has no word for it.
"""


def page(found: list[Cell]) -> str:
    lines = [HEAD]
    by = {(cell.feature, cell.inward, cell.outward): cell for cell in found}
    for inward in IN:
        lines += [f"## From {inward}\n", f"| to | {' | '.join(OUT)} |", "|---" * (len(OUT) + 1) + "|"]
        for feature in FEATURES:
            shown = [by[feature, inward, outward] for outward in OUT]
            lines.append(f"| {feature} | {' | '.join(_sign(cell) for cell in shown)} |")
        lines.append("")
    return "\n".join(lines)


def _sign(cell: Cell) -> str:
    return f"422 `{cell.says}`" if cell.state == "refused" else SIGNS[cell.state]


def main() -> None:
    simulator = Simulator()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "home", simulator) as matrix:
        found = cells(matrix)
    simulator.close()
    for cell in found:
        if cell.wrong:
            print(f"{cell.feature}: {cell.inward} to {cell.outward}: {cell.wrong}")
    PAGE.write_text(page(found), "utf-8")


if __name__ == "__main__":
    main()
