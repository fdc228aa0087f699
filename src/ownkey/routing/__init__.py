"""Whom to ask, and what to do when a try fails. Pure: no I/O, and time is an argument."""
