"""The requests for a single item: retrieve it; if it is a task, delete or create it.

This module knows which answers each accepts, and which errors it raises.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, TypeVar, cast, get_origin

import attrs

from twelvetasks.conversion.convert import read_json
from twelvetasks.streams.requests import Requests
from twelvetasks.tasks.uploads import Upload
from twelvetasks.transport.messages import Answer, Request
from twelvetasks.values.checks import content, is_identifier, refuse
from twelvetasks.values.errors import (
    REPORT_IT,
    BadRequestError,
    ResponseError,
    ServerError,
    TaskNotDeletableError,
    TransportError,
    TwelveTasksError,
)
from twelvetasks.values.fields import json_names
from twelvetasks.values.models import Task
from twelvetasks.values.query import ListQuery
from twelvetasks.values.resources import Resource
from twelvetasks.values.tasks import TASKS

__all__ = ["checked_id", "checked_item_id", "class_of", "create", "delete", "retrieve"]

ItemT = TypeVar("ItemT")

NOT_DELETABLE = "task_cannot_be_deleted"
"""The platform's code for a task that is not ``ready`` or ``failed``."""

DELETED = frozenset((HTTPStatus.OK.value, HTTPStatus.NO_CONTENT.value))
CREATED = range(200, 300)
"""The platform was seen to answer 200 and 201; any success means that the task is made."""


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


async def retrieve(requests: Requests, query: ListQuery[ItemT], item_id: str) -> ItemT:
    """Fetch an item of a list with every field that the platform returns."""
    url = requests.base_url / query.path / item_id
    answer = await requests.send(Request(method="GET", url=url), query.resource)
    item: ItemT = _read(requests, query.resource, answer, expected=item_id)
    return item


async def delete(requests: Requests, task_id: str) -> None:
    """Delete a task; raises TaskNotDeletableError unless it is ready or failed."""
    try:
        url = requests.base_url / TASKS.path / task_id
        await requests.send(Request(method="DELETE", url=url, accept=DELETED), TASKS)
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


async def create(requests: Requests, upload: Upload) -> Task:
    """Upload a video; return the new task, with only its id and its video's id."""
    try:
        answer = await requests.send(
            Request(
                method="POST",
                url=requests.base_url / TASKS.path,
                body=upload.form,
                is_upload=upload.has_bytes,
                repeatable=upload.is_repeatable,
                accept=CREATED,
            ),
            TASKS,
        )
        task = cast("Task", _read(requests, TASKS, answer))
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
    error = error.located(
        advice="The task may exist: look for it before you create it again, with "
        f"`session.tasks(index_id={upload.index_id!r}).first()`, which gives the newest"
    )
    error.task_may_exist = True
    return error


def _read(
    requests: Requests, resource: Resource[ItemT], answer: Answer, *, expected: str | None = None
) -> ItemT:
    def read_item(body: bytes) -> ItemT:
        item = read_json(body, resource.item)
        if expected is not None and resource.id_of(item) != expected:
            _refuse_other(resource, expected)
        return item

    return requests.transport.client.read(answer, read_item)


def _refuse_other(resource: Resource[Any], expected: str) -> None:
    class_ = class_of(resource)
    path = f"$.{json_names(class_)['id']}" if attrs.has(class_) else "$"
    raise ResponseError(
        f"the platform returned another {resource.singular} than {expected}, at {path}",
        advice=REPORT_IT,
        json_path=path,
    )


def class_of(resource: Resource[Any]) -> type[Any]:
    """Return the class of a list's items, to be used with `isinstance`."""
    return get_origin(resource.item) or resource.item
