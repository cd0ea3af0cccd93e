"""What must be true of a page before anything of it is used.

A page is well formed when it gets here; this says whether it can be an answer to the request. Pure.
"""

from __future__ import annotations

import operator
from datetime import UTC, datetime

from twelvetasks.paging.reads import Read
from twelvetasks.values.errors import REPORT_IT, ResponseError
from twelvetasks.values.models import SortOption, TaskPage
from twelvetasks.values.query import TaskQuery

__all__ = ["check_page", "fault_of", "sort_keys"]

_id = operator.attrgetter("id")

_NO_TIME = datetime.min.replace(tzinfo=UTC)


def sort_keys(page: TaskPage, query: TaskQuery) -> list[datetime]:
    """Give the time that each task is sorted by.

    No field of a task is required; a task without that time counts as if it shared its neighbour's.
    """
    sort_key = operator.attrgetter(query.sort_by.value)
    given: list[datetime | None] = list(map(sort_key, page.tasks))
    if type(None) not in map(type, given):
        return given  # type: ignore[return-value]
    key = next((key for key in given if key is not None), _NO_TIME)
    return [key := key if own is None else own for own in given]


def check_page(page: TaskPage, query: TaskQuery, read: Read) -> None:
    """Raise ResponseError, with `json_path`, for a page that cannot be what was asked for."""
    info = page.page_info
    if (info.page, info.limit_per_page) != (read.page, read.page_limit):
        _refuse(
            read.page,
            "$.page_info",
            f"page {info.page} of {info.limit_per_page} is not what was asked",
        )
    if info.total_results and info.total_page != -(-info.total_results // read.page_limit):
        _refuse(
            read.page,
            "$.page_info",
            f"{info.total_results} tasks do not make {info.total_page} pages",
        )
    if len(page.tasks) > read.page_limit:
        _refuse(read.page, "$.data", f"{len(page.tasks)} tasks are more than were asked for")
    if len(set(map(_id, page.tasks))) != len(page.tasks):
        _refuse(read.page, "$.data", "a task is there twice")
    keys = sort_keys(page, query)
    if keys != sorted(keys, reverse=query.sort_option is SortOption.DESC):
        _refuse(
            read.page, "$.data", f"the tasks are not sorted by {query.sort_by} {query.sort_option}"
        )


def _refuse(page: int, path: str, fault: str) -> None:
    raise ResponseError(
        f"the answer is not one to the request, at {path}: {fault}",
        advice=REPORT_IT,
        page=page,
        json_path=path,
    )


def fault_of(read: Read, page: TaskPage) -> ResponseError | None:
    """Give the error of a page that its own `page_info` contradicts.

    The platform may count and find at different instants, so the read is worth repeating.
    """
    total = page.page_info.total_results
    if len(page.tasks) == min(max(total - read.start, 0), read.page_limit):
        return None
    return ResponseError(
        f"the page holds {len(page.tasks)} tasks, which its own total_results of {total} "
        "contradicts",
        advice="Nothing of it was used; try again later",
        page=read.page,
    )
