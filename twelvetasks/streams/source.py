"""What a stream needs of its session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from twelvetasks.paging.reads import Read
from twelvetasks.transport.messages import Answer
from twelvetasks.transport.telemetry import ListingFacts, ListingObservation
from twelvetasks.values.models import TaskPage
from twelvetasks.values.query import TaskQuery

if TYPE_CHECKING:
    pass

from twelvetasks.paging.plan import Plan


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
