"""The wire `ollama-embeddings`: Ollama's own embeddings."""
