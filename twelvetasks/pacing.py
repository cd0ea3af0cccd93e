"""The gate every request passes: how many at once, a pause for all, and who goes first after it.

`Pacer` and `Line` decide, on a clock they are given; `Gate` is the thin part that waits. A request
that waits for its retry must not hold a place.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Generic, Protocol, Self, TypeVar, runtime_checkable

import attrs

from twelvetasks.errors import RateLimitedError, SessionClosedError
from twelvetasks.query import check_seconds, positive_seconds, refuse, whole_number
from twelvetasks.ratelimits import Allowance, RateReport

__all__ = ["Gate", "GatePolicy", "Gatekeeper", "Line", "Pacer", "Passage", "Place"]

LONGEST_GUESS = 60.0
"""Seconds: the platform's limits are per minute and per day, and no retry outwaits a day."""

SAME_RESET = 1.0
"""Seconds by which two announced resets may differ and be one: they are told in whole seconds."""

T = TypeVar("T")


class Passage(Protocol):
    """One request's place at the gate, from before it is sent until its answer is read."""

    def report(self, report: RateReport, /) -> None:
        """Say what came of the request. Left without a report, it counts as lost on its way."""
        ...


@runtime_checkable
class Gatekeeper(Protocol):
    """What a session's requests need of a gate. `Gate` is one; so is any class with these two."""

    def passage(
        self, *, priority: float = 0, patience: float = math.inf
    ) -> AbstractAsyncContextManager[Passage]:
        """Wait for a place, hold it, and give it back on leaving, in whatever way that happens.

        Entering waits; of all that wait the lowest `priority` goes first, and among equals the
        first that came. Leaving tells the gate what was reported, and may await.

        Entering raises RateLimitedError, with `retry_after`, instead of waiting for a pause that
        lasts longer than `patience` seconds. Cancelled, it gives its place back.
        """
        ...

    def pause_left(self) -> float:
        """Give the seconds until the pause in force is over; 0.0 without one.

        It tells what this process knows, without asking anybody.
        """
        ...


@attrs.frozen(kw_only=True)
class GatePolicy:
    """How a gate pauses.

    Raises InvalidArgumentError, which names parameter and value, for what makes no sense.
    """

    pause: float = attrs.field(default=5.0, validator=positive_seconds)
    """Seconds of pause after a 429 that names no time. They double each time the request that is
    then sent to try is refused as well, up to a minute."""
    longest_pause: float = attrs.field(default=3600.0, validator=positive_seconds)
    """The longest pause in seconds, whatever the platform asks for: one request is sent to try
    then, so that a single absurd answer does not stop a process for good."""


@attrs.define(eq=False)
class Place:
    """One request under way, as `Pacer` knows it."""

    number: int
    """In order of starting."""
    burst: int
    """How many bursts of refusals had been met when it started."""
    tries: bool
    """Whether it is sent to try if a pause is over."""


@attrs.define
class _Count:
    """The newest that is known of one count of requests at the platform."""

    remaining: int
    limit: int | None
    resets_at: float

    def left(self, now: float) -> float:
        """Give how many requests may be left: after the reset as many as there are in all."""
        if now < self.resets_at:
            return self.remaining
        return math.inf if self.limit is None else max(self.limit, 1)


