"""Tasks as Arrow record batches, and what pandas and polars make of these.

The schema is one and the same whatever the data: a field that no task has is a column of nulls.
Tasks of the usual shape never become models: the rows that the JSON is read into become columns.
This module alone imports pyarrow; the rest of the package imports it only when it is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from twelvetasks.conversion.fast_hooks import AsRow
from twelvetasks.paging.options import ListingOptions
from twelvetasks.streams.requests import Requests
from twelvetasks.streams.resumable import ResumableGenerator
from twelvetasks.streams.streams import BATCH_SIZE, ItemStream
from twelvetasks.values.checks import whole_number
from twelvetasks.values.display import excerpt
from twelvetasks.values.errors import ResponseError, TwelveTasksError
from twelvetasks.values.fields import NO_EXTRA
from twelvetasks.values.models import HlsStream, Page, Task, TaskStatus
from twelvetasks.values.tasks import TASKS, TaskQuery

try:
    import pyarrow as pa
except ModuleNotFoundError as _missing:
    raise ImportError(
        "data frames need an extra: 'twelvetasks[pandas]' or 'twelvetasks[polars]' for those, "
        "or for Arrow alone: pip install 'twelvetasks[arrow]'",
        name=_missing.name,
    ) from None

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from twelvetasks.values.checkpoint import Checkpoint
    from twelvetasks.values.report import ListingReport

__all__ = ["SCHEMA", "BatchStream", "record_batch"]

_MOMENT = pa.timestamp("us", tz="UTC")
_STATUS = pa.dictionary(pa.int32(), pa.string())

_SYSTEM_METADATA = pa.struct(
    [
        ("filename", pa.string()),
        ("duration", pa.float64()),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("extra", pa.string()),
    ]
)

_HLS = pa.struct(
    [
        ("video_url", pa.string()),
        ("thumbnail_urls", pa.list_(pa.string())),
        ("status", pa.string()),
        ("updated_at", _MOMENT),
        ("extra", pa.string()),
    ]
)

SCHEMA: pa.Schema = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("index_id", pa.string()),
        pa.field("video_id", pa.string()),
        pa.field("status", _STATUS),
        pa.field("created_at", _MOMENT),
        pa.field("updated_at", _MOMENT),
        pa.field("estimated_time", _MOMENT),
        pa.field("system_metadata", _SYSTEM_METADATA),
        pa.field("hls", _HLS),
        pa.field("extra", pa.string()),
    ]
)
"""The columns of every record batch: the fields of `Task`.

