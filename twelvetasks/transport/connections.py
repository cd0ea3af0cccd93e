"""The aiohttp sessions that requests go through, so that one attempt is one request.

aiohttp resends a GET or DELETE once by itself when the connection is lost. That is right only for a
connection that was kept alive, which the server may have closed before the request arrived (RFC
9112, section 9.3.1); any other loss is for the retry policy to decide. A request that must not meet
such a connection gets one that nobody has used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

import aiohttp

from twelvetasks.transport.headers import user_agent

__all__ = ["Connections", "LostConnectionError", "send_once"]

_kept_alive: ContextVar[bool] = ContextVar("_kept_alive", default=False)
"""Whether the request that is being sent goes over a connection that was kept alive."""


class LostConnectionError(aiohttp.ClientError):
    """The connection was lost, in words that aiohttp does not take for a reason to resend."""


async def send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Send a request as an aiohttp middleware, and let aiohttp resend only what was kept alive."""
    _kept_alive.set(False)
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if _kept_alive.get() and request.method == "GET":
            raise
        words = f"{type(error).__name__}: {error}"
    raise LostConnectionError(words)


async def _note_kept_alive(*_: Any) -> None:
    _kept_alive.set(True)


class Connections:
    """Two aiohttp sessions, opened when they are needed: kept-alive connections, and fresh ones."""

    def __init__(self, *, user_agent: str, trace_configs: Iterable[aiohttp.TraceConfig]) -> None:
        self._user_agent = user_agent
        reuse = aiohttp.TraceConfig()
        reuse.on_connection_reuseconn.append(_note_kept_alive)
        self._trace_configs = [reuse, *trace_configs]
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    def session(self, *, fresh: bool) -> aiohttp.ClientSession:
        """Return a session; each connection of a `fresh` one serves one request."""
        if fresh not in self._sessions:
            self._sessions[fresh] = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(limit=0, force_close=fresh),
                # Otherwise a fresh session asks the server to close after its answer, and an answer
                # that stalls can then look like one that was cut short.
                headers={"User-Agent": user_agent(self._user_agent), "Connection": "keep-alive"},
                trace_configs=self._trace_configs,
            )
        return self._sessions[fresh]

    async def close(self) -> None:
        """Close both sessions."""
        for session in self._sessions.values():
            await session.close()
        if self._sessions:
            # A closed asyncio transport releases its socket in the next turn of the event loop.
            await asyncio.sleep(0)
