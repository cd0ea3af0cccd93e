"""The fetches of one stream: how many, and how far ahead of the caller."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sized
from functools import partial
from typing import Any, Generic, TypeVar

import attrs

from twelvetasks.paging.options import ListingOptions
from twelvetasks.paging.progress import ListingProgress
from twelvetasks.paging.reads import Read
from twelvetasks.streams.requests import Requests, cancel, end
from twelvetasks.transport.messages import Answer
from twelvetasks.transport.telemetry import ListingFacts, ListingObservation
from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.errors import BadRequestError, SessionClosedError
from twelvetasks.values.models import Page
from twelvetasks.values.query import ListQuery
from twelvetasks.values.report import Consistency, ListingReport
from twelvetasks.values.response import Response

_log = logging.getLogger("twelvetasks")

ItemT = TypeVar("ItemT")

PAGES_A_TURN = 4
"""Pages checked or handed out in one turn of the event loop, which takes below a millisecond."""


class Window(Generic[ItemT]):
    """The fetches of one listing: page 1 alone, then as far ahead of the caller as is allowed.

    Pages are structured when the caller reaches them, a few in each turn of the event loop: so
    neither the next request nor any other task waits until all that has arrived is structured.
    """

    def __init__(self, requests: Requests, options: ListingOptions[ItemT]) -> None:
        self.fetches: dict[Read, asyncio.Task[Answer]] = {}
        self._calm = requests.calm[options.query.resource.path]
        self.progress: ListingProgress[ItemT] = ListingProgress(options, self._calm)
        self.pages_done: int = 0
        self.unread: Sized = ()
        """Items of the pages returned that the caller has not received yet."""
        self.left_out: int = 0
        """Items of the pages returned that the caller will never receive."""
        self.response: Response | None = None
        """The newest answer with a page."""
        self._arrivals: deque[Read] = deque()
        self._arrived = asyncio.Event()
        self._requests = requests
        self._budget = requests.budget()
        self._options = options
        self._observation: ListingObservation | None = None
        self._pages_asked = 0
        self._handled = 0
        self._failed: dict[Read, Exception] = {}
        self._has_warned = False
        self._probe: Read | None = None

    async def next_page(self) -> Page[ItemT] | None:
        """Return the next page, or None after the last. Cancelled, it can be called again."""
        if self._pages_asked == self.pages_done:
            if not self._pages_asked:
                self._observation = self._requests.observe(self._options, self._facts)
            self._pages_asked += 1
        while True:
            await self._give_way()
            if (page := self.progress.take()) is not None:
                self.pages_done += 1
                self._warn_if_unproven()
                if self._pages_asked > 1:  # else page 1 may be all that the reader wants
                    self._fill()
                return page
            if self.progress.finished:
                self._warn_if_unproven()
                self._end_observation(complete=True)
                return None
            if self.progress.head in self._failed:
                raise self._failed[self.progress.head]
            if self.progress.stuck is not None:
                raise self.progress.stuck
            if self._arrivals:
                self._collect(self._arrivals.popleft())
            else:
                self._handled = 0
                await self._arrival()

    @property
    def report(self) -> ListingReport:
        """What has been done so far."""
        return attrs.evolve(
            self.progress.report,
            requests=self._budget.sent,
            retries=self._budget.retries,
            paused=round(self._budget.waited(time.monotonic()), 3),
        )

    def _warn_if_unproven(self) -> None:
        """Warn once that the listing cannot be proven to be complete, and why."""
        if not self._has_warned and self.progress.consistency is Consistency.UNPROVEN:
            self._has_warned = True
            _log.warning(
                "the listing cannot be proven to be complete and in order: %s",
                "; ".join(self.progress.report.oddities),
            )

    async def _give_way(self) -> None:
        """Yield to the event loop every few pages: requests that have begun are sent meanwhile."""
        if self._handled == PAGES_A_TURN:
            self._handled = 0  # before the wait, which a caller may give up
            await asyncio.sleep(0)
        self._handled += 1

    async def _arrival(self) -> None:
        """Wait until there is something to structure."""
        self._fill()
        if not self.fetches:
            raise AssertionError("the listing waits for nothing")
        self._arrived.clear()
        await self._arrived.wait()

    async def item_at(self, rank: int) -> ItemT | None:
        """Fetch one item, by its rank; None past the end. Cancelled, it can be called again."""
        query = self._options.query
        if self._probe is None:
            await self._drop()
            self._probe = read = Read(rank + 1, 1)
            self.fetches[read] = self._fetch(query, read)
        read = self._probe
        await asyncio.wait([self.fetches[read]])
        self._probe = None
        try:
            answer = self.fetches.pop(read).result()
        except BadRequestError:
            return None
        page = self._requests.structure_page(query, read, answer, strict=False).whole()
        return page.items[0] if page.items else None

    async def go_on_from(self, place: Checkpoint) -> None:
        """Leave out all items before a place that have not been read."""
        await self._drop()
        self.progress = ListingProgress(attrs.evolve(self._options, resume=place), self._calm)
        self.left_out = 0

    async def _drop(self) -> None:
        await end(self.fetches.values())
        self.fetches.clear()
        self._failed.clear()
        # Another one: the fetches that have just ended still announce themselves.
        self._arrivals = deque()

    async def close(self, error: Exception | None = None, *, complete: bool = False) -> None:
        """End every fetch and wait until it has ended; several may call this at once."""
        self._end_observation(complete=complete, error=error)
        await end(self.fetches.values())
        self.fetches.clear()

    def abandon(self) -> None:
        """End every fetch without waiting: called in any thread when a stream is collected."""
        cancel(self.fetches.values())
        self.fetches.clear()
        self._end_observation()

    def _end_observation(self, *, complete: bool = False, error: Exception | None = None) -> None:
        if self._observation is not None:
            self._observation.end(complete=complete, error=error)

    def _facts(self) -> ListingFacts:
        return ListingFacts(
            report=self.report,
            total_results=self.progress.total_results,
            tasks=self.progress.taken - len(self.unread) - self.left_out,
        )

    def _size(self) -> int:
        """Return the number of pages to have under way: all, as soon as one is not enough."""
        return self._requests.concurrency if self._pages_asked > 1 else 1

    def _fill(self) -> None:
        size = self._size()
        while len(self.fetches) < size and (read := self.progress.next_read(size)) is not None:
            fetch = self._fetch(self._query_of(read), read)
            fetch.add_done_callback(partial(_announce, read, self._arrivals, self._arrived))
            self.fetches[read] = fetch

    def _fetch(self, query: ListQuery[Any], read: Read) -> asyncio.Task[Answer]:
        context = None if self._observation is None else self._observation.context.copy()
        return self._requests.spawn(self._requests.fetch_page(query, read, self._budget), context)

    def _query_of(self, read: Read) -> ListQuery[Any]:
        """Return the query of a read: of a page of the listing, or of a stamp of it."""
        stamp = self._options.query.stamp if read.stamp else None
        return self._options.query if stamp is None else stamp

    def _collect(self, read: Read) -> None:
        """Hand what has arrived to `progress`; an error waits for its turn."""
        try:
            self._hand_over(read, self.fetches.pop(read))
        except asyncio.CancelledError:
            self._fail(read, SessionClosedError("the request was cancelled", page=read.page))
        except Exception as error:  # noqa: BLE001 - raised again at its place in the order
            self._fail(read, error)
        except BaseException as error:
            # A KeyboardInterrupt ends the program now; nothing may wait for this read after it.
            words = f"the request was interrupted by {type(error).__name__}"
            self._fail(read, SessionClosedError(words, page=read.page))
            raise

    def _hand_over(self, read: Read, fetch: asyncio.Task[Answer]) -> None:
        try:
            answer = fetch.result()
        except BadRequestError:
            if not self.progress.receive_nothing(read):
                raise
        else:
            self.response = answer.response
            page = self._requests.structure_page(
                self._query_of(read), read, answer, strict=self._options.exact
            )
            self.progress.receive(read, page)

    def _fail(self, read: Read, error: Exception) -> None:
        self._failed[read] = error
        self.progress.fail(read)


def _announce(
    read: Read,
    arrivals: deque[Read],
    arrived: asyncio.Event,
    _: asyncio.Task[Answer],
) -> None:
    """Tell the window of an answer. Called by a fetch, which must not refer to the stream."""
    arrivals.append(read)
    arrived.set()
