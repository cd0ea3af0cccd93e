"""Tasks as JSON Lines: one object a line, as the API sent it."""

from __future__ import annotations

import sys

from twelvetasks.cli.terminal import Console, is_terminal
from twelvetasks.cli.writers import Writer
from twelvetasks.convert import to_json
from twelvetasks.models import Task


def json_writer(out: Console) -> Writer:
    """Give what writes a line for every task."""

    def write(tasks: tuple[Task, ...]) -> None:
        write_json(out, "".join(f"{to_json(task)}\n" for task in tasks))

    return write


def write_json(out: Console, text: str) -> None:
    """Write JSON, with nothing in it that a terminal would obey."""
    if is_terminal(sys.stdout):
        out.out(text.translate(_ESCAPED), end="", highlight=False)
    else:
        sys.stdout.write(text)
        sys.stdout.flush()


_ESCAPED = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}
"""The control characters that JSON lets through, and a terminal obeys."""
