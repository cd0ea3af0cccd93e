"""`count`: how many tasks match."""

from __future__ import annotations

from typing import Any

import click
from cloup import option_group

from twelvetasks.cli.command import command
from twelvetasks.cli.connection import Connection, single_request_options
from twelvetasks.cli.options import FILTERS, filter_options, in_time
from twelvetasks.session import TaskSession
from twelvetasks.values.tasks import StatusName

__all__ = ["count_tasks"]


@command(
    "count",
    examples=[
        ("twelvetasks count --demo", "All tasks of a demo account."),
        ("twelvetasks count --demo --status queued,indexing", "Tasks that are still under way."),
    ],
)
@option_group(FILTERS, filter_options)
@single_request_options
def count_tasks(
    connection: Connection, status: tuple[StatusName, ...] | None, **filters: Any
) -> None:
    """Count tasks: one small request, one number."""

    async def count_them(session: TaskSession) -> None:
        click.echo(await session.tasks(status=status, **in_time(filters)).count())

    connection.run(count_them)
