"""`python -m twelvetasks`, and the entry point of the `twelvetasks` command."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from twelvetasks.cli.exit_codes import NOTHING_WRITTEN, ExitCode
from twelvetasks.values.version import VERSION

_EXTRA = ("click", "cloup", "platformdirs", "rich")
"""What the extra installs."""


def main() -> None:
    """Run the command, or say which extra it needs."""
    if sys.argv[1:] == ["--version"]:  # Scripts ask for it often, and the rest is slow to import.
        with suppress(OSError):  # The program itself tells what is wrong with stdout.
            print(f"twelvetasks, version {VERSION}", flush=True)
            sys.exit(ExitCode.DONE)
    with _sigterm_as_ctrl_c() as terminated:
        try:
            from twelvetasks.cli.program import run  # noqa: PLC0415 - only here is the extra needed

            code = run()
        except ModuleNotFoundError as missing:
            if (missing.name or "").partition(".")[0] not in _EXTRA:
                raise
            sys.exit("twelvetasks: the command needs its extra: pip install 'twelvetasks[cli]'")
        except KeyboardInterrupt:  # Ctrl-C during the import; `run` handles it later on.
            code = ExitCode.INTERRUPTED
            if _writes_a_listing(sys.argv[1:]) and sys.stderr is not None:
                print(f"twelvetasks: {NOTHING_WRITTEN}", file=sys.stderr)
        _give_up_broken_streams()
    sys.exit(ExitCode.TERMINATED if terminated else code)


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[list[int]]:
    """Let SIGTERM end the command as Ctrl-C does; yield a list that is empty until it comes.

    The kernel gives process 1 of a container no signal that it has no handler for.
    """
    terminated: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        terminated.append(number)
        handler = signal.getsignal(signal.SIGINT)
        # A command started in the background ignores SIGINT, but SIGTERM still has to end it.
        (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, frame)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield terminated
    finally:
        signal.signal(signal.SIGTERM, before)


def _writes_a_listing(arguments: list[str]) -> bool:
    """Whether it seems, without parsing, to be a `list` with an output file."""
    return "list" in arguments and any(each.startswith(("-o", "--output")) for each in arguments)


def _give_up_broken_streams() -> None:
    """Point broken streams to the null device, or Python complains about them as it exits."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


if __name__ == "__main__":
    main()
