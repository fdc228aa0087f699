"""The door: builds everything once, and is what programs import."""
