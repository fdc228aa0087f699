"""What the simulator says: the same words for the same question, on every wire."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from ownkey.simulate.sample import sample

_TOKEN = re.compile(r"\s*(?:\w+|[^\w\s])|\s+")
_USE_TOOL = re.compile(r"use tool ([\w-]+(?:\.[\w-]+)*)", re.IGNORECASE)
_GO_ON = re.compile(r"\bgo on\b", re.IGNORECASE)
_SAY_WORDS = re.compile(r"say (\d{1,6}) words", re.IGNORECASE)
_SAY_THIS = re.compile(r"say this:\s*(.+)", re.IGNORECASE | re.DOTALL)

IMAGE_TOKENS = 85
"""What an image counts, whatever its size."""

PERSONS = ("user", "system", "developer", "tool")

Finish = Literal["stop", "stop_sequence", "length", "tools", "refusal"]


class Tool(Struct, frozen=True):
    name: str
    schema: dict[str, Any]


class Asked(Struct, frozen=True):
    """A request, as far as the simulator cares.

    `text` is the last message where a person wrote it, `tool_result` where a tool did. `begun` is what has been said
    of the answer already: it is gone on with. `choice` is `auto`, `none`,
    `required`, or a tool's name. `output` is the JSON Schema that the answer shall fit. `cache_read` and
    `cache_written` are parts of `prompt_tokens`. `sse`: a stream of events, and not one JSON array.
    """

    seed: str
    model: str
    stream: bool
    text: str
    prompt_tokens: int
    tool_result: str | None = None
    images: int = 0
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    choice: str = "auto"
    parallel: bool = True
    output: dict[str, Any] | None = None
    reasoning: Literal["none", "hidden", "shown"] = "none"
    cache_read: int = 0
    cache_written: int = 0
    choices: int = 1
    usage_in_stream: bool = True
    sse: bool = True
    tier: str = "default"
    begun: str = ""


class Call(Struct, frozen=True):
    """`id` is 24 characters, without the wire's own prefix; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str

    @property
    def tokens(self) -> int:
        return count(self.name) + count(self.arguments)


class Said(Struct, frozen=True):
    """An answer in tokens."""

    finish: Finish
    reasoning: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    refusal: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    stop_sequence: str | None = None

    @property
    def reasoning_tokens(self) -> int:
        return len(self.reasoning)

    @property
    def answer_tokens(self) -> int:
        """All that was written but the reasoning."""
        return len(self.text) + len(self.refusal) + sum(call.tokens for call in self.calls)


def asked_of(turns: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """What a person asked, and what has been said of the answer: where the last of these turns, each a role and its
    text, is an answer that was begun, or the word to go on with the one before."""
    (role, text), before = turns[-1], turns[:-1]
    if before and role not in PERSONS:
        return before[-1][1], text
    if len(before) > 1 and _GO_ON.search(text) and before[-1][0] not in PERSONS:
        return before[-2][1], before[-1][1]
    return text, ""


def tokens(text: str) -> tuple[str, ...]:
    """The rule by which usage is counted: a run of letters and digits is a token, and so is every other visible
    character; white space goes with what follows it. No token is shorter than a byte."""
    return tuple(_TOKEN.findall(text))


def count(text: str) -> int:
    return len(tokens(text))


def stable(*parts: bytes) -> str:
    """64 hexadecimal digits, the same for the same parts."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def echo(asked: Asked) -> str:
    """The simulator's plain answer."""
    return f"This is Ownkey's simulator in place of {asked.model}; no model was asked. {heard(asked)}"


def heard(asked: Asked) -> str:
    """What came in, said back."""
    if asked.tool_result is not None:
        return f"The tool answered: {_short(asked.tool_result)}"
    images = f" You sent {asked.images} image{'s' if asked.images > 1 else ''}." if asked.images else ""
    return f"You wrote: {_short(asked.text)}{images}" if asked.text else f"You wrote nothing.{images}"


def speak(asked: Asked, opening: Callable[[Asked], str] = echo) -> Said:
    """The answer. `opening` gives its words where nothing else was asked for."""
    thought = tokens("The question is short, so a short answer will do.") if asked.reasoning != "none" else ()
    left = asked.max_tokens if asked.max_tokens is not None else 1 << 31
    reasoning, left = thought[:left], max(0, left - len(thought))
    if "refuse this" in asked.text.lower():
        return Said("refusal", reasoning, refusal=tokens("The simulator was asked to refuse this, and does.")[:left])
    wanted = _calls(asked)
    if wanted:
        calls = _fitting(wanted, left)
        return Said("tools" if calls == wanted else "length", reasoning, calls=calls)
    answer = _text(asked, opening)
    text, stop = _stopped(answer.removeprefix(asked.begun), asked.stop)
    whole = tokens(text)
    if len(whole) > left or len(reasoning) < len(thought):
        return Said("length", reasoning, whole[:left])
    return Said("stop_sequence" if stop else "stop", reasoning, whole, stop_sequence=stop)


def _text(asked: Asked, opening: Callable[[Asked], str]) -> str:
    if asked.output is not None:
        return msgspec.json.encode(sample(asked.output)).decode()
    many = _SAY_WORDS.search(asked.text)
    if many:
        return " ".join(f"word{number}" for number in range(1, int(many[1]) + 1))
    this = _SAY_THIS.search(asked.text)
    return this[1] if this else opening(asked)


def _calls(asked: Asked) -> tuple[Call, ...]:
    if not asked.tools or asked.choice == "none":
        return ()
    named = {name.lower() for name in _USE_TOOL.findall(asked.text)}
    if asked.choice not in ("auto", "required"):
        chosen = [tool for tool in asked.tools if tool.name == asked.choice]
    elif "use all tools" in asked.text.lower():
        chosen = list(asked.tools)
    else:
        chosen = [tool for tool in asked.tools if tool.name.lower() in named]
    if asked.choice == "required" and not chosen:
        chosen = [asked.tools[0]]
    if not asked.parallel:
        chosen = chosen[:1]
    return tuple(
        Call(
            stable(asked.seed.encode(), str(index).encode())[:24],
            tool.name,
            msgspec.json.encode(sample(tool.schema)).decode(),
        )
        for index, tool in enumerate(chosen)
    )


def _fitting(calls: tuple[Call, ...], left: int) -> tuple[Call, ...]:
    fitting: list[Call] = []
    for call in calls:
        left -= call.tokens
        if left < 0:
            break
        fitting.append(call)
    return tuple(fitting)


def _stopped(text: str, stops: tuple[str, ...]) -> tuple[str, str | None]:
    found = min(((text.find(stop), stop) for stop in stops if stop and stop in text), default=None)
    return (text, None) if found is None else (text[: found[0]], found[1])


def _short(text: str, limit: int = 40) -> str:
    words = text.split()
    return " ".join(words[:limit]) + (" …" if len(words) > limit else "")
