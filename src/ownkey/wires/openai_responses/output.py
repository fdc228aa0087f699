"""A response and its output items, as a client of OpenAI's reads them.

Source: OpenAI's API reference (Responses: the response object, output items).
"""

from __future__ import annotations

import re
from typing import Any

from msgspec import json

from ownkey.talk.chat import Image, Opaque, Part, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.reply import Finish, Reply, Usage
from ownkey.wires.openai_responses.form import NAME
from ownkey.wires.seal import Kind, Seal, wrap

Json = dict[str, Any]

OURS = "_ownkey_"
"""Stands in the id of every item that is made here. OpenAI does not know such an item."""

# OpenAI takes ids of letters, digits, `_` and `-`, of 64 characters at most.
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_STEM = 40
_NO_ID = "ownkey"
_CUT_SHORT = {"length": "max_output_tokens", "content_filter": "content_filter"}


def write_reply(reply: Reply, model: str) -> bytes:
    """A whole response. Seals of other providers stand wrapped where OpenAI's would."""
    made = Made(reply.id)
    output = [item for part in reply.parts for item in made.items(part)]
    if output and cut_short(reply.finish) and output[-1]["type"] in ("message", "function_call"):
        output[-1] = {**output[-1], "status": "incomplete"}
    return json.encode(response(made.id, model, reply.created, output, reply.finish, reply.usage))


def cut_short(finish: Finish) -> str | None:
    """Why the answer is not whole, by OpenAI's word for it."""
    return _CUT_SHORT.get(finish.unified)


class Made:
    """Makes items, each with an id of its own."""

    def __init__(self, id: str | None) -> None:
        self._stem = _NOT_IN_IDS.sub("", (id or _NO_ID).removeprefix("resp_"))[:_LONGEST_STEM] or _NO_ID
        self.id = f"resp_{self._stem}"
        self._count = 0

    def new_id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{OURS}{self._stem}_{self._count}"

    def items(self, part: Part) -> list[Json]:
        match part:
            case Text(text=text, signature=signature):
                sealed = [self.sealed("text", signature)] if signature else []
                return [*sealed, self.message([output_text(text)])] if text else sealed
            case Refusal(text=text):
                return [self.message([{"type": "refusal", "refusal": text}])]
            case Reasoning():
                return [self.reasoning(part.text, part.signature, part.sealed, part.maker)]
            case ToolCall():
                sealed = [self.sealed("call", part.signature)] if part.signature else []
                return [*sealed, self.call(part.id, part.name, part.arguments or "{}")]
            case Image(data=str(data)):
                kind = (part.media_type or "image/png").removeprefix("image/")
                done = {"id": self.new_id("ig"), "status": "completed", "result": data, "output_format": kind}
                return [{"type": "image_generation_call", **done}]
            case Image():
                return [self.message([output_text(linked(part))])]
            case Opaque(wire=wire, raw=raw) if wire == NAME:
                return [raw]
            case _:
                return []

    def message(self, content: list[Json], status: str = "completed", id: str | None = None) -> Json:
        id = id or self.new_id("msg")
        return {"type": "message", "id": id, "role": "assistant", "status": status, "content": content}

    def call(self, call_id: str, name: str, arguments: str, status: str = "completed", id: str | None = None) -> Json:
        head = {"type": "function_call", "id": id or self.new_id("fc"), "status": status}
        return {**head, "call_id": call_id, "name": name, "arguments": arguments}

    def reasoning(
        self, text: str, signature: str | None, sealed: str | None, maker: str | None, id: str | None = None
    ) -> Json:
        summary = [{"type": "summary_text", "text": text}] if text else []
        item: Json = {"type": "reasoning", "id": id or self.new_id("rs"), "summary": summary}
        value = signature or sealed
        if value and maker != NAME:
            kind: Kind = "signature" if signature else "sealed"
            value = wrap(Seal(maker or "", kind, value))
        if value:
            item["encrypted_content"] = value
        return item

    def sealed(self, kind: Kind, value: str) -> Json:
        """Gemini's signature on what follows."""
        sealed = wrap(Seal("gemini", kind, value))
        return {"type": "reasoning", "id": self.new_id("rs"), "summary": [], "encrypted_content": sealed}


def output_text(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def linked(image: Image) -> str:
    """A picture that is told by its address, as Markdown."""
    return f"![image]({image.url})"


def response(
    id: str, model: str, created: int | None, output: list[Json], finish: Finish | None, usage: Usage | None
) -> Json:
    """The response object; in progress where there is no `finish` yet. Settings are told as their defaults."""
    reason = cut_short(finish) if finish else None
    return {
        "id": id,
        "object": "response",
        "created_at": created or 0,
        "status": "in_progress" if finish is None else "incomplete" if reason else "completed",
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "truncation": "disabled",
        "usage": None if usage is None else usage_object(usage),
        "user": None,
    }


def usage_object(usage: Usage) -> Json:
    """Unknown is told as 0: @ai-sdk/openai takes no response whose counts are not numbers."""
    inward, outward = usage.input_tokens or 0, usage.output_tokens or 0
    cached = {"cached_tokens": usage.cached_tokens or 0, "cache_write_tokens": usage.cache_write_tokens or 0}
    return {
        "input_tokens": inward,
        "input_tokens_details": cached,
        "output_tokens": outward,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": inward + outward,
    }
