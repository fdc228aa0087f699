"""The wire `openai-embeddings`: what OpenAI's API reference calls embeddings, and all who speak it."""
