"""Secrets at rest: where the root key comes from, sealed keys, and the tokens of callers."""
