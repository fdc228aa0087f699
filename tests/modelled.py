"""A provider of chats that answers what it is told to, word for word, at two models of known price."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from answering import Provider, Said, answering, json_answer
from house import KEYS, library
from scripted import answer

PATH = "/v1/chat/completions"
SMALL, LARGE = "modelled/small", "modelled/large"
PRICES = {"small": ("1", "2"), "large": ("10", "40")}
"""USD per million tokens, in and out."""


@dataclass
class Modelled:
    """`home` has it as a provider with a key, which what it was asked holds: a test that fails does not show that."""

    home: Path
    provider: Provider = field(repr=False)

    def says(self, *answers: Any, tokens: tuple[int, int] = (1_000, 100)) -> None:
        """From now on: texts, JSON, or bytes as they are; the last for ever."""
        said: list[bytes] = [one if isinstance(one, bytes) else completion(one, tokens) for one in answers]
        self.provider.begin({PATH: said if len(said) > 1 else said[0]})

    @property
    def asked(self) -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in self.provider.heard(PATH)]

    def prompt(self, number: int = 0) -> str:
        """What the user's first message of a request said."""
        return next(one["content"] for one in self.asked[number]["messages"] if one["role"] == "user")


def completion(said: Any, tokens: tuple[int, int] = (1_000, 100), finish: str = "stop") -> bytes:
    text = said if isinstance(said, str) else json.dumps(said)
    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    body = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return json_answer(json.dumps(body).encode())


def streamed(text: str, tokens: tuple[int, int] = (1_000, 100)) -> bytes:
    """The same as a stream."""

    def event(**fields: Any) -> str:
        body = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"} | fields
        return f"data: {json.dumps(body)}\n\n"

    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
    pieces = [
        event(choices=[{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]),
        event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
        event(choices=[], usage=usage),
        "data: [DONE]\n\n",
    ]
    return answer("".join(pieces).encode(), 200, "content-type: text/event-stream")


@contextmanager
def modelled(home: Path, says: Sequence[Said] = ()) -> Iterator[Modelled]:
    with answering({PATH: list(says)} if says else {}) as provider:
        models = "".join(
            f'[[models]]\nid = "{name}"\ncontext = 128_000\nmax_output = 4_096\ndoes = ["chat", "stream", "json"]\n'
            f'price = {{ input = "{price[0]}", output = "{price[1]}" }}\n'
            for name, price in PRICES.items()
        )
        text = (
            f'id = "modelled"\nname = "Modelled"\nkind = "local"\nwire = "openai-chat"\n'
            f'base_url = "{provider.url}/v1"\ndefault = "small"\n{models}'
        )
        with library(home) as ownkey:
            (home / "providers").mkdir(exist_ok=True)
            (home / "providers" / "modelled.toml").write_text(text)
            ownkey.keys.set("modelled", KEYS["openai"])
        yield Modelled(home, provider)
