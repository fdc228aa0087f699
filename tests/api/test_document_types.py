"""The document says of every answer what it holds: types of a page are made from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ownkey.server.api.service import build, described

OPEN = {
    "AutomationRunShape.result",
    "AutomationShape.output_schema",
    "StarterShape.output_schema",
    "FactsShape.before",
    "FactsShape.now",
    "RecordShape.detail",
}
"""What is whatever somebody said: a result, a JSON Schema, prices as they stood, what an act was about."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return described(build())


def untyped(schema: dict[str, Any], place: str) -> Iterator[str]:
    """Where an object may hold anything."""
    if schema.get("type") == "object" and "properties" not in schema:
        if not isinstance(schema.get("additionalProperties"), dict):
            yield place
    elif not schema.keys() & {"type", "$ref", "anyOf", "allOf", "oneOf", "enum", "const"}:
        yield place
    for name, inner in schema.get("properties", {}).items():
        yield from untyped(inner, f"{place}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from untyped(schema[name], place)
    for inner in schema.get("anyOf", ()):
        yield from untyped(inner, place)


def answers(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                found = response.get("content", {}).get("application/json")
                if status[0] == "2" and found is not None:
                    yield f"{method.upper()} {path}", found["schema"]


def test_every_answer_has_a_type(document: dict[str, Any]) -> None:
    said = list(answers(document))
    assert len(said) > 80
    assert not [place for place, schema in said if list(untyped(schema, place))]


def test_every_member_of_an_answer_has_a_type(document: dict[str, Any]) -> None:
    schemas = {name: one for name, one in document["components"]["schemas"].items() if not name.endswith("Form")}
    assert {place for name, one in schemas.items() for place in untyped(one, name)} == OPEN
