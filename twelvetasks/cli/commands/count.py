"""`count`: how many tasks match."""

from __future__ import annotations

from typing import Any

import click
from cloup import option_group

from twelvetasks.cli.command import command
from twelvetasks.cli.connection import Connection, single_request_options
from twelvetasks.cli.option_types import Moment
from twelvetasks.cli.options import FILTERS, filter_options, in_time, is_recent, since_option
from twelvetasks.listing import TaskListing
from twelvetasks.session import TaskSession
from twelvetasks.values.tasks import StatusName

__all__ = ["count_tasks"]


@command(
    "count",
    examples=[
        ("twelvetasks count --demo", "All tasks of a demo account."),
        ("twelvetasks count --demo --status queued,indexing", "Tasks that are still under way."),
        ("twelvetasks count --demo --since 7d", "Tasks of the last week."),
    ],
)
@option_group(FILTERS, filter_options, since_option)
@single_request_options
def count_tasks(
    connection: Connection,
    status: tuple[StatusName, ...] | None,
    since: Moment | None,
    **filters: Any,
) -> None:
    """Count tasks: one small request, one number.

    With --since the tasks are read, and those since then are counted.
    """

    async def count_them(session: TaskSession) -> None:
        listing = session.tasks(status=status, **in_time(filters))
        click.echo(await (listing.count() if since is None else _counted(listing, since)))

    connection.run(count_them)


async def _counted(listing: TaskListing, since: Moment) -> int:
    count = 0
    async with listing as tasks:
        async for task in tasks:
            if not is_recent(task, since):
                break
            count += 1
    return count
