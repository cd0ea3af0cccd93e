"""`wait`: print tasks as they finish."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from twelvetasks.cli.command import command
from twelvetasks.cli.connection import (
    Connection,
    concurrency_option,
    connected,
    demo_option,
    timeout_option,
    wait_timeout_option,
)
from twelvetasks.cli.ending import say
from twelvetasks.cli.option_types import as_task_id
from twelvetasks.cli.options import layout_option
from twelvetasks.cli.output.formats import chosen_format, task_writer
from twelvetasks.cli.output.output_file import Target
from twelvetasks.cli.output.progress import wait_progress
from twelvetasks.cli.terminal import Console, is_terminal
from twelvetasks.session import TaskSession
from twelvetasks.values.models import Task, TaskStatus


@command(
    "wait",
    examples=[
        ("twelvetasks list --demo --status indexing --format ids > ids", "Collect ids first,"),
        (
            "xargs twelvetasks wait --demo --wait-timeout 10m < ids && echo ready",
            "and continue once all these tasks are ready.",
        ),
    ],
)
@click.argument("task_ids", metavar="ID...", nargs=-1, required=True, type=as_task_id)
@wait_timeout_option
@layout_option
@connected(demo_option, concurrency_option, timeout_option, living_demo=True)
def wait_for_tasks(
    connection: Connection, task_ids: tuple[str, ...], wait_timeout: float, layout: str | None
) -> None:
    """Wait for tasks, and print each as it finishes.

    The exit code is 0 if all are ready; it is 1 if one has failed, does not exist, or has not
    finished in time.
    """

    async def wait_for_them(session: TaskSession) -> None:
        target = Target()
        writer = task_writer(chosen_format(layout), target)
        ended: list[Task] = []
        with status_shown(target.console) as show:
            async with session.wait_all(task_ids, timeout=wait_timeout, on_change=show) as waiting:
                async for task in waiting:
                    writer.write((task,))
                    ended.append(task)
        refuse_failures(ended)

    connection.run(wait_for_them)


@contextmanager
def status_shown(out: Console) -> Iterator[Callable[[Task], None]]:
    """Give a function that takes each change of a task, and tells a terminal what is under way."""
    under_way: dict[str, str] = {}
    with wait_progress(out) as show:

        def changed(task: Task) -> None:
            if task.status in (TaskStatus.READY, TaskStatus.FAILED):
                under_way.pop(task.id, None)
            else:
                under_way[task.id] = str(task.status or "without a status")
                if is_terminal(sys.stderr):
                    say(f"{task.id} is {under_way[task.id]}")
            counts = Counter(under_way.values()).most_common()
            show(", ".join(f"{count:,} {status}" for status, count in counts) or "waiting")

        yield changed


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
