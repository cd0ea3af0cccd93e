"""One request and its retries: attempts, with the gate before each and stamina's waits between."""

from __future__ import annotations

import asyncio
import logging
import random
import time

from twelvetasks.transport.client import Client
from twelvetasks.transport.gate import Gatekeeper
from twelvetasks.transport.messages import Answer, Outcome, Request
from twelvetasks.transport.retries import Budget, Failure, RetryPolicy, wait_before_retry
from twelvetasks.transport.telemetry import Telemetry
from twelvetasks.values.errors import (
    RateLimitedError,
    TwelveTasksError,
)

_log = logging.getLogger("twelvetasks")


class Exchange:
    """One request and its retries. Its name is what stamina's instrumentation tells of it."""

    def __init__(
        self,
        client: Client,
        gate: Gatekeeper,
        retry: RetryPolicy,
        telemetry: Telemetry | None,
        request: Request,
    ) -> None:
        self._client = client
        self._gate = gate
        self._retry = retry
        self._telemetry = telemetry
        self._request = request
        self._budget = request.budget or Budget(retry.budget)
        self._failures = 0
        self._wait: float | None = None
        self._notice: asyncio.Handle | None = None
        self._known: TwelveTasksError | None = None

    async def run(self) -> Answer:
        """Make attempts, with stamina's waits between them, until one succeeds or is final.

        Only what fails is stamina's business: it is then told of the first failure as if it had
        made that attempt itself.
        """
        try:
            return await self._send_once()
        except TwelveTasksError as error:
            if self._wait is None:
                raise
            self._known = error
        # Most programs never need it, and with tenacity it takes as long to import as all of ours.
        import stamina  # noqa: PLC0415

        attempts = stamina.retry(
            on=self._wait_before_retry, attempts=self._retry.attempts, timeout=None
        )
        try:
            return await attempts(self.attempt)()
        finally:
            if self._notice is not None:
                self._notice.cancel()

    async def attempt(self) -> Answer:
        """Make an attempt, or tell of the one that was made already."""
        known, self._known = self._known, None
        if known is not None:
            raise known
        return await self._send_once()

    async def _send_once(self) -> Answer:
        """Pass the gate and send the request."""
        request = self._request
        passage = self._gate.passage(priority=request.priority, patience=self._retry.longest_wait)
        self._wait = None
        came = time.monotonic()
        try:
            async with passage as place:
                began = time.monotonic()
                if self._telemetry is None:
                    outcome = await self._client.ask(request)
                else:
                    outcome = await self._observed(self._telemetry, waited=began - came)
                place.report(outcome.report)
        except RateLimitedError as refused:
            # The gate's own: nothing was sent.
            raise refused.located(page=request.page) from None
        if isinstance(outcome.result, Answer):
            return outcome.result
        self._note(outcome, began)
        raise outcome.result

    async def _observed(self, telemetry: Telemetry, *, waited: float) -> Outcome:
        request = self._request
        with telemetry.attempt(
            request.method, request.url, page=request.page, resends=self._failures, waited=waited
        ) as attempt:
            outcome = await self._client.ask(request)
            result = outcome.result
            attempt.answered(
                status=result.status,
                request_id=result.request_id,
                error=None if isinstance(result, Answer) else result,
            )
        return outcome

    def _note(self, outcome: Outcome, began: float) -> None:
        """Decide, as long as all is known of it, what the failure of an attempt leads to."""
        report = outcome.report
        self._failures += 1
        failure = Failure(
            method=self._request.method,
            status=report.status,
            lost=outcome.lost,
            reached=report.reached,
            retry_after=report.retry_after,
            pause=self._gate.pause_left(),
        )
        self._wait = wait_before_retry(
            self._retry,
            failure,
            number=self._failures,
            chance=random.random(),  # noqa: S311 - spreads clients in time, protects nothing
        )
        if self._request.repeatable is not None and not self._request.repeatable():
            self._wait = None
        now = time.monotonic()
        if self._wait is not None and not self._budget.allows(began, now + self._wait):
            self._wait = None

    def _wait_before_retry(self, error: Exception) -> bool | float:
        """Tell stamina the wait, and have it logged as soon as stamina has begun to wait."""
        if self._wait is None or not isinstance(error, TwelveTasksError):
            return False
        # Whether this attempt was the last is stamina's to know. If it was, `run` ends before the
        # event loop comes to the notice.
        self._notice = asyncio.get_running_loop().call_soon(
            self._log_retry, self._wait, error.reason
        )
        return self._wait

    def _log_retry(self, wait: float, reason: str) -> None:
        request = self._request
        _log.info(
            "retry %d of %s %s%s in %.2f s: %s",
            self._failures,
            request.method,
            request.url.path,
            "" if request.page is None else f", page {request.page},",
            wait,
            reason,
        )
