"""Ownkey: your own keys for every language-model provider, behind one door."""
