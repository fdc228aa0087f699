"""Ownkey's gateway beside a proxy that does nothing, in one run, on the same machine: `make bench`."""
