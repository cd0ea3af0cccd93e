"""The async generators over a window of fetches.

A stream is an async generator written as a class. A generator function that is cancelled inside
a fetch ends cleanly and so cuts the listing short in silence; a stream keeps its place. Its fetches
know nothing of it, so that dropping the stream is enough to end them.
"""

from __future__ import annotations

import weakref
from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from threading import get_ident
from types import TracebackType
from typing import Any, TypeVar, cast

import attrs

from twelvetasks.paging.options import ListingOptions
from twelvetasks.paging.period import Period
from twelvetasks.streams.requests import Requests
from twelvetasks.streams.resumable import ResumableGenerator
from twelvetasks.streams.window import Window
from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.errors import ResponseError, SessionClosedError, TwelveTasksError
from twelvetasks.values.malformed import Malformed
from twelvetasks.values.models import Page
from twelvetasks.values.query import ListQuery
from twelvetasks.values.report import Consistency, ListingReport
from twelvetasks.values.response import Response
from twelvetasks.values.tasks import Task

BATCH_SIZE = 10_000
"""Items in a record batch, unless another number is asked for."""

SKIPPED = 4
"""Pages left out before the beginning of a period is searched for: few are read ahead by then."""

_NOT_YIELDED = frozenset((Malformed, type(None)))

T_co = TypeVar("T_co", covariant=True)
ItemT = TypeVar("ItemT")
PageT_co = TypeVar("PageT_co", bound=Page[Any], covariant=True)


class _Stream(ResumableGenerator[T_co]):
    """An async generator over a window of fetches."""

    def __init__(self, requests: Requests, options: ListingOptions[Any]) -> None:
        self.query: ListQuery[Any] = options.query
        """The filters and the order."""
        self.max_items: int | None = options.max_items
        """The most items that are yielded; None for all."""
        self._requests = requests
        self._window: Window[Any] = Window(requests, options)
        self._skips_malformed = options.on_malformed == "skip"
        self._period = options.period
        self._is_past_period = False
        self._wanted = None if options.most_to_read == options.max_items else options.max_items
        self._rest = 0
        self._skipped = 0
        self._searched: tuple[int, int] | None = None
        self._failure: Exception | None = None
        self._traceback: TracebackType | None = None
        backstop = weakref.finalize(self, self._window.abandon)
        backstop.atexit = False

    def __repr__(self) -> str:
        if self.total_results is None:
            return f"<{type(self).__name__}, not begun>"
        at = f"page {self.pages_done} of {self.total_page}"
        total = f"{self.total_results} {self.query.resource.noun}"
        return f"<{type(self).__name__} at {at}, {total}>"

    @property
    def total_results(self) -> int | None:
        """How many items match, by the newest page received; None before the first.

        With `since` or `until`, how many match all else: the platform does not know these.
        """
        return self._window.progress.total_results

    @property
    def total_page(self) -> int | None:
        """How many pages there are, by the newest page received; None before the first."""
        return self._window.progress.total_page

    @property
    def pages_done(self) -> int:
        """How many pages the caller has begun to consume."""
        return self._window.pages_done

    @property
    def report(self) -> ListingReport:
        """What the listing has done so far, and how far its result is proven."""
        return self._window.report

    @property
    def response(self) -> Response | None:
        """The newest response with a page: request id, headers, remaining limit. None before it."""
        return self._window.response

    @property
    def checkpoint(self) -> Checkpoint:
        """The place after the last item yielded: pass it as `resume` to continue from there."""
        return self._window.progress.checkpoint(self._unread())

    @property
    def exhausted(self) -> bool:
        """Whether every item that matches has been yielded.

        False as long as there may be more: before the end, after an error, and where `max_items`
        ended the listing. Then continue with ``resume=stream.checkpoint``.
        """
        if self._is_past_period:
            return self._unread() == self._rest
        return self._window.progress.exhausted and not self._unread()

    def _unread(self) -> int:
        """Return how many items of the page taken last have not been yielded yet."""
        return self._rest

    @abstractmethod
    async def _item(self) -> T_co | None:
        """Return the next item, or None after the last."""

    async def _next_page(self) -> Page[Any] | None:
        """Return the next page; None if nothing of it or after it can be wanted."""
        if self._is_past_period or self._wanted == 0:
            await self._window.close(complete=True)
            return None
        if self._skipped == SKIPPED and self._period is not None:
            await self._find(self._period)
        return await self._window.next_page()

    async def _find(self, period: Period[Any]) -> None:
        """Find by bisection where a period begins, and continue there."""
        if self._searched is None:
            self._searched = (self._window.progress.taken, self.total_results or 0)
        low, high = self._searched
        while high - low > self.query.page_limit:
            rank = (low + high) // 2
            item = await self._window.item_at(rank)
            if item is not None and period.is_to_come(item):
                low = rank + 1
            else:
                high = rank
            self._searched = (low, high)
        await self._window.go_on_from(period.place(low))
        self._skipped += 1

    def _wanted_of(self, items: Sequence[Any]) -> Sequence[Any]:
        """Return the items of a page up to the last that is wanted, None in the place of others."""
        if self._period is None:
            return items
        wanted: list[Any] = []
        for item in items:
            if type(item) is Malformed or self._period.holds(item):
                if self._wanted == 0:
                    break
                wanted.append(item)
                if self._wanted is not None:
                    self._wanted -= 1
            elif self._period.is_over(item) and self._is_in_order():
                self._is_past_period = True
                break
            else:
                wanted.append(None)
        self._rest = len(items) - len(wanted)
        if self._period.can_be_found and self._skipped < SKIPPED and self._is_in_order():
            is_to_come = all(one is None for one in wanted) and not self._is_past_period
            self._skipped = self._skipped + 1 if is_to_come else SKIPPED + 1
        return wanted

    def _is_in_order(self) -> bool:
        return self._window.progress.consistency is not Consistency.UNPROVEN

    async def _next(self) -> T_co | None:
        if self._failure is not None:
            # With its first traceback: to raise an error again makes its traceback longer.
            raise self._failure.with_traceback(self._traceback)
        if self._requests.closed:
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
        self._traceback = self._failure.__traceback__
        await self._window.close(self._failure)
        raise self._failure

    def _enter_loop(self, *, to_close: bool) -> None:
        self._requests.enter(to_close=to_close)

    async def _stop(self) -> None:
        await self._window.close()


