"""`TaskWatch`: the changes of an account's tasks, as an async generator that has no end.

Like a stream of a listing it is a class, so that a cancelled `anext` loses nothing. It looks only
while its reader waits: nothing is under way while the reader is busy, or once it has gone.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Coroutine
from typing import Any, Protocol

from twelvetasks.checkpoint import Checkpoint
from twelvetasks.errors import SessionClosedError, TwelveTasksError
from twelvetasks.generators import KeptPlace
from twelvetasks.models import TaskPage
from twelvetasks.query import TaskQuery
from twelvetasks.reads import Read
from twelvetasks.watching import TaskChange, Watching, WatchPlan

__all__ = ["TaskWatch"]

logger: logging.Logger = logging.getLogger(__name__)


class Source(Protocol):
    """What a watch needs of its session."""

    @property
    def closed(self) -> bool:
        """Whether the session is closed, and its watches with it."""
        ...

    @property
    def closing(self) -> asyncio.Event:
        """Set when the session begins to close, for a watch that waits between two requests."""
        ...

    async def read_page(self, query: TaskQuery, read: Read) -> TaskPage:
        """Fetch, structure and check one page."""
        ...

    def spawn(self, fetch: Coroutine[Any, Any, TaskPage]) -> asyncio.Task[TaskPage]:
        """Start a fetch that ends with the session at the latest."""
        ...


class TaskWatch(KeptPlace[TaskChange]):
    """An endless async generator of `TaskChange`; made by `TaskSession.watch`.

    Errors that pass (no connection, no answer in time, status 429 and 5xx) are logged as warnings
    and outlived. Any other is raised with its `checkpoint`, and raised again from then on.
    """

    def __init__(self, source: Source, plan: WatchPlan) -> None:
        self.query: TaskQuery = plan.query
        """The filters."""
        self._source = source
        self._watching = Watching(plan)
        self._due: float | None = None
        self._fetches: list[asyncio.Task[TaskPage]] = []
        self._failure: Exception | None = None
        backstop = weakref.finalize(self, _cancel, self._fetches)
        backstop.atexit = False

    @property
    def checkpoint(self) -> Checkpoint:
        """The place after the last change delivered: pass it as `resume` to go on from there."""
        return self._watching.checkpoint

    @property
    def polls(self) -> int:
        """How often it has been seen what was updated last."""
        return self._watching.polls

    async def _next(self) -> TaskChange:
        if self._failure is not None:
            raise self._failure
        try:
            return await self._change()
        except Exception as error:
            self._failure = error
            if isinstance(error, TwelveTasksError):
                error.checkpoint = self.checkpoint
            raise

    async def _change(self) -> TaskChange:
        while True:
            if self._source.closed:
                raise _closed()
            if (change := self._watching.take()) is not None:
                return change
            if not self._fetches:
                await self._rest()
                self._fetches.append(self._source.spawn(self._read()))
            await asyncio.wait(self._fetches)
            self._take_in(self._fetches.pop())

    def _read(self) -> Coroutine[Any, Any, TaskPage]:
        query, read = self._watching.next_read()
        return self._source.read_page(query, read)

    async def _rest(self) -> None:
        """Wait until the next read is due, or the session is closed."""
        if self._due is None or self._due <= asyncio.get_running_loop().time():
            return
        try:
            async with asyncio.timeout_at(self._due):
                await self._source.closing.wait()
        except TimeoutError:
            return
        raise _closed()

    def _take_in(self, fetch: asyncio.Task[TaskPage]) -> None:
        try:
            page = fetch.result()
        except asyncio.CancelledError:
            raise SessionClosedError("the request was cancelled") from None
        except TwelveTasksError as error:
            self._watching.fail(error)
            logger.warning(
                "the watch goes on in %.1f seconds after %s: %s",
                self._watching.wait,
                type(error).__name__,
                error,
            )
        else:
            self._watching.receive(page)
        self._due = asyncio.get_running_loop().time() + self._watching.wait

    async def _stop(self) -> None:
        fetches = tuple(self._fetches)
        _cancel(self._fetches)
        if fetches:
            await asyncio.wait(fetches)


def _closed() -> SessionClosedError:
    return SessionClosedError(
        "the session was closed during the watch",
        advice="Leave the watch before the session's `async with` block ends",
    )


def _cancel(fetches: list[asyncio.Task[TaskPage]]) -> None:
    """End the fetch; called, too, when a watch is collected, perhaps after its loop closed."""
    for fetch in fetches:
        if not fetch.get_loop().is_closed():
            fetch.cancel()
    fetches.clear()
