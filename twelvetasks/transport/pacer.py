"""Decides when the next request may start: pauses, places and announced counts. Pure."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from typing import Generic, TypeVar

import attrs

from twelvetasks.transport.known_rate import KnownRate
from twelvetasks.transport.rate_finder import RateFinder
from twelvetasks.transport.ratelimits import Allowance, RateReport
from twelvetasks.values.checks import positive_seconds

LONGEST_FIRST_PAUSE = 2.0
"""Seconds. Longer pauses come from doubling, so that a limit which has risen is noticed soon."""

LONGEST_GUESS = 60.0
"""Seconds. The platform's limits are per minute and per day, and no retry waits for a day."""

SAME_RESET = 1.0
"""Seconds by which two announced resets may differ and mean the same: they have no fractions."""

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class GatePolicy:
    """How a gate pauses.

    Raises InvalidArgumentError, which names the parameter, for a value out of range.
    """

    pause: float = attrs.field(default=0.1, validator=positive_seconds)
    """Seconds of pause after a 429 that names no time, as long as no rate is known. They double
    each time the probe after a pause is refused, up to a minute."""
    longest_pause: float = attrs.field(default=3600.0, validator=positive_seconds)
    """The longest pause in seconds, whatever the platform asks for. Then one request probes, so
    that a single absurd answer does not stop a process for good."""


@attrs.define(eq=False)
class Place:
    """One request under way, as `Pacer` knows it."""

    number: int
    """In order of starting."""
    burst: int
    """How many bursts of refusals there had been when it started."""
    tries: bool
    """Whether it probes if a pause is over."""
    started: float
    """When it started."""


@attrs.define
class _Count:
    """The newest known state of one request count of the platform."""

    remaining: int
    limit: int | None
    resets_at: float

    def left(self, now: float) -> float:
        """Return how many requests may be left: after the reset, the whole limit."""
        if now < self.resets_at:
            return self.remaining
        return math.inf if self.limit is None else max(self.limit, 1)


