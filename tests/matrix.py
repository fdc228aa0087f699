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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from house import KEYS, PRICE, Answer, Gateway, Simulator, gateway, library
from matrix_asked import Body, chat_body, gemini_body, messages_body, responses_body
from matrix_shown import Shown, chat_shown, gemini_shown, messages_shown, responses_shown
from ownkey.wires.wire import TABLE, Door, wire

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
    "ollama": ("sim-small", "api", 'header = "authorization"', 'thinking = { by = "effort" }'),
}
"""For each wire out: the model, the version in its path, how the key is shown, and a quirk."""


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
        "parallel tools": names == ["get_weather", "get_time"] and _apart(shown),
        "tool results": "It is sunny." in shown.text,
        "tool choice": names == ["get_time"],
        "stop sequences": shown.text.strip().endswith("word6") and "word7" in sent,
        "logprobs": any(word in sent for word in ('"logprobs":true', "text.logprobs", '"responseLogprobs":true')),
        "n > 1": shown.choices == 2 or '"candidateCount":2' in sent,
        "cached-token usage": shown.cached > 0,
        "stop reasons": shown.reason == client.cut,
        "refusals": shown.refused
        or "asked to refuse" in shown.text
        or shown.reason in ("content_filter", "refusal", "SAFETY"),
        "long context": len(sent) > 200_000 and "You wrote: lorem" in shown.text,
    }
    if feature == "JSON schema":
        return "" if shown.text and json.loads(shown.text) == {"city": "city"} else "the answer is not of the schema"
    if feature == "images by bytes":
        return "" if "1 image" in shown.text else "the image was not seen"
    return "" if held.get(feature, True) else f"the answer shows {shown.text[:60]!r}, {names}, {shown.reason}"


def _apart(shown: Shown) -> bool:
    """Gemini's own calls have no ids; any others have different ones."""
    ids = [id for id, _, _ in shown.calls]
    return not any(ids) or len(set(ids)) == len(ids)


REFUSED = ("content_filter", "refusal", "SAFETY")
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
        if (feature, outward) == ("cached-token usage", "ollama"):
            return Cell(feature, inward, outward, "absent")
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
- **–**: one of the two wires has no word for it: the client cannot ask, or the provider never tells.
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
