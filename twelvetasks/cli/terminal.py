"""Whether the output goes to a terminal or to a program, and what a terminal may be sent."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import click
import rich.console
from rich.text import Text


class Console(rich.console.Console):
    """A console whose errors end the command as all others do."""

    def on_broken_pipe(self) -> None:
        """Leave the error to `ending`; rich would exit with a code of its own."""
        raise  # noqa: PLE0704 - rich calls this while it handles the error


_live: list[Console] = []
"""The consoles that redraw a bar or a view; a line has to go through them, above it."""


@contextmanager
def lines_above(console: Console) -> Iterator[None]:
    """Print the lines of `print_line` above what this console redraws, until the context ends."""
    _live.append(console)
    try:
        yield
    finally:
        _live.remove(console)


def print_line(line: str) -> None:
    """Print one line to stderr, or above a bar or view that is being redrawn."""
    if _live:
        _live[-1].print(Text(line), soft_wrap=True)
    else:
        click.echo(line, err=True)


def can_rewrite(stream: IO[str] | None) -> bool:
    """Return whether a line of a terminal can be erased, and nothing else is redrawn on it."""
    if not is_terminal(stream) or _live:
        return False
    console = Console(file=stream)
    return console.is_interactive and not console.legacy_windows


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
    """Return whether another program reads what is written."""
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except OSError:  # A stream of Python's own, such as a StringIO, is no file of the system's.
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
