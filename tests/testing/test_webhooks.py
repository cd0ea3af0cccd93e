"""The webhooks that the platform sends, as a plain receiver sees them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import attrs
import msgspec
import pytest
from aiohttp import web

from twelvetasks import TaskSession
from twelvetasks.testing import FakePlatform

SECRET = "whsec_test"


@attrs.define(eq=False)
class Inbox:
    """A receiver that checks the signature by hand, and answers as it is told to."""

    url: str = ""
    statuses: list[int] = attrs.field(factory=list)
    """What to answer next; then 200."""
    events: list[dict[str, Any]] = attrs.field(factory=list)
    times: list[int] = attrs.field(factory=list)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        time, signature = request.headers["TL-Signature"].split(",")
        right = hmac.new(SECRET.encode(), time[2:].encode() + b"." + body, hashlib.sha256)
        assert signature == f"v1={right.hexdigest()}"
        self.times.append(int(time[2:]))
        self.events.append(msgspec.json.decode(body))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def until(self, count: int) -> list[dict[str, Any]]:
        """Give the events, once there are so many."""
        await until(lambda: len(self.events) >= count)
        return self.events


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    inbox = Inbox()
    app = web.Application()
    app.router.add_post("/", inbox.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    inbox.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield inbox
    await runner.cleanup()


async def test_each_task_that_comes_to_its_end_is_told_once(inbox: Inbox) -> None:
    async with FakePlatform() as platform:
        platform.add_webhook(inbox.url, SECRET)
        one = platform.add(status="indexing", system_metadata={"duration": 7.5})["_id"]
        other = platform.add(status="pending")["_id"]
        platform.advance(other)
        platform.update(other, filename="new.mp4")
        platform.advance(one)
        await inbox.until(1)
        platform.update(one, filename="another.mp4")
        platform.finish(other, status="failed")
        await inbox.until(2)
        added = platform.add()["_id"]
        events = await inbox.until(3)
        assert [(event["data"]["id"], event["type"]) for event in events] == [
            (one, "index.task.ready"),
            (other, "index.task.failed"),
            (added, "index.task.ready"),
        ]
        assert events[0]["data"]["metadata"] == {"duration": 7.5}
        assert events[0]["data"]["status"] == "ready"
        assert len({event["id"] for event in events}) == 3
        assert datetime.fromisoformat(events[0]["created_at"]).tzinfo == UTC
        await until(lambda: len(platform.deliveries) == 3)
        for delivery, event in zip(platform.deliveries, events, strict=True):
            assert (delivery.status, delivery.attempt) == (200, 1)
            assert (delivery.event_id, delivery.task_id) == (event["id"], event["data"]["id"])
            assert (delivery.url, delivery.type) == (inbox.url, event["type"])
            assert SECRET not in repr(delivery)
        assert SECRET not in repr(platform.add_webhook(inbox.url, SECRET))


async def test_an_upload_is_told_of_by_itself_when_its_time_has_come(inbox: Inbox) -> None:
    async with FakePlatform(indexing_time=0.05) as platform:
        platform.add_webhook(inbox.url, SECRET)
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            task = await session.create(index_id="i", video_url="https://example.com/a.mp4")
            (event,) = await inbox.until(1)
    assert (event["data"]["id"], event["data"]["status"]) == (task.id, "ready")


async def test_what_is_not_answered_with_2xx_is_tried_again_a_few_times(inbox: Inbox) -> None:
    async with FakePlatform() as platform:
        platform.add_webhook(inbox.url, SECRET, retries=(0.001, 0.001))
        inbox.statuses = [500, 302, 404, 503, 204]
        platform.add()
        await until(lambda: len(platform.deliveries) == 3)
        platform.add()
        await until(lambda: len(platform.deliveries) == 5)
    assert [(d.attempt, d.status) for d in platform.deliveries] == [
        (1, 500),
        (2, 302),
        (3, 404),
        (1, 503),
        (2, 204),
    ]
    assert len({event["id"] for event in inbox.events}) == 2
    assert inbox.times[0] < inbox.times[1] < inbox.times[2]


async def test_nobody_there_is_no_answer(inbox: Inbox) -> None:
    async with FakePlatform() as platform:
        platform.add_webhook("http://127.0.0.1:1/", SECRET, retries=[0.001])
        platform.add()
        await until(lambda: len(platform.deliveries) == 2)
    assert [delivery.status for delivery in platform.deliveries] == [None, None]


async def test_events_are_lost_doubled_and_overtaken_on_demand(inbox: Inbox) -> None:
    async with FakePlatform() as platform:
        webhook = platform.add_webhook(inbox.url, SECRET)
        webhook.disturb(copies=0, times=2)
        webhook.disturb(delay=0.1)
        webhook.disturb(copies=2)
        ids = [platform.add()["_id"] for _ in range(5)]
        events = await inbox.until(4)
    told = [event["data"]["id"] for event in events]
    assert sorted(told[:-1]) == sorted([ids[3], ids[3], ids[4]])
    assert told[-1] == ids[2]
    doubled = [time for time, id_ in zip(inbox.times, told, strict=True) if id_ == ids[3]]
    assert doubled[0] != doubled[1]


async def test_each_receiver_is_told_and_stopping_gives_up_what_is_under_way(
    inbox: Inbox,
) -> None:
    before = asyncio.all_tasks()
    platform = FakePlatform()
    for _ in range(2):
        platform.add_webhook(inbox.url, SECRET)
    platform.add()
    async with platform:
        platform.add()
        await inbox.until(2)
        platform.add_webhook(inbox.url, SECRET).disturb(delay=60)
        platform.add()
        await inbox.until(4)
    assert asyncio.all_tasks() - before == set()
    platform.add()
    async with platform:
        platform.add()
        await inbox.until(7)
    assert len(inbox.events) == 7


async def test_a_platform_in_a_thread_tells_too(inbox: Inbox) -> None:
    with FakePlatform().run_in_thread() as platform:
        platform.add_webhook(inbox.url, SECRET)
        task = await asyncio.to_thread(platform.add)
        (event,) = await inbox.until(1)
    assert event["data"]["id"] == task["_id"]
