"""Statistics of many items, such as tasks: counts, times, days, the slowest and the failed.

Tasks are added one at a time, and only a few are kept. To make quantiles exact, memory grows by
eight bytes for each ready task (and more while they are sorted); the rest grows with the number of
indexes and days.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar, Generic, Self, TypeVar

import attrs

from twelvetasks.conversion.convert import to_dict
from twelvetasks.values.analysis_batches import ANALYSIS_BATCHES
from twelvetasks.values.analysis_tasks import ANALYSIS_TASKS
from twelvetasks.values.checks import whole_number
from twelvetasks.values.embedding_tasks import EMBEDDING_TASKS
from twelvetasks.values.fields import Count
from twelvetasks.values.indexed_assets import INDEXED_ASSETS
from twelvetasks.values.tasks import TASKS, Task

ItemT = TypeVar("ItemT")
Ranked = TypeVar("Ranked", bound=tuple[Any, ...])

_LISTS = (TASKS, INDEXED_ASSETS, EMBEDDING_TASKS, ANALYSIS_TASKS, ANALYSIS_BATCHES)
SUCCESSES: frozenset[str] = frozenset().union(*(each.successes for each in _LISTS))
"""The statuses of what has succeeded, such as ``ready``."""
FAILURES: frozenset[str] = frozenset().union(*(each.failures for each in _LISTS))
"""The final statuses of what has not succeeded, such as ``failed`` and ``canceled``."""

_MICROSECOND = timedelta(microseconds=1)
_PER_SECOND = 1_000_000
_MOST_BINS = 20
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_BIN_WIDTHS = (
    *(1, 2, 5, 10, 15, 30),
    *(width * _MINUTE for width in (1, 2, 5, 10, 15, 30)),
    *(width * _HOUR for width in (1, 2, 3, 6, 12)),
    *(width * _DAY for width in (1, 2, 7, 14, 28, 91)),
)
"""Seconds, in round numbers of a unit. Above the last, bins are whole years of 364 days."""
_PERIOD_DAYS = (1, 7, 14, 28, 91)
_YEAR_DAYS = 364
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def indexing_time(item: Any) -> float | None:
    """Return the seconds from the creation of a task, or of another item, until it was ready.

    None unless it is ready, or completed. That moment is its ``indexed_at`` or ``completed_at``; a
    task has neither, but its ``updated_at`` changes with every status, and ready is the last: so
    this is the time until it was ready, unless it has been changed since. None, too, if the item
    lacks one of the two times, ended before it was created, or was created before 1970: that is
    the zero of a program, not a time.
    """
    duration = _microseconds(item)
    return None if duration is None else duration / _PER_SECOND


def _microseconds(item: Any) -> int | None:
    created, ended = item.created_at, _ended_at(item)
    if item.status not in SUCCESSES or created is None or ended is None or created < _EPOCH:
        return None
    duration: int = (ended - created) // _MICROSECOND
    return duration if duration >= 0 else None


def _ended_at(item: Any) -> datetime | None:
    times = (getattr(item, name, None) for name in ("indexed_at", "completed_at", "updated_at"))
    return next(filter(None, times), None)


@attrs.frozen(kw_only=True)
class TimeBin:
    """A bin of the histogram: how many times lie between its start and, exclusively, its end."""

    start: float
    """Seconds."""
    end: float | None
    """Seconds; None if it is the last bin and holds everything longer."""
    count: Count
    """Tasks whose time lies in it."""


@attrs.frozen(kw_only=True)
class IndexingTimes:
    """How long tasks took from created to ready; see ``indexing_time`` for what that measures.

    Quantiles are exact. One between two times is interpolated linearly, as numpy, pandas and
    `statistics.quantiles(..., method="inclusive")` do it.
    """

    count: Count
    """Tasks whose time is known; at least 1."""
    shortest: float
    """Seconds."""
    median: float
    """Seconds."""
    p95: float
    """Seconds, which 95 % of the tasks did not exceed."""
    longest: float
    """Seconds."""
    histogram: tuple[TimeBin, ...]
    """Up to 21 bins of equal width without gaps; outliers share a last, open one."""


@attrs.frozen(kw_only=True)
class Period:
    """The tasks of several consecutive days, by UTC."""

    start: date
    """The first day."""
    days: Count
    """How many days in a row, at least 1."""
    created: Count
    """Tasks created."""
    ready: Count
    """Tasks that are ready and were last updated then, normally when they became ready."""


class ItemStats(Generic[ItemT]):
    """Statistics of the items of a list added so far; every property can be read at any time.

    The items may be of any list that the session has a method for. Add them as they come::

        from twelvetasks import EmbeddingTask, ItemStats

        stats: ItemStats[EmbeddingTask] = ItemStats()
        async for task in session.embedding_tasks():
            stats.add(task)

    "Ready" is what has succeeded, "failed" what has ended otherwise, as canceled analysis tasks
    and expired batches. A status or an index that the platform left out is counted under ``""``.
    Raises InvalidArgumentError if `top` is not a whole number from 0 on.
    """

    __slots__ = (
        *("_counts", "_created", "_failed", "_ready", "_slowest", "_times", "_times_are_sorted"),
        *("top", "total", "undated", "untimed"),
    )
    _noun: ClassVar[str] = "items"

    def __init__(self, *, top: int = 10) -> None:
        self.top: int = whole_number("top", top, least=0)
        """How many tasks `slowest` and `latest_failed` hold at most."""
        self.total: int = 0
        """Tasks added."""
        self.untimed: int = 0
        """Ready tasks without an `indexing_time`."""
        self.undated: int = 0
        """Tasks without a `created_at`, which belong to no day."""
        self._counts: Counter[tuple[str, str]] = Counter()
        self._created: Counter[date] = Counter()
        self._ready: Counter[date] = Counter()
        self._times: array[int] = array("q")
        self._times_are_sorted = True
        self._slowest: list[tuple[int, int, ItemT]] = []
        self._failed: list[tuple[datetime, int, ItemT]] = []

    @classmethod
    def of(cls, items: Iterable[ItemT], *, top: int = 10) -> Self:
        """Add these items; keep only the `top` slowest and the `top` failed."""
        stats = cls(top=top)
        for item in items:
            stats.add(item)
        return stats

    def add(self, item: ItemT) -> None:
        """Count one more item. The same item given twice counts twice."""
        read: Any = item
        self.total += 1
        status = getattr(read, "status", None)
        self._counts[getattr(read, "index_id", None) or "", str(status or "")] += 1
        if read.created_at is None:
            self.undated += 1
        else:
            self._created[_utc_day(read.created_at)] += 1
        if status in SUCCESSES:
            self._add_ready(item)
        elif status in FAILURES:
            moment = _ended_at(item) or read.created_at or _LONG_AGO
            self._keep(self._failed, (moment, -self.total, item))

    def _add_ready(self, item: ItemT) -> None:
        if (ended := _ended_at(item)) is not None:
            self._ready[_utc_day(ended)] += 1
        duration = _microseconds(item)
        if duration is None:
            self.untimed += 1
            return
        self._times.append(duration)
        self._times_are_sorted = False
        self._keep(self._slowest, (duration, -self.total, item))

    def _keep(self, heap: list[Ranked], entry: Ranked) -> None:
        if len(heap) < self.top:
            heapq.heappush(heap, entry)
        elif heap:
            heapq.heappushpop(heap, entry)

    @property
    def by_status(self) -> dict[str, int]:
        """Tasks by status, the most frequent first."""
        counts: Counter[str] = Counter()
        for (_, status), count in self._counts.items():
            counts[status] += count
        return _most_first(counts)

    @property
    def by_index(self) -> dict[str, dict[str, int]]:
        """Tasks by index and status, the index with most tasks first."""
        indexes: dict[str, Counter[str]] = {}
        for (index_id, status), count in self._counts.items():
            indexes.setdefault(index_id, Counter())[status] += count
        totals = _most_first({index_id: counts.total() for index_id, counts in indexes.items()})
        return {index_id: _most_first(indexes[index_id]) for index_id in totals}

    @property
    def indexing_times(self) -> IndexingTimes | None:
        """Median, 95th percentile and histogram of the times; None if there are no times."""
        if not self._times:
            return None
        if not self._times_are_sorted:
            self._times = array("q", sorted(self._times))
            self._times_are_sorted = True
        times = self._times
        return IndexingTimes(
            count=len(times),
            shortest=times[0] / _PER_SECOND,
            median=_percentile(times, 50),
            p95=_percentile(times, 95),
            longest=times[-1] / _PER_SECOND,
            histogram=_histogram(times),
        )

    @property
    def by_day(self) -> tuple[Period, ...]:
        """The UTC days on which a task was created or became ready, oldest first."""
        return tuple(
            Period(start=day, days=1, created=self._created[day], ready=self._ready[day])
            for day in sorted(self._created.keys() | self._ready.keys())
        )

    def by_period(self, at_most: int, *, since: date = date.min) -> tuple[Period, ...]:
        """Return equal periods without gaps from the first day to the last, oldest first.

        They are as short as `at_most` allows: one day, 1, 2, 4, 13 or 52 weeks that begin on
        Monday, or a multiple of 52 weeks. Days before `since` are left out. Raises
        InvalidArgumentError if `at_most` is less than 2.
        """
        whole_number("at_most", at_most, least=2)
        days = sorted(day for day in self._created.keys() | self._ready.keys() if day >= since)
        if not days:
            return ()
        first, last = days[0].toordinal(), days[-1].toordinal()
        monday = first - days[0].weekday()
        for length in _PERIOD_DAYS:
            start = first if length == 1 else monday
            if (last - start) // length < at_most:
                break
        else:
            years = 1 + (last - monday) // (_YEAR_DAYS * at_most)
            start, length = monday, _YEAR_DAYS * years
        created: Counter[int] = Counter()
        ready: Counter[int] = Counter()
        for day in days:
            number = (day.toordinal() - start) // length
            created[number] += self._created[day]
            ready[number] += self._ready[day]
        return tuple(
            Period(
                start=date.fromordinal(start + number * length),
                days=length,
                created=created[number],
                ready=ready[number],
            )
            for number in range((last - start) // length + 1)
        )

    @property
    def slowest(self) -> tuple[ItemT, ...]:
        """The ready tasks that took longest by `indexing_time`, the slowest first."""
        return tuple(task for *_, task in sorted(self._slowest, reverse=True))

    @property
    def latest_failed(self) -> tuple[ItemT, ...]:
        """The failed tasks that changed last, the latest first."""
        return tuple(task for *_, task in sorted(self._failed, reverse=True))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as a dictionary for JSON; times are in seconds."""
        times = self.indexing_times
        return {
            "total": self.total,
            "by_status": self.by_status,
            "by_index": self.by_index,
            "indexing_times": times
            and attrs.asdict(times)
            | {"histogram": [attrs.asdict(each) for each in times.histogram]},
            "untimed": self.untimed,
            "by_day": [
                {"day": day.start.isoformat(), "created": day.created, "ready": day.ready}
                for day in self.by_day
            ],
            "undated": self.undated,
            "slowest": [
                {"indexing_time": indexing_time(task), "task": to_dict(task)}
                for task in self.slowest
            ],
            "latest_failed": [to_dict(task) for task in self.latest_failed],
        }

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.total} {self._noun}>"


