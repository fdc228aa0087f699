"""Everything that is kept, and all SQL: sealed keys, choices, tokens, models, the book. SQLite or PostgreSQL."""
