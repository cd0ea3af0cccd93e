"""The stream that joins webhooks and a watch, over real sockets from end to end.

Its watch would look once an hour: whatever comes before a test's patience is at its end has come
because a webhook has told of it.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest

from tests.watching.opening import LONG, Opened, begun, opened, take
from tests.webhooks.servers import Serve, by_aiohttp, by_fastapi_route
from tests.webhooks.signing import SECRET, body_of
from twelvetasks import AuthenticationError, InvalidArgumentError, SessionClosedError, TaskWatch
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.webhooks import FakeWebhook
from twelvetasks.watching import announcements as announced
from twelvetasks.webhooks import Receiver, read_event

HOUR = 3600.0


@pytest.fixture(autouse=True)
def looks_are_close_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let webhooks ask for a poll every 20 ms instead of every second."""
    monkeypatch.setattr(announced, "APART", 0.02)


@attrs.frozen
class Joined:
    platform: FakePlatform
    account: Opened
    receiver: Receiver
    webhook: FakeWebhook

    async def watch(self, **options: Any) -> TaskWatch:
        """Give a watch that has found its beginning, and would rest for an hour now."""
        watch = self.account.watch(interval=HOUR, webhooks=self.receiver, **options)
        waiting = asyncio.ensure_future(anext(watch))
        async with asyncio.timeout(LONG):
            while watch.polls < 1:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        waiting.cancel()
        await asyncio.wait([waiting])
        return watch


@pytest.fixture(params=[by_aiohttp, by_fastapi_route], ids=lambda way: way.__name__)
async def joined(request: pytest.FixtureRequest, platform: FakePlatform) -> AsyncIterator[Joined]:
    async for joined in join(request.param, platform):
        yield joined


async def join(way: Serve, platform: FakePlatform) -> AsyncIterator[Joined]:
    receiver = Receiver(SECRET)
    async with way(receiver) as url, opened(platform) as account:
        webhook = platform.add_webhook(url, SECRET, retries=[0.01] * 200)
        yield Joined(platform, account, receiver, webhook)


@pytest.fixture
async def simple(platform: FakePlatform) -> AsyncIterator[Joined]:
    async for joined in join(by_aiohttp, platform):
        yield joined


async def test_a_change_is_delivered_when_its_webhook_comes(joined: Joined) -> None:
    task = joined.platform.add(status="indexing")["_id"]
    watch = await joined.watch()
    joined.platform.finish(task)
    (change,) = await take(watch, 1)
    assert (change.task.id, change.task.status) == (task, "ready")
    await watch.aclose()


async def test_lost_and_doubled_webhooks_make_no_difference_to_what_comes(joined: Joined) -> None:
    tasks = [joined.platform.add(status="indexing")["_id"] for _ in range(5)]
    watch = await joined.watch()
    joined.webhook.disturb(copies=0, times=3)
    joined.webhook.disturb(copies=2, delay=0.05)
    for task in tasks:
        joined.platform.finish(task, status="failed")
    assert [change.task.id for change in await take(watch, 5)] == tasks
    async with asyncio.timeout(LONG):
        while len(joined.platform.deliveries) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(watch), 0.2)
    await watch.aclose()


async def test_a_webhook_before_the_listing_shows_the_change(simple: Joined) -> None:
    """It is told of by hand: this platform's listing does not lag."""
    task = simple.platform.add(status="indexing")["_id"]
    watch = await simple.watch()
    waiting = asyncio.ensure_future(anext(watch))
    polls = watch.polls
    watch.announce(read_event(body_of(task=task)))
    async with asyncio.timeout(LONG):
        while watch.polls == polls:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    simple.webhook.disturb(copies=0)
    simple.platform.finish(task)
    async with asyncio.timeout(LONG):
        change = await waiting
    assert change.task.id == task
    await watch.aclose()


async def test_what_comes_while_the_reader_is_busy_is_looked_for_afterwards(
    simple: Joined,
) -> None:
    watch = await simple.watch()
    requests = len(simple.platform.requests)
    task = simple.platform.add()["_id"]
    async with asyncio.timeout(LONG):
        while not simple.platform.deliveries:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert len(simple.platform.requests) == requests
    (change,) = await take(watch, 1)
    assert change.task.id == task
    await watch.aclose()


async def test_every_watch_of_a_receiver_is_told(simple: Joined) -> None:
    watches = [await simple.watch(), await simple.watch(status="ready")]
    task = simple.platform.add()["_id"]
    for watch in watches:
        (change,) = await take(watch, 1)
        assert change.task.id == task
        await watch.aclose()


async def test_other_events_wake_nobody(simple: Joined) -> None:
    watch = await simple.watch()
    waiting = asyncio.ensure_future(anext(watch))
    requests = len(simple.platform.requests)
    watch.announce(read_event(body_of(type="analyze.task.ready")))
    await asyncio.sleep(0.1)
    assert len(simple.platform.requests) == requests
    waiting.cancel()
    await asyncio.wait([waiting])
    await watch.aclose()


@pytest.mark.parametrize("way", ["aclose", "drop", "an error"])
async def test_a_watch_that_has_ended_hears_no_more_and_the_platform_is_told(
    simple: Joined, way: str
) -> None:
    watch = await simple.watch()
    if way == "aclose":
        await watch.aclose()
        watch.announce(read_event(body_of()))
    elif way == "an error":
        simple.platform.fail(status=401)
        watch.announce(read_event(body_of()))
        with pytest.raises(AuthenticationError):
            await take(watch, 1)
    del watch
    gc.collect()
    task = simple.platform.add()["_id"]
    async with asyncio.timeout(LONG):
        while not simple.platform.deliveries:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert simple.platform.deliveries[0].status == 503
    # The platform tries again, and meanwhile there is a new watch.
    watch = await simple.watch()
    async with asyncio.timeout(LONG):
        while simple.platform.deliveries[-1].status != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert simple.platform.deliveries[-1].task_id == task
    await watch.aclose()


async def test_closing_the_session_ends_it(simple: Joined) -> None:
    watch = await simple.watch()
    waiting = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    await simple.account.aclose()
    with pytest.raises(SessionClosedError):
        await asyncio.wait_for(waiting, LONG)
    watch.announce(read_event(body_of()))


async def test_what_is_no_receiver_is_refused(simple: Joined) -> None:
    with pytest.raises(InvalidArgumentError, match="webhooks='whsec'"):
        simple.account.watch(webhooks="whsec")
    watch = await begun(simple.account.watch(webhooks=None))
    assert watch.polls > 1
