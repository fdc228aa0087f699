"""Full URLs: nothing from outside leaves the place that the manifest gave it."""

import re
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.catalog.address import base_url_problem, endpoint, operation_path, setting_headers
from ownkey.catalog.load import Catalogue
from ownkey.catalog.manifest import Field, Provider
from ownkey.talk.errors import BadConfiguration, InvalidRequest, OwnkeyError

CATALOGUE = Catalogue(wires=frozenset({"openai-chat", "anthropic-messages", "gemini"}))
GEMINI, AZURE, OPENAI = map(CATALOGUE.get, ("gemini", "azure", "openai"))
STREAM = "/models/{model}:streamGenerateContent?alt=sse"
DEPLOYMENT = "/deployments/{model}/chat/completions"


def test_the_url_is_base_path_and_query() -> None:
    assert endpoint(OPENAI, "/chat/completions", model="gpt-4o") == "https://api.openai.com/v1/chat/completions"
    assert endpoint(OPENAI, "models", query={"after": "a b"}) == "https://api.openai.com/v1/models?after=a+b"
    assert endpoint(GEMINI, STREAM, model="gemini-2.5-flash", query={"pageToken": "x"}) == (
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:streamGenerateContent"
        "?alt=sse&pageToken=x"
    )


def test_the_manifest_s_own_path_goes_before_the_wire_s() -> None:
    wire = {"chat": "/chat/completions", "models": "/models"}
    assert operation_path(OPENAI, "chat", wire) == "/chat/completions"
    assert operation_path(AZURE, "chat", wire) == DEPLOYMENT
    with pytest.raises(BadConfiguration):
        operation_path(OPENAI, "rerank", wire)


@pytest.mark.parametrize("model", ["..", ".", "../x", "a/../b", "a\\..\\b", "", "a b", "a\n", "a\x00", "x" * 257, None])
def test_E16_a_model_that_would_leave_its_segment_is_refused(model: str | None) -> None:
    for provider, path in ((GEMINI, STREAM), (AZURE, DEPLOYMENT)):
        with pytest.raises(InvalidRequest) as caught:
            endpoint(provider, path, model=model, fields={"resource": "r"})
        assert caught.value.param == "model"


@pytest.mark.parametrize("model", ["a/b", "a?key=x", "a#b", "a%2fb", "a%2e%2e", "m:generateContent", "é", "a&b=c", "@"])
def test_E16_a_model_stays_within_its_segment(model: str) -> None:
    url = endpoint(AZURE, DEPLOYMENT, model=model, fields={"resource": "r"})
    parts = urlsplit(url)
    segments = parts.path.split("/")
    assert len(segments) == 6
    assert unquote(segments[3]) == model
    assert parts.query == "api-version=2024-10-21"
    assert parts.fragment == ""
    assert ":" not in segments[3]


@given(st.text(max_size=40))
def test_E16_no_text_at_all_changes_another_part_of_the_url(model: str) -> None:
    try:
        url = endpoint(GEMINI, STREAM, model=model)
    except InvalidRequest:
        return
    assert re.fullmatch(
        r"https://generativelanguage\.googleapis\.com/v1beta/models/[A-Za-z0-9%._~-]+:streamGenerateContent\?alt=sse",
        url,
    )


@given(st.text(max_size=30))
def test_no_setting_at_all_changes_the_origin_beyond_its_label(resource: str) -> None:
    try:
        url = endpoint(AZURE, DEPLOYMENT, model="m", fields={"resource": resource})
    except BadConfiguration:
        return
    assert re.fullmatch(r"https://[a-z0-9-]{1,63}\.openai\.azure\.com/openai/deployments/m/.*", url)


def test_a_setting_in_the_query_is_encoded() -> None:
    url = endpoint(AZURE, DEPLOYMENT, model="m", fields={"resource": "r", "api_version": "1&x=#?"})
    assert url.endswith("?api-version=1%26x%3D%23%3F")


@pytest.mark.parametrize(
    "url",
    [
        *("", "api.example.com", "//api.example.com", "ftp://a", "file:///etc/passwd", "HTTPS://a.example", "https://"),
        *("https://user@a.example", "https://user:pw@a.example", "https://a.example?x=1", "https://a.example#x"),
        *("https://a.example/../x", "https://a.example\\@b.example", "https://a b.example", "https://a.example:99999"),
        *("https://a.example:0", "https://①②⑦.0.0.1", "https://a..example", "https://a.example/%2e%2e/x"),
        *("https://a.example/\n", "https://{host}/v1", "https://[::1", "https://a.example:80%40good.example"),
    ],
)
def test_an_address_that_parsers_could_read_in_two_ways_is_refused(url: str) -> None:
    assert base_url_problem(url)
    with pytest.raises(BadConfiguration):
        endpoint(OPENAI, "/models", base_url_override=url)


@pytest.mark.parametrize(
    "url", ["https://a.example", "http://127.0.0.1:11434/v1", "http://[::1]:8080/v1/", "https://a-b.example/x/v1"]
)
def test_a_plain_address_of_one_s_own_is_taken(url: str) -> None:
    assert endpoint(OPENAI, "/models", base_url_override=url) == f"{url.rstrip('/')}/models"


def test_an_own_address_needs_no_setting_of_the_shipped_one() -> None:
    url = endpoint(AZURE, DEPLOYMENT, model="m", base_url_override="https://gw.example/openai")
    assert url == "https://gw.example/openai/deployments/m/chat/completions?api-version=2024-10-21"


def test_a_setting_that_would_break_a_header_is_refused_without_being_shown() -> None:
    for value in ("q7\r\nx: y", "q7\x00", "q7é", " q7", "q7" * 1000):
        with pytest.raises(OwnkeyError) as caught:
            setting_headers(OPENAI, {"organization_id": value})
        assert "q7" not in str(caught.value)
    needed = Provider("a", "A", "cloud", "w", "https://a", fields={"team": Field(required=True, header="X-Team")})
    with pytest.raises(BadConfiguration, match="team"):
        setting_headers(needed)
    assert setting_headers(needed, {"team": "t"}) == {"x-team": "t"}
