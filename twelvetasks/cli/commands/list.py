"""`list` and `count`: the tasks that match, or how many they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from twelvetasks.cli.command import command, option
from twelvetasks.cli.commands.list_plan import planned
from twelvetasks.cli.connection import Connection, connection_options, single_request_options
from twelvetasks.cli.option_types import Moment, as_moment
from twelvetasks.cli.options import (
    FILTERS,
    ORDER,
    OUTPUT,
    filter_options,
    in_time,
    order_options,
    progress_option,
)
from twelvetasks.cli.output.columns import as_columns, complete_columns
from twelvetasks.cli.output.formats import FORMATS
from twelvetasks.cli.output.output_file import output_path
from twelvetasks.session import TaskSession
from twelvetasks.values.report import ListingReport
from twelvetasks.values.tasks import TASKS, StatusName

__all__ = ["count_tasks", "list_tasks"]


@command(
    "list",
    examples=[
        ("twelvetasks list --status failed --since 2d", "What failed of the last two days."),
        (
            "twelvetasks list --columns id,status,system_metadata.filename --format csv",
            "Three fields of every task, for a spreadsheet.",
        ),
        (
            "twelvetasks list --output tasks.parquet",
            "The whole account for pandas, polars or DuckDB; the name tells the format.",
        ),
        (
            "twelvetasks list --output tasks.jsonl --resume",
            "Go on with a listing that was interrupted, or begin it.",
        ),
        ("twelvetasks list --demo", "Try it without a key, on a made-up account."),
    ],
)
@filter_options
@option(
    "--since",
    type=as_moment,
    metavar="TIME",
    group=FILTERS,
    help="Only tasks created at or after this time. Whatever the platform makes of --created-at, "
    "this reads from the newest task down to the time, and no further.",
)
@order_options
@option(
    "--max-items", type=click.IntRange(min=0), metavar="N", group=ORDER, help="Stop after N tasks."
)
@option(
    "--exact",
    is_flag=True,
    group=ORDER,
    help="Prove that nothing is missed, whatever changes meanwhile.",
)
@option(
    "--format",
    "layout",
    type=click.Choice(FORMATS),
    group=OUTPUT,
    help="How to write them.  [default: as the name of --output ends; else table in a terminal, "
    "jsonl in a pipe]",
)
@option(
    "--columns",
    type=as_columns,
    shell_complete=complete_columns,
    metavar="NAMES",
    group=OUTPUT,
    help="Only these fields, with commas between them: id,status,system_metadata.filename.",
)
@option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=output_path,
    metavar="FILE",
    group=OUTPUT,
    help="Write to this file, which is replaced once the listing is complete.",
)
@option(
    "--resume",
    is_flag=True,
    group=OUTPUT,
    help="Go on with what an interrupted listing has left in FILE.part (jsonl, csv).",
)
@option("--report", is_flag=True, group=OUTPUT, help="Say on stderr what the listing did.")
@progress_option
@option(
    "--page-limit",
    type=click.IntRange(1, TASKS.max_page_limit),
    default=TASKS.max_page_limit,
    show_default=True,
    metavar="N",
    group="Connection",
    help="Tasks to ask for in one request.",
)
@connection_options
def list_tasks(
    connection: Connection,
    *,
    since: Moment | None,
    layout: str | None,
    columns: tuple[str, ...] | None,
    output: Path | None,
    resume: bool,
    report: bool,
    progress: bool | None,
    **filters: Any,
) -> None:
    """List tasks: a table in a terminal, one JSON object a line in a pipe.

    An interrupted listing to a file keeps what it has, if it is jsonl or csv: the same command with
    --resume goes on from there, with no task lost or doubled.
    """
    plan = planned(
        {**filters, "status": filters["status"] or None},
        since=since,
        account=connection.account,
        layout=layout,
        columns=columns,
        output=output,
        resume=resume,
    )

    async def list_them(session: TaskSession) -> None:
        listing = session.tasks(**plan.arguments)
        with plan.target() as target:
            async with listing.pages() as pages:
                try:
                    await plan.write(pages, target, progress=progress)
                finally:
                    if report:
                        click.echo(_sentence(pages.report), err=True)

    connection.run(list_them)


@command(
    "count",
    examples=[
        ("twelvetasks count", "All there are."),
        ("twelvetasks count --status queued --status indexing", "How many are still under way."),
    ],
)
@filter_options
@single_request_options
def count_tasks(connection: Connection, status: tuple[StatusName, ...], **filters: Any) -> None:
    """Count tasks: one small request, one number."""

    async def count_them(session: TaskSession) -> None:
        click.echo(await session.tasks(status=status or None, **in_time(filters)).count())

    connection.run(count_them)


def _sentence(report: ListingReport) -> str:
    counts = (
        f"{number} {noun}{'' if number == 1 else 's'}{rest}"
        for number, noun, rest in (
            (report.requests, "request", ""),
            (report.pages, "page", ""),
            (report.bridges, "bridge", ""),
            (report.duplicates, "duplicate", " dropped"),
            (report.late, "late task", " left out"),
        )
    )
    return f"twelvetasks: {', '.join(counts)}; consistency: {report.consistency}"
