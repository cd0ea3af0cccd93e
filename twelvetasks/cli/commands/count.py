"""`count`: how many tasks, or other items, match."""

from __future__ import annotations

from typing import Any

import click
from cloup import option_group

from twelvetasks.cli import options
from twelvetasks.cli.command import command
from twelvetasks.cli.connection import Connection, connected
from twelvetasks.cli.kinds import kind_option, query_of
from twelvetasks.session import TaskSession


@command(
    "count",
    examples="""
        twelvetasks count --demo
          All tasks of a demo account.
        twelvetasks count --demo --status queued,indexing
          Tasks that are still under way.
        twelvetasks count --demo --since 7d
          Tasks of the last week.
        twelvetasks count --demo --kind embedding-tasks
          The items of another list.
    """,
)
@option_group(options.FILTERS, kind_option, options.filters, options.period)
@connected()
def count_tasks(connection: Connection, kind: str, **filters: Any) -> None:
    """Count tasks, or other items: one small request, one number.

    With --since or --until they are read and counted.
    """
    filters = options.in_time(filters)
    period = {name: filters.pop(name) for name in options.PERIOD}
    query = query_of(kind, filters)

    async def count_them(session: TaskSession) -> None:
        click.echo(await session.list(query, **period).count())

    connection.run(count_them)
