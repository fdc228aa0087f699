"""The official client of OpenAI against the gateway: whatever stands behind the door, it gets what it knows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from house import Gateway

MODELS = ("openai/gpt-4o", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash")
QUESTION = [{"role": "user", "content": "What is a key for?"}]
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="


def tool(name: str, *fields: str) -> dict[str, Any]:
    properties = {field: {"type": "string", "description": f"The {field}."} for field in fields}
    parameters = {"type": "object", "properties": properties, "required": list(fields), "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "description": f"Tells {name}.", "parameters": parameters}}


TOOLS = [tool("get_weather", "city"), tool("get_time", "zone", "format")]


@pytest.fixture(scope="module")
def client(served: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=served.url, api_key=served.token) as made:
        yield made


def answer_of(model: str) -> str:
    name = model.partition("/")[2]
    return f"This is Ownkey's simulator in place of {name}; no model was asked. You wrote: What is a key for?"


@pytest.mark.parametrize("model", MODELS)
def test_a_whole_answer(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=QUESTION)
    assert answer.choices[0].message.content == answer_of(model)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.object == "chat.completion"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 20


@pytest.mark.row("E12")
@pytest.mark.parametrize("usage", [True, False])
@pytest.mark.parametrize("model", MODELS)
def test_a_streamed_answer_adds_up_to_the_whole_one(client: OpenAI, model: str, usage: bool) -> None:
    more = {"stream_options": {"include_usage": True}} if usage else {}
    whole = client.chat.completions.create(model=model, messages=QUESTION)
    with client.chat.completions.create(model=model, messages=QUESTION, stream=True, **more) as stream:
        chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == answer_of(model)
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    told = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert len(told) == (1 if usage else 0)
    if usage:
        assert (told[0].prompt_tokens, told[0].completion_tokens) == (
            whole.usage.prompt_tokens,
            whole.usage.completion_tokens,
        )


@pytest.mark.parametrize("model", MODELS)
def test_the_async_client_gets_the_same(served: Gateway, model: str) -> None:
    async def main() -> tuple[str | None, str]:
        async with AsyncOpenAI(base_url=served.url, api_key=served.token) as client:
            whole = await client.chat.completions.create(model=model, messages=QUESTION)
            text = ""
            async for chunk in await client.chat.completions.create(model=model, messages=QUESTION, stream=True):
                text += "".join(choice.delta.content or "" for choice in chunk.choices)
            return whole.choices[0].message.content, text

    assert asyncio.run(main()) == (answer_of(model), answer_of(model))


@pytest.mark.row("C2")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_tools_are_called_in_parallel_and_their_results_come_back(client: OpenAI, model: str, stream: bool) -> None:
    messages: list[Any] = [{"role": "user", "content": "Please use all tools."}]
    said = call(client, stream, model=model, messages=messages, tools=TOOLS)
    calls = said["tool_calls"]
    assert [each["function"]["name"] for each in calls] == ["get_weather", "get_time"]
    assert json.loads(calls[0]["function"]["arguments"]) == {"city": "city"}
    assert json.loads(calls[1]["function"]["arguments"]) == {"zone": "zone", "format": "format"}
    assert len({each["id"] for each in calls}) == 2
    results = [{"role": "tool", "tool_call_id": each["id"], "content": f"It is {n}."} for n, each in enumerate(calls)]
    second = call(client, stream, model=model, messages=[*messages, said, *results], tools=TOOLS)
    assert "The tool answered" in second["content"]
    assert "It is 1." in second["content"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "seal"),
    [
        ("anthropic/claude-sonnet-4-5", b'"type":"thinking","thinking":"The question is short'),
        ("gemini/gemini-2.5-pro", b'"thoughtSignature":"'),
    ],
)
def test_the_seals_of_thoughts_go_back_with_a_tools_result(
    served: Gateway, client: OpenAI, model: str, seal: bytes, stream: bool
) -> None:
    messages: list[Any] = [{"role": "user", "content": "Please use all tools."}]
    asked: dict[str, Any] = {"model": model, "tools": TOOLS, "reasoning_effort": "low"}
    said = call(client, stream, messages=messages, **asked)
    details, calls = said.get("reasoning_details"), said["tool_calls"]
    given = details[-1]["signature"] if details else calls[0]["extra_content"]["google"]["thought_signature"]
    results = [{"role": "tool", "tool_call_id": each["id"], "content": "Yes."} for each in calls]
    second = call(client, stream, messages=[*messages, said, *results], **asked)
    assert "The tool answered" in second["content"]
    sent = served.simulator.seen(model.partition("/")[0])[-1].body
    assert seal in sent
    assert given.encode() in sent
    assert all(each["id"].encode() in sent for each in calls)


@pytest.mark.parametrize("model", MODELS)
def test_a_choice_of_tool_and_no_parallel_calls_are_kept(client: OpenAI, model: str) -> None:
    chosen = {"type": "function", "function": {"name": "get_time"}}
    said = call(client, False, model=model, messages=QUESTION, tools=TOOLS, tool_choice=chosen)
    assert [each["function"]["name"] for each in said["tool_calls"]] == ["get_time"]
    every = [{"role": "user", "content": "Use all tools."}]
    said = call(client, False, model=model, messages=every, tools=TOOLS, tool_choice="none")
    assert not said.get("tool_calls")


@pytest.mark.parametrize("model", ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"])
def test_one_call_at_a_time_where_parallel_ones_are_not_wanted(client: OpenAI, model: str) -> None:
    every = [{"role": "user", "content": "Use all tools."}]
    said = call(client, False, model=model, messages=every, tools=TOOLS, parallel_tool_calls=False)
    assert len(said["tool_calls"]) == 1


@pytest.mark.parametrize("model", MODELS)
def test_an_answer_in_the_shape_of_a_schema(client: OpenAI, model: str) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": True}}
    said = call(client, False, model=model, messages=QUESTION, response_format=wanted)
    assert json.loads(said["content"]) == {"name": "name", "age": 0}


@pytest.mark.parametrize("model", MODELS)
def test_an_image_goes_in(client: OpenAI, model: str) -> None:
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
    ]
    said = call(client, False, model=model, messages=[{"role": "user", "content": parts}])
    assert "What is this? You sent 1 image." in said["content"]


@pytest.mark.parametrize("model", MODELS)
def test_instructions_of_the_system_and_the_developer_arrive(served: Gateway, client: OpenAI, model: str) -> None:
    instructions = [{"role": "system", "content": "Be brief."}, {"role": "developer", "content": "Be kind."}]
    said = call(client, False, model=model, messages=[*instructions, *QUESTION])
    assert said["content"] == answer_of(model)
    sent = served.simulator.seen(model.partition("/")[0])[-1].body
    assert sent.index(b"Be brief.") < sent.index(b"Be kind.")


@pytest.mark.parametrize("model", ["openai/o3-mini", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-pro"])
def test_an_effort_of_reasoning_is_passed_on_and_counted(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=QUESTION, reasoning_effort="low")
    assert "You wrote: What is a key for?" in (answer.choices[0].message.content or "")
    thought = answer.usage.completion_tokens_details
    assert thought is not None or model.startswith("anthropic/")
    if thought is not None and thought.reasoning_tokens is not None:
        assert thought.reasoning_tokens > 0


@pytest.mark.parametrize("model", MODELS)
def test_a_cap_and_a_stop_end_the_answer_early(client: OpenAI, model: str) -> None:
    words = [{"role": "user", "content": "Say 50 words"}]
    capped = client.chat.completions.create(model=model, messages=words, max_tokens=5)
    assert capped.choices[0].finish_reason == "length"
    assert capped.usage.completion_tokens == 5
    stopped = client.chat.completions.create(model=model, messages=words, stop=["word7"])
    assert stopped.choices[0].finish_reason == "stop"
    assert (stopped.choices[0].message.content or "").strip().endswith("word6")


def test_the_raw_answer_says_who_gave_it_and_what_it_cost(client: OpenAI) -> None:
    answer = client.chat.completions.with_raw_response.create(model="openai/gpt-4o", messages=QUESTION)
    assert answer.headers["x-ownkey-provider"] == "openai"
    assert answer.headers["x-ownkey-model"] == "gpt-4o"
    assert answer.headers["x-ownkey-attempts"] == "1"
    assert float(answer.headers["x-ownkey-cost-usd"]) > 0
    assert answer.headers["x-request-id"]


def test_the_models_are_listed_as_the_client_knows_them(client: OpenAI) -> None:
    listed = {model.id for model in client.models.list()}
    assert set(MODELS) <= listed
    assert "demo/demo" in listed


@pytest.mark.parametrize(
    ("model", "fault", "raised", "requests"),
    [
        ("nobody/nothing", "", openai.NotFoundError, 0),
        ("", "status=401", openai.InternalServerError, 1),
        ("", "status=400", openai.BadRequestError, 1),
        ("", "reason=quota", openai.APIStatusError, 1),
    ],
)
def test_B33_the_client_raises_its_own_error_and_asks_once(
    served: Gateway, client: OpenAI, model: str, fault: str, raised: type[Exception], requests: int
) -> None:
    name = served.provider(fault) if fault else ""
    with pytest.raises(raised) as caught:
        client.chat.completions.create(model=model or f"{name}/gpt-4o", messages=QUESTION)
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert caught.value.code
    assert len(served.simulator.seen(name or "nobody")) == requests


def test_a_wrong_token_is_the_clients_authentication_error(served: Gateway) -> None:
    wrong = OpenAI(base_url=served.url, api_key="ok-wrong-wrong-wrong-wrong")
    with wrong, pytest.raises(openai.AuthenticationError, match="ownkey tokens create"):
        wrong.chat.completions.create(model="openai/gpt-4o", messages=QUESTION)


def test_a_stream_that_breaks_is_the_clients_error(served: Gateway, client: OpenAI) -> None:
    name = served.provider("cut=4")
    pieces: list[str] = []
    stream = client.chat.completions.create(model=f"{name}/gpt-4o", messages=QUESTION, stream=True)
    with stream, pytest.raises(openai.APIError):
        pieces.extend(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    got = "".join(pieces)
    assert got
    assert answer_of("x/gpt-4o").startswith(got)


def call(client: OpenAI, stream: bool, **asked: Any) -> dict[str, Any]:
    """The message that was said, whole or put together from its pieces."""
    if not stream:
        return client.chat.completions.create(**asked).choices[0].message.model_dump(exclude_none=True)
    said: dict[str, Any] = {"role": "assistant"}
    with client.chat.completions.create(**asked, stream=True) as chunks:
        for chunk in chunks:
            for choice in chunk.choices:
                add(said, choice.delta.model_dump(exclude_none=True))
    return said


def add(said: dict[str, Any], delta: dict[str, Any]) -> None:
    for name, value in delta.items():
        if name in ("content", "reasoning_content"):
            said[name] = said.get(name, "") + value
        elif name == "reasoning_details":
            said.setdefault(name, []).extend(value)
        elif name == "tool_calls":
            calls = said.setdefault(name, [])
            for piece in value:
                if piece["index"] == len(calls):
                    calls.append({**piece, "type": "function", "function": {"arguments": "", **piece["function"]}})
                    del calls[-1]["index"]
                else:
                    calls[piece["index"]]["function"]["arguments"] += piece["function"].get("arguments", "")
