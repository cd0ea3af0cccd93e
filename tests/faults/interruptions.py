"""Ways to cancel what is awaited, after a given number of turns of the event loop.

Turns rather than seconds: each way can then hit any `await`, on a machine of any speed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import anyio

T = TypeVar("T")

Make = Callable[[], Coroutine[Any, Any, T]]


class InterruptedCallError(Exception):
    """What was called has been cancelled."""


class SiblingError(Exception):
    """The error of another task in the same group."""


class Countdown:
    """Calls a function after so many turns of the event loop, unless it is stopped before."""

    def __init__(self, turns: int, action: Callable[[], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._turns = turns
        self._action = action
        self._handle = self._loop.call_soon(self._turn)
        self.over = False

    def _turn(self) -> None:
        if self._turns:
            self._turns -= 1
            self._handle = self._loop.call_soon(self._turn)
        else:
            self.over = True
            self._action()

    def stop(self) -> None:
        self._handle.cancel()


@contextmanager
def counting(turns: int, action: Callable[[], object]) -> Iterator[Countdown]:
    countdown = Countdown(turns, action)
    try:
        yield countdown
    finally:
        countdown.stop()


async def settled(make: Make[T]) -> T | Exception:
    """Give its error as a value: a group would wrap it."""
    try:
        return await make()
    except Exception as error:  # noqa: BLE001 - the caller raises it
        return error


def outcome(result: T | Exception) -> T:
    if isinstance(result, Exception):
        raise result
    return result


async def by_task(make: Make[T], turns: int) -> T:
    """The caller's task is cancelled."""
    task = asyncio.ensure_future(make())
    with counting(turns, task.cancel):
        await asyncio.wait([task])
    if task.cancelled():
        raise InterruptedCallError
    return task.result()


async def by_task_twice(make: Make[T], turns: int) -> T:
    """It is cancelled again while it ends."""
    task = asyncio.ensure_future(make())
    with counting(turns, task.cancel), counting(turns + turns % 7, task.cancel):
        await asyncio.wait([task])
    if task.cancelled():
        raise InterruptedCallError
    return task.result()


async def by_timeout(make: Make[T], turns: int) -> T:
    """A timeout is over."""
    loop = asyncio.get_running_loop()
    scope = asyncio.timeout(None)
    try:
        async with scope:
            with counting(turns, lambda: scope.reschedule(loop.time())):
                return await make()
    except TimeoutError:
        if scope.expired():
            raise InterruptedCallError from None
        raise


async def by_wait_for(make: Make[T], turns: int) -> T:
    """The task inside of `asyncio.wait_for` is cancelled with the one around it."""
    return await by_task(lambda: asyncio.wait_for(make(), 60), turns)


async def by_task_group(make: Make[T], turns: int) -> T:
    """Another task of its group fails."""
    over = asyncio.Event()
    asking: asyncio.Task[T | Exception] | None = None

    async def fail() -> None:
        await over.wait()
        raise SiblingError

    with suppress(BaseExceptionGroup), counting(turns, over.set):
        async with asyncio.TaskGroup() as group:
            failing = group.create_task(fail())
            asking = group.create_task(settled(make))
            asking.add_done_callback(lambda _: failing.cancel())
    if asking is None or asking.cancelled():
        raise InterruptedCallError
    return outcome(asking.result())


async def by_anyio_scope(make: Make[T], turns: int) -> T:
    """An anyio scope is cancelled, which cancels every `await` in it, and not only one."""
    with anyio.CancelScope() as scope, counting(turns, scope.cancel):
        return await make()
    raise InterruptedCallError


async def by_anyio_group(make: Make[T], turns: int) -> T:
    """An anyio task group is cancelled."""
    results: list[T | Exception] = []
    over = anyio.Event()

    async def ask() -> None:
        results.append(await settled(make))
        over.set()

    async with anyio.create_task_group() as group:
        with counting(turns, group.cancel_scope.cancel):
            group.start_soon(ask)
            await over.wait()
    if not results:
        raise InterruptedCallError
    return outcome(results[0])


async def by_anyio_timeout(make: Make[T], turns: int) -> T:
    """A deadline of anyio's passes."""

    loop = asyncio.get_running_loop()

    def pass_deadline() -> None:
        scope.deadline = loop.time()

    with anyio.move_on_after(60) as scope, counting(turns, pass_deadline):
        return await make()
    raise InterruptedCallError


Way = Callable[[Make[Any], int], Awaitable[Any]]

WAYS: list[Way] = [
    by_task,
    by_task_twice,
    by_timeout,
    by_wait_for,
    by_task_group,
    by_anyio_scope,
    by_anyio_group,
    by_anyio_timeout,
]
