"""Google's `Schema`, a subset of OpenAPI 3.0, as the JSON Schema that means the same.

Source: the Gemini API reference (Schema, Type). Many clients send plain JSON Schema in the same field: it stays as is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ownkey.wires.gemini.said import camel
from ownkey.wires.gemini.values import Object

# An enum may come by its number.
_TYPES: Mapping[object, str] = {
    1: "string",
    2: "number",
    3: "integer",
    4: "boolean",
    5: "array",
    6: "object",
    7: "null",
}
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_NAMES = {"ref": "$ref", "defs": "$defs"}


def json_schema(schema: Object) -> Object:
    found: Object = {}
    order: list[object] = []
    nullable = False
    for name, value in schema.items():
        known = camel(name)
        known = _NAMES.get(known, known)
        match known:
            case "nullable":
                nullable = value is True
            case "propertyOrdering":
                order = cast("list[object]", value) if isinstance(value, list) else []
            case "type":
                if (kind := _type(value)) is not None:
                    found["type"] = kind
            case "example":
                found["examples"] = [value]
            case "properties" | "$defs" | "definitions" if isinstance(value, dict):
                inside = cast("Object", value)
                found[known] = {name: _inner(one) for name, one in inside.items()}
            case "anyOf" | "allOf" | "oneOf" | "prefixItems" if isinstance(value, list):
                found[known] = [_inner(one) for one in cast("list[object]", value)]
            case "items" | "additionalProperties" | "not":
                found[known] = _inner(value)
            case _:
                found[known] = _count(value) if known in _COUNTS else value
    _sort(found, order)
    return _nullable(found) if nullable else found


def _inner(value: object) -> object:
    return json_schema(cast("Object", value)) if isinstance(value, dict) else value


def _type(value: object) -> object:
    """Lower case; none where it says nothing."""
    if isinstance(value, list):
        return [_type(one) for one in cast("list[object]", value) if not isinstance(one, list)]
    if isinstance(value, str):
        return None if value == "TYPE_UNSPECIFIED" else value.lower()
    return _TYPES.get(value) if isinstance(value, int) else None


def _count(value: object) -> object:
    """ProtoJSON writes a 64-bit number as text."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20 else value


def _sort(schema: Object, order: list[object]) -> None:
    properties = schema.get("properties")
    if order and isinstance(properties, dict):
        said = cast("Object", properties)
        first: dict[str, Any] = {name: said[name] for name in order if isinstance(name, str) and name in said}
        schema["properties"] = first | said


def _nullable(schema: Object) -> Object:
    kind = schema.get("type")
    if isinstance(kind, str):
        schema["type"] = [kind, "null"]
    elif "anyOf" in schema:
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    return schema
