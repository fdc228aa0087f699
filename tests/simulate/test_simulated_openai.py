"""The simulator on OpenAI's wire, as OpenAI's own client reads it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import openai
import pytest

from canaries import canary
from ownkey.simulate.server import Server, serve
from ownkey.simulate.speech import count, tokens
from raw_http import ask

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
            "required": ["city", "days"],
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}


def with_client(act: Callable[[openai.AsyncOpenAI, Server], Awaitable[None]], key: str = canary("simulated")) -> None:
    async def main() -> None:
        server = await serve()
        client = openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)
        try:
            await act(client, server)
        finally:
            await client.close()
            await server.aclose()

    asyncio.run(main())


def says(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more}


def test_a_whole_answer_says_who_speaks_and_counts_by_its_rule() -> None:
    async def act(client: openai.AsyncOpenAI, server: Server) -> None:
        answer = await client.chat.completions.create(**says("Hello there"))
        text = answer.choices[0].message.content or ""
        assert "simulator" in text
        assert "Hello there" in text
        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, count(text))
        assert answer.usage.total_tokens == 2 + count(text)

    with_client(act)


def test_a_stream_adds_up_to_the_whole_answer_and_tells_usage_only_when_asked() -> None:
    async def act(client: openai.AsyncOpenAI, server: Server) -> None:
        whole = await client.chat.completions.create(**says("Hello there"))
        for asked in (False, True):
            options = {"stream_options": {"include_usage": True}} if asked else {}
            chunks = [
                c async for c in await client.chat.completions.create(**says("Hello there", stream=True, **options))
            ]
            text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
            assert text == whole.choices[0].message.content
            assert [c.usage for c in chunks if c.usage] == ([whole.usage] if asked else [])
            assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
            assert len(chunks) > count(text)

    with_client(act)


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called_when_the_user_says_so(stream: bool) -> None:
    async def act(client: openai.AsyncOpenAI, server: Server) -> None:
        for words, names in (
            ("Please use tool get_weather.", ["get_weather"]),
            ("use all tools", ["get_weather", "get_time"]),
            ("Hello", []),
        ):
            request = says(words, tools=[WEATHER, CLOCK])
            if stream:
                async with client.chat.completions.stream(**request) as events:
                    answer = await events.get_final_completion()
            else:
                answer = await client.chat.completions.create(**request)
            calls = answer.choices[0].message.tool_calls or []
            assert [call.function.name for call in calls] == names
            assert answer.choices[0].finish_reason == ("tool_calls" if names else "stop")
            if calls:
                assert json.loads(calls[0].function.arguments) == {"city": "city", "days": 1}
            assert len({call.id for call in calls}) == len(calls)

    with_client(act)


def test_a_tool_choice_is_obeyed_and_a_result_is_answered_with_words() -> None:
    async def act(client: openai.AsyncOpenAI, server: Server) -> None:
        async def names(text: str, **more: Any) -> list[str]:
            answer = await client.chat.completions.create(**says(text, tools=[WEATHER, CLOCK], **more))
            return [call.function.name for call in answer.choices[0].message.tool_calls or []]

        assert await names("Hello", tool_choice="required") == ["get_weather"]
        assert await names("Hello", tool_choice={"type": "function", "function": {"name": "get_time"}}) == ["get_time"]
        assert await names("use all tools", tool_choice="none") == []
        assert await names("use all tools", parallel_tool_calls=False) == ["get_weather"]
        call = {"id": "call_1", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}
        messages = [
            {"role": "user", "content": "use tool get_time"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "noon"},
        ]
        answer = await client.chat.completions.create(model="gpt-4o", messages=messages, tools=[CLOCK])
        assert answer.choices[0].message.content == (
            "This is Ownkey's simulator in place of gpt-4o; no model was asked. The tool answered: noon"
        )

    with_client(act)


def test_structured_output_fits_the_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "kind": {"enum": ["small", "large"]},
            "steps": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/step"}},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["title", "kind", "steps", "note"],
        "$defs": {"step": {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}},
    }

    async def act(client: openai.AsyncOpenAI, server: Server) -> None:
        form = {"type": "json_schema", "json_schema": {"name": "plan", "strict": True, "schema": schema}}
        answer = await client.chat.completions.create(**says("A plan, please.", response_format=form))
        assert json.loads(answer.choices[0].message.content or "") == {
            "title": "title",
            "kind": "small",
            "steps": [{"n": 0}, {"n": 0}],
            "note": "note",
        }
        loose = await client.chat.completions.create(**says("JSON", response_format={"type": "json_object"}))
        assert json.loads(loose.choices[0].message.content or "") == {}

    with_client(act)


def test_a_cap_and_a_stop_sequence_end_the_answer() -> None:
    async def act(client: openai.AsyncOpenAI, server: Server) -> None:
        cut = await client.chat.completions.create(**says("say 50 words", max_tokens=7))
        assert cut.choices[0].message.content == "word1 word2 word3 word4 word5 word6 word7"
        assert cut.choices[0].finish_reason == "length"
        assert cut.usage is not None
        assert cut.usage.completion_tokens == 7
        stopped = await client.chat.completions.create(**says("say 50 words", stop=[" word3"]))
        assert stopped.choices[0].message.content == "word1 word2"
        assert stopped.choices[0].finish_reason == "stop"
        exact = await client.chat.completions.create(**says("say 7 words", max_completion_tokens=7))
        assert exact.choices[0].finish_reason == "stop"

    with_client(act)


def test_a_refusal_choices_images_and_cached_tokens() -> None:
    async def act(client: openai.AsyncOpenAI, server: Server) -> None:
        refused = await client.chat.completions.create(**says("Please refuse this."))
        assert refused.choices[0].message.content is None
        assert refused.choices[0].message.refusal
        three = await client.chat.completions.create(**says("say 5 words", n=3))
        assert [choice.index for choice in three.choices] == [0, 1, 2]
        assert three.usage is not None
        assert three.usage.completion_tokens == 15
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        content = [{"type": "text", "text": "Look."}, picture]
        seen = await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": content}])
        assert "You sent 1 image." in (seen.choices[0].message.content or "")
        assert seen.usage is not None
        assert seen.usage.prompt_tokens == 2 + 85
        long = await client.chat.completions.create(**says("tell " * 1100))
        assert long.usage is not None
        assert long.usage.prompt_tokens_details is not None
        assert long.usage.prompt_tokens_details.cached_tokens == 1024

    with_client(act)


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_are_counted_and_shown_only_by_a_reasoner(stream: bool) -> None:
    async def act(client: openai.AsyncOpenAI, server: Server) -> None:
        async def ask_for(model: str, **more: Any) -> tuple[str, int]:
            request = {**says("say 3 words", **more), "model": model}
            if not stream:
                answer = await client.chat.completions.create(**request)
                shown, usage = getattr(answer.choices[0].message, "reasoning_content", ""), answer.usage
            else:
                made = await client.chat.completions.create(
                    **request, stream=True, stream_options={"include_usage": True}
                )
                chunks = [chunk async for chunk in made]
                deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
                shown = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
                usage = chunks[-1].usage
            assert usage is not None
            assert usage.completion_tokens_details is not None
            thoughts = usage.completion_tokens_details.reasoning_tokens or 0
            assert usage.completion_tokens == 3 + thoughts
            return shown, thoughts

        assert await ask_for("gpt-4o") == ("", 0)
        shown, thoughts = await ask_for("o3-mini", reasoning_effort="low")
        assert (shown, thoughts > 0) == ("", True)
        shown, thoughts = await ask_for("sim-reasoner")
        assert len(tokens(shown)) == thoughts > 0

    with_client(act)


def test_models_are_listed() -> None:
    async def act(client: openai.AsyncOpenAI, server: Server) -> None:
        ids = [model.id async for model in client.models.list()]
        assert {"gpt-4o", "gpt-4o-mini", "sim-small"} <= set(ids)

    with_client(act)


def test_a_bad_key_and_bad_requests_are_refused_in_openais_own_form() -> None:
    async def refused(client: openai.AsyncOpenAI, server: Server) -> None:
        with pytest.raises(openai.AuthenticationError) as error:
            await client.chat.completions.create(**says("Hello"))
        assert error.value.code == "invalid_api_key"
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()

    async def wrong(client: openai.AsyncOpenAI, server: Server) -> None:
        with pytest.raises(openai.NotFoundError) as unknown:
            await client.chat.completions.create(**(says("Hello") | {"model": "missing-1"}))
        assert unknown.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError) as capped:
            await client.chat.completions.create(**(says("Hello", max_tokens=5) | {"model": "o3-mini"}))
        assert capped.value.param == "max_tokens"
        with pytest.raises(openai.BadRequestError):
            await client.chat.completions.create(model="gpt-4o", messages=[])
        path = "/v1/chat/completions"
        assert (await ask(server.port, path, b"{")).status == 400
        assert (await ask(server.port, path, b'{"model":1,"messages":[]}')).status == 400
        assert (await ask(server.port, path, says("Hello"), {})).json["error"]["message"].startswith("You didn't")
        assert (await ask(server.port, "/v1/other", {})).status == 404

    with_client(refused, key="bad-0123456789")
    with_client(wrong)


def test_the_same_request_gets_the_same_bytes() -> None:
    async def act(client: openai.AsyncOpenAI, server: Server) -> None:
        first, again = [await ask(server.port, "/v1/chat/completions", says("Hello")) for _ in range(2)]
        other = await ask(server.port, "/v1/chat/completions", says("Goodbye"))
        assert first.body == again.body
        assert first.json["id"] != other.json["id"]

    with_client(act)


def test_it_says_what_it_is_told_to_as_it_stands() -> None:
    async def act(client: openai.AsyncOpenAI, server: Server) -> None:
        answer = await client.chat.completions.create(**says("Say this:\n| a |\n|---|\n| 1 |\n\n- b"))
        assert answer.choices[0].message.content == "| a |\n|---|\n| 1 |\n\n- b"

    with_client(act)
