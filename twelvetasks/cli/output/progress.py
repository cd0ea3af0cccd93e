"""Bars that show how far a listing or an upload has come, where a person watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from twelvetasks.cli.terminal import Console, is_pipe, is_terminal

Show = Callable[[int, int | None], None]

LONG_LISTING = 200
"""Tasks from which on a listing shows its progress."""


@contextmanager
def listing_progress(out: Console, *, asked: bool | None, done: int) -> Iterator[Show]:
    """Give a function to report done and total to: a bar in a terminal, once the total is long.

    `done` tasks were listed before. What is `asked` for is shown however short it is.
    """
    begun = done
    # What is printed to the same terminal has to pass through the same console.
    console = out if is_terminal(out.file) else Console(stderr=True)
    # Whatever reads a pipe (less, jq, grep) may write to the terminal that the bar would be in.
    hidden = asked is False or not _can_show(console) or (not asked and is_pipe(out.file))
    bar: Progress | None = None
    with ExitStack() as shown:

        def show(done: int, total: int | None) -> None:
            nonlocal bar
            short = (done if total is None else total) < LONG_LISTING
            if hidden or (bar is None and short and not asked):
                return
            if bar is None:
                bar = shown.enter_context(_bar(console, MofNCompleteColumn(), _Rate()))
                bar.add_task("Listing", completed=begun, total=total)
            bar.update(bar.task_ids[0], completed=done, total=total)

        yield show


@contextmanager
def upload_progress(*, asked: bool | None) -> Iterator[Callable[[int, int | None], None]]:
    """Give a function to report the bytes sent and their total to: a bar if stderr is a terminal.

    The bar comes with the first bytes: a video that the platform fetches by itself has none.
    """
    console = Console(stderr=True)
    hidden = asked is False or not _can_show(console)
    bar: Progress | None = None
    with ExitStack() as shown:

        def show(sent: int, size: int | None) -> None:
            nonlocal bar
            if hidden:
                return
            if bar is None:
                bar = shown.enter_context(_bar(console, DownloadColumn(), TransferSpeedColumn()))
                bar.add_task("Uploading")
            bar.update(bar.task_ids[0], completed=sent, total=size)

        yield show


def _can_show(console: Console) -> bool:
    """Tell whether the console's terminal can take a line away again, and stderr is one as well."""
    return is_terminal(sys.stderr) and is_terminal(console.file) and console.is_interactive


class _Rate(ProgressColumn):
    """Tasks a second, as soon as there is more than one moment to tell it from."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} tasks/s", "progress.data.speed")


def _bar(console: Console, amount: ProgressColumn, rate: ProgressColumn) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        amount,
        rate,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
