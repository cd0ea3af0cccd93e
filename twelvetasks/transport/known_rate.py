"""A rate limit that the caller knows: at most a number of requests in any period. Pure.

The generic cell rate algorithm: each request moves a theoretical arrival time on by one interval,
and may start while that time is less than a burst ahead. A twentieth of the limit stays unused, as
requests may be delayed on their way and then arrive closer together than they were sent.
"""

from __future__ import annotations

import math

import attrs


def default_burst(requests: int) -> int:
    """Return how many requests may go at once after an idle time: a twentieth of the limit."""
    return max(requests // 20, 1)


def steady_requests(requests: int, burst: int) -> int:
    """Return how many requests may go in one period under a steady load.

    Together with a burst they are no more than `requests` less a twentieth, as the last of a burst
    is also the first of what follows it.
    """
    return max(requests - requests // 20 - burst + 1, 1)


@attrs.define
class KnownRate:
    """Allows `requests` in any `per` seconds of the caller's clock, and spreads them evenly."""

    requests: int
    per: float
    _arrival: float = attrs.field(default=-math.inf, init=False)

    @property
    def _interval(self) -> float:
        steady = steady_requests(self.requests, default_burst(self.requests))
        # Of fewer than 20 requests a twentieth is none, so the time between them grows instead.
        return self.per / min(steady, self.requests / 1.05)

    def ready_at(self, now: float) -> float:
        """Return the time before which no request may start; `now` if one may at once."""
        return max(self._arrival - (default_burst(self.requests) - 1) * self._interval, now)

    def start(self, now: float) -> None:
        """Count a request that starts."""
        self._arrival = max(self._arrival, now) + self._interval

    def skip(self, now: float) -> None:
        """Behave as if the wait for the next request had passed."""
        self._arrival = min(self._arrival, now)
