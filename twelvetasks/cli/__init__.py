"""The `twelvetasks` command (extra `cli`): click for its options, rich for colours and progress.

It is a user of the library like any other. Results go to stdout, everything else to stderr: a table
where stdout is a terminal, JSON Lines where it is not. A command is a function of a module named
after what it does, and `program` puts them together.
"""

from __future__ import annotations

from twelvetasks.cli.program import cli, run

__all__ = ["cli", "run"]
