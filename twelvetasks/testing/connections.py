"""Counts the open TCP connections of a server exactly.

aiohttp drops a connection from its own count only when its last handler has ended, so each
connection's protocol is wrapped here.
"""

from __future__ import annotations

import asyncio
from typing import cast


class Connections:
    """The open connections of one server."""

    def __init__(self) -> None:
        self._open: set[asyncio.Transport] = set()

    def __len__(self) -> int:
        return len(self._open)

    def watched(self, protocol: asyncio.Protocol) -> asyncio.Protocol:
        """Wrap the protocol of a new connection."""
        return _Watched(protocol, self._open)

    def abort(self) -> None:
        """Close all of them at once; buffered data is not sent."""
        for transport in list(self._open):
            transport.abort()


class _Watched(asyncio.Protocol):
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