Times are UTC, in microseconds. `extra` is a JSON object in text, or null if there is nothing in it.
What the platform left out and what it sent as null are null alike.
"""

INT64 = range(-(2**63), 2**63)

ROWS_A_TURN = 2_500
"""Tasks that become columns in one turn of the event loop, which takes about 3 ms."""


@attrs.frozen(kw_only=True, repr=False)
class _RowQuery(TaskQuery):
    """A query whose tasks stay rows where they can."""

    resource = attrs.evolve(TASKS, page=Page[AsRow[Task]])


def row_stream(requests: Requests, options: ListingOptions[Task]) -> ItemStream[Task]:
    """Begin the listing that the options describe, for `BatchStream` to read."""
    query = options.query
    given = {field.name: getattr(query, field.name) for field in attrs.fields(type(query))}
    return ItemStream(requests, attrs.evolve(options, query=_RowQuery(**given)))


def record_batch(tasks: Iterable[Task]) -> pa.RecordBatch:
    """Make a record batch with the columns of `SCHEMA` out of tasks, in their order.

    Raises ResponseError if a width or a height is a number beyond 64 bits.
    """
    rows = list(tasks)
    return pa.record_batch(
        [
            pa.array([task.id for task in rows], pa.string()),
            pa.array([task.index_id for task in rows], pa.string()),
            pa.array([task.video_id for task in rows], pa.string()),
            _statuses(rows),
            pa.array([task.created_at for task in rows], _MOMENT),
            pa.array([task.updated_at for task in rows], _MOMENT),
            pa.array([task.estimated_time for task in rows], _MOMENT),
            _metadata(rows),
            _hls([task.hls for task in rows]),
            _extras(rows),
        ],
        schema=SCHEMA,
    )


class BatchStream(ResumableGenerator[pa.RecordBatch]):
    """One iteration over a listing, a record batch at a time; an async generator.

    Each batch but the last holds as many tasks as were asked for. If a page cannot be had, the
    tasks before it come first, in a batch of their own, and then its `TwelveTasksError` is raised.
    """

    def __init__(self, stream: ItemStream[Task], size: int) -> None:
        self.size: int = whole_number("size", size, least=1)
        """The most tasks in a batch."""
        self._stream = stream
        self._tasks: list[Task] = []
        self._checkpoint = stream.checkpoint

    @property
    def total_results(self) -> int | None:
        """How many tasks match, by the newest page received; None before the first."""
        return self._stream.total_results

    @property
    def report(self) -> ListingReport:
        """What the listing has done so far, and how far its result is proven."""
        return self._stream.report

    @property
    def checkpoint(self) -> Checkpoint:
        """The place after the last batch yielded: pass it as `resume` to go on from there."""
        return self._checkpoint

    async def _next(self) -> pa.RecordBatch | None:
        while len(self._tasks) < self.size:
            try:
                tasks = await self._stream.next_items(self.size - len(self._tasks))
            except TwelveTasksError:
                # The stream raises it again when it is asked again.
                if self._tasks:
                    break
                raise
            if not tasks:
                break
            self._tasks += tasks
        if not self._tasks:
            return None
        batch = record_batch(self._tasks)
        self._tasks.clear()
        self._checkpoint = self._stream.checkpoint
        return batch

    async def _stop(self) -> None:
        await self._stream.aclose()


async def to_arrow(stream: ItemStream[Task]) -> pa.Table:
    """Read a stream to its end, and close it."""
    async with BatchStream(stream, min(BATCH_SIZE, ROWS_A_TURN)) as batches:
        held = [batch async for batch in batches] or [record_batch([])]
    return pa.Table.from_batches(held, schema=SCHEMA).unify_dictionaries()


async def to_pandas(stream: ItemStream[Task]) -> pd.DataFrame:
    """Do the same for pandas."""
    try:
        import pandas as pd  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as missing:
        raise _lacking("pandas", missing) from None

    def keeps_its_type(kind: pa.DataType) -> pd.ArrowDtype | None:
        return pd.ArrowDtype(kind) if pa.types.is_struct(kind) else None

    return (await to_arrow(stream)).to_pandas(types_mapper=keeps_its_type)


async def to_polars(stream: ItemStream[Task]) -> pl.DataFrame:
    """Do the same for polars."""
    try:
        import polars as pl  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as missing:
        raise _lacking("polars", missing) from None
    return pl.DataFrame(await to_arrow(stream))


def _lacking(extra: str, missing: ModuleNotFoundError) -> ImportError:
    return ImportError(
        f"to_{extra}() needs its extra: pip install 'twelvetasks[{extra}]'", name=missing.name
    )


def _statuses(tasks: list[Task]) -> pa.DictionaryArray[Any, Any]:
    """Give the statuses as codes: first those documented, then others as they are met."""
    codes = {status.value: code for code, status in enumerate(TaskStatus)}
    indices = [
        None if task.status is None else codes.setdefault(str(task.status), len(codes))
        for task in tasks
    ]
    return pa.DictionaryArray.from_arrays(
        pa.array(indices, pa.int32()), pa.array(list(codes), pa.string())
    )


def _metadata(tasks: list[Task]) -> pa.StructArray:
    held = [task.system_metadata for task in tasks]
    durations = [None if one is None else one.duration for one in held]
    return pa.StructArray.from_arrays(
        [
            pa.array([None if one is None else one.filename for one in held], pa.string()),
            pa.array([None if one is None else float(one) for one in durations], pa.float64()),
            _pixels(tasks, "width"),
            _pixels(tasks, "height"),
            _extras(held),
        ],
        fields=list(_SYSTEM_METADATA),
        mask=pa.array([one is None for one in held], pa.bool_()),
    )


def _pixels(tasks: list[Task], name: str) -> pa.Array[Any]:
    numbers = [task.system_metadata and getattr(task.system_metadata, name) for task in tasks]
    try:
        return pa.array(numbers, pa.int64())
    except (OverflowError, pa.ArrowInvalid):
        large = next(at for at, one in enumerate(numbers) if one is not None and one not in INT64)
    raise ResponseError(
        f"the {name} of the task {excerpt(tasks[large].id)} is {numbers[large]:.3g} pixels, "
        "which is beyond 64 bits",
        advice="Iterate over the listing itself, which takes any number",
    )


def _hls(held: list[HlsStream | None]) -> pa.Array[Any]:
    if not any(held):
        return pa.nulls(len(held), _HLS)
    return pa.array([_hls_row(one) for one in held], _HLS)


def _extras(held: Iterable[Any]) -> pa.Array[Any]:
    kept = [NO_EXTRA if one is None else one.extra for one in held]
    # Most are this very value, and comparing costs less than asking for a length.
    texts = [_json_text(one) if one is not NO_EXTRA and one else None for one in kept]
    return pa.array(texts, pa.string())


def _hls_row(hls: HlsStream | None) -> dict[str, Any] | None:
    if hls is None:
        return None
    return {
        "video_url": hls.video_url,
        "thumbnail_urls": hls.thumbnail_urls,
        "status": hls.status,
        "updated_at": hls.updated_at,
        "extra": _json_text(hls.extra) if hls.extra else None,
    }


def _json_text(extra: Mapping[str, Any]) -> str:
    return json.dumps(dict(extra), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
