"""The wire `gemini-embeddings`: embedContent and batchEmbedContents of the Gemini API."""
