"""The official clients of Anthropic, Google and OpenAI (responses) for Python, against the gateway, unchanged."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from house import Gateway

MODELS = ("openai/gpt-4o", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash", "local/sim-small")
QUESTION = "What is a key for?"
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="


class Person(BaseModel):
    name: str
    age: int


def root(served: Gateway) -> str:
    return served.url.removesuffix("/v1")


def claude(served: Gateway) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=root(served), api_key=served.token)


def google(served: Gateway, token: str | None = None) -> genai.Client:
    return genai.Client(api_key=token or served.token, http_options=types.HttpOptions(base_url=root(served)))


@pytest.mark.row("D2")
@pytest.mark.row("E1")
@pytest.mark.parametrize("model", MODELS)
def test_anthropics_client_gets_whole_and_streamed_answers(served: Gateway, model: str) -> None:
    messages: Any = [{"role": "user", "content": QUESTION}]
    with claude(served) as client:
        whole = client.messages.create(model=model, max_tokens=500, messages=messages)
        with client.messages.stream(model=model, max_tokens=500, messages=messages) as stream:
            text = "".join(stream.text_stream)
            streamed = stream.get_final_message()
    assert "You wrote: What is a key for?" in text
    assert whole.content[0].text == streamed.content[0].text == text
    assert (whole.usage.input_tokens, whole.usage.output_tokens) == (
        streamed.usage.input_tokens,
        streamed.usage.output_tokens,
    )
    assert whole.stop_reason == streamed.stop_reason == "end_turn"


@pytest.mark.parametrize("model", MODELS[:3])
def test_anthropics_client_asks_at_once_many_times(served: Gateway, model: str) -> None:
    async def main() -> list[str]:
        async with anthropic.AsyncAnthropic(base_url=root(served), api_key=served.token) as client:
            asked = [
                client.messages.create(
                    model=model, max_tokens=100, messages=[{"role": "user", "content": f"number {number}"}]
                )
                for number in range(8)
            ]
            return [answer.content[0].text for answer in await asyncio.gather(*asked)]

    assert all(f"number {number}" in text for number, text in enumerate(asyncio.run(main())))


def test_anthropics_client_is_told_what_went_wrong_in_its_own_classes(served: Gateway) -> None:
    messages: Any = [{"role": "user", "content": QUESTION}]
    tool: Any = {"name": "f", "input_schema": WEATHER}
    with claude(served) as client:
        with pytest.raises(anthropic.NotFoundError, match="nobody"):
            client.messages.create(model="nobody/none", max_tokens=9, messages=messages)
        with pytest.raises(anthropic.UnprocessableEntityError, match="tool_choice"):
            client.messages.create(
                model="local/sim-small", max_tokens=9, messages=messages, tools=[tool], tool_choice={"type": "any"}
            )
        with pytest.raises(anthropic.UnprocessableEntityError, match="max_tokens"):
            client.messages.create(model="openai/gpt-4o", max_tokens=0, messages=messages)
    with (
        anthropic.Anthropic(base_url=root(served), api_key="wrong") as client,
        pytest.raises(anthropic.AuthenticationError),
    ):
        client.messages.create(model="openai/gpt-4o", max_tokens=9, messages=messages)


def test_anthropics_client_tries_again_what_is_worth_it(served: Gateway) -> None:
    provider = served.provider("status=429;retry-after=0;times=3", wire="openai-chat")
    with claude(served) as client:
        answer = client.messages.create(
            model=f"{provider}/gpt-4o", max_tokens=99, messages=[{"role": "user", "content": QUESTION}]
        )
    assert QUESTION in answer.content[0].text


@pytest.mark.parametrize("model", MODELS[:3])
def test_anthropics_client_lists_and_gets_models(served: Gateway, model: str) -> None:
    with claude(served) as client:
        assert model in [one.id for one in client.models.list()]
        assert client.models.retrieve(model).id == model


@pytest.mark.parametrize("model", MODELS)
def test_googles_client_gets_whole_and_streamed_answers(served: Gateway, model: str) -> None:
    with google(served) as client:
        whole = client.models.generate_content(model=model, contents=QUESTION)
        chunks = list(client.models.generate_content_stream(model=model, contents=QUESTION))
    assert "You wrote: What is a key for?" in whole.text
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert chunks[-1].usage_metadata.total_token_count == whole.usage_metadata.total_token_count > 0


@pytest.mark.parametrize("model", MODELS)
def test_googles_client_calls_python_functions_by_itself(served: Gateway, model: str) -> None:
    seen: list[str] = []

    def get_weather(city: str) -> str:
        """The weather in a city."""
        seen.append(city)
        return "It is sunny."

    with google(served) as client:
        config = types.GenerateContentConfig(tools=[get_weather])
        answer = client.models.generate_content(model=model, contents="Please use tool get_weather.", config=config)
    assert seen == ["city"]
    assert "It is sunny." in answer.text


@pytest.mark.parametrize("model", MODELS)
def test_googles_client_gets_json_images_and_chats(served: Gateway, model: str) -> None:
    with google(served) as client:
        config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Person)
        made = client.models.generate_content(model=model, contents=QUESTION, config=config)
        assert made.parsed == Person(name="name", age=0)
        image = types.Part.from_bytes(data=base64.b64decode(PNG), mime_type="image/png")
        assert "1 image" in client.models.generate_content(model=model, contents=["Look.", image]).text
        chat = client.chats.create(model=model, config=types.GenerateContentConfig(system_instruction="Be brief."))
        chat.send_message("One.")
        assert "You wrote: Two." in chat.send_message("Two.").text
        assert client.models.count_tokens(model=model, contents=QUESTION).total_tokens > 0


def test_googles_client_gets_vectors_and_its_own_errors(served: Gateway) -> None:
    with google(served) as client:
        made = client.models.embed_content(model="gemini/gemini-embedding-001", contents=["one", "two"])
        assert len(made.embeddings) == 2
        assert len(made.embeddings[0].values) == 8
        with pytest.raises(errors.ClientError) as raised:
            client.models.generate_content(model="nobody/none", contents=QUESTION)
        assert raised.value.code == 404
    with google(served, "wrong") as client, pytest.raises(errors.ClientError) as raised:
        client.models.generate_content(model="openai/gpt-4o", contents=QUESTION)
    assert raised.value.code == 401


@pytest.mark.parametrize("model", MODELS)
def test_openais_client_gets_responses(served: Gateway, model: str) -> None:
    with openai.OpenAI(base_url=served.url, api_key=served.token) as client:
        whole = client.responses.create(model=model, input=QUESTION)
        with client.responses.stream(model=model, input=QUESTION) as stream:
            text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
            final = stream.get_final_response()
        assert whole.output_text == final.output_text == text
        assert "You wrote: What is a key for?" in text
        parsed = client.responses.parse(model=model, input=QUESTION, text_format=Person)
        assert parsed.output_parsed == Person(name="name", age=0)
        assert final.usage.total_tokens == whole.usage.total_tokens > 0


@pytest.mark.parametrize("model", ["openai/o3-mini", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-pro"])
def test_what_was_thought_goes_back_to_its_maker_with_a_tools_result(served: Gateway, model: str) -> None:
    tool: Any = {"type": "function", "name": "get_weather", "parameters": WEATHER, "strict": False}
    items: list[Any] = [{"role": "user", "content": "Please use tool get_weather."}]
    with openai.OpenAI(base_url=served.url, api_key=served.token) as client:
        asked: dict[str, Any] = {"model": model, "tools": [tool], "store": False, "reasoning": {"effort": "low"}}
        first = client.responses.create(input=items, **asked)
        call = next(item for item in first.output if item.type == "function_call")
        assert json.loads(call.arguments) == {"city": "city"}
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "It is sunny."}
        back: list[Any] = [*items, *(item.model_dump(exclude_none=True) for item in first.output), result]
        second = client.responses.create(input=back, **asked)
    assert "It is sunny." in second.output_text


def test_openais_client_gets_vectors_from_openai_and_from_gemini(served: Gateway) -> None:
    with openai.OpenAI(base_url=served.url, api_key=served.token) as client:
        for model in ("openai/text-embedding-3-small", "gemini/gemini-embedding-001"):
            made = client.embeddings.create(model=model, input=["one", "two"])
            assert [len(one.embedding) for one in made.data] == [8, 8]
            assert made.data[0].embedding != made.data[1].embedding
