"""The program itself: the group of all commands. A new command is one more line at its end."""

from __future__ import annotations

from typing import Any

import click
import cloup

from twelvetasks.cli.command import refuse_key
from twelvetasks.cli.commands.completion import print_completion
from twelvetasks.cli.commands.count import count_tasks
from twelvetasks.cli.commands.create import create_task
from twelvetasks.cli.commands.delete import delete_tasks
from twelvetasks.cli.commands.get import get_task
from twelvetasks.cli.commands.list import list_tasks
from twelvetasks.cli.commands.stats import show_stats
from twelvetasks.cli.commands.wait import wait_for_tasks
from twelvetasks.cli.commands.watch import watch_tasks
from twelvetasks.cli.ending import ending
from twelvetasks.cli.exit_codes import ExitCode
from twelvetasks.values.version import VERSION


class Program(cloup.Group):
    """A group whose commands all end in `ending`, before click ends them in its own way."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the arguments of the group."""
        with ending():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that they name."""
        with ending(ctx):
            return super().invoke(ctx)


_EXIT_CODES = "\n".join(f"  {code.value:3}  {code.meaning}" for code in ExitCode)


@cloup.group(
    cls=Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"\b\nExit codes:\n{_EXIT_CODES}",
)
@click.version_option(VERSION)
@refuse_key
@click.pass_context
def cli(context: click.Context) -> None:
    """TwelveLabs' video indexing tasks: every one that matches, once, in order.

    The API key is read from the environment variable TWELVE_LABS_API_KEY; if it is not set, the
    command asks for the key in a terminal. It is never an argument.

    An environment variable can set any option but --yes and --insecure-http:
    TWELVETASKS_LIST_FORMAT sets that of `list --format`. These set an option of every command that
    has it: TWELVETASKS_BASE_URL, TWELVETASKS_PROFILE, TWELVETASKS_CONCURRENCY,
    TWELVETASKS_REQUEST_TIMEOUT, TWELVETASKS_PROXY, TWELVETASKS_PROGRESS. TWELVETASKS_LOG=debug
    shows each request on stderr. NO_COLOR turns colours off.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(ExitCode.MISUSED)


def run(arguments: list[str] | None = None) -> int:
    """Run the command and give its exit code, one of `ExitCode`."""
    code = cli.main(arguments, prog_name="twelvetasks", standalone_mode=False)
    return code if isinstance(code, int) else ExitCode.DONE


cli.add_multiple_commands(
    [
        *(list_tasks, count_tasks, show_stats, get_task, create_task, delete_tasks),
        *(wait_for_tasks, watch_tasks, print_completion),
    ]
)
