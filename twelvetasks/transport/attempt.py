"""One attempt as aiohttp makes it: its progress, its time limit, and that it is sent only once.

aiohttp resends a GET or DELETE once by itself when the connection is lost. That is right only for a
connection that was kept alive, which the server may have closed before the request arrived (RFC
9112, section 9.3.1); any other loss is for the retry policy to decide.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar, Token
from typing import Any
from weakref import WeakSet

import aiohttp
import attrs


class LostConnectionError(aiohttp.ClientError):
    """The connection was lost: an error after which aiohttp does not resend by itself."""


@attrs.define(eq=False)
class Progress:
    """The progress of an attempt, reported by aiohttp to the one that is entered with `with`."""

    queued: bool = False
    """Whether it waits for a connection of the caller's pool."""
    kept_alive: bool = False
    """Whether its connection was kept alive after an earlier request."""
    sent: bool | None = None
    """Whether any of it was written to a connection; None if aiohttp reported nothing."""
    _limit: asyncio.Timeout | None = None
    _seconds: float | None = None
    _queue_seconds: float = 0.0
    _token: Token[Progress | None] | None = None

    def __enter__(self) -> None:
        self._token = _progress.set(self)

    def __exit__(self, *exc_info: object) -> None:
        if self._token is not None:
            _progress.reset(self._token)

    def limited(self, seconds: float | None, *, in_queue: float) -> asyncio.Timeout:
        """Return a limit for the attempt of so many seconds, not counting those in a queue.

        It may be queued for `in_queue` seconds.
        """
        self._seconds, self._queue_seconds = seconds, in_queue
        self._limit = asyncio.timeout(seconds)
        return self._limit

    async def send_once(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send it as an aiohttp middleware, and let aiohttp resend only what was kept alive."""
        self.kept_alive = False
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            if self.kept_alive and request.method == "GET":
                raise
            words = f"{type(error).__name__}: {error}"
        raise LostConnectionError(words)

    def begin(self) -> None:
        """Note that aiohttp reports this attempt."""
        self.sent = False

    def queue(self) -> None:
        """Note that the wait for a connection of the pool begins."""
        self.queued = True
        self._limit_to(self._queue_seconds)

    def leave_queue(self) -> None:
        """Note that the wait is over."""
        self.queued = False
        self._limit_to(self._seconds)

    def reuse(self) -> None:
        """Note that the connection was kept alive."""
        self.kept_alive = True

    def send(self) -> None:
        """Note that the request is being written."""
        self.sent = True

    def _limit_to(self, seconds: float | None) -> None:
        if self._limit is not None and not self._limit.expired():
            now = asyncio.get_running_loop().time()
            self._limit.reschedule(None if seconds is None else now + seconds)


_progress: ContextVar[Progress | None] = ContextVar("_progress", default=None)
"""The attempt that is being made in this context."""


def _hook(note: Callable[[Progress], None]) -> Callable[..., Awaitable[None]]:
    """Make a hook that notes something about our own requests, and ignores all others."""

    async def hook(*_: Any) -> None:
        if progress := _progress.get():
            note(progress)

    return hook


def _traces() -> aiohttp.TraceConfig:
    traces = aiohttp.TraceConfig()
    traces.on_request_start.append(_hook(Progress.begin))
    traces.on_connection_queued_start.append(_hook(Progress.queue))
    traces.on_connection_queued_end.append(_hook(Progress.leave_queue))
    traces.on_connection_reuseconn.append(_hook(Progress.reuse))
    traces.on_request_headers_sent.append(_hook(Progress.send))
    traces.freeze()
    return traces


TRACES = _traces()
"""The hooks that note the progress of attempts: in a connector that is not our own, and where other
hooks may raise an error before it is asked for a connection."""


class ReportingConnector(aiohttp.TCPConnector):
    """A connector without a queue that reports the progress of attempts.

    It costs next to nothing, and `TRACES` a thirtieth of a listing's CPU.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(limit=0, **settings)
        self._used: WeakSet[asyncio.BaseProtocol] = WeakSet()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> aiohttp.connector.Connection:
        """Return a connection for a request, which is then written to it."""
        progress = _progress.get()
        if progress is None:
            return await super().connect(req, traces, timeout)
        if progress.sent is None:  # else it is resent, and may have arrived before
            progress.begin()
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        if protocol in self._used:
            progress.reuse()
        elif protocol is not None:
            self._used.add(protocol)
        progress.send()
        return connection
