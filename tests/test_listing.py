"""What a listing promises its reader, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import attrs
import pytest
from aiohttp import web

from tests.conftest import until_no_connection
from twelvetasks import (
    BadRequestError,
    Consistency,
    InvalidArgumentError,
    ListingDriftError,
    ListQuery,
    ServerError,
    SessionClosedError,
    SortBy,
    SortOption,
    Task,
    TaskListing,
    TaskPage,
    TaskQuery,
    TaskSession,
)
from twelvetasks.testing import FakePlatform
from twelvetasks.values.tasks import TASKS


def ids(platform: FakePlatform, **filters: Any) -> list[str]:
    return [task["_id"] for task in platform.tasks(**filters)]


@contextlib.asynccontextmanager
async def listing_of(
    count: int, *, concurrency: int = 8, **options: Any
) -> AsyncIterator[tuple[FakePlatform, TaskSession]]:
    async with FakePlatform.demo(count, **options) as platform:
        async with TaskSession(
            platform.api_key, base_url=platform.base_url, concurrency=concurrency
        ) as session:
            yield platform, session
        await until_no_connection(platform)


@pytest.mark.parametrize("sort_by", SortBy)
@pytest.mark.parametrize("sort_option", SortOption)
@pytest.mark.parametrize("page_limit", [50, 7])
async def test_every_task_comes_once_and_in_order(
    platform: FakePlatform,
    session: TaskSession,
    sort_by: SortBy,
    sort_option: SortOption,
    page_limit: int,
) -> None:
    listed = [
        task.id
        async for task in session.tasks(
            sort_by=sort_by, sort_option=sort_option, page_limit=page_limit
        )
    ]
    assert listed == ids(platform, sort_by=sort_by, sort_option=sort_option)
    if sort_by == "created_at":
        # Oldest first, pages are proven by the order of their answers, which takes one more.
        more = sort_option == "asc"
        assert len(platform.requests) <= -(-230 // page_limit) + more


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100, 101])
@pytest.mark.parametrize("empty_total_page", [0, 1])
async def test_a_quiet_listing_asks_for_each_page_exactly_once(
    count: int, empty_total_page: int
) -> None:
    async with listing_of(count, empty_total_page=empty_total_page) as (platform, session):
        assert [task.id for task in await session.tasks()] == ids(platform)
        asked = Counter(request.page for request in platform.requests)
        assert asked == Counter(range(1, max(1, -(-count // 50)) + 1))


async def test_filters_reach_the_platform(platform: FakePlatform, session: TaskSession) -> None:
    listed = await session.tasks(status=["ready", "failed"], width=1920)
    assert [task.id for task in listed] == ids(platform, status=["ready", "failed"], width=1920)
    assert 0 < len(listed) < 230


async def test_making_a_listing_sends_nothing(platform: FakePlatform, session: TaskSession) -> None:
    listing = session.tasks(status="ready")
    aiter(listing)
    listing.pages()
    with pytest.raises(InvalidArgumentError):
        session.tasks(page_limit=51)
    with pytest.raises(InvalidArgumentError, match="max_items=-1"):
        session.tasks(max_items=-1)
    assert platform.requests == []


async def test_a_listing_can_be_iterated_again_and_sees_what_is_new(
    platform: FakePlatform, session: TaskSession
) -> None:
    listing = session.tasks()
    before = [task.id async for task in listing]
    new = platform.add()["_id"]
    assert [task.id async for task in listing] == [new, *before]
    assert [task.id for task in await listing] == [new, *before]


async def test_one_listing_can_be_iterated_twice_at_once(session: TaskSession) -> None:
    listing = session.tasks(page_limit=20)
    first, second = await asyncio.gather(listing, listing)
    assert first == second
    assert len(first) == 230


async def test_the_stream_is_an_async_generator(session: TaskSession) -> None:
    stream = aiter(session.tasks())
    assert isinstance(stream, AsyncGenerator)
    assert aiter(stream) is stream
    assert isinstance(await stream.asend(None), Task)
    with pytest.raises(LookupError, match="mine"):
        await stream.athrow(LookupError("mine"))
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    async with contextlib.aclosing(session.tasks().pages()) as pages:
        assert isinstance(pages, AsyncGenerator)
        assert isinstance(await anext(pages), TaskPage)


async def test_a_class_can_be_thrown_too_and_closing_twice_is_fine(session: TaskSession) -> None:
    stream = aiter(session.tasks())
    with pytest.raises(KeyError):
        await stream.athrow(KeyError)
    await stream.aclose()
    await stream.aclose()
    assert await anext(stream, None) is None


async def test_two_readers_of_one_stream_are_refused(
    platform: FakePlatform, session: TaskSession
) -> None:
    hold = platform.hold()
    async with session.tasks() as stream:
        reading = asyncio.ensure_future(anext(stream))
        await hold.until_arrived()
        with pytest.raises(RuntimeError, match="already running"):
            await anext(stream)
        with pytest.raises(RuntimeError, match="already running"):
            await stream.aclose()
        hold.release()
        assert (await reading).id == ids(platform)[0]


async def test_count_is_one_small_request(platform: FakePlatform, session: TaskSession) -> None:
    assert await session.tasks().count() == 230
    assert await session.tasks(max_items=9).count() == 9
    assert await session.tasks(status="failed").count() == len(ids(platform, status="failed"))
    assert [request.page_limit for request in platform.requests] == [1, 1, 1]


async def test_first_is_one_small_request(platform: FakePlatform, session: TaskSession) -> None:
    first = await session.tasks(sort_option="asc").first()
    assert first is not None
    assert first.id == ids(platform, sort_option="asc")[0]
    assert await session.tasks(filename="nowhere.mp4").first() is None
    assert await session.tasks(max_items=0).first() is None
    assert [request.page_limit for request in platform.requests] == [1, 1]


@pytest.mark.parametrize("max_items", [0, 1, 49, 50, 51, 120, 230, 999])
async def test_max_items_ends_the_listing_and_its_requests(
    platform: FakePlatform, session: TaskSession, max_items: int
) -> None:
    assert [task.id for task in await session.tasks(max_items=max_items)] == ids(platform)[
        :max_items
    ]
    assert len(platform.requests) == -(-min(max_items, 230) // 50)


async def test_pages_carry_their_page_info(platform: FakePlatform, session: TaskSession) -> None:
    pages = [page async for page in session.tasks().pages()]
    assert [page.page_info.page for page in pages] == [1, 2, 3, 4, 5]
    assert [len(page.tasks) for page in pages] == [50, 50, 50, 50, 30]
    assert {page.page_info.total_results for page in pages} == {230}
    assert [task.id for page in pages for task in page.tasks] == ids(platform)


async def test_totals_are_known_after_the_first_task(session: TaskSession) -> None:
    async with session.tasks() as stream:
        assert (stream.total_results, stream.total_page, stream.pages_done) == (None, None, 0)
        await anext(stream)
        assert (stream.total_results, stream.total_page, stream.pages_done) == (230, 5, 1)


async def test_a_listing_is_entered_once_at_a_time(session: TaskSession) -> None:
    listing = session.tasks()
    async with listing as stream:
        assert len([task async for task in stream]) == 230
        with pytest.raises(RuntimeError, match="entered already"):
            async with listing:
                pass
    async with listing as stream:
        assert isinstance(await anext(stream), Task)


@pytest.mark.parametrize("pause", [None, 0, 0.005])
async def test_ten_tasks_cost_one_request(pause: float | None) -> None:
    async with listing_of(5000) as (platform, session):
        async with session.tasks() as stream:
            for _ in range(10):
                await anext(stream)
                if pause is not None:
                    await asyncio.sleep(pause)
        assert len(platform.requests) == 1


async def test_a_long_listing_fetches_as_many_pages_at_once_as_it_may() -> None:
    async with listing_of(3000, concurrency=6, latency=0.005) as (platform, session):
        assert [task.id async for task in session.tasks()] == ids(platform)
        assert platform.most_in_flight == 6


async def test_pages_that_arrive_in_any_order_come_in_theirs() -> None:
    async with listing_of(1000, concurrency=5) as (platform, session):
        platform.latency = lambda request: 0.001 * (int(request.query["page"]) * 7 % 5)
        assert [task.id async for task in session.tasks()] == ids(platform)


async def test_a_slow_reader_is_never_more_than_the_window_ahead() -> None:
    async with (
        listing_of(2000, concurrency=4) as (platform, session),
        session.tasks() as stream,
    ):
        begun = 0
        async for _ in stream:
            if stream.pages_done > begun:
                begun = stream.pages_done
                for _ in range(40):
                    await asyncio.sleep(0.0005)
                    if not platform.in_flight:
                        break
                furthest = max(request.page or 0 for request in platform.requests)
                # Pages that wait for their seal are held, too: seven windows of them at most.
                assert furthest - begun <= 7 * 4
        assert begun == 40


async def read_page_one_of(total_page: int) -> tuple[int, int]:
    """Read one page of so many; give the requests it caused and the memory it took at most."""

    def endless(request: web.Request) -> web.Response:
        page = int(request.query["page"])
        data = [
            {"_id": f"{page:012x}{place:012x}", "created_at": "2024-01-01T00:00:00.000Z"}
            for place in range(50)
        ]
        info = {
            "page": page,
            "limit_per_page": 50,
            "total_page": total_page,
            "total_results": total_page * 50,
        }
        return web.json_response({"data": data, "page_info": info})

    async with FakePlatform() as platform:
        platform.respond(endless)
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            tracemalloc.start()
            async with session.tasks() as stream:
                for _ in range(50):
                    await anext(stream)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        return len(platform.requests), peak


async def test_a_reader_that_stops_after_page_one_of_a_million_causes_two_requests_at_most() -> (
    None
):
    await read_page_one_of(2)
    few, small = await read_page_one_of(2)
    many, large = await read_page_one_of(1_000_000)
    assert max(few, many) <= 2
    assert large < small * 1.5


async def test_pages_that_appear_at_the_end_while_listing_are_followed() -> None:
    async with listing_of(120) as (platform, session):
        added: list[str] = []

        def grow(platform: FakePlatform, request: web.Request) -> None:
            if len(added) < 200:
                added.extend(platform.add()["_id"] for _ in range(20))

        before = ids(platform, sort_option="asc")
        platform.before_each(grow)
        listed = [task.id async for task in session.tasks(sort_option="asc")]
        assert listed == before + added


async def test_a_task_that_is_seen_twice_is_yielded_once() -> None:
    async with listing_of(300, concurrency=1) as (platform, session):
        before = ids(platform)

        def upload(platform: FakePlatform, request: web.Request) -> None:
            platform.add()

        platform.before_each(upload)
        listed = [task.id async for task in session.tasks()]
        assert listed[1:] == before


async def test_an_error_comes_at_its_place_in_the_order() -> None:
    async with listing_of(1000) as (platform, session), session.tasks() as stream:
        platform.fail(status=503, page=7, times=5)
        listed: list[str] = []
        with pytest.raises(ServerError) as caught:
            await _read_into(listed, stream)
        assert caught.value.page == 7
        assert listed == ids(platform)[:300]
        with pytest.raises(ServerError) as again:
            await anext(stream)
        assert again.value is caught.value


async def _read_into(listed: list[str], stream: AsyncIterator[Task]) -> None:
    async for task in stream:
        listed.append(task.id)  # noqa: PERF401 - a comprehension would lose them at an error


async def test_a_passing_failure_is_not_noticed() -> None:
    async with listing_of(1000) as (platform, session):
        for page in range(1, 21, 2):
            platform.fail(status=502, page=page, times=2)
        platform.fail(status=429, page=4, times=2)
        assert [task.id async for task in session.tasks()] == ids(platform)


async def test_a_refusal_reaches_the_reader_with_what_the_platform_said(
    platform: FakePlatform, session: TaskSession
) -> None:
    platform.fail(status=400)
    with pytest.raises(BadRequestError) as caught:
        await session.tasks()
    assert (caught.value.status, caught.value.code, caught.value.page) == (
        400,
        "parameter_invalid",
        1,
    )


async def test_a_timeout_around_anext_loses_nothing() -> None:
    async with listing_of(400, concurrency=3) as (platform, session):
        platform.latency = 0.02
        listed = []
        async with session.tasks(page_limit=20) as stream:
            timeouts = 0
            while True:
                try:
                    listed.append((await asyncio.wait_for(anext(stream), 0.004)).id)
                except TimeoutError:
                    timeouts += 1
                except StopAsyncIteration:
                    break
        assert listed == ids(platform)
        assert timeouts >= 5
        assert len(platform.requests) == 20


async def test_closing_the_session_ends_its_listings() -> None:
    async with listing_of(1000) as (platform, session):
        stream = aiter(session.tasks())
        await anext(stream)
        hold = platform.hold(page=3)
        reading = asyncio.ensure_future(_rest(stream))
        await hold.until_arrived()
        await session.aclose()
        with pytest.raises(SessionClosedError):
            await reading
        with pytest.raises(SessionClosedError):
            await anext(aiter(session.tasks()))
        with pytest.raises(SessionClosedError):
            await session.tasks().count()


async def _rest(stream: AsyncIterator[Task]) -> list[Task]:
    return [task async for task in stream]


@attrs.frozen(kw_only=True, repr=False)
class NewestQuery(ListQuery[Task]):
    """The same list, asked without sort parameters: the platform gives the newest first."""

    resource = attrs.evolve(TASKS, noun="things")

    status: str | None = None


async def test_any_list_has_the_same_one_door(platform: FakePlatform, session: TaskSession) -> None:
    listing = session.list(TaskQuery(status="ready"), max_items=9)
    assert isinstance(listing, TaskListing)
    assert await listing == await session.tasks(status="ready", max_items=9)
    with pytest.raises(InvalidArgumentError, match="query="):
        session.list("ready")  # type: ignore[call-overload]
    with pytest.raises(InvalidArgumentError, match="max_items=-1"):
        session.list(TaskQuery(), max_items=-1)


async def test_a_list_without_sort_parameters_is_listed_newest_first(
    platform: FakePlatform, session: TaskSession
) -> None:
    query = NewestQuery(status="ready")
    listing = session.list(query)
    assert repr(listing) == "<Listing of NewestQuery(status='ready', page_limit=50)>"
    async with listing as stream:
        assert repr(stream) == "<ItemStream, not begun>"
        listed = [task.id async for task in stream]
        assert repr(stream).endswith(f"{len(listed)} things>")
    assert listed == ids(platform, status=["ready"])
    assert all("sort_by" not in request.query for request in platform.requests)
    assert await listing.count() == len(listed)
    first = await listing.first()
    assert first is not None
    assert first.id == listed[0]
    pages = [page async for page in listing.pages()]
    assert [task.id for page in pages for task in page.items] == listed


async def test_a_list_without_sort_parameters_is_resumed_and_told_from_others(
    platform: FakePlatform, session: TaskSession
) -> None:
    async with session.list(NewestQuery()) as stream:
        begun = [(await anext(stream)).id for _ in range(70)]
        place = stream.checkpoint
    platform.add()
    rest = [task.id async for task in session.list(NewestQuery(), resume=place, exact=True)]
    assert [*begun, *rest] == ids(platform)[1:]
    with pytest.raises(InvalidArgumentError, match="another listing"):
        session.tasks(resume=place)


@pytest.mark.parametrize("updated_at", [None, "2025-01-01T00:00:00.000Z"])
@pytest.mark.parametrize("option", ["asc", "desc"])
async def test_a_list_of_one_time_or_none_is_listed_by_it(updated_at: Any, option: Any) -> None:
    tasks = [{"_id": f"t{n}", "created_at": None, "updated_at": updated_at} for n in range(4000)]
    async with (
        FakePlatform(tasks) as platform,
        TaskSession(platform.api_key, base_url=platform.base_url) as session,
    ):
        stream = aiter(session.tasks(sort_by="updated_at", sort_option=option, page_limit=20))
        ids = [task.id async for task in stream]
        assert sorted(ids) == sorted(task["_id"] for task in tasks)
        proven = updated_at is not None or option == "asc"
        assert (stream.report.consistency is Consistency.UNPROVEN) is not proven
        assert len(platform.requests) < 400


async def test_what_has_no_time_cannot_be_listed_exactly_by_it() -> None:
    tasks = [{"_id": f"t{n}", "created_at": None, "updated_at": None} for n in range(200)]
    async with (
        FakePlatform(tasks) as platform,
        TaskSession(platform.api_key, base_url=platform.base_url) as session,
    ):
        with pytest.raises(ListingDriftError, match=r"have no updated_at.*without exact=True"):
            await session.tasks(sort_by="updated_at", exact=True, page_limit=20)
