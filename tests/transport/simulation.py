"""A platform behind a limiter and clients with a `Pacer` each, in a simulated time of their own.

`Simulation` plays minutes in milliseconds: it is the quickest way to see what a change of the
controller does. The limiters answer a bare 429, unless they are told to name a `Retry-After`.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

import attrs

from twelvetasks.transport.known_rate import KnownRate
from twelvetasks.transport.pacer import GatePolicy, Pacer, Place
from twelvetasks.transport.ratelimits import RateReport


class Limiter(Protocol):
    """Counts requests as they arrive."""

    def take(self, now: float) -> bool:
        """Return whether a request that arrives now passes."""
        ...


@attrs.define
class TokenBucket:
    """So many requests a second, and `burst` more after an idle time; as nginx has it."""

    rate: float
    burst: float = 0.0
    _level: float = 0.0
    _at: float = -math.inf

    def take(self, now: float) -> bool:
        level = max(self._level - (now - self._at) * self.rate, 0.0)
        if level > self.burst + 1e-9:
            self._level, self._at = level, now
            return False
        self._level, self._at = level + 1.0, now
        return True


@attrs.define
class FixedWindow:
    """So many requests in each window; `phase` is how far the first is when time begins."""

    requests: int
    per: float
    phase: float = 0.0
    _window: float = -math.inf
    _used: int = 0

    def take(self, now: float) -> bool:
        window = math.floor((now + self.phase) / self.per)
        if window != self._window:
            self._window, self._used = window, 0
        passes = self._used < self.requests
        self._used += passes
        return passes


@attrs.define
class SlidingWindow:
    """So many requests in any window of time."""

    requests: int
    per: float
    _taken: deque[float] = attrs.field(factory=deque)

    def take(self, now: float) -> bool:
        while self._taken and self._taken[0] <= now - self.per:
            self._taken.popleft()
        if len(self._taken) >= self.requests:
            return False
        self._taken.append(now)
        return True


@attrs.define
class Both:
    """Two limits at once; what the first refuses does not count for the second."""

    first: Limiter
    second: Limiter

    def take(self, now: float) -> bool:
        return self.first.take(now) and self.second.take(now)


@attrs.define
class Client:
    """A client that has `pages` to get."""

    pages: int
    pacer: Pacer
    done: int = 0
    finished: float = math.inf
    longest_pause: float = 0.0
    wakes_at: float = -math.inf


@attrs.define
class Simulation:
    """Clients of one account. `log` has, of each request, when it arrived and whether it passed."""

    limiter: Limiter
    clients: int = 1
    pages: int = 500
    most: int = 8
    latency: Callable[[int], float] = lambda number: 0.002 + 0.001 * (number * 7919 % 13) / 13
    """Seconds there and back, for each request by its number."""
    retry_after: float | None = None
    """What a refusal names."""
    policy: GatePolicy = GatePolicy()
    known: Callable[[], KnownRate | None] = lambda: None
    """Makes the limit that each client has been told."""
    patience: float = math.inf
    """A client gives up after a refusal that tells of a longer pause, in seconds."""
    now: float = 0.0
    log: list[tuple[float, bool]] = attrs.field(factory=list)
    _events: list[tuple[float, int, Callable[[], None]]] = attrs.field(factory=list)
    _numbers: int = 0

    def run(self, seconds: float = math.inf) -> list[Client]:
        """Play until all is listed, or for so many seconds."""
        clients = [
            Client(self.pages, Pacer(self.most, self.policy, self.known()))
            for _ in range(self.clients)
        ]
        for client in clients:
            self._send(client)
        while self._events and self._events[0][0] <= seconds:
            self.now, _, action = heapq.heappop(self._events)
            action()
        return clients

    @property
    def passed(self) -> int:
        return sum(passes for _, passes in self.log)

    @property
    def refused(self) -> int:
        return len(self.log) - self.passed

    def passed_between(self, start: float, end: float) -> int:
        return sum(passes for at, passes in self.log if start <= at < end)

    def later(self, after: float, action: Callable[[], None]) -> None:
        """Do something so many seconds from now."""
        self._numbers += 1
        heapq.heappush(self._events, (self.now + after, self._numbers, action))

    def _send(self, client: Client) -> None:
        pacer = client.pacer
        if client.longest_pause > self.patience:
            return
        while client.done + pacer.under_way < client.pages:
            ready_at = pacer.ready_at(self.now)
            if ready_at > self.now:
                if self.now < ready_at < math.inf and ready_at != client.wakes_at:
                    client.wakes_at = ready_at
                    self.later(ready_at - self.now, lambda: self._send(client))
                return
            self._start(client, pacer.start(self.now))

    def _start(self, client: Client, place: Place) -> None:
        self._numbers += 1
        half = self.latency(self._numbers) / 2

        def arrive() -> None:
            passes = self.limiter.take(self.now)
            self.log.append((self.now, passes))
            self.later(half, lambda: receive(passes))

        def receive(passes: bool) -> None:
            report = (
                RateReport(status=200)
                if passes
                else RateReport(status=429, retry_after=self.retry_after)
            )
            client.pacer.finish(place, report, self.now)
            client.longest_pause = max(client.longest_pause, client.pacer.pause_left(self.now))
            client.done += passes
            if client.done == client.pages:
                client.finished = min(client.finished, self.now)
            self._send(client)

        self.later(half, arrive)
