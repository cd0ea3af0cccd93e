"""Errors of a command: each is one line on stderr and an exit code.

Every error passes through `ending`; no other code of the command chooses an exit code.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from twelvetasks.cli.command import Option
from twelvetasks.cli.exit_codes import ExitCode
from twelvetasks.cli.suggestions import MEANT_COMMANDS, did_you_mean, meant_option
from twelvetasks.cli.terminal import is_terminal, print_line
from twelvetasks.session import API_KEY_VARIABLE
from twelvetasks.values.display import printable
from twelvetasks.values.errors import AuthenticationError, InvalidArgumentError, TwelveTasksError


@contextmanager
def ending(context: click.Context | None = None) -> Iterator[None]:
    """Turn an error of a command into its exit code and at most one line on stderr."""
    try:
        yield
    except (
        *(click.ClickException, click.Abort, TwelveTasksError, OSError, KeyboardInterrupt),
    ) as error:
        code, message = _verdict(error, _command_in(context))
        with suppress(OSError):  # Without a stderr, the exit code still tells.
            if message is not None:
                say(message)
            elif code is ExitCode.INTERRUPTED and is_terminal(sys.stderr):
                click.echo(err=True)  # The terminal has shown ^C: the prompt needs its own line.
        raise click.exceptions.Exit(code) from None


def say(message: str) -> None:
    """Write one line to stderr."""
    print_line(f"twelvetasks: {' '.join(printable(message).split())}")


def _command_in(context: click.Context | None) -> click.Command | None:
    """Return the subcommand that runs in the context of the group."""
    if context is None or not isinstance(context.command, click.Group):
        return None
    return context.command.commands.get(context.invoked_subcommand or "")


def _verdict(error: BaseException, command: click.Command | None) -> tuple[int, str | None]:
    """Return the exit code and the message; None for no message."""
    match error:
        case click.ClickException():
            return error.exit_code, _with_usage_hint(error)
        case InvalidArgumentError():
            return ExitCode.MISUSED, in_flags(error, command)
        case AuthenticationError(status=None):
            advice = f"Set the environment variable {API_KEY_VARIABLE}, or try --demo"
            return ExitCode.MISUSED, f"{error.reason}. {advice}"
        case TwelveTasksError():
            return ExitCode.FAILED, in_flags(error, command)
        case BrokenPipeError():
            return ExitCode.PIPE_CLOSED, None
        case OSError():
            fault = error.strerror or str(error)
            return ExitCode.FAILED, f"{error.filename}: {fault}" if error.filename else fault
    return ExitCode.INTERRUPTED, None


_UNKNOWN_COMMAND = re.compile(r"No such command '([^']*)'")
_NOT_OFFERED = re.compile(r"'([^']*)' is not one of (.*)")


def _with_usage_hint(error: click.ClickException) -> str:
    message = error.format_message()
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return message
    if isinstance(error, click.NoSuchOption):
        message = f"{error.message} {meant_option(error.option_name, error.ctx)}".rstrip()
    elif (unknown := _UNKNOWN_COMMAND.match(message)) and unknown[1] in MEANT_COMMANDS:
        message = f"{unknown[0]}. Did you mean {MEANT_COMMANDS[unknown[1]]}?"
    elif wrong := _NOT_OFFERED.search(message):
        hint = did_you_mean(wrong[1], re.findall("'([^']+)'", wrong[2]))
        message = f"{message} {hint}".rstrip()
    dot = "" if message.endswith((".", "?", "?)")) else "."
    return f"{message}{dot} See {error.ctx.command_path} -h"


_OPTION_OF = {
    "timeout": "request_timeout",
    "video_url": "url",
    "video_file": "file",
    "user_metadata": "metadata",
    "checkpoint_file": "place",
}
"""The options that set a parameter of the library under another name."""


def in_flags(error: TwelveTasksError, command: click.Command | None) -> str:
    """Return the message of an error, with the flags of a command for parameters of the library."""
    options = {} if command is None else {option.name: option for option in command.params}

    def flag(parameter: str) -> str:
        option = options.get(_OPTION_OF.get(parameter, parameter))
        return option.flag if isinstance(option, Option) else parameter

    if isinstance(error, InvalidArgumentError):
        # A checkpoint is a file here, and its long text says nothing to a user.
        value = "" if error.parameter in ("resume", "checkpoint_file") else f"={error.value!r}"
        advice = f". {error.advice}" if error.advice else ""
        demand = error.demand.replace("insecure_http=True", "--insecure-http")
        demand = demand.replace("`base_url`", "--base-url").replace("`until`", "--until")
        return f"{flag(error.parameter)}{value}: {demand}{advice}"
    message = str(error)
    for parameter in ("timeout", "concurrency", "base_url", "proxy"):
        message = message.replace(f"the session's `{parameter}`", flag(parameter))
    message = message.replace(" or the session's `ssl`", "")
    message = message.replace("a longer `timeout`", "a longer --wait-timeout")
    return message.replace("see TaskSession.wait", "see twelvetasks wait -h")
