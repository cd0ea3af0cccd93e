"""`wait`: tasks as they end."""

from __future__ import annotations

import click

from twelvetasks.cli.connection import (
    Connection,
    concurrency_option,
    connected,
    demo_option,
    request_timeout_option,
)
from twelvetasks.cli.json_lines import json_writer
from twelvetasks.cli.options import layout_option
from twelvetasks.cli.table import table_writer
from twelvetasks.cli.terminal import Console
from twelvetasks.cli.values import as_seconds, as_task_id
from twelvetasks.cli.writers import as_table
from twelvetasks.models import SortBy, Task, TaskStatus
from twelvetasks.session import TaskSession

LONGEST_WAIT = 3600.0
"""Seconds that a command waits for tasks to end, unless it is told otherwise."""


@click.command("wait")
@click.argument("task_ids", metavar="ID...", nargs=-1, required=True, type=as_task_id)
@click.option(
    "--timeout",
    type=as_seconds,
    default=LONGEST_WAIT,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait in all.",
)
@layout_option
@connected(demo_option, concurrency_option, request_timeout_option)
def wait_for_tasks(
    connection: Connection, task_ids: tuple[str, ...], timeout: float, layout: str | None
) -> None:
    """Wait for tasks, and print each as it ends.

    The exit code is 0 if all are ready; it is 1 if one has failed, is not there, or has not ended
    in time.
    """

    async def wait_for_them(session: TaskSession) -> None:
        out = Console()
        write = table_writer(out, SortBy.UPDATED_AT) if as_table(layout) else json_writer(out)
        ended: list[Task] = []
        async with session.wait_all(task_ids, timeout=timeout) as waiting:
            async for task in waiting:
                write((task,))
                ended.append(task)
        refuse_failures(ended)

    connection.run(wait_for_them)


def refuse_failures(ended: list[Task]) -> None:
    """End the command with code 1 if there are tasks among these that failed."""
    failed = [task.id for task in ended if task.status == TaskStatus.FAILED]
    if failed:
        raise click.ClickException(
            f"{len(failed)} of {len(ended)} tasks failed: {', '.join(failed)}. The API gives no "
            "reason: check the video against the platform's requirements"
        )
