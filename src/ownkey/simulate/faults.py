"""The language in which faults are asked for: `status=429;retry-after=2;times=3`.

Names and values, separated by `;` or `,`; a name alone is a flag; `none` or nothing is health. Every name has its
heading in docs/simulate.md.
"""

from __future__ import annotations

import random
from typing import Annotated
from urllib.parse import unquote

import msgspec
from msgspec import Meta, Struct

from ownkey.simulate.failing import Reason, Usage
from ownkey.talk.errors import BadConfiguration

HEADER = b"x-simulate"
_PREFIX = "/fault/"

Seconds = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]


class Fault(Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """What shall go wrong. Times in seconds; N of a stream is so many of its events, sent whole before it happens."""

    status: Annotated[int, Meta(ge=200, le=599)] | None = None
    reason: Reason | None = None
    retry_after: str | None = None
    location: str | None = None
    echo_key: bool = False
    html: bool = False
    reset: bool = False
    silence: bool = False
    delay: Seconds = 0
    first_token: Seconds = 0
    chunk_delay: Seconds | None = None
    cut: Count | None = None
    rst: bool = False
    end: Count | None = None
    stall: Count | None = None
    malformed: Count | None = None
    error: Count | None = None
    no_done: bool = False
    usage: Usage = "true"
    gzip: bool = False
    bomb: Annotated[int, Meta(ge=1, le=1024)] | None = None
    close_delimited: bool = False
    times: Count | None = None
    after: Seconds = 0
    lasts: Seconds | None = None
    rate: Annotated[float, Meta(ge=0, le=1)] = 1
    seed: int = 0
    name: str = ""
    batch_takes: Seconds = 0
    batch_expires: Count = 0


HEALTHY = Fault()


def read(text: str) -> Fault:
    """Raises BadConfiguration where a name or a value is not of the language."""
    members: dict[str, str] = {}
    for part in text.replace(",", ";").split(";"):
        name, equals, value = part.strip().partition("=")
        if name and name != "none":
            members[name.strip()] = value.strip() if equals else "true"
    try:
        return msgspec.convert(members, Fault, strict=False)
    except msgspec.ValidationError as wrong:
        raise BadConfiguration(
            f"The fault cannot be read: {wrong}.", f"Names: {', '.join(Fault.__struct_encode_fields__)}."
        ) from None


def split(target: str) -> tuple[str | None, str]:
    """The fault that a path asks for, as text, and the target without it:
    `/fault/status=503/v1/models` is `status=503` and `/v1/models`."""
    if not target.startswith(_PREFIX):
        return None, target
    asked, slash, rest = target[len(_PREFIX) :].partition("/")
    return unquote(asked), slash + rest


class Turns:
    """Whose turn it is: counts the requests of each fault for `times`, looks at how long ago its first one was for
    `after` and `lasts`, and draws for `rate` from `seed`."""

    def __init__(self) -> None:
        self._seen: dict[Fault, int] = {}
        self._first_s: dict[Fault, float] = {}
        self._chance: dict[Fault, random.Random] = {}

    def strikes(self, fault: Fault, now_s: float) -> bool:
        """Whether the fault happens to this request. Times are monotonic."""
        since_s = now_s - self._first_s.setdefault(fault, now_s) - fault.after
        if since_s < 0 or (fault.lasts is not None and since_s >= fault.lasts):
            return False
        seen = self._seen[fault] = self._seen.get(fault, 0) + 1
        if fault.times is not None and seen > fault.times:
            return False
        if fault.rate >= 1:
            return True
        draw = self._chance.setdefault(fault, random.Random(fault.seed))  # noqa: S311
        return draw.random() < fault.rate
