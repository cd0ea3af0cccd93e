"""A glance at a page tells what reading it whole tells, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any, get_origin

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conversion.test_fuzz import BODIES, QUERIES, encoded, mutated_pages, real_page
from twelvetasks import (
    AnalysisBatchQuery,
    AnalysisTaskQuery,
    EmbeddingTaskQuery,
    IndexedAssetQuery,
    ListQuery,
    Resource,
    ResponseError,
    SortKey,
    TaskQuery,
    extra_field,
    sent_as,
    spelling_field,
)
from twelvetasks.conversion.as_sent import as_sent
from twelvetasks.conversion.convert import converters
from twelvetasks.conversion.glance import Glance
from twelvetasks.conversion.row_queries import as_rows
from twelvetasks.paging.page_checks import KeyedPage
from twelvetasks.values.fields import json_names
from twelvetasks.values.malformed import Malformed

QUERY = TaskQuery()


def by(read: Callable[[Any], Any]) -> ListQuery[Any]:
    """Give a query whose key is read in another way."""
    key = SortKey(name="created_at", read=read)

    @attrs.frozen(kw_only=True, repr=False)
    class Query(TaskQuery):
        resource = attrs.evolve(TaskQuery.resource, sort_keys=(key,))

    return Query()


def glance(body: bytes, query: ListQuery[Any]) -> Glance | None:
    return converters().fast_hooks.glance(body, query)


def whole(body: bytes, query: ListQuery[Any]) -> KeyedPage[Any]:
    return KeyedPage.of(converters().read_page(body, query.resource.page, page=1), query)


def test_a_usual_page_is_seen_at_a_glance_and_so_is_one_of_other_fields() -> None:
    for page in (real_page(), real_page() | {"data": []}, real_page() | {"data": None}):
        for task in page["data"] or []:
            task["colour"] = {"of": ["a kind"]}
        body = encoded(page)
        seen, read = glance(body, QUERY), whole(body, QUERY)
        assert seen is not None
        assert (seen.page_info, seen.ids, seen.keys) == (read.page_info, read.ids, read.keys)


def test_rows_that_are_written_out_again_are_seen_at_a_glance() -> None:
    body = encoded(real_page())
    seen, read = glance(body, as_sent(QUERY)), whole(body, QUERY)
    assert seen is not None
    assert (seen.ids, seen.keys) == (read.ids, read.keys)


@pytest.mark.parametrize(
    "query",
    [
        IndexedAssetQuery(index_id="i"),
        AnalysisTaskQuery(),
        AnalysisBatchQuery(),
        EmbeddingTaskQuery(),
    ],
    ids=lambda query: query.resource.noun,
)
def test_each_list_of_the_platform_is_seen_at_a_glance(query: ListQuery[Any]) -> None:
    names = json_names(get_origin(query.resource.item) or query.resource.item)
    time = "2022-06-09T04:50:00.879Z"
    item = {names["id"]: "a", "created_at": time} | (
        {"updated_at": time} if "updated_at" in names else {}
    )
    info = real_page()["page_info"] | {"total_results": 1, "total_page": 1}
    seen = glance(encoded({"data": [item], "page_info": info}), query)
    assert seen is not None
    assert seen.ids == ["a"]
    assert seen.keys == [datetime.fromisoformat(time)]


@given(
    QUERIES,
    BODIES | mutated_pages().map(encoded),
    st.sampled_from([lambda query: query, as_sent, as_rows]),
)
def test_what_a_glance_tells_is_what_the_page_says(
    query: TaskQuery, body: bytes, form: Callable[[TaskQuery], Any]
) -> None:
    seen = glance(body, form(query))
    if seen is None:
        return
    try:
        read = whole(body, query)
    except ResponseError:
        return
    assert seen.page_info == read.page_info
    items = read.whole().items
    for at, item in enumerate(items):
        if not isinstance(item, Malformed):
            assert (seen.ids[at], seen.keys[at]) == (read.ids[at], read.keys[at])
    assert len(seen.ids) == len(seen.keys) == len(items)


def changed(**task: Any) -> bytes:
    page = real_page()
    page["data"][1].update(task)
    return encoded(page)


def lacking(name: str) -> bytes:
    page = real_page()
    del page["data"][1][name]
    return encoded(page)


@pytest.mark.parametrize(
    "body",
    {
        "no id": lacking("_id"),
        "another kind of id": changed(_id=7),
        "no time": lacking("created_at"),
        "a time of null": changed(created_at=None),
        "a time that is none": changed(created_at="2022-02-30T04:50:00.879Z"),
        "another kind of time": changed(created_at=7),
        "a number of pages in a string": encoded(real_page()).replace(b'"page": 1', b'"page": "1"'),
        "a field beside the tasks": encoded(real_page() | {"next": 2}),
        "no page_info": encoded({"data": real_page()["data"]}),
        "no JSON": b"<html>",
        "too many values": encoded(real_page() | {"data": [[0] * 100_001]}),
    }.items(),
    ids=lambda case: case[0],
)
def test_a_page_of_which_a_glance_does_not_tell_enough_is_read_whole(
    body: tuple[str, bytes],
) -> None:
    assert glance(body[1], QUERY) is None


def test_what_a_key_is_read_from_is_never_taken_for_missing() -> None:
    body = encoded(real_page())
    assert glance(body, by(attrgetter("created_at"))) is not None
    assert glance(body, by(lambda task: getattr(task, "status", None))) is None
    assert glance(body, by(lambda task: getattr(task, "seen_at", None))) is None
    assert glance(body, by(lambda task: task.created_at.timestamp())) is None


@attrs.frozen(kw_only=True)
class Shop:
    """A model of one's own, with its own name for a time."""

    id: str = attrs.field(metadata=sent_as("_id"))
    opened: datetime | None = attrs.field(default=None, metadata=sent_as("created_at"))
    extra: Mapping[str, Any] = extra_field()
    _spelling: frozenset[str] | None = spelling_field()


def query_of(
    item: type[Any], id_of: Callable[[Any], str], read: Callable[[Any], Any]
) -> ListQuery[Any]:
    """Ask for the list of tasks as items of one's own, sorted by `created_at`."""
    sort_key = SortKey(name="created_at", read=read)

    @attrs.frozen(kw_only=True, repr=False)
    class Query(ListQuery[Any]):
        resource = Resource(path="tasks", item=item, id_of=id_of, sort_keys=(sort_key,))

    return Query()


def test_a_key_is_seen_whatever_name_a_model_gives_it() -> None:
    query = query_of(Shop, attrgetter("id"), attrgetter("opened"))
    body = encoded(real_page())
    seen, read = glance(body, query), whole(body, query)
    assert seen is not None
    assert (seen.ids, seen.keys) == (read.ids, read.keys)


def test_items_that_are_no_models_are_read_whole() -> None:
    query = query_of(dict, itemgetter("_id"), itemgetter("created_at"))
    assert glance(encoded(real_page()), query) is None
