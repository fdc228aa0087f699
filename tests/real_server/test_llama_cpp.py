"""A real server behind Ownkey: llama.cpp, added by one file, as a person would add it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from canaries import canary
from llama import MODEL, PROVIDERS, Llama, add_providers, llama
from ownkey import Ownkey
from ownkey.store.book import BookRow
from ownkey.talk.chat import JsonOutput
from ownkey.talk.errors import ContextTooLong, InvalidCredentials, ModelNotAvailable, OwnkeyError
from ownkey.talk.reply import Receipt, Reply, TextDelta, collect

NAMES = [f"{provider}/{MODEL}" for provider in PROVIDERS]
both_wires = pytest.mark.parametrize("name", NAMES, ids=PROVIDERS.values())
LONG = 12_000


def asking(home: Path, work: Callable[[Ownkey], Any]) -> Any:
    async def main() -> Any:
        async with Ownkey(home, keychain=False, retries=0) as ownkey:
            return await work(ownkey)

    return asyncio.run(main())


async def rows(ownkey: Ownkey) -> list[BookRow]:
    await ownkey.house.store.book.drain()
    return ownkey.house.store.book.rows()


async def until(true: Callable[[], bool], within_s: float = 10.0) -> None:
    end_s = time.monotonic() + within_s
    while not await asyncio.to_thread(true):
        assert time.monotonic() < end_s, "it did not come about"
        await asyncio.sleep(0.02)


def environment(home: Path) -> dict[str, str]:
    source = Path(__file__).parent.parent.parent / "src"
    return {**os.environ, "OWNKEY_HOME": str(home), "OWNKEY_KEYCHAIN": "false", "PYTHONPATH": str(source)}


def command(home: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "ownkey", *arguments],
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@contextmanager
def gateway(home: Path) -> Iterator[openai.OpenAI]:
    """`ownkey serve` on a free port, and OpenAI's own client pointed at it."""
    with command(home, "tokens", "create", "test") as made:
        token = made.communicate()[0].decode().strip()
    serving = command(home, "serve", "--port", "0")
    try:
        assert serving.stdout is not None
        base = serving.stdout.readline().decode().split()[-1]
        for line in serving.stdout:
            if b"tokens create" in line:
                break
        with openai.OpenAI(base_url=base, api_key=token, max_retries=5) as client:
            yield client
    finally:
        serving.terminate()
        serving.communicate()


@both_wires
def test_whole_and_streamed_answers_say_the_same_and_cost_nothing(home: Path, server: Llama, name: str) -> None:
    options: dict[str, Any] = {"max_output_tokens": 40, "temperature": 0.0}

    async def work(ownkey: Ownkey) -> tuple[Reply, Reply, list[Any], list[BookRow]]:
        whole = await ownkey.chat("Hello", name, **options)
        events = [event async for event in ownkey.stream("Hello", name, **options)]
        receipt = events.pop()
        assert isinstance(receipt, Receipt)
        assert receipt.cost is not None
        assert receipt.cost.nano_usd == 0
        return whole, collect(events), events, await rows(ownkey)

    whole, streamed, events, found = asking(home, work)
    assert whole.text
    assert whole.text == streamed.text
    assert whole.finish == streamed.finish
    assert whole.finish.unified == "length"
    assert sum(isinstance(event, TextDelta) for event in events) > 10
    own = server.post(
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 40, "temperature": 0.0},
    )
    assert whole.text == own["choices"][0]["message"]["content"]
    for reply, row in zip((streamed, whole), found, strict=True):
        assert (reply.usage.input_tokens, reply.usage.output_tokens) == (own["usage"]["prompt_tokens"], 40)
        assert (row.input_tokens, row.output_tokens) == (own["usage"]["prompt_tokens"], 40)
        assert (row.state, row.cost_nano, row.priced, row.error) == ("exact", 0, True, None)


def test_its_models_are_discovered(home: Path) -> None:
    async def work(ownkey: Ownkey) -> list[str]:
        return [view.model.id for view in await ownkey.providers.refresh_models("llamacpp")]

    assert asking(home, work) == [MODEL]


def test_the_command_prints_the_answer_as_it_comes(home: Path) -> None:
    with command(home, "chat", "-m", NAMES[0], "--max-tokens", "3000", "Hello") as chat:
        assert chat.stdout is not None
        pieces: list[bytes] = []
        while piece := os.read(chat.stdout.fileno(), 1 << 16):
            pieces.append(piece)
        assert chat.stderr is not None
        told = chat.stderr.read().decode()
    assert chat.returncode == 0, told
    assert len(pieces) > 10
    assert len(b"".join(pieces).decode()) > 1000
    assert told == "The answer ends early: length.\n"


def test_an_answer_of_a_schema_is_of_it(home: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"sunny": {"type": "boolean"}, "wind": {"enum": ["calm", "storm"]}},
        "required": ["sunny", "wind"],
        "additionalProperties": False,
    }

    async def work(ownkey: Ownkey) -> Reply:
        output = JsonOutput(schema, name="weather", strict=True)
        return await ownkey.chat("The weather?", NAMES[0], output=output, max_output_tokens=200, seed=3)

    reply = asking(home, work)
    assert reply.finish.unified == "stop"
    weather = json.loads(reply.text)
    assert weather.keys() == {"sunny", "wind"}
    assert weather["wind"] in ("calm", "storm")


