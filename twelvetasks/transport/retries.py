"""Retries as data: which failures are retried, how often, and after how long.

`RetryPolicy` holds the caller's settings; `wait_before_retry` applies them to one failure. Nothing
here sleeps or sends: stamina does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import attrs

from twelvetasks.values.checks import any_seconds, refuse, whole

TRANSIENT_STATUSES = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT.value, HTTPStatus.TOO_MANY_REQUESTS.value, *range(500, 600)}
)

REPEATABLE_METHODS = frozenset({"DELETE", "GET", "HEAD"})
"""Idempotent: sent twice, they have the effect of once (RFC 9110, section 9.2.2)."""


def _seconds_or_none(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        any_seconds(_, field, value)


def _status_set(value: Any) -> frozenset[int]:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        refuse("statuses", value, "must be HTTP statuses from 400 to 599")
    given = list(value)
    if not all(isinstance(status, int) and 400 <= status <= 599 for status in given):
        refuse("statuses", value, "must be HTTP statuses from 400 to 599")
    return frozenset(map(int, given))


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """Which failures of a request are retried, how often, and after how long.

    GET and DELETE are retried after connection errors, timeouts, bodies that were cut short, and
    the `statuses`. A POST, which creates, is retried only if it never left this machine or was
    refused with status 429, so that nothing is created twice::

        patient = RetryPolicy(attempts=10, wait_max=60)
        async with TaskSession(retry=patient) as session: ...

    Raises InvalidArgumentError, which names the parameter, for a value out of range.
    """

    attempts: int = attrs.field(default=6, validator=whole(least=1))
    """The most attempts for one request; 1 for no retries. A 429 does not count if the gate pauses
    after it: as long as no pause exceeds `longest_wait`, the request is retried."""
    wait_initial: float = attrs.field(default=0.5, validator=any_seconds)
    """Seconds before the first retry; they double with each further one."""
    wait_max: float = attrs.field(default=30.0, validator=any_seconds)
    """The longest wait in seconds before a retry, unless the platform asks for more."""
    wait_jitter: float = attrs.field(default=1.0, validator=any_seconds)
    """The most random seconds that are added to a wait, so that clients spread out in time."""
    longest_wait: float = attrs.field(default=90.0, validator=any_seconds)
    """The longest wait in seconds that the platform may ask for. If it asks for more, the error is
    raised at once, with its `retry_after`. The default covers limits per minute, even if the
    platform's clock is off by a few seconds, but not limits per day."""
    budget: float | None = attrs.field(default=3600.0, validator=_seconds_or_none)
    """Seconds that one listing may lose to failures: to failed attempts and the waits after them,
    concurrent ones counted once. After that, the next failure is final. None for no limit."""
    statuses: frozenset[int] = attrs.field(default=TRANSIENT_STATUSES, converter=_status_set)
    """The HTTP statuses that are retried, from 400 to 599: by default 408, 429 and all 5xx."""


@attrs.frozen(kw_only=True)
class Failure:
    """A failed attempt, as far as retries are concerned."""

    method: str
    status: int | None
    """The HTTP status, or None if no answer arrived."""
    lost: bool
    """Whether the connection failed, the attempt timed out, or the body was cut short."""
    reached: bool = True
    """Whether the platform may have received the request."""
    retry_after: float | None = None
    """Seconds that the platform asked to wait."""
    pause: float = 0.0
    """Seconds for which the gate is closed to every request."""


def wait_before_retry(
    policy: RetryPolicy, failure: Failure, *, number: int, chance: float
) -> float | None:
    """Return the seconds to wait after failure `number` (from 1), or None if it is final.

    `number` does not count a 429 for which the gate has paused all requests.

    `chance`, from 0 to 1, is how much of the jitter is added.
    """
    if policy.attempts == 1 or not _may_be_repeated(policy, failure):
        return None
    throttled = failure.status == HTTPStatus.TOO_MANY_REQUESTS
    paused = throttled and failure.pause > 0
    # The gate's pauses double until room is found, so `longest_wait` bounds them, not `attempts`.
    if number >= policy.attempts and not paused:
        return None
    asked = max(failure.retry_after or 0.0, failure.pause if throttled else 0.0)
    if asked or (throttled and failure.retry_after is not None):
        return asked if asked <= policy.longest_wait else None
    # Enough doublings for any wait, and few enough for a float to hold the result.
    doublings = min(number - 1, 64)
    return min(policy.wait_max, policy.wait_initial * 2.0**doublings + chance * policy.wait_jitter)


def _may_be_repeated(policy: RetryPolicy, failure: Failure) -> bool:
    transient = failure.lost or failure.status in policy.statuses
    if failure.method in REPEATABLE_METHODS:
        return transient
    refused = failure.status == HTTPStatus.TOO_MANY_REQUESTS and not failure.lost
    return transient and (refused or not failure.reached)


class Budget:
    """The seconds that one listing may still lose to failures, and what it has spent so far.

    All moments are seconds of one clock, such as `time.monotonic`.
    """

    def __init__(self, seconds: float | None) -> None:
        self.sent: int = 0
        """Attempts that may have reached the platform."""
        self.retries: int = 0
        """Attempts after a failure."""
        self._left = math.inf if seconds is None else seconds
        self._charged_until = -math.inf
        self._waiting = 0
        self._waits_since = 0.0
        self._waited = 0.0

    def allows(self, began: float, ends: float) -> bool:
        """Charge the time from a failed attempt's start to its wait's end; return if it is left.

        Time that was charged for another failure is not charged again.
        """
        start = max(began, self._charged_until)
        self._left -= max(ends - start, 0.0)
        self._charged_until = max(ends, self._charged_until)
        return self._left >= 0

    def begin_wait(self, now: float) -> None:
        """Note that one more request has to wait before it is sent."""
        if not self._waiting:
            self._waits_since = now
        self._waiting += 1

    def end_wait(self, now: float) -> None:
        """Note that one of them no longer waits."""
        self._waiting -= 1
        if not self._waiting:
            self._waited += now - self._waits_since

    def waited(self, now: float) -> float:
        """Return the seconds in which at least one request waited."""
        return self._waited + (now - self._waits_since if self._waiting else 0.0)
