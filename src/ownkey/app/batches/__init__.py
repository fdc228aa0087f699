"""Batches: many requests in a file, worked through within limits and budgets, and never paid for twice."""
