"""What a session's streams make their requests with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from weakref import WeakSet

from yarl import URL

from twelvetasks.conversion.convert import read_json
from twelvetasks.paging.page_checks import check_page
from twelvetasks.paging.plan import Plan
from twelvetasks.paging.reads import Read
from twelvetasks.tasks import requests as single
from twelvetasks.transport.messages import Answer, Request
from twelvetasks.transport.retries import Budget
from twelvetasks.transport.telemetry import ListingFacts, ListingObservation
from twelvetasks.transport.transport import Transport
from twelvetasks.values.models import Task, TaskPage
from twelvetasks.values.query import TaskQuery

T = TypeVar("T")


class Requests:
    """What a session's listings make their requests with; it outlives none of them."""

    def __init__(self, transport: Transport, base_url: URL, concurrency: int) -> None:
        self.concurrency = concurrency
        self._transport = transport
        self._base_url = base_url
        self.closing = asyncio.Event()
        self._budget: Budget | None = None
        self._fetches: set[asyncio.Task[Any]] = set()
        self._observations: WeakSet[ListingObservation] = WeakSet()
        self._observation: ListingObservation | None = None

    def for_one_listing(self) -> Requests:
        """Give the same for one iteration of a listing, with a budget for failures of its own."""
        requests = Requests(self._transport, self._base_url, self.concurrency)
        requests._budget = Budget(self._transport.retry.budget)
        requests._fetches = self._fetches
        requests._observations = self._observations
        requests.closing = self.closing
        return requests

    def observe(self, plan: Plan, facts: Callable[[], ListingFacts]) -> ListingObservation | None:
        """Tell the telemetry of an iteration that begins; its fetches run in its context."""
        if (telemetry := self._transport.telemetry) is not None:
            self._observation = telemetry.listing(
                plan.query,
                exact=plan.exact,
                max_items=plan.max_items,
                resumed=plan.resume is not None,
                facts=facts,
            )
            self._observations.add(self._observation)
        return self._observation

    @property
    def transport(self) -> Transport:
        """What sends."""
        return self._transport

    async def retrieve(self, task_id: str) -> Task:
        """Fetch one task."""
        return await single.retrieve(self._transport, self._base_url, task_id)

    @property
    def closed(self) -> bool:
        """Whether the session is closed."""
        return self._transport.closed

    async def read_page(self, query: TaskQuery, read: Read) -> TaskPage:
        """Fetch, structure and check one page of a query: one request, and its retries."""
        return self.structure_page(query, read, await self.fetch_page(query, read))

    async def fetch_page(self, query: TaskQuery, read: Read) -> Answer:
        """Fetch one page of a query, as it comes."""
        url = query.url(self._base_url, page=read.page, page_limit=read.page_limit)
        return await self._transport.send(
            Request(method="GET", url=url, page=read.page, priority=read.start, budget=self._budget)
        )

    def structure_page(self, query: TaskQuery, read: Read, answer: Answer) -> TaskPage:
        """Structure one page that was fetched, and check it."""

        def read_page(body: bytes) -> TaskPage:
            page = read_json(body, TaskPage, page=read.page)
            check_page(page, query, read)
            return page

        return self._transport.client.read(answer, read_page)

    def spawn(self, fetch: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a fetch as a task that ends, at the latest, when the session is closed."""
        context = None if self._observation is None else self._observation.context.copy()
        task = asyncio.get_running_loop().create_task(fetch, context=context)
        self._fetches.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """End every fetch, wait until it has ended, and close the connection."""
        self.closing.set()
        await self._transport.close()
        if self._fetches:
            await asyncio.wait(self._fetches)
        for observation in tuple(self._observations):
            observation.end()

    def _ended(self, fetch: asyncio.Task[Any]) -> None:
        self._fetches.discard(fetch)
        if not fetch.cancelled():
            # Marks the error as seen: asyncio complains of a page that nobody came to read.
            fetch.exception()
