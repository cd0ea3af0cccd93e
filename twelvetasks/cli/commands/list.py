"""`list`: the tasks, or other items, that match."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from cloup import option_group

from twelvetasks.cli import options
from twelvetasks.cli.command import command, option
from twelvetasks.cli.commands.list_plan import ListingPlan
from twelvetasks.cli.connection import Connection, connected
from twelvetasks.cli.ending import say
from twelvetasks.cli.exit_codes import NOTHING_WRITTEN
from twelvetasks.cli.kinds import kind_option
from twelvetasks.cli.output.formats import FORMATS
from twelvetasks.cli.output.output_file import Target
from twelvetasks.cli.output.own_files import output_path
from twelvetasks.session import TaskSession
from twelvetasks.values.display import duration_text
from twelvetasks.values.report import ListingReport
from twelvetasks.values.tasks import TASKS


@command(
    "list",
    examples="""
        twelvetasks list --demo
          Try it without a key, on a made-up account.
        twelvetasks list --demo --status failed --since 7d
          What failed in the last week.
        twelvetasks list --demo --columns id,status --format csv
          Two fields of every task, for a spreadsheet.
        twelvetasks list --demo --output tasks.parquet
          The whole account for pandas, polars or DuckDB; the ending sets the format.
        twelvetasks list --demo --output tasks.jsonl --resume
          Continue an interrupted listing, or start one.
        twelvetasks list --demo --kind analysis-batches --status completed
          Another list of the platform.
    """,
)
@option_group(options.FILTERS, kind_option, options.filters, options.period)
@option_group(
    options.ORDER,
    options.order,
    option("-n", "--max-items N", type=click.IntRange(min=0), help="Stop after N."),
    options.exact_option,
)
@option_group(
    options.OUTPUT,
    options.format_option(
        FORMATS, "as the name of --output ends; else table in a terminal, jsonl in a pipe"
    ),
    options.columns_option,
    options.wide_option,
    option(
        "--spreadsheet",
        is_flag=True,
        help="Make a csv safe to open in a spreadsheet: marked as UTF-8, no formulas, ids as text.",
    ),
    option(
        "-o",
        "--output FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        callback=output_path,
        help="Write to this file, which is replaced once the listing is complete; the ending .gz "
        "compresses it, and - is standard output.",
    ),
    option(
        "--resume",
        is_flag=True,
        help="Continue an interrupted listing from its FILE.part (jsonl, csv).",
    ),
    option(
        "-v", "--report", is_flag=True, help="Report requests, pages and consistency on stderr."
    ),
    options.progress_option,
)
@connected(
    option(
        "--page-limit N",
        type=click.IntRange(1, TASKS.max_page_limit),
        default=TASKS.max_page_limit,
        help="Items in one request.",
    ),
    concurrent=True,
)
def list_tasks(
    connection: Connection, *, report: bool, progress: bool | None, **chosen: Any
) -> None:
    """List tasks, or other items: a table in a terminal, JSON Lines in a pipe.

    An interrupted listing to a jsonl or csv file keeps its part: the same command with --resume
    continues from there, without losing or repeating an item.
    """
    plan = ListingPlan(connection.account, **chosen)
    opened: list[Target] = []

    async def list_them(session: TaskSession) -> None:
        listing = session.list(plan.query, **plan.arguments)
        with plan.target() as target:
            opened.append(target)
            async with listing.pages() as pages:
                try:
                    await plan.write(pages, target, progress=progress)
                finally:
                    if report:
                        click.echo(_sentence(pages.report), err=True)

    try:
        connection.run(list_them)
    except KeyboardInterrupt:
        if plan.output is not None and plan.resumable and not any(one.kept for one in opened):
            with suppress(OSError):  # Without a stderr, the exit code still tells.
                say(NOTHING_WRITTEN)
        raise


def _sentence(report: ListingReport) -> str:
    counts = [
        f"{number} {noun}{'' if number == 1 else 's'}{rest}"
        for number, noun, rest in (
            (report.requests, "request", ""),
            (report.pages, "page", ""),
            (report.bridges, "bridge", ""),
            (report.duplicates, "duplicate", " dropped"),
            (report.late, "late task", " left out"),
        )
    ]
    if report.retries:
        counts.append(f"retried {report.retries} times")
    if report.paused >= 0.1:
        counts.append(f"paused {duration_text(report.paused)}")
    return f"twelvetasks: {', '.join(counts)}; consistency: {report.consistency}"
