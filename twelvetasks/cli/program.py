"""The program itself: the group of all commands. A new command is one more line at its end."""

from __future__ import annotations

from typing import Any

import click

from twelvetasks.cli.command import without_key
from twelvetasks.cli.commands.completion import print_completion
from twelvetasks.cli.commands.list import count_tasks, list_tasks
from twelvetasks.cli.commands.single import create_task, delete_tasks, get_task
from twelvetasks.cli.commands.stats import show_stats
from twelvetasks.cli.commands.wait import wait_for_tasks
from twelvetasks.cli.commands.watch import watch_tasks
from twelvetasks.cli.exit_codes import MISUSED, ending


class Program(click.Group):
    """A group whose commands all end in `ending`, before click ends them in its own way."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the arguments of the group."""
        with ending():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that they name."""
        with ending():
            return super().invoke(ctx)


@click.group(
    cls=Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="twelvetasks")
@click.pass_context
def cli(context: click.Context) -> None:
    """TwelveLabs' video indexing tasks: every one that matches, once, in order.

    The API key is read from the environment variable TWELVE_LABS_API_KEY; without it, a terminal is
    asked for it. It is never an argument.

    Any option can come from a variable instead: that of `list --format` is TWELVETASKS_LIST_FORMAT.
    What every command knows has one for all: TWELVETASKS_BASE_URL, TWELVETASKS_CONCURRENCY,
    TWELVETASKS_REQUEST_TIMEOUT, TWELVETASKS_PROGRESS. NO_COLOR turns colours off.

    Exit codes: 0 done; 1 the platform, the network, the output or a task waited for failed; 2 the
    command was misused or has no API key; 130 Ctrl-C; 141 the reader of the output went away.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(MISUSED)


def run(arguments: list[str] | None = None) -> int:
    """Run the command and give its exit code.

    0 done; 1 the platform, the network, the output or a task waited for failed; 2 the command was
    misused or has no API key; 130 Ctrl-C; 141 the reader of the output went away. The last two say
    nothing.
    """
    code = cli.main(arguments, prog_name="twelvetasks", standalone_mode=False)
    return code if isinstance(code, int) else 0


without_key(cli)
for _command in (
    list_tasks,
    count_tasks,
    show_stats,
    get_task,
    create_task,
    delete_tasks,
    wait_for_tasks,
    watch_tasks,
    print_completion,
):
    cli.add_command(_command)
