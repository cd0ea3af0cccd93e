"""Listings: values that can be iterated, and the streams that iterate them.

A stream is an async generator written as a class. A generator function that is cancelled inside
a fetch ends cleanly and so cuts the listing short in silence; a stream keeps its place. Its fetches
know nothing of it, so that dropping the stream is enough to end them.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import attrs

from twelvetasks.paging.reads import Read
from twelvetasks.values.models import Task
from twelvetasks.values.query import TaskQuery

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from twelvetasks.frames import BatchStream

from twelvetasks.paging.plan import Plan
from twelvetasks.streams.source import Source
from twelvetasks.streams.streams import BATCH_SIZE, PageStream, TaskStream

__all__ = ["TaskListing"]


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
