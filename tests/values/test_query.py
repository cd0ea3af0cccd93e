from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from operator import itemgetter
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from twelvetasks import (
    InvalidArgumentError,
    ListQuery,
    Resource,
    SortBy,
    SortedQuery,
    SortKey,
    SortOption,
    TaskQuery,
    TaskStatus,
)

INDEXES = Resource[dict[str, Any]](
    path="indexes",
    item=dict[str, Any],
    sort_keys=(SortKey(name="created_at", read=itemgetter("created_at")),),
    max_page_limit=20,
)


@attrs.frozen(kw_only=True, repr=False)
class IndexQuery(ListQuery[dict[str, Any]]):
    resource = INDEXES

    name: str | None = None
    public: bool | None = None


@attrs.frozen(kw_only=True, repr=False)
class SortedIndexQuery(SortedQuery[dict[str, Any]]):
    resource = INDEXES


BASE = URL("https://api.twelvelabs.io/v1.3")


def test_a_query_without_filters_asks_for_the_order_and_the_largest_pages() -> None:
    assert str(TaskQuery().url(BASE)) == (
        "https://api.twelvelabs.io/v1.3/tasks?page=1&page_limit=50&sort_by=created_at&sort_option=desc"
    )


def test_every_parameter_of_the_endpoint_is_rendered() -> None:
    query = TaskQuery(
        index_id="62a0906d47f5678267ec10a6",
        status=["failed", TaskStatus.READY],
        filename="a b&c=d+é.mp4",
        duration=12.50,
        width=1920,
        height=1080,
        created_at=datetime(2024, 1, 2, 1, tzinfo=timezone(timedelta(hours=2))),
        updated_at=datetime(2024, 1, 2, tzinfo=UTC),
        sort_by="updated_at",
        sort_option=SortOption.ASC,
        page_limit=7,
    )
    assert list(query.url(BASE, page=3).query.items()) == [
        ("page", "3"),
        ("page_limit", "7"),
        ("sort_by", "updated_at"),
        ("sort_option", "asc"),
        ("status", "ready"),
        ("status", "failed"),
        ("index_id", "62a0906d47f5678267ec10a6"),
        ("filename", "a b&c=d+é.mp4"),
        ("duration", "12.5"),
        ("width", "1920"),
        ("height", "1080"),
        ("created_at", "2024-01-01T23:00:00Z"),
        ("updated_at", "2024-01-02T00:00:00Z"),
    ]
    assert "filename=a+b%26c%3Dd%2B%C3%A9.mp4" in str(query.url(BASE))


@given(st.text(min_size=1), st.integers(1, 10**6), st.integers(1, 50))
def test_the_urls_of_its_pages_differ_in_two_parameters(name: str, page: int, size: int) -> None:
    try:
        query = TaskQuery(filename=name, status=["ready", "failed"], duration=1.5)
    except InvalidArgumentError:
        return
    url = query.url(BASE, page=page, page_limit=size)
    # What a listing asks for: its first URL with these two replaced.
    assert query.url(BASE).update_query(page=page, page_limit=size) == url


@pytest.mark.parametrize(
    "status",
    [
        ["ready", "failed"],
        ("failed", "ready", "failed"),
        {TaskStatus.FAILED, "ready"},
        (status for status in ("failed", "ready")),
    ],
)
def test_the_same_statuses_make_the_same_query(status: Any) -> None:
    assert TaskQuery(status=status) == TaskQuery(status=["ready", "failed"])


@given(st.floats(0, allow_infinity=False, allow_nan=False))
def test_a_float_is_sent_without_exponent_and_means_the_same(duration: float) -> None:
    sent = dict(TaskQuery(duration=duration).params())["duration"]
    assert set(sent) <= set("0123456789.")
    assert float(sent) == duration
    assert not sent.endswith(".0")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("status", []),
        ("status", ()),
        ("status", "redy"),
        ("status", ["ready", "done"]),
        ("status", 5),
        ("status", ""),
        ("sort_by", "filename"),
        ("sort_by", None),
        ("sort_option", "up"),
        ("page_limit", 0),
        ("page_limit", 51),
        ("page_limit", "50"),
        ("page_limit", True),
        ("page_limit", 1.5),
        ("index_id", ""),
        ("index_id", 5),
        ("filename", ""),
        ("filename", "caf\udce9.mp4"),
        ("duration", -0.5),
        ("duration", float("nan")),
        ("duration", float("inf")),
        ("duration", "12"),
        ("duration", True),
        ("width", -1),
        ("height", 1.0),
        ("created_at", datetime(2024, 1, 1)),  # noqa: DTZ001 - the naive one that is refused
        ("updated_at", "2024-01-01T00:00:00Z"),
        ("created_at", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))),
    ],
)
def test_what_the_endpoint_could_not_take_is_refused_by_name_and_value(
    parameter: str, value: Any
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        TaskQuery(**{parameter: value})
    assert str(caught.value).startswith(f"{parameter}=")
    assert isinstance(caught.value, ValueError)
    shown = value[1] if value == ["ready", "done"] else value
    assert repr(shown) in str(caught.value)


def test_what_tells_queries_apart_is_what_they_list_and_in_which_order() -> None:
    assert TaskQuery(page_limit=7).identity == TaskQuery().identity
    different = {
        TaskQuery().identity,
        TaskQuery(sort_option="asc").identity,
        TaskQuery(filename="a", status="ready").identity,
        TaskQuery(filename="a&status=ready").identity,
        IndexQuery().identity,
        IndexQuery(public=True).identity,
    }
    assert len(different) == 6


def test_a_query_of_another_list_asks_that_list_and_sends_no_order() -> None:
    query = IndexQuery(name="a b", public=True, page_limit=3)
    assert str(query) == "IndexQuery(name='a b', public=True, page_limit=3)"
    assert query.params(page=2) == [
        ("page", "2"),
        ("page_limit", "3"),
        ("name", "a b"),
        ("public", "true"),
    ]
    assert query.url(BASE, page=2).path == "/v1.3/indexes"
    assert IndexQuery(public=False).filters == [("public", "false")]
    assert not query.ascending


def test_the_resource_bounds_the_pages_and_the_order() -> None:
    assert IndexQuery().page_limit == 20
    with pytest.raises(InvalidArgumentError, match="page_limit=21: must be a whole number from 1"):
        IndexQuery(page_limit=21)
    with pytest.raises(InvalidArgumentError, match="sort_by='updated_at': must be one of created"):
        SortedIndexQuery(sort_by="updated_at")
    assert SortedIndexQuery(sort_option="asc").ascending


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("status", "redy", "ready"),
        ("status", "READY", "ready"),
        ("status", "Failed ", "failed"),
        ("status", "fail", "failed"),
        ("sort_option", "descending", "desc"),
        ("sort_option", "ASC", "asc"),
        ("sort_by", "created", "created_at"),
    ],
)
def test_a_near_miss_is_told_what_was_meant(name: str, value: Any, meant: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"did you mean '{meant}'"):
        TaskQuery(**{name: value})


@pytest.mark.parametrize("value", ["", " ", "x"])
def test_what_is_near_to_nothing_is_told_nothing(value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="must be one of") as caught:
        TaskQuery(status=value)
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("member", [*TaskStatus, *SortBy, *SortOption])
def test_enum_members_equal_and_print_as_their_strings(member: Any) -> None:
    assert member == member.value
    assert f"{member}" == str(member) == member.value
