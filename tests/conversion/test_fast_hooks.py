from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

import attrs
import pytest
from cattrs import BaseValidationError
from hypothesis import example, given
from hypothesis import strategies as st

from tests.conversion.test_convert import SEED, any_json, hls, json_objects, pages, tasks
from tests.conversion.test_fuzz import BODIES, encoded
from tests.values.test_timestamps import rfc_3339
from twelvetasks import HlsStream, PageInfo, ResponseError, Task, TaskPage, TaskStatus, to_dict
from twelvetasks.conversion.convert import converters, read_json, structure
from twelvetasks.conversion.decoding import decode_json
from twelvetasks.conversion.fast_hooks import MOST_SHARED
from twelvetasks.values.fields import AnyData, extra_field, sent_as, spelling_field


def read_in_general(body: bytes, kind: type[Any]) -> Any:
    """Read a body with what cattrs generates alone; None if it is refused."""
    try:
        return converters().exact.structure(decode_json(body), kind)
    except (BaseValidationError, KeyError, RecursionError, TypeError, ValueError):
        return None


def read_fast(body: bytes, kind: type[Any]) -> Any:
    try:
        return read_json(body, kind)
    except ResponseError:
        return None


def same(one: Any, other: Any) -> bool:
    """Whether two models are the same in all that can be seen of them, their classes included."""
    if one is None or other is None:
        return one is other
    return (repr(one), to_dict(one), type(one)) == (repr(other), to_dict(other), type(other)) and (
        one == other
    )


@given(BODIES | pages.map(encoded))
@example(SEED.encode())
@example(SEED.replace("2022-06-09T04:50:00.879Z", "2022-W23-4T04:50:00.879Z").encode())
@example(SEED.replace("2022-06-09T04:50:00.879Z", "2022-06-09T24:00:00.000Z").encode())
@example(SEED.replace("2022-06-09T04:50:00.879Z", "2022-06-09T045000.87900Z").encode())
@example(SEED.replace('"page": 1', '"page": -1').encode())
@example(SEED.replace('"page": 1', '"page": 1.0').encode())
@example(SEED.replace('"page": 1', f'"page": {2**64}').encode())
@example(SEED.replace('"page": 1', '"page": true').encode())
@example(SEED.replace('"data"', '"\\ud8data"').encode())
def test_a_page_is_read_as_the_general_converter_reads_it(body: bytes) -> None:
    general = read_in_general(body, TaskPage)
    assert same(read_fast(body, TaskPage), general)
    if general is not None:
        assert same(structure(decode_json(body), TaskPage), general)


@given(tasks)
@example({"_id": "1", "metadata": {"width": 2}})
@example({"_id": "1", "metadata": {"width": 2}, "system_metadata": None})
@example({"_id": "1", "system_metadata": {"duration": 7, "width": 10**30}})
@example({"_id": "1", "x": {"y": [1]}, "status": None})
def test_a_task_is_read_as_the_general_converter_reads_it(sent: dict[str, Any]) -> None:
    body = encoded(sent)
    assert same(read_fast(body, Task), read_in_general(body, Task))


@given(hls)
@example({"thumbnail_urls": ["a", 1]})
def test_a_stream_is_read_as_the_general_converter_reads_it(sent: dict[str, Any]) -> None:
    body = encoded(sent)
    assert same(read_fast(body, HlsStream), read_in_general(body, HlsStream))


@pytest.mark.parametrize(
    "task",
    [
        json.loads(SEED)["data"][0],
        {"_id": "1"},
        {"_id": "1", "status": None, "system_metadata": {"filename": None, "duration": 3}},
        {"_id": "1", "status": "transcribing", "created_at": "2022-06-09T04:50:00Z"},
        {"_id": "1", "hls": {"thumbnail_urls": ["a", "b"], "updated_at": None}},
    ],
)
def test_what_the_api_documents_is_read_as_rows(task: dict[str, Any]) -> None:
    row = converters().fast_hooks.decode(encoded(task), Task)
    assert to_dict(converters().fast.structure(row, Task)) == task


