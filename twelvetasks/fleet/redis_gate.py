"""`RedisGate`: the gate of many processes and machines that share one account's limit.

Redis decides when a request may start (throttled-py's GCRA, on Redis's own clock) and holds the
pause after a 429, which applies to all. The process's own `Gate` decides the rest: how many
requests are in flight, and their order. Requests that wait for Redis wait in a queue, so that a
process asks one question at a time.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Literal, Self, get_args

import attrs
import stamina
from redis.asyncio import Redis
from redis.exceptions import ClusterDownError, ClusterError, MovedError, RedisError
from throttled.asyncio import RateLimiterType, Throttled, per_duration
from throttled.exceptions import BaseThrottledError

from twelvetasks.fleet.clients import NO_CLUSTERS, address_of, hidden, opened, store_in
from twelvetasks.transport.gate import Gate, Passage
from twelvetasks.transport.home_loop import HomeLoop, running_loop
from twelvetasks.transport.known_rate import default_burst, steady_requests
from twelvetasks.transport.pacer import GatePolicy
from twelvetasks.transport.ratelimits import RateReport
from twelvetasks.values.checks import check_seconds, refuse, whole_number
from twelvetasks.values.errors import RateLimitedError, SessionClosedError, TransportError
from twelvetasks.values.uncopied import Uncopied

_log = logging.getLogger("twelvetasks")

OnOutage = Literal["fail", "local"]
"""What requests do while Redis does not answer."""

ASK_AGAIN_AFTER = 5.0
"""Seconds after an outage in which requests that may continue without Redis do not ask it."""

KEYS = "twelvetasks"
"""The prefix of all keys in Redis."""

PAUSE = """
if redis.call("PTTL", KEYS[1]) < tonumber(ARGV[1]) then
    redis.call("SET", KEYS[1], "", "PX", ARGV[1])
end
"""
"""Sets a key that expires after so many milliseconds, unless it expires later anyway. It exists
while the fleet pauses, and its time to live is what is left of the pause, by Redis's own clock."""

NEVER_SENT = RateReport(reached=False)
LOST = RateReport()

OUTAGES: tuple[type[Exception], ...] = (RedisError, BaseThrottledError, OSError)
OF_CLUSTERS = (ClusterDownError, ClusterError, MovedError)


@attrs.frozen
class _Word:
    """What Redis answers to a request that wants to start."""

    pause: float = 0.0
    """Seconds until the pause of the fleet is over."""
    wait: float = 0.0
    """Seconds until the limit has room for one more; asking earlier is useless."""


GO = _Word()


@attrs.define(eq=False)
class _Inside:
    """The passage of one request, which notes whether its answer pauses the fleet."""

    passage: Passage
    refused: bool = False

    def report(self, report: RateReport, /) -> None:
        used_up = any(not allowance.remaining for allowance in report.allowances)
        self.refused = report.throttled or used_up
        self.passage.report(report)


