"""The list of video indexing tasks: where it is, what it can be sorted and filtered by.

All that depends on ``GET /tasks`` is here. Source: the API reference, "List video indexing
tasks".
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import attrs

from twelvetasks.values.checks import any_seconds, aware_moment, members_of, text, whole
from twelvetasks.values.models import Task, TaskPage, TaskStatus
from twelvetasks.values.query import SortedQuery, filter_field
from twelvetasks.values.resources import CREATED_AT, UPDATED_AT, Resource

_ENDED = (TaskStatus.READY, TaskStatus.FAILED)

TASKS = Resource(
    path="tasks",
    item=Task,
    page=TaskPage,
    noun="tasks",
    singular="task",
    successes=[TaskStatus.READY],
    failures=[TaskStatus.FAILED],
    under_way={"status": tuple(one for one in TaskStatus if one not in _ENDED)},
    successor="List the indexed assets of an index instead: session.indexed_assets(index_id)",
    sort_keys=(CREATED_AT, UPDATED_AT),
    list_is_whole=True,
    lasting_filters=frozenset(("index_id", "created_at")),
    max_page_limit=50,
)
"""The list of video indexing tasks."""

StatusName = Literal["ready", "uploading", "validating", "pending", "queued", "indexing", "failed"]
"""The strings that equal the members of `TaskStatus`."""

StatusFilter = TaskStatus | StatusName | Iterable[TaskStatus | StatusName]
"""One status or several, as `TaskStatus` or as strings."""


def _statuses(value: StatusFilter | None) -> tuple[TaskStatus, ...] | None:
    return None if value is None else members_of(TaskStatus, "status", value)


@attrs.frozen(kw_only=True, repr=False)
class TaskQuery(SortedQuery[Task]):
    """Filters and order of a listing of tasks, checked: ``GET /tasks`` without its page number.

    Raises InvalidArgumentError, which names the parameter and its value, for a value that the
    endpoint does not accept. None leaves a filter out.

    Example::

        query = TaskQuery(status=["ready", "failed"], sort_by="updated_at")
        async for task in session.list(query):
            print(task.id, task.status)
    """

    resource = TASKS

    status: tuple[TaskStatus, ...] | None = attrs.field(default=None, converter=_statuses)
    """Only tasks in one of these states. Takes one or many, as `TaskStatus` or str."""
    index_id: str | None = filter_field(text)
    """Only the tasks of this index."""
    filename: str | None = filter_field(text)
    """Only tasks of videos with this file name."""
    duration: float | None = filter_field(any_seconds)
    """Only tasks of videos of this length, in seconds."""
    width: int | None = filter_field(whole(least=0))
    """Only tasks of videos of this width, in pixels."""
    height: int | None = filter_field(whole(least=0))
    """Only tasks of videos of this height, in pixels."""
    created_at: datetime | None = filter_field(aware_moment)
    """Created on this date at or after this time. Aware; sent as UTC."""
    updated_at: datetime | None = filter_field(aware_moment)
    """Updated on this date at or after this time. Aware; sent as UTC."""
