"""Items as a table of fixed widths, so that the first page need not wait for the last."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from operator import attrgetter
from typing import Any

import attrs
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from twelvetasks.cli.ending import say
from twelvetasks.cli.output.columns import columns_of, text_of, type_of
from twelvetasks.cli.terminal import Console, is_terminal
from twelvetasks.stats.rows import FAILED, READY, UNDER_WAY, kind_of
from twelvetasks.values.display import minute_text, printable
from twelvetasks.values.models import SortBy
from twelvetasks.values.tasks import Task

COLOURS = {READY: "green", FAILED: "red", UNDER_WAY: "yellow"}


@attrs.frozen
class _Column:
    heading: str
    width: int
    """Cells; what the last column has at the least."""
    cell: Callable[[Any], str]
    colour: Callable[[Any], str] = lambda _: ""
    cut: bool = True
    """Whether a terminal gets no more of a cell than the column is wide."""


def filename(task: Task) -> str:
    """Return the name of the video file; empty if it is not known."""
    return (task.system_metadata and task.system_metadata.filename) or ""


def _length(task: Task) -> str:
    if task.system_metadata is None or task.system_metadata.duration is None:
        return ""
    minutes, seconds = divmod(round(task.system_metadata.duration), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def status_colour(status: str | None) -> str:
    """Return the colour of a status: succeeded, failed, or under way."""
    return COLOURS[kind_of(status or "")]


def _pixels(heading: str, name: str) -> _Column:
    return _Column(
        heading.rjust(6), 6, lambda task: text_of(task, f"system_metadata.{name}").rjust(6)
    )


_ID = _Column("ID", 24, lambda task: task.id, cut=False)
_STATUS = _Column(
    "STATUS", 10, lambda task: task.status or "", lambda task: status_colour(task.status)
)
_CREATED = _Column("CREATED (UTC)", 16, lambda task: minute_text(task.created_at))
_UPDATED = _Column("UPDATED (UTC)", 16, lambda task: minute_text(task.updated_at))
_LENGTH = _Column(" LENGTH", 7, lambda task: _length(task).rjust(7))
_FILE = _Column("FILE", 12, filename)
_GAP = "  "

_BY_NAME = {
    "id": _ID,
    "index_id": _Column("INDEX", 24, lambda task: task.index_id or "", cut=False),
    "video_id": _Column("VIDEO", 24, lambda task: task.video_id or "", cut=False),
    "status": _STATUS,
    "created_at": _CREATED,
    "updated_at": _UPDATED,
    "estimated_time": _Column("ESTIMATED (UTC)", 16, lambda task: minute_text(task.estimated_time)),
    "system_metadata": _Column(
        "SYSTEM METADATA", 60, lambda task: text_of(task, "system_metadata"), cut=False
    ),
    "system_metadata.filename": attrs.evolve(_FILE, width=32),
    "system_metadata.duration": _LENGTH,
    "system_metadata.width": _pixels("WIDTH", "width"),
    "system_metadata.height": _pixels("HEIGHT", "height"),
    "error_reason": _Column("REASON", 40, lambda task: task.error_reason or ""),
}

_WIDTHS: dict[Any, int] = {str: 24, bool: 5, int: 10, float: 10, datetime: 16}


@functools.cache
def _columns_by_name(model: Any) -> dict[str, _Column]:
    """Return the column of each field of a model."""
    if model is Task:
        return _BY_NAME
    return {name: _column(model, name) for name in columns_of(model).names}


def _column(model: Any, name: str) -> _Column:
    kind = type_of(model, name)
    inner = name.rpartition(".")[2]
    if name in ("id", "status", "created_at", "updated_at"):
        return _BY_NAME[name]
    if kind is datetime:
        heading = f"{inner.removesuffix('_at').upper()} (UTC)"
        return _Column(heading, 16, lambda item: minute_text(attrgetter(name)(item)))
    width = _WIDTHS.get(kind, 60)
    heading = inner.replace("_", " ").upper()
    return _Column(heading, max(width, len(heading)), lambda item: text_of(item, name))


def _usual(model: Any, sort_by: SortBy) -> tuple[list[_Column], list[_Column]]:
    """Return the columns of a table, and in which order they are dropped if there is no room."""
    if model is Task:
        usual = [_ID, _STATUS, _CREATED, _UPDATED, _LENGTH, _FILE]
        times = [_CREATED, _UPDATED] if sort_by is SortBy.UPDATED_AT else [_UPDATED, _CREATED]
        return usual, [times[0], _LENGTH, times[1], _FILE, _STATUS]
    by_name = _columns_by_name(model)
    wanted = [_ID, _STATUS, _CREATED]
    wanted += [by_name[name] for name in _OFTEN if name in by_name]
    return wanted, [*wanted[:2:-1], _CREATED, _STATUS]


_OFTEN = (
    *("updated_at", "completed_at", "system_metadata.filename", "model_name"),
    *("analysis_mode", "total_items", "failed_items", "error.message"),
)
"""The columns that a table of other kinds has, if the items have them."""


class TableWriter:
    """Rows of fixed widths below one heading."""

    def __init__(
        self,
        out: Console,
        model: Any,
        sort_by: SortBy,
        columns: tuple[str, ...] | None = None,
        *,
        wide: bool = False,
    ) -> None:
        self._out = out
        self._in_terminal = is_terminal(out.file)
        self._wide = wide
        width = out.width if self._in_terminal and not wide else sys.maxsize
        if columns is None:
            self._columns, self._left_out = _fitting(*_usual(model, sort_by), width)
        else:
            chosen = [_columns_by_name(model)[name] for name in columns]
            self._columns, self._left_out = _first_fitting(chosen, width)
        self._begun = False

    def write(self, items: tuple[Any, ...]) -> None:
        """Write a row for each, and the heading first."""
        lines = [
            self._line((column.cell(item), column.colour(item)) for column in self._columns)
            for item in items
        ]
        if not self._begun:
            lines.insert(0, self._line((column.heading, "bold") for column in self._columns))
            self._begun = True
        if lines:
            self._out.print(
                Text("\n").join(lines),
                no_wrap=True,
                overflow="ellipsis" if self._in_terminal and not self._wide else "ignore",
                crop=self._in_terminal and not self._wide,
            )

    def finish(self) -> None:
        """Write the heading if there were no rows, and name the columns that found no room."""
        self.write(())
        if self._left_out:
            names = ", ".join(column.heading.strip() for column in self._left_out)
            say(f"no room for {names}: --wide shows all columns")

    def _line(self, cells: Iterable[tuple[str, str]]) -> Text:
        line = Text()
        for place, (column, (content, style)) in enumerate(zip(self._columns, cells, strict=True)):
            cell = printable(content)
            last = place == len(self._columns) - 1
            cut = column.cut and self._in_terminal and not self._wide
            if not last and (cut or cell_len(cell) < column.width):
                cell = set_cell_size(cell, column.width)
            line.append(_GAP if place else "").append(cell, style)
        line.rstrip()
        return line


def _fitting(
    usual: list[_Column], dispensable: list[_Column], width: int
) -> tuple[list[_Column], list[_Column]]:
    """Return the columns that have room, and those left out: the least wanted goes first."""
    columns, left_out = list(usual), []
    for column in dispensable:
        if sum(column.width + len(_GAP) for column in columns) - len(_GAP) <= width:
            break
        columns.remove(column)
        left_out.append(column)
    return columns, left_out


def _first_fitting(columns: list[_Column], width: int) -> tuple[list[_Column], list[_Column]]:
    """Return the first of the chosen columns that have room, and those left out."""
    count, taken = 0, 0
    for column in columns:
        # The last one may be shortened.
        if count and taken + min(column.width, _FILE.width if column.cut else column.width) > width:
            break
        count, taken = count + 1, taken + column.width + len(_GAP)
    return columns[:count], columns[count:]
