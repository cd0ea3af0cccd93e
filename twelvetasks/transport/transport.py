"""Requests that end with their session: sent, retried, and ended when it is closed."""

from __future__ import annotations

import asyncio
from typing import Self

from twelvetasks.transport.client import Client
from twelvetasks.transport.exchange import Exchange
from twelvetasks.transport.gate import Gatekeeper
from twelvetasks.transport.home_loop import HomeLoop
from twelvetasks.transport.messages import Answer, Request
from twelvetasks.transport.options import Options
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
        telemetry: Telemetry | None = None,
        parent: Self | None = None,
    ) -> None:
        self.client = client
        self.gate = gate
        self.telemetry = telemetry
        self._parent = parent
        self.uploads: UploadsLane = (
            UploadsLane(gate, client.options.concurrency) if parent is None else parent.uploads
        )
        self.home: HomeLoop = HomeLoop() if parent is None else parent.home
        self._scopes: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self.closed: bool = False

    @property
    def options(self) -> Options:
        """How its requests are sent."""
        return self.client.options

    @property
    def retry(self) -> RetryPolicy:
        """Which failures are retried, how often and for how long."""
        return self.options.retry

    def with_options(self, options: Options) -> Self:
        """Return a transport with other options that shares all else, and can be closed alone."""
        return type(self)(
            self.client.with_options(options),
            gate=self.gate,
            telemetry=self.telemetry,
            parent=self,
        )

    async def send(self, request: Request) -> Answer:
        """Send a request until it succeeds, or raise the error of its last attempt.

        Raises SessionClosedError if the transport is closed, now or meanwhile, and in another event
        loop than the one that it was first used in. Closing ends a timeout scope instead of
        cancelling the task, because the task may be the caller's own.
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
        raise self.closed_error(page=request.page)

    def closed_error(self, *, page: int | None = None) -> SessionClosedError:
        """Make the error for a request after the transport, or the one it shares, was closed."""
        if self._parent is not None and self._parent.closed:
            return SessionClosedError(
                "the session that this one was made from with `with_options` is closed",
                advice="Keep it open for as long as this one",
                page=page,
            )
        return SessionClosedError(
            "the session is closed", advice="Use it inside its own `async with` block", page=page
        )

    async def close(self) -> None:
        """End every request, refuse later ones, and close the connections if they are its own.

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
            if self._parent is None:
                await self.client.close()
