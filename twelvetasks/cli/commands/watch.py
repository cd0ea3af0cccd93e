"""`watch`: each change of a task as it is seen, with a checkpoint in a file on request."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Self

import attrs
import click
from cloup import option_group
from rich.cells import set_cell_size
from rich.console import OverflowMethod
from rich.text import Text

from twelvetasks.cli.command import command, option
from twelvetasks.cli.connection import Connection, connected
from twelvetasks.cli.ending import say
from twelvetasks.cli.kinds import query_of, watched_kind_option
from twelvetasks.cli.option_types import Moment, as_moment, as_seconds
from twelvetasks.cli.options import FILTERS, OUTPUT, in_time, watch_options
from twelvetasks.cli.output.formats import chosen_format
from twelvetasks.cli.output.json_writer import write_json
from twelvetasks.cli.output.live_view import WIDTH_WITH_TIME, LiveView, was_and_is
from twelvetasks.cli.output.notices import log_read
from twelvetasks.cli.output.own_files import output_path, read_own
from twelvetasks.cli.output.table_writer import filename
from twelvetasks.cli.terminal import Console, is_terminal
from twelvetasks.conversion.convert import to_json
from twelvetasks.session import TaskSession
from twelvetasks.values.atomic_write import replace_text
from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.display import printable, second_text
from twelvetasks.watching.plan import ItemChange
from twelvetasks.watching.watch import ItemWatch

WATCHING = "What to watch, how often"

TICK = 0.5
"""Seconds between two updates of the live view."""


@command(
    "watch",
    examples="""
        twelvetasks watch --demo
          Follow videos being indexed, until Ctrl-C.
        twelvetasks watch --demo --updated-since 7d --status failed
          Tasks that failed in the last week, and those that fail from now on.
        twelvetasks watch --demo --checkpoint place >> changes.jsonl
          A journal that continues where it stopped each time it is started.
    """,
)
@option_group(FILTERS, watched_kind_option, watch_options)
@option_group(
    WATCHING,
    option(
        "--updated-since TIME",
        "since",
        type=as_moment,
        help="Begin with tasks updated at or after this time, or this long ago: 36h.  "
        "[default: changes from now on]",
    ),
    option("--deletions", is_flag=True, help="Print deleted tasks, too; takes more requests."),
    option(
        "--min-interval DURATION",
        type=as_seconds,
        default="5s",
        help="Time between two polls after a change.",
    ),
    option(
        "--max-interval DURATION",
        type=as_seconds,
        default="60s",
        help="Time between two polls while nothing changes.",
    ),
    option(
        "--checkpoint FILE",
        "place",
        type=click.Path(dir_okay=False, path_type=Path),
        callback=output_path,
        help="Save a checkpoint to this file after the first poll and each change; the next run "
        "resumes from it, and ignores --updated-since.",
    ),
)
@option_group(
    OUTPUT,
    option(
        "--format",
        "layout",
        type=click.Choice(["live", "table", "jsonl"]),
        help="How to print them; live is one view that changes.  [default: live in a terminal, "
        "else jsonl]",
    ),
)
@connected(living_demo=True)
def watch_tasks(
    connection: Connection,
    *,
    kind: str,
    layout: str | None,
    since: Moment | None,
    place: Path | None,
    deletions: bool,
    min_interval: float,
    max_interval: float,
    **filters: Any,
) -> None:
    """Print each change of a task, or indexed asset, as it is seen, until Ctrl-C.

    In a pipe a change is one line {"before": ..., "after": ...}: before is null for a new task,
    after is null for a deleted one. A run that resumes from a --checkpoint may print the last
    change of an interrupted run again, but misses none.
    """
    query = query_of(kind, in_time(filters))
    if not query.resource.can_be_watched:
        raise click.UsageError(
            f"The list of {kind} cannot be watched: it is not sorted by updated_at"
        )
    store = None if place is None else _Place.at(place)
    out = Console()
    layout = _layout(layout, out)
    view = LiveView(out) if layout == "live" else None

    async def watch_them(session: TaskSession) -> None:
        watch = session.list(query).watch(
            since=since.at if since else None,
            checkpoint_file=store,
            deletions=deletions,
            min_interval=min_interval,
            max_interval=max_interval,
        )
        if view is None and is_terminal(sys.stderr):
            say("watching until Ctrl-C; each change is a line")
        if store is not None and store.kept is None:
            # A file that cannot be written is an error before any request is made.
            store.save(str(watch.checkpoint))
        async with watch:
            with view.shown() if view is not None else nullcontext():
                while True:
                    change = await (anext(watch) if view is None else _next_change(view, watch))
                    if view is not None:
                        view.change(change)
                    else:
                        _write_change(out, change, as_line=layout == "table")

    tell = say if view is None else view.warn
    with log_read("twelvetasks.watch", logging.WARNING, lambda record: tell(record.getMessage())):
        connection.run(watch_them)


def _layout(layout: str | None, out: Console) -> str:
    can_live = is_terminal(out.file) and out.is_interactive
    if layout == "live" and not can_live:
        raise click.UsageError("--format live needs a terminal that can move its cursor")
    if layout is not None:
        return layout
    return "live" if can_live else chosen_format(None)


async def _next_change(view: LiveView, watch: ItemWatch[ItemChange[Any]]) -> ItemChange[Any]:
    """Wait for the next change, and update the view while waiting."""
    while True:
        view.look(watch.polls, watch.next_poll)
        tick = asyncio.timeout(TICK)
        try:
            async with tick:
                return await anext(watch)
        except TimeoutError:
            if not tick.expired():
                raise


@attrs.frozen
class _Place:
    """The file of a checkpoint, as the store of a watch. It is read before any request is made."""

    path: Path
    kept: Checkpoint | None

    @classmethod
    def at(cls, path: Path) -> Self:
        """Read the checkpoint of an earlier watch, if there is one."""
        try:
            return cls(path, Checkpoint.parse(read_own(path).decode(errors="replace").strip()))
        except FileNotFoundError:
            return cls(path, None)
        except ValueError:
            raise click.BadParameter(
                f"{str(path)!r} does not hold the checkpoint of a watch", param_hint="--checkpoint"
            ) from None

    def load(self) -> str | None:
        """Return what was read."""
        return None if self.kept is None else str(self.kept)

    def save(self, checkpoint: str, /) -> None:
        """Replace the file."""
        replace_text(self.path, f"{checkpoint}\n")


def _write_change(out: Console, change: ItemChange[Any], *, as_line: bool) -> None:
    if not as_line:
        sides = (
            f'"{name}":{to_json(task) if task else "null"}'
            for name, task in (("before", change.before), ("after", change.after))
        )
        write_json(out, f"{{{','.join(sides)}}}\n")
        return
    task = change.item
    was, now, colour = was_and_is(change)
    in_terminal = is_terminal(out.file)
    # The status matters most: in a narrow terminal the time has no room.
    with_time = not in_terminal or out.width >= WIDTH_WITH_TIME
    line = Text(f"{second_text(task.updated_at):19}  " if with_time else "")
    line.append(f"{printable(task.id):24}  {set_cell_size(printable(was), 10)} -> ")
    line.append(set_cell_size(printable(now), 10), colour)
    line.append(f"  {printable(filename(task))}")
    line.rstrip()
    overflow: OverflowMethod = "ellipsis" if in_terminal else "ignore"
    out.print(line, no_wrap=True, overflow=overflow, crop=in_terminal)
