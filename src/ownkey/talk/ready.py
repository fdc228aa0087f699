"""What msgspec keeps of each record's type, made before threads share it.

msgspec 0.22.0 makes it where a type is first read, and does not wait there for another thread that has begun to: it
reads by half of it, and the process is gone (a segmentation fault in `_core`, seen when an API's first requests came
at once).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from threading import Lock
from weakref import WeakSet

import msgspec

_ready: WeakSet[type[msgspec.Struct]] = WeakSet()
_making = Lock()


def make_ready() -> int:
    """Every record that is known by now; how many were not ready. Called where what brings records has been loaded and
    threads have not begun to read them: some 40 ms for all of Ownkey's, a millisecond where none is new."""
    before = len(_ready)
    with _making:
        for record in _all(msgspec.Struct):
            if record not in _ready:
                # What nobody reads from JSON may be of parts that cannot be told apart there, or are no types at all.
                with suppress(TypeError, NameError):
                    msgspec.json.Decoder(record)
                _ready.add(record)
        return len(_ready) - before


def _all(record: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for each in record.__subclasses__():
        yield each
        yield from _all(each)
