"""A small value that a JSON Schema allows."""

from __future__ import annotations

from typing import Any, cast

_FORMATS = {
    "date": "2025-01-01",
    "date-time": "2025-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT1S",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
_DEEPEST = 32

Schema = dict[str, Any]


def sample(schema: Schema) -> Any:
    """Only what is required is filled in; a text is the name of its own property where nothing says better.

    Types may be written in capitals, as Gemini's schemas have them. `pattern` and `not` are not looked at.
    """
    return _value(schema, schema, "text", 0)


def _value(schema: Schema, root: Schema, name: str, depth: int) -> Any:
    if depth > _DEEPEST:
        return None
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for union in ("anyOf", "oneOf"):
        if schema.get(union):
            options = [_resolved(option, root) for option in schema[union]]
            return _value(_simplest(options), root, name, depth + 1)
    kind = _kind(schema)
    if kind == "object":
        return _object(schema, root, depth)
    if kind == "array":
        return [_value(schema.get("items") or {}, root, name, depth + 1)] * int(schema.get("minItems", 0))
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    if kind == "boolean":
        return False
    return None if kind == "null" else _string(schema, name)


def _resolved(schema: Schema, root: Schema) -> Schema:
    for _ in range(_DEEPEST):
        target = schema.get("$ref")
        if not isinstance(target, str):
            break
        found: Any = root
        for step in target.removeprefix("#").split("/")[1:]:
            found = found.get(step.replace("~1", "/").replace("~0", "~"), {})
        schema = cast("Schema", found)
    for part in schema.get("allOf", ()):
        schema = {**_resolved(part, root), **{key: value for key, value in schema.items() if key != "allOf"}}
    return schema


def _kind(schema: Schema) -> str:
    kind: Any = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in cast("list[str]", kind) if each.lower() != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind).lower()


def _simplest(options: list[Schema]) -> Schema:
    """A schema that points back to itself ends only by the option that does not."""
    return min(options, key=lambda option: _kind(option) in ("object", "array"))


def _object(schema: Schema, root: Schema, depth: int) -> dict[str, Any]:
    members = cast("dict[str, Schema]", schema.get("properties") or {})
    required = cast("list[str]", schema.get("required") or [])
    return {name: _value(members.get(name) or {}, root, name, depth + 1) for name in required}


def _number(schema: Schema, *, whole: bool) -> int | float:
    lowest = schema.get("minimum", schema.get("exclusiveMinimum"))
    highest = schema.get("maximum", schema.get("exclusiveMaximum"))
    step = schema.get("multipleOf", 1)
    value = 0 if lowest is None else lowest
    if lowest is None and highest is not None and highest <= 0:
        value = highest - (step if "exclusiveMaximum" in schema else 0)
    value = -(-value // step) * step
    if value == schema.get("exclusiveMinimum"):
        value += step
    return int(value) if whole else value


def _string(schema: Schema, name: str) -> str:
    text = _FORMATS.get(str(schema.get("format")), name)
    text = text.ljust(int(schema.get("minLength", 0)), "x")
    return text[: int(schema.get("maxLength", len(text)))]
