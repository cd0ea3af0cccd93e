"""Statistics drawn as text, at the width of the terminal.

No information depends on colour alone: each kind of task has its own character, too. A terminal
without block characters gets plain ASCII.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from twelvetasks.cli.output.table_writer import COLOURS, filename
from twelvetasks.stats.rows import (
    EPOCH,
    FAILED,
    READY,
    UNDER_WAY,
    Row,
    covered_days,
    index_rows,
    is_partial,
    kind_of,
    period_name,
    status_rows,
    tasks_text,
    time_names,
    undated_note,
)
from twelvetasks.stats.summary import IndexingTimes, TaskStats, TimeBin, indexing_time
from twelvetasks.values.display import duration_text, minute_text, printable
from twelvetasks.values.tasks import Task, TaskStatus

WIDEST = 100
"""Most columns used: longer bars give no more information."""

MOST_NAMES = 12
COLUMN_ROWS = 4
_SCALE_WIDTH = 10
_MOST_COLUMNS = 62
_WIDEST_COLUMN = 6
_SHORT_BAR, _SHORTEST_BAR = 8, 4
_LONGEST_TIME = len("10m 59s")
_GAP = "  "


@attrs.frozen
class Ink:
    """The characters that bars are drawn with."""

    kinds: dict[str, str]
    """The character for each kind of task."""
    across: str
    """A cell filled from its left, from the thinnest part to full."""
    upward: str
    """A cell filled from its bottom, from the lowest part to full."""


BLOCKS = Ink({READY: "█", UNDER_WAY: "░", FAILED: "▓"}, "▏▎▍▌▋▊▉█", "▁▂▃▄▅▆▇█")
ASCII = Ink({READY: "#", UNDER_WAY: "=", FAILED: "x"}, "#", ".:#")


def drawn_stats(stats: TaskStats, *, width: int, ink: Ink) -> Iterator[Text]:
    """Yield the lines; only notes, which are sentences, may be longer than the width."""
    width = min(width, WIDEST)
    yield _summary(stats)
    if stats.total:
        yield from _statuses(stats, width, ink)
        yield from _indexes(stats, width, ink)
        yield from _indexing_times(stats, width, ink)
        yield from _days(stats, width, ink)
        yield from _slowest(stats)
        yield from _failed(stats)


def _summary(stats: TaskStats) -> Text:
    said = Text(tasks_text(stats.total), "bold")
    days = covered_days(stats)
    if days is None:
        return said
    first, last = days
    span = f"{first} to {last}" if last > first else f"{first}"
    return Text.assemble(said, f", {span} by UTC")


def _heading(name: str, note: str = "") -> Iterator[Text]:
    yield Text()
    yield Text(name, "bold")
    if note:
        yield Text(note, "dim", no_wrap=False)


def _statuses(stats: TaskStats, width: int, ink: Ink) -> Iterator[Text]:
    yield from _heading("STATUS")
    rows = [
        (Row(name, {kind_of(name): count}), f"{count / stats.total:6.1%}")
        for name, count in status_rows(stats.by_status, MOST_NAMES)
    ]
    yield from _bar_rows(rows, width, ink)


def _indexes(stats: TaskStats, width: int, ink: Ink) -> Iterator[Text]:
    yield from _heading("INDEX")
    rows = [
        (row, f"{row.total / stats.total:6.1%}") for row in index_rows(stats.by_index, MOST_NAMES)
    ]
    yield from _bar_rows(rows, width, ink)
    legend = Text()
    for kind, character in ink.kinds.items():
        legend.append(character, COLOURS[kind]).append(f" {kind}  ", "dim")
    legend.rstrip()
    yield legend


def _indexing_times(stats: TaskStats, width: int, ink: Ink) -> Iterator[Text]:
    times = stats.indexing_times
    unknown = f" {tasks_text(stats.untimed, 'ready')} without a time." if stats.untimed else ""
    if times is None:
        yield from _heading("INDEXING TIME", f"No task with a known time is ready.{unknown}")
        return
    note = (
        f"Created to last changed, normally to ready: {tasks_text(times.count)}, "
        f"{duration_text(times.shortest)} to {duration_text(times.longest)}.{unknown}"
    )
    yield from _heading("INDEXING TIME", note)
    rows = [
        (Row(name, {READY: each.count}), _marks(times, each))
        for name, each in zip(time_names(times), times.histogram, strict=True)
    ]
    yield from _bar_rows(rows, width, ink)
    yield Text(f"median {duration_text(times.median)}, p95 {duration_text(times.p95)}", "bold")


def _marks(times: IndexingTimes, time_bin: TimeBin) -> str:
    """Name the quantiles that lie in a bin of the histogram."""
    return " ".join(
        name
        for name, seconds in (("median", times.median), ("p95", times.p95))
        if time_bin.start <= seconds and (time_bin.end is None or seconds < time_bin.end)
    )


def _bar_rows(rows: Sequence[tuple[Row, str]], width: int, ink: Ink) -> Iterator[Text]:
    """Draw each row and its remark; a narrow terminal drops remarks first, then shortens names."""
    most = max(row.total for row, _ in rows)
    name_width = max(cell_len(row.name) for row, _ in rows)
    count_width = max(len(f"{row.total:,}") for row, _ in rows)
    remark_width = max(len(remark) for _, remark in rows) + len(_GAP)
    room = width - name_width - count_width - 2 * len(_GAP)
    remarks = room - remark_width >= _SHORT_BAR
    room -= remark_width * remarks
    name_width = max(name_width - max(_SHORTEST_BAR - room, 0), 1)
    room = max(room, _SHORTEST_BAR)
    for row, remark in rows:
        line = Text(set_cell_size(row.name, name_width) + _GAP)
        draw = _stacked if len(row.kinds) > 1 else _smooth
        bar = draw(row.kinds, most, room, ink)
        line.append_text(bar).append(" " * (room - len(bar)) + _GAP + f"{row.total:{count_width},}")
        line.append(f"{_GAP}{remark}" if remarks else "")
        line.rstrip()
        yield line


def _smooth(kinds: Mapping[str, int], most: int, room: int, ink: Ink) -> Text:
    """Draw a bar of one kind to a fraction of a cell; a count above zero is always visible."""
    ((kind, count),) = kinds.items()
    parts = len(ink.across)
    whole, part = divmod(max(round(count / most * room * parts), min(count, 1)), parts)
    return Text(ink.across[-1] * whole + (ink.across[part - 1] if part else ""), COLOURS[kind])


def _stacked(kinds: Mapping[str, int], most: int, room: int, ink: Ink) -> Text:
    """Draw several kinds side by side in whole cells, at least one for a count above zero."""
    cells = {kind: max(round(n / most * room), 1) for kind, n in kinds.items() if n}
    largest = max(cells, key=lambda kind: cells[kind])
    cells[largest] -= max(sum(cells.values()) - room, 0)
    bar = Text()
    for kind, number in cells.items():
        bar.append(ink.kinds[kind] * number, COLOURS[kind])
    return bar


def _days(stats: TaskStats, width: int, ink: Ink) -> Iterator[Text]:
    most_columns = max(min(width - _SCALE_WIDTH, _MOST_COLUMNS), 2)
    periods = stats.by_period(most_columns, since=EPOCH)
    undated = undated_note(stats)
    if not periods:
        yield from _heading("THROUGHPUT", undated.strip())
        return
    days = period_name(periods[0].days)
    last_day = (covered_days(stats) or (EPOCH, EPOCH))[1]
    note = f"The last {days} is not over: the data ends on {last_day}."
    said = f"{note if is_partial(periods[-1], last_day) else ''}{undated}".strip()
    yield from _heading(f"THROUGHPUT BY {days.upper()}", said)
    column = min(max((width - _SCALE_WIDTH) // len(periods), 1), _WIDEST_COLUMN)
    most = max(max(period.created, period.ready) for period in periods)
    for name, colour, counts in (
        ("created", "cyan", [period.created for period in periods]),
        ("became ready", "green", [period.ready for period in periods]),
    ):
        yield Text(f"{'':{_SCALE_WIDTH}}{name}: {sum(counts):,}", "dim")
        if any(counts):
            yield from _columns(counts, most, column, colour, ink)
    first, last = str(periods[0].start), str(periods[-1].start)
    axis = " " * _SCALE_WIDTH + first
    if len(periods) > 1:
        axis += last.rjust(max(len(periods) * column - len(first), len(last) + 1))
    yield Text(axis, "dim")


def _columns(
    counts: Sequence[int], most: int, column: int, colour: str, ink: Ink
) -> Iterator[Text]:
    """Draw a column for each count, from the top row down, with the scale at the left."""
    parts = len(ink.upward)
    heights = [max(round(n / most * COLUMN_ROWS * parts), min(n, 1)) for n in counts]
    gap = " " if column > 1 else ""
    for row in reversed(range(COLUMN_ROWS)):
        scale = {COLUMN_ROWS - 1: f"{most:,}", 0: "0"}.get(row, "")
        cells = ""
        for height in heights:
            filled = min(max(height - row * parts, 0), parts)
            character = ink.upward[filled - 1] if filled else " "
            cells += character * (column - len(gap)) + gap
        line = Text(f"{scale:>{_SCALE_WIDTH - 1}} ").append(cells, colour)
        line.rstrip()
        yield line


def _slowest(stats: TaskStats) -> Iterator[Text]:
    if stats.slowest:
        yield from _heading("THE SLOWEST")
    for task in stats.slowest:
        time = duration_text(indexing_time(task) or 0)
        yield Text(f"{time:>{_LONGEST_TIME}}{_about(task)}")


def _failed(stats: TaskStats) -> Iterator[Text]:
    if stats.latest_failed:
        count = stats.by_status[TaskStatus.FAILED]
        yield from _heading(f"THE FAILED, last {len(stats.latest_failed):,} of {count:,}")
    for task in stats.latest_failed:
        moment = (f"{minute_text(task.updated_at):16}", COLOURS[FAILED])
        yield Text.assemble(moment, _about(task))
        if task.error_reason:
            yield Text(f"{'':16}{_GAP}{printable(task.error_reason)}", "dim", no_wrap=False)


def _about(task: Task) -> str:
    return f"{_GAP}{printable(task.id):24}{_GAP}{printable(filename(task))}".rstrip()
