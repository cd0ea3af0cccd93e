"""Listings: values that can be iterated, and the streams that iterate them.

A stream is an async generator written as a class. A generator function that is cancelled inside
a fetch ends cleanly and so cuts the listing short in silence; a stream keeps its place. Its fetches
know nothing of it, so that dropping the stream is enough to end them.
"""

from __future__ import annotations

import asyncio
import weakref
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Sized
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import attrs

from twelvetasks.checkpoint import Checkpoint
from twelvetasks.errors import BadRequestError, SessionClosedError, TwelveTasksError
from twelvetasks.generators import KeptPlace
from twelvetasks.models import Task, TaskPage
from twelvetasks.paging import Paging
from twelvetasks.query import TaskQuery
from twelvetasks.reads import Read
from twelvetasks.report import ListingReport
from twelvetasks.telemetry import ListingFacts, ListingObservation
from twelvetasks.transport import Answer

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from twelvetasks.frames import BatchStream

__all__ = ["BATCH_SIZE", "PageStream", "TaskListing", "TaskStream"]

BATCH_SIZE = 10_000
"""Tasks in a record batch, unless another number is asked for."""

PAGES_A_TURN = 4
"""Pages structured in one turn of the event loop, which takes well below a millisecond."""

T_co = TypeVar("T_co", covariant=True)


class Source(Protocol):
    """What a listing needs of its session."""

    @property
    def concurrency(self) -> int:
        """How many pages a listing may fetch or hold ahead of its reader."""
        ...

    @property
    def closed(self) -> bool:
        """Whether the session is closed, and its listings with it."""
        ...

    def for_one_listing(self) -> Source:
        """Give the source for one iteration, which has its own time to lose to failures."""
        ...

    def observe(self, plan: Plan, facts: Callable[[], ListingFacts]) -> ListingObservation | None:
        """Tell the session's telemetry, if it has one, of the iteration that begins."""
        ...

    async def read_page(self, query: TaskQuery, read: Read) -> TaskPage:
        """Fetch, structure and check one page."""
        ...

    async def fetch_page(self, query: TaskQuery, read: Read) -> Answer:
        """Fetch one page, as it comes."""
        ...

    def structure_page(self, query: TaskQuery, read: Read, answer: Answer) -> TaskPage:
        """Structure and check one page that was fetched."""
        ...

    def spawn(self, fetch: Coroutine[Any, Any, Answer]) -> asyncio.Task[Answer]:
        """Start a fetch that ends with the session at the latest."""
        ...


