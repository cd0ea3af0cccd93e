"""An aiohttp session of the caller: its pool, its connections, and what its parts raise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver

from tests.transport.raw import KEY, raw, resetting_after, saying, silent_after, within
from tests.transport.test_connections import keep_alive
from twelvetasks import (
    RequestTimeoutError,
    RetryPolicy,
    TaskSession,
    TransportError,
    TwelveTasksError,
)
from twelvetasks.testing import FakePlatform

ONCE = RetryPolicy(attempts=1)
QUICK = RetryPolicy(attempts=3, wait_initial=0.01, wait_jitter=0)
VIDEO = "https://videos.example/harbour.mp4"


class OwnError(Exception):
    """An exception class of a caller's own."""


@pytest.fixture
async def small_pool() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as client:
        yield client


async def test_waiting_for_a_small_pool_is_no_missing_answer(
    fake_platform: FakePlatform, small_pool: aiohttp.ClientSession
) -> None:
    fake_platform.latency = 0.2
    async with TaskSession(
        fake_platform.api_key,
        base_url=fake_platform.base_url,
        client_session=small_pool,
        retry=ONCE,
        timeout=0.5,
    ) as session:
        tasks = await within(session.tasks(page_limit=10))
    assert len(tasks) == len(fake_platform.tasks())
    assert fake_platform.most_in_flight == 1


async def test_neither_is_waiting_for_what_else_the_caller_does_with_it(
    fake_platform: FakePlatform, small_pool: aiohttp.ClientSession
) -> None:
    """As long as the caller gives the connection back before the limit of one request."""
    async with TaskSession(
        fake_platform.api_key,
        base_url=fake_platform.base_url,
        client_session=small_pool,
        retry=ONCE,
        timeout=1,
    ) as session:
        fake_platform.latency = 0.6
        url = fake_platform.base_url / "tasks"
        own = asyncio.create_task(small_pool.get(url, headers={"x-api-key": "tlk"}))
        await asyncio.sleep(0.1)
        # Half a second in the queue and more than half a second for the answer.
        assert await within(session.tasks().count()) == len(fake_platform.tasks())
        (await own).close()


async def test_a_pool_that_never_has_room_is_named(small_pool: aiohttp.ClientSession) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    async with (
        raw(silent_after(head)) as server,
        small_pool.get(server.base_url),
        TaskSession(
            KEY, base_url=server.base_url, client_session=small_pool, retry=ONCE, timeout=0.2
        ) as session,
    ):
        with pytest.raises(RequestTimeoutError, match="`client_session` was free") as caught:
            await within(session.tasks().count())
    assert not caught.value.reached
    assert len(server.heard) == 1


async def test_a_creation_never_meets_a_connection_that_the_caller_kept_alive() -> None:
    async with (
        keep_alive() as server,
        aiohttp.ClientSession() as client,
        TaskSession(KEY, base_url=server.base_url, retry=ONCE, client_session=client) as session,
    ):
        await within(session.tasks().count())
        for _ in range(3):
            await within(session.create(index_id="1", video_url=VIDEO))
    assert [method for _, method in server.heard] == ["GET", "POST", "POST", "POST"]
    assert len({connection for connection, _ in server.heard}) == 4


async def test_a_connection_that_the_caller_kept_alive_uses_up_no_attempt() -> None:
    async with (
        keep_alive() as server,
        aiohttp.ClientSession() as client,
        TaskSession(KEY, base_url=server.base_url, retry=ONCE, client_session=client) as session,
    ):
        for _ in range(3):
            assert await within(session.tasks().count()) == 0


async def test_after_a_timeout_the_next_attempt_takes_a_fresh_connection_of_the_callers() -> None:
    async with (
        keep_alive(silent=True) as server,
        aiohttp.ClientSession() as client,
        TaskSession(
            KEY, base_url=server.base_url, retry=QUICK, timeout=0.3, client_session=client
        ) as session,
    ):
        await within(asyncio.gather(*(session.tasks().count() for _ in range(3))))
        assert await within(session.tasks().count()) == 0
    assert len(server.heard) == 5


