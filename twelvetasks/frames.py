"""Tasks as Arrow record batches, and what pandas and polars make of these.

The schema is one and the same whatever the data: a field that no task has is a column of nulls.
This module alone imports pyarrow; the rest of the package imports it only when it is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from twelvetasks.streams.resumable import ResumableGenerator
from twelvetasks.streams.streams import BATCH_SIZE, TaskStream
from twelvetasks.values.checks import whole_number
from twelvetasks.values.display import excerpt
from twelvetasks.values.errors import ResponseError, TwelveTasksError
from twelvetasks.values.models import HlsStream, SystemMetadata, Task, TaskStatus

try:
    import pyarrow as pa
except ModuleNotFoundError as _missing:
    raise ImportError(
        "data frames need an extra: pip install 'twelvetasks[arrow]', "
        "or 'twelvetasks[pandas]' or 'twelvetasks[polars]' for those",
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
            pa.array([_metadata_row(task) for task in rows], _SYSTEM_METADATA),
            pa.array([_hls_row(task.hls) for task in rows], _HLS),
            pa.array([_json_text(task.extra) for task in rows], pa.string()),
        ],
        schema=SCHEMA,
    )


class BatchStream(ResumableGenerator[pa.RecordBatch]):
    """One iteration over a listing, a record batch at a time; an async generator.

    Each batch but the last holds as many tasks as were asked for. If a page cannot be had, the
    tasks before it come first, in a batch of their own, and then its `TwelveTasksError` is raised.
    """

    def __init__(self, stream: TaskStream, size: int) -> None:
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
                task = await anext(self._stream, None)
            except TwelveTasksError:
                # The stream raises it again when it is asked again.
                if self._tasks:
                    break
                raise
            if task is None:
                break
            self._tasks.append(task)
        if not self._tasks:
            return None
        batch = record_batch(self._tasks)
        self._tasks.clear()
        self._checkpoint = self._stream.checkpoint
        return batch

    async def _stop(self) -> None:
        await self._stream.aclose()


async def to_arrow(stream: TaskStream) -> pa.Table:
    """Read a stream to its end, and close it."""
    async with BatchStream(stream, BATCH_SIZE) as batches:
        held = [batch async for batch in batches] or [record_batch([])]
    return pa.Table.from_batches(held, schema=SCHEMA).unify_dictionaries()


async def to_pandas(stream: TaskStream) -> pd.DataFrame:
    """Do the same for pandas."""
    try:
        import pandas as pd  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as missing:
        raise _lacking("pandas", missing) from None

    def keeps_its_type(kind: pa.DataType) -> pd.ArrowDtype | None:
        return pd.ArrowDtype(kind) if pa.types.is_struct(kind) else None

    return (await to_arrow(stream)).to_pandas(types_mapper=keeps_its_type)


async def to_polars(stream: TaskStream) -> pl.DataFrame:
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


def _metadata_row(task: Task) -> dict[str, Any] | None:
    metadata = task.system_metadata
    if metadata is None:
        return None
    return {
        "filename": metadata.filename,
        "duration": None if metadata.duration is None else float(metadata.duration),
        "width": _int64(task, metadata, "width"),
        "height": _int64(task, metadata, "height"),
        "extra": _json_text(metadata.extra),
    }


def _int64(task: Task, metadata: SystemMetadata, name: str) -> int | None:
    number: int | None = getattr(metadata, name)
    if number is None or number in INT64:
        return number
    raise ResponseError(
        f"the {name} of the task {excerpt(task.id)} is {number:.3g} pixels, "
        "which is beyond 64 bits",
        advice="Iterate over the listing itself, which takes any number",
    )


def _hls_row(hls: HlsStream | None) -> dict[str, Any] | None:
    if hls is None:
        return None
    return {
        "video_url": hls.video_url,
        "thumbnail_urls": hls.thumbnail_urls,
        "status": hls.status,
        "updated_at": hls.updated_at,
        "extra": _json_text(hls.extra),
    }


def _json_text(extra: Mapping[str, Any]) -> str | None:
    if not extra:
        return None
    return json.dumps(dict(extra), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
