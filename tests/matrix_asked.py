"""What a client of each wire sends for a feature of the matrix; None where its wire has no word for it."""

from __future__ import annotations

import json
from typing import Any

Body = dict[str, Any]

CALL = ("call_0123456789abcdef01234567", "get_weather", {"city": "Paris"})


def schema_of(name: str) -> Body:
    field_name = {"get_weather": "city", "get_time": "zone"}[name]
    return {"type": "object", "properties": {field_name: {"type": "string"}}, "required": [field_name]}


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
