"""`python -m twelvetasks`, and the entry point of the `twelvetasks` command."""

from __future__ import annotations

import os
import sys

INTERRUPTED = 130
"""Ctrl-C while the command was still being imported; later on, `run` sees to it."""


def main() -> None:
    """Run the command, or say which extra it needs."""
    try:
        from twelvetasks.cli import run  # noqa: PLC0415 - only here is the extra needed

        code = run()
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in ("click", "rich"):
            raise
        sys.exit("twelvetasks: the command needs its extra: pip install 'twelvetasks[cli]'")
    except KeyboardInterrupt:
        code = INTERRUPTED
    _give_up_broken_streams()
    sys.exit(code)


def _give_up_broken_streams() -> None:
    """Send to nowhere what can no longer be written, or Python complains of it as it ends."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


if __name__ == "__main__":
    main()