def test_the_seed_and_the_words_to_stop_at_arrive(home: Path) -> None:
    async def work(ownkey: Ownkey) -> list[Reply]:
        seeds = [{"seed": 1}, {"seed": 1}, {"seed": 2}]
        said = [await ownkey.chat("Go", NAMES[0], max_output_tokens=60, **seed) for seed in seeds]
        word = next(letter for letter in said[0].text[20:] if letter.isascii() and letter.isalnum())
        cut = await ownkey.chat("Go", NAMES[0], max_output_tokens=60, seed=1, stop=(word,))
        assert cut.text == said[0].text.partition(word)[0]
        assert cut.finish.unified == "stop"
        return said

    first, again, other = asking(home, work)
    assert first.text == again.text
    assert first.text != other.text


@both_wires
def test_its_errors_are_told_by_kind(home: Path, name: str) -> None:
    async def work(ownkey: Ownkey) -> tuple[OwnkeyError, list[BookRow]]:
        with pytest.raises(ContextTooLong) as caught:
            await ownkey.chat("x" * 20_000, name, max_output_tokens=5)
        return caught.value, await rows(ownkey)

    error, (row,) = asking(home, work)
    assert "16384" in error.message
    assert (row.state, row.error, row.status) == ("released", "context_length_exceeded", 400)


def test_a_path_that_it_does_not_have_is_told(home: Path) -> None:
    file = home / "providers" / "llamacpp.toml"
    file.write_text(file.read_text().replace("/v1", "/v2"))

    async def work(ownkey: Ownkey) -> None:
        with pytest.raises(ModelNotAvailable) as caught:
            await ownkey.chat("Go", NAMES[0])
        assert caught.value.status == 404

    asking(home, work)


@both_wires
def test_a_key_that_it_refuses_is_told_and_the_right_one_opens(tmp_path: Path, name: str) -> None:
    with llama(tmp_path, key=canary("llama", "key-of-")) as server:
        add_providers(tmp_path, server)
        provider = name.partition("/")[0]

        async def work(ownkey: Ownkey) -> Reply:
            for key in (None, "key-of-another-server"):
                if key:
                    ownkey.keys.set(provider, key)
                with pytest.raises(InvalidCredentials) as caught:
                    await ownkey.chat("Go", name, max_output_tokens=5)
                assert caught.value.status == 401
                assert str(key) not in str(caught.value)
            ownkey.keys.set(provider, canary("llama", "key-of-"))
            return await ownkey.chat("Go", name, max_output_tokens=5)

        assert asking(tmp_path, work).usage.output_tokens == 5


@both_wires
def test_hanging_up_stops_the_server_and_settles(home: Path, server: Llama, name: str) -> None:
    async def work(ownkey: Ownkey) -> BookRow:
        events = ownkey.stream("Hello", name, max_output_tokens=LONG)
        async for event in events:
            if isinstance(event, TextDelta):
                break
        assert await asyncio.to_thread(server.busy), "it is still at it"
        await events.aclose()
        await until(lambda: not server.busy())
        (row,) = await rows(ownkey)
        return row

    row = asking(home, work)
    assert (row.state, row.cost_nano) == ("counted", 0)
    assert row.output_tokens is not None
    assert 0 < row.output_tokens < LONG / 2


def test_openai_s_own_client_is_served_by_the_gateway(home: Path, server: Llama) -> None:
    asked: Any = {"model": NAMES[0], "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 40, "seed": 5}
    own = server.post("/v1/chat/completions", {**asked, "model": MODEL})
    with gateway(home) as client:
        whole = client.chat.completions.create(**asked)
        assert whole.choices[0].message.content == own["choices"][0]["message"]["content"]
        assert whole.choices[0].finish_reason == "length"
        assert whole.usage is not None
        assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (own["usage"]["prompt_tokens"], 40)
        assert whole.model_extra is not None
        assert "timings" in whole.model_extra, "fields that nobody here knows go through"

        chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert text == whole.choices[0].message.content
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens == 40

        plain = list(client.chat.completions.create(**asked, stream=True))
        assert all(chunk.choices for chunk in plain)

        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(**{**asked, "messages": [{"role": "user", "content": "x" * 20_000}]})
        assert caught.value.code == "context_length_exceeded"


def test_the_gateway_holds_it_to_a_schema_and_stops_at_words(home: Path) -> None:
    schema = {"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"]}
    asked: Any = {"model": NAMES[0], "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 200, "seed": 5}
    form: Any = {"type": "json_schema", "json_schema": {"name": "number", "schema": schema, "strict": True}}
    with gateway(home) as client:
        said = client.chat.completions.create(**asked, response_format=form)
        assert said.choices[0].finish_reason == "stop"
        assert json.loads(said.choices[0].message.content or "") in ({"n": 1}, {"n": 2})

        free = client.chat.completions.create(**asked).choices[0].message.content or ""
        word = next(letter for letter in free[30:] if letter.isascii() and letter.isalnum())
        cut = client.chat.completions.create(**asked, stop=[word])
        assert cut.choices[0].message.content == free.partition(word)[0]
        assert cut.choices[0].finish_reason == "stop"


def test_a_client_of_the_gateway_that_hangs_up_stops_the_server(home: Path, server: Llama) -> None:
    with gateway(home) as client:
        stream = client.chat.completions.create(
            model=NAMES[0], messages=[{"role": "user", "content": "Hello"}], max_tokens=LONG, stream=True
        )
        next(iter(stream))
        assert server.busy()
        stream.close()
        asyncio.run(until(lambda: not server.busy()))

    async def work(ownkey: Ownkey) -> list[BookRow]:
        return await rows(ownkey)

    (row,) = asking(home, work)
    assert (row.state, row.cost_nano) == ("counted", 0)
    assert row.output_tokens is not None
    assert row.output_tokens < LONG / 2
