"""The requests for a single task: retrieve, delete and create it.

This module knows which answers each accepts, and which errors it raises.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from yarl import URL

from twelvetasks.conversion.convert import read_json
from twelvetasks.tasks.uploads import Upload
from twelvetasks.transport.messages import Answer, Request
from twelvetasks.transport.transport import Transport
from twelvetasks.values.checks import refuse
from twelvetasks.values.errors import (
    REPORT_IT,
    BadRequestError,
    ResponseError,
    ServerError,
    TaskNotDeletableError,
    TransportError,
    TwelveTasksError,
)
from twelvetasks.values.models import Task
from twelvetasks.values.tasks import TASKS

__all__ = ["checked_id", "create", "delete", "retrieve"]

NOT_DELETABLE = "task_cannot_be_deleted"
"""The platform's code for a task that is not ``ready`` or ``failed``."""

DELETED = frozenset((HTTPStatus.OK.value, HTTPStatus.NO_CONTENT.value))
CREATED = range(200, 300)
"""The platform was seen to answer 200 and 201; any success means that the task is made."""

_ID = re.compile(r"[A-Za-z0-9._~-]*[A-Za-z0-9_~-][A-Za-z0-9._~-]*", re.ASCII)
"""Characters that a URL path does not escape; not `.` or `..`."""


def checked_id(task: object) -> str:
    """Return the id of a task, or the id given, else raise InvalidArgumentError."""
    task_id = task.id if isinstance(task, Task) else task
    if not isinstance(task_id, str) or not _ID.fullmatch(task_id):
        refuse("task_id", task_id, "must be a Task or the id of one")
    return task_id


async def retrieve(transport: Transport, base_url: URL, task_id: str) -> Task:
    """Fetch a task with every field that the platform returns."""
    answer = await transport.send(Request(method="GET", url=base_url / TASKS.path / task_id))
    return _read(transport, answer, expected=task_id)


async def delete(transport: Transport, base_url: URL, task_id: str) -> None:
    """Delete a task; raises TaskNotDeletableError unless it is ready or failed."""
    try:
        await transport.send(
            Request(method="DELETE", url=base_url / TASKS.path / task_id, accept=DELETED)
        )
    except BadRequestError as error:
        if error.code != NOT_DELETABLE:
            raise
        refusal = TaskNotDeletableError(
            error.reason,
            advice="Wait until it is ready or failed: see TaskSession.wait",
            status=error.status,
            code=error.code,
            request_id=error.request_id,
        )
    else:
        return
    raise refusal


async def create(transport: Transport, base_url: URL, upload: Upload) -> Task:
    """Upload a video; return the new task, with only its id and its video's id."""
    try:
        answer = await transport.send(
            Request(
                method="POST",
                url=base_url / TASKS.path,
                body=upload.form,
                repeatable=upload.is_repeatable,
                accept=CREATED,
            )
        )
        return _read(transport, answer)
    except (TransportError, ServerError, ResponseError) as error:
        fault = upload.fault or _may_have_made(error, upload)
        traceback = upload.fault_traceback or error.__traceback__
    # Raised out here so that the transport's error, a mere consequence, is not its context.
    raise fault.with_traceback(traceback)


def _may_have_made(error: TwelveTasksError, upload: Upload) -> TwelveTasksError:
    """Return an error that says so if the task may have been made all the same."""
    refused = isinstance(error, ResponseError) and error.status not in CREATED
    if refused or (isinstance(error, TransportError) and not error.reached):
        return error
    error = error.located(
        advice="The task may exist: look for it before you create it again, with "
        f"`session.tasks(index_id={upload.index_id!r}).first()`, which gives the newest"
    )
    error.task_may_exist = True
    return error


def _read(transport: Transport, answer: Answer, *, expected: str | None = None) -> Task:
    def read_task(body: bytes) -> Task:
        task = read_json(body, Task)
        if expected is not None and task.id != expected:
            _refuse_other(expected)
        return task

    return transport.client.read(answer, read_task)


def _refuse_other(expected: str) -> None:
    raise ResponseError(
        f"the platform returned another task than {expected}, at $._id",
        advice=REPORT_IT,
        json_path="$._id",
    )
