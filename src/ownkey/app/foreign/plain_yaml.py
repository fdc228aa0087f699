"""YAML as plain data: text, lists and mappings, and nothing else.

Built from the parser's events, not by a loader: there is no tag that could make an object (`!!python/object`), so a
tag of anybody's own is refused. An alias is the same value once more, not a copy of it (a "billion laughs" stays as
small as its file), and nothing is nested deeper than `DEEPEST`. A key that stands twice is refused: two readers could
read it differently. YAML 1.1, sections 3.2.1 and 7.1; `<<` is https://yaml.org/type/merge.html.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import yaml

from ownkey.app.foreign.finding import is_mapping, listed, mapping, unreadable
from ownkey.talk.errors import InvalidRequest

DEEPEST = 40
MOST_EVENTS = 200_000

_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map", "timestamp")
) | {"!"}
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
# The one in C is part of PyYAML's wheels; the other reads the same, slower.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_events = cast("Callable[..., Iterator[yaml.Event]]", yaml.parse)  # pyright: ignore[reportUnknownMemberType]


def read_yaml(text: str) -> Any:
    """The document. Numbers and the like stay text as it was written; null is None.

    Raises InvalidRequest with the line, and nothing of the file, where it is not YAML or more than data.
    """
    builder = _Builder()
    try:
        for count, event in enumerate(_events(text, Loader=_LOADER)):
            if count > MOST_EVENTS:
                raise unreadable(f"This file has more than {MOST_EVENTS} entries.")
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise unreadable(f"This file is not YAML{line}.") from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise unreadable("This file is not YAML.") from None
    return builder.document


class _Builder:
    def __init__(self) -> None:
        self.document: Any = None
        self._open: list[_Open] = []
        self._anchors: dict[str, Any] = {}
        self._documents = 0
        self._merged = 0

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _at(event, "begins a second document")
        elif isinstance(event, yaml.AliasEvent):
            anchor: str = cast("Any", event).anchor
            if anchor not in self._anchors:
                raise _at(event, "names an anchor that is not there")
            self._put(self._anchors[anchor], event)
        elif isinstance(event, yaml.ScalarEvent):
            self._tag(event)
            plain = not event.style and event.value in _NULLS
            self._put(self._anchored(event, None if plain else event.value), event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._tag(event)
            if len(self._open) >= DEEPEST:
                raise _at(event, f"is nested deeper than {DEEPEST}")
            made: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            self._open.append(_Open(self._anchored(event, made)))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._put(self._open.pop().close(), event)

    def _tag(self, event: Any) -> None:
        if event.tag is not None and event.tag not in _PLAIN_TAGS:
            raise _at(event, "holds a tag, which could be more than data")

    def _anchored(self, event: Any, value: Any) -> Any:
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _put(self, value: Any, event: yaml.Event) -> None:
        if not self._open:
            self.document = value
            return
        inside = self._open[-1]
        if not is_mapping(inside.made):
            inside.made.append(value)
        elif not inside.at_value:
            if not isinstance(value, str | None):
                raise _at(event, "has a key that is not text")
            inside.key, inside.at_value = "" if value is None else value, True
        else:
            inside.at_value = False
            if inside.key == "<<":
                inside.merges += listed(value) or [value]
                self._merged += sum(len(mapping(one)) for one in inside.merges)
                if self._merged > MOST_EVENTS:
                    raise _at(event, "merges more than a file can hold")
            elif inside.key in inside.made:
                raise _at(event, "has a key that stood before")
            else:
                inside.made[inside.key] = value


class _Open:
    """A mapping or a list that is not closed yet."""

    def __init__(self, made: Any) -> None:
        self.made = made
        self.key = ""
        self.at_value = False
        self.merges: list[Any] = []

    def close(self) -> Any:
        """What stands in it goes before what is merged into it."""
        for merged in self.merges:
            for name, value in list(mapping(merged).items()):
                self.made.setdefault(name, value)
        return self.made


def _at(event: yaml.Event, what: str) -> InvalidRequest:
    mark: Any = cast("Any", event).start_mark
    return unreadable(f"Line {mark.line + 1} of this file {what}.")
