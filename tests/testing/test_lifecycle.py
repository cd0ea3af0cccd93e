"""Starting and stopping: in the running loop, in a thread, and with nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading

import aiohttp
import pytest
import trio

from tests.testing.asking import ask
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory


def platform_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "FakePlatform"]


async def test_open_connections_are_counted_exactly() -> None:
    async with FakePlatform.demo(10) as platform:
        url, headers = platform.base_url / "tasks", {"x-api-key": platform.api_key}
        assert platform.open_connections == 0
        async with aiohttp.ClientSession(headers=headers) as session:
            hold = platform.hold()
            reads = [asyncio.ensure_future(session.get(url)) for _ in range(7)]
            await hold.until_arrived(7)
            assert platform.open_connections == 7
            hold.release()
            for read in reads:
                (await read).release()
            assert platform.open_connections == 7
        while platform.open_connections:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("arriving", [1, 2, 5, 20, 100] * 4)
def test_stopping_closes_what_is_just_arriving(arriving: int) -> None:
    """A connection that is left open is a warning when it is collected, and so an error here."""
    with FakePlatform.demo(1).run_in_thread() as platform:
        address = (str(platform.base_url.host), int(platform.base_url.port or 0))
        clients = [socket.create_connection(address) for _ in range(arriving)]
    for client in clients:
        client.close()
    gc.collect()


async def test_stopping_leaves_no_task_and_no_connection() -> None:
    before = asyncio.all_tasks()
    platform = FakePlatform.demo(10)
    await platform.start()
    url, headers = platform.base_url / "tasks", {"x-api-key": platform.api_key}
    async with aiohttp.ClientSession(headers=headers) as session:
        (await session.get(url)).release()
        hold = platform.hold()
        platform.latency = lambda request: 60.0 if "page" in request.query else 0.0
        reads = [
            asyncio.ensure_future(session.get(url)),
            asyncio.ensure_future(session.get(url, params={"page": 1})),
        ]
        await hold.until_arrived(1)
        while platform.in_flight < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await platform.stop()
        assert platform.open_connections == 0
        assert platform.in_flight == 0
        for read in reads:
            with pytest.raises(aiohttp.ClientConnectionError):
                await read
    assert asyncio.all_tasks() == before
    assert hold.released


async def test_it_is_where_it_says_and_only_while_it_runs() -> None:
    platform = FakePlatform()
    with pytest.raises(RuntimeError, match="not running"):
        _ = platform.base_url
    async with platform:
        assert str(platform.base_url) == f"http://127.0.0.1:{platform.base_url.port}/v1.3"
        with pytest.raises(RuntimeError, match="already"):
            await platform.start()
    with pytest.raises(RuntimeError, match="not running"):
        _ = platform.base_url
    await platform.stop()


async def test_it_can_start_again_with_the_account_as_it_was() -> None:
    platform = FakePlatform.demo(10)
    for _ in range(2):
        async with platform:
            answer = await asyncio.to_thread(ask, platform)
            assert len(answer.ids) == 10
    assert len(platform.requests) == 2


def test_a_port_that_is_taken_is_an_error_and_leaves_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        platform = FakePlatform(port=taken.getsockname()[1])
        with pytest.raises(OSError, match="address"), platform.run_in_thread():
            pass  # pragma: no cover
    assert platform_threads() == []


def test_a_thread_serves_synchronous_code_and_is_joined() -> None:
    platform = FakePlatform.demo(10)
    with platform.run_in_thread() as running:
        assert running is platform
        assert len(platform_threads()) == 1
        newest = platform.add()["_id"]
        assert ask(platform).ids[0] == newest
        address = ("127.0.0.1", platform.base_url.port or 0)
    assert platform_threads() == []
    with pytest.raises(ConnectionError):
        socket.create_connection(address)


def test_an_error_in_the_block_stops_the_thread() -> None:
    platform = FakePlatform()
    with pytest.raises(ZeroDivisionError), platform.run_in_thread():
        _ = 1 / 0
    assert platform_threads() == []


def test_under_trio_it_says_to_run_it_in_a_thread() -> None:
    platform = FakePlatform()
    with pytest.raises(RuntimeError, match="run_in_thread"):
        trio.run(platform.start)
    with platform.run_in_thread():
        assert platform.base_url.port


async def test_only_the_loop_that_started_it_may_stop_it() -> None:
    with FakePlatform().run_in_thread() as platform:
        with pytest.raises(RuntimeError, match="event loop"):
            await platform.stop()
        assert (await asyncio.to_thread(ask, platform)).status == 200


def test_several_platforms_serve_side_by_side(fake_platform_factory: FakePlatformFactory) -> None:
    platforms = [fake_platform_factory(count) for count in (1, 2, 3)]
    totals = [ask(platform).json["page_info"]["total_results"] for platform in platforms]
    assert totals == [1, 2, 3]
    assert len({platform.base_url for platform in platforms}) == 3
