"""Streams, watches and waits in event loops, threads and task factories of every kind."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import pytest
import trio

from tests.streams.test_interruption import until_only
from twelvetasks import ApiError, Polling, RetryPolicy, SessionClosedError, Task, TaskSession
from twelvetasks.fleet import RedisGate
from twelvetasks.streams.requests import Requests
from twelvetasks.streams.window import PAGES_A_TURN
from twelvetasks.testing import FakePlatform

Generator = AsyncGenerator[Any, None]

KINDS: dict[str, Callable[[TaskSession], Generator]] = {
    "listing": lambda session: aiter(session.tasks(page_limit=10)),
    "watch": lambda session: session.watch(min_interval=0.01),
    "wait_all": lambda session: session.wait_all(["a"], polling=Polling(first=0.01)),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


class Cycle:
    """What only the garbage collector frees."""

    def __init__(self, held: object) -> None:
        self.held = held
        self.itself = self


@contextmanager
def served(tasks: int = 200) -> Iterator[FakePlatform]:
    with FakePlatform.demo(tasks).run_in_thread() as platform:
        yield platform


def session_of(platform: FakePlatform, **options: Any) -> TaskSession:
    return TaskSession(platform.api_key, base_url=platform.base_url, **options)


async def begin(generator: Generator, platform: FakePlatform) -> Any:
    """Ask for an item, and stop asking once the platform holds a request of it."""
    hold = platform.hold()
    asking = asyncio.ensure_future(generator.__anext__())
    await hold.until_arrived()
    asking.cancel()
    await asyncio.wait([asking])
    return hold


def is_idle(platform: FakePlatform) -> bool:
    give_up = time.monotonic() + 5
    while platform.in_flight and time.monotonic() < give_up:
        time.sleep(0.005)
    return platform.in_flight == 0


@contextmanager
def another_loop() -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Run an event loop in a thread, and give a function that runs coroutines in it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


# Threads


@every_kind
@pytest.mark.parametrize("debug", [False, True])
def test_what_another_thread_collects_ends_its_requests_at_once(kind: str, debug: bool) -> None:
    async def collected_elsewhere() -> None:
        with served() as platform:
            session = session_of(platform)
            before = asyncio.all_tasks()
            generator = KINDS[kind](session)
            hold = await begin(generator, platform)
            box = Cycle(generator)
            del generator, box
            assert await asyncio.to_thread(gc.collect)
            assert await asyncio.to_thread(is_idle, platform)
            await until_only(before)
            hold.release()
            await asyncio.wait_for(session.aclose(), 5)

    gc.disable()
    try:
        asyncio.run(collected_elsewhere(), debug=debug)
    finally:
        gc.enable()


@every_kind
def test_a_synchronous_facade_that_drops_it_ends_its_requests_at_once(kind: str) -> None:
    async def make() -> tuple[TaskSession, Generator]:
        session = session_of(platform)
        return session, KINDS[kind](session)

    with served() as platform, another_loop() as run:
        session, generator = run(make())
        hold = run(begin(generator, platform))
        del generator
        assert is_idle(platform)
        hold.release()
        run(session.aclose())


# Other loops


@every_kind
async def test_asked_or_closed_in_another_loop_it_raises_and_goes_on_in_its_own(kind: str) -> None:
    with served() as platform, another_loop() as run:
        platform.add(_id="a", status="ready")
        async with session_of(platform) as session:
            generator = KINDS[kind](session)
            if kind == "watch":
                hold = await begin(generator, platform)
                hold.release()
            else:
                await anext(generator)
            others = (generator.__anext__(), generator.asend(None), generator.aclose())
            for use in (*others, session.aclose()):
                with pytest.raises(SessionClosedError, match="in another event loop"):
                    await asyncio.to_thread(run, use)
            assert await session.tasks().count() == 201
            await generator.aclose()


def test_a_session_whose_loop_is_closed_says_so_and_can_be_closed() -> None:
    with served() as platform:
        session = session_of(platform)
        stream = aiter(session.tasks(page_limit=10))

        async def use() -> None:
            await begin(stream, platform)
            # As asyncio.run does at its end. Then no connection is left open in a closed loop.
            fetches = asyncio.all_tasks() - {asyncio.current_task()}
            for fetch in fetches:
                fetch.cancel()
            await asyncio.wait(fetches)
            await session._requests.transport.client.connections.close()

        asyncio.run(use())
        with pytest.raises(SessionClosedError, match="in each event loop"):
            asyncio.run(session.tasks().count())
        asyncio.run(stream.aclose())
        asyncio.run(session.aclose())
        assert session.closed


async def test_a_client_session_of_another_loop_is_refused_at_the_first_request() -> None:
    async def open_session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    with served() as platform, another_loop() as run:
        foreign = run(open_session())
        async with session_of(platform, client_session=foreign) as session:
            with pytest.raises(SessionClosedError, match="`client_session` was opened in another"):
                await session.tasks().count()
        run(foreign.close())
        assert not platform.requests


@pytest.mark.parametrize(
    "use",
    [
        lambda session: session.tasks().count(),
        lambda session: session.tasks(),
        lambda session: session.task("a"),
        lambda session: session.wait("a"),
        lambda session: session.create(index_id="i", video_url="https://example.com/v.mp4"),
        lambda session: session.create(index_id="i", video_file=__file__),
        lambda session: session.gate.passage().__aenter__(),
        lambda _: RedisGate("redis://127.0.0.1:1", "a", requests=5).passage().__aenter__(),
        lambda session: anext(session.watch()),
        lambda session: session.__aenter__(),
    ],
)
def test_under_trio_it_says_that_it_needs_asyncio(use: Callable[[TaskSession], Any]) -> None:
    async def run() -> None:
        with pytest.raises(SessionClosedError, match="needs asyncio"):
            await use(TaskSession("key"))

    trio.run(run)


# Closing and failing


@every_kind
async def test_closing_twice_at_once_joins(kind: str) -> None:
    with served() as platform:
        async with session_of(platform) as session:
            generator = KINDS[kind](session)
            hold = await begin(generator, platform)
            await asyncio.gather(generator.aclose(), generator.aclose(), generator.aclose())
            assert await asyncio.to_thread(is_idle, platform)
            hold.release()
            await asyncio.gather(session.aclose(), session.aclose())


async def test_an_anext_that_is_in_flight_refuses_to_be_closed_beside_it() -> None:
    with served() as platform:
        async with session_of(platform) as session:
            stream = aiter(session.tasks())
            hold = platform.hold()
            asking = asyncio.ensure_future(anext(stream))
            await hold.until_arrived()
            with pytest.raises(RuntimeError, match="already running"):
                await stream.aclose()
            hold.release()
            assert isinstance(await asking, Task)


def depth(error: BaseException) -> int:
    at, found = error.__traceback__, 0
    while at is not None:
        at, found = at.tb_next, found + 1
    return found


@every_kind
async def test_asked_again_after_a_failure_its_traceback_stays_as_long(kind: str) -> None:
    with served() as platform:
        platform.fail(status=403, times=1000)
        async with session_of(platform, retry=RetryPolicy(attempts=1)) as session:
            generator = KINDS[kind](session)
            depths = []
            for _ in range(20):
                with pytest.raises(ApiError, match="403") as caught:
                    await anext(generator)
                depths.append(depth(caught.value))
            assert len(set(depths[1:])) == 1


# Task factories and interruptions


def two_arguments(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any]
) -> asyncio.Task[Any]:
    return asyncio.Task(coro, loop=loop)


FACTORIES: dict[str, Any] = {"two arguments": two_arguments}
if eager := getattr(asyncio, "eager_task_factory", None):
    FACTORIES["eager"] = eager


@pytest.mark.parametrize("factory", FACTORIES)
def test_any_task_factory_runs_a_listing(factory: str) -> None:
    """In asyncio's own loop: uvloop itself calls a factory with three arguments."""
    from twelvetasks.otel import Telemetry

    async def listed() -> int:
        asyncio.get_running_loop().set_task_factory(FACTORIES[factory])
        async with session_of(platform, telemetry=Telemetry()) as session:
            return len(await session.tasks(page_limit=10))

    with served() as platform:
        assert asyncio.run(listed()) == 200


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_leaves_a_checkpoint(
    monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException]
) -> None:
    """It leaves the loop at once, as from any task; the stream then ends with an error of ours."""
    fetch_page = Requests.fetch_page
    seen: list[Task] = []
    ended: list[SessionClosedError] = []

    async def interrupted(self: Any, query: Any, read: Any, budget: Any = None) -> Any:
        if read.page == 4:
            raise interruption
        return await fetch_page(self, query, read, budget)

    async def read() -> None:
        async with session_of(platform, concurrency=1) as session:
            stream = aiter(session.tasks(page_limit=10))
            while not ended:
                try:
                    seen.append(await anext(stream))
                except (interruption, asyncio.CancelledError):
                    pass  # asyncio.run raises it, once this has ended
                except SessionClosedError as error:
                    ended.append(error)

    with served() as platform:
        monkeypatch.setattr(Requests, "fetch_page", interrupted)
        with pytest.raises(interruption):
            asyncio.run(read())
        monkeypatch.undo()
        (error,) = ended
        assert interruption.__name__ in str(error)
        checkpoint = error.checkpoint

        async def everything() -> list[Task]:
            async with session_of(platform) as session:
                return await session.tasks()

        async def resume() -> list[Task]:
            async with session_of(platform) as session:
                return await session.tasks(page_limit=10, resume=checkpoint)

        assert seen + asyncio.run(resume()) == asyncio.run(everything())


async def test_a_loop_over_pages_that_are_at_hand_lets_other_tasks_run() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    with FakePlatform.demo(5000).run_in_thread() as platform:
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            counting = asyncio.create_task(count())
            pages = most = 0
            seen = [0]
            async for _ in session.tasks(page_limit=50).pages():
                pages = pages + 1 if turns == seen[-1] else 1
                seen.append(turns)
                most = max(most, pages)
            counting.cancel()
    assert len(seen) == 101
    assert most <= PAGES_A_TURN
