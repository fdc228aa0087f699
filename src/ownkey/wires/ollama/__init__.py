"""Ollama's own API, outward."""
