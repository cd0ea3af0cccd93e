"""The version of the package: the one place where it stands, and where the build reads it.

Importing `importlib.metadata` to ask for it would take longer than Python takes to start.
"""

VERSION = "0.1.0rc1"
