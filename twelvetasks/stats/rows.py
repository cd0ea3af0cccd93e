"""The rows of the statistics with their labels, for the terminal and the page alike.

The terminal and the page draw a row differently, but its text is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import TypeVar

import attrs

from twelvetasks.stats.summary import FAILURES, SUCCESSES, IndexingTimes, Period, TaskStats
from twelvetasks.values.display import duration_text, printable
from twelvetasks.values.fields import Count

T = TypeVar("T")

EPOCH = date(1970, 1, 1)
"""Earlier times are the zero of a program, such as 0001-01-01, and no times of tasks."""

DASH = "\N{EN DASH}"
"""Written where a value is not known."""

NAMELESS = "(none)"
"""Shown for a task without a status or an index."""

READY, UNDER_WAY, FAILED = "ready", "under way", "failed"


def kind_of(status: str) -> str:
    """Sort a status into ready, failed or under way."""
    return READY if status in SUCCESSES else FAILED if status in FAILURES else UNDER_WAY


def status_rows(counts: Mapping[str, int], most: int) -> list[tuple[str, Count]]:
    """Name each status with its count; those after the first `most` share one row."""
    rows = [(_name(status), count) for status, count in counts.items()]
    rows, rest = _split(rows, most)
    if rest:
        rows.append((f"{len(rest):,} others", sum(count for _, count in rest)))
    return rows


@attrs.frozen
class Row:
    """What a bar shows, such as an index or several together: the counts of its tasks by kind."""

    name: str
    kinds: Mapping[str, int]
    """Counts by ready, under way and failed, in this order, of what there may be."""

    @property
    def total(self) -> Count:
        """All its tasks."""
        return sum(self.kinds.values())

    @property
    def failure_rate(self) -> str:
        """The share of failed tasks among those that have ended; a dash if none has."""
        ended = self.kinds[READY] + self.kinds[FAILED]
        return f"{self.kinds[FAILED] / ended:.1%} failed" if ended else DASH


def index_rows(indexes: Mapping[str, Mapping[str, int]], most: int) -> list[Row]:
    """Count ready, running and failed tasks of each index in at most `most` rows."""
    shown, rest = _split(list(indexes.items()), most)
    rows = [Row(_name(index_id), _by_kind([counts])) for index_id, counts in shown]
    if rest:
        rows.append(Row(f"{len(rest):,} others", _by_kind(counts for _, counts in rest)))
    return rows


def _by_kind(each: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add up counts of statuses."""
    kinds: dict[str, int] = {READY: 0, UNDER_WAY: 0, FAILED: 0}
    for counts in each:
        for status, count in counts.items():
            kinds[kind_of(status)] += count
    return kinds


def _split(rows: list[T], most: int) -> tuple[list[T], list[T]]:
    """Return the rows that are shown, and those that share the last of `most` rows."""
    end = len(rows) if len(rows) <= most else most - 1
    return rows[:end], rows[end:]


def time_names(times: IndexingTimes) -> list[str]:
    """Name each bin of the histogram by its start and end."""
    return [
        f"{duration_text(each.start)} and longer"
        if each.end is None
        else f"{duration_text(each.start)} to {duration_text(each.end)}"
        for each in times.histogram
    ]


def is_partial(period: Period, last_day: date) -> bool:
    """Return whether a period goes beyond the last day of the data."""
    return last_day.toordinal() < period.start.toordinal() + period.days - 1


def covered_days(stats: TaskStats) -> tuple[date, date] | None:
    """Return the first and the last day of the data; None if no day is known."""
    days = [period.start for period in stats.by_day if period.start >= EPOCH]
    return (days[0], days[-1]) if days else None


def undated_note(stats: TaskStats) -> str:
    """Say how many tasks belong to no day that is shown; empty if there are none."""
    before = sum(period.created for period in stats.by_day if period.start < EPOCH)
    count = stats.undated + before
    return f" {tasks_text(count)} without a time of creation." if count else ""


def tasks_text(count: int, kind: str = "") -> str:
    """Write so many tasks: 1 task, 1,000 ready tasks."""
    return f"{count:,} {kind}{' ' if kind else ''}{'task' if count == 1 else 'tasks'}"


def period_name(days: int) -> str:
    """Return the length of a period in words: day, week, 4 weeks."""
    if days == 1:
        return "day"
    return "week" if days == 7 else f"{days // 7} weeks"


def _name(name: str) -> str:
    return printable(name).strip() or NAMELESS
