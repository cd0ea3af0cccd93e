"""Whether the output goes to a terminal or to a program, and what a terminal may be sent."""

from __future__ import annotations

import io
import os
import stat
import sys
from typing import IO

import rich.console

from twelvetasks.values.display import printable

__all__ = ["Console", "is_pipe", "is_terminal", "printable", "settle_encoding"]


class Console(rich.console.Console):
    """A console whose errors end the command as all others do."""

    def on_broken_pipe(self) -> None:
        """Leave the error to `ending`; rich would exit with a code of its own."""
        raise  # noqa: PLE0704 - rich calls this while it handles the error


def settle_encoding() -> None:
    """Write UTF-8 to files and pipes; replace what the encoding of a terminal lacks."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        if is_terminal(sys.stdout):
            sys.stdout.reconfigure(errors="replace")
        else:
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")


def is_terminal(stream: IO[str] | None) -> bool:
    """Ask the stream itself: rich also calls a terminal what FORCE_COLOR says is one."""
    return stream is not None and stream.isatty()


def is_pipe(stream: IO[str]) -> bool:
    """Tell whether another program reads what is written."""
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except OSError:  # A stream of Python's own, such as a StringIO, is no file of the system's.
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