class PageStream(_Stream[PageT_co]):
    """One iteration over a listing, page by page; an async generator of `Page`.

    Example::

        async for page in session.tasks().pages():
            print(page.page_info.page, len(page.tasks))
    """

    _malformed: ResponseError | None = None

    async def _item(self) -> PageT_co | None:
        if self._malformed is not None:
            raise self._malformed
        is_first = not self.pages_done
        while (page := await self._next_page()) is not None:
            page = self._to_yield(page)
            if page.items or is_first or self._period is None:
                # A query's pages are of the class that its resource names.
                return cast("PageT_co", page)
        return None

    def _to_yield(self, page: Page[Any]) -> Page[Any]:
        """Return a page with what is wanted and can be read, up to the error to raise."""
        if self._period is None and Malformed not in set(map(type, page.items)):
            return page
        items = self._wanted_of(page.items)
        types = list(map(type, items))
        malformed = types.count(Malformed)
        if malformed and not self._skips_malformed:
            at = types.index(Malformed)
            self._malformed = items[at].error
            self._is_past_period = False
            self._rest += len(items) - at
            items = items[:at]
        else:
            self._window.progress.malformed += malformed
        items = tuple(one for one in items if one is not None and type(one) is not Malformed)
        if self._malformed is not None and not items:
            raise self._malformed
        self._window.left_out += len(page.items) - len(items)
        return page if len(items) == len(page.items) else attrs.evolve(page, data=items)


class ItemStream(_Stream[ItemT]):
    """One iteration over a listing, item by item; an async generator.

    Raises, at its place in the order and after every earlier item, the `TwelveTasksError` of a page
    or of an item that could not be read. After that it raises the same error again and
    never ends as if complete.

    Example::

        async with session.list(TaskQuery(status="failed")) as stream:
            assert isinstance(stream, ItemStream)
            async for item in stream:
                print(item, f"one of {stream.total_results}")
    """

    def __init__(self, requests: Requests, options: ListingOptions[ItemT]) -> None:
        super().__init__(requests, options)
        self._items: deque[Any] = deque()
        """Those of the page taken last that have not been yielded; None in the place of others."""
        self._window.unread = self._items
        self._thread = 0
        """The thread in which the items at hand need no further look; 0 if they do, or for none."""
        self._are_plain = True
        self._transport = requests.transport

    async def __anext__(self) -> ItemT:
        # Called for every item: each property and call costs a hundredth of a whole listing, and
        # to ask for the running loop a system call in Python 3.11. Other threads have other loops.
        if self._items and self._thread == get_ident() and not self._transport.closed:
            item: ItemT = self._items.popleft()
            return item
        return await self.asend(None)

    def _enter(self, method: str) -> None:
        super()._enter(method)
        self._thread = 0

    def _unread(self) -> int:
        return len(self._items) + self._rest

    async def next_items(self, most: int) -> list[ItemT]:
        """Return the next items that have arrived, at most `most`; none after the last.

        It waits for the first only, and raises what `anext` raises for that. ::

            while tasks := await stream.next_items(100):
                print(len(tasks), tasks[-1].id)
        """
        items = [item] if (item := await anext(self, None)) is not None else []
        if items and self._are_plain and len(self._items) < most:
            items += self._items
            self._items.clear()
        elif items:
            kinds = enumerate(map(type, self._items))
            ready = next((at for at, kind in kinds if kind in _NOT_YIELDED), len(self._items))
            items += [self._items.popleft() for _ in range(min(most - 1, ready))]
        return items

    async def _item(self) -> ItemT | None:
        while True:
            while not self._items:
                if (page := await self._next_page()) is None:
                    return None
                self._items.extend(self._wanted_of(page.items))
                self._window.left_out += self._rest
                self._are_plain = _NOT_YIELDED.isdisjoint(map(type, self._items))
            if self._are_plain:
                self._thread = get_ident()
            item: ItemT | Malformed | None = self._items[0]
            if isinstance(item, Malformed):
                if not self._skips_malformed:
                    raise item.error
                self._window.progress.malformed += 1
            self._window.left_out += item is None
            self._items.popleft()
            if item is not None and not isinstance(item, Malformed):
                return item


class TaskStream(ItemStream[Task]):
    """One iteration over a listing of tasks; an async generator of `Task`.

    Raises, at its place in the order and after every earlier task, the `TwelveTasksError` of a page
    or of a task that could not be read. After that it raises the same error again and
    never ends as if complete.

    Example::

        async with session.tasks(status="failed") as stream:
            async for task in stream:
                print(task.id, f"one of {stream.total_results}")
    """
