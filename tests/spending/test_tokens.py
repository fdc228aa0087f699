"""Tokens before anything is sent: as OpenAI counted them in its recorded answers, else bounds that say so."""

from __future__ import annotations

import base64
import json
import struct
import warnings
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.spending.tokens import ANSWER_TOKENS, MESSAGE_TOKENS, Tokens, count_chat, image_tokens
from ownkey.spending.vocabulary import PIECE, pieces, vocabulary_of
from ownkey.talk.chat import Chat, Image, Message, Text, Tool, user
from ownkey.wires.wire import Door, wire
from recordings import ABSENT, Record, records

# One whose text holds what the vocabulary takes for a mark of its own.
OTHERWISE = {"51634be58c21151e"}


FRAME = MESSAGE_TOKENS + ANSWER_TOKENS
"""What one message takes beside its text."""


def said(text: str, model: str) -> Tokens:
    return count_chat(Chat((user(text),)), model)


def plain_chats() -> list[Record]:
    found = [one for one in records("openai", "chat/completions") if one.status == 200 and not one.streaming]
    found = [one for one in found if isinstance(one.request_body, dict) and one.id not in OTHERWISE]
    return [one for one in found if one.response_body.lstrip().startswith(b"{")]


@pytest.mark.row("A10")
@pytest.mark.skipif(not plain_chats(), reason=ABSENT)
def test_what_is_called_counted_is_what_openai_counted() -> None:
    door = wire("openai-chat")
    assert isinstance(door, Door)
    wrong, counted = [], 0
    for one in plain_chats():
        body = json.loads(one.response_body)
        chat = door.read_chat(door.read_ask(json.dumps(one.request_body).encode()))
        tokens = count_chat(chat, one.request_body["model"])
        if tokens.how == "counted" and body.get("usage"):
            counted += 1
            if tokens.expected != body["usage"]["prompt_tokens"]:
                wrong.append((one.id, tokens.expected, body["usage"]["prompt_tokens"]))
    assert counted > 50
    assert wrong == []


@pytest.mark.row("A10")
def test_each_provider_is_counted_in_its_own_way() -> None:
    assert vocabulary_of("gpt-4o-2024-08-06") == vocabulary_of("openai/gpt-5-mini") == "o200k_base"
    assert vocabulary_of("gpt-4-turbo") == vocabulary_of("gpt-3.5-turbo") == "cl100k_base"
    assert vocabulary_of("claude-sonnet-4-5") is vocabulary_of("gemini-2.5-flash") is vocabulary_of("gpt-40") is None
    assert said("hello world", "gpt-4o") == Tokens(FRAME + 2, FRAME + 2, FRAME + 2, "counted")
    other = said("hello world", "claude-sonnet-4-5")
    assert other.how == "estimated"
    assert other.low <= FRAME + 2 <= other.high


def test_tools_and_pictures_make_it_an_estimate_that_says_so() -> None:
    plain = Chat((user("Hello"),))
    with_tool = Chat((user("Hello"),), tools=(Tool("look_up", "Looks a word up.", {"type": "object"}),))
    with_image = Chat((Message("user", (Text("Hello"), Image(url="https://example.com/a.png"))),))
    assert count_chat(plain, "gpt-4o").how == "counted"
    for chat in (with_tool, with_image):
        tokens = count_chat(chat, "gpt-4o")
        assert tokens.how == "estimated"
        assert count_chat(plain, "gpt-4o").expected < tokens.low <= tokens.expected <= tokens.high


@pytest.mark.parametrize("text", ["\u6f22" * 300_000, "a" * 1_100_000, "word " * 20_000 + "a" * 200_000])
def test_what_is_endless_without_a_break_is_estimated(text: str) -> None:
    tokens = count_chat(Chat((user(text),)), "gpt-4.1")
    assert tokens.how == "estimated"
    assert 0 < tokens.low <= tokens.expected <= tokens.high


