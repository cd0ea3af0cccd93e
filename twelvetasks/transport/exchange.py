"""Requests and their retries: each attempt passes the gate, and all end with their session."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from typing import Any, Self

from twelvetasks.transport.client import Client
from twelvetasks.transport.gate import Gatekeeper
from twelvetasks.transport.home_loop import HomeLoop
from twelvetasks.transport.messages import Answer, Outcome, Request
from twelvetasks.transport.options import Options
from twelvetasks.transport.retries import Budget, Failure, wait_before_retry
from twelvetasks.transport.telemetry import Telemetry
from twelvetasks.transport.uploads_lane import UploadsLane
from twelvetasks.values.errors import RateLimitedError, SessionClosedError, TwelveTasksError

_log = logging.getLogger("twelvetasks")


class Transport:
    """Sends requests, each as often as the retry policy allows, until it is closed."""

    def __init__(
        self,
        client: Client,
        options: Options,
        *,
        gate: Gatekeeper,
        telemetry: Telemetry | None = None,
        parent: Self | None = None,
    ) -> None:
        self.client = client
        self.options = options
        self.gate = gate
        self.telemetry = telemetry
        self._parent = parent
        self.uploads: UploadsLane = (
            UploadsLane(gate, options.concurrency) if parent is None else parent.uploads
        )
        self.home: HomeLoop = HomeLoop("session", "TaskSession") if parent is None else parent.home
        self._scopes: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self.closed: bool = False

    def with_options(self, options: Options) -> Self:
        """Return a transport with other options that shares all else, and can be closed alone."""
        return type(self)(
            self.client, options, gate=self.gate, telemetry=self.telemetry, parent=self
        )

    async def send(self, request: Request) -> Answer:
        """Send a request until it succeeds, or raise the error of its last attempt.

        Raises SessionClosedError if the transport is closed, now or meanwhile, and in another event
        loop than the one that it was first used in. Closing ends a timeout scope instead of
        cancelling the task, because the task may be the caller's own.
        """
        self.home.enter(page=request.page)
        if self.closed:
            raise self.closed_error(page=request.page)
        exchange = Exchange(self, request)
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._scopes.add(scope)
                self._idle.clear()
                outcome = await exchange.send_once()
                if isinstance(outcome.result, Answer):
                    return outcome.result
                return await exchange.retry(outcome)
        except TimeoutError:
            if not scope.expired():
                raise
        finally:
            exchange.note_wait(begins=False)
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
                await self.client.connections.close()


class Exchange:
    """One request and its retries.

    The outcome of an attempt is a value, and only a failed one goes through stamina, which costs a
    request more CPU than everything else here. It calls `attempt`, which raises the error,
    and then `wait_before_retry`. Its instrumentation hooks see the name of `attempt`, and no
    arguments.
    """

    def __init__(self, transport: Transport, request: Request) -> None:
        self._transport = transport
        self._request = request
        self._policy = transport.options.retry
        self._budget = request.budget or Budget(self._policy.budget)
        self._failures = 0
        self._paused = 0
        self._wait: float | None = None
        self._lost = False
        self._key_renewed = False
        self._waits = False
        self._outcome: Outcome | None = None
        """The outcome of the first attempt, until stamina has waited for its retry."""

    async def retry(self, failed: Outcome) -> Answer:
        """Send the request again after its first attempt, as the policy says, or raise its error.

        The error raised is that of the last attempt.
        """
        self._outcome = failed
        if self._wait is None:
            return await self.attempt()
        import stamina  # noqa: PLC0415 - most programs never retry, and it is slow to import

        # The policy counts attempts, and so knows which one is the last.
        retry = stamina.retry(on=self.wait_before_retry, attempts=None, timeout=None)
        return await retry(self.attempt)()

    async def attempt(self) -> Answer:
        """Return the answer, or raise the error, of the pending outcome, or of a new attempt."""
        outcome = self._outcome or await self.send_once()
        self._outcome = None
        if isinstance(outcome.result, Answer):
            return outcome.result
        raise outcome.result

    async def send_once(self) -> Outcome:
        """Pass the gate and send the request, and decide on a retry if that fails."""
        request, transport = self._request, self._transport
        gate = transport.uploads if request.is_upload else transport.gate
        self._wait = None
        came = self.note_wait(begins=True)
        try:
            async with gate.passage(
                priority=request.priority, patience=self._policy.longest_wait
            ) as place:
                began = self.note_wait(begins=False)
                self._budget.sent += 1
                self._budget.retries += self._failures > 0
                with self._observe(waited=began - came) as observation:
                    outcome = await transport.client.ask(
                        request, transport.options, fresh=self._lost
                    )
                    if _log.isEnabledFor(logging.DEBUG):
                        self._log_attempt(outcome, seconds=time.monotonic() - began)
                    if observation is not None:
                        result = outcome.result
                        observation.answered(
                            status=result.status,
                            request_id=result.request_id,
                            error=None if isinstance(result, Answer) else result,
                        )
                place.report(outcome.report)
        except RateLimitedError as refused:
            # Raised by the gate, which knows no page: nothing was sent.
            raise refused.located(page=request.page) from None
        if not isinstance(outcome.result, Answer):
            self._budget.sent -= not outcome.report.reached
            self._failures += 1
            self._lost = outcome.lost
            self._wait = self._wait_after(outcome, began)
            if self._wait is not None:
                self.note_wait(begins=True)
        return outcome

    def note_wait(self, *, begins: bool) -> float:
        """Note whether the request waits to be sent, and return the time."""
        now = time.monotonic()
        if begins and not self._waits:
            self._budget.begin_wait(now)
        elif self._waits and not begins:
            self._budget.end_wait(now)
        self._waits = begins
        return now

    def wait_before_retry(self, error: Exception) -> bool | float:
        """Return the seconds to wait after a failed attempt, or False if its error is final."""
        if self._wait is None or not isinstance(error, TwelveTasksError):
            return False
        request = self._request
        _log.info(
            "retry %d of %s %s%s in %.2f s: %s",
            self._failures,
            request.method,
            request.url.path,
            "" if request.page is None else f", page {request.page},",
            self._wait,
            error.reason,
            extra={"lost": self._lost, "connected": getattr(error, "reached", True)},
        )
        return self._wait

    def _log_attempt(self, outcome: Outcome, *, seconds: float) -> None:
        """Log one attempt: method, path, outcome, milliseconds, its number, request id."""
        request, result = self._request, outcome.result
        what = str(result.status) if result.status is not None else "no answer"
        if not isinstance(result, Answer) and result.status is None:
            what = f"{what}: {result.reason}"
        _log.debug(
            "%s %s%s: %s in %.0f ms (attempt %d, request id %s)",
            request.method,
            request.url.raw_path,
            "" if request.page is None else f", page {request.page}",
            what,
            seconds * 1000,
            self._failures + 1,
            result.request_id or "none",
        )

    def _observe(self, *, waited: float) -> contextlib.AbstractContextManager[Any]:
        if (telemetry := self._transport.telemetry) is None:
            return contextlib.nullcontext()
        request = self._request
        return telemetry.attempt(
            request.method, request.url, page=request.page, resends=self._failures, waited=waited
        )

    def _wait_after(self, outcome: Outcome, began: float) -> float | None:
        """Return the seconds to wait after an attempt that began then; None if it is final."""
        if outcome.key_renewed:
            # Once only: a callable may make a different key each time.
            is_first, self._key_renewed = not self._key_renewed, True
            last = self._failures >= self._policy.attempts
            return 0.0 if is_first and not last and self._request.repeatable() else None
        report = outcome.report
        failure = Failure(
            method=self._request.method,
            status=report.status,
            lost=outcome.lost,
            reached=report.reached,
            retry_after=report.retry_after,
            pause=self._transport.gate.pause_left(),
        )
        self._paused += report.throttled and failure.pause > 0
        wait = wait_before_retry(
            self._policy,
            failure,
            number=max(self._failures - self._paused, 1),
            chance=random.random(),  # noqa: S311 - spreads clients in time, protects nothing
        )
        if wait is None or outcome.lasting or not self._request.repeatable():
            return None
        return wait if self._budget.allows(began, time.monotonic() + wait) else None
