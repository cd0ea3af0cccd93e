"""Tasks as a table of fixed widths, so that the first page need not wait for the last."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import attrs
from rich.cells import set_cell_size
from rich.text import Text

from twelvetasks.cli.terminal import Console, is_terminal, printable
from twelvetasks.cli.writers import Writer
from twelvetasks.models import SortBy, Task, TaskStatus


@attrs.frozen
class _Column:
    heading: str
    width: int
    """Cells; what the last column has at the least."""
    cell: Callable[[Task], str]
    colour: Callable[[Task], str] = lambda _: ""


def filename(task: Task) -> str:
    """Give the name of the video file; empty if it is not known."""
    return (task.system_metadata and task.system_metadata.filename) or ""


def _length(task: Task) -> str:
    if task.system_metadata is None or task.system_metadata.duration is None:
        return ""
    minutes, seconds = divmod(round(task.system_metadata.duration), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _minute(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat(" ", "minutes")[:16] if moment else ""


def status_colour(task: Task) -> str:
    """Give the colour of what is well, has failed, or is under way."""
    colours: dict[str | None, str] = {TaskStatus.READY: "green", TaskStatus.FAILED: "red"}
    return colours.get(task.status, "yellow")


_ID = _Column("ID", 24, lambda task: task.id)


_STATUS = _Column("STATUS", 10, lambda task: task.status or "", status_colour)


_CREATED = _Column("CREATED (UTC)", 16, lambda task: _minute(task.created_at))


_UPDATED = _Column("UPDATED (UTC)", 16, lambda task: _minute(task.updated_at))


_LENGTH = _Column(" LENGTH", 7, lambda task: _length(task).rjust(7))


_FILE = _Column("FILE", 12, filename)


_GAP = "  "


def table_writer(out: Console, sort_by: SortBy) -> Writer:
    """Write rows of fixed widths, so that the first page need not wait for the last."""
    in_terminal = is_terminal(sys.stdout)
    columns = _columns(out.width if in_terminal else sys.maxsize, sort_by)
    heading: Text | None = _line((column, column.heading, "bold") for column in columns)

    def write(tasks: tuple[Task, ...]) -> None:
        nonlocal heading
        lines = [
            _line((column, column.cell(task), column.colour(task)) for column in columns)
            for task in tasks
        ]
        if heading is not None:
            lines.insert(0, heading)
            heading = None
        if lines:
            out.print(
                Text("\n").join(lines),
                no_wrap=True,
                overflow="ellipsis" if in_terminal else "ignore",
                crop=in_terminal,
            )

    return write


def _columns(width: int, sort_by: SortBy) -> list[_Column]:
    """Leave out, where the width is short, what is wanted least; the id is always whole."""
    columns = [_ID, _STATUS, _CREATED, _UPDATED, _LENGTH, _FILE]
    times = [_CREATED, _UPDATED] if sort_by is SortBy.UPDATED_AT else [_UPDATED, _CREATED]
    for dispensable in (times[0], _LENGTH, times[1], _FILE, _STATUS):
        if sum(column.width + len(_GAP) for column in columns) - len(_GAP) <= width:
            break
        columns.remove(dispensable)
    return columns


def _line(cells: Iterator[tuple[_Column, str, str]]) -> Text:
    line = Text()
    for column, content, style in cells:
        cell = printable(content)
        if column is _ID:
            cell = cell.ljust(column.width)
        elif column is not _FILE:
            cell = set_cell_size(cell, column.width)
        line.append(_GAP if line else "").append(cell, style)
    line.rstrip()
    return line
