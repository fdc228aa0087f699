"""How the schema came to be, step by step. Run by `ownkey.store.schema`."""
