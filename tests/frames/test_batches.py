"""Listings as Arrow tables, record batches and data frames: the same values in typed columns."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

import attrs
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conversion import test_convert
from tests.streams.test_interruption import until_only
from twelvetasks import (
    HlsStream,
    InvalidArgumentError,
    ResponseError,
    ServerError,
    SystemMetadata,
    Task,
    TaskSession,
    TaskStatus,
)
from twelvetasks.conversion.convert import read_json, structure
from twelvetasks.conversion.fast_hooks import AsRow
from twelvetasks.frames import SCHEMA, BatchStream, record_batch
from twelvetasks.testing import FakePlatform, Hold
from twelvetasks.testing.fixtures import FakePlatformFactory
from twelvetasks.values.models import Page
from twelvetasks.values.tasks import TaskPage

STATUSES = {status.value: status for status in TaskStatus}

ODD: list[dict[str, Any]] = [
    {
        "_id": "first",
        "status": "ready",
        "created_at": "0001-01-02T00:00:00Z",
        "updated_at": "9999-12-30T23:59:59.999999Z",
        "system_metadata": {"filename": "ä.mp4", "duration": 1, "width": 1920, "codec": "av1"},
    },
    {"_id": "second", "created_at": "1677-09-21T00:12:43.145224+02:00", "colour": {"r": 1}},
    {
        "_id": "third",
        "status": "dreaming",
        "created_at": "2262-04-11T23:47:16.854776Z",
        "system_metadata": {"height": None},
        "index_id": None,
    },
]
"""Times that nanoseconds do not reach, a status and fields that nobody knows, nulls and gaps."""


def models(rows: Iterable[dict[str, Any]]) -> list[Task]:
    """Make tasks again out of rows."""

    def known(kind: type[Any], row: dict[str, Any] | None, **changed: Any) -> Any:
        if row is None:
            return None
        extra = json.loads(row["extra"]) if row["extra"] else {}
        return kind(**row | {"extra": extra} | changed)

    return [
        known(
            Task,
            row,
            status=STATUSES.get(row["status"], row["status"]),
            system_metadata=known(SystemMetadata, row["system_metadata"]),
            hls=known(HlsStream, row["hls"], **tuple_of_urls(row["hls"])),
        )
        for row in rows
    ]


def tuple_of_urls(row: dict[str, Any] | None) -> dict[str, Any]:
    urls = row and row["thumbnail_urls"]
    return {} if urls is None else {"thumbnail_urls": tuple(urls)}


def fits(sent: dict[str, Any]) -> bool:
    """Whether a task's numbers of pixels are such as a column can hold."""
    metadata = structure(sent, Task).system_metadata or SystemMetadata()
    sizes = (metadata.width, metadata.height)
    return all(size is None or -(2**63) <= size < 2**63 for size in sizes)


FIELDS = ("_id", "status", "created_at", "system_metadata", "hls", "error_reason", "colour")

ANYTHING: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["ready", "2025-01-01T00:00:00Z", "2025-01-01T24:00:00.000Z", "soon"])
    | st.lists(st.integers(), max_size=2)
    | st.fixed_dictionaries({}, optional={"width": st.integers() | st.text(), "fps": st.none()})
)


def columns_of(body: bytes, kind: type[Page[Any]]) -> Any:
    """Give the columns of a page, or what is wrong with it and where."""
    try:
        batch = record_batch(read_json(body, kind, page=7).items)
    except ResponseError as error:
        return str(error), error.json_path, error.page
    batch.validate(full=True)
    return batch.to_pylist(), batch.schema


