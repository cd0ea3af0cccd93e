"""What writes tasks, whatever the format: a function that takes them as they come."""

from __future__ import annotations

import sys
from collections.abc import Callable

from twelvetasks.cli.terminal import is_terminal
from twelvetasks.models import Task

Writer = Callable[[tuple[Task, ...]], None]


def as_table(layout: str | None) -> bool:
    """Tell whether the tasks are to be a table."""
    return layout == "table" if layout else is_terminal(sys.stdout)