class TaskStats(ItemStats[Task]):
    """Statistics of the tasks added so far; every property can be read at any time.

    Add them as they come::

        stats = TaskStats()
        async for task in session.tasks():
            stats.add(task)

    A status or an index that the platform left out is counted under ``""``. Raises
    InvalidArgumentError if `top` is not a whole number from 0 on.
    """

    __slots__ = ()
    _noun = "tasks"


def _utc_day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def _most_first(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda counted: (-counted[1], counted[0])))


def _percentile(times: array[int], percent: int) -> float:
    """Interpolate between sorted microseconds in integers, and return seconds."""
    place, beyond = divmod(percent * (len(times) - 1), 100)
    following = times[min(place + 1, len(times) - 1)]
    return (times[place] * (100 - beyond) + following * beyond) / (100 * _PER_SECOND)


def _histogram(times: array[int]) -> tuple[TimeBin, ...]:
    """Cover the times up to twice as far from the shortest as the 95th percentile."""
    shortest, longest = times[0] // _PER_SECOND, times[-1] // _PER_SECOND
    covered = min(longest, shortest + 2 * (round(_percentile(times, 95)) - shortest))
    covered = max(covered, shortest)
    width = next(
        (width for width in _BIN_WIDTHS if covered // width - shortest // width < _MOST_BINS),
        _YEAR_DAYS * _DAY * (1 + (covered - shortest) // (_YEAR_DAYS * _DAY * (_MOST_BINS - 1))),
    )
    edges = [width * number for number in range(shortest // width, covered // width + 2)]
    below = [bisect_left(times, edge * _PER_SECOND) for edge in edges]
    bins = [
        TimeBin(start=float(edge), end=float(edge + width), count=before_next - before)
        for edge, before, before_next in zip(edges, below, below[1:], strict=False)
    ]
    if below[-1] < len(times):
        bins.append(TimeBin(start=float(edges[-1]), end=None, count=len(times) - below[-1]))
    return tuple(bins)