class TestColumns:
    @given(st.lists(test_convert.tasks.filter(fits), max_size=4))
    def test_any_tasks_come_back_as_they_were(self, sent: list[dict[str, Any]]) -> None:
        tasks = [structure(task, Task) for task in sent]
        batch = record_batch(tasks)
        batch.validate(full=True)
        assert batch.schema == SCHEMA
        assert models(batch.to_pylist()) == tasks

    @given(st.lists(test_convert.tasks.filter(fits), min_size=1, max_size=4))
    def test_and_out_of_a_parquet_file_too(self, sent: list[dict[str, Any]]) -> None:
        tasks = [structure(task, Task) for task in sent]
        file = io.BytesIO()
        with pq.ParquetWriter(file, SCHEMA) as writer:
            writer.write_batch(record_batch(tasks))
        file.seek(0)
        read = pq.read_table(file)
        assert read.schema == SCHEMA
        assert models(read.to_pylist()) == tasks

    @given(st.lists(test_convert.tasks.filter(fits), max_size=4), st.data())
    def test_rows_and_models_of_any_page_make_equal_columns(
        self, sent: list[dict[str, Any]], data: st.DataObject
    ) -> None:
        if data.draw(st.booleans()) and sent:
            broken = data.draw(st.sampled_from(sent))
            broken[data.draw(st.sampled_from([*FIELDS, *broken]))] = data.draw(ANYTHING)
        info = {"page": 1, "limit_per_page": 50, "total_page": 1, "total_results": len(sent)}
        body = json.dumps({"data": sent, "page_info": info}).encode()
        assert columns_of(body, Page[AsRow[Task]]) == columns_of(body, TaskPage)

    def test_usual_tasks_stay_rows(self) -> None:
        info = {"page": 1, "limit_per_page": 50, "total_page": 1, "total_results": 1}
        usual = {"_id": "a", "status": None, "error_reason": "too short"}
        for task, is_model in [(usual, False), (usual | {"colour": "red"}, True)]:
            body = json.dumps({"data": [task], "page_info": info}).encode()
            (item,) = read_json(body, Page[AsRow[Task]]).items
            assert isinstance(item, Task) == is_model
            assert item.extra["error_reason"] == "too short"

    def test_the_columns_are_the_fields_of_a_task(self) -> None:
        for kind, names in [
            (Task, SCHEMA.names),
            (SystemMetadata, names_of("system_metadata")),
            (HlsStream, names_of("hls")),
        ]:
            fields = [field.name for field in attrs.fields(kind)]
            assert names == [name for name in fields if not name.startswith("_")]

    def test_a_number_beyond_64_bits_is_refused_by_the_name_of_its_task(self) -> None:
        task = Task(id="odd", system_metadata=SystemMetadata(width=2**63))
        with pytest.raises(
            ResponseError, match=r"the system_metadata\.width of odd is 9\.22e\+18,"
        ):
            record_batch([task])

    def test_statuses_that_nobody_knows_are_behind_those_documented(self) -> None:
        sent = ["new", None, "failed", "newer", "new"]
        batch = record_batch([Task(id="x", status=status) for status in sent])
        assert batch.to_pydict()["status"] == sent
        column = batch.column("status")
        assert isinstance(column, pa.DictionaryArray)
        assert column.dictionary.to_pylist() == [*STATUSES, "new", "newer"]


def names_of(column: str) -> list[str]:
    kind = SCHEMA.field(column).type
    return [kind.field(number).name for number in range(kind.num_fields)]


