"""One request and its retries: each attempt passes the gate, and each failure sets a wait."""

from __future__ import annotations

import contextlib
import logging
import random
import time
from typing import Any

from twelvetasks.transport.client import Client
from twelvetasks.transport.gate import Gatekeeper
from twelvetasks.transport.messages import Answer, Outcome, Request
from twelvetasks.transport.retries import Budget, Failure, RetryPolicy, wait_before_retry
from twelvetasks.transport.telemetry import Telemetry
from twelvetasks.values.errors import RateLimitedError, TwelveTasksError

__all__ = ["Exchange"]

_log = logging.getLogger("twelvetasks")


class Exchange:
    """One request. stamina calls `attempt`, and `wait_before_retry` after each failure.

    stamina's instrumentation hooks see the name of `attempt`, and no arguments.
    """

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
        self._paused = 0
        self._wait: float | None = None
        self._lost = False

    async def attempt(self) -> Answer:
        """Pass the gate and send the request once; raise the error that came of it."""
        request = self._request
        passage = self._gate.passage(priority=request.priority, patience=self._retry.longest_wait)
        self._wait = None
        came = time.monotonic()
        try:
            async with passage as place:
                began = time.monotonic()
                with self._observe(waited=began - came) as observation:
                    outcome = await self._client.ask(request, fresh=self._lost)
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
        if isinstance(outcome.result, Answer):
            return outcome.result
        self._failures += 1
        self._lost = outcome.lost
        self._wait = self._wait_after(outcome, began)
        raise outcome.result

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
        )
        return self._wait

    def _observe(self, *, waited: float) -> contextlib.AbstractContextManager[Any]:
        if self._telemetry is None:
            return contextlib.nullcontext()
        request = self._request
        return self._telemetry.attempt(
            request.method, request.url, page=request.page, resends=self._failures, waited=waited
        )

    def _wait_after(self, outcome: Outcome, began: float) -> float | None:
        """Return the seconds to wait after an attempt that began then; None if it is final."""
        report = outcome.report
        failure = Failure(
            method=self._request.method,
            status=report.status,
            lost=outcome.lost,
            reached=report.reached,
            retry_after=report.retry_after,
            pause=self._gate.pause_left(),
        )
        self._paused += report.throttled and failure.pause > 0
        wait = wait_before_retry(
            self._retry,
            failure,
            number=max(self._failures - self._paused, 1),
            chance=random.random(),  # noqa: S311 - spreads clients in time, protects nothing
        )
        if wait is None or not self._request.repeatable():
            return None
        return wait if self._budget.allows(began, time.monotonic() + wait) else None
