"""`count`: how many tasks, or other items, match."""

from __future__ import annotations

from typing import Any

import click
from cloup import option_group

from twelvetasks.cli.command import command
from twelvetasks.cli.connection import Connection, single_request_options
from twelvetasks.cli.kinds import kind_option, query_of
from twelvetasks.cli.option_types import Moment
from twelvetasks.cli.options import FILTERS, filter_options, in_time, is_recent, since_option
from twelvetasks.listing import Listing
from twelvetasks.session import TaskSession

__all__ = ["count_tasks"]


@command(
    "count",
    examples=[
        ("twelvetasks count --demo", "All tasks of a demo account."),
        ("twelvetasks count --demo --status queued,indexing", "Tasks that are still under way."),
        ("twelvetasks count --demo --since 7d", "Tasks of the last week."),
        ("twelvetasks count --demo --kind embedding-tasks", "The items of another list."),
    ],
)
@option_group(FILTERS, kind_option, filter_options, since_option)
@single_request_options
def count_tasks(
    connection: Connection,
    kind: str,
    since: Moment | None,
    **filters: Any,
) -> None:
    """Count tasks, or other items: one small request, one number.

    With --since they are read, and those since then are counted.
    """
    query = query_of(kind, in_time(filters))

    async def count_them(session: TaskSession) -> None:
        listing = session.list(query)
        click.echo(await (listing.count() if since is None else _counted(listing, since)))

    connection.run(count_them)


async def _counted(listing: Listing[Any], since: Moment) -> int:
    count = 0
    async with listing as items:
        async for item in items:
            if not is_recent(item, since):
                break
            count += 1
    return count
