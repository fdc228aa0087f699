"""A request for embeddings in Gemini's form: read from clients, written for providers.

Google reads a field by its name in camel case and in snake case; so does this.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw, json

from ownkey.talk.embed import Embed
from ownkey.talk.errors import Unsupported
from ownkey.wires.embedding import EmbedAsk, NamedEmbed
from ownkey.wires.gemini.values import Object, as_list, as_object, as_text
from ownkey.wires.members import decode_members, model_name, whole_number, wrong
from ownkey.wires.other import carried
from ownkey.wires.wire import Written

MOST_DIMENSIONS = 2**20

_requests = json.Decoder(list[dict[str, Raw]])
_TASK, _DIMENSIONS = ("taskType", "task_type"), ("outputDimensionality", "output_dimensionality")
_KNOWN = frozenset({"model", "content", "title", *_TASK, *_DIMENSIONS})


def read_ask(body: bytes, named: NamedEmbed) -> EmbedAsk:
    """Raises InvalidRequest, naming the field."""
    value, fields = decode_members(body)
    requests = _asked(value, batch=named.batch)
    parts = [_parts(request) for request in requests]
    texts = [as_text(part.get("text")) for inner in parts for part in inner]
    return EmbedAsk(
        model=model_name(named.model),
        fields=fields,
        count=len(requests),
        text_bytes=sum(len(text.encode()) for text in texts if text),
        text_only=all(part.keys() <= {"text"} for inner in parts for part in inner),
        batch=named.batch,
    )


def read_embed(ask: EmbedAsk) -> Embed:
    """Raises Unsupported where another provider cannot be asked for it: a vector of several parts or of what is no
    text, and texts of different settings in one request."""
    raw = as_object(json.decode(json.encode(ask.fields)))
    requests = _asked(raw, batch=ask.batch)
    first = requests[0]
    for name in ("title", "task", "dimensions"):
        if any(_settings(request)[name] != _settings(first)[name] for request in requests):
            raise Unsupported(
                f"The texts of one request must have the same {name} with this provider.",
                "Send those that differ in requests of their own.",
                param=f"requests[].{name}",
            )
    settings = _settings(first)
    other = {name: value for request in requests for name, value in request.items() if name not in _KNOWN}
    task = settings["task"]
    return Embed(
        tuple(_text(request) for request in requests),
        settings["dimensions"],
        task=task.lower() if isinstance(task, str) and task != "TASK_TYPE_UNSPECIFIED" else None,
        title=as_text(settings["title"]),
        other=other,
    )


def forward(ask: EmbedAsk, model: str) -> bytes:
    """A batch in which every request has its own bytes but the model."""
    requests = _requests.decode(ask.fields["requests"]) if ask.batch else [ask.fields]
    name = Raw(json.encode(_resource(model)))
    return json.encode({**(ask.fields if ask.batch else {}), "requests": [{**one, "model": name} for one in requests]})


def write_embed(embed: Embed, model: str) -> Written:
    warnings = [] if embed.user is None else ["user has no counterpart at this provider and was left out."]
    settings: Object = {"model": _resource(model)}
    if embed.dimensions is not None:
        settings["outputDimensionality"] = embed.dimensions
    if embed.task is not None:
        settings["taskType"] = embed.task.upper()
    if embed.title is not None:
        settings["title"] = embed.title
    carried(embed.other, frozenset(), warnings)
    requests: list[Object] = []
    for one in embed.inputs:
        if not isinstance(one, str):
            raise Unsupported("Tokens cannot be carried to this provider.", "Send texts.", param="input")
        requests.append({**settings, "content": {"parts": [{"text": one}]}})
    return Written(json.encode({"requests": requests}), tuple(warnings))


def _resource(model: str) -> str:
    return model if "/" in model else f"models/{model}"


def _asked(value: Object, *, batch: bool) -> list[Object]:
    requests = [as_object(one) for one in as_list(value.get("requests"))] if batch else [value]
    if not requests:
        raise wrong("requests", "an array of at least one request")
    for request in requests:
        dimensions = _settings(request)["dimensions"]
        if dimensions is not None:
            whole_number("outputDimensionality", dimensions, MOST_DIMENSIONS)
        if not _parts(request):
            raise wrong("content", "a content with at least one part")
    return requests


def _settings(request: Object) -> Object:
    return {
        "title": request.get("title"),
        "task": next((request[name] for name in _TASK if name in request), None),
        "dimensions": next((request[name] for name in _DIMENSIONS if name in request), None),
    }


def _parts(request: Object) -> list[Object]:
    return [as_object(part) for part in as_list(as_object(request.get("content")).get("parts"))]


def _text(request: Object) -> str:
    parts = _parts(request)
    text: Any = parts[0].get("text")
    if len(parts) != 1 or parts[0].keys() != {"text"} or not isinstance(text, str):
        raise Unsupported(
            "Only one text for each vector can be carried to this provider.", "Send one part, a text.", param="content"
        )
    return text
