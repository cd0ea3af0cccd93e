"""Waiting for tasks: when it ends, how it fails, what it asks for, and how it keeps its place."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import anyio
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from twelvetasks import (
    AuthenticationError,
    BadRequestError,
    InvalidArgumentError,
    NotFoundError,
    RetryPolicy,
    SessionClosedError,
    Task,
    TaskSession,
    TaskStatus,
    TwelveTasksError,
)
from twelvetasks.tasks.polling import Polling, Schedule
from twelvetasks.tasks.waiting import TaskWaiting
from twelvetasks.testing import FakePlatform
from twelvetasks.values.errors import TaskFailedError, WaitTimeoutError

AT_ONCE = Polling(first=0.001, longest=0.001)
SELDOM = Polling(first=600, longest=600)
STEPS = ["pending", "validating", "queued", "indexing", "ready"]


@pytest.fixture
async def session(platform: FakePlatform) -> AsyncIterator[TaskSession]:
    async with TaskSession(platform.api_key, base_url=platform.base_url) as opened:
        yield opened


@pytest.fixture(autouse=True)
async def it_ends() -> AsyncIterator[None]:
    async with asyncio.timeout(30):
        yield


def added(platform: FakePlatform, count: int, status: str = "pending") -> list[str]:
    return [platform.add(status=status)["_id"] for _ in range(count)]


def on_poll(platform: FakePlatform, *actions: Callable[[], object]) -> None:
    """Do one action before each request from now on, until there are no more."""
    left = iter(actions)

    def act(*_: object) -> None:
        next(left, lambda: None)()

    platform.before_each(act)


async def look_once(session: TaskSession, ids: list[str], **options: Any) -> TaskWaiting:
    """Begin a wait and leave it as soon as every task has been seen."""
    unseen = set(ids)
    all_seen = asyncio.Event()

    def see(task: Task) -> None:
        unseen.remove(task.id)
        if not unseen:
            all_seen.set()

    waiting = session.wait_all(ids, polling=SELDOM, on_change=see, **options)
    reading = asyncio.ensure_future(anext(waiting))
    await all_seen.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    return waiting


async def test_it_gives_the_task_as_it_ended(platform: FakePlatform, session: TaskSession) -> None:
    [task_id] = added(platform, 1)
    on_poll(platform, lambda: None, *[lambda: platform.advance(task_id)] * 4)
    task = await session.wait(task_id, polling=AT_ONCE)
    assert task.id == task_id
    assert task.status is TaskStatus.READY
    assert task.video_id is not None
    assert len(platform.requests) == 5


async def test_every_change_is_told_once_the_first_sight_too(
    platform: FakePlatform, session: TaskSession
) -> None:
    [task_id] = added(platform, 1)
    seen: list[Any] = []
    twice = [step for _ in range(4) for step in (lambda: None, lambda: platform.advance(task_id))]
    on_poll(platform, *twice)
    await session.wait(task_id, polling=AT_ONCE, on_change=lambda task: seen.append(task.status))
    assert seen == STEPS


async def test_a_change_is_told_to_async_functions_too_and_not_if_it_is_known(
    platform: FakePlatform, session: TaskSession
) -> None:
    [task_id] = added(platform, 1)
    seen: list[Any] = []

    async def see(task: Task) -> None:
        await asyncio.sleep(0)
        seen.append(task.status)

    task = await session.task(task_id)
    on_poll(platform, lambda: None, lambda: platform.finish(task_id))
    await session.wait(task, polling=AT_ONCE, on_change=see)
    assert seen == ["ready"]


async def test_a_failed_task_is_an_error_that_carries_it(
    platform: FakePlatform, session: TaskSession
) -> None:
    [task_id] = added(platform, 1, "failed")
    with pytest.raises(TaskFailedError, match=task_id) as caught:
        await session.wait(task_id)
    assert caught.value.task.status is TaskStatus.FAILED
    task = await session.wait(task_id, raise_on_failure=False)
    assert task == caught.value.task


async def test_the_reason_of_a_failure_is_quoted_and_denied_only_if_none_was_given(
    platform: FakePlatform, session: TaskSession
) -> None:
    told = platform.add(status="failed", error_reason="the audio track cannot be decoded")
    with pytest.raises(TaskFailedError, match="has failed: the audio track cannot be decoded"):
        await session.wait(told["_id"])
    untold = platform.add(status="failed", error_reason=None)
    with pytest.raises(TaskFailedError, match="has failed, and no reason is given"):
        await session.wait(untold["_id"])


async def test_a_task_that_is_not_there_ends_the_wait(
    platform: FakePlatform, session: TaskSession
) -> None:
    [task_id] = added(platform, 1)
    on_poll(platform, lambda: None, lambda: platform.delete(task_id))
    with pytest.raises(NotFoundError) as caught:
        await session.wait(task_id, polling=AT_ONCE)
    assert caught.value.code == "resource_not_exists"
    assert caught.value.request_id


@pytest.mark.parametrize("failure", [{"status": 500}, {"status": 429}, {"disconnect": True}])
async def test_a_failure_that_passes_does_not_end_it(
    platform: FakePlatform, session: TaskSession, failure: dict[str, Any]
) -> None:
    [task_id] = added(platform, 1, "ready")
    platform.fail(**failure, times=12)
    task = await session.wait(task_id, polling=AT_ONCE)
    assert task.status == "ready"


@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (400, BadRequestError)])
async def test_a_failure_that_does_not_pass_ends_it(
    platform: FakePlatform, session: TaskSession, status: int, kind: type[Exception]
) -> None:
    [task_id] = added(platform, 1)
    platform.fail(status=status)
    with pytest.raises(kind):
        await session.wait(task_id, polling=AT_ONCE)
    platform.fail(status=status)
    with pytest.raises(kind):
        await anext(session.wait_all([task_id, "another"], polling=AT_ONCE))


@pytest.mark.parametrize("status", ["pending", "a status of the future", None])
async def test_it_ends_when_its_time_is_over_whatever_the_status(
    platform: FakePlatform, session: TaskSession, status: str | None
) -> None:
    [task_id] = added(platform, 1)
    platform.update(task_id, status=status)
    with pytest.raises(WaitTimeoutError, match=str(status)) as caught:
        await session.wait(task_id, timeout=1, polling=AT_ONCE)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.task_ids == (task_id,)


async def test_it_ends_in_time_between_polls_too(
    platform: FakePlatform, session: TaskSession
) -> None:
    [task_id] = added(platform, 1)
    with pytest.raises(WaitTimeoutError):
        await session.wait(task_id, timeout=1, polling=SELDOM)
    assert len(platform.requests) == 1


async def test_it_ends_in_time_during_a_request_too(
    platform: FakePlatform, session: TaskSession
) -> None:
    [task_id] = added(platform, 1)
    hold = platform.hold()
    with pytest.raises(WaitTimeoutError, match="not seen"):
        await session.wait(task_id, timeout=0.1)
    hold.release()


async def test_what_kept_it_from_looking_is_the_cause(
    platform: FakePlatform, session: TaskSession
) -> None:
    [task_id] = added(platform, 1)
    platform.fail(status=500, times=10_000)
    with pytest.raises(WaitTimeoutError) as caught:
        await session.wait(task_id, timeout=1, polling=AT_ONCE)
    cause = caught.value.__cause__
    assert isinstance(cause, TwelveTasksError)
    assert cause.status == 500


async def test_closing_the_session_ends_it_even_between_polls(
    platform: FakePlatform, session: TaskSession
) -> None:
    [task_id] = added(platform, 1)
    seen = asyncio.Event()
    waiting = asyncio.ensure_future(
        session.wait(task_id, polling=SELDOM, on_change=lambda _: seen.set())
    )
    await seen.wait()
    await session.aclose()
    with pytest.raises(SessionClosedError):
        await waiting


async def test_many_tasks_are_given_each_as_it_ends(
    platform: FakePlatform, session: TaskSession
) -> None:
    ids = added(platform, 5)
    on_poll(
        platform,
        lambda: platform.finish(ids[3]),
        lambda: None,
        lambda: platform.finish(ids[0], status="failed"),
        lambda: None,
        lambda: [platform.finish(ids[place]) for place in (4, 2, 1)],
    )
    waiting = session.wait_all(ids, polling=AT_ONCE)
    ended = [(task.id, task.status) async for task in waiting]
    assert ended == [
        (ids[3], "ready"),
        (ids[0], "failed"),
        (ids[1], "ready"),
        (ids[2], "ready"),
        (ids[4], "ready"),
    ]
    assert waiting.remaining == ()


async def test_one_request_a_poll_serves_as_many_tasks_as_a_page_holds(
    platform: FakePlatform, session: TaskSession
) -> None:
    for task in platform.tasks():
        platform.delete(task["_id"])
    ids = added(platform, 50)
    polls = 10
    on_poll(
        platform,
        *[lambda: None] * (polls - 1),
        lambda: [platform.finish(task_id) for task_id in ids],
    )
    ended = [task.id async for task in session.wait_all(ids, polling=AT_ONCE)]
    assert ended == ids
    listings = [request for request in platform.requests if request.page]
    assert len(listings) == polls
    assert len(platform.requests) == polls + len(ids)


async def test_a_poll_never_takes_more_requests_than_one_for_each_task_and_one(
    session: TaskSession, platform: FakePlatform
) -> None:
    for _ in range(300):
        platform.add(status="indexing")
    ids = [platform.tasks(status="indexing")[place]["_id"] for place in (0, 150, 299)]
    await look_once(session, ids)
    assert len(platform.requests) <= len(ids) + 1


async def test_many_tasks_that_have_ended_are_taken_from_pages(
    platform: FakePlatform, session: TaskSession
) -> None:
    ids = added(platform, 2990, "ready") + added(platform, 10, "failed")
    most = len(platform.tasks()) // 50 + 1
    ended = [task async for task in session.wait_all(ids)]
    assert sorted(task.id for task in ended) == sorted(ids)
    assert sum(task.status == "failed" for task in ended) == 10
    assert len(platform.requests) <= most + 1  # and one for the tasks under way


async def test_what_no_page_shows_of_many_tasks_is_retrieved(
    platform: FakePlatform, session: TaskSession
) -> None:
    ids = added(platform, 230, "ready")
    oldest_first = iter(ids)
    # Deletions while the pages are read move tasks to pages that were read before.
    on_poll(platform, *[lambda: platform.delete(next(oldest_first))] * 4)
    waiting = session.wait_all(ids, polling=AT_ONCE)
    ended = [(await anext(waiting)).id for _ in range(226)]
    with pytest.raises(NotFoundError, match="4 of the tasks do not exist"):
        await anext(waiting)
    assert sorted(ended) == sorted(ids[4:])


@pytest.mark.parametrize("many", [False, True])
async def test_a_task_just_created_may_be_unknown_for_some_seconds(
    platform: FakePlatform, session: TaskSession, many: bool
) -> None:
    task = await session.create(index_id="i", video_url="https://example.com/a.mp4")
    document = next(one for one in platform.tasks() if one["_id"] == task.id)
    platform.delete(task.id)
    on_poll(
        platform,
        *[lambda: None] * 4,
        lambda: platform.add(**{**document, "status": "ready"}),
    )
    if many:
        ended = [one async for one in session.wait_all([task], polling=AT_ONCE)]
    else:
        ended = [await session.wait(task, polling=AT_ONCE)]
    assert [one.id for one in ended] == [task.id]


async def test_a_task_created_and_unknown_for_long_does_not_exist(
    platform: FakePlatform, session: TaskSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twelvetasks.streams.requests.MAY_LAG", 0.05)
    task = await session.create(index_id="i", video_url="https://example.com/a.mp4")
    platform.delete(task.id)
    with pytest.raises(NotFoundError, match=task.id):
        await session.wait(task, polling=Polling(first=0.02, longest=0.02))


async def test_a_listing_of_many_pages_is_read_as_far_as_it_has_to_be(
    platform: FakePlatform, session: TaskSession
) -> None:
    ids = added(platform, 120)
    waiting = await look_once(session, ids)
    assert [request.page for request in platform.requests] == [1, 2, 3]
    assert set(waiting.remaining) == set(ids)


async def test_the_listing_is_that_of_one_index_where_it_is_named(
    platform: FakePlatform, session: TaskSession
) -> None:
    ids = [platform.add(status="pending", index_id="i")["_id"] for _ in range(3)]
    await look_once(session, ids, index_id="i")
    [request] = platform.requests
    assert request.query["index_id"] == "i"
    assert set(request.query.getall("status")) == {
        *("uploading", "validating", "pending", "queued", "indexing")
    }


@pytest.mark.parametrize("past_end", ["empty", "error"])
async def test_a_listing_that_shrinks_while_it_is_read_loses_nothing(
    platform: FakePlatform, session: TaskSession, past_end: Any
) -> None:
    platform.past_end = past_end
    ids = added(platform, 120)

    def most_end() -> None:
        for task_id in ids[:100]:
            platform.finish(task_id)

    on_poll(
        platform, lambda: None, most_end, *[lambda: None] * 101, *_finished(platform, ids[100:])
    )
    ended = [task.id async for task in session.wait_all(ids, polling=AT_ONCE)]
    assert sorted(ended) == sorted(ids)


def _finished(platform: FakePlatform, ids: list[str]) -> list[Callable[[], object]]:
    return [lambda: [platform.finish(task_id) for task_id in ids]]


async def test_tasks_that_are_gone_are_an_error_after_all_others_have_ended(
    platform: FakePlatform, session: TaskSession
) -> None:
    ids = added(platform, 4)
    platform.delete(ids[0])
    platform.delete(ids[2])
    on_poll(platform, *[lambda: None] * 5, *_finished(platform, [ids[1], ids[3]]))
    waiting = session.wait_all(ids, polling=AT_ONCE)
    assert [(await anext(waiting)).id, (await anext(waiting)).id] == [ids[1], ids[3]]
    for _ in range(2):
        with pytest.raises(NotFoundError, match=f"2 of the tasks do not exist: {ids[0]}, {ids[2]}"):
            await anext(waiting)


async def test_a_failure_that_passes_ends_no_wait_for_many(
    platform: FakePlatform, session: TaskSession
) -> None:
    ids = added(platform, 3)
    platform.fail(status=500, times=8)
    on_poll(platform, *[lambda: None] * 9, *_finished(platform, ids))
    ended = [task.id async for task in session.wait_all(ids, polling=AT_ONCE)]
    assert sorted(ended) == sorted(ids)


async def test_a_status_of_the_future_is_asked_for_until_the_time_is_over(
    platform: FakePlatform, session: TaskSession
) -> None:
    ids = added(platform, 3)
    platform.update(ids[1], status="archived")
    on_poll(platform, *[lambda: None] * 4, *_finished(platform, [ids[0], ids[2]]))
    waiting = session.wait_all(ids, timeout=2, polling=AT_ONCE)
    assert {(await anext(waiting)).id, (await anext(waiting)).id} == {ids[0], ids[2]}
    with pytest.raises(WaitTimeoutError, match="archived") as caught:
        await anext(waiting)
    assert caught.value.task_ids == (ids[1],)
    with pytest.raises(WaitTimeoutError):
        await anext(waiting)


async def test_an_error_is_raised_where_it_arises_and_the_wait_can_go_on(
    platform: FakePlatform, session: TaskSession
) -> None:
    ids = added(platform, 3, "ready")
    waiting = session.wait_all(ids, polling=AT_ONCE)
    platform.fail(status=401)
    with pytest.raises(AuthenticationError):
        await anext(waiting)
    on_poll(platform, lambda: None, lambda: platform.fail(status=401))
    ended = []
    with pytest.raises(AuthenticationError):
        ended += [(await anext(waiting)).id for _ in range(4)]
    ended += [task.id async for task in waiting]
    assert len(ended) <= 3
    assert waiting.remaining == ()


async def test_a_cancelled_anext_loses_nothing(
    platform: FakePlatform, session: TaskSession
) -> None:
    ids = added(platform, 20)
    waiting = session.wait_all(ids, polling=AT_ONCE)
    ended: list[str] = []
    platform.latency = 0.002
    for task_id in ids:
        platform.finish(task_id)
        for _ in range(3):
            if len(ended) < len(ids):
                with suppress(TimeoutError):
                    ended.append((await asyncio.wait_for(anext(waiting), 0.003)).id)
    ended += [task.id async for task in waiting]
    assert sorted(ended) == sorted(ids)


@pytest.mark.parametrize("scope", ["wait_for", "anyio"])
async def test_a_heartbeat_shorter_than_a_poll_does_not_restart_it(
    platform: FakePlatform, session: TaskSession, scope: str
) -> None:
    """Of one poll, the listing has pages, and the tasks it lacks are retrieved."""
    added(platform, 110)
    ids = [*added(platform, 60), *added(platform, 2, "ready")]
    platform.latency = 0.1
    ended: list[str] = []
    beats = 0
    async with session.wait_all(ids, polling=SELDOM) as waiting:
        while len(ended) < 2:
            if scope == "wait_for":
                with suppress(TimeoutError):
                    ended.append((await asyncio.wait_for(anext(waiting), 0.03)).id)
            else:
                with anyio.move_on_after(0.03):
                    ended.append((await anext(waiting)).id)
            beats += 1
    assert sorted(ended) == sorted(ids[-2:])
    assert beats > 5
    lists = [request for request in platform.requests if "page" in request.query]
    assert len(lists) == 2
    assert len(platform.requests) == 4


async def test_a_wait_that_is_collected_ends_its_requests(
    fake_platform: FakePlatform, session: TaskSession
) -> None:
    ids = added(fake_platform, 3)
    hold = fake_platform.hold()
    async with TaskSession(fake_platform.api_key, base_url=fake_platform.base_url) as own:
        before = asyncio.all_tasks()
        waiting = own.wait_all(ids)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(waiting), 0.1)
        await hold.until_arrived()
        assert asyncio.all_tasks() > before
        del waiting
        gc.collect()
        while asyncio.all_tasks() != before:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    hold.release()


async def test_a_break_leaves_nothing_running(fake_platform: FakePlatform) -> None:
    ids = [*added(fake_platform, 3), *added(fake_platform, 3, "ready")]
    before = asyncio.all_tasks()
    async with TaskSession(fake_platform.api_key, base_url=fake_platform.base_url) as session:
        async for task in session.wait_all(ids, polling=AT_ONCE):
            assert task.status == "ready"
            break
        assert fake_platform.in_flight == 0
        assert asyncio.all_tasks() == before


async def test_an_on_change_that_takes_longer_than_a_heartbeat_is_called_once_and_ends(
    platform: FakePlatform, session: TaskSession
) -> None:
    (task_id,) = added(platform, 1, status="ready")
    calls: list[str] = []
    go_on = asyncio.Event()

    async def on_change(task: Task) -> None:
        calls.append("begun")
        await go_on.wait()
        calls.append("ended")

    async with session.wait_all([task_id], polling=AT_ONCE, on_change=on_change) as waiting:
        while not calls:
            with suppress(TimeoutError):
                await asyncio.wait_for(anext(waiting), 0.01)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(waiting), 0.01)
        go_on.set()
        assert (await anext(waiting)).id == task_id
    assert calls == ["begun", "ended"]


async def test_closing_a_wait_ends_the_on_change_that_it_awaits(
    platform: FakePlatform, session: TaskSession
) -> None:
    (task_id,) = added(platform, 1, status="ready")
    cancelled = asyncio.Event()

    async def on_change(task: Task) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(session.wait(task_id, polling=AT_ONCE, on_change=on_change), 0.2)
    assert cancelled.is_set()


async def test_a_failing_on_change_is_raised_and_the_wait_can_go_on(
    platform: FakePlatform, session: TaskSession
) -> None:
    ids = added(platform, 3, "ready")

    def fail_once(task: Task) -> None:
        if task.id == ids[1]:
            raise ZeroDivisionError

    waiting = session.wait_all(ids, polling=AT_ONCE, on_change=fail_once)
    with pytest.raises(ZeroDivisionError):
        await anext(waiting)
    assert [task.id async for task in waiting] == ids


async def test_it_is_an_async_generator(platform: FakePlatform, session: TaskSession) -> None:
    ids = added(platform, 2, "ready")
    waiting = session.wait_all(ids)
    assert isinstance(waiting, AsyncGenerator)
    first, second = anext(waiting), anext(waiting)
    running = asyncio.ensure_future(first)
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="already running"):
        await second
    with pytest.raises(RuntimeError, match="already running"):
        await waiting.aclose()
    assert (await running).id == ids[0]
    with pytest.raises(ZeroDivisionError):
        await waiting.athrow(ZeroDivisionError)
    assert [task async for task in waiting] == []
    again = session.wait_all(ids)
    with pytest.raises(ZeroDivisionError, match="why"):
        await again.athrow(ZeroDivisionError, ZeroDivisionError("why"))
    async with session.wait_all(ids) as entered:
        assert (await anext(entered)).id == ids[0]
    assert [task async for task in entered] == []


async def test_an_id_given_twice_is_waited_for_once_and_none_at_all_is_no_wait(
    platform: FakePlatform, session: TaskSession
) -> None:
    [task_id] = added(platform, 1, "ready")
    task = await session.task(task_id)
    assert [task.id async for task in session.wait_all([task_id, task])] == [task_id]
    assert [task async for task in session.wait_all([])] == []
    assert len(platform.requests) == 2


@pytest.mark.parametrize("tasks", ["62a17bf847f5678267ec10cc", Task(id="t"), None, 7, ["a/b"], [7]])
async def test_what_is_no_collection_of_tasks_is_refused(
    platform: FakePlatform, session: TaskSession, tasks: Any
) -> None:
    with pytest.raises(InvalidArgumentError, match=r"tasks=|task_id="):
        session.wait_all(tasks)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": None}, "timeout=None"),
        ({"timeout": float("inf")}, "timeout=inf"),
        ({"timeout": True}, "timeout=True"),
        ({"on_change": 7}, "on_change=7"),
        ({"polling": 5.0}, "polling=5.0"),
    ],
)
async def test_an_argument_that_cannot_be_right_is_refused_before_a_request(
    platform: FakePlatform, session: TaskSession, options: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=named):
        await session.wait("t", **options)
    with pytest.raises(InvalidArgumentError, match=named):
        session.wait_all(["t"], **options)
    assert platform.requests == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"first": 0},
        {"first": "soon"},
        {"longest": float("nan")},
        {"growth": 0.5},
        {"growth": 11},
        {"jitter": 1.5},
        {"jitter": True},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match=f"{next(iter(wrong))}="):
        Polling(**wrong)


def test_pauses_grow_up_to_the_longest() -> None:
    polling = Polling(first=2, growth=2, longest=10, jitter=0)
    assert [polling.pause(polls, 0.5) for polls in range(1, 6)] == [2, 4, 8, 10, 10]


@given(
    st.floats(0.001, 1e6),
    st.floats(1, 10),
    st.floats(0.001, 1e6),
    st.floats(0, 1),
    st.integers(0, 10**9),
    st.floats(0, 1),
)
def test_any_pause_is_near_what_the_policy_says(
    first: float, growth: float, longest: float, jitter: float, polls: int, chance: float
) -> None:
    polling = Polling(first=first, growth=growth, longest=longest, jitter=jitter)
    pause = polling.pause(polls, chance)
    middle = polling.pause(polls, 0.5)
    assert middle <= longest
    assert pause == pytest.approx(middle, rel=jitter + 1e-9)
    assert polling.pause(polls + 1, 0.5) >= middle


def test_a_schedule_knows_when_the_next_poll_is_due_and_when_it_is_too_late() -> None:
    now = 100.0
    polling = Polling(first=2, growth=2, longest=10, jitter=0.5)
    schedule = Schedule(polling, timeout=9, clock=lambda: now, chance=lambda: 1.0)
    assert (schedule.pause, schedule.left) == (0, 9)
    now = 101.0
    schedule.polled()
    assert (schedule.pause, schedule.left) == (3, 8)
    now = 104.5
    assert (schedule.pause, schedule.left) == (0, 4.5)
    schedule.polled()
    assert (schedule.pause, schedule.left) == (4.5, 4.5)
    now = 200.0
    assert (schedule.pause, schedule.left) == (0, 0)


async def test_a_malformed_answer_ends_it(platform: FakePlatform, session: TaskSession) -> None:
    [task_id] = added(platform, 1)
    platform.respond(lambda _: web.Response(body=b"<html>"))
    with pytest.raises(TwelveTasksError, match="not JSON"):
        await session.wait(task_id)


async def test_it_polls_at_least_once_however_short_its_time(
    platform: FakePlatform, session: TaskSession
) -> None:
    ids = added(platform, 3, "ready")
    platform.latency = 0.2
    task = await session.wait(ids[0], timeout=0.001)
    assert task.status == "ready"
    ended = [task.id async for task in session.wait_all(ids, timeout=0.001)]
    assert sorted(ended) == sorted(ids)


async def test_it_polls_once_even_if_a_rate_limit_pauses_the_session(
    platform: FakePlatform, session: TaskSession
) -> None:
    [task_id] = added(platform, 1, "ready")
    platform.fail(status=429, headers={"Retry-After": "1"})
    task = await session.wait(task_id, timeout=0.01)
    assert task.status == "ready"


async def test_its_error_says_what_it_saw(platform: FakePlatform, session: TaskSession) -> None:
    [task_id] = added(platform, 1, "indexing")
    with pytest.raises(WaitTimeoutError, match=r"\(indexing\), after 1 poll\."):
        await session.wait(task_id, timeout=0.5, polling=SELDOM)
    quick = session.with_options(retry=RetryPolicy(attempts=1))
    platform.fail(status=503, times=1)
    with pytest.raises(WaitTimeoutError, match=r"\(not seen\), after 1 poll; .*failed: 503"):
        await quick.wait(task_id, timeout=0.5, polling=SELDOM)
    hold = platform.hold()
    with pytest.raises(WaitTimeoutError, match=r"\(not seen\), after 0 polls and one without"):
        await session.wait(task_id, timeout=0.1)
    hold.release()