def encoding(name: str) -> Any:
    with warnings.catch_warnings():
        # Of the package's own way to its data.
        warnings.simplefilter("ignore", DeprecationWarning)
        import bpe_openai

        return bpe_openai.get_encoding(name)


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4"])
def test_a_long_text_is_counted_in_pieces_as_it_is_in_one(model: str) -> None:
    """Compared with the package's own count, of as much as it takes at once."""
    name = vocabulary_of(model)
    assert name is not None
    for unit in (
        "It's 12,345 naïve keys; the fox's\t(quick)\n\n  ",
        "\u9375\u306f\u4f55\u3067\u3059\u304b\u3002\uff0c",
        "word ",
    ):
        text = unit * (150_000 // len(unit))
        assert said(text, model).expected == FRAME + len(encoding(name).encode_ordinary(text))
    most = FRAME + 300_001
    assert said("word " * 300_000, model) == Tokens(most, most, most, "counted")


@given(
    st.text("ab Zé9'\u0301\n\r\t,.;:()!?_-\u6f22\u5b57\u3001\u3002\uff0c\u00b2\u2167\u00a0\u200b/sS"),
    st.sampled_from(["gpt-4o", "gpt-4"]),
)
def test_wherever_a_text_is_cut_its_tokens_are_the_same(text: str, model: str) -> None:
    """Pieces are cut where a word ends; the words of a long text come together here in every way."""
    filler = "a b" * (PIECE // 3)
    cut = list(pieces(filler + text + filler))
    assert "".join(cut) == filler + text + filler
    counted = sum(said(piece, model).expected - FRAME for piece in cut)
    assert counted == said(filler + text + filler, model).expected - FRAME


def png(width: int, height: int) -> str:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 2, 0, 0, 0)
    return base64.b64encode(head + zlib.crc32(head[12:]).to_bytes(4)).decode()


def jpeg(width: int, height: int) -> str:
    comment = b"\xff\xfe" + struct.pack(">H", 4) + b"hi"
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes(9)
    return base64.b64encode(b"\xff\xd8" + comment + frame).decode()


def gif(width: int, height: int) -> str:
    return base64.b64encode(b"GIF89a" + struct.pack("<HH", width, height) + bytes(8)).decode()


def webp(width: int, height: int) -> str:
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return base64.b64encode(b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + sizes + b"\0").decode()


@pytest.mark.parametrize("make", [png, jpeg, gif, webp])
def test_a_picture_is_counted_by_its_size(make: object) -> None:
    """The examples of OpenAI's guide: 1024 × 1024 are 765 tokens, 2048 × 4096 are 1105, low detail is 85."""
    assert callable(make)

    def expected(width: int, height: int, model: str, detail: str | None = None) -> int:
        chat = Chat((Message("user", (Image(data=make(width, height), detail=detail),)),))
        return count_chat(chat, model).expected - count_chat(Chat((Message("user", ()),)), model).expected

    assert expected(1024, 1024, "gpt-4o") == 765
    assert expected(2048, 4096, "gpt-4o") == 1105
    assert expected(2048, 4096, "gpt-4o", "low") == 85
    assert expected(1000, 750, "claude-sonnet-4-5") == 1000
    assert expected(300, 300, "gemini-2.5-flash") == 258
    assert expected(1000, 800, "gemini-2.5-flash") == 4 * 258


@pytest.mark.parametrize("data", ["", "AAAA", "not base64 at all!", base64.b64encode(b"\xff\xd8\xff").decode()])
def test_a_picture_that_cannot_be_read_is_bounded(data: str) -> None:
    chat = Chat((Message("user", (Image(data=data),)),))
    tokens = count_chat(chat, "gpt-4o")
    assert (tokens.how, tokens.low > 85, tokens.high > 1_600) == ("estimated", True, True)
    assert image_tokens(None, None, "claude-opus-4-5").high == 1_600
