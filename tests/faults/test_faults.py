"""Listings over a bad network: complete, or an error with the place to go on from.

`--schedules N` sets through how many random networks 5,000 tasks are listed: 300 unless told.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import attrs
import pytest
from yarl import URL

from tests.conftest import until_no_connection
from tests.faults.network import Networks, proxy_process
from tests.faults.schedule import Fault, Pace, Schedule
from twelvetasks import (
    RequestTimeoutError,
    ResponseError,
    SortOption,
    TaskSession,
    TaskStream,
    TransportError,
    TwelveTasksError,
)
from twelvetasks.testing import FakePlatform

TASKS = 5_000
AT_ONCE = 12
RESUMPTIONS = 200


@pytest.fixture
async def networks() -> AsyncIterator[Networks]:
    async with proxy_process() as started:
        yield started


@pytest.fixture
async def large() -> AsyncIterator[FakePlatform]:
    async with FakePlatform.demo(TASKS) as platform:
        yield platform
        await until_no_connection(platform)


@attrs.frozen
class Listed:
    """What came of a listing that was resumed after every error."""

    ids: list[str]
    errors: list[TwelveTasksError]


async def listed(
    base_url: URL,
    platform: FakePlatform,
    *,
    timeout: float = 0.5,  # noqa: ASYNC109
    sort_option: SortOption = SortOption.DESC,
    exact: bool = False,
) -> Listed:
    """List all tasks as a program would that is started again, with the stored place, each time."""
    ids: list[str] = []
    errors: list[TwelveTasksError] = []
    place: str | None = None
    while len(errors) < RESUMPTIONS:
        async with TaskSession(platform.api_key, base_url=base_url, timeout=timeout) as session:
            stream = aiter(session.tasks(sort_option=sort_option, exact=exact, resume=place))
            error = await read_on(stream, ids)
        if error is None:
            break
        place = str(error.checkpoint)
        errors.append(error)
    return Listed(ids, errors)


async def read_on(stream: TaskStream, ids: list[str]) -> TwelveTasksError | None:
    """Read all that comes, and give the error at its end if there is one."""
    try:
        async for task in stream:
            ids.append(task.id)  # noqa: PERF401 - what came before an error is kept
    except TwelveTasksError as error:
        return error
    return None


MEASURED = 20
"""Networks that reach every line which more of them reach."""


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(slice(MEASURED), id="measured"),
        pytest.param(slice(MEASURED, None), id="others", marks=pytest.mark.no_cover),
    ],
)
async def test_listings_through_any_bad_network_are_complete_or_can_be_resumed(
    networks: Networks, large: FakePlatform, schedules: int, part: slice
) -> None:
    drawn = range(schedules)[part]
    if not drawn:
        pytest.skip("all networks are measured")
    right = {
        sort_option: [task["_id"] for task in large.tasks(sort_option=sort_option)]
        for sort_option in ("desc", "asc")
    }
    wrong: dict[int, str] = {}
    enacted: Counter[str] = Counter()
    resumed = 0
    seeds = iter(drawn)

    async def play() -> None:
        nonlocal resumed
        for seed in seeds:
            sort_option = (SortOption.DESC, SortOption.ASC)[seed % 2]
            async with networks.through(Schedule.drawn(seed), large) as network:
                found = await listed(
                    network.base_url, large, sort_option=sort_option, exact=seed % 5 == 0
                )
            enacted.update(network.enacted)
            resumed += len(found.errors)
            if found.ids != right[sort_option]:
                wrong[seed] = f"{len(found.ids)} tasks, {len(set(found.ids))} different"

    async with asyncio.TaskGroup() as players:
        for _ in range(AT_ONCE):
            players.create_task(play())
    assert wrong == {}
    # A network in which nothing happens proves nothing.
    assert enacted.keys() == set(Fault)
    assert min(enacted.values()) >= len(drawn)
    assert resumed > 0


async def test_a_resumed_listing_looks_for_its_place_where_it_was() -> None:
    """Through a bad network, a listing that began at page 1 each time would never end."""
    async with FakePlatform.demo(TASKS) as large:
        async with TaskSession(large.api_key, base_url=large.base_url) as session:
            stream = aiter(session.tasks())
            for _ in range(4_000):
                await anext(stream)
        # What the stream had still under way may reach the platform until its connection is gone.
        await until_no_connection(large)
        large.requests.clear()
        async with TaskSession(large.api_key, base_url=large.base_url) as session:
            assert len(await session.tasks(resume=stream.checkpoint)) == 1_000
        pages = [(request.page, request.page_limit) for request in large.requests]
    assert (1, 50) not in pages
    assert len(pages) <= 1 + 1_000 // 50 + 1


PERSISTENT: dict[Fault, tuple[type[TwelveTasksError], ...]] = {
    Fault.RESET: (TransportError,),
    Fault.CUT: (TransportError,),
    Fault.STALL: (RequestTimeoutError,),
    Fault.CORRUPT: (ResponseError, TransportError),
}


@pytest.mark.parametrize("fault", Fault)
async def test_a_fault_that_goes_on_is_an_error_and_the_rest_is_had_when_it_is_over(
    networks: Networks, platform: FakePlatform, fault: Fault
) -> None:
    ids = [task["_id"] for task in platform.tasks()]
    come: list[str] = []
    # Each connection lasts for one or two of the five pages; no page has been had before the end.
    schedule = Schedule(faults=[fault], life=2_000, requests=False)
    async with networks.through(schedule, platform) as network:
        url = network.base_url
        async with TaskSession(platform.api_key, base_url=url, timeout=0.2) as session:
            error = await read_on(aiter(session.tasks()), come)
    assert isinstance(error, PERSISTENT[fault])
    assert error.checkpoint is not None
    async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
        rest = await session.tasks(resume=error.checkpoint)
    assert come + [task.id for task in rest] == ids


@pytest.mark.parametrize("pace", Pace)
async def test_a_network_that_is_only_slow_is_no_error(
    networks: Networks, platform: FakePlatform, pace: Pace
) -> None:
    async with networks.through(Schedule(paces=[pace]), platform) as network:
        found = await listed(network.base_url, platform, timeout=20.0)
    assert found == Listed([task["_id"] for task in platform.tasks()], [])
    assert network.enacted == {}


async def test_a_stalled_listing_can_be_left_at_any_moment(
    networks: Networks, platform: FakePlatform
) -> None:
    """Leaving a network insists that no connection through it is left open."""
    async with (
        networks.through(Schedule(faults=[Fault.STALL]), platform) as network,
        TaskSession(platform.api_key, base_url=network.base_url) as session,
    ):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(aiter(session.tasks())), 0.05)
    assert network.enacted == {Fault.STALL: 1}
