"""Google's Schema, a part of OpenAPI 3.0, as the JSON Schema that other providers take.

Source: the Gemini API reference (Schema): types in upper case, `nullable`, whole numbers as text.
"""

from __future__ import annotations

from ownkey.wires.gemini.values import Object, as_list, as_object

_NESTED = frozenset({"properties", "items", "anyOf", "any_of", "prefixItems"})
_LEFT_OUT = frozenset({"nullable", "propertyOrdering", "property_ordering", "example", "type"})
_NUMBERS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})


def json_schema(schema: Object) -> Object:
    """The same shape as JSON Schema."""
    made: Object = {}
    kind = schema.get("type")
    if isinstance(kind, str) and kind != "TYPE_UNSPECIFIED":
        made["type"] = [kind.lower(), "null"] if schema.get("nullable") is True else kind.lower()
    for name, value in schema.items():
        if name in _LEFT_OUT:
            continue
        if name not in _NESTED:
            made[name] = int(value) if name in _NUMBERS and isinstance(value, str) and value.isdigit() else value
        elif name == "properties":
            made[name] = {key: json_schema(as_object(one)) for key, one in as_object(value).items()}
        elif name == "items":
            made[name] = json_schema(as_object(value))
        else:
            made["anyOf" if name == "any_of" else name] = [json_schema(as_object(one)) for one in as_list(value)]
    return made
