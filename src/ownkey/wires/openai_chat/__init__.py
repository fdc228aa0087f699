"""OpenAI's chat completions, which most providers and most clients speak."""
