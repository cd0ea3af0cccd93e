"""Judges of the embedded platform that need more than Python packages: run by `nox -s judges`."""