@pytest.mark.parametrize("task", [{"_id": "1", "new": 1}, {"_id": 1}, {}, {"_id": "1", "id": "2"}])
def test_what_it_does_not_document_is_left_to_the_general_converter(task: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec's own
        converters().fast_hooks.decode(encoded(task), Task)


def test_what_a_fast_hook_made_is_frozen_and_like_any_other() -> None:
    task = read_json(SEED.encode(), TaskPage).tasks[0]
    made = Task(
        id=task.id,
        index_id=task.index_id,
        status=TaskStatus.READY,
        created_at=task.created_at,
        updated_at=task.updated_at,
    )
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        task.id = "other"  # type: ignore[misc]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del task.id  # pyright: ignore[reportAttributeAccessIssue]
    assert type(task) is Task
    assert (task, hash(task), repr(task)) == (made, hash(made), repr(made))
    assert attrs.evolve(task, status="failed") == attrs.evolve(made, status="failed")
    assert pickle.loads(pickle.dumps(task)) == made


def test_tasks_with_the_same_nulls_share_the_memory_of_their_spelling() -> None:
    one, other = (
        read_json(encoded({"_id": id, "video_id": None}), Task)
        for id in ("1", "2")  # noqa: A001
    )
    assert one._spelling is other._spelling


def test_counts_beyond_those_of_any_machine_are_read_all_the_same() -> None:
    info = read_json(
        encoded({"page": 1, "limit_per_page": 1, "total_page": 2**70, "total_results": 2**70}),
        PageInfo,
    )
    assert info.total_results == 2**70


class Light(StrEnum):
    RED = "red"
    GREEN = "green"


@attrs.frozen(kw_only=True)
class Lamp:
    """A kind of item that no other code knows."""

    id: str = attrs.field(metadata=sent_as("lamp_id"))
    light: Light | str | None = None
    lit_at: datetime | None = None
    is_on: bool | None = None
    watts: float | None = None
    tags: tuple[str, ...] | None = None
    more: AnyData = attrs.field(default=None, hash=False)
    extra: Mapping[str, Any] = extra_field()
    _spelling: frozenset[str] | None = spelling_field()


ItemT = TypeVar("ItemT")


@attrs.frozen(kw_only=True)
class Shelf(Generic[ItemT]):
    data: tuple[ItemT, ...] | None = None
    extra: Mapping[str, Any] = extra_field()
    _spelling: frozenset[str] | None = spelling_field()


lamps = json_objects(
    {"lamp_id": st.text()},
    light=st.sampled_from(["red", "green", "blue"]),
    lit_at=rfc_3339(),
    is_on=st.booleans(),
    watts=st.integers() | st.floats(0, 1e9),
    tags=st.lists(st.text(), max_size=2),
    more=any_json,
)


@given(json_objects(data=st.lists(lamps, max_size=3)))
@example({"data": [{"lamp_id": "1", "light": "red", "more": {"a": [1]}, "is_on": True}]})
@example({"data": [{"lamp_id": "1", "is_on": 1}]})
@example({"data": [{"id": "1"}]})
def test_any_model_is_read_inside_a_page_and_written_again(sent: dict[str, Any]) -> None:
    body = encoded(sent)
    shelf = read_fast(body, Shelf[Lamp])
    assert same(shelf, read_in_general(body, Shelf[Lamp]))
    if shelf is not None:
        assert to_dict(shelf) == sent
        assert all(type(lamp) is Lamp for lamp in shelf.data or ())


def test_the_fault_of_an_unknown_kind_of_item_is_found() -> None:
    body = encoded({"data": [{"lamp_id": "1"}, {"lamp_id": "2", "is_on": "yes"}]})
    with pytest.raises(ResponseError) as caught:
        read_json(body, Shelf[Lamp])
    assert caught.value.json_path == "$.data[1].is_on"
    assert read_json(encoded({"data": [{"lamp_id": "1", "light": "red"}]}), Shelf[Lamp]).data == (
        Lamp(id="1", light=Light.RED),
    )


def test_tasks_of_one_index_and_size_share_the_memory_of_both() -> None:
    video = {"width": 1920, "height": 1080}
    one, other = (
        read_json(encoded({"_id": id, "index_id": "i" * 24, "system_metadata": video}), Task)
        for id in ("1", "2")  # noqa: A001
    )
    assert one.index_id is other.index_id
    assert one.system_metadata is not None
    assert other.system_metadata is not None
    assert one.system_metadata.width is other.system_metadata.width


def test_what_is_shared_is_forgotten_before_it_takes_much_memory() -> None:
    hooks = converters().fast_hooks
    for number in range(3 * MOST_SHARED):
        structure({"_id": "1", "index_id": str(number)}, Task)
        assert len(hooks._shared) <= MOST_SHARED + 1
