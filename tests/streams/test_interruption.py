"""A listing that is interrupted, anywhere and in any way, leaves nothing running."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.conftest import until_no_connection
from twelvetasks import SessionClosedError, Task, TaskSession, TaskStream
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory

INTERRUPTIONS = 200


class ReaderError(Exception):
    """An error of the reader's own."""


async def reader_breaks(stream: TaskStream, after: int, _: TaskSession) -> None:
    seen = 0
    async for _task in stream:
        seen += 1
        if seen > after:
            break


async def reader_closes(stream: TaskStream, after: int, _: TaskSession) -> None:
    await reader_breaks(stream, after, _)
    await stream.aclose()


async def reader_raises(stream: TaskStream, after: int, _: TaskSession) -> None:
    async def read() -> None:
        await reader_breaks(stream, after, _)
        raise ReaderError

    with pytest.raises(ReaderError):
        await read()


async def reader_is_cancelled(stream: TaskStream, after: int, _: TaskSession) -> None:
    async def read() -> None:
        async for _task in stream:
            await asyncio.sleep(0)

    reading = asyncio.ensure_future(read())
    await asyncio.sleep(after / 50_000)
    reading.cancel()
    await asyncio.wait([reading])


async def reader_times_out(stream: TaskStream, after: int, _: TaskSession) -> None:
    async def read() -> None:
        async for _task in stream:
            await asyncio.sleep(0)

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(read(), after / 50_000)


async def session_is_closed(stream: TaskStream, after: int, session: TaskSession) -> None:
    reading = asyncio.ensure_future(reader_breaks(stream, 10_000, session))
    await asyncio.sleep(after / 50_000)
    await session.aclose()
    (outcome,) = await asyncio.gather(reading, return_exceptions=True)
    assert outcome is None or isinstance(outcome, SessionClosedError)


WAYS: list[Callable[[TaskStream, int, TaskSession], Awaitable[None]]] = [
    reader_breaks,
    reader_closes,
    reader_raises,
    reader_is_cancelled,
    reader_times_out,
    session_is_closed,
]


async def until_only(before: set[asyncio.Task[object]]) -> None:
    """Give cancelled tasks the turns of the loop they need to end, then insist that they did."""
    for _ in range(200):
        if asyncio.all_tasks() <= before:
            break
        await asyncio.sleep(0.001)
    assert asyncio.all_tasks() <= before


async def test_two_hundred_interruptions_leave_no_task_and_no_connection() -> None:
    chance = random.Random(12)
    platform = FakePlatform.demo(1500)
    with platform.run_in_thread():
        platform.latency = lambda request: chance.choice((0.0, 0.0, 0.001, 0.003))
        before = asyncio.all_tasks()
        for number in range(INTERRUPTIONS):
            session = TaskSession(
                platform.api_key,
                base_url=platform.base_url,
                concurrency=chance.randint(1, 8),
                timeout=5,
            )
            async with session:
                stream = aiter(session.tasks(page_limit=chance.choice((5, 20, 50))))
                await WAYS[number % len(WAYS)](stream, chance.randrange(600), session)
                del stream
                await until_only(before)
            await until_no_connection(platform)
        assert len(platform.requests) > INTERRUPTIONS


async def test_a_stream_that_is_dropped_stops_fetching(
    fake_platform_factory: FakePlatformFactory,
) -> None:
    platform = fake_platform_factory(500)
    async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
        before = asyncio.all_tasks()
        hold = platform.hold(page=3)
        stream = aiter(session.tasks())
        for _ in range(51):
            await anext(stream)
        await hold.until_arrived()
        assert asyncio.all_tasks() > before
        del stream
        gc.collect()
        await until_only(before)


class AsyncStore:
    """A store of checkpoints that takes a turn of the loop for each."""

    async def load(self) -> None:
        await asyncio.sleep(0)

    async def save(self, _: str) -> None:
        await asyncio.sleep(0)


@pytest.mark.parametrize("kind", ["listing", "wait", "watch"])
async def test_a_caller_who_gives_up_after_each_turn_of_the_loop_gets_on(
    platform: FakePlatform, session: TaskSession, kind: str
) -> None:
    async def on_change(_: Task) -> None:
        await asyncio.sleep(0)

    since = datetime(2000, 1, 1, tzinfo=UTC)
    streams: dict[str, Callable[[], AsyncGenerator[Any, None]]] = {
        "listing": lambda: aiter(session.tasks(page_limit=1)),
        "wait": lambda: session.wait_all(
            [task["_id"] for task in platform.tasks(status="ready")[:5]], on_change=on_change
        ),
        "watch": lambda: session.watch(since=since, checkpoint_file=AsyncStore()),
    }
    stream, given = streams[kind](), 0
    for _ in range(20_000):
        asking = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
            given += 1
        if given == 5:
            break
    await stream.aclose()
    assert given == 5


def test_a_stream_may_outlive_its_loop(fake_platform: FakePlatform) -> None:
    """What `asyncio.run` leaves behind must not raise when it is collected later."""

    async def begin() -> TaskStream:
        session = TaskSession(fake_platform.api_key, base_url=fake_platform.base_url)
        async with session:
            stream = aiter(session.tasks(page_limit=5))
            for _ in range(7):
                await anext(stream)
            return stream

    stream = asyncio.run(begin())
    del stream
    gc.collect()
