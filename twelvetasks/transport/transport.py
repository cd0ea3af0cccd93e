"""Requests that end with their session: what is under way, and how closing ends it."""

from __future__ import annotations

import asyncio

from yarl import URL

from twelvetasks.transport.client import Client
from twelvetasks.transport.exchange import Exchange
from twelvetasks.transport.gate import Gatekeeper
from twelvetasks.transport.messages import Answer, Request
from twelvetasks.transport.retries import Budget, RetryPolicy
from twelvetasks.transport.telemetry import Telemetry
from twelvetasks.values.errors import (
    SessionClosedError,
)

__all__ = ["Transport"]


class Transport:
    """Sends requests, each as often as its policy allows, until it is closed."""

    def __init__(
        self,
        client: Client,
        *,
        gate: Gatekeeper,
        retry: RetryPolicy,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.client = client
        self.gate = gate
        self.retry = retry
        self.telemetry = telemetry
        self._scopes: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self.closed: bool = False

    async def get(
        self,
        url: URL,
        *,
        page: int | None = None,
        priority: float = 0,
        budget: Budget | None = None,
    ) -> Answer:
        """Ask for `url` until there is an answer, or raise the error of the last attempt."""
        return await self.send(
            Request(method="GET", url=url, page=page, priority=priority, budget=budget)
        )

    async def send(self, request: Request) -> Answer:
        """Send a request until it succeeds, or raise the error of the last attempt.

        Closing ends it, too. As the task may be the caller's own, a scope is ended, not the task.
        """
        scope = asyncio.timeout(None)
        if not self.closed:
            try:
                async with scope:
                    self._scopes.add(scope)
                    self._idle.clear()
                    return await Exchange(
                        self.client, self.gate, self.retry, self.telemetry, request
                    ).run()
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
        """End every request, refuse later ones, and close the aiohttp session if it is our own."""
        self.closed = True
        for scope in self._scopes:
            if not scope.expired():
                scope.reschedule(asyncio.get_running_loop().time())
        try:
            await self._idle.wait()
        finally:
            await self.client.close()
