"""Chat completions as providers answer them whole, and their lists of models."""

from __future__ import annotations

from typing import Any, cast

from msgspec import json

from ownkey.catalog.manifest import Model
from ownkey.talk.reply import Event, Reply, UsageReport, collect
from ownkey.wires.openai_chat import form as form
from ownkey.wires.openai_chat.error import unreadable
from ownkey.wires.openai_chat.stream import Speech, start_of
from ownkey.wires.openai_chat.usage import failed, finish_of, usage_of
from ownkey.wires.wire import Listed, Passed


def read_reply(body: bytes) -> Reply:
    """The first choice of a whole answer. Raises UnexpectedResponse, or the error that the body tells of."""
    try:
        whole = form.answer.decode(body)
    except (ValueError, RecursionError):
        raise form.broken(body) from None
    choice = _checked(whole, body)[0]
    said = choice.message or choice.delta or form.Said()
    for place, call in enumerate(said.tool_calls or ()):
        call.index = place
    speech = Speech(whole.id)
    events: list[Event] = [start_of(whole), *speech.add(said)]
    speech.check()
    usage = usage_of(whole.usage, whole.x_groq, whole.service_tier)
    return collect([*events, UsageReport(usage), finish_of(choice.finish_reason)])


def pass_reply(body: bytes) -> Passed:
    """A whole answer with all its choices, read only as far as money and health need it."""
    try:
        whole = form.passing.decode(body)
    except (ValueError, RecursionError):
        raise form.broken(body) from None
    choices = _checked(whole, body)
    return Passed(
        body=body,
        usage=usage_of(whole.usage, whole.x_groq, whole.service_tier),
        finish=choices[0].finish_reason,
        text_bytes=sum(form.written(choice.message) for choice in choices if choice.message is not None),
    )


def read_models(body: bytes) -> Listed:
    """`{"data": [...]}`, or the bare list that Together gives. Lengths stand under one name or another."""
    try:
        said: object = json.decode(body)
    except (ValueError, RecursionError):
        raise unreadable("it is not a list of models") from None
    found = cast("dict[str, Any]", said).get("data") if isinstance(said, dict) else said
    if not isinstance(found, list):
        raise form.fault(body) or unreadable("it is not a list of models")
    return Listed(tuple(model for item in cast("list[object]", found) if (model := _model(item)) is not None))


def _checked(whole: form.Passing, body: bytes) -> list[form.Choice]:
    if whole.error or not whole.choices:
        raise form.fault(body) or unreadable("it holds no choice")
    for choice in whole.choices:
        if choice.error or failed(choice.finish_reason):
            raise form.broke_off(choice)
    return whole.choices


def _model(item: object) -> Model | None:
    if not isinstance(item, dict):
        return None
    said = cast("dict[str, Any]", item)
    id, name, top = said.get("id"), said.get("name"), said.get("top_provider")
    if not isinstance(id, str) or not id:
        return None
    most = cast("dict[str, Any]", top).get("max_completion_tokens") if isinstance(top, dict) else None
    return Model(
        id=id,
        name=name if isinstance(name, str) and name else None,
        context=_size(said, "context_length", "context_window", "max_context_length", "max_model_len"),
        max_output=_size({"top": most, **said}, "top", "max_completion_tokens", "max_output_tokens"),
    )


def _size(said: dict[str, Any], *names: str) -> int | None:
    found = (said.get(name) for name in names)
    return next((value for value in found if type(value) is int and value > 0), None)
