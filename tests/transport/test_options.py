"""Limits of time, and sessions that differ in their options but share everything else."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import socket
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from tests.transport.raw import EMPTY_PAGE, KEY, answer, raw, silent_after, until, within
from twelvetasks import (
    InvalidArgumentError,
    RequestTimeoutError,
    RetryPolicy,
    SessionClosedError,
    TaskSession,
)
from twelvetasks.testing import FakePlatform

ONCE = RetryPolicy(attempts=1)


@contextlib.contextmanager
def blackhole() -> Iterator[int]:
    """Give the port of a socket that lets connections come in and accepts none of them.

    Its queue is full, so that the packets of another connection are dropped, as by a firewall.
    """
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def failure(base_url: str, **options: Any) -> RequestTimeoutError:
    async with TaskSession(KEY, base_url=base_url, retry=ONCE, **options) as session:
        with pytest.raises(RequestTimeoutError) as caught:
            await within(session.tasks().count())
    return caught.value


@pytest.mark.parametrize("field", ["connect", "sock_connect"])
async def test_a_connection_that_is_not_made_in_time_is_told_as_such(field: str) -> None:
    limits = aiohttp.ClientTimeout(**{"total": 15, field: 0.1})
    with blackhole() as port:
        error = await failure(f"http://127.0.0.1:{port}/v1.3", timeout=limits)
    assert error.reason == "no connection within 0.1 seconds"
    assert not error.reached


async def test_tls_that_is_not_answered_is_no_connection() -> None:
    async with raw(silent_after(b"")) as server:
        limits = aiohttp.ClientTimeout(total=15, connect=0.1)
        error = await failure(f"https://127.0.0.1:{server.port}/v1.3", timeout=limits)
    assert error.reason == "no connection within 0.1 seconds"
    assert not error.reached


async def test_a_proxy_that_does_not_answer_is_no_connection() -> None:
    proxied = "https://api.twelvelabs.invalid/v1.3"
    async with raw(silent_after(b"")) as proxy:
        limits = aiohttp.ClientTimeout(total=15, connect=0.1)
        error = await failure(proxied, timeout=limits, proxy=f"http://127.0.0.1:{proxy.port}")
    assert error.reason == "no connection within 0.1 seconds"
    assert not error.reached


def test_connecting_has_ten_seconds_unless_less_or_more_is_asked_for() -> None:
    def connecting(timeout: Any) -> float:
        return TaskSession(KEY, timeout=timeout)._requests.transport.options.connecting

    assert connecting(60) == connecting(aiohttp.ClientTimeout(sock_read=5)) == 10
    assert connecting(aiohttp.ClientTimeout(600)) == 10
    assert connecting(3) == connecting(aiohttp.ClientTimeout(3)) == 3
    assert connecting(aiohttp.ClientTimeout(60, connect=20)) == 20
    assert connecting(aiohttp.ClientTimeout(60, sock_connect=2)) == 2


async def test_a_server_may_be_silent_for_as_long_as_is_said() -> None:
    async with raw(silent_after(b"HTTP/1.1 200 OK\r\n")) as server:
        limits = aiohttp.ClientTimeout(sock_read=0.1)
        error = await failure(str(server.base_url), timeout=limits)
    assert error.reason == "no answer within 0.1 seconds"
    assert error.reached


async def test_waiting_for_a_place_in_a_callers_pool_is_not_connecting() -> None:
    async def slow(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(answer(body=EMPTY_PAGE))

    async with (
        raw(slow) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as client,
        TaskSession(
            KEY,
            base_url=server.base_url,
            client_session=client,
            retry=ONCE,
            timeout=aiohttp.ClientTimeout(total=15, sock_connect=0.2),
        ) as session,
    ):
        counts = [session.tasks().count() for _ in range(3)]
        assert await within(asyncio.gather(*counts)) == [0, 0, 0]


BAD_SECONDS = [0, -1, -0.0, float("nan"), float("inf"), float("-inf"), True, False, "60"]


@pytest.mark.parametrize("seconds", BAD_SECONDS)
@pytest.mark.parametrize("field", ["", "total", "connect", "sock_connect", "sock_read"])
def test_seconds_that_are_none_are_refused_by_name(field: str, seconds: Any) -> None:
    limits: dict[str, Any] = {"total": 60} | {field: seconds}
    timeout = aiohttp.ClientTimeout(**limits) if field else seconds
    name = f"timeout.{field}=" if field else "timeout="
    with pytest.raises(InvalidArgumentError, match=name):
        TaskSession(KEY, timeout=timeout)
    session = TaskSession(KEY)
    with pytest.raises(InvalidArgumentError, match=name):
        session.with_options(timeout=timeout)


def test_a_request_that_might_never_end_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"timeout=.* `total` or a `sock_read`"):
        TaskSession(KEY, timeout=aiohttp.ClientTimeout(connect=5))


class TestWithOptions:
    async def test_it_shares_the_connection_the_key_and_the_gate(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        await session.tasks().count()
        other = session.with_options(timeout=5, retry=ONCE, concurrency=2, headers={"X-A": "1"})
        await other.tasks().count()
        assert platform.open_connections == 1
        assert other.gate is session.gate
        assert other.base_url == session.base_url
        assert [request.headers["x-api-key"] for request in platform.requests] == (
            [platform.api_key] * 2
        )

    async def test_each_option_is_that_of_the_new_session_alone(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        other = session.with_options(retry=ONCE, concurrency=2, headers={"X-A": "1"})
        assert (other.retry, other.concurrency) == (ONCE, 2)
        assert (session.retry, session.concurrency) == (RetryPolicy(), 8)
        await session.tasks().count()
        await other.tasks().count()
        assert ["X-A" in request.headers for request in platform.requests] == [False, True]

    async def test_what_is_not_given_stays_and_headers_are_added(
        self, platform: FakePlatform
    ) -> None:
        async with TaskSession(
            platform.api_key,
            base_url=platform.base_url,
            retry=ONCE,
            concurrency=3,
            headers={"X-A": "1", "X-B": "1"},
        ) as session:
            other = session.with_options(headers={"x-b": "2", "X-C": "2"}).with_options(timeout=9)
            assert (other.retry, other.concurrency) == (ONCE, 3)
            assert other._requests.transport.options.timeout.total == 9
            await other.tasks().count()
        headers = platform.requests[0].headers
        assert [headers.get(f"X-{name}") for name in "ABC"] == ["1", "2", "2"]

    async def test_its_timeout_counts(self) -> None:
        async with (
            raw(silent_after(b"")) as server,
            TaskSession(KEY, base_url=server.base_url, retry=ONCE) as session,
        ):
            quick = session.with_options(timeout=0.05)
            with pytest.raises(RequestTimeoutError, match=r"within 0\.05 seconds"):
                await within(quick.tasks().count())

    async def test_closing_it_ends_its_own_listings_and_leaves_the_other_open(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        async with session.with_options(concurrency=2) as other:
            stream = aiter(other.tasks())
            await anext(stream)
        with pytest.raises(SessionClosedError, match="the session is closed"):
            await other.tasks().count()
        with pytest.raises(SessionClosedError):
            await anext(stream)
        assert other.closed
        assert not session.closed
        assert await session.tasks().count() == 230
        assert platform.open_connections == 1

    async def test_closing_the_first_closes_all_that_were_made_from_it(
        self, platform: FakePlatform
    ) -> None:
        session = TaskSession(platform.api_key, base_url=platform.base_url)
        child = session.with_options(timeout=5)
        grandchild = child.with_options(concurrency=1)
        stream = aiter(grandchild.tasks())
        await anext(stream)
        del child
        gc.collect()
        hold = platform.hold()
        count = asyncio.create_task(grandchild.tasks(status="ready").count())
        await until(lambda: hold.arrived)
        await within(session.aclose())
        with pytest.raises(SessionClosedError, match="with `with_options` is closed"):
            await count
        hold.release()
        assert grandchild.closed
        with pytest.raises(SessionClosedError, match="with `with_options` is closed"):
            await grandchild.tasks().count()
        with pytest.raises(SessionClosedError):
            await anext(stream)

    async def test_a_closed_session_gives_no_other(self, session: TaskSession) -> None:
        other = session.with_options(timeout=5)
        await session.aclose()
        with pytest.raises(SessionClosedError):
            session.with_options(timeout=5)
        with pytest.raises(SessionClosedError, match="with `with_options` is closed"):
            other.with_options(timeout=5)

    def test_both_serve_one_event_loop(self, unused_tcp_port: int) -> None:
        session = TaskSession(KEY, base_url=f"http://127.0.0.1:{unused_tcp_port}", retry=ONCE)
        other = session.with_options(timeout=5)

        async def enter(entered: TaskSession) -> None:
            await entered.__aenter__()

        asyncio.run(enter(other))
        with pytest.raises(SessionClosedError, match="another event loop"):
            asyncio.run(enter(session))

    async def test_many_that_are_given_up_leave_nothing_behind(self, session: TaskSession) -> None:
        for _ in range(100):
            await session.with_options(timeout=5).tasks().first()
        gc.collect()
        assert len(session._requests._children) == 0

    async def test_a_subclass_stays_one(self, platform: FakePlatform) -> None:
        class Account(TaskSession):
            team = ""

        async with Account(platform.api_key, base_url=platform.base_url) as account:
            account.team = "video"
            other = account.with_options(timeout=5)
            assert isinstance(other, Account)
            assert other.team == "video"
            with pytest.raises(TypeError, match="cannot be pickled"):
                copy.copy(other)

    @pytest.mark.parametrize("concurrency", [0, -1, True, 1.5, "8"])
    def test_a_concurrency_that_is_none_is_refused(self, concurrency: Any) -> None:
        with pytest.raises(InvalidArgumentError, match="concurrency="):
            TaskSession(KEY).with_options(concurrency=concurrency)

    @pytest.mark.parametrize("retry", [3, "no", RetryPolicy])
    def test_what_is_no_policy_is_refused(self, retry: Any) -> None:
        with pytest.raises(InvalidArgumentError, match="retry="):
            TaskSession(KEY).with_options(retry=retry)


async def test_uploads_of_both_share_their_places(platform: FakePlatform) -> None:
    async with TaskSession(platform.api_key, base_url=platform.base_url, concurrency=1) as session:
        other = session.with_options(concurrency=4)
        assert other._requests.transport.uploads is session._requests.transport.uploads