async def test_several_stale_connections_use_up_no_attempt() -> None:
    async with (
        keep_alive() as server,
        TaskSession(KEY, base_url=server.base_url, retry=ONCE) as session,
    ):
        await within(asyncio.gather(*(session.tasks().count() for _ in range(4))))
        for _ in range(4):
            assert await within(session.tasks().count()) == 0


def failing_hook(name: str, error: Callable[[], BaseException]) -> aiohttp.TraceConfig:
    async def fail(*_: Any) -> None:
        raise error()

    traces = aiohttp.TraceConfig()
    getattr(traces, name).append(fail)
    return traces


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize(
    "hook", ["on_request_start", "on_connection_create_start", "on_request_end"]
)
@pytest.mark.parametrize("error", [ValueError, OSError, OwnError, KeyError, TimeoutError])
async def test_what_a_trace_hook_raises_is_typed_and_named(
    platform: FakePlatform, hook: str, error: type[Exception], own: bool
) -> None:
    traces = failing_hook(hook, lambda: error("why"))
    async with aiohttp.ClientSession(trace_configs=[traces]) as client:
        given: dict[str, Any] = {"client_session": client} if own else {"trace_configs": [traces]}
        async with TaskSession(
            platform.api_key, base_url=platform.base_url, retry=QUICK, **given
        ) as session:
            with pytest.raises(TransportError) as caught:
                await within(session.tasks().count())
    if error is not TimeoutError:
        assert error.__name__ in caught.value.reason
        assert "why" in caught.value.reason


async def test_no_error_shows_the_password_of_a_callers_proxy(platform: FakePlatform) -> None:
    proxy = "http://anna:s3cr%40t@proxy.example:3128"
    traces = failing_hook(
        "on_connection_create_start",
        lambda: aiohttp.ClientConnectionError(f"cannot connect through {proxy} to the host"),
    )
    async with (
        aiohttp.ClientSession(trace_configs=[traces]) as client,
        TaskSession(
            platform.api_key, base_url=platform.base_url, retry=QUICK, client_session=client
        ) as session,
    ):
        with pytest.raises(TransportError, match=r"through http://\*\*\*@proxy.example:3128 to"):
            await within(session.tasks().count())


class BrokenResolver(AbstractResolver):
    def __init__(self, error: Exception) -> None:
        self._error = error

    async def resolve(self, *_: Any, **__: Any) -> Any:
        raise self._error

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "error", [OSError(5, "the lookup is broken"), OwnError("the lookup is broken")]
)
async def test_what_a_resolver_raises_is_typed_and_never_left(error: Exception) -> None:
    connector = aiohttp.TCPConnector(resolver=BrokenResolver(error))
    async with (
        aiohttp.ClientSession(connector=connector) as client,
        TaskSession(
            KEY, base_url="https://api.example/v1.3", retry=QUICK, client_session=client
        ) as session,
    ):
        with pytest.raises(TransportError, match="the lookup is broken") as caught:
            await within(session.tasks().count())
        assert not caught.value.reached
        with pytest.raises(TransportError, match="the lookup is broken") as caught:
            await within(session.create(index_id="1", video_url=VIDEO))
        assert not caught.value.reached
        assert not caught.value.task_may_exist


@pytest.mark.parametrize("behaviour", [saying(b""), resetting_after(b"")])
async def test_a_creation_that_was_sent_over_a_callers_connection_may_exist(behaviour: Any) -> None:
    async with (
        raw(behaviour) as server,
        aiohttp.ClientSession() as client,
        TaskSession(KEY, base_url=server.base_url, retry=QUICK, client_session=client) as session,
    ):
        with pytest.raises(TwelveTasksError) as caught:
            await within(session.create(index_id="1", video_url=VIDEO))
        assert caught.value.task_may_exist
        assert len(server.heard) == 1
