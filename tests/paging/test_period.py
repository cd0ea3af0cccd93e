"""`since` and `until`: what was created in a period, of any list, in any order."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from operator import itemgetter
from typing import Any

import attrs
import pytest
from aiohttp import web

from tests.conftest import until_no_connection
from tests.paging.model import RUNS, RunQuery
from tests.test_lists import KINDS, Kind
from twelvetasks import (
    InvalidArgumentError,
    ResponseError,
    SortBy,
    SortKey,
    SortOption,
    Task,
    TaskQuery,
    TaskSession,
)
from twelvetasks.paging.period import Period
from twelvetasks.testing import FakePlatform
from twelvetasks.values.timestamps import parse_timestamp

DAY = datetime(2025, 3, 1, tzinfo=UTC)
OPEN = [(None, 40), (130, None), (130, 40), (None, 0), (299, None)]
"""The places, newest first, of the oldest and of the newest task of a period."""

ORDERS: list[dict[str, Any]] = [
    {},
    {"sort_option": "asc"},
    {"sort_by": "updated_at"},
    {"sort_by": "updated_at", "sort_option": "asc"},
]


@asynccontextmanager
async def account_of(count: int) -> AsyncIterator[tuple[FakePlatform, TaskSession]]:
    async with FakePlatform.demo(count) as platform:
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            yield platform, session
        await until_no_connection(platform)


def period_of(platform: FakePlatform, oldest: int | None, newest: int | None) -> dict[str, Any]:
    created = [parse_timestamp(task["created_at"]) for task in platform.tasks()]
    return {
        "since": None if oldest is None else created[oldest],
        "until": None if newest is None else created[newest] + timedelta(milliseconds=1),
    }


def within(platform: FakePlatform, period: dict[str, Any], **order: Any) -> list[str]:
    """Give the ids of the tasks that a period holds, by the platform's own account."""
    since = period["since"] or datetime.min.replace(tzinfo=UTC)
    until = period["until"] or datetime.max.replace(tzinfo=UTC)
    return [
        task["_id"]
        for task in platform.tasks(**order)
        if since <= parse_timestamp(task["created_at"]) < until
    ]


@pytest.mark.parametrize("sort_by", SortBy)
@pytest.mark.parametrize("sort_option", SortOption)
async def test_a_listing_holds_what_was_created_in_its_period(
    sort_by: SortBy, sort_option: SortOption
) -> None:
    order: dict[str, Any] = {"sort_by": sort_by, "sort_option": sort_option}
    async with account_of(300) as (platform, session):
        for (oldest, newest), most in product(OPEN, (None, 0, 1, 70)):
            period = period_of(platform, oldest, newest)
            expected = within(platform, period, **order)[:most]
            listing = session.tasks(**period, **order, max_items=most)
            assert [task.id for task in await listing] == expected
            assert [task.id async for task in listing] == expected
            pages = [page async for page in listing.pages()]
            assert [task.id for page in pages for task in page.tasks] == expected
            assert await listing.count() == len(expected)
            first = await listing.first()
            assert (first and [first.id]) == (expected[:1] or None)


async def test_a_listing_in_the_default_order_ends_once_it_is_past_since() -> None:
    async with account_of(2_000) as (platform, session):
        listing = session.tasks(**period_of(platform, 40, None))
        async with listing as stream:
            assert len([task async for task in stream]) == 41
            assert stream.exhausted
        assert len(platform.requests) == 1
        assert await listing.first() is not None
        assert platform.requests[1].query["page_limit"] == "1"
        assert len(platform.requests) == 2
        assert len(await session.tasks(**period_of(platform, 240, None))) == 241
        # Five pages, and at most as many more as may be fetched ahead.
        assert len(platform.requests) <= 2 + 5 + session.concurrency


async def test_nothing_is_in_flight_after_the_end_of_a_period() -> None:
    async with account_of(2_000) as (platform, session):
        platform.latency = 0.05
        async with session.tasks(**period_of(platform, 120, None)) as stream:
            assert len([task async for task in stream]) == 121
            seen = len(platform.requests)
            assert stream._window.fetches == {}
            assert await anext(stream, None) is None
        assert len(platform.requests) == seen


