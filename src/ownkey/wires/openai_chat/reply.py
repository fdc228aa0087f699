"""Chat completions as providers answer them whole."""

from __future__ import annotations

from ownkey.talk.reply import Event, Reply, UsageReport, collect
from ownkey.wires.openai_chat import form as form
from ownkey.wires.openai_chat.stream import Speech, start_of
from ownkey.wires.openai_chat.usage import failed, finish_of, usage_of
from ownkey.wires.openai_error import unreadable
from ownkey.wires.wire import Passed


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


def _checked(whole: form.Passing, body: bytes) -> list[form.Choice]:
    if whole.error or not whole.choices:
        raise form.fault(body) or unreadable("it holds no choice")
    for choice in whole.choices:
        if choice.error or failed(choice.finish_reason):
            raise form.broke_off(choice)
    return whole.choices
