"""docs/providers.md and the schema of a manifest say the same."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from ownkey.catalog.manifest import (
    Auth,
    Family,
    Field,
    Keys,
    Limits,
    Model,
    Price,
    Provider,
    Quirks,
    Speech,
    ThinkingRules,
)
from ownkey.catalog.read import Problem, read_manifest

TEXT = (Path(__file__).parents[2] / "docs" / "providers.md").read_text("utf-8")
PARTS = {
    "": Provider,
    "auth.": Auth,
    "keys.": Keys,
    "fields.*.": Field,
    "quirks.": Quirks,
    "speaks.*.": Speech,
    "limits.": Limits,
    "families.": Family,
    "thinking.": ThinkingRules,
    "models.": Model,
    "models.price.": Price,
}


def test_every_field_of_a_manifest_has_its_heading_and_no_heading_is_left_over() -> None:
    fields = {prefix + field.encode_name for prefix, part in PARTS.items() for field in msgspec.structs.fields(part)}
    assert set(re.findall(r"^### `(.+)`$", TEXT, re.MULTILINE)) == fields


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL))
def test_every_example_is_a_manifest_that_loads(example: str) -> None:
    tomllib.loads(example)
    result = read_manifest(example.encode(), "example.toml", wires={"openai-chat"})
    assert not isinstance(result, Problem), str(result)