@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_every_list_has_it(kind: Kind) -> None:
    async with FakePlatform() as platform:
        for hours in range(120):
            kind.add(platform, created_at=DAY + timedelta(hours=hours))
        ids = kind.ids(platform)
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            period = {"since": DAY + timedelta(hours=10), "until": DAY + timedelta(hours=70)}
            listing = kind.listing(session, **period)
            assert [item.id for item in await listing] == ids[50:110]
            assert await listing.count() == 60
            assert (await listing.to_arrow()).num_rows == 60


async def test_it_goes_on_from_a_checkpoint_at_any_place_also_with_another_period() -> None:
    async with account_of(300) as (platform, session):
        period = period_of(platform, 130, 40)
        for order in ORDERS:
            expected = within(platform, period, **order)
            for stop in (0, 1, 9, 10, 60, 90, 91):
                async with session.tasks(**period, **order) as stream:
                    begun = [(await anext(stream)).id for _ in range(stop)]
                    rest = session.tasks(**period, **order, resume=str(stream.checkpoint))
                assert begun + [task.id for task in await rest] == expected
                assert await rest.count() == len(expected)
        older = period_of(platform, 200, None)
        async with session.tasks(**period) as stream:
            assert len([task async for task in stream]) == 91
            more = session.tasks(**older, resume=stream.checkpoint)
        assert [task.id for task in await more] == within(platform, older)[131:]
        async with session.tasks(**period).pages() as pages:
            assert sum([len(page.tasks) async for page in pages]) == 91
            more = session.tasks(**older, resume=pages.checkpoint)
        assert [task.id for task in await more] == within(platform, older)[131:]


async def test_data_frames_take_it_and_go_on_after_a_batch() -> None:
    async with account_of(300) as (platform, session):
        period = period_of(platform, 130, 40)
        expected = within(platform, period)
        table = await session.tasks(**period).to_arrow()
        assert table["id"].to_pylist() == expected
        async with session.tasks(**period).arrow_batches(size=37) as batches:
            first = await anext(batches)
            rest = session.tasks(**period, resume=batches.checkpoint)
        assert first["id"].to_pylist() + [task.id for task in await rest] == expected


@pytest.mark.parametrize("exact", [False, True], ids=["default", "exact"])
@pytest.mark.parametrize("order", ORDERS, ids=str)
async def test_what_was_there_throughout_comes_once_while_the_account_changes(
    order: dict[str, Any], exact: bool
) -> None:
    for seed in range(3):
        chance = random.Random(seed)
        async with account_of(400) as (platform, session):
            period = period_of(platform, 260, 60)
            at_first = within(platform, period)
            throughout = set(at_first)

            def change(platform: FakePlatform, _: web.Request) -> None:
                platform.add(status="queued")
                tasks = [task["_id"] for task in platform.tasks()]
                platform.update(chance.choice(tasks), status="failed")  # noqa: B023 - used at once
                if exact:  # by default, an upload and a deletion in one window may cancel out
                    platform.delete(gone := chance.choice(tasks))  # noqa: B023
                    throughout.discard(gone)  # noqa: B023

            platform.before_each(change)
            listing = session.tasks(**period, **order, exact=exact, page_limit=20)
            found = [task.id for task in await listing]
            assert len(found) == len(set(found))
            assert throughout <= set(found)
            assert set(found) <= set(at_first)


FAR = [(2_500, 2_450), (2_999, 2_990), (500, 450), (2_999, 2_999)]


@pytest.mark.parametrize("exact", [False, True], ids=["default", "exact"])
@pytest.mark.parametrize("order", ["desc", "asc"])
async def test_a_period_far_from_the_beginning_is_found_in_few_requests(
    order: Any, exact: bool
) -> None:
    async with account_of(3_000) as (platform, session):
        for oldest, newest in FAR:
            period = period_of(platform, oldest, newest)
            expected, before = within(platform, period, sort_option=order), len(platform.requests)
            listing = session.tasks(**period, sort_option=order, exact=exact, page_limit=10)
            async with listing as stream:
                assert [task.id async for task in stream] == expected
                assert stream.report.late == 0
            assert len(platform.requests) - before < 100, "of 300 pages"
            async with listing as stream:
                begun = [(await anext(stream)).id for _ in range(min(7, len(expected)))]
                rest = session.tasks(**period, sort_option=order, resume=stream.checkpoint)
            async with rest as stream:
                assert begun + [task.id async for task in stream] == expected
                assert stream.report.late == 0


