"""The gateway: any OpenAI client points its base URL here."""
