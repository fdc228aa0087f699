"""What a request asks for beyond tokens at the plain rates."""

from __future__ import annotations

import pytest
from msgspec import Raw

from ownkey.spending.terms import PLAIN, UNBOUNDED, Terms, charged_by_name, terms_of


def of(**fields: str) -> Terms:
    return terms_of({name: Raw(value.encode()) for name, value in fields.items()})


def test_a_usual_request_is_charged_by_its_tokens() -> None:
    assert of(model='"gpt-4o"', messages="[]", max_tokens="5", n="3", temperature="1") is PLAIN
    assert of(prediction='{"type":"content","content":"x"}', transforms='["middle-out"]', store="true") is PLAIN


@pytest.mark.parametrize(
    "tools",
    [
        "null",
        "[]",
        '[{"type":"function","function":{"name":"web_search","parameters":{"type":"object"}}}]',
        '[{"function":{"name":"f"}},{"type":"custom","custom":{"name":"g"}}]',
    ],
)
def test_tools_of_the_client_s_own_cost_nothing_more(tools: str) -> None:
    assert of(tools=tools) == PLAIN


@pytest.mark.parametrize(
    "tools",
    [
        '[{"type":"web_search"}]',
        '[{"type":"function","function":{"name":"f"}},{"type":"code_interpreter"}]',
        '[{"type":"file_search"}]',
        '[{"type":"openrouter:web_search"}]',
        '[{"type":"builtin_function","function":{"name":"$web_search"}}]',
        '[{"type":null}]',
        '[{"type":5}]',
        '{"type":"web_search"}',
        '["web_search"]',
        '[{"\\u0074ype":"web_search"}]',
    ],
)
def test_tools_that_the_provider_runs_have_no_bound(tools: str) -> None:
    assert of(tools=tools).unbounded == "tools"


@pytest.mark.parametrize("name", sorted(UNBOUNDED))
def test_what_has_no_bound_is_named_and_what_asks_for_nothing_is_not(name: str) -> None:
    assert of(**{name: '{"x":1}'}).unbounded == name
    assert of(**{name: "null"}) == PLAIN
    assert name not in ("modalities", "plugins") or of(**{name: '["audio"]'}).unbounded == name


def test_values_that_ask_for_nothing_more() -> None:
    assert of(modalities='["text"]', plugins="[]", provider="{}", best_of="1", enable_search="false") == PLAIN
    assert of(search_parameters='{"mode":"off"}') == PLAIN


@pytest.mark.parametrize("tier", ["default", "standard", "on_demand", "flex"])
def test_some_tiers_are_never_dearer(tier: str) -> None:
    terms = of(service_tier=f'"{tier}"')
    assert (terms.value, terms.may_be_dearer) == (tier, False)


@pytest.mark.parametrize("tier", ["priority", "fast", "auto", "performance", "of tomorrow"])
def test_every_other_tier_may_be_dearer(tier: str) -> None:
    terms = of(service_tier=f'"{tier}"')
    assert (terms.field, terms.value, terms.may_be_dearer, terms.unbounded) == ("service_tier", tier, True, None)


def test_a_speed_is_a_tier_and_two_dear_ones_at_once_have_no_rates() -> None:
    assert of(speed='"fast"') == Terms("speed", "fast")
    assert of(service_tier='"flex"', speed='"fast"') == Terms("speed", "fast")
    assert of(service_tier='"priority"', speed='"standard"') == Terms("service_tier", "priority")
    assert of(service_tier='"priority"', speed='"fast"').unbounded == "speed"
    assert of(service_tier=f'"{"x" * 100}"').unbounded == "service_tier"
    assert of(service_tier="7").unbounded == "service_tier"


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("gpt-4o", False),
        ("llama3:70b", False),
        ("openai/gpt-4o", False),
        ("openai/gpt-4o:free", False),
        ("openai/gpt-4o:online", True),
        ("openai/gpt-4o:nitro", True),
        ("@preset/mine", True),
        ("gpt-4o-search-preview", True),
        ("gpt-5-search-api-2025-10-14", True),
        ("groq/compound-mini", True),
    ],
)
def test_some_names_say_that_more_than_tokens_is_charged(model: str, more: bool) -> None:
    assert charged_by_name(model) is more


@pytest.mark.parametrize(
    "tools",
    [
        '[{"functionDeclarations":[{"name":"f"}]}]',
        '[{"function_declarations":[]}]',
        '[{"name":"get_weather","input_schema":{"type":"object"}}]',
        '[{"type":"custom","name":"g","input_schema":{}}]',
    ],
)
def test_tools_of_the_client_s_own_in_other_wires_cost_nothing_more(tools: str) -> None:
    assert of(tools=tools) == PLAIN


@pytest.mark.parametrize(
    "tools",
    ['[{"googleSearch":{}}]', '[{"functionDeclarations":[],"codeExecution":{}}]', '[{"url_context":{}}]', "[{}]"],
)
def test_tools_that_google_runs_have_no_bound(tools: str) -> None:
    assert of(tools=tools).unbounded == "tools"


@pytest.mark.parametrize("name", ["generationConfig", "generation_config"])
def test_an_answer_in_pictures_has_no_bound_here(name: str) -> None:
    spelled = "responseModalities" if name == "generationConfig" else "response_modalities"
    assert of(**{name: f'{{"{spelled}":["TEXT","IMAGE"]}}'}).unbounded == f"{name}.responseModalities"
    assert of(**{name: f'{{"{spelled}":["TEXT"],"temperature":1}}'}) == PLAIN


def test_tools_that_come_with_the_input_have_no_bound() -> None:
    assert of(input='[{"type":"additional_tools","tools":[{"type":"web_search"}]}]').unbounded == "input"
    assert of(input='"What are additional tools?"') == PLAIN
