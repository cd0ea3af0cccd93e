"""Video indexing tasks: their model and statuses, where their list is, and its order and filters.

All that depends on ``GET /tasks`` is here. Source: the API reference, "List video indexing
tasks".
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal

import attrs

from twelvetasks.values.checks import any_seconds, aware_moment, members_of, text, whole
from twelvetasks.values.fields import Model, extra_last, repeated_field, sent_as
from twelvetasks.values.models import HlsStream, Page, SystemMetadata
from twelvetasks.values.query import SortedQuery, filter_field
from twelvetasks.values.resources import CREATED_AT, UPDATED_AT, Resource
from twelvetasks.values.words import words_on_failure


class TaskStatus(StrEnum):
    """The states of a task that the API documents. Each equals, and prints as, its string."""

    READY = "ready"
    """Uploaded and indexed."""
    UPLOADING = "uploading"
    """Still on its way to the platform."""
    VALIDATING = "validating"
    """Being checked against the requirements for videos."""
    PENDING = "pending"
    """Waiting for a server to become free."""
    QUEUED = "queued"
    """Waiting to be indexed."""
    INDEXING = "indexing"
    """Being indexed."""
    FAILED = "failed"
    """Indexing failed; see `Task.error_reason`."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class Task(Model):
    """A video indexing task. What the platform left out, or sent as null, is None."""

    id: str = attrs.field(metadata=sent_as("_id"))
    """The API's ``_id``."""
    index_id: str | None = repeated_field()
    """The index that the video was uploaded to."""
    video_id: str | None = None
    """The indexed video; None until the task has got that far."""
    status: TaskStatus | str | None = None
    """A `TaskStatus` if it is one of those documented, else the string as it came."""
    created_at: datetime | None = None
    """Aware. Never changes."""
    updated_at: datetime | None = None
    """Aware. Changes with every change of status."""
    estimated_time: datetime | None = None
    """When the platform expects to have indexed the video. Aware."""
    system_metadata: SystemMetadata | None = attrs.field(
        default=None, metadata=sent_as("system_metadata", older="metadata")
    )
    """What the platform found out about the video file."""
    hls: HlsStream | None = None
    """The video's stream; only a task that is retrieved alone carries it."""
    _often_beside: ClassVar = ("error_reason",)

    @property
    def error_reason(self) -> str | None:
        """Why a task has failed, in the platform's words; None if it gave no reason.

        The API's reference names no field for it. Real answers have ``error_reason``; other names
        of an error, such as ``error``, are read, too. The field itself is in `extra`.
        """
        return words_on_failure(self.extra) if self.extra else None


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class TaskPage(Page[Task]):
    """One answer of the endpoint that lists tasks.

    Example::

        async for page in session.tasks().pages():
            print(page.page_info.page, len(page.tasks))
    """

    _noun: ClassVar[str] = "tasks"

    data: tuple[Task, ...] | None = None
    """The tasks, in order. The platform may send null for none: `tasks` is never None."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks of the page, in order; empty if there are none."""
        return self.data or ()


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
