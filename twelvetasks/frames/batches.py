"""Listings as Arrow record batches, and what pandas and polars make of these.

pyarrow, pandas and polars are imported, and columns made, in a thread: the loop keeps running.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from twelvetasks.conversion.model_types import is_model
from twelvetasks.conversion.row_queries import as_rows
from twelvetasks.frames.extras import not_a_model, require
from twelvetasks.paging.options import ListingOptions
from twelvetasks.streams.requests import Requests
from twelvetasks.streams.resumable import ResumableGenerator
from twelvetasks.streams.streams import BATCH_SIZE, ItemStream
from twelvetasks.values.checks import whole_number
from twelvetasks.values.errors import TwelveTasksError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from twelvetasks.values.checkpoint import Checkpoint
    from twelvetasks.values.report import ListingReport
    from twelvetasks.values.response import Response

ItemT = TypeVar("ItemT")

ROWS_A_TURN = 500
"""Items that become columns at a time: about a millisecond, in which the event loop may wait."""


class BatchStream(ResumableGenerator["pa.RecordBatch"], Generic[ItemT]):
    """One iteration over a listing, a record batch at a time; an async generator.

    Each batch but the last holds as many items as were asked for. If a page cannot be read, the
    items before it come first, in a batch of their own, and then its `TwelveTasksError` is raised.
    """

    def __init__(self, requests: Requests, options: ListingOptions[ItemT], size: int) -> None:
        self.size: int = whole_number("size", size, least=1)
        """The most items in a batch."""
        self._model: type[Any] = options.query.resource.item
        if not is_model(self._model):
            raise not_a_model(self._model)
        require("pyarrow")
        self._stream = ItemStream(requests, attrs.evolve(options, query=as_rows(options.query)))
        # A single thread, since each that makes columns keeps memory for more of them.
        self._worker = ThreadPoolExecutor(1, "twelvetasks-columns")
        self._items: list[ItemT] = []
        self._parts: list[pa.RecordBatch] = []
        self._rows = 0
        self._checkpoint = self._stream.checkpoint

    @property
    def total_results(self) -> int | None:
        """How many items match, by the newest page received; None before the first."""
        return self._stream.total_results

    @property
    def report(self) -> ListingReport:
        """What the listing has done so far, and how far its result is proven."""
        return self._stream.report

    @property
    def response(self) -> Response | None:
        """The newest response with a page: request id, headers, remaining limit. None before it."""
        return self._stream.response

    @property
    def checkpoint(self) -> Checkpoint:
        """The place after the last batch yielded: pass it as `resume` to continue from there."""
        return self._checkpoint

    async def _next(self) -> pa.RecordBatch | None:
        while (lacking := self.size - self._rows - len(self._items)) > 0:
            if len(self._items) >= ROWS_A_TURN:
                await self._make_columns()
            try:
                items = await self._stream.next_items(lacking)
            except TwelveTasksError:
                # The stream raises it again when it is asked again.
                if self._rows or self._items:
                    break
                self._worker.shutdown(wait=False)
                raise
            if not items:
                break
            self._items += items
        if self._items:
            await self._make_columns()
        if not self._parts:
            self._worker.shutdown(wait=False)
            return None
        batch = await self._in_thread(_joined, self._parts)
        self._parts, self._rows = [], 0
        self._checkpoint = self._stream.checkpoint
        return batch

    async def _make_columns(self) -> None:
        """Make columns of what has come, and forget it. Cancelled, it can be called again."""
        part = await self._in_thread(_batch_of, self._model, self._items)
        self._parts.append(part)
        self._rows += len(self._items)
        self._items = []

    async def _in_thread(self, make: Callable[..., pa.RecordBatch], *given: Any) -> pa.RecordBatch:
        return await asyncio.get_running_loop().run_in_executor(self._worker, make, *given)

    async def _stop(self) -> None:
        self._worker.shutdown(wait=False)
        await self._stream.aclose()


async def to_arrow(requests: Requests, options: ListingOptions[Any]) -> pa.Table:
    """Read a listing to its end."""
    async with BatchStream(requests, options, BATCH_SIZE) as batches:
        held = [batch async for batch in batches]
    return await asyncio.to_thread(_table_of, options.query.resource.item, held)


async def to_pandas(requests: Requests, options: ListingOptions[Any]) -> pd.DataFrame:
    """Do the same for pandas."""
    require("pyarrow", "pandas")
    return await asyncio.to_thread(_in_pandas, await to_arrow(requests, options))


async def to_polars(requests: Requests, options: ListingOptions[Any]) -> pl.DataFrame:
    """Do the same for polars."""
    require("pyarrow", "polars")
    return await asyncio.to_thread(_in_polars, await to_arrow(requests, options))


# Run in a thread, so that neither an import nor many rows hold the event loop.


def _batch_of(model: type[Any], items: list[Any]) -> pa.RecordBatch:
    from twelvetasks.frames import columns  # noqa: PLC0415 - it imports an extra

    return columns.batch_of(model, items)


def _joined(parts: list[pa.RecordBatch]) -> pa.RecordBatch:
    """Join what becomes one batch: many small ones take a tenth more memory."""
    if len(parts) == 1:
        return parts[0]
    import pyarrow as pa  # noqa: PLC0415 - an extra

    # Arrow's own pool keeps a quarter more than what is long held among what soon is not.
    pool = pa.system_memory_pool()
    table = pa.Table.from_batches(parts).unify_dictionaries().combine_chunks(memory_pool=pool)
    return table.to_batches()[0]


def _table_of(model: type[Any], batches: list[pa.RecordBatch]) -> pa.Table:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    from twelvetasks.frames import columns  # noqa: PLC0415 - it imports an extra

    batches = batches or [columns.batch_of(model, [])]
    return pa.Table.from_batches(batches, schema=columns.schema_of(model)).unify_dictionaries()


def _in_pandas(table: pa.Table) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - an extra
    import pyarrow as pa  # noqa: PLC0415 - an extra

    def keeps_its_type(kind: pa.DataType) -> pd.ArrowDtype | pd.Int64Dtype | None:
        if pa.types.is_integer(kind):  # a null would make a column of floats of it
            return pd.Int64Dtype()
        nested = pa.types.is_struct(kind) or pa.types.is_list(kind)
        return pd.ArrowDtype(kind) if nested else None

    return table.to_pandas(types_mapper=keeps_its_type)


def _in_polars(table: pa.Table) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 - an extra

    return pl.DataFrame(table)
