"""What a listing's report says of its requests: those sent, those retried, and the time paused."""

from __future__ import annotations

import asyncio
import time

import pytest
import stamina

from tests.transport.raw import KEY, until, within
from twelvetasks import Gate, GatePolicy, RetryPolicy, TaskSession, TransportError
from twelvetasks.testing import FakePlatform

QUICK = RetryPolicy(wait_initial=0.05, wait_jitter=0)


async def test_requests_are_those_that_reached_the_platform(
    platform: FakePlatform, session: TaskSession
) -> None:
    platform.fail(status=503, page=1, times=2)
    platform.fail(status=500, page=3)
    async with session.tasks() as stream:
        assert (stream.report.requests, stream.report.retries) == (0, 0)
        tasks = [task async for task in stream]
    assert len(tasks) == 230
    assert stream.report.requests == len(platform.requests) == 8
    assert stream.report.retries == 3
    assert stream.report.pages == 5


async def test_a_listing_without_failures_has_no_retries_and_no_pause(
    platform: FakePlatform, session: TaskSession
) -> None:
    async with session.tasks().pages() as pages:
        [page async for page in pages]
    assert pages.report.requests == len(platform.requests) == 5
    assert pages.report.retries == 0
    assert pages.report.paused < 0.1


async def test_each_iteration_counts_for_itself(
    platform: FakePlatform, session: TaskSession
) -> None:
    platform.fail(status=503, page=1)
    listing = session.tasks(max_items=1)
    async with listing as first:
        await anext(first)
    second = aiter(listing)
    await anext(second)
    assert [first.report.requests, second.report.requests] == [2, 1]
    assert [first.report.retries, second.report.retries] == [1, 0]


async def test_what_never_left_this_machine_was_not_sent(unused_tcp_port: int) -> None:
    base_url = f"http://127.0.0.1:{unused_tcp_port}/v1.3"
    async with TaskSession(KEY, base_url=base_url, retry=RetryPolicy(attempts=3)) as session:
        stream = aiter(session.tasks())
        with pytest.raises(TransportError):
            await anext(stream)
    assert stream.report.requests == 0
    assert stream.report.retries == 2


async def test_a_request_under_way_has_been_sent(
    platform: FakePlatform, session: TaskSession
) -> None:
    hold = platform.hold()
    async with session.tasks() as stream:
        first = asyncio.create_task(anext(stream))
        await until(lambda: hold.arrived)
        assert stream.report.requests == 1
        hold.release()
        await first


class TestPaused:
    @pytest.fixture(autouse=True)
    def waits_are_real(self, retries_do_not_sleep: None) -> None:
        stamina.set_testing(False)

    async def test_it_is_the_wait_before_a_retry(self, platform: FakePlatform) -> None:
        platform.fail(status=503, page=1)
        async with (
            TaskSession(platform.api_key, base_url=platform.base_url, retry=QUICK) as session,
            session.tasks() as stream,
        ):
            began = time.monotonic()
            first = asyncio.create_task(anext(stream))
            await until(lambda: stream.report.paused >= 0.02)
            await within(first)
            took = time.monotonic() - began
        assert 0.05 <= stream.report.paused <= took + 0.001

    async def test_it_is_the_wait_for_the_limit_once_for_all_requests(
        self, platform: FakePlatform
    ) -> None:
        gate = Gate(policy=GatePolicy())
        async with (
            TaskSession(platform.api_key, base_url=platform.base_url, gate=gate) as session,
            session.tasks() as stream,
        ):
            await anext(stream)
            before = stream.report.paused
            gate.pause(0.2)
            began = time.monotonic()
            [task async for task in stream]
            took = time.monotonic() - began
        assert stream.report.requests == len(platform.requests) == 5
        assert 0.1 <= stream.report.paused - before <= took + 0.001

    async def test_a_wait_that_is_given_up_is_over(self, platform: FakePlatform) -> None:
        platform.fail(status=503, page=1)
        patient = RetryPolicy(wait_initial=60, wait_max=60)
        async with TaskSession(
            platform.api_key, base_url=platform.base_url, retry=patient
        ) as session:
            stream = aiter(session.tasks())
            first = asyncio.create_task(anext(stream))
            await until(lambda: stream.report.paused > 0)
            first.cancel()
            await asyncio.wait([first])
            await stream.aclose()
            paused = stream.report.paused
            await asyncio.sleep(0.02)
            assert stream.report.paused == paused
