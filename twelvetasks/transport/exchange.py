"""One request and its retries: each attempt passes the gate, and each failure sets a wait."""

from __future__ import annotations

import contextlib
import logging
import random
import time
from typing import Any

from twelvetasks.transport.client import Client
from twelvetasks.transport.gate import Gatekeeper
from twelvetasks.transport.log import log_attempt
from twelvetasks.transport.messages import Answer, Outcome, Request
from twelvetasks.transport.retries import Budget, Failure, RetryPolicy, wait_before_retry
from twelvetasks.transport.telemetry import Telemetry
from twelvetasks.transport.uploads_lane import UploadsLane
from twelvetasks.values.errors import RateLimitedError, TwelveTasksError

__all__ = ["Exchange"]

_log = logging.getLogger("twelvetasks")


class Exchange:
    """One request and its retries.

    The outcome of an attempt is a value, and only a failed one goes through stamina, which costs a
    request more CPU than everything else here. It calls `attempt`, which raises the error,
    and then `wait_before_retry`. Its instrumentation hooks see the name of `attempt`, and no
    arguments.
    """

    def __init__(
        self,
        client: Client,
        gate: Gatekeeper,
        uploads: UploadsLane,
        retry: RetryPolicy,
        telemetry: Telemetry | None,
        request: Request,
    ) -> None:
        self._client = client
        self._gate = gate
        self._uploads = uploads
        self._retry = retry
        self._telemetry = telemetry
        self._request = request
        self._budget = request.budget or Budget(retry.budget)
        self._failures = 0
        self._paused = 0
        self._wait: float | None = None
        self._lost = False
        self._key_renewed = False
        self._waits = False
        self._outcome: Outcome | None = None
        """The outcome of the first attempt, until stamina has waited for its retry."""

    async def run(self) -> Answer:
        """Send the request until it succeeds, or raise the error of the last attempt."""
        try:
            outcome = await self._send_once()
            if isinstance(outcome.result, Answer):
                return outcome.result
            if self._wait is None:
                raise outcome.result
            import stamina  # noqa: PLC0415 - most programs never retry, and it is slow to import

            self._outcome = outcome
            # The policy counts attempts, and so knows which one is the last.
            retry = stamina.retry(on=self.wait_before_retry, attempts=None, timeout=None)
            return await retry(self.attempt)()
        finally:
            self._note_wait(begins=False)

    async def attempt(self) -> Answer:
        """Return the answer, or raise the error, of the pending outcome, or of a new attempt."""
        outcome = self._outcome or await self._send_once()
        self._outcome = None
        if isinstance(outcome.result, Answer):
            return outcome.result
        raise outcome.result

    async def _send_once(self) -> Outcome:
        """Pass the gate and send the request, and decide on a retry if that fails."""
        request = self._request
        gate = self._uploads if request.is_upload else self._gate
        passage = gate.passage(priority=request.priority, patience=self._retry.longest_wait)
        self._wait = None
        came = self._note_wait(begins=True)
        try:
            async with passage as place:
                began = self._note_wait(begins=False)
                self._budget.sent += 1
                self._budget.retries += self._failures > 0
                with self._observe(waited=began - came) as observation:
                    outcome = await self._client.ask(request, fresh=self._lost)
                    log_attempt(
                        request,
                        outcome,
                        number=self._failures + 1,
                        seconds=time.monotonic() - began,
                    )
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
                self._note_wait(begins=True)
        return outcome

    def _note_wait(self, *, begins: bool) -> float:
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

    def _observe(self, *, waited: float) -> contextlib.AbstractContextManager[Any]:
        if self._telemetry is None:
            return contextlib.nullcontext()
        request = self._request
        return self._telemetry.attempt(
            request.method, request.url, page=request.page, resends=self._failures, waited=waited
        )

    def _wait_after(self, outcome: Outcome, began: float) -> float | None:
        """Return the seconds to wait after an attempt that began then; None if it is final."""
        if outcome.key_renewed:
            # Once only: a callable may make a different key each time.
            is_first, self._key_renewed = not self._key_renewed, True
            last = self._failures >= self._retry.attempts
            return 0.0 if is_first and not last and self._request.repeatable() else None
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
        if wait is None or outcome.lasting or not self._request.repeatable():
            return None
        return wait if self._budget.allows(began, time.monotonic() + wait) else None
