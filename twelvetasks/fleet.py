"""`RedisGate`: the gate of many processes and machines that share one account's limit.

Redis says when a request may go (throttled-py's GCRA, on Redis's own clock) and holds the pause
that a 429 has brought upon all. The process's own `Gate` says the rest: how many at once, and who
goes first. Whoever waits for Redis's word waits in a line, so that a process asks one thing at a
time. This module alone imports redis; nothing else of the package imports this module.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, SupportsIndex, cast, get_args

import attrs
import stamina

from twelvetasks.transport.gate import Gate, Passage
from twelvetasks.transport.known_rate import default_burst, steady_requests
from twelvetasks.transport.pacer import GatePolicy
from twelvetasks.transport.ratelimits import RateReport
from twelvetasks.values.checks import check_seconds, refuse, whole_number
from twelvetasks.values.errors import RateLimitedError, SessionClosedError, TransportError
from twelvetasks.values.secret import Secret

try:
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
    from throttled.asyncio import (
        RateLimiterType,
        RedisStore,
        RedisStoreBackend,
        Throttled,
        per_duration,
    )
    from throttled.exceptions import BaseThrottledError
except ModuleNotFoundError as _missing:
    raise ImportError(
        "twelvetasks.fleet needs its extra: pip install 'twelvetasks[redis]'", name=_missing.name
    ) from None

if TYPE_CHECKING:
    from throttled.types import AsyncRedisClientP

__all__ = ["RedisGate"]

_log = logging.getLogger("twelvetasks")

OnOutage = Literal["fail", "local"]
"""What requests do while Redis cannot be asked."""

ASK_AGAIN_AFTER = 5.0
"""Seconds after an outage was met in which requests that may go on without Redis do not ask it."""

KEYS = "twelvetasks"
"""What the names of all keys in Redis begin with."""

PAUSE = """
if redis.call("PTTL", KEYS[1]) < tonumber(ARGV[1]) then
    redis.call("SET", KEYS[1], "", "PX", ARGV[1])
