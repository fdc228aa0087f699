"""The numbers of One API's and New API's channels, and whom each is.

github.com/songquanpeng/one-api, `relay/channeltype/define.go` and `url.go`; github.com/QuantumNous/new-api,
`constant/channel.go`. A provider's account is often of one of its sites only: where these programs go to another
address than our file of the provider, the address stands here, and the key goes there.
"""

from __future__ import annotations

from msgspec import Struct


class Channel(Struct, frozen=True):
    """`provider`: our id, empty where the channel's address says all. `base_url`: where the program goes unless told
    another address. `root`: what it puts after the address before `/chat/completions`."""

    provider: str = ""
    base_url: str = ""
    root: str = "/v1"


_OPENAI = Channel("openai")
_ANYBODY = Channel()
_SILICONFLOW = Channel("", "https://api.siliconflow.cn")
_MINIMAX = Channel("", "https://api.minimax.chat")
_DOUBAO = Channel("", "https://ark.cn-beijing.volces.com/api/v3", "")
_QWEN = Channel("qwen", "https://dashscope.aliyuncs.com/compatible-mode/v1", "")

# Numbers that mean the same in both.
_BOTH: dict[int, Channel] = {
    1: _OPENAI,
    3: Channel("azure"),
    8: _ANYBODY,
    14: Channel("anthropic"),
    16: Channel("zhipu", root="/api/paas/v4"),
    20: Channel("openrouter"),
    24: Channel("gemini"),
    25: Channel("moonshot-cn"),
}

ONE_API: dict[int, Channel] = _BOTH | {
    17: _QWEN,
    27: _MINIMAX,
    28: Channel("mistral"),
    29: Channel("groq"),
    30: Channel("ollama"),
    32: Channel("", "https://api.stepfun.com"),
    35: Channel("cohere"),
    36: Channel("deepseek"),
    39: Channel("", "https://api.together.xyz"),
    40: _DOUBAO,
    41: Channel("novita", root=""),
    44: _SILICONFLOW,
    45: Channel("xai"),
    50: Channel(root=""),
}

NEW_API: dict[int, Channel] = _BOTH | {
    4: Channel("ollama"),
    17: _QWEN,
    26: Channel("zhipu", root="/api/paas/v4"),
    27: Channel("perplexity", root=""),
    34: Channel("cohere"),
    35: _MINIMAX,
    38: Channel("jina"),
    40: _SILICONFLOW,
    42: Channel("mistral"),
    43: Channel("deepseek"),
    45: _DOUBAO,
    47: _ANYBODY,
    48: Channel("xai"),
}