class Pacer:
    """Decides when the next request may start. It keeps no time: every `now` is in seconds.

    After a refusal nothing starts until the pause is over; then one request probes. Any answer to
    it but another 429 ends the pause. The most requests under way are halved once for each burst of
    refusals, and grow by one with each round of successes. Requests whose answers have not arrived
    count against what the platform says is left.
    """

    def __init__(self, most: int, policy: GatePolicy, known: KnownRate | None = None) -> None:
        self.limit: int = most
        """How many requests may be under way, from 1 to `most`."""
        self._most = most
        self._policy = policy
        self._under_way: set[Place] = set()
        self._numbers = 0
        self._burst = 0
        self._successes = 0
        self._resume_at = -math.inf
        self._asked_until = -math.inf
        self._closed = False
        self._probe: Place | None = None
        self._refused_tries = 0
        self._counts: dict[str, _Count] = {}
        self._lost = 0
        self._first_to_show = 0
        self._finder = RateFinder()
        self._known = known
        self._named = 0.0
        self.guessed: bool = False
        """Whether the length of the newest pause is the gate's own guess."""

    @property
    def under_way(self) -> int:
        """How many requests are under way."""
        return len(self._under_way)

    def pause_left(self, now: float) -> float:
        """Return what is left of the pause in force, in seconds; 0.0 without one."""
        return max(self._asked_until - now, 0.0) if now < self._resume_at else 0.0

    def ready_at(self, now: float) -> float:
        """Return the time before which no request may start.

        It is `now` if one may start at once, and `inf` if none may before another has ended. It is
        valid until the next one starts, ends or is withdrawn.
        """
        if now < self._resume_at:
            return self._resume_at
        if len(self._under_way) >= self.limit or self._probe is not None:
            return math.inf
        ready_at = now
        if not self._closed:
            ready_at = self._finder.ready_at(now)
        if self._known is not None:
            ready_at = max(ready_at, self._known.ready_at(now))
        if not self._closed:
            for count in self._counts.values():
                if self._may_be_used_up(count, now):
                    ready_at = max(ready_at, count.resets_at if now < count.resets_at else math.inf)
        return ready_at

    def start(self, now: float) -> Place:
        """Start a request, which `ready_at` has to allow."""
        if self.ready_at(now) > now:
            raise ValueError("no request may start now")
        place = Place(self._numbers, self._burst, self._closed, now)
        self._numbers += 1
        self._under_way.add(place)
        self._finder.started(now)
        if self._known is not None:
            self._known.start(now)
        if self._closed:
            self._probe = place
        return place

    def withdraw(self, place: Place) -> None:
        """Take back a request that was started and provably has not been sent."""
        self._under_way.discard(place)
        if self._probe is place:
            self._probe = None

    def finish(self, place: Place, report: RateReport | None, now: float) -> None:
        """Note that a request has ended; without a report it may or may not have been counted."""
        if place not in self._under_way:
            return
        proves = self._probe is place
        self.withdraw(place)
        if report is not None and report.throttled:
            self._throttled(place, report, now)
            return
        if report is None or (report.reached and not report.allowances):
            self._lost += 1
            self._first_to_show = self._numbers
        if report is None or report.status is None:
            return
        if not report.allowances:
            # The platform seems to announce them no longer, so nothing would correct them.
            self._counts = {
                name: count for name, count in self._counts.items() if now < count.resets_at
            }
        self._finder.passed(place.started)
        if proves:
            self._closed = False
            self._refused_tries = 0
            self._finder.resumed(now, started=place.started, named=self._named)
        self._take_in(place, report.allowances, now)
        self._grow(place, report.status)

    def pause(self, seconds: float, now: float) -> None:
        """Start nothing for this many seconds; a longer pause in force stays."""
        self._pause(seconds, now, at_most=math.inf, guessed=False)

    def _pause(self, seconds: float, now: float, *, at_most: float, guessed: bool) -> None:
        """Announce a pause of this many seconds, and keep it for `at_most` seconds."""
        resume_at = now + min(seconds, at_most, self._policy.longest_pause)
        paused = now < self._resume_at
        if not paused or now + seconds > self._asked_until:
            self._asked_until = now + seconds
            self.guessed = guessed
        if paused and resume_at <= self._resume_at:
            return
        self._resume_at = resume_at
        self._closed = True
        # A probe that was sent before this pause was asked for says nothing about it.
        self._probe = None

    def abandon(self) -> None:
        """Forget all requests under way: nothing will report how they ended."""
        for place in tuple(self._under_way):
            self.withdraw(place)

    def skip_pause(self, now: float) -> None:
        """Behave as if the time to wait had passed."""
        self._resume_at = min(self._resume_at, now)
        self._counts.clear()
        self._finder.skip(now)
        if self._known is not None:
            self._known.skip(now)

    def _throttled(self, place: Place, report: RateReport, now: float) -> None:
        fresh = place.tries or place.burst == self._burst
        if place.tries:
            self._refused_tries += 1
        elif fresh:
            self._burst += 1
            self._successes = 0
            self.limit = max(self.limit // 2, 1)
        counted = any(not allowance.remaining for allowance in report.allowances)
        # An announced count says the limit itself, and a late refusal says nothing new.
        if fresh and not counted:
            self._finder.refused(place.started, probe=place.tries)
        if fresh:
            self._named = report.retry_after or 0.0
        if report.retry_after or fresh:
            kept = max(report.retry_after or 0.0, self._policy.pause, LONGEST_GUESS)
            pause = self._pause_after(report, place)
            self._pause(pause, now, at_most=kept, guessed=pause > (report.retry_after or 0.0))

    def _pause_after(self, report: RateReport, place: Place) -> float:
        """Return the seconds asked for; a guess if none are, or if they were not enough before."""
        if report.retry_after is not None and not place.tries:
            return report.retry_after
        first = self._policy.pause
        if self._finder.rate is not None:
            first = min(1.0 / self._finder.rate, LONGEST_FIRST_PAUSE)
        guess = first * 2.0 ** min(self._refused_tries, 64)
        return max(report.retry_after or 0.0, guess)

    def _take_in(self, place: Place, allowances: tuple[Allowance, ...], now: float) -> None:
        if allowances and place.number >= self._first_to_show:
            self._lost = 0
        for allowance in allowances:
            resets_at = now + min(allowance.reset_after, self._policy.longest_pause)
            known = self._counts.get(allowance.name)
            if known is None or known.resets_at <= now or resets_at > known.resets_at + SAME_RESET:
                self._counts[allowance.name] = _Count(
                    allowance.remaining, allowance.limit, resets_at
                )
            elif resets_at < known.resets_at - SAME_RESET:
                continue
            else:
                # Answers may arrive out of order, and a count only falls until its reset.
                known.remaining = min(known.remaining, allowance.remaining)
            if not allowance.remaining:
                self.pause(allowance.reset_after, now)

    def _grow(self, place: Place, status: int) -> None:
        if status < 500 and place.burst == self._burst and self.limit < self._most:
            self._successes += 1
            if self._successes >= self.limit:
                self._successes = 0
                self.limit += 1

    def _may_be_used_up(self, count: _Count, now: float) -> bool:
        """Return whether requests that the count does not show yet may need all that is left."""
        left = count.left(now)
        if not self._under_way:
            return left <= 0
        return left - len(self._under_way) - self._lost <= 0


class Line(Generic[T]):
    """A queue: the lowest priority first, and among equals in order of arrival."""

    def __init__(self) -> None:
        self._order: list[tuple[float, int]] = []
        self._waiting: dict[int, T] = {}
        self._numbers = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[tuple[int, T]]:
        return iter(tuple(self._waiting.items()))

    def join(self, priority: float, who: T) -> int:
        """Join the queue; return the number to `leave` with."""
        self._numbers += 1
        self._waiting[self._numbers] = who
        heapq.heappush(self._order, (priority, self._numbers))
        return self._numbers

    def leave(self, number: int) -> None:
        """Leave the queue; does nothing for a number that has left already."""
        self._waiting.pop(number, None)
        if len(self._order) > 2 * len(self._waiting) + 64:
            self._order = [place for place in self._order if place[1] in self._waiting]
            heapq.heapify(self._order)

    def pop(self) -> T:
        """Remove and return the first in the queue, which must not be empty."""
        while True:
            _, number = heapq.heappop(self._order)
            if number in self._waiting:
                return self._waiting.pop(number)
