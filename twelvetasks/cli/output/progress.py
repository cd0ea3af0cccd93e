"""Progress of listings, uploads and waits, shown only in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from rich import progress
from rich.text import Text

from twelvetasks.cli.terminal import Console, is_pipe, is_terminal, lines_above
from twelvetasks.values.display import printable

Show = Callable[[int, int | None], None]

LONG_LISTING = 200
"""Listings of fewer tasks show no progress bar unless --progress asks for one."""


def listing_progress(
    out: Console, *, asked: bool | None, done: int
) -> AbstractContextManager[Show]:
    """Yield a function that takes the tasks listed so far and their total, and draws a bar.

    `done` tasks were listed before. `asked` is the user's choice: None shows the bar in a terminal
    if the listing is long.
    """
    # The bar and the rows have to share one console if they share a terminal.
    console = out if is_terminal(out.file) else Console(stderr=True)
    # The program at the other end of a pipe (less, jq) may write to the terminal of the bar.
    hidden = asked is False or not _can_show(console) or (not asked and is_pipe(out.file))
    least = 0 if asked else LONG_LISTING
    return _bar(console, "Listing", _Count(), _Rate(), hidden=hidden, begun=done, least=least)


def upload_progress(*, asked: bool | None) -> AbstractContextManager[Show]:
    """Yield a function that takes the bytes sent and their total, and draws a bar.

    The bar appears with the first bytes, so a video given by --url shows none.
    """
    console = Console(stderr=True)
    hidden = asked is False or not _can_show(console)
    return _bar(
        console,
        "Uploading",
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        hidden=hidden,
    )


@contextmanager
def wait_progress(out: Console) -> Iterator[Callable[[str], None]]:
    """Yield a function that takes what is waited for, and shows it with the time passed."""
    console = out if is_terminal(out.file) else Console(stderr=True)
    with ExitStack() as shown:
        bar: progress.Progress | None = None
        if _can_show(console):
            said = progress.TextColumn("{task.description}", markup=False)
            bar = shown.enter_context(
                _shown(console, progress.SpinnerColumn(), said, progress.TimeElapsedColumn())
            )
            bar.add_task("waiting")

        def show(state: str) -> None:
            if bar is not None:
                bar.update(bar.task_ids[0], description=printable(state))

        yield show


def _can_show(console: Console) -> bool:
    """Return whether stderr and the console are terminals, and a line can be erased."""
    return is_terminal(sys.stderr) and is_terminal(console.file) and console.is_interactive


class _Count(progress.ProgressColumn):
    """Tasks listed, of how many; the total is unknown where only reading tells."""

    def render(self, task: progress.Task) -> Text:
        total = "?" if task.total is None else f"{task.total:,.0f}"
        return Text(f"{task.completed:,.0f}/{total}", "progress.download")


class _Rate(progress.ProgressColumn):
    """Tasks a second, once two measurements give a rate."""

    def render(self, task: progress.Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} tasks/s", "progress.data.speed")


@contextmanager
def _bar(
    console: Console,
    name: str,
    amount: progress.ProgressColumn,
    rate: progress.ProgressColumn,
    *,
    hidden: bool,
    begun: int = 0,
    least: int = 0,
) -> Iterator[Show]:
    """Draw a bar as soon as the total reaches `least`."""
    bar: progress.Progress | None = None
    with ExitStack() as shown:

        def show(done: int, total: int | None) -> None:
            nonlocal bar
            if hidden or (bar is None and (done if total is None else total) < least):
                return
            if bar is None:
                said = progress.TextColumn("{task.description}")
                columns = (said, progress.BarColumn(), amount, rate, progress.TimeRemainingColumn())
                bar = shown.enter_context(_shown(console, *columns))
                bar.add_task(name, completed=begun, total=total)
            bar.update(bar.task_ids[0], completed=done, total=total)

        yield show


@contextmanager
def _shown(console: Console, *columns: progress.ProgressColumn) -> Iterator[progress.Progress]:
    bar = progress.Progress(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    )
    with bar, lines_above(console):
        yield bar
