"""The live view of a watch: its latest changes, their number, and the time to the next poll.

It runs no thread: the caller that waits for changes calls `look` regularly.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from twelvetasks.cli.output.table_writer import filename, status_colour
from twelvetasks.cli.terminal import Console, lines_above
from twelvetasks.values.display import printable, second_text
from twelvetasks.watching.plan import ItemChange

WIDTH_WITH_TIME = 80
"""Narrower terminals do not show when each task was updated."""

LATEST = 10
"""Changes that are shown; the heading says how many there were."""


@attrs.define
class LiveView:
    """A table that is redrawn in place; `shown` leaves its last state on the screen."""

    _console: Console
    _clock: Callable[[], float] = time.monotonic
    _latest: deque[ItemChange[Any]] = attrs.field(factory=lambda: deque(maxlen=LATEST), init=False)
    _counts: Counter[str] = attrs.field(factory=Counter, init=False)
    _polls: int = attrs.field(default=0, init=False)
    _due: float | None = attrs.field(default=None, init=False)
    _live: Live | None = attrs.field(default=None, init=False)
    _warning: str = attrs.field(default="", init=False)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the view until the context ends; its last state stays on the screen."""
        self._live = Live(
            get_renderable=self.rendered,
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="ellipsis",
        )
        with self._live, lines_above(self._console):
            yield

    def change(self, change: ItemChange[Any]) -> None:
        """Show a change as the latest."""
        self._latest.append(change)
        self._counts["deleted" if change.after is None else change.after.status or "unknown"] += 1
        self._warning = ""
        self._refresh()

    def look(self, polls: int, due: float | None) -> None:
        """Show the number of polls and the time until the next one."""
        self._polls, self._due = polls, due
        self._refresh()

    def warn(self, message: str) -> None:
        """Show the last failure that the watch has retried."""
        self._warning = printable(message)
        self._refresh()

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.refresh()

    def rendered(self) -> RenderableType:
        """Return the current state."""
        table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
        # The status matters most: in a narrow terminal the time has no room.
        first = 0 if self._console.width >= WIDTH_WITH_TIME else 1
        headings = (("UPDATED (UTC)", 19), ("ID", 24), ("WAS", 10), ("IS", 10))
        for heading, width in headings[first:]:
            table.add_column(heading, no_wrap=True, min_width=width)
        table.add_column("FILE")  # Only a column that may wrap is shortened; its cells do not.
        for change in reversed(self._latest):
            table.add_row(*_cells(change)[first:])
        parts: list[RenderableType] = [self._heading(), table]
        if self._warning:
            parts.append(Text(self._warning, "yellow"))
        return Group(*parts)

    def _heading(self) -> Text:
        total = self._counts.total()
        heading = Text(f"{total:,} change{'' if total == 1 else 's'}", "bold")
        for status, count in self._counts.most_common():
            colour = "red" if status == "deleted" else status_colour(status)
            heading.append(f"  {printable(status)} {count:,}", colour)
        heading.append(f"  polls {self._polls:,}", "dim")
        if self._due is not None:
            left = max(0.0, self._due - self._clock())
            heading.append(f"  next in {left:.0f} s" if left >= 0.5 else "  polling", "dim")
        return heading


def was_and_is(change: ItemChange[Any]) -> tuple[str, str, str]:
    """Return the status before a change and the one after it, and the colour of the latter."""
    was = (change.before.status or "") if change.before else ""
    if change.after is None:
        return was, "deleted", "red"
    return was, change.after.status or "", status_colour(change.after.status)


def _cells(change: ItemChange[Any]) -> tuple[Text, ...]:
    task = change.item
    was, now, colour = was_and_is(change)
    return (
        Text(second_text(task.updated_at)),
        Text(printable(task.id)),
        Text(printable(was)),
        Text(printable(now), colour),
        Text(printable(filename(task)), no_wrap=True, overflow="ellipsis"),
    )
