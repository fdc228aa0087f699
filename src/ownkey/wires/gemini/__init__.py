"""Google's Gemini API, and Vertex AI's form of it."""
