"""OpenAI's responses, both ways."""
