"""Listings over real sockets while the account changes between requests."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from tests.conftest import until_no_connection
from twelvetasks import (
    BadRequestError,
    Checkpoint,
    Consistency,
    InvalidArgumentError,
    ListingDriftError,
    ServerError,
    SortBy,
    SortOption,
    Task,
    TaskQuery,
    TaskSession,
)
from twelvetasks.testing import FakePlatform
from twelvetasks.values.tasks import StatusName

STATUSES = ("ready", "failed", "indexing")


class Restless:
    """Changes an account at every request, and knows which tasks were there all the time."""

    def __init__(self, platform: FakePlatform, chance: random.Random, **filters: Any) -> None:
        self._platform = platform
        self._chance = chance
        self._filters = filters
        self.rate = 1.0
        self.throughout = {task["_id"] for task in platform.tasks(**filters)}
        platform.before_each(self.change)

    def change(self, platform: FakePlatform, request: web.Request) -> None:
        while self._chance.random() < self.rate / (1 + self.rate):
            tasks = platform.tasks()
            task = self._chance.choice(tasks)["_id"]
            match self._chance.randrange(4):
                case 0:
                    platform.add(status=self._chance.choice(STATUSES))
                case 1:
                    platform.delete(task)
                case 2:
                    platform.update(task, status=self._chance.choice(STATUSES))
                case _:
                    platform.delete(platform.add()["_id"])
        self.throughout &= {task["_id"] for task in platform.tasks(**self._filters)}


@asynccontextmanager
async def demo(count: int) -> AsyncIterator[tuple[FakePlatform, TaskSession]]:
    async with (
        FakePlatform.demo(count) as platform,
        TaskSession(platform.api_key, base_url=platform.base_url) as session,
    ):
        yield platform, session


@asynccontextmanager
async def restless(
    count: int, seed: int, **filters: Any
) -> AsyncIterator[tuple[TaskSession, Restless]]:
    chance = random.Random(seed)
    async with FakePlatform.demo(count, seed=seed) as platform:
        platform.latency = lambda request: chance.choice((0.0, 0.0, 0.001, 0.002))
        changes = Restless(platform, chance, **filters)
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            yield session, changes
        await until_no_connection(platform)


def is_sorted(tasks: list[Task], sort_by: str, sort_option: str) -> bool:
    keys = [getattr(task, sort_by) for task in tasks]
    if sort_option == "desc" and sort_by == "updated_at":
        while len(keys) > 1 and keys[-1] >= keys[0]:
            keys.pop()
    return keys == sorted(keys, reverse=sort_option == "desc")


@pytest.mark.parametrize("sort_by", SortBy)
@pytest.mark.parametrize("sort_option", SortOption)
@pytest.mark.parametrize("status", [None, ["ready", "indexing"]])
async def test_exact_holds_over_the_wire(
    sort_by: SortBy, sort_option: SortOption, status: list[StatusName] | None
) -> None:
    filters = {} if status is None else {"status": status}
    for seed in range(8):
        async with restless(700, seed, **filters) as (session, changes):
            changes.rate = (0.2, 1.0, 2.0)[seed % 3]
            listing = session.tasks(
                sort_by=sort_by, sort_option=sort_option, status=status, exact=True
            )
            async with listing as stream:
                tasks = [task async for task in stream]
        ids = [task.id for task in tasks]
        assert changes.throughout <= set(ids)
        assert len(ids) == len(set(ids))
        assert is_sorted(tasks, sort_by, sort_option)
        assert stream.report.consistency == "exact"


@pytest.mark.parametrize("sort_by", SortBy)
@pytest.mark.parametrize("sort_option", SortOption)
async def test_it_holds_where_a_database_is_less_than_ideal(
    sort_by: SortBy, sort_option: SortOption
) -> None:
    """A count and a page of two instants, ties in any order and, for `exact`, late commits."""
    by_creation = sort_by == SortBy.CREATED_AT
    for seed in range(2):
        second = datetime(2025, 1, 1, tzinfo=UTC)
        tied = [
            {"created_at": time, "updated_at": time}
            for time in (second + timedelta(seconds=number // 6) for number in range(400))
        ]
        async with FakePlatform(
            tied,
            reads="torn",
            ties="unstable",
            commits="late" if by_creation else "ordered",
            seed=seed,
        ) as platform:
            changes = Restless(platform, random.Random(seed))
            changes.rate = (0.1, 0.3)[seed]
            async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
                tasks = await session.tasks(
                    sort_by=sort_by, sort_option=sort_option, exact=by_creation
                )
        ids = [task.id for task in tasks]
        assert changes.throughout <= set(ids)
        assert len(ids) == len(set(ids))
        assert is_sorted(tasks, sort_by, sort_option)


async def test_a_listing_goes_on_from_a_stored_checkpoint_in_another_session() -> None:
    for seed in range(10):
        chance = random.Random(seed)
        tasks: list[Task] = []
        stored: str | None = None
        async with FakePlatform.demo(400, seed=seed) as platform:
            changes = Restless(platform, chance)
            for most in (0, 1, 49, 50, 51, 120, None):
                async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
                    listing = session.tasks(exact=True, resume=stored, max_items=most)
                    async with listing as stream:
                        tasks += [task async for task in stream]
                        stored = str(stream.checkpoint)
                for _ in range(chance.choice((0, 5, 50))):
                    platform.add()
                    platform.delete(chance.choice(platform.tasks())["_id"])
                changes.change(platform, None)  # type: ignore[arg-type]
        ids = [task.id for task in tasks]
        assert changes.throughout <= set(ids)
        assert len(ids) == len(set(ids))
        assert is_sorted(tasks, "created_at", "desc")


async def test_a_checkpoint_at_the_end_finds_only_what_is_new(
    platform: FakePlatform, session: TaskSession
) -> None:
    async with session.tasks(sort_option="asc") as stream:
        assert len([task async for task in stream]) == 230
        end = stream.checkpoint
    assert await session.tasks(sort_option="asc", resume=end) == []
    new = platform.add()["_id"]
    assert [task.id for task in await session.tasks(sort_option="asc", resume=end)] == [new]


async def test_pages_have_checkpoints_too(platform: FakePlatform, session: TaskSession) -> None:
    async with session.tasks().pages() as pages:
        first = await anext(pages)
        rest = await session.tasks(resume=pages.checkpoint)
    assert [task.id for task in (*first.tasks, *rest)] == [task["_id"] for task in platform.tasks()]


async def test_an_error_carries_the_checkpoint_to_go_on_from() -> None:
    async with demo(1000) as (platform, session):
        platform.fail(status=500, page=9, times=5)
        listed: list[str] = []
        with pytest.raises(ServerError) as caught:
            await _read_into(listed, session.tasks())
        assert len(listed) == 400
        assert caught.value.checkpoint is not None
        await _read_into(listed, session.tasks(resume=caught.value.checkpoint))
        assert listed == [task["_id"] for task in platform.tasks()]


async def _read_into(listed: list[str], tasks: Any) -> None:
    async for task in tasks:
        listed.append(task.id)  # noqa: PERF401 - a comprehension would lose them at an error


@pytest.mark.parametrize(
    "resume", ["", "nonsense", "[]", "{}", '{"version":1}', '{"version":2,"query":""}']
)
def test_what_is_no_checkpoint_is_refused(resume: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^resume="):
        TaskSession("key").tasks(resume=resume)


@pytest.mark.parametrize("other", [{"status": "ready"}, {"sort_option": "asc"}, {"width": 7}])
def test_a_checkpoint_of_another_listing_is_refused(other: dict[str, Any]) -> None:
    session = TaskSession("key")
    start = Checkpoint.start(TaskQuery())
    session.tasks(resume=start, page_limit=7)
    with pytest.raises(InvalidArgumentError, match="another listing"):
        session.tasks(resume=start, **other)
    with pytest.raises(InvalidArgumentError, match="exact="):
        session.tasks(exact="yes")  # type: ignore[arg-type]


async def test_the_report_says_what_happened() -> None:
    async with demo(500) as (platform, session):
        async with session.tasks() as stream:
            assert stream.report.requests == 0
            await anext(stream)
            assert stream.report.requests <= 2
            assert stream.report.pages == 1
            assert [task async for task in stream] != []
        assert stream.report.requests == stream.report.pages == 10
        assert stream.report.bridges == stream.report.duplicates == stream.report.late == 0
        assert stream.report.consistency is Consistency.QUIET

        before = platform.tasks()
        platform.before_each(_delete_one_read_before)
        async with session.tasks() as stream:
            listed = [task.id async for task in stream]
        after = {task["_id"] for task in platform.tasks()}
        assert [known for known in listed if known in after] == [
            task["_id"] for task in before if task["_id"] in after
        ]
        assert stream.report.bridges > 0
        assert stream.report.duplicates > 0
        assert stream.report.consistency is Consistency.REPAIRED


def _delete_one_read_before(platform: FakePlatform, request: web.Request) -> None:
    if request.query["page"] != "1":
        platform.delete(platform.tasks()[0]["_id"])


async def test_an_account_that_outruns_the_listing_is_an_error_and_never_a_short_list() -> None:
    """Each answer is the account of another moment: no two of them can be joined."""
    moment = 0

    def elsewhere(request: web.Request) -> web.Response:
        nonlocal moment
        page, limit = int(request.query["page"]), int(request.query["page_limit"])
        moment += page > 1
        data = [
            {
                "_id": f"{moment if page > 1 else 0:04}-{place}",
                "created_at": f"{3000 - moment if page > 1 else 3000}-01-01T00:00:00.000Z",
            }
            for place in range(limit)
        ]
        info = {
            "page": page,
            "limit_per_page": limit,
            "total_page": -(-(100_000 + moment) // limit),
            "total_results": 100_000 + moment,
        }
        return web.json_response({"data": data, "page_info": info})

    async with FakePlatform() as platform:
        platform.respond(elsewhere)
        listed: list[str] = []
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            with pytest.raises(ListingDriftError, match="continue with resume") as caught:
                await _read_into(listed, session.tasks())
        assert len(listed) == 50
        assert caught.value.checkpoint is not None
        assert len(platform.requests) < 300


@pytest.mark.parametrize("past_end", ["empty", "error"])
async def test_tasks_deleted_while_listing_may_leave_pages_past_the_end(past_end: Any) -> None:
    async with FakePlatform.demo(600, past_end=past_end) as platform:
        everything = platform.tasks()
        doomed = [task["_id"] for task in everything[100:450]]

        def delete_them(platform: FakePlatform, request: web.Request) -> None:
            if request.query["page"] != "1":
                while doomed:
                    platform.delete(doomed.pop())

        platform.before_each(delete_them)
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            listed = {task.id for task in await session.tasks()}
        assert listed >= {task["_id"] for task in platform.tasks()}


async def test_a_page_that_goes_on_being_refused_is_an_error() -> None:
    async with FakePlatform.demo(600) as platform:
        platform.fail(status=400, page=3, times=100)
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            listed: list[str] = []
            with pytest.raises(BadRequestError) as caught:
                await _read_into(listed, session.tasks())
        assert listed == [task["_id"] for task in platform.tasks()][:100]
        assert caught.value.page == 3
        assert len(platform.requests) < 20


async def test_a_session_remembers_that_a_list_changes_until_it_has_been_quiet() -> None:
    requests: list[int] = []
    async with demo(1500) as (platform, session):
        changes = Restless(platform, random.Random(0))
        for rate in (1.0, 0.0, 0.0, 0.0):
            changes.rate = rate
            pages = session.tasks().pages()
            assert sum([len(page.items) async for page in pages]) >= 1400
            requests.append(pages.report.requests)
        async with TaskSession(platform.api_key, base_url=platform.base_url) as other:
            pages = other.tasks().pages()
            assert sum([len(page.items) async for page in pages]) >= 1400
        fewest = pages.report.requests
    assert requests[-1] <= fewest + 1 < requests[1]
