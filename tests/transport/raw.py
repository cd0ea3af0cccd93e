"""A server that says and does what it is told, byte by byte, and what is asked of it.

For answers that a well-behaved platform never gives.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

import attrs
import pytest
from yarl import URL

from twelvetasks import (
    TaskSession,
    TwelveTasksError,
)

KEY = "tlk_0SECRET1"


EMPTY_PAGE = (
    b'{"data": [], "page_info":'
    b' {"limit_per_page": 1, "page": 1, "total_page": 1, "total_results": 0}}'
)


T = TypeVar("T")


def within(wait: Awaitable[T]) -> Awaitable[T]:
    """Bound a wait that is over at once unless something is wrong."""
    return asyncio.wait_for(wait, 20)


def answer(status: str = "200 OK", *headers: str, body: bytes = b"", length: int = -1) -> bytes:
    """Write a whole answer; `length` is what it claims, if not the truth."""
    if not any(header.lower().startswith("transfer-encoding") for header in headers):
        headers = (*headers, f"Content-Length: {len(body) if length < 0 else length}")
    head = "\r\n".join((f"HTTP/1.1 {status}", *headers))
    return head.encode("latin-1") + b"\r\n\r\n" + body


Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


@attrs.define(eq=False)
class Raw:
    """A server that reads a request's head, then sends bytes or misbehaves as it is told."""

    behave: Behaviour
    port: int = 0
    connections: int = 0
    heard: list[bytes] = attrs.field(factory=list)
    """The head of every request."""
    _handlers: set[asyncio.Task[Any]] = attrs.field(factory=set)

    @property
    def base_url(self) -> URL:
        return URL.build(scheme="http", host="127.0.0.1", port=self.port, path="/v1.3")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.current_task()
        assert handler is not None
        self._handlers.add(handler)
        self.connections += 1
        # A client that hangs up is part of what these tests are about.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                self.heard.append(await reader.readuntil(b"\r\n\r\n"))
                await self.behave(writer)
            finally:
                writer.transport.abort()
                await writer.wait_closed()

    async def end(self) -> None:
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)


@contextlib.asynccontextmanager
async def raw(behaviour: bytes | Behaviour) -> AsyncIterator[Raw]:
    server = Raw(saying(behaviour) if isinstance(behaviour, bytes) else behaviour)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await server.end()
        await listener.wait_closed()


def saying(text: bytes) -> Behaviour:
    """Send `text` and close the connection."""

    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        writer.close()
        await writer.wait_closed()

    return say


def resetting_after(text: bytes) -> Behaviour:
    """Send `text` and reset the connection, as a crashed machine does."""

    async def say_and_reset(writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    return say_and_reset


def silent_after(text: bytes) -> Behaviour:
    """Send `text`, and nothing more for as long as anybody listens."""

    async def say_and_wait(writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()
        await asyncio.Event().wait()

    return say_and_wait


def endlessly(head: bytes, chunk: bytes) -> Behaviour:
    """Send `head`, and then chunks for as long as anybody listens."""

    async def go_on_and_on(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            await writer.drain()

    return go_on_and_on


async def failure(base_url: URL, *, within_seconds: float = 20.0) -> TwelveTasksError:
    """Ask for a page in a session of its own, and return the error that comes of it."""
    async with TaskSession(KEY, base_url=base_url, timeout=within_seconds) as session:
        return await failure_in(session)


async def failure_in(session: TaskSession) -> TwelveTasksError:
    with pytest.raises(TwelveTasksError) as caught:
        await within(session.tasks().count())
    return caught.value


async def count(base_url: URL) -> int:
    async with TaskSession(KEY, base_url=base_url, timeout=20.0) as session:
        return await within(session.tasks().count())


async def until(condition: Callable[[], object]) -> None:
    """Return once `condition` holds, which it does soon unless something is wrong."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@contextlib.contextmanager
def memory_below(limit: int) -> Iterator[None]:
    """Insist that no more than so many bytes are taken at any moment, server included."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < limit


def bomb(mebibytes: int, wbits: int = 31) -> bytes:
    packer = zlib.compressobj(9, wbits=wbits)
    blanks = bytes(1024 * 1024)
    return b"".join([*(packer.compress(blanks) for _ in range(mebibytes)), packer.flush()])
