"""The `twelvetasks` command (extra `cli`): click for its options, rich for tables and progress.

It is a user of the library like any other. Results go to stdout, everything else to stderr: a table
where stdout is a terminal, JSON Lines where it is not.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from twelvetasks.convert import to_json
from twelvetasks.errors import InvalidArgumentError, TwelveTasksError
from twelvetasks.listing import TaskListing
from twelvetasks.models import SortBy, SortOption, Task, TaskStatus
from twelvetasks.query import MAX_PAGE_LIMIT
from twelvetasks.session import DEFAULT_BASE_URL, TaskSession
from twelvetasks.timestamps import parse_timestamp

__all__ = ["cli", "run"]

LONG_LISTING = 200
"""Tasks from which on a listing shows its progress."""

FAILED, MISUSED, INTERRUPTED, PIPE_CLOSED = 1, 2, 130, 141

_COLOURS: dict[str, str] = {TaskStatus.READY: "green", TaskStatus.FAILED: "red"}


def _timestamp(text: str) -> datetime:
    try:
        return parse_timestamp(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="twelvetasks")
def cli() -> None:
    """TwelveLabs' video indexing tasks: every one that matches, once, in order.

    The API key is read from the environment variable TWELVE_LABS_API_KEY.
    """


@cli.command("list")
@click.option("--index-id", metavar="ID", help="Only the tasks of this index.")
@click.option(
    "--status",
    multiple=True,
    type=click.Choice([status.value for status in TaskStatus]),
    help="Only tasks in this state; repeat it for several.",
)
@click.option("--filename", metavar="NAME", help="Only the video with this file name.")
@click.option("--duration", type=float, metavar="SECONDS", help="Only videos of this duration.")
@click.option("--width", type=int, metavar="PIXELS", help="Only videos of this width.")
@click.option("--height", type=int, metavar="PIXELS", help="Only videos of this height.")
@click.option(
    "--created-at",
    type=_timestamp,
    metavar="TIME",
    help="Only tasks created on this date at or after this time, as 2024-05-01T00:00:00Z.",
)
@click.option(
    "--updated-at",
    type=_timestamp,
    metavar="TIME",
    help="Only tasks updated on this date at or after this time.",
)
@click.option(
    "--sort-by",
    type=click.Choice([field.value for field in SortBy]),
    default=SortBy.CREATED_AT.value,
    show_default=True,
    help="What to order by.",
)
@click.option(
    "--sort-option",
    type=click.Choice([direction.value for direction in SortOption]),
    default=SortOption.DESC.value,
    show_default=True,
    help="Newest first (desc) or oldest first (asc).",
)
@click.option(
    "--page-limit",
    type=click.IntRange(1, MAX_PAGE_LIMIT),
    default=MAX_PAGE_LIMIT,
    show_default=True,
    help="Tasks to ask for in one request.",
)
@click.option("--max-items", type=click.IntRange(min=0), metavar="N", help="Stop after N tasks.")
@click.option(
    "--format",
    "layout",
    type=click.Choice(["table", "jsonl"]),
    help="How to print them.  [default: table in a terminal, else jsonl]",
)
@click.option(
    "--demo",
    is_flag=False,
    flag_value=1000,
    type=click.IntRange(min=0),
    metavar="[N]",
    help="List N made-up tasks (1000 if not given) of a platform that runs inside this command.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Requests under way at once.",
)
@click.option(
    "--timeout", type=float, default=60.0, show_default=True, help="Seconds for one request."
)
@click.option(
    "--base-url", default=str(DEFAULT_BASE_URL), show_default=True, help="The API's address."
)
def list_tasks(
    layout: str | None,
    demo: int | None,
    concurrency: int,
    timeout: float,
    base_url: str,
    status: tuple[str, ...],
    **filters: Any,
) -> None:
    """List tasks: a table in a terminal, one JSON object a line in a pipe."""

    async def list_them() -> None:
        async with _session(demo, base_url, concurrency=concurrency, timeout=timeout) as session:
            await _print(session.tasks(status=status or None, **filters), layout)

    asyncio.run(list_them())


@asynccontextmanager
async def _session(demo: int | None, base_url: str, **options: Any) -> AsyncIterator[TaskSession]:
    """Open a session with the user's account, or with a demo platform that lives as long."""
    if demo is None:
        async with TaskSession(base_url=base_url, **options) as session:
            yield session
        return
    from twelvetasks.testing import FakePlatform  # noqa: PLC0415 - a server only the demo needs

    async with (
        FakePlatform.demo(demo) as platform,
        TaskSession(platform.api_key, base_url=platform.base_url, **options) as session,
    ):
        yield session


