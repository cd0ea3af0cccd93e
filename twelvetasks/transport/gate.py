"""The gate that every request passes: it limits how many are in flight, pauses and orders them.

`Pacer` and `Line` decide, on a clock that they are given; `Gate` only waits. A request that waits
for its retry must not hold a place.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Protocol, Self, runtime_checkable

import attrs

from twelvetasks.transport.home_loop import needed_loop, running_loop
from twelvetasks.transport.known_rate import KnownRate
from twelvetasks.transport.pacer import GatePolicy, Line, Pacer, Place
from twelvetasks.transport.ratelimits import RateReport
from twelvetasks.values.checks import check_seconds, refuse, whole_number
from twelvetasks.values.display import wait_text
from twelvetasks.values.errors import RateLimitedError, SessionClosedError
from twelvetasks.values.uncopied import Uncopied


class Passage(Protocol):
    """One request's place at the gate, from before it is sent until its answer is read."""

    def report(self, report: RateReport, /) -> None:
        """Report how the request ended. Without a report it counts as lost on its way."""
        ...


@runtime_checkable
class Gatekeeper(Protocol):
    """What a session needs of a gate. `Gate` is one, and so is any class with these two methods."""

    def passage(
        self, *, priority: float = 0, patience: float = math.inf
    ) -> AbstractAsyncContextManager[Passage]:
        """Wait for a place, hold it, and free it on leaving, however that happens.

        Entering waits. Of the requests that wait the lowest `priority` goes first, and among equals
        the first that arrived. Leaving passes the report to the gate, and may await.

        Entering raises RateLimitedError instead of waiting for a pause that lasts longer than
        `patience` seconds; its `retry_after` is None if the gate has guessed how long to pause. If
        entering is cancelled, it gives its place back.
        """
        ...

    def pause_left(self) -> float:
        """Return the seconds until the pause in force is over; 0.0 without one.

        It reports what this process knows, and asks no other.
        """
        ...


@attrs.define(eq=False)
class _Waiter:
    future: asyncio.Future[Place | RateLimitedError]
    patience: float


class Gate(Uncopied):
    """Paces the requests of one session, or of several in one event loop that share it.

    - `concurrency`: the most requests that may be in flight at once.
    - `rate`, `per`: the limit, if you know it: at most `rate` requests in any `per` seconds. A
      twentieth of it stays unused. By default the gate finds the rate by itself.
    - `policy`: how it pauses.
    - `clock`: returns seconds that never go back.

    A 429 to any request pauses all of them, for as long as the platform asks; if it names no time,
    shortly, and for longer while the request that then probes is refused, too. The gate learns the
    rate from what has passed, paces requests just below it and probes upwards gently. Where the
    platform says how many requests are left, the gate stops before the limit.

    Make one and pass it to each session of an account: ``TaskSession(gate=gate)``. It needs no
    closing. Like stamina's waits, its pauses are skipped under `stamina.set_testing`. Example::

        gate = Gate(rate=60)
        async with TaskSession(gate=gate) as session: ...

    Raises InvalidArgumentError, which names the parameter, for an argument out of range.
    """

    _why_uncopied = "share it, as two gates exceed the rate; a RedisGate paces several processes"

    def __init__(
        self,
        concurrency: int = 8,
        *,
        rate: int | None = None,
        per: float = 60.0,
        policy: GatePolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        whole_number("concurrency", concurrency, least=1)
        if policy is None:
            policy = GatePolicy()
        elif not isinstance(policy, GatePolicy):
            refuse("policy", policy, "must be a GatePolicy")
        check_seconds("per", per, positive=True)
        if rate is not None:
            whole_number("rate", rate, least=1)
        self.concurrency = concurrency
        """The most requests that may be under way at once."""
        self.policy = policy
        """How it pauses."""
        self._clock = clock
        known = None if rate is None else KnownRate(rate, float(per))
        self._pacer = Pacer(concurrency, policy, known)
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
        """How many requests wait to start."""
        return len(self._line)

    def __repr__(self) -> str:
        return f"<Gate concurrency={self.concurrency}, limit={self.limit}>"

    def pause_left(self) -> float:
        """Return the seconds until the pause in force is over; 0.0 without one."""
        return self._pacer.pause_left(self._clock())

    def pause(self, seconds: float) -> None:
        """Start no request for this many seconds, as after a 429; a longer pause stays.

        Any thread may call it. Raises InvalidArgumentError if they are not positive and finite.
        """
        check_seconds("seconds", seconds, positive=True)
        self._pacer.pause(seconds, self._clock())
        if running_loop() is self._loop:
            self._let_pass()
        elif self._loop is not None:
            with suppress(RuntimeError):  # its loop has closed, so nobody waits
                self._loop.call_soon_threadsafe(self._let_pass)

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
            # It may have been given a place already and cancelled before it could take it.
            given = None if waiter.future.cancelled() else waiter.future.result()
            if isinstance(given, Place):
                self._pacer.withdraw(given)
            self._let_pass()
            raise
        if isinstance(outcome, Place):
            return outcome
        raise outcome

    def leave(self, place: Place, report: RateReport | None) -> None:
        """Free a place and report how the request ended."""
        self._pacer.finish(place, report, self._clock())
        if self._line:
            self._let_pass()

    def _let_pass(self) -> None:
        """Start all requests that may start, and look again when the next one may."""
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
        # Guesses double with each refusal, also where no time passes because they are skipped.
        if not left or (self._pacer.guessed and _pauses_are_skipped()):
            return
        for number, waiter in self._line:
            if waiter.patience < left:
                self._line.leave(number)
                if not waiter.future.done():
                    waiter.future.set_result(_too_long(left, guessed=self._pacer.guessed))

    def _use_running_loop(self) -> None:
        loop = needed_loop()
        if self._loop is loop:
            return
        if self._loop is not None and self._loop.is_closed():
            # What was under way in a closed loop can never end.
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
    import stamina  # noqa: PLC0415 - see `Exchange.retry`: it is slow to import, and needed rarely

    return stamina.is_testing()


class _GatePassage:
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


def _too_long(left: float, *, guessed: bool) -> RateLimitedError:
    advice = "Try again then, or raise the `longest_wait` of the session's RetryPolicy"
    asks = "asks to wait"
    if guessed:
        asks = "does not say for how long; the next attempt would have to wait"
    return RateLimitedError(
        f"the rate limit is used up, and the platform {asks} {wait_text(left)}",
        advice=advice,
        retry_after=None if guessed else left,
    )
