"""JSON out of what a model says, and whether it fits the schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from ownkey.talk.errors import InvalidRequest
from ownkey.talk.secret import clean

MOST_PLACES = 1_000
"""Brackets at which JSON is looked for."""

MOST_TOLD = 5
"""Faults that a model is told at once."""

_THOUGHTS = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)


class Schema:
    """A JSON Schema. It is asked for nothing from elsewhere, and its patterns take time in line with what they read.
    Raises InvalidRequest where it is none."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        from jsonschema_rs import RegexOptions, validator_for

        self.schema = dict(schema)
        try:
            self._validator = validator_for(
                self.schema, offline=True, pattern_options=RegexOptions(size_limit=1 << 20, dfa_size_limit=1 << 20)
            )
        except (ValueError, TypeError) as error:
            said = clean(str(error).partition("\n")[0], limit=160)
            raise InvalidRequest(f"The schema cannot be used: {said}.", param="output_schema") from None

    def faults(self, value: Any) -> list[str]:
        """What is wrong with it, a few of them; empty where it fits."""
        told: list[str] = []
        for one in self._validator.iter_errors(value):
            place = "/".join(str(part) for part in one.instance_path) or "the whole"
            told.append(f"{place}: {clean(one.message, limit=200)}")
            if len(told) == MOST_TOLD:
                break
        return told


def json_in(text: str) -> Any:
    """The JSON that an answer holds: all of it, or the first object, else list, in it, whatever is said around.
    Raises ValueError where there is none, or one that cannot be kept: with half a letter in it."""
    text = _THOUGHTS.sub("", text).strip()
    decoder = json.JSONDecoder(parse_constant=_no_number)
    places = [found.start() for bracket in "{[" for found in re.finditer(re.escape(bracket), text)]
    for place in [None, *places[:MOST_PLACES]]:
        try:
            value = decoder.decode(text) if place is None else decoder.raw_decode(text, place)[0]
            return msgspec.json.decode(msgspec.json.encode(value))
        except (ValueError, RecursionError, OverflowError):
            continue
    raise ValueError("there is no JSON in the answer")


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON's")