@pytest.mark.parametrize("order", ["desc", "asc"])
async def test_nothing_of_it_is_lost_while_the_account_changes(order: Any) -> None:
    for seed in range(3):
        chance = random.Random(seed)
        async with account_of(1_500) as (platform, session):
            period = period_of(platform, 1_200, 800)
            at_first, ids = within(platform, period), [task["_id"] for task in platform.tasks()]
            throughout = set(at_first)
            chance.shuffle(ids)

            def change(platform: FakePlatform, _: web.Request) -> None:
                for _once in range(chance.choice((0, 0, 3, 30))):  # noqa: B023 - called at once
                    platform.add()
                    platform.delete(gone := ids.pop())  # noqa: B023
                    throughout.discard(gone)  # noqa: B023

            platform.before_each(change)
            listing = session.tasks(**period, sort_option=order, exact=True, page_limit=20)
            found = [task.id for task in await listing]
            assert len(found) == len(set(found))
            assert throughout <= set(found) <= set(at_first)


async def test_a_search_goes_on_after_a_timeout_and_ends_with_its_stream() -> None:
    async with account_of(3_000) as (platform, session):
        period = period_of(platform, 2_500, 2_450)
        platform.latency = 0.02
        stream = aiter(session.tasks(**period, page_limit=10))
        found: list[Task] = []
        while len(found) < 51:
            try:
                found.append(await asyncio.wait_for(anext(stream), 0.005))
            except TimeoutError:
                continue
        assert [task.id for task in found] == within(platform, period)

        stream = aiter(session.tasks(**period, page_limit=10))
        while not stream._searched:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(anext(stream), 0.005)
        assert stream._window.fetches
        await stream.aclose()
        assert not stream._window.fetches


@pytest.mark.parametrize("order", ["desc", "asc"])
async def test_many_tasks_of_the_moment_where_it_begins_are_crossed(order: Any) -> None:
    async with FakePlatform() as platform:
        for number in range(900):
            platform.add(created_at=DAY + timedelta(hours=max(number - 300, 0) and number))
            platform.add(created_at=DAY - timedelta(hours=number + 1))
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            periods: list[dict[str, Any]] = [
                {"since": DAY, "until": None},
                {"since": None, "until": DAY},
            ]
            for period in periods:
                listing = session.tasks(**period, sort_option=order, page_limit=10)
                assert [task.id for task in await listing] == within(
                    platform, period, sort_option=order
                )


@pytest.mark.parametrize("past_end", ["empty", "error"])
async def test_a_search_survives_that_the_account_shrinks(past_end: Any) -> None:
    async with FakePlatform.demo(3_000, past_end=past_end) as platform:
        period, ids = period_of(platform, 2_999, 2_450), [task["_id"] for task in platform.tasks()]

        def shrink(platform: FakePlatform, request: web.Request) -> None:
            if request.query["page_limit"] == "1":
                while len(ids) > 400:
                    platform.delete(ids.pop())

        platform.before_each(shrink)
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            assert await session.tasks(**period, page_limit=10) == []


async def test_what_has_no_time_of_creation_is_listed() -> None:
    async with FakePlatform() as platform:
        for day in range(5):
            platform.add(created_at=None if day == 3 else DAY + timedelta(days=day))
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            tasks = await session.tasks(since=DAY + timedelta(days=2), sort_by="updated_at")
            assert sorted(str(task.created_at)[:10] for task in tasks) == [
                "2025-03-03",
                "2025-03-05",
                "None",
            ]


async def test_where_the_platform_does_not_sort_nothing_is_lost() -> None:
    async with account_of(120) as (platform, session):
        period = period_of(platform, 20, None)

        tasks = sorted(platform.tasks(), key=itemgetter("_id"))

        def shuffled(request: web.Request) -> web.Response:
            page = int(request.query["page"])
            info = {"page": page, "limit_per_page": 50, "total_page": 3, "total_results": 120}
            data = tasks[50 * (page - 1) : 50 * page]
            return web.json_response({"data": data, "page_info": info})

        platform.respond(shuffled)
        found = [task.id for task in await session.tasks(**period)]
        assert sorted(found) == sorted(within(platform, period))


