"""What a session's listings, watches and waits make their requests with.

It ends with the session: closing it ends every fetch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import Any, TypeVar
from weakref import WeakSet

from yarl import URL

from twelvetasks.conversion.convert import read_json
from twelvetasks.paging.options import ListingOptions
from twelvetasks.paging.page_checks import KeyedPage, check_page
from twelvetasks.paging.reads import Read
from twelvetasks.transport.messages import Answer, Request
from twelvetasks.transport.retries import Budget
from twelvetasks.transport.telemetry import ListingFacts, ListingObservation
from twelvetasks.transport.transport import Transport
from twelvetasks.values.models import Page
from twelvetasks.values.query import ListQuery

__all__ = ["Requests", "cancel"]

T = TypeVar("T")
ItemT = TypeVar("ItemT")


class Requests:
    """Fetches pages, as tasks that end with the session."""

    def __init__(self, transport: Transport, base_url: URL, concurrency: int) -> None:
        self.transport = transport
        self.base_url = base_url
        self.concurrency = concurrency
        """How many pages a listing may fetch or hold ahead of its reader."""
        self.closing = asyncio.Event()
        """Set when the session begins to close, for those that wait without a request."""
        self._fetches: set[asyncio.Task[Any]] = set()
        self._observations: WeakSet[ListingObservation] = WeakSet()

    @property
    def closed(self) -> bool:
        """Whether the session is closed."""
        return self.transport.closed

    def budget(self) -> Budget:
        """Give what one iteration of a listing may lose to failures."""
        return Budget(self.transport.retry.budget)

    def observe(
        self, options: ListingOptions[Any], facts: Callable[[], ListingFacts]
    ) -> ListingObservation | None:
        """Tell the session's telemetry, if it has one, of an iteration that begins."""
        if (telemetry := self.transport.telemetry) is None:
            return None
        observation = telemetry.listing(
            options.query,
            exact=options.exact,
            max_items=options.max_items,
            resumed=options.resume is not None,
            facts=facts,
        )
        self._observations.add(observation)
        return observation

    async def read_page(self, query: ListQuery[ItemT], read: Read) -> Page[ItemT]:
        """Fetch, structure and check one page of a query: one request, and its retries."""
        return self.structure_page(query, read, await self.fetch_page(query, read)).page

    async def fetch_page(
        self, query: ListQuery[Any], read: Read, budget: Budget | None = None
    ) -> Answer:
        """Fetch one page of a query, as it comes."""
        url = query.url(self.base_url, page=read.page, page_limit=read.page_limit)
        return await self.transport.send(
            Request(method="GET", url=url, page=read.page, priority=read.start, budget=budget)
        )

    def structure_page(
        self, query: ListQuery[ItemT], read: Read, answer: Answer
    ) -> KeyedPage[ItemT]:
        """Structure one page that was fetched, and check it."""

        def checked(body: bytes) -> KeyedPage[ItemT]:
            page = read_json(body, query.resource.page, page=read.page)
            return check_page(page, query, read)

        return self.transport.client.read(answer, checked)

    def spawn(
        self, fetch: Coroutine[Any, Any, T], context: Context | None = None
    ) -> asyncio.Task[T]:
        """Run a fetch as a task that ends, at the latest, when the session is closed."""
        task = asyncio.get_running_loop().create_task(fetch, context=context)
        self._fetches.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """End every fetch, wait until it has ended, and close the connection."""
        self.closing.set()
        await self.transport.close()
        if self._fetches:
            await asyncio.wait(self._fetches)
        for observation in tuple(self._observations):
            observation.end()

    def _ended(self, fetch: asyncio.Task[Any]) -> None:
        self._fetches.discard(fetch)
        if not fetch.cancelled():
            # Marks the error as seen: asyncio complains of a task whose error nobody has read.
            fetch.exception()


def cancel(fetches: Collection[asyncio.Task[Any]]) -> None:
    """Cancel fetches; a finalizer may call it in any thread, and after their loop was closed."""
    for fetch in fetches:
        loop = fetch.get_loop()
        if _runs_here(loop):
            fetch.cancel()
        else:
            with suppress(RuntimeError):  # a closed loop has nothing left to cancel
                loop.call_soon_threadsafe(fetch.cancel)


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
