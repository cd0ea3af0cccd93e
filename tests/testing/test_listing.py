"""`GET /tasks`: order, pages and filters, each against the most naive model of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.testing.asking import ask
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory

EXAMPLE = [
    {
        "_id": "62a17bf847f5678267ec10cc",
        "created_at": "2022-06-09T04:50:00.879Z",
        "updated_at": "2022-06-09T04:55:57.256Z",
        "status": "ready",
        "index_id": "62a0906d47f5678267ec10a6",
    },
    {
        "_id": "62a17bce47f5678267ec10c6",
        "created_at": "2022-06-09T04:49:20.001Z",
        "updated_at": "2022-06-09T04:54:10.345Z",
        "status": "ready",
        "index_id": "62a0906d47f5678267ec10a6",
    },
]


@pytest.fixture(scope="module")
def served() -> Iterator[FakePlatform]:
    with FakePlatform.demo(137, seed=3).run_in_thread() as platform:
        yield platform


def test_the_documented_example_is_answered_to_the_letter(
    fake_platform_factory: FakePlatformFactory,
) -> None:
    answer = ask(fake_platform_factory(EXAMPLE))
    assert answer.json == {
        "data": EXAMPLE,
        "page_info": {"limit_per_page": 10, "page": 1, "total_page": 1, "total_results": 2},
    }
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Api-Version"].startswith("1.3")


@settings(deadline=None, max_examples=60)
@given(
    page=st.integers(1, 30),
    page_limit=st.integers(1, 50),
    sort_by=st.sampled_from(["created_at", "updated_at"]),
    sort_option=st.sampled_from(["asc", "desc"]),
)
def test_any_page_is_a_slice_of_the_whole_order(
    served: FakePlatform, page: int, page_limit: int, sort_by: str, sort_option: str
) -> None:
    order = {"sort_by": sort_by, "sort_option": sort_option}
    whole = sorted(served.tasks(), key=lambda task: datetime.fromisoformat(task[sort_by]))
    times = [datetime.fromisoformat(task[sort_by]) for task in whole]
    if sort_option == "desc":
        times.reverse()

    answer = ask(served, page=page, page_limit=page_limit, **order)

    start = (page - 1) * page_limit
    data = answer.json["data"]
    assert [datetime.fromisoformat(task[sort_by]) for task in data] == (
        times[start : start + page_limit]
    )
    assert data == served.tasks(**order)[start : start + page_limit]
    assert answer.json["page_info"] == {
        "limit_per_page": page_limit,
        "page": page,
        "total_page": -(-137 // page_limit),
        "total_results": 137,
    }


@pytest.mark.parametrize("sort_by", ["created_at", "updated_at"])
def test_descending_is_the_exact_reverse_of_ascending(served: FakePlatform, sort_by: str) -> None:
    ascending = served.tasks(sort_by=sort_by, sort_option="asc")
    assert served.tasks(sort_by=sort_by, sort_option="desc") == ascending[::-1]
    assert sorted(task["_id"] for task in ascending) == sorted(t["_id"] for t in served.tasks())


def test_ties_keep_their_order_between_reads() -> None:
    moment = "2024-05-05T05:05:05Z"
    platform = FakePlatform([{"_id": f"{n:024x}", "created_at": moment} for n in range(9)])
    first = [task["_id"] for task in platform.tasks(sort_option="asc")]
    assert first == [f"{n:024x}" for n in range(9)]
    platform.update(f"{4:024x}", status="failed")
    platform.delete(f"{2:024x}")
    platform.add(_id="f" * 24, created_at=moment)
    first.remove(f"{2:024x}")
    assert [task["_id"] for task in platform.tasks(sort_option="asc")] == [*first, "f" * 24]


def test_order_follows_instants_not_their_spelling() -> None:
    spelled = [
        "2024-01-01T00:00:00.87Z",
        "2024-01-01T09:00:00.900000+09:00",
        "2024-01-01T00:00:01Z",
        "2024-01-01T00:00:01.001Z",
    ]
    platform = FakePlatform({"created_at": text} for text in (spelled[i] for i in (2, 0, 3, 1)))
    assert [task["created_at"] for task in platform.tasks(sort_option="asc")] == spelled


@settings(deadline=None, max_examples=60)
@given(
    index_id=st.none() | st.sampled_from(["62a0906d47f5678267ec10a6", "0" * 24]),
    status=st.none()
    | st.lists(st.sampled_from(["ready", "failed", "indexing", "queued"]), min_size=1, unique=True),
    width=st.none() | st.sampled_from([1920, 1280]),
    since=st.none() | st.datetimes(datetime(2025, 1, 1), datetime(2025, 7, 1)),  # noqa: DTZ001
    updated_since=st.none() | st.datetimes(datetime(2025, 1, 1), datetime(2025, 7, 1)),  # noqa: DTZ001
)
def test_filters_keep_what_a_naive_filter_keeps(
    served: FakePlatform,
    index_id: str | None,
    status: list[str] | None,
    width: int | None,
    since: datetime | None,
    updated_since: datetime | None,
) -> None:
    since = since and since.replace(tzinfo=UTC, microsecond=0)
    updated_since = updated_since and updated_since.replace(tzinfo=UTC, microsecond=0)

    def keeps(task: dict[str, Any]) -> bool:
        return (
            (index_id is None or task["index_id"] == index_id)
            and (status is None or task["status"] in status)
            and (width is None or task.get("system_metadata", {}).get("width") == width)
            and (since is None or datetime.fromisoformat(task["created_at"]) >= since)
            and (
                updated_since is None or datetime.fromisoformat(task["updated_at"]) >= updated_since
            )
        )

    parameters: dict[str, Any] = {
        "index_id": index_id,
        "status": status,
        "width": width,
        "created_at": since and since.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "updated_at": updated_since and updated_since.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    given_ones = {name: value for name, value in parameters.items() if value is not None}
    answer = ask(served, page_limit=50, **given_ones)

    expected = [task for task in served.tasks() if keeps(task)]
    assert answer.json["data"] == expected[:50]
    assert answer.json["page_info"]["total_results"] == len(expected)
    assert served.tasks(**parameters) == expected


def test_a_status_may_repeat_or_be_separated_by_commas(served: FakePlatform) -> None:
    expected = [t["_id"] for t in served.tasks() if t["status"] in {"failed", "queued"}]
    assert expected
    assert ask(served, page_limit=50, status=["failed", "queued"]).ids == expected
    assert ask(served, page_limit=50, status="queued,failed").ids == expected


def test_filename_and_duration_match_exactly(served: FakePlatform) -> None:
    task = next(t for t in served.tasks(status="ready") if "system_metadata" in t)
    metadata = task["system_metadata"]
    assert task["_id"] in ask(served, duration=metadata["duration"]).ids
    assert task["_id"] in ask(served, filename=metadata["filename"], height=metadata["height"]).ids
    assert ask(served, filename="no such file.mp4").ids == []


def test_the_older_name_of_the_metadata_is_filtered_too() -> None:
    platform = FakePlatform([{"metadata": {"width": 640}}, {"system_metadata": None}])
    assert len(platform.tasks(width=640)) == 1


def test_a_date_filter_may_mean_that_day_only() -> None:
    times = ["2024-03-01T12:00:00Z", "2024-03-01T23:59:59.999Z", "2024-03-02T00:00:00Z"]
    platform = FakePlatform(({"created_at": text} for text in times), date_filter="day")
    found = platform.tasks(created_at="2024-03-01T12:00:01Z", sort_option="asc")
    assert [task["created_at"] for task in found] == times[1:2]
    platform.date_filter = "since"
    found = platform.tasks(created_at=datetime(2024, 3, 1, 12, 0, 1, tzinfo=UTC))
    assert [task["created_at"] for task in found] == times[:0:-1]


@pytest.mark.parametrize("total_page", [0, 1])
def test_an_empty_result_says_either_total_page(
    fake_platform_factory: FakePlatformFactory, total_page: int
) -> None:
    platform = fake_platform_factory(empty_total_page=total_page, past_end="error")
    answer = ask(platform)
    assert answer.json["data"] == []
    assert answer.json["page_info"]["total_page"] == total_page
    assert answer.json["page_info"]["total_results"] == 0


def test_a_page_past_the_end_is_empty_or_an_error(served: FakePlatform) -> None:
    assert ask(served, page=4, page_limit=50).json["data"] == []
    served.past_end = "error"
    try:
        assert ask(served, page=3, page_limit=50).status == 200
        answer = ask(served, page=4, page_limit=50)
    finally:
        served.past_end = "empty"
    assert answer.status == 400
    assert answer.json["code"] == "parameter_invalid"
    assert "page" in answer.json["message"]


def test_lists_show_no_hls_and_a_retrieval_does(served: FakePlatform) -> None:
    listed = ask(served, page_limit=50, status="ready").json["data"]
    assert not any("hls" in task for task in listed)
    alone = [ask(served, f"/tasks/{task['_id']}").json for task in listed[:20]]
    with_hls = [task for task in alone if "hls" in task]
    assert with_hls
    assert len(with_hls) < len(alone)
    assert with_hls[0]["hls"]["video_url"].endswith(".m3u8")
    assert [{k: v for k, v in t.items() if k != "hls"} for t in alone] == listed[:20]
