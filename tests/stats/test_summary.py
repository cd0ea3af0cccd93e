"""The numbers, each against the plainest way to get it."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stats.accounts import NEW_YEAR, ready, task, tasks
from twelvetasks import (
    AnalysisBatch,
    InvalidArgumentError,
    ItemStats,
    Task,
    TaskSession,
    TaskStats,
    to_dict,
)
from twelvetasks.stats.rows import kind_of
from twelvetasks.stats.summary import Period, TimeBin, indexing_time
from twelvetasks.testing import FakePlatform

durations = st.lists(st.timedeltas(timedelta(0), timedelta(days=3650)), min_size=1, max_size=60)
many = st.lists(tasks, max_size=40)


def times_of(*durations: float | timedelta) -> Any:
    times = TaskStats.of(
        ready(each.total_seconds() if isinstance(each, timedelta) else each) for each in durations
    ).indexing_times
    assert times is not None
    return times


def day_of(moment: datetime | None) -> date | None:
    return moment.astimezone(UTC).date() if moment else None


class TestCounts:
    @given(many)
    def test_every_task_is_counted_once_by_status_and_by_index(self, added: list[Task]) -> None:
        stats = TaskStats.of(added)
        assert stats.total == len(added)
        assert stats.by_status == Counter(each.status or "" for each in added)
        assert {index: Counter(counts) for index, counts in stats.by_index.items()} == {
            index: Counter(each.status or "" for each in added if (each.index_id or "") == index)
            for index in {each.index_id or "" for each in added}
        }

    @given(many)
    def test_the_most_frequent_come_first(self, added: list[Task]) -> None:
        stats = TaskStats.of(added)
        assert sorted(stats.by_status.values(), reverse=True) == [*stats.by_status.values()]
        totals = [sum(counts.values()) for counts in stats.by_index.values()]
        assert sorted(totals, reverse=True) == totals

    def test_what_the_platform_left_out_has_an_empty_name(self) -> None:
        stats = TaskStats.of([task(None, index_id=None), task("failed")])
        assert stats.by_status == {"": 1, "failed": 1}
        assert stats.by_index == {"": {"": 1}, "i": {"failed": 1}}

    def test_the_names_are_plain_strings(self) -> None:
        assert repr(TaskStats.of([task("ready")]).by_status) == "{'ready': 1}"

    def test_of_nothing_there_is_nothing(self) -> None:
        stats = TaskStats()
        assert stats.indexing_times is None
        assert stats.to_dict() == {
            "total": 0,
            "by_status": {},
            "by_index": {},
            "indexing_times": None,
            "untimed": 0,
            "by_day": [],
            "undated": 0,
            "slowest": [],
            "latest_failed": [],
        }
        assert stats.by_period(10) == ()
        assert repr(stats) == "<TaskStats of 0 tasks>"


class TestIndexingTime:
    def test_it_is_from_created_to_updated_of_a_ready_task(self) -> None:
        assert indexing_time(ready(90.25)) == 90.25
        assert indexing_time(ready(0)) == 0

    def test_offsets_do_not_matter(self) -> None:
        elsewhere = (NEW_YEAR + timedelta(seconds=5)).astimezone(timezone(timedelta(hours=9)))
        assert indexing_time(task("ready", created_at=NEW_YEAR, updated_at=elsewhere)) == 5

    @pytest.mark.parametrize(
        "unknown",
        [
            task("failed", created_at=NEW_YEAR, updated_at=NEW_YEAR),
            task("indexing", created_at=NEW_YEAR, updated_at=NEW_YEAR),
            task("ready", updated_at=NEW_YEAR),
            task("ready", created_at=NEW_YEAR),
            ready(-0.001),
        ],
    )
    def test_without_both_times_in_order_there_is_none(self, unknown: Task) -> None:
        assert indexing_time(unknown) is None
        assert TaskStats.of([unknown]).indexing_times is None

    @given(many)
    def test_a_ready_task_is_timed_or_said_to_be_untimed(self, added: list[Task]) -> None:
        stats = TaskStats.of(added)
        times = stats.indexing_times
        timed = times.count if times else 0
        assert timed == sum(indexing_time(each) is not None for each in added)
        assert timed + stats.untimed == stats.by_status.get("ready", 0)


class TestQuantiles:
    @given(durations)
    def test_they_are_those_of_the_standard_library(self, taken: list[timedelta]) -> None:
        seconds = [each.total_seconds() for each in taken]
        times = times_of(*taken)
        assert times.count == len(seconds)
        assert (times.shortest, times.longest) == (min(seconds), max(seconds))
        assert times.median == pytest.approx(statistics.median(seconds))
        twice_one = seconds * 2 if len(seconds) == 1 else seconds
        cuts = statistics.quantiles(twice_one, n=100, method="inclusive")
        assert times.p95 == pytest.approx(cuts[94])

    def test_they_fall_between_two_times_on_a_straight_line(self) -> None:
        times = times_of(10, 20)
        assert (times.median, times.p95) == (15, 19.5)

    def test_of_one_time_all_are_that_time(self) -> None:
        times = times_of(7.000001)
        assert times.shortest == times.median == times.p95 == times.longest == 7.000001

    def test_they_follow_what_is_added_later(self) -> None:
        stats = TaskStats.of([ready(30), ready(10)])
        assert stats.indexing_times
        assert stats.indexing_times.median == 20
        stats.add(ready(1))
        assert stats.indexing_times.median == 10


class TestHistogram:
    @given(durations)
    def test_every_time_is_in_one_bin_that_holds_it(self, taken: list[timedelta]) -> None:
        seconds = [each.total_seconds() for each in taken]
        bins = times_of(*taken).histogram
        assert sum(each.count for each in bins) == len(seconds)
        for each in bins:
            end = float("inf") if each.end is None else each.end
            assert each.count == sum(each.start <= time < end for time in seconds)

    @given(durations)
    def test_the_bins_are_few_of_one_width_and_without_gaps(self, taken: list[timedelta]) -> None:
        bins = times_of(*taken).histogram
        closed = [each for each in bins if each.end is not None]
        assert len(closed) <= 20
        assert len(bins) - len(closed) <= 1
        assert len({each.end - each.start for each in closed if each.end is not None}) == 1
        assert all(before.end == after.start for before, after in pairwise(bins))
        assert bins[0].count
        assert bins[-1].count

    def test_they_have_widths_that_people_reckon_in(self) -> None:
        assert times_of(61, 130, 599).histogram[0] == TimeBin(start=60, end=90, count=1)
        assert times_of(3600, 90000).histogram[0] == TimeBin(start=0, end=7200, count=1)

    def test_a_few_far_beyond_the_rest_share_an_open_bin(self) -> None:
        bins = times_of(*range(60, 260), 10**6, 10**7).histogram
        assert bins[-1].end is None
        assert bins[-1].count == 2
        assert bins[-1].start < 600

    def test_times_that_are_all_the_same_have_one_bin(self) -> None:
        assert times_of(5, 5, 5).histogram == (TimeBin(start=5, end=6, count=3),)


class TestDays:
    @given(many)
    def test_a_day_knows_what_was_created_and_became_ready_on_it(self, added: list[Task]) -> None:
        stats = TaskStats.of(added)
        created = Counter(day_of(each.created_at) for each in added if each.created_at)
        became = Counter(
            day_of(each.updated_at) for each in added if each.status == "ready" and each.updated_at
        )
        assert stats.by_day == tuple(
            Period(start=day, days=1, created=created[day], ready=became[day])
            for day in sorted({day for day in created | became if day})
        )
        assert created.total() + stats.undated == stats.total

    def test_they_are_days_of_utc(self) -> None:
        tokyo = datetime(2025, 1, 2, 8, 59, tzinfo=timezone(timedelta(hours=9)))
        (day,) = TaskStats.of([task("queued", created_at=tokyo)]).by_day
        assert day == Period(start=date(2025, 1, 1), days=1, created=1, ready=0)


class TestPeriods:
    @given(many, st.integers(2, 50))
    def test_they_are_equal_without_gaps_and_lose_nothing(
        self, added: list[Task], at_most: int
    ) -> None:
        stats = TaskStats.of(added)
        periods = stats.by_period(at_most)
        assert len(periods) <= at_most
        assert len({period.days for period in periods}) <= 1
        for before, after in pairwise(periods):
            assert before.start + timedelta(days=before.days) == after.start
        for period in periods:
            # Counted from the start: an end could lie beyond the calendar.
            held = [d for d in stats.by_day if 0 <= (d.start - period.start).days < period.days]
            assert period.created == sum(day.created for day in held)
            assert period.ready == sum(day.ready for day in held)
        for kind in ("created", "ready"):
            total = sum(getattr(day, kind) for day in stats.by_day)
            assert sum(getattr(period, kind) for period in periods) == total

    @pytest.mark.parametrize(
        ("span", "days"),
        [(1, 1), (10, 1), (11, 7), (63, 7), (100, 14), (250, 28), (800, 91), (3641, 728)],
    )
    def test_they_are_as_short_as_their_number_allows(self, span: int, days: int) -> None:
        """New Year 2025 is a Wednesday, so the first week has begun on Monday."""
        last = NEW_YEAR + timedelta(days=span - 1)
        stats = TaskStats.of(task("queued", created_at=at) for at in (NEW_YEAR, last))
        first = stats.by_period(10)[0]
        assert (first.days, first.start) == (
            days,
            date(2025, 1, 1) if days == 1 else date(2024, 12, 30),
        )

    @pytest.mark.parametrize("at_most", [1, 0, -1, True, 2.0])
    def test_a_number_that_makes_no_sense_is_refused(self, at_most: Any) -> None:
        with pytest.raises(InvalidArgumentError, match=f"^at_most={at_most}: "):
            TaskStats().by_period(at_most)


class TestTheSlowestAndTheFailed:
    @given(many, st.integers(0, 5))
    def test_the_slowest_are_the_first_of_all_by_their_time(
        self, added: list[Task], top: int
    ) -> None:
        timed = [each for each in added if indexing_time(each) is not None]
        timed.sort(key=lambda each: -(indexing_time(each) or 0))
        assert TaskStats.of(added, top=top).slowest == tuple(timed[:top])

    @given(many, st.integers(0, 5))
    def test_the_failed_are_the_first_of_all_by_their_last_change(
        self, added: list[Task], top: int
    ) -> None:
        failed = [each for each in added if each.status == "failed"]
        ages_ago = datetime.min.replace(tzinfo=UTC)
        failed.sort(key=lambda each: each.updated_at or each.created_at or ages_ago, reverse=True)
        assert TaskStats.of(added, top=top).latest_failed == tuple(failed[:top])

    @pytest.mark.parametrize("top", [-1, True, 1.0, "3", None])
    def test_a_number_that_makes_no_sense_is_refused(self, top: Any) -> None:
        with pytest.raises(InvalidArgumentError, match=r"^top="):
            TaskStats(top=top)


class TestAsADictionary:
    @given(many)
    def test_it_is_json(self, added: list[Task]) -> None:
        written = TaskStats.of(added).to_dict()
        assert json.loads(json.dumps(written, allow_nan=False)) == written

    def test_it_has_everything_in_seconds_and_the_platforms_own_tasks(self) -> None:
        slow, broken = ready(90), task("failed", created_at=NEW_YEAR, updated_at=NEW_YEAR)
        assert TaskStats.of([slow, broken, ready(30)], top=1).to_dict() == {
            "total": 3,
            "by_status": {"ready": 2, "failed": 1},
            "by_index": {"i": {"ready": 2, "failed": 1}},
            "indexing_times": {
                "count": 2,
                "shortest": 30,
                "median": 60,
                "p95": 87,
                "longest": 90,
                "histogram": [
                    {"start": start, "end": start + 5, "count": count}
                    for start, count in zip(range(30, 95, 5), (1, *[0] * 11, 1), strict=True)
                ],
            },
            "untimed": 0,
            "by_day": [{"day": "2025-01-01", "created": 3, "ready": 2}],
            "undated": 0,
            "slowest": [{"indexing_time": 90, "task": to_dict(slow)}],
            "latest_failed": [to_dict(broken)],
        }


async def test_the_items_of_any_list_are_added_up() -> None:
    async with (
        FakePlatform.demo(200, seed=3) as platform,
        TaskSession(platform.api_key, base_url=platform.base_url) as session,
    ):
        index = "62a0906d47f5678267ec10a6"
        for listing, ended in (
            (session.indexed_assets(index), "indexed_at"),
            (session.embedding_tasks(), "updated_at"),
            (session.analysis_tasks(), "completed_at"),
            (session.analysis_batches(), "completed_at"),
        ):
            items: list[Any] = await listing
            resource = listing.query.resource
            stats: ItemStats[Any] = ItemStats.of(items, top=3)
            ready = [item for item in items if item.status in resource.successes]
            failed = [item for item in items if item.status in resource.failures]
            times = [(getattr(one, ended) - one.created_at).total_seconds() for one in ready]
            assert stats.total == len(items) > 10
            assert stats.by_status == Counter(str(item.status) for item in items)
            assert stats.indexing_times is not None
            assert stats.indexing_times.longest == max(times)
            assert stats.indexing_times.count == len(ready)
            assert {item.id for item in stats.latest_failed} <= {item.id for item in failed}
            assert len(stats.latest_failed) == min(3, len(failed))
            assert stats.to_dict()["total"] == len(items)


def test_canceled_and_expired_count_as_failed() -> None:
    batch = AnalysisBatch(id="b", status="expired", created_at=datetime(2025, 1, 1, tzinfo=UTC))
    assert ItemStats.of([batch]).latest_failed == (batch,)
    assert kind_of("canceled") == kind_of("expired") == kind_of("failed") == "failed"
    assert kind_of("completed") == "ready"
