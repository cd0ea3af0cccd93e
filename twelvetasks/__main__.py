"""`python -m twelvetasks`, and the entry point of the `twelvetasks` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command, or say which extra it needs."""
    try:
        from twelvetasks.cli import run  # noqa: PLC0415 - only here is the extra needed
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in ("click", "rich"):
            raise
        sys.exit("twelvetasks: the command needs its extra: pip install 'twelvetasks[cli]'")
    sys.exit(run())


if __name__ == "__main__":
    main()
