"""What writes tasks as they come, whatever the format, and what the formats are called.

A writer is told of every page and, if all went well, of the end: what a complete result ends with
is never written after a failure, so that no reader takes a part for the whole.
"""

from __future__ import annotations

import sys
from pathlib import PurePath
from typing import Protocol

from twelvetasks.cli.terminal import is_terminal
from twelvetasks.values.models import Task

__all__ = ["FORMATS", "RESUMABLE", "Writer", "chosen_format"]

FORMATS = ("table", "jsonl", "json", "csv", "parquet")

RESUMABLE = ("jsonl", "csv")
"""The formats in which what has been written is a beginning that more can be added to."""

_SUFFIXES = {".ndjson": "jsonl", ".txt": "table"} | {f".{name}": name for name in FORMATS[1:]}


class Writer(Protocol):
    """What writes tasks in one format."""

    def write(self, tasks: tuple[Task, ...]) -> None:
        """Write tasks that have come."""
        ...

    def finish(self) -> None:
        """Write what a complete result ends with."""
        ...


def chosen_format(asked: str | None, output: PurePath | None = None) -> str:
    """Give the format: the one asked for, that of the file's name, or what suits the reader."""
    if asked is not None:
        return asked
    if output is not None:
        return _SUFFIXES.get(output.suffix.lower(), "jsonl")
    return "table" if is_terminal(sys.stdout) else "jsonl"
