"""`stats`: statistics of the matching tasks: a chart in the terminal, JSON, or a page."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from cloup import option_group

from twelvetasks.cli import options
from twelvetasks.cli.command import command, option
from twelvetasks.cli.connection import Connection, connected
from twelvetasks.cli.ending import say
from twelvetasks.cli.output.json_writer import write_json
from twelvetasks.cli.output.own_files import is_device, output_path
from twelvetasks.cli.output.progress import listing_progress
from twelvetasks.cli.output.stats_chart import ASCII, BLOCKS, drawn_stats
from twelvetasks.cli.terminal import Console, is_terminal
from twelvetasks.session import TaskSession
from twelvetasks.stats.summary import TaskStats
from twelvetasks.values.atomic_write import replace_text
from twelvetasks.values.display import minute_text


@command(
    "stats",
    examples="""
        twelvetasks stats --demo
          The whole account, as a chart at the width of the terminal.
        twelvetasks stats --demo --since 7d --html week.html
          A page for the last week.
        twelvetasks stats --demo --status failed --top 50
          The last fifty failed tasks.
    """,
)
@option_group(
    options.FILTERS,
    options.filters,
    options.period,
    options.exact_option,
)
@option_group(
    options.OUTPUT,
    options.format_option(
        ["chart", "json"], "chart in a terminal, json in a pipe; nothing with --html"
    ),
    option(
        "--html FILE",
        "page",
        type=click.Path(dir_okay=False, path_type=Path),
        callback=lambda context, parameter, place: (
            place if place is None or is_device(place) else output_path(context, parameter, place)
        ),
        help="Write a page with charts that needs no network and no other file.",
    ),
    option(
        "--top N",
        type=click.IntRange(min=0),
        default=10,
        help="Number of slowest and of failed tasks to show.",
    ),
    options.progress_option,
)
@connected(concurrent=True)
def show_stats(
    connection: Connection,
    *,
    layout: str | None,
    page: Path | None,
    top: int,
    progress: bool | None,
    **filters: Any,
) -> None:
    """Show counts by status, index and day, and indexing times.

    The indexing time of a ready task is from its creation until it last changed, which is normally
    when it became ready. Days are those of UTC.
    """
    write = None if page is None else _page_writer(page)
    filters = options.in_time(filters)

    async def show_them(session: TaskSession) -> None:
        out = Console()
        stats = TaskStats(top=top)
        async with session.tasks(**filters).pages() as pages:
            with listing_progress(out, asked=progress, done=0) as show:
                async for listed in pages:
                    for task in listed.tasks:
                        stats.add(task)
                    total = max(pages.total_results or 0, stats.total)
                    show(stats.total, None if any(map(filters.get, options.PERIOD)) else total)
        if write is not None:
            write(stats, _about(connection, **filters))
        if layout or write is None:
            _print(out, stats, layout or ("chart" if is_terminal(sys.stdout) else "json"))

    connection.run(show_them)


def _print(out: Console, stats: TaskStats, layout: str) -> None:
    if layout == "json":
        written = json.dumps(stats.to_dict(), ensure_ascii=False, allow_nan=False)
        write_json(out, f"{written}\n")
        return
    plain = out.options.ascii_only
    for line in drawn_stats(stats, width=out.width, ink=ASCII if plain else BLOCKS):
        is_sentence = line.no_wrap is False
        out.print(
            line,
            no_wrap=not is_sentence,
            overflow="crop" if plain else "ellipsis",
            crop=not is_sentence,
            highlight=False,
        )


def _page_writer(place: Path) -> Callable[[TaskStats, str], None]:
    """Return a function that writes the page, after checking the extra and the folder."""
    try:
        from twelvetasks.stats.page import stats_page  # noqa: PLC0415 - only a page needs the extra
    except ImportError as error:
        raise click.ClickException(
            f"A page needs an extra: pip install 'twelvetasks[cli,html]' ({error.name} is missing)"
        ) from None
    if not place.parent.is_dir():
        raise click.BadParameter(f"there is no folder {str(place.parent)!r}", param_hint="--html")

    def write(stats: TaskStats, about: str) -> None:
        text = stats_page(stats, subtitle=about)
        if is_device(place):
            place.write_text(text, encoding="utf-8")
        else:
            replace_text(place, text)
        say(f"wrote statistics of {stats.total:,} tasks to {place}")

    return write


def _about(connection: Connection, **filters: Any) -> str:
    """Return one line with the time, the account and the filters."""
    chosen = {name: filters[name] for name in options.PERIOD} | filters
    said = ", ".join(
        f"{name}={_written(value)}"
        for name, value in chosen.items()
        if value is not None and value is not False
    )
    account = "the demo account" if connection.demo is not None else "the account"
    return f"All tasks of {account}{said and f' with {said}'}, {minute_text(datetime.now(UTC))} UTC"


def _written(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{minute_text(value)} UTC"
    return " or ".join(value) if isinstance(value, tuple) else str(value)
