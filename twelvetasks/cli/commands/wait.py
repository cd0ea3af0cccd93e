"""`wait`: print tasks as they finish."""

from __future__ import annotations

import click

from twelvetasks.cli.command import command, option
from twelvetasks.cli.connection import (
    Connection,
    concurrency_option,
    connected,
    demo_option,
    request_timeout_option,
)
from twelvetasks.cli.option_types import as_positive_seconds, as_task_id
from twelvetasks.cli.options import layout_option
from twelvetasks.cli.output.formats import chosen_format, task_writer
from twelvetasks.cli.output.output_file import Target
from twelvetasks.session import TaskSession
from twelvetasks.values.models import Task, TaskStatus

LONGEST_WAIT = 3600.0
"""Default limit of a wait, in seconds."""


@command(
    "wait",
    examples=[
        (
            "twelvetasks wait 62a17bf847f5678267ec10cc --timeout 10m && echo ready",
            "Continue once the task is ready.",
        ),
        (
            "twelvetasks list --status indexing --format ids | xargs twelvetasks wait",
            "Wait for all tasks that are being indexed.",
        ),
    ],
)
@click.argument("task_ids", metavar="ID...", nargs=-1, required=True, type=as_task_id)
@option(
    "--timeout",
    type=as_positive_seconds,
    default="1h",
    show_default=True,
    metavar="DURATION",
    help="Limit of the whole wait.",
)
@layout_option
@connected(demo_option, concurrency_option, request_timeout_option)
def wait_for_tasks(
    connection: Connection, task_ids: tuple[str, ...], timeout: float, layout: str | None
) -> None:
    """Wait for tasks, and print each as it finishes.

    The exit code is 0 if all are ready; it is 1 if one has failed, does not exist, or has not
    finished in time.
    """

    async def wait_for_them(session: TaskSession) -> None:
        writer = task_writer(chosen_format(layout), Target())
        ended: list[Task] = []
        async with session.wait_all(task_ids, timeout=timeout) as waiting:
            async for task in waiting:
                writer.write((task,))
                ended.append(task)
        refuse_failures(ended)

    connection.run(wait_for_them)


def refuse_failures(ended: list[Task]) -> None:
    """End the command with code 1 if one of these tasks has failed."""
    failed = [
        f"{task.id} ({task.error_reason or 'no reason is given'})"
        for task in ended
        if task.status == TaskStatus.FAILED
    ]
    if failed:
        raise click.ClickException(
            f"{len(failed)} of {len(ended)} tasks failed: {', '.join(failed)}. "
            "Check the video against the platform's requirements"
        )
