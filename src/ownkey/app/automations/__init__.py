"""Saved prompts: what they are, what they are given, what a run of one costs and gives."""
