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
    TextColumn,
    TimeRemainingColumn,
)

from twelvetasks.cli.terminal import Console, is_pipe, is_terminal

LONG_LISTING = 200
"""Tasks from which on a listing shows its progress."""


@contextmanager
def listing_progress(out: Console) -> Iterator[Callable[[int, int], None]]:
    """Give a function to report done and total to: a bar in a terminal, once the total is long."""
    console = out if is_terminal(sys.stdout) else Console(stderr=True)
    # Whatever reads a pipe (less, jq, grep) may write to the terminal that the bar would be in.
    hidden = not (is_terminal(console.file) and console.is_interactive) or is_pipe(sys.stdout)
    bar: Progress | None = None
    with ExitStack() as shown:

        def show(done: int, total: int) -> None:
            nonlocal bar
            if hidden or (bar is None and total < LONG_LISTING):
                return
            if bar is None:
                bar = shown.enter_context(_bar(console, MofNCompleteColumn()))
                bar.add_task("Listing")
            bar.update(bar.task_ids[0], completed=done, total=total)

        yield show


@contextmanager
def upload_progress() -> Iterator[Callable[[int, int | None], None]]:
    """Give a function to report the bytes sent and their total to: a bar if stderr is a terminal.

    The bar comes with the first bytes: a video that the platform fetches by itself has none.
    """
    console = Console(stderr=True)
    hidden = not (is_terminal(console.file) and console.is_interactive)
    bar: Progress | None = None
    with ExitStack() as shown:

        def show(sent: int, size: int | None) -> None:
            nonlocal bar
            if hidden:
                return
            if bar is None:
                bar = shown.enter_context(_bar(console, DownloadColumn()))
                bar.add_task("Uploading")
            bar.update(bar.task_ids[0], completed=sent, total=size)

        yield show


def _bar(console: Console, amount: ProgressColumn) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        amount,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
