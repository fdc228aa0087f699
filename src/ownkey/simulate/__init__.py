"""A provider for tests and demonstrations: it speaks three wires in their true forms, and fails on demand.

It knows nothing of `ownkey.wires`: it is the other side of the line.
"""
