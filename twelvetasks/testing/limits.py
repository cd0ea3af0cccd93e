"""The rate limit: a fixed window of time that starts with its first request.

`RateLimit` is the policy and can be shared; `RateWindow` counts for one platform, on the clock it
is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

import attrs

from twelvetasks.testing import instants
from twelvetasks.testing.answers import RefusalError


@attrs.frozen
class RateLimit:
    """A rate limit: requests beyond it are answered 429 until the window ends."""

    requests: int = attrs.field(validator=attrs.validators.ge(0))
    """Requests allowed in one window."""
    per: float = attrs.field(default=60.0, validator=attrs.validators.gt(0))
    """Length of a window in seconds."""
    retry_after: bool = attrs.field(default=True, kw_only=True)
    """Whether a 429 carries `Retry-After`, in whole seconds."""
    empty_body: bool = attrs.field(default=False, kw_only=True)
    """Whether a 429 has no body at all."""
    request_headers: bool = attrs.field(default=False, kw_only=True)
    """Whether the newer family `X-Ratelimit-Request-*` is sent as well."""


@attrs.frozen(kw_only=True)
class Verdict:
    """Whether one request is within the limit."""

    allowed: bool
    headers: dict[str, str]
    """What it adds to the answer."""
    body: bytes
    """The body of a refusal."""


class RateWindow:
    """Counts requests against a `RateLimit`."""

    def __init__(self, limit: RateLimit, clock: Callable[[], datetime]) -> None:
        self._limit = limit
        self._clock = clock
        self._ends = -math.inf
        self._used = 0

    def take(self) -> Verdict:
        """Count one request that arrives now."""
        limit = self._limit
        now = instants.microseconds(self._clock()) / 1e6
        if now >= self._ends:
            self._ends = now + limit.per
            self._used = 0
        allowed = self._used < limit.requests
        self._used += allowed
        remaining = str(limit.requests - self._used)
        reset = str(math.ceil(self._ends))
        headers = {
            "X-Ratelimit-Limit": str(limit.requests),
            "X-Ratelimit-Remaining": remaining,
            "X-Ratelimit-Used": str(self._used),
            "X-Ratelimit-Reset": reset,
        }
        if limit.request_headers:
            headers |= {
                "X-Ratelimit-Request-Limit": str(limit.requests),
                "X-Ratelimit-Request-Remaining": remaining,
                "X-Ratelimit-Request-Reset": reset,
            }
        if not allowed and limit.retry_after:
            headers["Retry-After"] = str(math.ceil(self._ends - now))
        resumes = instants.rfc3339(math.ceil(self._ends) * 1_000_000)
        message = (
            f"You have exceeded the rate limit ({limit.requests}req/{limit.per:g}s). "
            f"Please try again later after {resumes}."
        )
        body = b"" if limit.empty_body else RefusalError(429, "too_many_requests", message).body
        return Verdict(allowed=allowed, headers=headers, body=body)