class RedisGate(Uncopied):
    """A gate for all processes and machines of one account, which share a limit through a Redis.

    Make one in each process, with the same `name`, `requests`, `per` and `burst`, and pass it to
    the process's sessions: ``TaskSession(gate=gate)``. Use it as an async context manager around
    them, or call `aclose` after them.

    - `redis`: a URL (``redis://``, ``rediss://`` or ``unix://``), or a `redis.asyncio.Redis`, which
      stays the caller's to close. Redis Cluster is not supported.
    - `name`: names the account among those that use the Redis. It is part of keys in Redis: any
      word of your own, never the API key.
    - `requests`, `per`: the limit, as so many requests in any `per` whole seconds. All that pass
      through gates of the name, taken together, keep to it.
    - `burst`: how many of them may start at once after an idle time; by default a twentieth. At
      most 95 % of the limit is used in `per` seconds, a burst included, because requests that are
      late on their way arrive closer together than they started. Under a steady load it is less by
      a burst, by default 90 % of the limit or more; see `steady`.
    - `concurrency`, `policy`: as for `Gate`, for this process.
    - `on_outage`: what a request does while Redis does not answer: ``"fail"`` with a
      TransportError, or continue with the ``"local"`` gate, which still pauses after a 429 but
      knows nothing of the other processes.
    - `timeout`: seconds within which Redis must answer a question; later counts as an outage.

    A 429 to one process, or an answer that says that nothing is left, pauses all gates of the name.

    Raises InvalidArgumentError for an argument out of range.
    """

    _why_uncopied = "make one in each process, and share it there"

    def __init__(
        self,
        redis: str | Redis,
        name: str,
        *,
        requests: int,
        per: int = 60,
        burst: int | None = None,
        concurrency: int = 8,
        policy: GatePolicy | None = None,
        on_outage: OnOutage = "fail",
        timeout: float = 2.0,
    ) -> None:
        # Before any error: a traceback that shows locals must not show the password in the URL.
        redis = hidden(redis)
        _check_name(name)
        whole_number("requests", requests, least=1)
        whole_number("per", per, least=1)
        if burst is None:
            burst = default_burst(requests)
        whole_number("burst", burst, least=1, most=requests)
        if on_outage not in get_args(OnOutage):
            refuse("on_outage", on_outage, "must be 'fail' or 'local'")
        self.name = name
        """Names the account in Redis."""
        self.requests = requests
        """How many requests may pass in `per` seconds, in all processes together."""
        self.per = per
        """Seconds in which `requests` may pass."""
        self.burst = burst
        """How many of them may start at once."""
        self.on_outage = on_outage
        """What requests do while Redis does not answer."""
        check_seconds("timeout", timeout, positive=True)
        self._timeout = float(timeout)
        self._gate = Gate(concurrency, policy=policy)
        # With one place, a gate is a lock that honours priorities.
        self._line = Gate(1)
        self._owns_client = isinstance(redis, str)
        self._client = opened(redis, self._timeout)
        self._address = address_of(self._client)
        self._limiter = Throttled(
            key=name,
            using=RateLimiterType.GCRA.value,
            quota=per_duration(timedelta(seconds=per), self.steady, burst),
            store=store_in(self._client),
            key_prefix=KEYS,
        )
        self._pause_key = f"{KEYS}:v1:pause:{name}"
        self._pause = self._client.register_script(PAUSE)
        self._untold = False
        self._out = False
        self._ask_at = -math.inf
        self._home = HomeLoop("gate", "RedisGate")
        self._closing = asyncio.Event()

    @property
    def steady(self) -> int:
        """How many requests pass in `per` seconds under a steady load, in all processes together.

        Together with a burst they are no more than `requests` less a twentieth, as the last of a
        burst is also the first of what follows it.
        """
        return steady_requests(self.requests, self.burst)

    @property
    def concurrency(self) -> int:
        """The most requests of this process that may be under way at once."""
        return self._gate.concurrency

    @property
    def policy(self) -> GatePolicy:
        """How it pauses."""
        return self._gate.policy

    @property
    def closed(self) -> bool:
        """Whether the gate has been closed."""
        return self._closing.is_set()

    def __repr__(self) -> str:
        if not hasattr(self, "_address"):
            # A traceback that shows locals may show it before it is complete.
            return "<RedisGate>"
        state = ", closed" if self.closed else ""
        return (
            f"<RedisGate {self.name!r}, {self.requests} requests in {self.per} s, "
            f"{self._address}{state}>"
        )

    async def __aenter__(self) -> Self:
        self._check_open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Refuse every further request, and close the connection to Redis if the gate opened it.

        Raises SessionClosedError in another event loop than the gate's, unless that is closed.
        """
        self._home.enter_to_close()
        self._closing.set()
        # Connections end with their loop; without asyncio none was ever opened.
        if self._owns_client and running_loop() is not None and not self._home.is_over:
            await self._client.aclose()

    def pause_left(self) -> float:
        """Return the seconds until the pause in force is over; 0.0 without one.

        It reports what this process knows, without asking Redis.
        """
        return self._gate.pause_left()

    def passage(
        self, *, priority: float = 0, patience: float = math.inf
    ) -> AbstractAsyncContextManager[Passage]:
        """Wait for a place and for Redis's permission, and give the place back on leaving.

        The lowest `priority` of this process goes first; between processes there is no order.
        Entering raises RateLimitedError instead of waiting for a pause of more than `patience`
        seconds, or for room in the limit that comes no sooner; TransportError if Redis does not
        answer and `on_outage` is ``"fail"``. Leaving raises neither: a pause that could not be
        reported to Redis is reported by the next request, if it is still in force.
        """
        return self._passage(priority, patience)

    @asynccontextmanager
    async def _passage(self, priority: float, patience: float) -> AsyncIterator[Passage]:
        while True:
            self._check_open()
            await self._tell()
            async with self._gate.passage(priority=priority, patience=patience) as passage:
                passage.report(NEVER_SENT)
                if not await self._may_go(priority, patience):
                    continue
                passage.report(LOST)
                inside = _Inside(passage)
                try:
                    yield inside
                finally:
                    self._untold |= inside.refused
            await self._tell()
            return

    async def _may_go(self, priority: float, patience: float) -> bool:
        """Wait for Redis's permission; False if the request must first wait for a pause."""
        async with self._line.passage(priority=priority):
            while True:
                # Redis need not be asked about a pause that this process knows.
                if self._gate.pause_left() and not stamina.is_testing():
                    return False
                word = await self._ask()
                if word.pause:
                    self._gate.pause(word.pause)
                elif not word.wait or stamina.is_testing():
                    return True
                elif word.wait > patience:
                    raise RateLimitedError(
                        f"the shared limit has room again only in {word.wait:.0f} seconds",
                        advice="Try again then, or raise the `longest_wait` of the session's "
                        "RetryPolicy",
                        retry_after=word.wait,
                    )
                else:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(word.wait):
                            await self._closing.wait()
                if stamina.is_testing():
                    return True

    async def _ask(self) -> _Word:
        """Ask Redis, and do as `on_outage` says if it does not answer."""
        self._check_open()
        if self._goes_on_alone():
            return GO
        try:
            async with asyncio.timeout(self._timeout):
                word = await self._word()
        except OUTAGES as error:
            kind = _kind(error)
            in_cluster = isinstance(error.__cause__ or error, OF_CLUSTERS)
        else:
            if self._out:
                self._out = False
                _log.info("%s can be asked again: the limit is shared as before", self._address)
            return word
        # Raised outside of `except`, so that redis's error, which may quote secrets, is no context.
        self._check_open()
        if in_cluster:
            raise TransportError(f"{self._address} is one of a cluster", advice=NO_CLUSTERS)
        if self.on_outage == "fail":
            raise TransportError(
                f"{self._address} did not say whether a request may go ({kind})",
                advice="Check that Redis, or make the gate with on_outage='local'",
            )
        self._note_outage(kind)
        return GO

    async def _word(self) -> _Word:
        left: int = await self._client.pttl(self._pause_key)
        if left > 0:
            return _Word(pause=left / 1000)
        said = await self._limiter.limit()
        return _Word(wait=said.state.retry_after) if said.limited else GO

    async def _tell(self) -> None:
        """Report this process's pause to Redis, unless that is done or Redis is not asked now."""
        if not self._untold or self._goes_on_alone():
            return
        # Before the call, as another pause may begin during it.
        self._untold = False
        left = min(self._gate.pause_left(), self.policy.longest_pause)
        if not left or self.closed:
            return
        try:
            async with asyncio.timeout(self._timeout):
                await self._pause(keys=[self._pause_key], args=[math.ceil(left * 1000)])
        except OUTAGES as error:
            self._untold = True
            if self.on_outage == "local":
                self._note_outage(_kind(error))
        except asyncio.CancelledError:
            self._untold = True
            raise

    def _goes_on_alone(self) -> bool:
        """Return whether the last outage is so recent that Redis is not asked."""
        return self._out and asyncio.get_running_loop().time() < self._ask_at

    def _note_outage(self, kind: str) -> None:
        # Otherwise each request would wait for a Redis that stalls.
        self._ask_at = asyncio.get_running_loop().time() + ASK_AGAIN_AFTER
        if not self._out:
            self._out = True
            _log.warning(
                "%s cannot be asked (%s): requests continue with the gate of this process alone",
                self._address,
                kind,
            )

    def _check_open(self) -> None:
        if self.closed:
            raise SessionClosedError(
                "the gate is closed", advice="Keep it open for as long as its sessions"
            )
        self._home.enter()


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not name.strip():
        refuse("name", name, "must be a name for the account, and not empty")


def _kind(error: BaseException) -> str:
    """Return the name of redis's error, which throttled-py may have wrapped."""
    return type(error.__cause__ or error).__name__
