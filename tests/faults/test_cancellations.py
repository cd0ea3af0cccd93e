"""Whatever is cancelled, anywhere and in any way: nothing is lost, left running or logged.

Every history makes one use of a session, and cancels it time and again after a random number of
turns of the event loop. The platform runs in the same loop, over real sockets. `--cancellations`
says how many have to hit something that has not ended; a failure names the history that shows it.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import attrs
import pytest
from aiohttp import web

from tests.conftest import until_no_connection
from tests.faults.interruptions import WAYS, InterruptedCallError
from tests.loops import LOOPS
from tests.webhooks.servers import PATH
from tests.webhooks.signing import SECRET, body_of, signed
from twelvetasks import (
    Polling,
    RetryPolicy,
    SessionClosedError,
    Task,
    TaskSession,
    TwelveTasksError,
    WebhookError,
)
from twelvetasks.testing import FakePlatform
from twelvetasks.webhooks import Event, Receiver, Refusal, aiohttp_handler

T = TypeVar("T")

TASKS = 40

AT_ONCE = Polling(first=0.001, longest=0.002)

HISTORIES_A_SESSION = 20


@attrs.define
class World:
    """One session, its platform, and the random numbers of the history that is played."""

    platform: FakePlatform
    session: TaskSession
    receiver: Receiver
    webhooks_url: str
    video: Path
    chance: random.Random = attrs.field(factory=random.Random)
    points: int = 0
    """How many cancellations have hit something that had not ended."""
    handed_over: list[str] = attrs.field(factory=list)
    """The ids of the webhooks' events, each as often as its handler has run to its end."""
    number: int = 0

    def unique(self) -> str:
        self.number += 1
        return f"{self.number:08}"

    async def call(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Call it, and cancel that at some point, which raises InterruptedCallError."""
        if self.chance.random() < 0.15:
            return await make()
        turns = self.chance.randrange(self.chance.choice((3, 12, 40)))
        try:
            result: T = await self.chance.choice(WAYS)(make, turns)
        except InterruptedCallError:
            self.points += 1
            raise
        return result

    async def insist(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Call it until it has not been cancelled."""
        while True:
            try:
                return await self.call(make)
            except InterruptedCallError:
                continue

    async def maybe(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        """Call it once; None if it was cancelled."""
        try:
            return await self.call(make)
        except InterruptedCallError:
            return None

    def later(self, *actions: Callable[[], object]) -> None:
        """Do this one after the other, at some times from now on."""
        # One timer at a time: uvloop rounds times to milliseconds, and so may change their order.
        if actions:
            pause = self.chance.choice((0.0001, 0.001, 0.003))
            asyncio.get_running_loop().call_later(pause, self._act, actions)

    def _act(self, actions: tuple[Callable[[], object], ...]) -> None:
        actions[0]()
        self.later(*actions[1:])


async def a_listing(world: World) -> None:
    listing = world.session.tasks(
        page_limit=world.chance.choice((2, 5, 10)), exact=world.chance.random() < 0.3
    )
    expected = [task["_id"] for task in world.platform.tasks()]
    stream = aiter(listing)
    stop_after = world.chance.choice((0, 7, TASKS, TASKS + 100, TASKS + 100))
    seen: list[str] = []
    while len(seen) < stop_after and (task := await world.insist(lambda: ask(stream))) is not None:
        seen.append(task.id)
    await world.insist(stream.aclose)
    assert seen == expected[: len(seen)]
    assert len(seen) == min(stop_after, len(expected))


async def ask(generator: Any) -> Any:
    return await anext(generator, None)


async def pages(world: World) -> None:
    expected = [task["_id"] for task in world.platform.tasks()]
    stream = world.session.tasks(page_limit=world.chance.choice((5, 10, 20))).pages()
    seen: list[str] = []
    while (page := await world.insist(lambda: ask(stream))) is not None:
        seen += [task.id for task in page.tasks]
    assert seen == expected


async def batches(world: World) -> None:
    expected = [task["_id"] for task in world.platform.tasks()]
    stream = world.session.tasks(page_limit=10).arrow_batches(size=world.chance.choice((7, 100)))
    seen: list[str] = []
    while (batch := await world.insist(lambda: ask(stream))) is not None:
        seen += batch.column("id").to_pylist()
    assert seen == expected


async def a_whole_listing(world: World) -> None:
    expected = [task["_id"] for task in world.platform.tasks()]

    async def everything() -> list[Task]:
        return await world.session.tasks(page_limit=10)

    assert [task.id for task in await world.insist(everything)] == expected


async def a_dropped_listing(world: World) -> None:
    stream = aiter(world.session.tasks(page_limit=5))
    for _ in range(world.chance.randrange(8)):
        await world.maybe(lambda: ask(stream))


async def a_watch(world: World) -> None:
    ids = [world.platform.add(status="indexing")["_id"] for _ in range(3)]
    webhooks = world.receiver if world.chance.random() < 0.5 else None
    watch = world.session.watch(min_interval=0.001, max_interval=0.004, webhooks=webhooks)
    while not watch.polls:
        with suppress(TimeoutError):
            await world.maybe(lambda: asyncio.wait_for(anext(watch), 0.005))
    changes = [(world.chance.choice(ids), status) for status in ("queued", "failed", "ready")]
    changes += [(one, "validating") for one in ids]

    world.later(*(partial(world.platform.update, one, status=status) for one, status in changes))
    left, seen = set(ids), []
    while left:
        change = await world.insist(lambda: anext(watch))
        seen.append(change.task)
        if change.task.status == "validating":
            left.remove(change.task.id)
    moments = [task.updated_at for task in seen if task.updated_at is not None]
    assert len(moments) == len(seen)
    assert moments == sorted(set(moments))
    await world.insist(watch.aclose)
    for one in ids:
        world.platform.delete(one)


async def a_wait(world: World) -> None:
    task_id = world.platform.add(status="indexing")["_id"]
    world.later(
        partial(world.platform.update, task_id, status="queued"),
        partial(world.platform.finish, task_id),
    )
    ended = await world.insist(lambda: world.session.wait(task_id, timeout=60, polling=AT_ONCE))
    assert (ended.id, ended.status) == (task_id, "ready")
    world.platform.delete(task_id)


async def several_waits(world: World) -> None:
    ids = [world.platform.add(status="indexing")["_id"] for _ in range(4)]
    world.later(*(partial(world.platform.finish, one) for one in ids))
    told: list[str] = []

    async def on_change(task: Task) -> None:
        for _ in range(world.chance.randrange(4)):
            await asyncio.sleep(0)
        if task.status == "ready":
            told.append(task.id)

    waiting = world.session.wait_all(ids, timeout=60, polling=AT_ONCE, on_change=on_change)
    seen = []
    while (task := await world.insist(lambda: ask(waiting))) is not None:
        seen.append(task.id)
    assert sorted(seen) == sorted(ids)
    assert told == seen
    for one in ids:
        world.platform.delete(one)


async def a_creation(world: World) -> None:
    name = world.unique()
    calls = 0
    video: dict[str, Any] = world.chance.choice(
        ({"video_file": world.video}, {"video_url": f"https://example.com/{name}.mp4"})
    )

    async def create() -> Task:
        nonlocal calls
        calls += 1
        return await world.session.create(index_id=f"index{name}", **video)

    created = await world.insist(create)
    made = [task["_id"] for task in world.platform.tasks(index_id=f"index{name}")]
    assert created.id in made
    assert len(made) <= calls
    for one in made:
        world.platform.delete(one)


async def single_requests(world: World) -> None:
    task_id = world.platform.add(status="ready")["_id"]
    assert (await world.insist(lambda: world.session.task(task_id))).id == task_id
    assert await world.insist(world.session.tasks().count) == TASKS + 1
    newest = await world.insist(world.session.tasks().first)
    assert newest is not None
    assert newest.id == task_id
    world.platform.delete(task_id)


async def a_webhook(world: World) -> None:
    """The platform sends it again, signed later, until it has been taken."""
    event_id = world.unique()
    body = body_of(event_id)
    at = [0]

    async def receive() -> None:
        await world.receiver.receive(body, signed(body, SECRET, at[0]))

    while True:
        at[0] += 1
        if await world.maybe(lambda: answered(receive())):
            break
    assert world.handed_over.count(event_id) == 1


async def a_webhook_over_http(world: World) -> None:
    event_id = world.unique()
    body = body_of(event_id)
    at = 0

    async def post() -> bool:
        headers = {"TL-Signature": signed(body, SECRET, at)}
        async with (
            aiohttp.ClientSession() as client,
            client.post(world.webhooks_url, data=body, headers=headers) as answer,
        ):
            return answer.status == 200

    while True:
        at += 1
        if await world.maybe(post):
            break
    assert world.handed_over.count(event_id) == 1


async def answered(receiving: Awaitable[object]) -> bool:
    try:
        await receiving
    except WebhookError as error:
        if error.refusal is not Refusal.BUSY:
            raise
        return False  # another request is handing it over
    return True


async def a_closed_session(world: World) -> None:
    session = TaskSession(world.platform.api_key, base_url=world.platform.base_url)

    async def read() -> object:
        try:
            return [task async for task in session.tasks(page_limit=5)]
        except SessionClosedError as error:
            return error

    async def wait() -> object:
        try:
            return await session.wait("none", polling=AT_ONCE)
        except TwelveTasksError as error:
            return error

    using = [asyncio.ensure_future(each()) for each in (read, wait)]
    for _ in range(world.chance.randrange(40)):
        await asyncio.sleep(0)
    await world.insist(session.aclose)
    await asyncio.wait(using)


USES: list[Callable[[World], Awaitable[None]]] = [
    a_listing,
    a_listing,
    pages,
    batches,
    a_whole_listing,
    a_dropped_listing,
    a_watch,
    a_wait,
    several_waits,
    a_creation,
    single_requests,
    a_webhook,
    a_webhook_over_http,
    a_closed_session,
]


@asynccontextmanager
async def a_world(video: Path) -> AsyncIterator[World]:
    async def on_event(event: Event) -> None:
        for _ in range(world.chance.randrange(5)):
            await asyncio.sleep(0)
        world.handed_over.append(event.id)

    receiver = Receiver(SECRET, on_event, clock=lambda: 0.0)
    app = web.Application()
    app.router.add_post(PATH, aiohttp_handler(receiver))
    # A client that leaves cancels the handler of its request.
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with FakePlatform.demo(TASKS) as platform:
            async with TaskSession(
                platform.api_key,
                base_url=platform.base_url,
                retry=RetryPolicy(attempts=1),
                concurrency=3,
            ) as session:
                url = f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
                world = World(platform, session, receiver, url, video)
                yield world
            await until_no_connection(platform)
    finally:
        await runner.cleanup()


def of_the_client() -> set[asyncio.Task[Any]]:
    """Every other task but those of the servers that run in the same loop."""
    return {
        task
        for task in asyncio.all_tasks() - {asyncio.current_task()}
        if not getattr(task.get_coro(), "__qualname__", "").startswith("RequestHandler.")
    }


async def until_nothing_runs() -> None:
    for turn in range(500):
        if not of_the_client():
            return
        await asyncio.sleep(0 if turn < 50 else 0.002)
    assert not of_the_client()


async def play(loop: str, points: int, video: Path) -> None:
    reached = number = 0
    while reached < points:
        async with a_world(video) as world:
            await until_nothing_runs()
            for _ in range(HISTORIES_A_SESSION):
                number += 1
                use = USES[number % len(USES)]
                world.chance.seed(f"{loop} {number}")
                try:
                    async with asyncio.timeout(60):
                        await use(world)
                        await until_nothing_runs()
                except BaseException as error:
                    error.add_note(f"history {number} of the loop {loop!r}: {use.__name__}")
                    raise
            reached += world.points
        await until_nothing_runs()
        gc.collect()


@pytest.mark.parametrize("loop", LOOPS)
def test_cancelled_at_any_point_nothing_is_lost_left_running_or_logged(
    loop: str,
    cancellations: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    video = tmp_path / "video.mp4"
    video.write_bytes(bytes(300_000))
    caplog.set_level(logging.WARNING)
    gc.freeze()  # else each collection looks at all that the other tests have imported
    try:
        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(play(loop, cancellations // len(LOOPS), video))
    finally:
        gc.unfreeze()
    assert caplog.record_tuples == []
