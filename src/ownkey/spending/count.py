"""Tokens where the provider did not count them, or did not get to it."""

from __future__ import annotations

from msgspec import structs

from ownkey.talk.reply import Usage

# English and code run at about four bytes a token, Chinese and Japanese at about three in UTF-8
# (help.openai.com, What are tokens and how to count them). Counting at three errs on the provider's side.
BYTES_PER_TOKEN = 3


def counted(usage: Usage, *, size_bytes: int, text_bytes: int) -> Usage:
    """The usage with both sides filled: what the provider said stands, the rest is counted from bytes.

    `size_bytes` is the request's body, `text_bytes` what the model wrote. An output that was reported before the end
    is a lower bound.
    """
    wrote = -(-text_bytes // BYTES_PER_TOKEN)
    return structs.replace(
        usage,
        input_tokens=-(-size_bytes // BYTES_PER_TOKEN) if usage.input_tokens is None else usage.input_tokens,
        output_tokens=max(wrote, usage.output_tokens or 0),
    )
