"""The account behind the endpoints: what changes do to it, from whatever thread."""

from __future__ import annotations

import gc
import threading
import weakref
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twelvetasks.testing import FakePlatform


def moment() -> datetime:
    return datetime(2024, 6, 1, 12, tzinfo=UTC)


def ids(tasks: list[dict[str, Any]]) -> list[str]:
    return [task["_id"] for task in tasks]


def test_an_added_task_is_complete_and_the_newest() -> None:
    platform = FakePlatform.demo(20)
    task = platform.add(status="queued", filename_hint="x")
    assert platform.tasks()[0] == task
    assert platform.tasks(sort_by="updated_at")[0] == task
    assert list(task)[:5] == ["_id", "created_at", "updated_at", "status", "index_id"]
    assert len(task["_id"]) == 24
    assert int(task["_id"], 16)
    assert task["status"] == "queued"
    assert task["filename_hint"] == "x"


def test_a_task_can_be_added_anywhere_in_the_order() -> None:
    platform = FakePlatform.demo(20)
    before = ids(platform.tasks())
    middle = platform.tasks()[10]["created_at"]
    task = platform.add(created_at=middle)
    after = ids(platform.tasks())
    assert after.index(task["_id"]) in {9, 10, 11}
    assert [one for one in after if one != task["_id"]] == before
    assert platform.tasks(sort_by="updated_at")[0]["_id"] == task["_id"]


def test_no_two_changes_write_the_same_time() -> None:
    platform = FakePlatform(clock=moment)
    first = platform.add()
    second = platform.add()
    updated = platform.update(first["_id"], status="failed")
    assert first["created_at"] == first["updated_at"] == "2024-06-01T12:00:00.000Z"
    assert second["created_at"] == "2024-06-01T12:00:00.001Z"
    assert updated["updated_at"] == "2024-06-01T12:00:00.002Z"
    assert updated["created_at"] == first["created_at"]


def test_times_may_be_datetimes_and_null() -> None:
    platform = FakePlatform(clock=moment)
    task = platform.add(created_at=datetime(2020, 1, 2, 3, 4, 5, 678900, tzinfo=UTC))
    assert task["created_at"] == "2020-01-02T03:04:05.678Z"
    naive = platform.add(created_at=datetime(2020, 1, 2))  # noqa: DTZ001
    assert naive["created_at"] == "2020-01-02T00:00:00.000Z"
    nameless = platform.add(created_at=None, system_metadata=None)
    assert platform.tasks(sort_option="asc")[0] == nameless
    assert nameless["created_at"] is None
    assert platform.update(task["_id"], updated_at="2021-01-01T00:00:00Z")["updated_at"] == (
        "2021-01-01T00:00:00Z"
    )


def test_what_is_given_at_first_is_kept_to_the_letter() -> None:
    task = {"_id": "a", "created_at": "2020-01-01T00:00:00Z", "status": "new one", "extra": [1]}
    (kept,) = FakePlatform([task]).tasks()
    assert kept.items() >= task.items()
    assert kept["updated_at"] == kept["created_at"]


def test_unknown_and_taken_ids_are_errors() -> None:
    platform = FakePlatform()
    task = platform.add()
    with pytest.raises(ValueError, match="already"):
        platform.add(_id=task["_id"])
    with pytest.raises(KeyError):
        platform.update("unknown")
    with pytest.raises(KeyError):
        platform.delete("unknown")
    with pytest.raises(ValueError, match="_id"):
        platform.update(task["_id"], _id="another")
    with pytest.raises(TypeError):
        platform.add(status=object())
    assert platform.tasks() == [task]


def test_an_update_can_change_hls_which_lists_do_not_show() -> None:
    platform = FakePlatform()
    task = platform.add(hls={"status": "PROCESSING"})
    assert platform.update(task["_id"], hls={"status": "COMPLETE"})["hls"]["status"] == "COMPLETE"
    assert "hls" not in platform.tasks()[0]


changes = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 5)),
        st.tuples(st.just("update"), st.integers(0, 30)),
        st.tuples(st.just("delete"), st.integers(0, 30)),
        st.tuples(st.just("read"), st.integers(0, 3)),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(changes=changes)
def test_views_amended_by_any_changes_equal_views_made_afresh(
    changes: list[tuple[str, int]],
) -> None:
    platform = FakePlatform()
    queries: list[dict[str, Any]] = [
        {},
        {"status": "failed"},
        {"sort_by": "updated_at", "status": ["ready", "queued"]},
        {"sort_by": "updated_at", "sort_option": "asc"},
    ]
    for kind, number in changes:
        present = ids(platform.tasks(sort_option="asc"))
        if kind == "add":
            platform.add(created_at=f"2024-01-01T00:00:0{number}Z")
        elif kind == "read":
            platform.tasks(**queries[number])
        elif present and kind == "update":
            status = ("ready", "failed", "queued")[number % 3]
            platform.update(present[number % len(present)], status=status)
        elif present:
            platform.delete(present[number % len(present)])
    everything = platform.tasks(sort_option="asc")
    assert [task["created_at"] for task in everything] == sorted(
        task["created_at"] for task in everything
    )
    for query in queries:
        wanted = query.get("status") or ["ready", "failed", "queued"]
        expected = [task for task in everything if task["status"] in wanted]
        if query.get("sort_by") == "updated_at":
            expected.sort(key=lambda task: str(task["updated_at"]))
        if query.get("sort_option") != "asc":
            expected.reverse()
        assert platform.tasks(**query) == expected


def test_more_orders_than_are_kept_are_still_right() -> None:
    platform = FakePlatform.demo(100)
    for width in range(100):
        platform.tasks(width=width)
    task = platform.add(system_metadata={"width": 7})
    assert platform.tasks(width=7) == [task]


def test_threads_may_change_it_together() -> None:
    platform = FakePlatform()

    def work() -> None:
        for _ in range(50):
            task = platform.add()
            platform.update(task["_id"], status="failed")
            platform.tasks(status="failed")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(platform.tasks(status="failed")) == 200
    assert len({task["updated_at"] for task in platform.tasks()}) == 200


def test_a_repr_shows_the_settings_that_may_change() -> None:
    platform = FakePlatform(host="localhost", conforming=True, clock=moment, past_end="error")
    platform.latency = 0.5
    assert repr(platform) == (
        "FakePlatform(api_key='tlk_demo', latency=0.5, past_end='error', empty_total_page=1, "
        "date_filter='since', index_ids=None, foreign_index_ids=(), ready_deletion='allowed', "
        "cross_origin=False, max_filesize=2000000000, indexing_time=None)"
    )


def test_the_first_items_are_not_kept_beside_the_lists() -> None:
    class Given(list[dict[str, Any]]):
        """A list that can be weakly referenced."""

    tasks, assets = Given([{}, {}]), Given([{"index_id": "62a0906d47f5678267ec10a6"}])
    held = weakref.ref(tasks), weakref.ref(assets)
    platform = FakePlatform(tasks, lists={"indexed_assets": assets})
    del tasks, assets
    assert len(platform.tasks()) == 2
    assert len(platform.indexed_assets.items(index_id="62a0906d47f5678267ec10a6")) == 1
    gc.collect()
    assert [one() for one in held] == [None, None]
