"""How each format is read where its programs allow more than one way to write a thing."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.app.foreign.address import fields_at, manifest_at, read_address
from ownkey.app.foreign.dotenv import variables
from ownkey.app.foreign.finding import held
from ownkey.app.foreign.plain_yaml import read_yaml
from ownkey.catalog.manifest import Field, Provider
from ownkey.catalog.read import read_manifest
from ownkey.talk.errors import EndpointNotAllowed, InvalidRequest
from ownkey.wires.wire import WIRE_NAMES


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("A=b", "b"),
        ("export A=b", "b"),
        ("  A = b c  ", "b c"),
        ("A=b # said", "b"),
        ("A=b#c", "b#c"),
        ("A=# nothing", ""),
        ("A=", ""),
        ("A='b # c'", "b # c"),
        ("A='b\\n'", "b\\n"),
        ('A="b\\n\\"c\\""  # said', 'b\n"c"'),
        ('A="b\nc"', "b\nc"),
        ("A='b\nc'\nB=d", "b\nc"),
        ("A=`b'\"c`", "b'\"c"),
        ("A=b\r\nC=d", "b"),
        ("A=b\nA=c", "c"),
        ("B=x\nA=${B}y", "xy"),
        ("B=x\nA=$B", "x"),
        ("B=x\nA='$B'", "$B"),
        ("A=${absent}", "${absent}"),
        ("# A=x\nA=y", "y"),
        ("A=$(whoami)", "$(whoami)"),
    ],
)
def test_variables_are_read_as_their_programs_read_them(written: str, read: str) -> None:
    assert variables(written)["A"] == read


def test_yaml_is_text_lists_and_mappings() -> None:
    text = "a: yes\nb: 0123\nc: [1, ~, 'null', null]\nd: &x {e: f}\ng: {<<: *x, e: h, i: 1.5}\nj: |\n  k\n  l\n"
    assert read_yaml(text) == {
        "a": "yes",
        "b": "0123",
        "c": ["1", None, "null", None],
        "d": {"e": "f"},
        "g": {"e": "h", "i": "1.5"},
        "j": "k\nl\n",
    }


@given(st.text(max_size=200))
def test_any_text_is_data_or_refused(text: str) -> None:
    variables(text)
    with suppress(InvalidRequest):
        read_yaml(text)


@pytest.mark.parametrize(
    "text",
    [
        *("sk-...", "sk-xxxxxxxxxxxxxxxx", "your-key-here", "YOUR_API_KEY", "<your key>", "user_provided", "changeme"),
        *("sk-1234", "placeholder", "my-api-key", "", "   ", "short", "two words of it", "none", "${KEY}", None, 5),
    ],
)
def test_what_is_written_in_place_of_a_key_is_none(text: object) -> None:
    assert isinstance(held(text), str)


@pytest.mark.parametrize(
    "text", ["sk-proj-0fVq8ZtYw3LmXe71vX2Q", "abcdef0123456789abcdef0123456789", "gsk_1234567890abcdef"]
)
def test_a_key_is_one(text: str) -> None:
    assert not isinstance(held(text), str)


AT = Provider("p", "P", "cloud", "openai-chat", "https://{resource}.example.com/openai", fields={"resource": Field()})


@pytest.mark.parametrize(
    ("written", "fields"),
    [
        ("https://mine.example.com/", {"resource": "mine"}),
        ("https://MINE.Example.com/openai", {"resource": "mine"}),
        ("https://mine.example.com/openai/v1", {"resource": "mine"}),
        ("https://mine.example.com:443/openai", {"resource": "mine"}),
        ("https://mine.example.com:8443/openai", None),
        ("http://mine.example.com/openai", None),
        ("https://mine.example.com/other", None),
        ("https://a.mine.example.com/openai", None),
        ("https://mine.example.com.evil.example/openai", None),
        ("https://mine.example.org/openai", None),
    ],
)
def test_an_address_is_a_providers_only_where_the_host_is_its_own(written: str, fields: dict[str, str] | None) -> None:
    assert fields_at(read_address(written, ""), AT, None) == fields


@pytest.mark.parametrize(
    "written", ["https://a.example@evil.example/", "https://a.example/../x", "https://a.example#b", "a.example", ""]
)
def test_an_address_with_two_readings_is_none(written: str) -> None:
    with pytest.raises(EndpointNotAllowed):
        read_address(written, "/v1")


@given(
    name=st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=60),
    models=st.lists(st.from_regex(r"[!-~]{1,40}", fullmatch=True), max_size=5, unique=True),
)
def test_the_file_of_a_new_provider_says_what_was_asked_whatever_its_name(name: str, models: list[str]) -> None:
    address = read_address("https://llm.example.com", "/v1")
    made = read_manifest(manifest_at("new", name, address, None, {}, models), "new.toml", wires=WIRE_NAMES)
    assert isinstance(made, Provider), made
    assert (made.name, made.base_url, [model.id for model in made.models]) == (
        name,
        "https://llm.example.com/v1",
        models,
    )
    assert (made.keys.env, made.prices, made.free) == ((), None, False)
