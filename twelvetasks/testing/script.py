"""What a test plans for future requests: failures, and holds that decide the order of reads.

A plan claims a request when it arrives, so that "the next two requests" are the next two sent,
whatever latency does to them afterwards.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Mapping

import attrs
from aiohttp import web

Action = Callable[[web.Request], Awaitable[None] | None]
Responder = Callable[
    [web.Request], web.StreamResponse | Awaitable[web.StreamResponse | None] | None
]


@attrs.frozen(kw_only=True)
class Failure:
    """How a claimed request fails."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    disconnect: bool
    """Whether the connection is aborted instead of an answer."""


class Hold:
    """Keeps the requests that match it waiting until it is released.

    A held request reads the account only after its release. A released hold lets every later
    request pass. `FakePlatform.hold` creates one.
    """

    def __init__(self, page: int | None = None) -> None:
        self.page = page
        self._lock = threading.Lock()
        self._released = False
        self._arrived = 0
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    @property
    def arrived(self) -> int:
        """How many requests have reached it so far, released or not."""
        return self._arrived

    @property
    def released(self) -> bool:
        """Whether it lets requests pass."""
        return self._released

    def release(self) -> None:
        """Let the waiting requests go on, in order of arrival; may be called from any thread."""
        with self._lock:
            self._released = True
            waiting, self._waiting = self._waiting, []
        for loop, future in waiting:
            loop.call_soon_threadsafe(_wake, future)

    async def until_arrived(self, count: int = 1) -> None:
        """Return once `count` requests have reached it; has no timeout of its own."""
        while self._arrived < count:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    async def pass_through(self) -> None:
        """Wait for the release, as one of the requests it holds."""
        with self._lock:
            self._arrived += 1
            if self._released:
                return
            loop = asyncio.get_running_loop()
            future = loop.create_future()
            self._waiting.append((loop, future))
        await future


class Script:
    """The plans that are not used up yet; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: list[_Plan] = []
        self._holds: list[Hold] = []
        self.actions: list[Action] = []
        self.responders: list[Responder] = []

    def plan(self, failure: Failure, *, times: int, page: int | None) -> None:
        """Let the next `times` matching requests fail so, after those planned before."""
        if times < 1:
            raise ValueError(f"times must be at least 1, not {times}")
        with self._lock:
            self._failures.append(_Plan(failure=failure, left=times, page=page))

    def hold(self, page: int | None) -> Hold:
        """Hold the matching requests from now on."""
        hold = Hold(page)
        with self._lock:
            self._holds = [other for other in self._holds if not other.released] + [hold]
        return hold

    def claim(self, page: int | None) -> tuple[Failure | None, list[Hold]]:
        """Return what is planned for a request that arrives; `page` is None unless it lists."""
        with self._lock:
            holds = [hold for hold in self._holds if hold.page in {None, page}]
            for plan in self._failures:
                if plan.page in {None, page}:
                    plan.left -= 1
                    if not plan.left:
                        self._failures.remove(plan)
                    return plan.failure, holds
            return None, holds

    async def play(self, request: web.Request) -> web.StreamResponse | None:
        """Call every action, then the responders until one returns a response."""
        for action in tuple(self.actions):
            called = action(request)
            if inspect.isawaitable(called):
                await called
        for responder in tuple(self.responders):
            returned = responder(request)
            response = await returned if inspect.isawaitable(returned) else returned
            if response is not None:
                return response
        return None

    def release_all(self) -> None:
        """Release every hold."""
        with self._lock:
            holds, self._holds = self._holds, []
        for hold in holds:
            hold.release()


@attrs.define(eq=False, kw_only=True)
class _Plan:
    failure: Failure
    left: int
    page: int | None


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
