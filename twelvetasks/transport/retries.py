"""Retries as data: which failures, how often, how long.

`RetryPolicy` says what is wanted, `wait_before_retry` what follows from it for one failure, and
stamina does it. Nothing here sleeps or sends; a wait of None means that the failure is final.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import attrs

from twelvetasks.values.checks import any_seconds, refuse, whole_number

__all__ = ["Budget", "Failure", "RetryPolicy", "wait_before_retry"]

PASSING_STATUSES = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT.value, HTTPStatus.TOO_MANY_REQUESTS.value, *range(500, 600)}
)

REPEATABLE_METHODS = frozenset({"DELETE", "GET", "HEAD"})
"""Sent twice, they do what they do once."""


def _seconds_or_none(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        any_seconds(_, field, value)


def _attempts(_: object, field: attrs.Attribute[Any], value: object) -> None:
    whole_number(field.name, value, least=1)


def _status_set(value: Any) -> frozenset[int]:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        refuse("statuses", value, "must be HTTP statuses from 400 to 599")
    given = list(value)
    if not all(isinstance(status, int) and 400 <= status <= 599 for status in given):
        refuse("statuses", value, "must be HTTP statuses from 400 to 599")
    return frozenset(map(int, given))


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """Which failures of a request are tried again, how often and after which waits.

    Requests that only read or delete (GET, DELETE) are tried again after lost, refused and cut
    connections, after timeouts and after the `statuses`. One that creates (POST) is tried again
    only if it provably never left this machine or the platform refused it with status 429: it is
    never carried out twice.

    Raises InvalidArgumentError, which names parameter and value, for what makes no sense.
    """

    attempts: int = attrs.field(default=6, validator=_attempts)
    """The most times that one request is sent; 1 for no retries."""
    wait_initial: float = attrs.field(default=0.5, validator=any_seconds)
    """Seconds before the first retry; they double with each further one."""
    wait_max: float = attrs.field(default=30.0, validator=any_seconds)
    """The most seconds before a retry, unless the platform asks for more."""
    wait_jitter: float = attrs.field(default=1.0, validator=any_seconds)
    """Up to so many seconds are added by chance, so that clients do not come back in step."""
    longest_wait: float = attrs.field(default=90.0, validator=any_seconds)
    """The longest wait in seconds that the platform may ask for; asked for more, it is not waited
    for: the error, which carries `retry_after`, is raised at once. The default is enough for limits
    per minute, whose ends are told in whole seconds and by another clock; not for those per day."""
    budget: float | None = attrs.field(default=3600.0, validator=_seconds_or_none)
    """Seconds that one listing may lose to failures in all, to failed attempts and to the waits
    after them, those of requests at the same time counted once; then the next failure is final.
    None for no such bound."""
    statuses: frozenset[int] = attrs.field(default=PASSING_STATUSES, converter=_status_set)
    """The HTTP statuses that may pass: 408, 429 and all from 500 to 599."""


@attrs.frozen(kw_only=True)
class Failure:
    """What is known of a failed attempt, as far as trying again goes."""

    method: str
    status: int | None
    """The HTTP status, or None if there was no whole answer."""
    lost: bool
    """Whether the connection failed, the time ran out or the body was cut short."""
    reached: bool = True
    """Whether the platform may have received the request."""
    retry_after: float | None = None
    """Seconds the platform asked to wait."""
    pause: float = 0.0
    """Seconds for which the gate lets nothing pass, anyway."""


def wait_before_retry(
    policy: RetryPolicy, failure: Failure, *, number: int, chance: float
) -> float | None:
    """Give the seconds to wait before retry `number` (from 1), or None if the failure is final.

    `chance`, from 0 to 1, is how much of the jitter is added.
    """
    if not _may_be_repeated(policy, failure):
        return None
    asked = failure.retry_after or 0.0
    if failure.status == HTTPStatus.TOO_MANY_REQUESTS:
        asked = max(asked, failure.pause)
    if asked:
        return asked if asked <= policy.longest_wait else None
    # Far enough for any wait, and short of where a power of two is no float any more.
    doublings = min(number - 1, 64)
    return min(policy.wait_max, policy.wait_initial * 2.0**doublings + chance * policy.wait_jitter)


def _may_be_repeated(policy: RetryPolicy, failure: Failure) -> bool:
    passing = failure.lost or failure.status in policy.statuses
    if failure.method in REPEATABLE_METHODS:
        return passing
    refused = failure.status == HTTPStatus.TOO_MANY_REQUESTS and not failure.lost
    return passing and (refused or not failure.reached)


class Budget:
    """The seconds that one listing has lost to failures, against what its policy allows it."""

    def __init__(self, seconds: float | None) -> None:
        self._left = math.inf if seconds is None else seconds
        self._charged_until = -math.inf

    def allows(self, began: float, ends: float) -> bool:
        """Charge the time from the start of a failed attempt to the end of the wait after it.

        Time that another failure has been charged for already is free.
        """
        start = max(began, self._charged_until)
        self._left -= max(ends - start, 0.0)
        self._charged_until = max(ends, self._charged_until)
        return self._left >= 0