class _Window:
    """The fetches of one listing: page 1 alone, then as far ahead of the reader as is allowed.

    Pages are structured when the reader gets to them, a few in each turn of the event loop: so
    neither the next request has to wait for all that has arrived, nor whatever else runs there.
    """

    def __init__(self, source: Source, plan: Plan, paging: Paging) -> None:
        self.fetches: dict[Read, asyncio.Task[Answer]] = {}
        self.paging = paging
        self.pages_done = 0
        self.unread: Sized = ()
        """Tasks of the pages given that have not reached the reader yet."""
        self._arrivals: deque[Read] = deque()
        self._arrived = asyncio.Event()
        self._source = source.for_one_listing()
        self._plan = plan
        self._observation: ListingObservation | None = None
        self._pages_asked = 0
        self._structured = 0
        self._failed: dict[Read, Exception] = {}

    async def next_page(self) -> TaskPage | None:
        """Give the next page, or None after the last. Cancelled, it can be called again."""
        if self._pages_asked == self.pages_done:
            if not self._pages_asked:
                self._observation = self._source.observe(self._plan, self._facts)
            self._pages_asked += 1
        while True:
            if (page := self.paging.take()) is not None:
                self.pages_done += 1
                self._fill()
                return page
            if self.paging.finished:
                self._end_observation(complete=True)
                return None
            if self.paging.head in self._failed:
                raise self._failed[self.paging.head]
            if self.paging.stuck is not None:
                raise self.paging.stuck
            if self._arrivals and self._structured < PAGES_A_TURN:
                self._structured += 1
                self._collect(self._arrivals.popleft())
            else:
                await self._turn()
                self._structured = 0

    async def _turn(self) -> None:
        """Let the event loop go on, until there is something to structure."""
        if self._arrivals:
            await asyncio.sleep(0)
            return
        self._fill()
        if not self.fetches:
            raise AssertionError("the listing waits for nothing")
        self._arrived.clear()
        await self._arrived.wait()

    async def close(self, error: Exception | None = None) -> None:
        """End every fetch and wait until it has ended."""
        fetches = tuple(self.fetches.values())
        self.abandon(error)
        if fetches:
            await asyncio.wait(fetches)

    def abandon(self, error: Exception | None = None) -> None:
        """End every fetch; done, too, when a stream is collected."""
        _cancel(self.fetches)
        self._end_observation(error=error)

    def _end_observation(self, *, complete: bool = False, error: Exception | None = None) -> None:
        if self._observation is not None:
            self._observation.end(complete=complete, error=error)

    def _facts(self) -> ListingFacts:
        return ListingFacts(
            report=self.paging.report,
            total_results=self.paging.total_results,
            tasks=self.paging.taken - len(self.unread),
        )

    def _size(self) -> int:
        """Give the number of pages to have under way: all, as soon as one is not enough."""
        return self._source.concurrency if self._pages_asked > 1 else 1

    def _fill(self) -> None:
        size = self._size()
        while len(self.fetches) < size and (read := self.paging.next_read(size)) is not None:
            fetch = self._source.spawn(self._source.fetch_page(self._plan.query, read))
            fetch.add_done_callback(partial(_announce, read, self._arrivals, self._arrived))
            self.fetches[read] = fetch

    def _collect(self, read: Read) -> None:
        """Hand what has arrived to `paging`; an error waits for its turn."""
        try:
            self._hand_over(read, self.fetches.pop(read))
        except asyncio.CancelledError:
            self._fail(read, SessionClosedError("the request was cancelled", page=read.page))
        except Exception as error:  # noqa: BLE001 - raised again at its place in the order
            self._fail(read, error)

    def _hand_over(self, read: Read, fetch: asyncio.Task[Answer]) -> None:
        try:
            answer = fetch.result()
        except BadRequestError:
            if not self.paging.receive_nothing(read):
                raise
        else:
            self.paging.receive(read, self._source.structure_page(self._plan.query, read, answer))

    def _fail(self, read: Read, error: Exception) -> None:
        self._failed[read] = error
        self.paging.fail(read)


def _announce(
    read: Read,
    arrivals: deque[Read],
    arrived: asyncio.Event,
    _: asyncio.Task[Answer],
) -> None:
    """Tell the window of an answer. Called by a fetch, which is to know nothing of the stream."""
    arrivals.append(read)
    arrived.set()


def _cancel(fetches: dict[Read, asyncio.Task[Answer]]) -> None:
    """End the fetches; called, too, when a stream is collected, perhaps after its loop closed."""
    for fetch in fetches.values():
        if not fetch.get_loop().is_closed():
            fetch.cancel()
    fetches.clear()


@attrs.frozen(kw_only=True)
class Plan:
    """What a listing is to yield, and how surely."""

    query: TaskQuery
    max_items: int | None = None
    exact: bool = False
    resume: Checkpoint | None = None

    def __str__(self) -> str:
        words = [str(self.query)]
        words += [f"max_items={self.max_items}"] * (self.max_items is not None)
        words += ["exact"] * self.exact + ["resumed"] * (self.resume is not None)
        return ", ".join(words)

    def paging(self) -> Paging:
        """Begin the listing anew."""
        return Paging(self.query, max_items=self.max_items, exact=self.exact, resume=self.resume)


