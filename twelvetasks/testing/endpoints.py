"""The endpoints: which path and method does what to the account, and what it answers.

Between finding a page in the account and encoding it nothing is awaited, so a read is atomic.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, Literal

import attrs
from aiohttp import web

from twelvetasks.testing import answers
from twelvetasks.testing.account import Account
from twelvetasks.testing.answers import answered, refused
from twelvetasks.testing.indexing import Lifecycle
from twelvetasks.testing.parameters import DateFilter, ParameterError, Selection, select
from twelvetasks.testing.uploads import MAX_FILESIZE, RecordedUpload, read_form

PREFIX = "/v1.3"
"""The path of the API's version, before that of every endpoint."""


@attrs.define(kw_only=True, eq=False, slots=False)
class Behaviour:
    """What a test may set while the platform serves; `FakePlatform` documents each."""

    past_end: Literal["empty", "error"] = "empty"
    empty_total_page: Literal[0, 1] = 1
    date_filter: DateFilter = "since"
    index_ids: Collection[str] | None = None
    max_filesize: int = MAX_FILESIZE
    indexing_time: float | None = None


class Endpoints:
    """The routes over one account."""

    def __init__(self, account: Account, lifecycle: Lifecycle, behaviour: Behaviour) -> None:
        self.uploads: list[RecordedUpload] = []
        self._account = account
        self._lifecycle = lifecycle
        self._behaviour = behaviour

    def counted(self, request: web.Request) -> int | None:
        """Count what a list request that arrives now matches; None if it is not a valid one."""
        if listed(request) is None:
            return None
        try:
            selection = select(request.query.items(), dates=self._behaviour.date_filter)
        except ParameterError:
            return None
        return self._account.page(selection).total

    async def answer(self, request: web.Request, total: int | None = None) -> web.Response:
        """Answer a request whose key is right; `total` was counted before."""
        method, path = request.method, request.path
        if path == f"{PREFIX}/tasks":
            if method == "POST":
                return await self._create(request)
            if method == "GET":
                return self._list(request, total)
            return refused(answers.no_such_method(method, path), Allow="GET, POST")
        task_id = path.removeprefix(f"{PREFIX}/tasks/")
        if task_id in {path, ""} or "/" in task_id:
            return refused(answers.no_such_endpoint(path))
        if method == "GET":
            return self._retrieve(task_id)
        if method == "DELETE":
            return self._delete(task_id)
        return refused(answers.no_such_method(method, path), Allow="DELETE, GET")

    async def _create(self, request: web.Request) -> web.Response:
        behaviour = self._behaviour
        try:
            form = await read_form(request, max_filesize=behaviour.max_filesize)
        except ParameterError as error:
            return refused(answers.wrong_parameter(error))
        if behaviour.index_ids is not None and form.index_id not in behaviour.index_ids:
            return refused(answers.no_such_index(form.index_id))
        fields: dict[str, Any] = {"index_id": form.index_id, "status": "pending"}
        if form.file is not None:
            fields["system_metadata"] = {"filename": form.file.filename}
        task_id = self._account.add(fields)["_id"]
        upload = RecordedUpload(
            task_id=task_id,
            video_id=self._lifecycle.video_id(task_id),
            **attrs.asdict(form, recurse=False),
        )
        self.uploads.append(upload)
        self._lifecycle.begin(
            task_id, streamed=upload.enable_video_stream, seconds=behaviour.indexing_time
        )
        return answered(answers.created_body(task_id, upload.video_id), 201)

    def _list(self, request: web.Request, total: int | None) -> web.Response:
        behaviour = self._behaviour
        try:
            selection = select(request.query.items(), dates=behaviour.date_filter)
        except ParameterError as error:
            return refused(answers.wrong_parameter(error))
        page = self._account.page(selection)
        if total is not None:
            page = attrs.evolve(page, total=total)
        total_page = math.ceil(page.total / selection.page_limit) or behaviour.empty_total_page
        if behaviour.past_end == "error" and selection.page > max(total_page, 1):
            return refused(answers.no_such_page(selection.page, total_page))
        return answered(answers.page_body(page, selection, total_page))

    def _retrieve(self, task_id: str) -> web.Response:
        record = self._account.read(task_id)
        return refused(answers.no_such_task(task_id)) if record is None else answered(record.whole)

    def _delete(self, task_id: str) -> web.Response:
        record = self._account.get(task_id)
        if record is None:
            return refused(answers.no_such_task(task_id))
        if not record.deletable:
            return refused(answers.not_deletable())
        try:
            self._account.delete(task_id)
        except KeyError:  # Another thread was quicker.
            return refused(answers.no_such_task(task_id))
        return web.Response(status=204)


def listed(request: web.Request) -> Selection | None:
    """Return the page and page limit of a list request, even if its other parameters are wrong."""
    if request.method != "GET" or request.path != f"{PREFIX}/tasks":
        return None
    try:
        return select(
            (name, value) for name, value in request.query.items() if name in {"page", "page_limit"}
        )
    except ParameterError:
        return None
