"""One attempt is one request: what is sent over which connection, as the server counts it."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import attrs
import pytest
import stamina
from yarl import URL

from tests.transport.raw import EMPTY_PAGE, KEY, answer, raw, saying, within
from twelvetasks import RetryPolicy, TaskSession, TransportError
from twelvetasks.testing import FakePlatform
from twelvetasks.transport.attempt import Progress
from twelvetasks.transport.connections import Connections

TASK = b'{"_id": "62a17bf847f5678267ec10cc"}'
ONCE = RetryPolicy(attempts=1)


@attrs.define(eq=False)
class KeepAlive:
    """A server that answers the first request of each connection, and to the next does as told."""

    silent: bool
    base_url: URL = URL()
    heard: list[tuple[int, str]] = attrs.field(factory=list)
    """The connection, counted from 1, and the method of every request."""
    connections: int = 0
    _handlers: set[asyncio.Task[Any]] = attrs.field(factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.current_task()
        assert handler is not None
        self._handlers.add(handler)
        self.connections += 1
        number = self.connections
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                method = await self._hear(reader, number)
                writer.write(answer(body=TASK if method == "POST" else EMPTY_PAGE))
                await self._hear(reader, number)
                if self.silent:
                    await reader.read()
            finally:
                writer.transport.abort()
                await writer.wait_closed()

    async def _hear(self, reader: asyncio.StreamReader, number: int) -> str:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        if "content-length: " in head:
            await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
        method = head.split(" ")[0].upper()
        self.heard.append((number, method))
        return method

    async def end(self) -> None:
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)


@contextlib.asynccontextmanager
async def keep_alive(*, silent: bool = False) -> AsyncIterator[KeepAlive]:
    server = KeepAlive(silent)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    server.base_url = URL.build(scheme="http", host="127.0.0.1", port=port, path="/v1.3")
    try:
        yield server
    finally:
        listener.close()
        await server.end()
        await listener.wait_closed()


@pytest.fixture(autouse=True)
def waits_are_on() -> None:
    stamina.set_testing(False)


def policy(attempts: int) -> RetryPolicy:
    return RetryPolicy(attempts=attempts, wait_initial=0, wait_jitter=0)


@pytest.mark.parametrize("attempts", [1, 2, 3])
async def test_as_many_requests_arrive_as_attempts_are_made(attempts: int) -> None:
    for own in (True, False):
        async with raw(saying(b"")) as server, contextlib.AsyncExitStack() as stack:
            client = None if own else await stack.enter_async_context(aiohttp.ClientSession())
            session = await stack.enter_async_context(
                TaskSession(
                    KEY, base_url=server.base_url, retry=policy(attempts), client_session=client
                )
            )
            with pytest.raises(TransportError, match="ServerDisconnectedError"):
                await within(session.tasks().count())
            assert len(server.heard) == attempts
            with pytest.raises(TransportError):
                await within(session.delete("62a17bf847f5678267ec10cc"))
            assert len(server.heard) == 2 * attempts


async def test_a_kept_alive_connection_that_is_lost_uses_up_no_attempt() -> None:
    async with (
        keep_alive() as server,
        TaskSession(KEY, base_url=server.base_url, retry=ONCE) as session,
    ):
        for _ in range(3):
            assert await within(session.tasks().count()) == 0
    assert server.heard == [(1, "GET"), (1, "GET"), (2, "GET"), (2, "GET"), (3, "GET")]


async def test_a_request_that_may_have_arrived_before_it_was_resent_counts_as_sent() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(body=EMPTY_PAGE))
        await reader.readuntil(b"\r\n\r\n")
        listener.close()  # the connection over which it is resent is refused
        writer.transport.abort()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with TaskSession(KEY, base_url=f"http://127.0.0.1:{port}/v1.3", retry=ONCE) as session:
        await within(session.tasks().count())
        with pytest.raises(TransportError, match="Connect call failed") as caught:
            await within(session.tasks().count())
    assert caught.value.reached


async def test_a_creation_is_not_sent_again_if_another_library_sends_it_and_it_may_have_arrived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[str] = []

    async def request(_: aiohttp.ClientSession, method: str, *__: Any, **___: Any) -> None:
        sent.append(method)
        raise aiohttp.ServerDisconnectedError

    # As libraries do that play recorded answers.
    monkeypatch.setattr(aiohttp.ClientSession, "_request", request)
    async with TaskSession(KEY, retry=policy(3)) as session:
        with pytest.raises(TransportError) as caught:
            await session.create(index_id="1", video_url="https://videos.example/harbour.mp4")
    assert caught.value.task_may_exist
    assert sent == ["POST"]


async def test_how_a_request_fares_is_known_without_trace_hooks(platform: FakePlatform) -> None:
    connections = Connections()
    session = connections.session(fresh=False, page=None)
    assert session.trace_configs == []  # they take CPU for each request
    for is_kept_alive in (False, True, True):
        progress = Progress()
        with progress:
            async with session.get(platform.base_url, middlewares=(progress.send_once,)):
                assert (progress.sent, progress.kept_alive) == (True, is_kept_alive)
    await connections.close()


async def test_but_a_deletion_is_not_sent_again_by_itself() -> None:
    async with (
        keep_alive() as server,
        TaskSession(KEY, base_url=server.base_url, retry=ONCE) as session,
    ):
        await within(session.tasks().count())
        with pytest.raises(TransportError):
            await within(session.delete("62a17bf847f5678267ec10cc"))
    assert server.heard == [(1, "GET"), (1, "DELETE")]


async def test_a_creation_never_goes_over_a_connection_that_was_kept_alive() -> None:
    async with (
        keep_alive() as server,
        TaskSession(KEY, base_url=server.base_url, retry=ONCE) as session,
    ):
        await within(session.tasks().count())
        for _ in range(3):
            await within(
                session.create(index_id="1", video_url="https://videos.example/harbour.mp4")
            )
    assert server.heard == [(1, "GET"), (2, "POST"), (3, "POST"), (4, "POST")]


async def test_after_a_timeout_the_next_attempt_takes_a_fresh_connection() -> None:
    async with (
        keep_alive(silent=True) as server,
        TaskSession(KEY, base_url=server.base_url, retry=policy(2), timeout=0.3) as session,
    ):
        # Two connections are left open, and neither will answer again.
        await within(asyncio.gather(session.tasks().count(), session.tasks().count()))
        assert server.connections == 2
        assert await within(session.tasks().count()) == 0
    assert len(server.heard) == 4
    assert server.heard[-1] == (3, "GET")


async def test_the_middlewares_of_the_callers_own_session_are_called() -> None:
    seen: list[str] = []

    async def note(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        seen.append(request.method)
        return await handler(request)

    async with (
        raw(answer(body=EMPTY_PAGE)) as server,
        aiohttp.ClientSession(middlewares=[note]) as client,
        TaskSession(KEY, base_url=server.base_url, client_session=client) as session,
    ):
        assert await within(session.tasks().count()) == 0
    assert seen == ["GET"]


RECEIVING = """
import asyncio, resource, socket
from twelvetasks.transport.connections import Connections

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        one.send(bytes(15_000))
        other.recv(256 * 1024)  # as asyncio does
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

async def main():
    connections = Connections()
    connections.session(fresh=False, page=None)
    print(faults())
    await connections.close()

one, other = socket.socketpair()
asyncio.run(main())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what it is about is glibc's")
def test_memory_is_not_mapped_anew_for_each_answer() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", RECEIVING], capture_output=True, text=True, check=True
    )
    assert int(ran.stdout) < 100  # else five for each
