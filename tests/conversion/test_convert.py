from __future__ import annotations

import copy
import json
import pickle
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.values.test_timestamps import rfc_3339
from twelvetasks import (
    HlsStream,
    ResponseError,
    SystemMetadata,
    Task,
    TaskPage,
    TaskStatus,
    to_dict,
    to_json,
)
from twelvetasks.conversion.convert import read_json, structure
from twelvetasks.conversion.converters import DEEPEST
from twelvetasks.conversion.decoding import MOST_HALVES, decode_json

SEED = """
{"data": [{"_id": "62a17bf847f5678267ec10cc", "created_at": "2022-06-09T04:50:00.879Z",
           "updated_at": "2022-06-09T04:55:57.256Z", "status": "ready",
           "index_id": "62a0906d47f5678267ec10a6"},
          {"_id": "62a17bce47f5678267ec10c6", "created_at": "2022-06-09T04:49:20.001Z",
           "updated_at": "2022-06-09T04:54:10.345Z", "status": "ready",
           "index_id": "62a0906d47f5678267ec10a6"}],
 "page_info": {"limit_per_page": 10, "page": 1, "total_page": 1, "total_results": 2}}
"""

names = st.text(max_size=8)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
any_json = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


def nullable(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | value


def json_objects(
    required: dict[str, Any] | None = None, **optional: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with any of the fields, null or not, and any fields that nobody knows."""
    unknown = st.dictionaries(names.map("x_{}".format), any_json, max_size=2)
    known = st.fixed_dictionaries(
        required or {}, optional={name: nullable(value) for name, value in optional.items()}
    )
    return st.builds(lambda fields, more: {**more, **fields}, known, unknown)


metadata = json_objects(
    filename=st.text(), duration=st.floats(0, 1e9), width=st.integers(), height=st.integers()
)
hls = json_objects(
    video_url=st.text(),
    thumbnail_urls=st.lists(st.text(), max_size=3),
    status=st.sampled_from(["PROCESSING", "COMPLETE", "NEW"]),
    updated_at=rfc_3339(),
)
tasks = json_objects(
    {"_id": st.text(min_size=1)},
    index_id=st.text(),
    video_id=st.text(),
    status=st.sampled_from([*TaskStatus]).map(str) | st.text(),
    created_at=rfc_3339(),
    updated_at=rfc_3339(),
    estimated_time=rfc_3339(),
    system_metadata=metadata,
    metadata=metadata,
    hls=hls,
)
counts = st.integers(0, 10**9)
pages = json_objects(
    {
        "page_info": json_objects(
            dict.fromkeys(["page", "limit_per_page", "total_page", "total_results"], counts)
        )
    },
    data=st.lists(tasks, max_size=3),
)


def test_the_documented_example_becomes_two_tasks_and_the_same_json_again() -> None:
    page = read_json(SEED.encode(), TaskPage)
    first, second = page.tasks
    assert first == Task(
        id="62a17bf847f5678267ec10cc",
        index_id="62a0906d47f5678267ec10a6",
        status=TaskStatus.READY,
        created_at=datetime(2022, 6, 9, 4, 50, 0, 879000, UTC),
        updated_at=datetime(2022, 6, 9, 4, 55, 57, 256000, UTC),
    )
    assert second.id == "62a17bce47f5678267ec10c6"
    assert (page.page_info.total_page, page.page_info.total_results) == (1, 2)
    assert to_dict(page) == json.loads(SEED) == json.loads(to_json(page))


@given(tasks)
def test_a_task_gives_back_every_field_it_came_with(sent: dict[str, Any]) -> None:
    task = structure(sent, Task)
    assert to_dict(task) == sent
    assert json.loads(to_json(task)) == sent
    for twin in (pickle.loads(pickle.dumps(task)), copy.deepcopy(task), structure(sent, Task)):
        assert twin == task
        assert hash(twin) == hash(task)
        assert to_dict(twin) == sent


@given(pages)
def test_a_page_gives_back_every_field_it_came_with(sent: dict[str, Any]) -> None:
    page = structure(sent, TaskPage)
    assert to_dict(page) == sent
    assert len(page.tasks) == len(sent.get("data") or [])


def test_an_unknown_status_is_kept_as_it_came() -> None:
    task = structure({"_id": "1", "status": "transcribing"}, Task)
    assert task.status == "transcribing"
    assert f"{task.status}" == "transcribing"


@pytest.mark.parametrize("status", TaskStatus)
def test_a_known_status_equals_and_prints_as_its_string(status: TaskStatus) -> None:
    task = structure({"_id": "1", "status": str(status)}, Task)
    assert task.status is status
    assert task.status == status.value
    assert f"{task.status}" == status.value


def test_nulls_are_written_at_the_places_of_their_fields() -> None:
    sent = '{"_id":"a","index_id":null,"status":"ready","metadata":null,"hls":null,"colour":"red"}'
    assert to_json(structure(json.loads(sent), Task)) == sent


def test_what_is_left_out_or_null_is_none() -> None:
    task = structure({"_id": "1", "video_id": None}, Task)
    assert attrs.asdict(task, filter=lambda _, value: value is None).keys() == {
        "index_id",
        "video_id",
        "status",
        "created_at",
        "updated_at",
        "estimated_time",
        "system_metadata",
        "hls",
        "_spelling",
    } - {"_spelling"}


def test_unknown_fields_are_kept_read_only() -> None:
    task = structure({"_id": "1", "colour": {"hue": 7}}, Task)
    assert task.extra == {"colour": {"hue": 7}}
    assert repr(task.extra) == "{'colour': {'hue': 7}}"
    with pytest.raises(TypeError):
        task.extra["colour"] = 8  # type: ignore[index]


def test_the_older_name_of_system_metadata_is_understood() -> None:
    sent = {"_id": "1", "metadata": {"width": 640}}
    task = structure(sent, Task)
    assert task.system_metadata == SystemMetadata(width=640)
    assert task.extra == {}
    both = structure(sent | {"system_metadata": {"width": 1}}, Task)
    assert both.system_metadata == SystemMetadata(width=1)
    assert both.extra == {"metadata": {"width": 640}}


def test_a_changed_copy_writes_what_was_changed() -> None:
    task = structure({"_id": "1", "video_id": None, "created_at": "2022-06-09T04:50:00Z"}, Task)
    changed = attrs.evolve(
        task, status=TaskStatus.FAILED, created_at=datetime(2024, 1, 1, tzinfo=UTC), extra={"a": 1}
    )
    assert to_dict(changed) == {
        "_id": "1",
        "video_id": None,
        "status": "failed",
        "created_at": "2024-01-01T00:00:00.000Z",
        "a": 1,
    }


def test_a_task_retrieved_alone_carries_its_stream() -> None:
    task = structure({"_id": "1", "hls": {"thumbnail_urls": ["a"], "status": "COMPLETE"}}, Task)
    assert task.hls == HlsStream(thumbnail_urls=("a",), status="COMPLETE")


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_an_unknown_field_may_be_nested_as_deep_as_it_can_be_shown_and_written() -> None:
    sent = {"_id": "1", "colour": nested(DEEPEST)}
    task = structure(sent, Task)
    assert task.extra["colour"] == sent["colour"]
    assert json.loads(to_json(task)) == sent
    assert repr(task)
    assert pickle.loads(pickle.dumps(task)) == copy.deepcopy(task) == task


def test_the_first_and_last_moments_are_read() -> None:
    for text in ("0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"):
        task = structure({"_id": "1", "created_at": text}, Task)
        assert to_dict(task)["created_at"] == text


def page_with(**fields: Any) -> dict[str, Any]:
    page: dict[str, Any] = json.loads(SEED)
    page["data"][1] |= fields
    return page


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        (page_with(created_at="soon"), "$.data[1].created_at"),
        (page_with(created_at=5), "$.data[1].created_at"),
        (page_with(created_at="2" * 100_000), "$.data[1].created_at"),
        (page_with(updated_at="0001-01-01T00:00:00+09:00"), "$.data[1].updated_at"),
        (page_with(updated_at="9999-12-31T23:59:59-00:01"), "$.data[1].updated_at"),
        (page_with(_id=None), "$.data[1]._id"),
        (page_with(_id=5), "$.data[1]._id"),
        (page_with(status={}), "$.data[1].status"),
        (page_with(status=nested(900)), "$.data[1].status"),
        (page_with(colour=nested(DEEPEST + 1)), "$.data[1]"),
        (page_with(system_metadata={"width": "wide"}), "$.data[1].system_metadata.width"),
        (page_with(system_metadata={"width": 1.5}), "$.data[1].system_metadata.width"),
        (page_with(system_metadata={"duration": True}), "$.data[1].system_metadata.duration"),
        (page_with(system_metadata=[]), "$.data[1].system_metadata"),
        (page_with(metadata={"height": "x" * 500}), "$.data[1].metadata.height"),
        (page_with(hls={"thumbnail_urls": "abc"}), "$.data[1].hls.thumbnail_urls"),
        (page_with(hls={"thumbnail_urls": ["a", 1]}), "$.data[1].hls.thumbnail_urls[1]"),
        ({"data": [{}], "page_info": json.loads(SEED)["page_info"]}, "$.data[0]._id"),
        ({"data": {}, "page_info": json.loads(SEED)["page_info"]}, "$.data"),
        ([], "$"),
        (None, "$"),
    ],
)
def test_a_malformed_page_is_refused_with_the_path_of_the_fault(sent: Any, path: str) -> None:
    with pytest.raises(ResponseError) as caught:
        read_json(json.dumps(sent).encode(), TaskPage, request_id="r-1", page=7)
    error = caught.value
    assert (error.json_path, error.page, error.request_id) == (path, 7, "r-1")
    assert f"page 7: the answer is malformed at {path}: " in str(error)
    assert "r-1" in str(error)
    assert len(str(error)) < 400


@pytest.mark.parametrize(
    "page_info",
    [
        ...,
        None,
        [1, 2],
        {"page": 1},
        {"page": 1, "total_page": -1, "total_results": "many", "limit_per_page": 1.5},
        {"page": "1", "limit_per_page": "50", "total_page": "1", "total_results": "2"},
    ],
)
def test_page_info_of_any_shape_is_read_as_far_as_it_goes_and_given_back(page_info: Any) -> None:
    sent = {"data": [{"_id": "t"}]} | ({} if page_info is ... else {"page_info": page_info})
    page = read_json(json.dumps(sent).encode(), TaskPage)
    assert page.page_info.page == (1 if isinstance(page_info, dict) and page_info else None)
    assert page.page_info.total_results in (None, 2)
    assert to_dict(page) == sent
    assert structure(json.loads(to_json(page)), TaskPage) == page


@pytest.mark.parametrize(
    "body", [b"", b"<html>", SEED[:-5].encode(), b"\xff", b"[" * 100_000 + b"]" * 100_000]
)
def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(ResponseError, match=r"page 2: the body is not JSON .*\(request id r-2\)"):
        read_json(body, TaskPage, request_id="r-2", page=2)


def page_sending(extra: bytes) -> bytes:
    info = b'{"limit_per_page": 50, "page": 1, "total_page": 1, "total_results": 1}'
    return b'{"data": [{"_id": "1", "new": %s}], "page_info": %s}' % (extra, info)


@pytest.mark.parametrize("small", [b"[]", b"{}", b"0", b'""', b"[0]", b'{"a":{}}'])
def test_a_body_of_many_small_values_is_refused_before_anything_is_made_of_it(small: bytes) -> None:
    body = page_sending(b"[%s]" % b",".join([small] * 500_000))
    tracemalloc.start()
    try:
        with pytest.raises(ResponseError, match="the body has more than 100,000 values"):
            read_json(body, TaskPage)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(body) / 2


@pytest.mark.parametrize(
    "half", [b"\\ud800", b"\\udc00a", b"\xed\xa0\xbd", b"\xed\xa0\xbd\xed\xb8\x80"]
)
def test_halves_of_characters_are_mended_up_to_a_bound(half: bytes) -> None:
    allowed = MOST_HALVES // (half.count(b"\xed") or 1)
    assert "\ud800" not in decode_json(b'"%s"' % (half * allowed))
    with pytest.raises(ValueError, match=r"JSON|utf-8"):
        decode_json(b'"%s"' % (half * (allowed + 1)))
    page = read_json(page_sending(b'"caf\\ud83d"'), TaskPage)
    assert page.tasks[0].extra["new"] == "caf\N{REPLACEMENT CHARACTER}"


def test_as_many_values_as_are_allowed_are_read_and_text_full_of_commas_too() -> None:
    read_json(page_sending(b"[%s]" % b",".join([b"0"] * 99_900)), TaskPage)
    commas = b',[{"' * 100_000
    text = commas.replace(b'"', b'\\"')
    page = read_json(page_sending(b'"%s"' % text), TaskPage)
    assert page.tasks[0].extra["new"] == commas.decode()


@pytest.mark.parametrize("name", ["width", "height", "duration"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_that_no_float_holds_is_refused_with_its_place(name: str, sign: int) -> None:
    sent = {"_id": "1", "system_metadata": {name: sign * 10**400}}
    readers: tuple[Callable[[], Task], ...] = (
        lambda: structure(sent, Task),
        lambda: read_json(json.dumps(sent).encode(), Task),
    )
    for read in readers:
        with pytest.raises(ResponseError, match="at most 308 digits") as caught:
            read()
        assert caught.value.json_path == f"$.system_metadata.{name}"
