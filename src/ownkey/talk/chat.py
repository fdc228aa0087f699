"""What is asked: messages, tools, and how the answer should be. The same for every provider."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

Role = Literal["system", "developer", "user", "assistant", "tool"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Text(Struct, frozen=True, tag="text"):
    """`signature`: a provider's seal on this text (Gemini puts one on the part after thinking), to be sent back."""

    text: str
    signature: str | None = None


class Image(Struct, frozen=True, tag="image"):
    """Either `data` (base64 text, with its `media_type`) or a `url`, which Ownkey never fetches."""

    data: str | None = None
    media_type: str | None = None
    url: str | None = None
    detail: str | None = None


class File(Struct, frozen=True, tag="file"):
    """A document or a sound: `data` (base64 text) of `media_type`, or a `url`, which Ownkey never fetches."""

    data: str | None = None
    media_type: str | None = None
    url: str | None = None
    name: str | None = None


class CacheMark(Struct, frozen=True, tag="cache_mark"):
    """What stands before it in the request shall be kept in the provider's cache; `ttl` as in `5m`, `1h`."""

    ttl: str | None = None


class Reasoning(Struct, frozen=True, tag="reasoning"):
    """What the model thought. `signature` and `sealed` are the provider's own and go back unchanged next turn,
    over the wire `maker`, by which they came: no other provider can read them."""

    text: str
    signature: str | None = None
    sealed: str | None = None
    maker: str | None = None


class ToolCall(Struct, frozen=True, tag="tool_call"):
    """`arguments` is JSON text, as the model wrote it. `signature` is Gemini's, which puts one on a call."""

    id: str
    name: str
    arguments: str
    signature: str | None = None


class ToolResult(Struct, frozen=True, tag="tool_result"):
    """`call_id` is the `ToolCall.id` it answers; `name` the tool's, where it is known."""

    call_id: str
    parts: tuple[Text | Image | File | CacheMark, ...]
    name: str | None = None
    failed: bool = False


class Refusal(Struct, frozen=True, tag="refusal"):
    text: str


class Opaque(Struct, frozen=True, tag="opaque"):
    """A piece that only `wire` understands (a server tool's call or result), kept to be sent back to it."""

    wire: str
    raw: dict[str, Any]


Part = Text | Image | File | CacheMark | Reasoning | ToolCall | ToolResult | Refusal | Opaque


class Message(Struct, frozen=True):
    role: Role
    parts: tuple[Part, ...]
    name: str | None = None

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Text))


class Tool(Struct, frozen=True):
    """`parameters` is a JSON Schema. `cache` marks the tools up to this one."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    cache: CacheMark | None = None


class ToolChoice(Struct, frozen=True):
    """`name` is given where `mode` is `named`."""

    mode: Literal["auto", "none", "required", "named"]
    name: str | None = None


class JsonOutput(Struct, frozen=True):
    """The answer shall be JSON: of this schema, or any where there is none."""

    schema: dict[str, Any] | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


class Thinking(Struct, frozen=True):
    """How much the model shall think: by effort, or by a number of tokens. Neither: as the provider sees fit."""

    effort: Effort | None = None
    budget_tokens: int | None = None


class Chat(Struct, frozen=True):
    """One request. None means: not said, the provider's own default holds."""

    messages: tuple[Message, ...]
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    output: JsonOutput | None = None
    thinking: Thinking | None = None
    user: str | None = None
    other: dict[str, Any] = field(default_factory=dict[str, Any])
    """Fields of the caller's wire that have no word here, by their own name."""


def user(text: str) -> Message:
    return Message("user", (Text(text),))


def system(text: str) -> Message:
    return Message("system", (Text(text),))
