"""The requests that make and delete a task, and the checks of ids.

This module knows which answers each accepts, and which errors it raises.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar, cast

from twelvetasks.streams.requests import Requests, class_of
from twelvetasks.transport.messages import Request
from twelvetasks.values.checks import content, is_identifier, refuse
from twelvetasks.values.errors import (
    BadRequestError,
    ResponseError,
    ServerError,
    TaskNotDeletableError,
    TransportError,
    TwelveTasksError,
)
from twelvetasks.values.resources import Resource
from twelvetasks.values.tasks import TASKS, Task

if TYPE_CHECKING:
    from twelvetasks.tasks.uploads import Upload

ItemT = TypeVar("ItemT")

NOT_DELETABLE = "task_cannot_be_deleted"
"""The platform's code for a task that is not ``ready`` or ``failed``, or that has its video."""

DELETED = frozenset((HTTPStatus.OK.value, HTTPStatus.NO_CONTENT.value))
CREATED = range(200, 300)
"""The platform answers 200 or 201; any success means that the task exists."""


def checked_item_id(resource: Resource[Any], item: object) -> str:
    """Return the id of an item of a list, or the id given, else raise InvalidArgumentError."""
    item_id = resource.id_of(item) if isinstance(item, class_of(resource)) else item
    if not is_identifier(item_id):
        parameter = f"{resource.singular}_id".replace(" ", "_")
        refuse(parameter, item_id, f"must be one of the {resource.noun}, or the id of one")
    return content(item_id)


def checked_id(task: object) -> str:
    """Return the id of a task, or the id given, else raise InvalidArgumentError."""
    return checked_item_id(TASKS, task)


async def delete(requests: Requests, task_id: str) -> None:
    """Delete a task; raises TaskNotDeletableError unless it is ready or failed."""
    try:
        url = requests.base_url / TASKS.path / task_id
        request = Request(method="DELETE", url=url, accept=DELETED, successor=TASKS.successor)
        await requests.transport.send(request)
    except BadRequestError as error:
        if error.code != NOT_DELETABLE:
            raise
        refusal = TaskNotDeletableError(
            error.reason,
            advice="If it is ready, delete its video first. Wait until it is ready or failed: see "
            "TaskSession.wait",
            status=error.status,
            code=error.code,
            request_id=error.request_id,
        )
    else:
        return
    raise refusal


async def create(requests: Requests, upload: Upload) -> Task:
    """Upload a video; return the new task, with only its id and its video's id."""
    try:
        answer = await requests.transport.send(
            Request(
                method="POST",
                url=requests.base_url / TASKS.path,
                body=upload.form,
                is_upload=upload.has_bytes,
                repeatable=upload.is_repeatable,
                accept=CREATED,
                successor=TASKS.successor,
            )
        )
        task = cast("Task", requests.structure_item(TASKS, answer))
    except (TransportError, ServerError, ResponseError) as error:
        fault = upload.fault or _may_have_made(error, upload)
        traceback = upload.fault_traceback or error.__traceback__
    else:
        requests.note_made(task.id)
        return task
    # Raised out here so that the transport's error, a mere consequence, is not its context.
    raise fault.with_traceback(traceback)


def _may_have_made(error: TwelveTasksError, upload: Upload) -> TwelveTasksError:
    """Return an error that says so if the task may have been made all the same."""
    refused = isinstance(error, ResponseError) and error.status not in CREATED
    if refused or (isinstance(error, TransportError) and not error.reached):
        return error
    return error.located(
        advice="The task may exist: look for it before you create it again, with "
        f"`session.tasks(index_id={upload.index_id!r}).first()`, which gives the newest",
        task_may_exist=True,
    )