class _Stream(KeptPlace[T_co]):
    """An async generator over a window of fetches."""

    def __init__(self, source: Source, plan: Plan) -> None:
        self.query: TaskQuery = plan.query
        """The filters and the order."""
        self.max_items: int | None = plan.max_items
        """The most tasks that are yielded; None for all."""
        self._source = source
        self._paging = plan.paging()
        self._window = _Window(source, plan, self._paging)
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
        except Exception as error:
            self._failure = error
            if isinstance(error, TwelveTasksError):
                error.checkpoint = self.checkpoint
            await self._window.close(error)
            raise

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


@attrs.frozen(eq=False)
class TaskListing:
    """The tasks that match a query, in its order: iterate it, await it, count it, again and again.

    Made by `TaskSession.tasks`; making it sends no request, and each iteration is a new listing.
    """

    _source: Source
    _plan: Plan
    _entered: list[TaskStream] = attrs.field(factory=list, init=False, repr=False)

    @property
    def query(self) -> TaskQuery:
        """The filters and the order."""
        return self._plan.query

    @property
    def max_items(self) -> int | None:
        """The most tasks that an iteration yields; None for all."""
        return self._plan.max_items

    def __repr__(self) -> str:
        return f"<TaskListing of {self._plan}>"

    def __aiter__(self) -> TaskStream:
        return TaskStream(self._source, self._plan)

    def __await__(self) -> Generator[Any, None, list[Task]]:
        return self._all().__await__()

    async def __aenter__(self) -> TaskStream:
        if self._entered:
            raise RuntimeError("this listing is entered already; call session.tasks() once more")
        self._entered.append(aiter(self))
        return self._entered[0]

    async def __aexit__(self, *exc_info: object) -> None:
        await self._entered.pop().aclose()

    def pages(self) -> PageStream:
        """Iterate over the same tasks page by page, with each page's `page_info`.

        Where pages overlap because the account changes, each page holds what is new in it.
        """
        return PageStream(self._source, self._plan)

    async def count(self) -> int:
        """Ask how many tasks match now, up to `max_items`: one small request."""
        page = await self._source.read_page(self.query, Read(1, 1))
        total = page.page_info.total_results
        return total if self.max_items is None else min(total, self.max_items)

    async def first(self) -> Task | None:
        """Ask for the first task alone, or None if none matches: one small request."""
        wanted = 1 if self.max_items is None else min(self.max_items, 1)
        async with TaskStream(self._source, attrs.evolve(self._plan, max_items=wanted)) as stream:
            return await anext(stream, None)

    async def to_arrow(self) -> pa.Table:
        """Read all tasks into an Arrow table, which is of one schema whatever the data.

        The tasks become columns as they come, so they are never all held as Python objects.
        Needs ``pip install 'twelvetasks[arrow]'``; ImportError says so.
        """
        from twelvetasks import frames  # noqa: PLC0415 - it imports an extra

        return await frames.to_arrow(TaskStream(self._source, self._plan))

    async def to_pandas(self) -> pd.DataFrame:
        """Read all tasks into a pandas data frame.

        `status` is categorical, times are ``datetime64[us, UTC]``, structs keep their Arrow type.
        Needs ``pip install 'twelvetasks[pandas]'``; ImportError says so.
        """
        from twelvetasks import frames  # noqa: PLC0415 - it imports an extra

        return await frames.to_pandas(TaskStream(self._source, self._plan))

    async def to_polars(self) -> pl.DataFrame:
        """Read all tasks into a polars data frame.

        Needs ``pip install 'twelvetasks[polars]'``; ImportError says so.
        """
        from twelvetasks import frames  # noqa: PLC0415 - it imports an extra

        return await frames.to_polars(TaskStream(self._source, self._plan))

    def arrow_batches(self, *, size: int = BATCH_SIZE) -> BatchStream:
        """Iterate over the same tasks in Arrow record batches of `size` tasks, the last of fewer.

        For listings that memory does not hold. Needs ``pip install 'twelvetasks[arrow]'``;
        ImportError says so.
        """
        from twelvetasks import frames  # noqa: PLC0415 - it imports an extra

        return frames.BatchStream(TaskStream(self._source, self._plan), size)

    async def _all(self) -> list[Task]:
        async with TaskStream(self._source, self._plan) as stream:
            return [task async for task in stream]
