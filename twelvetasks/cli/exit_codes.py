"""How a command ends: what is said on stderr, in one line, and with which exit code.

Whatever ends a command early passes through `ending`, and nothing else in this package decides on
an exit code.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from twelvetasks.cli.terminal import is_terminal, printable
from twelvetasks.session import API_KEY_VARIABLE
from twelvetasks.values.errors import AuthenticationError, InvalidArgumentError, TwelveTasksError

FAILED, MISUSED, INTERRUPTED, PIPE_CLOSED = 1, 2, 130, 141


@contextmanager
def ending() -> Iterator[None]:
    """Turn what ends a command early into its exit code and at most one line on stderr."""
    try:
        yield
    except (
        *(click.ClickException, click.Abort, TwelveTasksError, OSError, KeyboardInterrupt),
    ) as error:
        code, said = _verdict(error)
        with suppress(OSError):  # Where nobody can be told any more, the code still says it.
            if said is not None:
                say(said)
            elif code == INTERRUPTED and is_terminal(sys.stderr):
                click.echo(err=True)  # The terminal has shown ^C: the prompt needs its own line.
        raise click.exceptions.Exit(code) from None


def say(message: str) -> None:
    """Write one line to stderr."""
    click.echo(f"twelvetasks: {' '.join(printable(message).split())}", err=True)


def _verdict(error: BaseException) -> tuple[int, str | None]:
    """Give the exit code and what to say; None for nothing."""
    match error:
        case click.ClickException():
            return error.exit_code, _with_usage_hint(error)
        case InvalidArgumentError():
            return MISUSED, in_flags(str(error))
        case AuthenticationError(status=None):
            advice = f"Set the environment variable {API_KEY_VARIABLE}, or try --demo"
            return MISUSED, f"{error.reason}. {advice}"
        case TwelveTasksError():
            return FAILED, in_flags(str(error))
        case BrokenPipeError():
            return PIPE_CLOSED, None
        case OSError():
            fault = error.strerror or str(error)
            return FAILED, f"{error.filename}: {fault}" if error.filename else fault
    return INTERRUPTED, None


def _with_usage_hint(error: click.ClickException) -> str:
    said = error.format_message()
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return said
    return f"{said}{'' if said.endswith(('.', '?')) else '.'} See {error.ctx.command_path} -h"


def in_flags(message: str) -> str:
    """Say with the command's flags what the library says with its arguments and methods."""
    message = message.replace("see TaskSession.wait", "see twelvetasks wait -h")
    message = message.replace("a longer `timeout`", "a longer `twelvetasks wait --timeout`")
    message = re.sub(r"\bvideo_(file|url)\b", r"--\1", message)
    message = re.sub(r"^user_(?=metadata=)", "", message)
    return re.sub(
        r"^(\w+)(?==)|the session's `(\w+)`",
        lambda named: f"--{(named[1] or named[2]).replace('_', '-')}",
        message,
    )
