"""Who can be asked: one TOML file for each provider, the models it offers and what they are able to do."""
