"""How providers and clients speak: one module for each format, pure functions, no I/O."""