async def test_a_malformed_task_is_raised_or_skipped_at_its_place() -> None:
    async with account_of(300) as (platform, session):
        period = period_of(platform, 130, 40)
        expected = within(platform, period)
        platform.update(expected[50], status=7)
        kept = await session.tasks(**period, on_malformed="skip", max_items=80)
        assert [task.id for task in kept] == expected[:50] + expected[51:80]
        async with session.tasks(**period) as stream:
            assert [(await anext(stream)).id for _ in range(50)] == expected[:50]
            with pytest.raises(ResponseError, match="status"):
                await anext(stream)
        pages = session.tasks(**period).pages()
        found = [task.id for task in (await anext(pages)).tasks]
        found += [task.id for task in (await anext(pages)).tasks]
        assert found == expected[:50]
        with pytest.raises(ResponseError, match="status") as caught:
            await anext(pages)
        platform.update(expected[50], status="ready")
        rest = session.tasks(**period, resume=caught.value.checkpoint)
        assert [task.id for task in await rest] == expected[50:]


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (DAY.replace(tzinfo=None), "value.astimezone()"),
        (DAY.replace(tzinfo=None), "value.replace(tzinfo=UTC)"),
        (date(2025, 3, 1), "datetime.now(UTC) - timedelta(days=7)"),
        (timedelta(days=7), "datetime.now(UTC) - timedelta(days=7)"),
        ("7d", "datetime.now(UTC) - timedelta(days=7)"),
        (date(2025, 3, 1), "datetime.combine(value, time(), UTC)"),
        (timedelta(days=7), "datetime.now(UTC) - value"),
        ("2025-03-01", "datetime.fromisoformat(value)"),
        (7, "time zone"),
    ],
)
async def test_what_is_no_aware_datetime_is_refused_and_says_how_to_make_one(
    name: str, value: Any, hint: str
) -> None:
    async with account_of(1) as (platform, session):
        with pytest.raises(InvalidArgumentError, match=rf"^{name}=.*time zone") as caught:
            session.tasks(**{name: value})
        assert hint in str(caught.value)
        assert (value == "7d") <= ("fromisoformat" not in str(caught.value))
        if value != 7:
            names = {"value": value, "time": time}
            exec("from datetime import UTC, datetime, timedelta", names)
            assert eval(hint, names) is not None
        assert platform.requests == []


async def test_a_period_without_time_in_it_is_refused() -> None:
    async with account_of(1) as (_, session):
        for until in (DAY, DAY - timedelta(microseconds=1)):
            with pytest.raises(InvalidArgumentError, match=r"^since=.*must be before `until`"):
                session.list(TaskQuery(), since=DAY, until=until)
        assert await session.tasks(since=DAY, until=DAY + timedelta(microseconds=1)) == []


async def test_what_does_not_know_the_period_refuses_it() -> None:
    async with account_of(1) as (platform, session):
        periods: list[dict[str, Any]] = [{"since": DAY}, {"until": DAY}]
        for period in periods:
            with pytest.raises(InvalidArgumentError, match=r"iterate the listing, or `pages\(\)`"):
                await session.tasks(**period).page(1)
            with pytest.raises(InvalidArgumentError, match="its own `since`"):
                session.tasks(**period).watch()
        assert platform.requests == []


def test_a_listing_shows_its_period() -> None:
    shown = repr(TaskSession("key").tasks(since=DAY, until=DAY + timedelta(hours=1)))
    assert "since=2025-03-01T00:00:00Z, until=2025-03-01T01:00:00Z" in shown


def test_items_that_tell_their_times_as_text_have_a_period_too() -> None:
    period = Period(query=RunQuery(), since=DAY, until=None)
    assert period.holds({"created_at": "2025-03-01T01:00:00+01:00"})
    assert not period.holds({"created_at": "2025-02-28T23:59:59.999Z"})
    assert period.comes_first


def test_a_list_without_a_time_of_creation_has_no_period() -> None:
    made: SortKey[Any] = SortKey(name="made_at", read=itemgetter("made_at"))

    class OtherQuery(RunQuery):
        resource = attrs.evolve(RUNS, sort_keys=(made,))

    with pytest.raises(InvalidArgumentError, match=r"^until=.*when its items were created"):
        Period(query=OtherQuery(), since=None, until=DAY)
