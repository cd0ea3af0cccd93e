"""`list` and `count`: the tasks that match, or how many they are."""

from __future__ import annotations

import sys
from typing import Any

import click

from twelvetasks.cli.connection import Connection, connection_options, single_request_options
from twelvetasks.cli.json_lines import json_writer
from twelvetasks.cli.options import filter_options, layout_option, order_options
from twelvetasks.cli.progress import listing_progress
from twelvetasks.cli.table import table_writer
from twelvetasks.cli.terminal import Console
from twelvetasks.cli.writers import as_table
from twelvetasks.listing import PageStream
from twelvetasks.query import MAX_PAGE_LIMIT
from twelvetasks.report import ListingReport
from twelvetasks.session import TaskSession


@click.command("list")
@filter_options
@order_options
@click.option(
    "--page-limit",
    type=click.IntRange(1, MAX_PAGE_LIMIT),
    default=MAX_PAGE_LIMIT,
    show_default=True,
    metavar="N",
    help="Tasks to ask for in one request.",
)
@click.option("--max-items", type=click.IntRange(min=0), metavar="N", help="Stop after N tasks.")
@click.option(
    "--exact", is_flag=True, help="Prove that nothing is missed, whatever changes meanwhile."
)
@click.option("--report", is_flag=True, help="Say on stderr what the listing did.")
@layout_option
@connection_options
def list_tasks(
    connection: Connection,
    layout: str | None,
    status: tuple[str, ...],
    *,
    report: bool,
    **choices: Any,
) -> None:
    """List tasks: a table in a terminal, one JSON object a line in a pipe."""

    async def list_them(session: TaskSession) -> None:
        async with session.tasks(status=status or None, **choices).pages() as pages:
            try:
                await _print(pages, layout)
            finally:
                if report:
                    click.echo(_sentence(pages.report), err=True)

    connection.run(list_them)


@click.command("count")
@filter_options
@single_request_options
def count_tasks(connection: Connection, status: tuple[str, ...], **filters: Any) -> None:
    """Count tasks: one small request, one number."""

    async def count_them(session: TaskSession) -> None:
        click.echo(await session.tasks(status=status or None, **filters).count())

    connection.run(count_them)


async def _print(pages: PageStream, layout: str | None) -> None:
    """Print page after page, with their progress wherever that does not mix with the tasks."""
    out = Console()
    write = table_writer(out, pages.query.sort_by) if as_table(layout) else json_writer(out)
    done = 0
    with listing_progress(out) as show:
        async for page in pages:
            write(page.tasks)
            done += len(page.tasks)
            show(done, max(min(pages.total_results or 0, pages.max_items or sys.maxsize), done))
    write(())  # A table without rows still has its heading.


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
