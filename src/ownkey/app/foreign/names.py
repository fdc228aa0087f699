"""What other programs call the providers, in their tables; ours are the ids of the catalogue and its gallery.

A name that is also one of our ids needs no row.
"""

from __future__ import annotations

from collections.abc import Mapping

from ownkey.app.foreign.finding import Names

# docs.litellm.ai/docs/providers: what stands before the slash of `model`, or in `custom_llm_provider`.
LITELLM = {
    "ai21_chat": "ai21",
    "azure_text": "azure",
    "cohere_chat": "cohere",
    "dashscope": "qwen",
    "featherless_ai": "featherless",
    "fireworks_ai": "fireworks",
    "friendliai": "friendli",
    "github": "github-models",
    "hosted_vllm": "vllm",
    "jina_ai": "jina",
    "litellm_proxy": "litellm",
    "lm_studio": "lmstudio",
    "meta_llama": "meta",
    "nvidia_nim": "nvidia",
    "ollama_chat": "ollama",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "vercel_ai_gateway": "vercel",
    "xiaomi_mimo": "xiaomi",
}

# OpenAI's form at any address: nothing of whose it is.
LITELLM_ANYBODY = frozenset({"openai_like", "custom_openai", "azure_ai", "openai_compatible"})

# A name without a slash: LiteLLM looks it up in its own list of models.
LITELLM_BARE = {"gpt-": "openai", "o1": "openai", "o3": "openai", "o4": "openai", "chatgpt-": "openai"} | {
    "text-embedding-": "openai",
    "claude-": "anthropic",
}

# The aliases that `llm`'s plugins look for: llm.datasette.io/en/stable/plugins/directory.html and their own pages.
LLM = {
    "claude": "anthropic",
    "grok": "xai",
    "google": "gemini",
    "huggingface-hub": "huggingface",
    "dashscope": "qwen",
    "fireworks-ai": "fireworks",
    "together-ai": "together",
}

# Variables that no manifest names: LibreChat's .env.example, docs.litellm.ai/docs/providers.
VARIABLES = {
    "GOOGLE_KEY": "gemini",
    "GOOGLE_GENERATIVE_AI_API_KEY": "gemini",
    "AZURE_API_KEY": "azure",
    "TOGETHERAI_API_KEY": "together",
    "TOGETHER_AI_API_KEY": "together",
    "FIREWORKS_AI_API_KEY": "fireworks",
    "PERPLEXITYAI_API_KEY": "perplexity",
    "HUGGINGFACE_API_KEY": "huggingface",
    "NVIDIA_NIM_API_KEY": "nvidia",
    "GROK_API_KEY": "xai",
    "CLAUDE_API_KEY": "anthropic",
}

# What the address of a provider goes on with, where a program is given its host only: the base URLs of Anthropic's and
# Google's own clients, and of Azure resources.
ROOTS = {"anthropic": "/v1", "gemini": "/v1beta", "azure": "/openai"}


def ours(name: str, table: Mapping[str, str], names: Names) -> tuple[str, ...]:
    """Our id for a program's name; none where there is none."""
    found = table.get(name, name)
    return (found,) if found in names.ids else ()


def root_of(providers: tuple[str, ...], otherwise: str = "") -> str:
    return next((ROOTS[one] for one in providers if one in ROOTS), otherwise)
