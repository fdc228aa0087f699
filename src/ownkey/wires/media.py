"""What passes through in OpenAI's form: images, sounds, moderations, and rankings. Bytes both ways, but for the model.

Source: OpenAI's API reference (Images, Audio, Moderations); Voyage AI's, Jina's and Cohere's (Rerank).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from ownkey.talk.errors import UnexpectedResponse
from ownkey.talk.reply import Usage
from ownkey.wires.form import Form, read_form
from ownkey.wires.members import REFUSED, decode_members, model_name, refused, whole_number
from ownkey.wires.openai_chat.ask import MOST_CHOICES
from ownkey.wires.openai_chat.usage import usage_of
from ownkey.wires.openai_error import error_in, unreadable

JSON = b"application/json"

_TYPE = re.compile(
    rb"[a-z]{1,16}/[a-z0-9.+-]{1,64}(?:\s{0,2};\s{0,2}[a-z]{1,16}=[\x21\x23-\x3a\x3c-\x7e]{1,64}){0,4}", re.IGNORECASE
)
# What a browser would run, were it shown as what it says it is.
_SHOWN = re.compile(
    rb"audio/.*|image/(?!svg).*|video/.*|application/(?:json|x-subrip|octet-stream|ogg)|text/(?:plain|vtt|event-stream|srt)",
    re.IGNORECASE,
)
_TELLING = frozenset({"images", "image_edits", "rerank"})


class MediaAsk(Struct):
    """A client's request: a JSON object by its members, or a form.

    `choices`: how many pictures are asked for. `tells_usage`: the provider is known to say what it counted, in the form
    that is asked for.
    """

    operation: str
    model: str
    fields: dict[str, Raw] | None
    form: Form | None
    choices: int
    tells_usage: bool

    def forward(self, model: str) -> bytes:
        """Every byte as it came but the model."""
        if self.form is not None:
            return self.form.replaced("model", model)
        assert self.fields is not None
        return msgspec.json.encode({**self.fields, "model": Raw(msgspec.json.encode(model))})

    @property
    def content_type(self) -> bytes:
        return JSON if self.form is None else self.form.content_type


def read_media_ask(operation: str, body: bytes, content_type: bytes) -> MediaAsk:
    """Raises InvalidRequest, naming the field."""
    form: Form | None = None
    fields: dict[str, Raw] | None = None
    if content_type.lower().startswith(b"multipart/"):
        form = read_form(body, content_type)
        for name in sorted(REFUSED & {part.name.partition("[")[0] for part in form.parts}):
            raise refused(name)
        model, wanted, count = form.value("model"), form.value("response_format"), form.value("n")
    else:
        values, fields = decode_members(body)
        model, wanted, count = values.get("model"), values.get("response_format"), values.get("n")
    return MediaAsk(operation, model_name(model), fields, form, _choices(count), _tells(operation, wanted))


def read_usage(body: bytes, content_type: bytes) -> Usage:
    """What the answer says was counted; nothing is known where it says nothing.

    Raises UnexpectedResponse for what is no answer, or the error that it tells of.
    """
    kind = content_type.partition(b";")[0].strip().lower()
    if not body or kind in (b"text/html", b"application/xhtml+xml"):
        raise unreadable("it is a page, or empty")
    if kind == b"text/event-stream":
        return _last_usage(body)
    if kind != JSON:
        return Usage()
    try:
        answer: object = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise unreadable("it is not JSON") from None
    return _usage(_checked(answer))


def shown_type(headers: Mapping[bytes, bytes]) -> bytes:
    """The answer's content type, fit to be passed on; plain bytes where it is none that is known to be harmless."""
    kind = headers.get(b"content-type", b"").strip()
    if _TYPE.fullmatch(kind) and _SHOWN.fullmatch(kind.partition(b";")[0].strip()):
        return kind
    return b"application/octet-stream"


def _tells(operation: str, wanted: object) -> bool:
    """Transcripts tell their usage in JSON only (Audio, Create transcription); what is spoken tells none."""
    return operation in _TELLING or (operation == "transcriptions" and wanted in (None, "json"))


def _choices(count: object) -> int:
    number = int(count) if isinstance(count, str) and count.isascii() and count.isdigit() else count
    if number is None:
        return 1
    return whole_number("n", number, MOST_CHOICES)


def _last_usage(body: bytes) -> Usage:
    """A picture comes in one event of megabytes, on one line."""
    usage = Usage()
    for line in body.splitlines():
        try:
            told: object = msgspec.json.decode(line.removeprefix(b"data:")) if line.startswith(b"data:") else None
        except (ValueError, RecursionError):
            continue
        found = _usage(_checked(told))
        usage = usage if found == Usage() else found
    return usage


def _checked(answer: object) -> dict[str, Any]:
    if not isinstance(answer, dict):
        return {}
    said = cast("dict[str, Any]", answer)
    if said.get("error") or said.get("type") == "error":
        raise error_in(said) or UnexpectedResponse("The provider's answer tells of an error.")
    return said


def _usage(said: dict[str, Any]) -> Usage:
    """OpenAI counts input and output, and the sounds in the input apart; those who rank give but a total."""
    raw = said.get("usage")
    told = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
    usage = usage_of({**told, "prompt_tokens_details": told.get("input_token_details") or {}})
    if usage == Usage():
        total = usage_of({"input_tokens": told.get("total_tokens")}).input_tokens
        return usage if total is None else Usage(input_tokens=total, output_tokens=0)
    return usage
