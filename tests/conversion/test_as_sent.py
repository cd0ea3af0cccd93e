"""Items that stay as they were sent are written, ordered and refused as their models are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, get_args, get_origin

import attrs
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.conversion.test_convert import SEED, any_json, pages
from tests.conversion.test_fuzz import BODIES, ODD_NUMBERS, ODD_TEXTS, encoded
from tests.values.test_timestamps import rfc_3339
from twelvetasks import ResponseError, to_json
from twelvetasks.cli.kinds import KINDS, query_of
from twelvetasks.cli.output.columns import columns_of, subset, texts_of
from twelvetasks.conversion.as_sent import as_sent, json_lines
from twelvetasks.conversion.convert import converters
from twelvetasks.conversion.model_types import field_types, is_model, without_none
from twelvetasks.paging.page_checks import KeyedPage
from twelvetasks.values.fields import json_names
from twelvetasks.values.malformed import Malformed
from twelvetasks.values.query import ListQuery

QUERIES: dict[str, ListQuery[Any]] = {
    name: query_of(name, dict.fromkeys(kind.resource.scope, "62a0906d47f5678267ec10a6"))
    for name, kind in KINDS.items()
}
"""A query of each list."""

TEXTS = st.sampled_from(
    ["", "ready", 'a"b\\c/d', "\x00\x1f\x7f\x85\u2028", "é日\U0001f600", "a\rb"]
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [0.0, -0.0, 1e-4, 9e-5, 1e15, 1e16, 1e17, 12.5, 100.0, 5e-324]
)
USUAL: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS | st.text(max_size=3),
    int: st.integers(-9, 2**40),
    float: FLOATS | st.integers(-9, 10**18),
    bool: st.booleans(),
    datetime: rfc_3339(),
}


def usual(model: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Make JSON objects of a model whose values are of their types."""

    def values(type_: Any) -> st.SearchStrategy[Any]:
        one = without_none(type_)[0]
        if is_model(one):
            return usual(one)
        if get_origin(one) is tuple:
            return st.lists(values(get_args(one)[0]), max_size=2)
        return USUAL.get(one, TEXTS if str in get_args(one) else any_json)

    names, fields = json_names(model), attrs.fields_dict(model)
    own = {names[name]: values(type_) for name, type_ in field_types(model).items()}
    required = {
        names[name]: own.pop(names[name]) for name in names if fields[name].default is attrs.NOTHING
    }
    return st.fixed_dictionaries(required, optional=own)


ODD = st.none() | ODD_NUMBERS | ODD_TEXTS | any_json


@st.composite
def bodies(draw: st.DrawFn, query: ListQuery[Any]) -> bytes:
    """Make a page of a list; in one of three, an item has a value of any kind, or a new field."""
    items = draw(st.lists(usual(query.resource.item), max_size=3))
    if items and draw(st.integers(0, 2)) == 0:
        item = draw(st.sampled_from(items))
        item[draw(st.sampled_from([*item, "error_reason", "colour"]))] = draw(ODD)
    return encoded({"data": items, "page_info": {"page": 1, "total_results": len(items)}})


def of_model(query: ListQuery[Any], item: Any) -> list[str]:
    """Write a model as JSON, whole and in chosen columns, and as the cells of a CSV row."""
    model: Any = query.resource.item
    columns = columns_of(model)
    chosen = [json.dumps(subset(model, item, (name,))) for name in columns.names]
    return [*chosen, *(str(texts_of(model, [item], name)[0]) for name in columns.names)]


def result(query: ListQuery[Any], body: bytes, *, written: Any) -> Any:
    """Give all that a listing makes of a page: what is written, ids, keys, and what is wrong."""
    try:
        page = converters().read_page(body, query.resource.page, page=7)
    except ResponseError as error:
        return str(error), error.json_path, error.page
    faults = [str(item.error) for item in page.items if isinstance(item, Malformed)]
    items = [item for item in page.items if not isinstance(item, Malformed)]
    keyed = KeyedPage.of(page, query)
    return (
        *(faults, written(items), page.page_info, keyed.ids, keyed.keys),
        [of_model(query, item) for item in items],
    )


def lines_of_models(items: Sequence[Any]) -> str:
    return "".join(f"{to_json(item)}\n" for item in items)


def same(query: ListQuery[Any], body: bytes) -> None:
    expected = result(query, body, written=lines_of_models)
    assert result(as_sent(query), body, written=json_lines) == expected


@given(st.data(), st.sampled_from([*QUERIES]))
def test_what_stays_as_sent_is_written_as_its_model(data: st.DataObject, kind: str) -> None:
    same(QUERIES[kind], data.draw(bodies(QUERIES[kind])))


@given(BODIES | pages.map(encoded))
@example(SEED.encode())
@example(SEED.replace("2022-06-09T04:50:00.879Z", "2022-06-09T04:50:60.879Z").encode())
@example(SEED.replace("2022-06-09T04:50:00.879Z", "2022-06-09T24:00:00.000Z").encode())
@example(SEED.replace("2022-06-09T04:50:00.879Z", "2022-06-09T04:50:00+02:00").encode())
@example(SEED.replace('"ready"', '"\\u00e9\\ud83d\\ude00\\/"').encode())
def test_any_body_is_written_or_refused_as_its_models_are(body: bytes) -> None:
    same(QUERIES["tasks"], body)


@pytest.mark.parametrize(
    ("more", "stays"),
    [
        ({}, True),
        ({"error_reason": "too short", "system_metadata": {"duration": 3, "width": 1}}, True),
        ({"created_at": "2022-06-09T04:50:00Z", "hls": {"thumbnail_urls": ["a"]}}, True),
        ({"video_id": None, "system_metadata": {"width": None}, "hls": None}, True),
        ({"system_metadata": {"duration": 1e300}}, False),
        ({"colour": "red"}, False),
    ],
)
def test_usual_tasks_stay_as_they_were_sent(more: dict[str, Any], stays: bool) -> None:
    query = as_sent(QUERIES["tasks"])
    body = encoded({"data": [{"_id": "a", **more}], "page_info": {"page": 1}})
    (item,) = converters().read_page(body, query.resource.page).items
    assert isinstance(item, msgspec.Struct) == stays


def test_the_query_asks_for_the_same() -> None:
    for query in QUERIES.values():
        sent = as_sent(query)
        assert (sent.identity, sent.params(), sent.path) == (
            *(query.identity, query.params()),
            query.path,
        )
        assert (sent.stamp is None) == (query.stamp is None)
