"""The exit codes of the command. It imports no extra: the code for a missing one is here, too."""

from __future__ import annotations

from enum import IntEnum
from typing import Self

NOTHING_WRITTEN = (
    "ended before anything was written: the same command starts again, and with --resume continues "
    "from what an earlier one has kept"
)
"""What a listing to a file says if a signal ends it so early."""


class ExitCode(IntEnum):
    """How the command ended; `meaning` says it in words."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        """Make a member of a number and what it means."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    DONE = 0, "done"
    FAILED = 1, "the platform, network, output, an extra or a task waited for failed"
    MISUSED = 2, "the command was misused or has no API key"
    INTERRUPTED = 130, "interrupted by Ctrl-C"
    PIPE_CLOSED = 141, "output pipe closed"
    TERMINATED = 143, "ended by SIGTERM"
