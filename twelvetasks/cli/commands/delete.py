"""`delete`: delete tasks permanently, after a confirmation."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout

import click

from twelvetasks.cli.command import command, option
from twelvetasks.cli.connection import Connection, connected
from twelvetasks.cli.ending import in_flags
from twelvetasks.cli.option_types import as_task_id
from twelvetasks.cli.output.table_writer import filename
from twelvetasks.cli.terminal import is_terminal
from twelvetasks.session import TaskSession
from twelvetasks.values.display import printable
from twelvetasks.values.errors import ApiError
from twelvetasks.values.tasks import Task


@command(
    "delete",
    examples="""
        twelvetasks delete --demo 68625bbe62d82c07cd0003e7
          Delete one task, after a confirmation.
        twelvetasks list --demo --status failed --format ids > failed
          Collect ids first,
        xargs twelvetasks delete --demo --yes < failed
          and delete all of them.
    """,
)
@click.argument("task_ids", metavar="ID...", nargs=-1, required=True, type=as_task_id)
@option(
    "--yes",
    is_flag=True,
    flag_only=True,
    help="Do not ask for confirmation; required without a terminal.",
)
@connected()
def delete_tasks(connection: Connection, task_ids: tuple[str, ...], *, yes: bool) -> None:
    """Delete tasks permanently, after a confirmation.

    Only ready and failed tasks can be deleted. The command prints the id of each deleted task. The
    first task that cannot be deleted ends the command with code 1, and the tasks after it stay.
    Declining the confirmation ends it with code 1, too.
    """
    chosen = tuple(dict.fromkeys(task_ids))
    if not yes:
        if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
            raise click.UsageError("There is no terminal to ask in, so --yes is needed")
        tasks: list[Task] = []

        async def look_them_up(session: TaskSession) -> None:
            tasks.extend([await session.task(task_id) for task_id in chosen])

        connection.run(look_them_up)
        _ask(tasks)
    asked_by = click.get_current_context().command

    async def delete_them(session: TaskSession) -> None:
        for task_id in chosen:
            try:
                await session.delete(task_id)
            except ApiError as error:
                fault = in_flags(error, asked_by)
                raise click.ClickException(f"{task_id} is not deleted: {fault}") from None
            click.echo(task_id)

    connection.run(delete_them)


def _ask(tasks: list[Task]) -> None:
    """End the command unless the user says yes."""
    for task in tasks:
        line = (
            f"{task.id}  {task.status or 'unknown status':10}  {filename(task) or 'no file name'}"
        )
        click.echo(printable(line), err=True)
    these = "this task" if len(tasks) == 1 else f"these {len(tasks)} tasks"
    # The prompt of `input` goes to stdout, in some versions of click even where `err` is given.
    with redirect_stdout(sys.stderr):
        agreed = click.confirm(f"Delete {these} permanently?", err=True)
    if not agreed:
        raise click.ClickException("Nothing was deleted")
