"""The columns of every list: what a listing yields, whatever the kind of its items."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twelvetasks import (
    AnalysisBatch,
    AnalysisTask,
    EmbeddingTask,
    IndexedAsset,
    Listing,
    Resource,
    ResponseError,
    SortKey,
    Task,
    TaskSession,
)
from twelvetasks.conversion.convert import read_json
from twelvetasks.conversion.fast_hooks import AsRow
from twelvetasks.conversion.model_types import field_types, without_none
from twelvetasks.frames import SCHEMA, batch_of, schema_of
from twelvetasks.testing import FakePlatform
from twelvetasks.values.fields import AnyData
from twelvetasks.values.models import Page
from twelvetasks.values.query import ListQuery

INDEX = "62a0906d47f5678267ec10a6"
KINDS = (Task, IndexedAsset, EmbeddingTask, AnalysisTask, AnalysisBatch)
TIMES = [
    "2025-01-01T00:00:00.87Z",
    "2025-01-01T00:00:00Z",
    "2025-01-01T00:00:00.879123+00:00",
    "2025-01-01T00:00:00-05:30",
    "2025-01-01t00:00:60z",
    "2025-01-01T00:00:00.123456789Z",
    "9999-12-31T23:59:59-01:00",
    "2025-01-01T24:00:00.000Z",
]
"""Spellings that stay text in rows, others that make models, and some that are no times."""

ANY = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3)
OTHER_TYPES = ANY | st.lists(ANY, max_size=2) | st.dictionaries(st.text(max_size=2), ANY)


def listings(session: TaskSession) -> list[Listing[Any]]:
    return [
        session.tasks(),
        session.indexed_assets(INDEX),
        session.embedding_tasks(),
        session.embedding_tasks(version=1),
        session.analysis_tasks(),
        session.analysis_batches(),
    ]


def row_of(model: Any) -> dict[str, Any]:
    """Give the values that the row of a model must have, read field by field."""
    row = {}
    for name, type_ in field_types(type(model)).items():
        value = getattr(model, name)
        is_any = without_none(type_)[0] == AnyData
        row[name] = json.dumps(value) if is_any and value is not None else plain(value)
    return row | {"extra": json.dumps(dict(model.extra)) if model.extra else None}


def plain(value: Any) -> Any:
    if attrs.has(type(value)):
        return row_of(value)
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def compared(rows: list[dict[str, Any]]) -> Any:
    """Read the JSON in rows, whose spelling does not matter."""

    def read(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: read(one) for name, one in value.items()}
        if isinstance(value, list):
            return [read(one) for one in value]
        if isinstance(value, str) and value[:1] in tuple('{["-0123456789tfn'):
            try:
                return json.loads(value)
            except ValueError:
                return value
        return value

    return [read(row) for row in rows]


async def test_a_table_of_any_list_holds_what_its_listing_yields() -> None:
    async with (
        FakePlatform.demo(120, seed=3) as platform,
        TaskSession(platform.api_key, base_url=platform.base_url) as session,
    ):
        for listing in listings(session):
            items = await listing
            table = await listing.to_arrow()
            assert table.schema == schema_of(listing.query.resource.item)
            assert compared(table.to_pylist()) == compared([row_of(item) for item in items])
            assert len(items) > 10
            assert (await listing.to_pandas())["id"].tolist() == [item.id for item in items]
            assert (await listing.to_polars())["id"].to_list() == [item.id for item in items]


async def test_an_empty_list_has_the_same_columns() -> None:
    async with (
        FakePlatform() as platform,
        TaskSession(platform.api_key, base_url=platform.base_url) as session,
    ):
        for listing in listings(session)[2:]:
            table = await listing.to_arrow()
            assert table.schema == schema_of(listing.query.resource.item)
            assert table.num_rows == 0


@given(st.data(), st.sampled_from(KINDS))
def test_rows_and_models_of_any_page_make_equal_columns(data: st.DataObject, kind: Any) -> None:
    items = data.draw(st.lists(documents(kind), min_size=1, max_size=3))
    body = json.dumps({"data": items, "page_info": {"page": 1}}).encode()

    def columns(page: Any) -> Any:
        try:
            batch = batch_of(kind, read_json(body, page, page=1).items)
        except ResponseError as error:
            return str(error)
        batch.validate(full=True)
        return batch.to_pylist()

    assert columns(Page[AsRow[kind]]) == columns(Page[kind])


def documents(kind: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Make JSON objects of a kind: most fields of their type, some of any."""
    names = {
        field.metadata.get("name", field.name): type_
        for field, type_ in zip(attrs.fields(kind), field_types(kind).values(), strict=False)
    }
    usual = {
        str: st.text(max_size=3),
        int: st.integers(-9, 9),
        float: st.floats(-9, 9),
        bool: st.booleans(),
        datetime: st.just("2025-01-01T00:00:00.000Z") | st.sampled_from(TIMES),
    }

    def values(type_: Any) -> st.SearchStrategy[Any]:
        one = without_none(type_)[0]
        if attrs.has(one):
            return documents(one)
        return usual.get(one, OTHER_TYPES) | st.none()

    own = {name: values(type_) for name, type_ in names.items()}
    identified = {name: own.pop(name) for name in ("_id", "task_id", "batch_id") if name in own}
    first = next(iter(identified), None)
    required = {} if first is None or kind not in KINDS else {first: st.text(min_size=1)}
    return st.fixed_dictionaries(required, optional={**own, "colour": ANY})


def test_the_schema_of_tasks_is_that_of_the_model() -> None:
    assert schema_of(Task) == SCHEMA
    assert not SCHEMA.field("id").nullable
    assert SCHEMA.field("status").nullable
    assert SCHEMA.field("created_at").type == pa.timestamp("us", tz="UTC")


class _Rows(ListQuery[dict[str, Any]]):
    resource = Resource(
        path="indexes",
        item=dict,
        id_of=lambda item: item["_id"],
        sort_keys=(SortKey(name="created_at", read=lambda item: item.get("created_at")),),
    )


async def test_a_list_of_dicts_has_no_columns(
    platform: FakePlatform,
) -> None:
    async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
        for method in ("to_arrow", "to_pandas", "to_polars"):
            with pytest.raises(TypeError, match="data frames are of models, and dict is none"):
                await getattr(session.list(_Rows()), method)()
        with pytest.raises(TypeError, match="dict is none"):
            session.list(_Rows()).arrow_batches()
    assert platform.requests == []


async def test_columns_are_made_outside_the_event_loop_a_few_pages_at_a_time(
    platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twelvetasks.frames import batches, columns

    made_in: list[threading.Thread] = []
    sizes: list[int] = []

    def noted(model: Any, items: Any) -> pa.RecordBatch:
        made_in.append(threading.current_thread())
        sizes.append(len(items))
        return batch_of(model, items)

    monkeypatch.setattr(columns, "batch_of", noted)
    monkeypatch.setattr(batches, "ROWS_A_TURN", 100)
    async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
        table = await session.tasks().to_arrow()
    assert table.num_rows == sum(sizes) == len(platform.tasks())
    assert table.column("id").num_chunks == 1
    assert max(sizes) < 100 + 50
    assert made_in
    assert threading.current_thread() not in made_in