async def _print(listing: TaskListing, layout: str | None) -> None:
    """Print a listing page by page, with its progress wherever that does not mix with the tasks."""
    out, err = Console(), Console(stderr=True)
    as_table = out.is_terminal if layout is None else layout == "table"
    screen = out if out.is_terminal else err
    write: Callable[[tuple[Task, ...]], None] = _table_writer(out)
    if not as_table:
        write = _json_writer(out)
    progress = Progress(
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    )
    done = 0
    bar = None
    async with listing.pages() as pages:
        with progress if screen.is_terminal else nullcontext():
            async for page in pages:
                total = min(pages.total_results or 0, listing.max_items or sys.maxsize)
                if bar is None and total >= LONG_LISTING:
                    bar = progress.add_task("Listing", total=total)
                done += len(page.tasks)
                write(page.tasks)
                if bar is not None:
                    progress.update(bar, completed=done, total=max(total, done))


def _json_writer(out: Console) -> Callable[[tuple[Task, ...]], None]:
    def write(tasks: tuple[Task, ...]) -> None:
        lines = "".join(f"{to_json(task)}\n" for task in tasks)
        if out.is_terminal:
            out.out(lines, end="", highlight=False)
        else:
            stream = click.get_binary_stream("stdout")
            stream.write(lines.encode())
            stream.flush()

    return write


def _table_writer(out: Console) -> Callable[[tuple[Task, ...]], None]:
    """Write rows of fixed widths, so that the first page need not wait for the last."""
    heading = True

    def write(tasks: tuple[Task, ...]) -> None:
        nonlocal heading
        table = Table(box=None, show_header=heading, pad_edge=False, expand=True)
        table.add_column("ID", width=24, no_wrap=True)
        table.add_column("STATUS", width=10, no_wrap=True)
        table.add_column("CREATED", width=19, no_wrap=True)
        table.add_column("UPDATED", width=19, no_wrap=True)
        table.add_column("LENGTH", width=8, no_wrap=True, justify="right")
        table.add_column("FILE", ratio=1, no_wrap=True, overflow="ellipsis", min_width=8)
        for task in tasks:
            metadata = task.system_metadata
            table.add_row(
                Text(task.id),
                Text(task.status or "", style=_COLOURS.get(task.status or "", "yellow")),
                _minute(task.created_at),
                _minute(task.updated_at),
                _length(metadata.duration if metadata else None),
                Text((metadata.filename if metadata else None) or ""),
            )
        if tasks or heading:
            out.print(table)
        heading = False

    return write


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""


def _length(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def run(arguments: list[str] | None = None) -> int:
    """Run the command and give its exit code.

    0 done; 1 the platform or the network failed; 2 the command was misused; 130 Ctrl-C; 141 the
    reader of the output went away. The last two say nothing.
    """
    try:
        cli.main(arguments, prog_name="twelvetasks", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as asked:
        return asked.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except InvalidArgumentError as error:
        return _fail(error, MISUSED)
    except TwelveTasksError as error:
        return _fail(error, FAILED)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    return 0


def _fail(error: TwelveTasksError, code: int) -> int:
    click.echo(f"twelvetasks: {' '.join(str(error).split())}", err=True)
    return code
