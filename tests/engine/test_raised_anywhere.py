"""An exception at any line that a key passes: whoever shows it, with the variables of every frame, shows no key.

What tells of exceptions in other people's programs keeps the variables of each frame. So the same call is made again
and again, and each time another line fails.
"""

from __future__ import annotations

import asyncio
import copy
import io
import pickle
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from rich.console import Console
from rich.traceback import Traceback

from canaries import canary, find
from keyed import Keyed, keyed
from ownkey import Ownkey
from ownkey.talk.secret import Secret

KEY = canary("raised anywhere", "open.", between="()")
PASSED = {
    "engine/target.py": {"key_header", "hide_key"},
    "engine/sender.py": {"send"},
    "engine/discover.py": {"_ask", "_page"},
    "transport/client.py": {"send"},
    "transport/connection.py": {"ask"},
    "transport/request.py": {"write_request", "_lines"},
}
Line = tuple[str, int]


class Injected(Exception):
    pass


class Tracer:
    """Notes the lines that are reached, or fails at one of them, once."""

    def __init__(self, at: Line | None = None) -> None:
        self.at = at
        self.reached: dict[Line, None] = {}

    def call(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        place = code.co_filename.partition("/src/ownkey/")[2]
        return self.line if code.co_name in PASSED.get(place, ()) else None

    def line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            here = (frame.f_code.co_filename, frame.f_lineno)
            again = here in self.reached
            self.reached[here] = None
            if here == self.at and not again:
                raise Injected("here")
        return self.line


@contextmanager
def traced(tracer: Tracer) -> Iterator[None]:
    threading.settrace(tracer.call)
    before = sys.gettrace()
    sys.settrace(tracer.call)
    try:
        yield
    finally:
        sys.settrace(before)
        threading.settrace(None)  # type: ignore[arg-type]


async def used(ownkey: Ownkey, tracer: Tracer) -> list[BaseException]:
    """What is raised where the key is refused, stored, tested and used."""
    raised: list[BaseException] = []
    with traced(tracer):
        for model in ("refusing/gpt-4o", "good/gpt-4o"):
            try:
                await ownkey.chat("Hello", model)
            except Exception as error:  # noqa: BLE001 - whatever it is, is looked at
                raised.append(error)
        try:
            await ownkey.keys.test("good")
        except Exception as error:  # noqa: BLE001
            raised.append(error)
    return raised


def shown(error: BaseException) -> str:
    """With the variables of every frame."""
    told = io.StringIO()
    told.write("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))
    told.write("".join(f"{one!r} {one} {getattr(one, '__dict__', '')}" for one in (error, error.__cause__)))
    return told.getvalue()


def shown_by_rich(error: BaseException) -> str:
    told = io.StringIO()
    rich = Traceback.from_exception(
        type(error), error, error.__traceback__, show_locals=True, locals_max_string=None, locals_max_length=None
    )
    Console(file=told, width=400).print(rich)
    return told.getvalue()


MANIFEST = """
id = "{name}"
name = "{name}"
kind = "local"
wire = "openai-chat"
base_url = "{url}"
auth = {{ header = "authorization", scheme = "Bearer" }}
[[models]]
id = "gpt-4o"
"""


def test_O02_a_failure_at_any_line_that_a_key_passes_shows_no_key(tmp_path: Path) -> None:
    async def main() -> None:
        async with keyed() as refusing, keyed() as good:
            refusing.refused[KEY] = (402, "out_of_credit")
            (tmp_path / "providers").mkdir()
            for name, provider in (("refusing", refusing), ("good", good)):
                written = MANIFEST.format(name=name, url=provider.url)
                (tmp_path / "providers" / f"{name}.toml").write_text(written)
            async with Ownkey(tmp_path, keychain=False, retries=0, headers_timeout_s=2) as ownkey:
                for name in ("refusing", "good"):
                    ownkey.keys.set(name, KEY, force=True)
                await everywhere(ownkey, good)

    asyncio.run(main())


async def everywhere(ownkey: Ownkey, good: Keyed) -> None:
    first = Tracer()
    (refused,) = await used(ownkey, first)
    assert find((shown(refused) + shown_by_rich(refused)).encode()) == []
    lines, raised = list(first.reached), 0
    assert len(lines) > 30
    leaks: list[str] = []
    for at in lines:
        for error in await used(ownkey, Tracer(at)):
            if not isinstance(error, Injected):
                continue
            raised += 1
            leaks += [f"{at}: {hit.form}" for hit in find(shown(error).encode())]
    assert leaks == []
    assert raised > len(lines) // 2
    assert good.used


def test_O02_a_secret_is_shown_by_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    secret = Secret(KEY)
    told = [repr(secret), str(secret), f"{secret}", f"{secret!r:>60}", "%s %r" % (secret, secret), repr([secret])]  # noqa: UP031
    told += [repr({"a": (secret,)}), str(dir(secret))]
    for made in (pickle.dumps, copy.copy, copy.deepcopy, vars, iter, len, bytes, hash):
        with pytest.raises(TypeError) as refused:
            made(secret)  # type: ignore[operator]
        told.append(shown(refused.value))
    with suppress(TypeError), pytest.raises(TypeError):
        assert secret == KEY
    assert find("".join(told).encode()) == []
