"""Requests that end with their session: sent, retried, and ended when it is closed."""

from __future__ import annotations

import asyncio

from twelvetasks.transport.client import Client
from twelvetasks.transport.exchange import Exchange
from twelvetasks.transport.gate import Gatekeeper
from twelvetasks.transport.home_loop import HomeLoop
from twelvetasks.transport.messages import Answer, Request
from twelvetasks.transport.retries import RetryPolicy
from twelvetasks.transport.telemetry import Telemetry
from twelvetasks.transport.uploads_lane import UploadsLane
from twelvetasks.values.errors import SessionClosedError

__all__ = ["Transport"]


class Transport:
    """Sends requests, each as often as the retry policy allows, until it is closed."""

    def __init__(
        self,
        client: Client,
        *,
        gate: Gatekeeper,
        uploads: int,
        retry: RetryPolicy,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.client = client
        self.gate = gate
        self.uploads: UploadsLane = UploadsLane(gate, uploads)
        self.retry = retry
        self.telemetry = telemetry
        self.home: HomeLoop = HomeLoop()
        self._scopes: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self.closed: bool = False

    async def send(self, request: Request) -> Answer:
        """Send a request until it succeeds, or raise the error of its last attempt.

        Raises SessionClosedError if the transport is, or meanwhile gets, closed, and in another
        event loop than the one that it was first used in. Closing ends a
        timeout scope instead of cancelling the task, because the task may be the caller's own.
        """
        self.home.enter(page=request.page)
        scope = asyncio.timeout(None)
        if not self.closed:
            exchange = Exchange(
                self.client, self.gate, self.uploads, self.retry, self.telemetry, request
            )
            try:
                async with scope:
                    self._scopes.add(scope)
                    self._idle.clear()
                    return await exchange.run()
            except TimeoutError:
                if not scope.expired():
                    raise
            finally:
                self._scopes.discard(scope)
                if not self._scopes:
                    self._idle.set()
        raise SessionClosedError(
            "the session is closed",
            advice="Use it inside its own `async with` block",
            page=request.page,
        )

    async def close(self) -> None:
        """End every request, refuse later ones, and close the aiohttp session if it is our own.

        Raises SessionClosedError, and changes nothing, in another event loop, unless the
        transport's own loop is closed.
        """
        self.home.enter_to_close()
        self.closed = True
        if self.home.is_over:
            self._scopes.clear()
            self._idle.set()
        for scope in self._scopes:
            if not scope.expired():
                scope.reschedule(asyncio.get_running_loop().time())
        try:
            await self._idle.wait()
        finally:
            await self.client.close()