end
"""
"""Lets a key live for so many milliseconds, unless it lives longer anyway. It is there while the
fleet pauses, and what is left of its life is what is left of the pause: no clock but Redis's own
comes into it."""

NEVER_SENT = RateReport(reached=False)
LOST = RateReport()

OUTAGES: tuple[type[Exception], ...] = (RedisError, BaseThrottledError, OSError)


@attrs.frozen
class _Word:
    """What Redis says to a request that wants to go."""

    pause: float = 0.0
    """Seconds until the pause of the fleet is over."""
    wait: float = 0.0
    """Seconds until the limit has room for one more; only then there is a point in asking."""


GO = _Word()


@attrs.define(eq=False)
class _Inside:
    """The passage of one request, which notes whether the fleet has to hear of its answer."""

    passage: Passage
    refused: bool = False

    def report(self, report: RateReport, /) -> None:
        used_up = any(not allowance.remaining for allowance in report.allowances)
        self.refused = report.throttled or used_up
        self.passage.report(report)


class RedisGate:
    """A gate for all processes and machines of one account, which share a limit through a Redis.

    Make one in each process, with the same `name`, `requests`, `per` and `burst`, and pass it to
    the process's sessions: ``TaskSession(gate=gate)``. Use it as an async context manager around
    them, or call `aclose` after them.

    - `redis`: a URL (``redis://``, ``rediss://`` or ``unix://``), or a `redis.asyncio.Redis`, which
      stays the caller's to close.
    - `name`: names the account among those that use the Redis. It is part of keys in Redis: any
      word of your own, never the API key.
    - `requests`, `per`: the limit, as so many requests in any `per` whole seconds. All that pass
      through gates of the name, taken together, keep to it.
    - `burst`: how many of them may go at once after an idle time; by default a twentieth. At the
      most the limit less a twentieth is used in `per` seconds, a burst included: requests may be
      late on their way, and then come closer together than they went. Under a steady load a burst
      less is used, by default nine tenths of the limit or more; see `steady`.
    - `concurrency`, `policy`: as for `Gate`, for this process.
    - `on_outage`: what a request does while Redis cannot be asked: ``"fail"`` with a
      TransportError, or go on with the ``"local"`` gate, which still pauses after a 429 but knows
      nothing of the other processes.
    - `timeout`: seconds for one question to Redis; later counts as an outage.

    A 429 to one process, or an answer that tells that nothing is left, pauses all of the name.

    Raises InvalidArgumentError for an argument out of range.
    """

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
        # Rebound before anything is refused: a traceback that shows locals must not show the
        # password that may be in it.
        redis = _hidden(redis)
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
        """How many of them may pass at once."""
        self.on_outage = on_outage
        """What requests do while Redis cannot be asked."""
        check_seconds("timeout", timeout, positive=True)
        self._timeout = float(timeout)
        self._gate = Gate(concurrency, policy=policy)
        # A gate for one at a time is a lock that keeps to priorities.
        self._line = Gate(1)
        self._owns_client = isinstance(redis, str)
        self._client = _opened(redis, self._timeout)
        self._address = _address(self._client)
        self._limiter = Throttled(
            key=name,
            using=RateLimiterType.GCRA.value,
            quota=per_duration(timedelta(seconds=per), self.steady, burst),
            store=_Store(self._client),
            key_prefix=KEYS,
        )
        self._pause_key = f"{KEYS}:v1:pause:{name}"
        self._pause = self._client.register_script(PAUSE)
        self._untold = False
        self._out = False
        self._ask_at = -math.inf
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

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
        return self._closed

    def __repr__(self) -> str:
        if not hasattr(self, "_address"):
            # A traceback that shows locals meets it while its arguments are being refused.
            return "<RedisGate>"
        state = ", closed" if self._closed else ""
        return (
            f"<RedisGate {self.name!r}, {self.requests} requests in {self.per} s, "
            f"{self._address}{state}>"
        )

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        raise TypeError("a RedisGate cannot be pickled: make one in each process")

    async def __aenter__(self) -> Self:
        self._check_open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let nothing pass any more, and close the connection to Redis if it is the gate's own."""
        self._closed = True
        if self._owns_client:
            await self._client.aclose()

    def pause_left(self) -> float:
        """Give the seconds until the pause in force is over; 0.0 without one.

        It tells what this process knows, without asking Redis.
        """
        return self._gate.pause_left()

    def passage(
        self, *, priority: float = 0, patience: float = math.inf
    ) -> AbstractAsyncContextManager[Passage]:
        """Wait for a place and for Redis's word, and give the place back on leaving.

        The lowest `priority` of this process goes first; the processes take turns as it comes.
        Entering raises RateLimitedError instead of waiting for a pause of more than `patience`
        seconds, or for room in the limit that comes no sooner; TransportError if Redis cannot be
        asked and `on_outage` is ``"fail"``. Leaving raises nothing of the kind: a pause that Redis
        could not be told of is told by the next request that comes, if it is still in force.
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
        """Wait for Redis's word; False if there is a pause to be waited for at the gate first."""
        async with self._line.passage(priority=priority):
            while True:
                # Known to this process, it need not be asked for; and skipped, it is over.
                if self._gate.pause_left() and not stamina.is_testing():
                    return False
                word = await self._ask()
                if word.pause:
                    self._gate.pause(word.pause)
                elif not word.wait or stamina.is_testing():
                    return True
                elif word.wait > patience:
                    raise _too_long(word.wait)
                else:
                    await asyncio.sleep(word.wait)
                if stamina.is_testing():
                    return True

    async def _ask(self) -> _Word:
        """Ask Redis, and do as `on_outage` says if it cannot be asked."""
        self._check_open()
        if self._goes_on_alone():
            return GO
        try:
            async with asyncio.timeout(self._timeout):
                word = await self._word()
        except OUTAGES as error:
            kind = _kind(error)
        else:
            self._note_return()
            return word
        # Out here the error of redis, which may quote what was sent, is not the context of ours.
        self._check_open()
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
        """Tell Redis of the pause that this process has met, if it has not and can be told now."""
        if not self._untold or self._goes_on_alone():
            return
        # At once, as another may be met while this one is being told.
        self._untold = False
        left = min(self._gate.pause_left(), self.policy.longest_pause)
        if not left or self._closed:
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
        """Whether an outage was met so lately that Redis is not asked."""
        return self._out and asyncio.get_running_loop().time() < self._ask_at

    def _note_outage(self, kind: str) -> None:
        # Or each request would wait for a Redis that stalls.
        self._ask_at = asyncio.get_running_loop().time() + ASK_AGAIN_AFTER
        if not self._out:
            self._out = True
            _log.warning(
                "%s cannot be asked (%s): requests go on with the gate of this process alone",
                self._address,
                kind,
            )

    def _note_return(self) -> None:
        if self._out:
            self._out = False
            _log.info("%s can be asked again: the limit is shared as before", self._address)

    def _check_open(self) -> None:
        if self._closed:
            raise SessionClosedError(
                "the gate is closed", advice="Keep it open for as long as its sessions"
            )
        loop = asyncio.get_running_loop()
        if self._loop not in (None, loop):
            raise SessionClosedError(
                "the gate was opened in another event loop",
                advice="Make a RedisGate in each event loop, such as in each asyncio.run()",
            )
        self._loop = loop


class _Backend(RedisStoreBackend):
    """Throttled-py's way to Redis, over a client that there is already."""

    def __init__(self, client: Redis) -> None:
        super().__init__()
        # It declares of a client what it uses, in other words than redis does.
        self._client = cast("AsyncRedisClientP", client)


class _Store(RedisStore):
    def __init__(self, client: Redis) -> None:
        super().__init__()
        self._backend = _Backend(client)


def _kind(error: BaseException) -> str:
    """Name an error of redis, which throttled-py may have put into one of its own."""
    return type(error.__cause__ or error).__name__


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not name.strip():
        refuse("name", name, "must be a name for the account, and not empty")


def _hidden(redis: Any) -> Any:
    return redis if isinstance(redis, Redis) else Secret(redis if isinstance(redis, str) else "")


def _opened(redis: Any, timeout: float) -> Redis:
    """Give the client, or make one, which connects when it is first used."""
    if isinstance(redis, Redis):
        return redis
    client = None
    if isinstance(redis, str):
        # What is wrong with a URL may quote it; so it is refused outside.
        with suppress(TypeError, ValueError):
            made = Redis.from_url(
                str.__str__(redis),
                socket_connect_timeout=timeout,
                socket_timeout=timeout,
                # A connection that Redis has dropped shows only when it is used.
                retry=Retry(NoBackoff(), 1),
            )
            # Here, and not when it first connects, it finds what it does not know in the URL.
            pool: Any = made.connection_pool
            pool.make_connection()
            client = made
    if client is None:
        demand = "must be a URL (redis://, rediss:// or unix://) or a redis.asyncio.Redis"
        refuse("redis", redis, demand)
    return client


def _address(client: Redis) -> str:
    """Say where a Redis is, without what it takes to be let in."""
    known = client.connection_pool.connection_kwargs
    if path := known.get("path"):
        return f"the Redis at {path}"
    if host := known.get("host"):
        return f"the Redis at {host}:{known.get('port', 6379)}"
    return "the Redis"


def _too_long(wait: float) -> RateLimitedError:
    return RateLimitedError(
        f"the limit that the fleet shares has room again only in {wait:.0f} seconds",
        advice="Try again then, or raise the `longest_wait` of the session's RetryPolicy",
        retry_after=wait,
    )