class Pacer:
    """Decides when the next request may start. It keeps no time: every `now` is in seconds.

    After a refusal nothing starts until the pause is over; then one request is sent to try. Any
    answer to it but another 429 ends the pause. The number under way is halved once for each burst
    of refusals, and grows by one with each round of successes. What the platform says is left is
    never overrun by requests whose answers have not come yet.
    """

    def __init__(self, most: int, policy: GatePolicy) -> None:
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

    @property
    def under_way(self) -> int:
        """How many requests are under way."""
        return len(self._under_way)

    def pause_left(self, now: float) -> float:
        """Give the seconds for which the platform has asked to be left alone; 0.0 if it has not."""
        return max(self._asked_until - now, 0.0) if now < self._resume_at else 0.0

    def ready_at(self, now: float) -> float:
        """Give the time before which no request may start.

        It is `now` if one may at once, and `inf` if none may before another has ended. It holds
        until the next one starts, ends or is withdrawn.
        """
        if now < self._resume_at:
            return self._resume_at
        if len(self._under_way) >= self.limit or self._probe is not None:
            return math.inf
        ready_at = now
        if not self._closed:
            for count in self._counts.values():
                if self._may_be_used_up(count, now):
                    ready_at = max(ready_at, count.resets_at if now < count.resets_at else math.inf)
        return ready_at

    def start(self, now: float) -> Place:
        """Let a request start, which `ready_at` has to allow."""
        if self.ready_at(now) > now:
            raise ValueError("no request may start now")
        place = Place(self._numbers, self._burst, self._closed)
        self._numbers += 1
        self._under_way.add(place)
        if self._closed:
            self._probe = place
        return place

    def withdraw(self, place: Place) -> None:
        """Take back a request that was let start and provably has not been sent."""
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
            # They are announced no more, as it seems, and nothing else would ever correct them.
            self._counts = {
                name: count for name, count in self._counts.items() if now < count.resets_at
            }
        if proves:
            self._closed = False
            self._refused_tries = 0
        self._take_in(place, report.allowances, now)
        self._grow(place, report.status)

    def pause(self, seconds: float, now: float) -> None:
        """Let nothing start for so long; a longer pause in force stays."""
        resume_at = now + min(seconds, self._policy.longest_pause)
        paused = now < self._resume_at
        self._asked_until = max(now + seconds, self._asked_until if paused else -math.inf)
        if paused and resume_at <= self._resume_at:
            return
        self._resume_at = resume_at
        self._closed = True
        # A request sent to try before this pause was asked for says nothing about it.
        self._probe = None

    def abandon(self) -> None:
        """Forget all that is under way: its end will never be told."""
        for place in tuple(self._under_way):
            self.withdraw(place)

    def skip_pause(self, now: float) -> None:
        """Behave as if what is waited for had passed."""
        self._resume_at = min(self._resume_at, now)
        self._counts.clear()

    def _throttled(self, place: Place, report: RateReport, now: float) -> None:
        if place.tries:
            self._refused_tries += 1
        elif place.burst == self._burst:
            self._burst += 1
            self._successes = 0
            self.limit = max(self.limit // 2, 1)
        if report.retry_after:
            self.pause(report.retry_after, now)
        elif now >= self._resume_at:
            guess = self._policy.pause * 2.0 ** min(self._refused_tries, 64)
            self.pause(min(guess, max(self._policy.pause, LONGEST_GUESS)), now)

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
                # Answers overtake each other, and within one count nothing comes back.
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
        """Whether all that is left may be needed for requests that the count does not show yet."""
        left = count.left(now)
        if not self._under_way:
            return left <= 0
        return left - len(self._under_way) - self._lost <= 0


class Line(Generic[T]):
    """Those that wait: the lowest priority first, and among equals the first that came."""

    def __init__(self) -> None:
        self._order: list[tuple[float, int]] = []
        self._waiting: dict[int, T] = {}
        self._numbers = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[tuple[int, T]]:
        return iter(tuple(self._waiting.items()))

    def join(self, priority: float, who: T) -> int:
        """Wait; give the number to `leave` with."""
        self._numbers += 1
        self._waiting[self._numbers] = who
        heapq.heappush(self._order, (priority, self._numbers))
        return self._numbers

    def leave(self, number: int) -> None:
        """Stop waiting; whoever has left already may do so again."""
        self._waiting.pop(number, None)
        if len(self._order) > 2 * len(self._waiting) + 64:
            self._order = [place for place in self._order if place[1] in self._waiting]
            heapq.heapify(self._order)

    def pop(self) -> T:
        """Take out the one whose turn it is; there has to be one."""
        while True:
            _, number = heapq.heappop(self._order)
            if number in self._waiting:
                return self._waiting.pop(number)


@attrs.define(eq=False)
class _Waiter:
    future: asyncio.Future[Place | RateLimitedError]
    patience: float


class Gate:
    """What the requests of one session pass, or of several in one event loop that share it.

    `concurrency` is how many may be under way at once. A 429 to any of them pauses all; after the
    pause one goes first, and then their number grows again. Where the platform says how many
    requests are left, the gate stops before the limit. Make one and pass it to each
    `TaskSession` of an account: ``TaskSession(gate=gate)``. It needs no closing.

    Like stamina's waits, its pauses are skipped under `stamina.set_testing`.

    Raises InvalidArgumentError for an argument out of range.
    """

    def __init__(
        self,
        concurrency: int = 8,
        *,
        policy: GatePolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        whole_number("concurrency", concurrency, least=1)
        if policy is None:
            policy = GatePolicy()
        elif not isinstance(policy, GatePolicy):
            refuse("policy", policy, "must be a GatePolicy")
        self.concurrency = concurrency
        """The most requests that may be under way at once."""
        self.policy = policy
        """How it pauses."""
        self._clock = clock
        self._pacer = Pacer(concurrency, policy)
        self._line: Line[_Waiter] = Line()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def limit(self) -> int:
        """How many requests may be under way now: less than `concurrency` after a 429."""
        return self._pacer.limit

    @property
    def under_way(self) -> int:
        """How many requests are under way."""
        return self._pacer.under_way

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return len(self._line)

    def __repr__(self) -> str:
        return f"<Gate concurrency={self.concurrency}, limit={self.limit}>"

    def pause_left(self) -> float:
        """Give the seconds until the pause in force is over; 0.0 without one."""
        return self._pacer.pause_left(self._clock())

    def pause(self, seconds: float) -> None:
        """Let no request begin for so many seconds, as after a 429; a longer pause stays.

        Raises InvalidArgumentError unless they are a positive, finite number.
        """
        check_seconds("seconds", seconds, positive=True)
        self._pacer.pause(seconds, self._clock())
        self._let_pass()

    def passage(
        self, *, priority: float = 0, patience: float = math.inf
    ) -> AbstractAsyncContextManager[Passage]:
        """Wait for a place, hold it, and give it back on leaving.

        The lowest `priority` goes first; listings give the rank of the first task of their page.
        Entering raises RateLimitedError instead of waiting for a pause of more than `patience`
        seconds.
        """
        return _GatePassage(self, priority, patience)

    async def enter(self, priority: float, patience: float) -> Place:
        """Wait for a place, which `leave` has to give back; `passage` does both."""
        self._use_running_loop()
        now = self._clock()
        if not self._line and self._pacer.ready_at(now) <= now:
            return self._pacer.start(now)
        waiter = _Waiter(asyncio.get_running_loop().create_future(), patience)
        number = self._line.join(priority, waiter)
        self._let_pass()
        try:
            outcome = await waiter.future
        except asyncio.CancelledError:
            self._line.leave(number)
            # It may have been given a place already, and be cancelled before it could take it.
            given = None if waiter.future.cancelled() else waiter.future.result()
            if isinstance(given, Place):
                self._pacer.withdraw(given)
            self._let_pass()
            raise
        if isinstance(outcome, Place):
            return outcome
        raise outcome

    def leave(self, place: Place, report: RateReport | None) -> None:
        """Give a place back and say what came of the request."""
        self._pacer.finish(place, report, self._clock())
        if self._line:
            self._let_pass()

    def _let_pass(self) -> None:
        """Let all go whose turn has come, and look again when the next one's may have."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._clock()
        self._refuse_the_impatient(now)
        while self._line:
            ready_at = self._pacer.ready_at(now)
            if now < ready_at < math.inf and _pauses_are_skipped():
                self._pacer.skip_pause(now)
            elif now < ready_at:
                if ready_at < math.inf and self._loop is not None:
                    self._timer = self._loop.call_later(ready_at - now, self._let_pass)
                return
            else:
                waiter = self._line.pop()
                if not waiter.future.done():
                    waiter.future.set_result(self._pacer.start(now))

    def _refuse_the_impatient(self, now: float) -> None:
        left = self._pacer.pause_left(now)
        for number, waiter in self._line if left else ():
            if waiter.patience < left:
                self._line.leave(number)
                if not waiter.future.done():
                    waiter.future.set_result(_too_long(left))

    def _use_running_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        if self._loop is not None and self._loop.is_closed():
            # What was under way in a loop that is no more can never end.
            self._pacer.abandon()
            self._line = Line()
            self._timer = None
        if self._line or self._pacer.under_way:
            raise SessionClosedError(
                "the gate is in use in another event loop",
                advice="Make a Gate in each event loop, such as in each thread",
            )
        self._loop = loop


def _pauses_are_skipped() -> bool:
    import stamina  # noqa: PLC0415 - see `Exchange.run`: it is slow to import, and needed rarely

    return stamina.is_testing()


class _GatePassage:
    """One way through a `Gate`."""

    __slots__ = ("_gate", "_patience", "_place", "_priority", "_report")

    def __init__(self, gate: Gate, priority: float, patience: float) -> None:
        self._gate = gate
        self._priority = priority
        self._patience = patience
        self._report: RateReport | None = None

    async def __aenter__(self) -> Self:
        self._place = await self._gate.enter(self._priority, self._patience)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._gate.leave(self._place, self._report)

    def report(self, report: RateReport, /) -> None:
        self._report = report


def _too_long(left: float) -> RateLimitedError:
    error = RateLimitedError(
        f"the rate limit is used up, and the platform asks to wait {left:.0f} more seconds",
        advice="Try again then, or raise the `longest_wait` of the session's RetryPolicy",
    )
    error.retry_after = left
    return error