class TestTables:
    async def test_a_table_holds_what_the_listing_yields(self, session: TaskSession) -> None:
        listing = session.tasks(status=["ready", "failed"], sort_by="updated_at")
        table = await listing.to_arrow()
        assert models(table.to_pylist()) == await listing

    @pytest.mark.parametrize("sent", [[], ODD, ODD[:1]], ids=len)
    async def test_its_schema_does_not_depend_on_the_data(
        self, fake_platform_factory: FakePlatformFactory, sent: list[dict[str, Any]]
    ) -> None:
        platform = fake_platform_factory(sent)
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            table = await session.tasks().to_arrow()
            assert table.schema == SCHEMA
            assert models(table.to_pylist()) == await session.tasks()

    async def test_statuses_are_of_one_category_in_all_batches(
        self, fake_platform_factory: FakePlatformFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("twelvetasks.frames.batches.BATCH_SIZE", 2)
        sent = [
            {"_id": str(number), "created_at": f"2025-01-01T00:00:0{number}Z", "status": status}
            for number, status in enumerate(["new", "ready", "newer", "new", "newest"])
        ]
        platform = fake_platform_factory(sent)
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            table = await session.tasks(sort_option="asc").to_arrow()
        column = table.column("status")
        assert column.num_chunks == 3
        assert column.to_pylist() == [task["status"] for task in sent]
        for chunk in column.chunks:
            assert isinstance(chunk, pa.DictionaryArray)
            assert chunk.dictionary.to_pylist() == [*STATUSES, "new", "newer", "newest"]

    async def test_an_error_leaves_no_shorter_table(self, platform: FakePlatform) -> None:
        platform.fail(page=3, times=10)
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            with pytest.raises(ServerError) as caught:
                await session.tasks().to_arrow()
            assert caught.value.page == 3


class TestDataFrames:
    async def test_pandas_gets_the_same_values_in_typed_columns(
        self, fake_platform_factory: FakePlatformFactory
    ) -> None:
        platform = fake_platform_factory(ODD)
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            frame = await session.tasks().to_pandas()
            tasks = await session.tasks()
        assert list(frame.columns) == SCHEMA.names
        assert frame["id"].tolist() == [task.id for task in tasks]
        assert isinstance(frame["status"].dtype, pd.CategoricalDtype)
        assert list(frame["status"].cat.categories) == [*STATUSES, "dreaming"]
        assert [text(value) for value in frame["status"]] == [task.status for task in tasks]
        for name in ("created_at", "updated_at", "estimated_time"):
            assert str(frame[name].dtype) == "datetime64[us, UTC]"
            assert [None if pd.isna(value) else value.to_pydatetime() for value in frame[name]] == [
                getattr(task, name) for task in tasks
            ]
        widths = frame["system_metadata"].struct.field("width").astype(object)
        assert [None if pd.isna(width) else width for width in widths] == [
            task.system_metadata and task.system_metadata.width for task in tasks
        ]

    async def test_polars_gets_the_same_values_in_typed_columns(
        self, fake_platform_factory: FakePlatformFactory
    ) -> None:
        platform = fake_platform_factory(ODD)
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            frame = await session.tasks().to_polars()
            tasks = await session.tasks()
        assert models(frame.to_dicts()) == tasks
        assert frame.schema["status"] == pl.Categorical
        assert frame.schema["created_at"] == pl.Datetime("us", "UTC")
        metadata = frame.schema["system_metadata"]
        assert isinstance(metadata, pl.Struct)
        assert [field.name for field in metadata.fields] == names_of("system_metadata")

    async def test_whole_numbers_stay_whole_in_pandas_where_some_are_missing(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        platform.update(platform.tasks()[0]["_id"], system_metadata=None)
        platform.analysis_batches.add(total_items=2**53 + 1)
        platform.analysis_batches.add()
        batches = await session.analysis_batches().to_pandas()
        assert batches["total_items"].dtype == pd.Int64Dtype()
        assert batches["total_items"].max() == 2**53 + 1
        tasks = await session.tasks().to_pandas()
        width = tasks["system_metadata"].struct.field("width")
        assert width.dtype == pd.ArrowDtype(pa.int64())
        assert width.isna().any()

    async def test_an_empty_listing_gives_the_same_columns(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        some, none = session.tasks(max_items=300), session.tasks(max_items=0)
        assert (await some.to_pandas()).dtypes.equals((await none.to_pandas()).dtypes)
        assert (await some.to_polars()).schema == (await none.to_polars()).schema
        assert len(await none.to_pandas()) == len(await none.to_polars()) == 0


def text(value: Any) -> str | None:
    return None if pd.isna(value) else str(value)


class TestBatches:
    @pytest.mark.parametrize(
        ("size", "rows"), [(100, [100, 100, 30]), (115, [115, 115]), (7, [7] * 32 + [6])]
    )
    async def test_all_but_the_last_are_of_the_size_asked_for(
        self, session: TaskSession, size: int, rows: list[int]
    ) -> None:
        async with session.tasks().arrow_batches(size=size) as stream:
            assert stream.response is None
            batches = [batch async for batch in stream]
            assert stream.report.pages == 5
            assert stream.response is not None
            assert (stream.response.status, stream.response.path) == (200, "/v1.3/tasks")
            assert stream.response.request_id
            assert stream.total_results == 230
        assert [batch.num_rows for batch in batches] == rows
        assert models(pa.Table.from_batches(batches).to_pylist()) == await session.tasks()

    async def test_an_empty_listing_has_none(self, session: TaskSession) -> None:
        stream = session.tasks(max_items=0).arrow_batches()
        assert [batch async for batch in stream] == []

    @pytest.mark.parametrize("size", [0, -1, 1.5, True, None])
    async def test_no_other_sizes_are_taken(self, session: TaskSession, size: Any) -> None:
        with pytest.raises(InvalidArgumentError, match="size="):
            session.tasks().arrow_batches(size=size)

    async def test_a_fault_comes_after_all_tasks_before_it_and_again(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        platform.fail(page=3, times=10)
        stream = session.tasks().arrow_batches(size=70)
        rows = [(await anext(stream)).num_rows for _ in range(2)]
        assert rows == [70, 30]
        for _ in range(2):
            with pytest.raises(ServerError) as caught:
                await anext(stream)
            assert caught.value.checkpoint == stream.checkpoint

    async def test_a_batch_that_is_cancelled_loses_nothing(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        hold = platform.hold(page=4)
        stream = session.tasks().arrow_batches(size=100)
        batches = [await anext(stream)]
        await cancelled_while_held(stream, hold)
        hold.release()
        batches += [batch async for batch in stream]
        assert [batch.num_rows for batch in batches] == [100, 100, 30]
        assert models(pa.Table.from_batches(batches).to_pylist()) == await session.tasks()

    async def test_a_listing_goes_on_from_the_checkpoint_of_a_batch(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        hold = platform.hold(page=4)
        stream = session.tasks().arrow_batches(size=70)
        read = [await anext(stream), await anext(stream)]
        stored = str(stream.checkpoint)
        # A part of what the third batch needs has come by then, and belongs to no batch.
        await cancelled_while_held(stream, hold)
        assert str(stream.checkpoint) == stored
        hold.release()
        await stream.aclose()
        rest = await session.tasks(resume=stored).to_arrow()
        listed = pa.concat_tables([pa.Table.from_batches(read), rest])
        assert listed.column("id").to_pylist() == [task.id for task in await session.tasks()]

    @pytest.mark.parametrize("closes", [True, False])
    async def test_break_leaves_nothing_running(
        self, fake_platform_factory: FakePlatformFactory, closes: bool
    ) -> None:
        platform = fake_platform_factory(230)
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            before = asyncio.all_tasks()
            hold = platform.hold(page=3)
            stream = session.tasks().arrow_batches(size=60)
            async for batch in stream:
                assert batch.num_rows == 60
                await asyncio.wait_for(hold.until_arrived(), 10)
                break
            assert asyncio.all_tasks() > before
            if closes:
                await stream.aclose()
                assert asyncio.all_tasks() == before
            del stream
            gc.collect()
            await until_only(before)

    @pytest.mark.parametrize("ending", ["closed", "dropped", "read to its end"])
    async def test_its_thread_ends_with_it(self, session: TaskSession, ending: str) -> None:
        gc.collect()
        before = making_columns()
        stream = session.tasks().arrow_batches(size=60)
        assert (await anext(stream)).num_rows == 60
        (started,) = making_columns() - before
        if ending == "closed":
            await stream.aclose()
        elif ending == "dropped":
            del stream
            gc.collect()
        else:
            assert sum([batch.num_rows async for batch in stream]) == 170
        started.join(10)
        assert not started.is_alive()

    async def test_a_long_listing_holds_few_tasks_at_a_time(
        self, fake_platform_factory: FakePlatformFactory
    ) -> None:
        # An unknown field, so that each is a model, which can be counted.
        odd = [task | {"colour": "red"} for task in FakePlatform.demo(5000).tasks()]
        platform = fake_platform_factory(odd)
        size, concurrency = 200, 4
        most = rows = 0
        # Only what is made from here on is looked through each time.
        gc.freeze()
        try:
            async with TaskSession(
                platform.api_key, base_url=platform.base_url, concurrency=concurrency
            ) as session:
                async for batch in session.tasks().arrow_batches(size=size):
                    rows += batch.num_rows
                    most = max(most, tasks_held())
                listed = await session.tasks(max_items=3)
                assert tasks_held() == len(listed) == 3
        finally:
            gc.unfreeze()
        assert rows == 5000
        # Pages that wait for their seal are held as they were sent, and become no tasks before.
        assert most == 0


def making_columns() -> set[threading.Thread]:
    """Give the threads that make columns."""
    return {one for one in threading.enumerate() if one.name.startswith("twelvetasks-columns")}


def tasks_held() -> int:
    """Count the tasks that are alive and have been made since `gc.freeze`."""
    gc.collect()
    kinds = Counter(map(type, gc.get_objects()))
    return sum(number for kind, number in kinds.items() if issubclass(kind, Task))


async def cancelled_while_held(stream: BatchStream[Task], hold: Hold) -> None:
    """Cancel the next batch while the page that it needs is on its way."""
    reading = asyncio.ensure_future(anext(stream))
    await asyncio.wait_for(hold.until_arrived(), 10)
    for _ in range(10):
        await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])
    assert reading.cancelled()


class TestExtras:
    @pytest.mark.parametrize(
        ("lacking", "method", "words"),
        [
            ("pyarrow", "to_arrow", r"pip install 'twelvetasks\[arrow\]'"),
            ("pyarrow", "to_pandas", r"'twelvetasks\[pandas\]'"),
            ("pyarrow", "to_polars", r"'twelvetasks\[polars\]'"),
            ("pandas", "to_pandas", r"pip install 'twelvetasks\[pandas\]'"),
            ("polars", "to_polars", r"pip install 'twelvetasks\[polars\]'"),
        ],
    )
    async def test_one_that_is_missing_is_named_before_anything_is_sent(
        self,
        platform: FakePlatform,
        session: TaskSession,
        monkeypatch: pytest.MonkeyPatch,
        lacking: str,
        method: str,
        words: str,
    ) -> None:
        monkeypatch.setitem(sys.modules, lacking, None)
        with pytest.raises(ImportError, match=words) as caught:
            await getattr(session.tasks(), method)()
        assert caught.value.name == lacking
        assert platform.requests == []

    def test_none_is_imported_with_the_package(self) -> None:
        program = "import sys, twelvetasks; twelvetasks.TaskSession; print(*sys.modules)"
        run = [sys.executable, "-c", program]
        ended = subprocess.run(run, check=True, capture_output=True, encoding="utf-8", timeout=60)
        loaded = set(ended.stdout.split())
        assert "twelvetasks.listing" in loaded
        assert loaded.isdisjoint(
            {"pyarrow", "pandas", "polars", "numpy", "opentelemetry", "IPython", "redis", "click"}
        )
