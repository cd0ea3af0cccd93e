"""The async generators over a window of fetches.

A stream is an async generator written as a class. A generator function that is cancelled inside
a fetch ends cleanly and so cuts the listing short in silence; a stream keeps its place. Its fetches
know nothing of it, so that dropping the stream is enough to end them.
"""

from __future__ import annotations

import weakref
from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from twelvetasks.streams.resumable import KeptPlace
from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.errors import SessionClosedError, TwelveTasksError
from twelvetasks.values.models import Task, TaskPage
from twelvetasks.values.query import TaskQuery
from twelvetasks.values.report import ListingReport

if TYPE_CHECKING:
    pass

from twelvetasks.paging.plan import Plan
from twelvetasks.streams.source import Source
from twelvetasks.streams.window import Window

__all__ = ["BATCH_SIZE", "PageStream", "TaskStream"]

BATCH_SIZE = 10_000
"""Tasks in a record batch, unless another number is asked for."""

T_co = TypeVar("T_co", covariant=True)


class _Stream(KeptPlace[T_co]):
    """An async generator over a window of fetches."""

    def __init__(self, source: Source, plan: Plan) -> None:
        self.query: TaskQuery = plan.query
        """The filters and the order."""
        self.max_items: int | None = plan.max_items
        """The most tasks that are yielded; None for all."""
        self._source = source
        self._paging = plan.paging()
        self._window = Window(source, plan, self._paging)
        self._failure: Exception | None = None
        backstop = weakref.finalize(self, self._window.abandon)
        backstop.atexit = False

    def __repr__(self) -> str:
        if self.total_results is None:
            return f"<{type(self).__name__}, not begun>"
        at = f"page {self.pages_done} of {self.total_page}, {self.total_results} tasks"
        return f"<{type(self).__name__} at {at}>"

    @property
    def total_results(self) -> int | None:
        """How many tasks match, by the newest page received; None before the first."""
        return self._paging.total_results

    @property
    def total_page(self) -> int | None:
        """How many pages there are, by the newest page received; None before the first."""
        return self._paging.total_page

    @property
    def pages_done(self) -> int:
        """How many pages the reader has begun to consume."""
        return self._window.pages_done

    @property
    def report(self) -> ListingReport:
        """What the listing has done so far, and how far its result is proven."""
        return self._paging.report

    @property
    def checkpoint(self) -> Checkpoint:
        """The place after the last item yielded: pass it as `resume` to go on from there."""
        return self._paging.checkpoint(self._unread())

    def _unread(self) -> int:
        """Give how many tasks of the page taken last have not been yielded yet."""
        return 0

    @abstractmethod
    async def _item(self) -> T_co | None:
        """Give the next item, or None after the last."""

    async def _next(self) -> T_co | None:
        if self._failure is not None:
            raise self._failure
        if self._source.closed:
            raise SessionClosedError(
                "the session was closed during the listing",
                advice="Finish the listing inside the session's `async with` block",
            )
        try:
            return await self._item()
        except TwelveTasksError as error:
            self._failure = error.located(checkpoint=self.checkpoint)
        except Exception as error:  # noqa: BLE001 - raised below, and again from then on
            self._failure = error
        await self._window.close(self._failure)
        raise self._failure

    async def _stop(self) -> None:
        await self._window.close()


class PageStream(_Stream[TaskPage]):
    """One iteration over a listing, page by page; an async generator of `TaskPage`."""

    async def _item(self) -> TaskPage | None:
        return await self._window.next_page()


class TaskStream(_Stream[Task]):
    """One iteration over a listing; an async generator of `Task`.

    Raises, at its place in the order and after every earlier task, the `TwelveTasksError` of a page
    that could not be had. After that it raises the same error again and never ends as if complete.
    """

    def __init__(self, source: Source, plan: Plan) -> None:
        super().__init__(source, plan)
        self._tasks: deque[Task] = deque()
        self._window.unread = self._tasks

    def _unread(self) -> int:
        return len(self._tasks)

    def _at_hand(self) -> Task | None:
        if self._tasks and self._failure is None and not self._source.closed:
            return self._tasks.popleft()
        return None

    async def _item(self) -> Task | None:
        while not self._tasks:
            if (page := await self._window.next_page()) is None:
                return None
            self._tasks.extend(page.tasks)
        return self._tasks.popleft()
