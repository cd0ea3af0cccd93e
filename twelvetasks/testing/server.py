"""The socket that a platform serves on: starting, stopping, and counting open connections.

Stopping leaves no connection open, not even one that is being accepted at that moment.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import cast

import attrs
from aiohttp import web
from yarl import URL

_ACCEPTING = 4
"""Turns of the event loop that it takes to accept a connection."""

_LONGEST_LINE = 65_536
"""Bytes of the longest URL that is read, so that a long one gets an answer in the API's form."""


class Server:
    """Serves every path by one handler on one address; can be started again after a stop."""

    def __init__(
        self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]], host: str, port: int
    ) -> None:
        self._handler = handler
        self._host = host
        self._port = port
        self._running: _Running | None = None
        self.connections: set[asyncio.Transport] = set()
        """Those that are open. aiohttp forgets one only when its last handler has ended."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop it serves in; None while it does not serve."""
        return None if self._running is None else self._running.loop

    @property
    def origin(self) -> URL:
        """Scheme, host and port; raises `RuntimeError` while it does not serve."""
        if self._running is None:
            raise RuntimeError("the platform is not running: use `async with` or run_in_thread()")
        return URL.build(scheme="http", host=self._host, port=self._running.port)

    async def start(self) -> None:
        """Serve in the running event loop; raises `RuntimeError` without one, or if it serves."""
        if self._running is not None:
            raise RuntimeError("the platform is running already")
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "no asyncio event loop is running here: use `with platform.run_in_thread()`"
            ) from None
        application = web.Application()
        application.router.add_route("*", r"/{path:[\s\S]*}", self._handler)
        runner = web.AppRunner(
            application,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=1.0,
            max_line_size=_LONGEST_LINE,
        )
        await runner.setup()
        server = runner.server
        if server is None:  # pragma: no cover
            raise RuntimeError("aiohttp did not set up a server")
        try:
            listener = await loop.create_server(
                lambda: _Watched(server(), self.connections), self._host, self._port
            )
        except OSError:
            await runner.cleanup()
            raise
        self._running = _Running(
            loop=loop,
            listener=listener,
            runner=runner,
            server=server,
            port=listener.sockets[0].getsockname()[1],
        )

    async def stop(self, before_closing: Callable[[], Awaitable[None]]) -> None:
        """Stop accepting, call `before_closing`, then close every connection.

        Does nothing while it does not serve. Raises `RuntimeError` in another event loop than the
        one that started it.
        """
        running = self._running
        if running is None:
            return
        if running.loop is not asyncio.get_running_loop():
            raise RuntimeError("the platform must be stopped in the event loop that started it")
        self._running = None
        await _stop_accepting(running.listener)
        await before_closing()
        await self._drop_connections(running.server)
        await running.runner.cleanup()
        # A connection that was being accepted is registered only now.
        await self._drop_connections(running.server)
        await running.listener.wait_closed()

    async def _drop_connections(self, server: web.Server) -> None:
        """Abort every connection and wait for its handler, for a second at most."""
        deadline = time.monotonic() + 1.0
        while (server.connections or self.connections) and time.monotonic() < deadline:
            for transport in list(self.connections):
                transport.abort()  # buffered data is not sent
            await asyncio.sleep(0)


@attrs.frozen(kw_only=True, eq=False)
class _Running:
    loop: asyncio.AbstractEventLoop
    listener: asyncio.Server
    runner: web.AppRunner
    server: web.Server
    port: int


class _Watched(asyncio.Protocol):
    """The protocol of one connection, which adds itself to those that are open."""

    def __init__(self, inner: asyncio.Protocol, opened: set[asyncio.Transport]) -> None:
        self._inner = inner
        self._opened = opened
        self.data_received = inner.data_received  # type: ignore[method-assign]
        self.eof_received = inner.eof_received  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._opened.add(self._transport)
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._opened.discard(self._transport)
        self._inner.connection_lost(exc)


async def _stop_accepting(listener: asyncio.Server) -> None:
    """Close the listener after connections that are being accepted are complete.

    A closed asyncio server leaves such a connection open and reports nothing.
    """
    loop = asyncio.get_running_loop()
    for waiting in listener.sockets:
        loop.remove_reader(waiting.fileno())
    for _ in range(_ACCEPTING):
        await asyncio.sleep(0)
    listener.close()
