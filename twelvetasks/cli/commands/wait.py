"""`wait`: print tasks, or other items, as they finish."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from twelvetasks.cli.command import command
from twelvetasks.cli.connection import Connection, connected, wait_timeout_option
from twelvetasks.cli.ending import say
from twelvetasks.cli.kinds import kind_option, query_of, scope_option
from twelvetasks.cli.option_types import as_task_id
from twelvetasks.cli.options import layout_option
from twelvetasks.cli.output.formats import chosen_format, item_writer
from twelvetasks.cli.output.output_file import Target
from twelvetasks.cli.output.progress import wait_progress
from twelvetasks.cli.terminal import Console, is_terminal
from twelvetasks.session import TaskSession
from twelvetasks.values.resources import Resource
from twelvetasks.values.tasks import TASKS


@command(
    "wait",
    examples="""
        twelvetasks list --demo --status indexing --format ids > ids
          Collect ids first,
        xargs twelvetasks wait --demo --wait-timeout 10m < ids && echo ready
          and continue once all these tasks are ready.
    """,
)
@click.argument("task_ids", metavar="ID...", nargs=-1, required=True, type=as_task_id)
@kind_option
@scope_option
@wait_timeout_option
@layout_option
@connected(concurrent=True, living_demo=True)
def wait_for_tasks(
    connection: Connection,
    task_ids: tuple[str, ...],
    *,
    kind: str,
    index_id: str | None,
    wait_timeout: float,
    layout: str | None,
) -> None:
    """Wait for tasks, or other items, and print each as it finishes.

    The exit code is 0 if all are ready; it is 1 if one has failed, does not exist, or has not
    finished in time.
    """
    query = query_of(kind, {"index_id": index_id})

    async def wait_for_them(session: TaskSession) -> None:
        target = Target()
        writer = item_writer(chosen_format(layout), target, model=query.resource.item)
        ended: list[Any] = []
        with status_shown(target.console, query.resource) as show:
            waiting = session.list(query).wait_all(task_ids, timeout=wait_timeout, on_change=show)
            async with waiting:
                async for item in waiting:
                    writer.write((item,))
                    ended.append(item)
        refuse_failures(ended, query.resource)

    connection.run(wait_for_them)


@contextmanager
def status_shown(out: Console, resource: Resource[Any] = TASKS) -> Iterator[Callable[[Any], None]]:
    """Yield a function that takes each change of an item, and shows what is under way."""
    under_way: dict[str, str] = {}
    with wait_progress(out) as show:

        def changed(item: Any) -> None:
            status = resource.status_of(item)
            if status in resource.ended:
                under_way.pop(item.id, None)
            else:
                under_way[item.id] = str(status or "without a status")
                if is_terminal(sys.stderr):
                    say(f"{item.id} is {under_way[item.id]}")
            counts = Counter(under_way.values()).most_common()
            show(", ".join(f"{count:,} {status}" for status, count in counts) or "waiting")

        yield changed


def refuse_failures(ended: list[Any], resource: Resource[Any] = TASKS) -> None:
    """End the command with code 1 if one of these items has failed."""
    failed = [
        f"{item.id} ({resource.reason_of(item) or 'no reason is given'})"
        for item in ended
        if resource.status_of(item) in resource.failures
    ]
    if failed:
        raise click.ClickException(
            f"{len(failed)} of {len(ended)} {resource.noun} failed: {', '.join(failed)}. "
            "Check the video against the platform's requirements"
        )
