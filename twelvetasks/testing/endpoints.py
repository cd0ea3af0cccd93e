"""The endpoints: which path and method does what to which list, and what it answers.

Between finding a page in a list and encoding it nothing is awaited, so a read is atomic.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import attrs
from aiohttp import web

from twelvetasks.testing import answers
from twelvetasks.testing.answers import Refusal, answered, refused
from twelvetasks.testing.behaviour import Behaviour
from twelvetasks.testing.filters import ParameterError
from twelvetasks.testing.lists import FakeList
from twelvetasks.testing.parameters import Selection, paged, select
from twelvetasks.testing.uploads import RecordedUpload, read_form

PREFIX = "/v1.3"
"""The path of the API's version, before that of every endpoint."""

_DELETABLE = frozenset(("ready", "failed"))
_VIDEO = re.compile(rf"{PREFIX}/indexes/([^/]+)/videos/([^/]+)")


@attrs.frozen
class _Route:
    """A list and its path."""

    items: FakeList
    path: re.Pattern[str]

    @classmethod
    def of(cls, items: FakeList) -> _Route:
        scope = re.sub(r"\{\w+\}", "(?P<scope>[^/]+)", items.kind.path)
        return cls(items, re.compile(rf"{PREFIX}{scope}(?P<item>/[^/]+)?"))


@attrs.frozen
class _Target:
    """What a request is for."""

    items: FakeList
    scope: str | None
    item_id: str | None


class Endpoints:
    """The routes over the lists of one account; the first list is that of the tasks."""

    def __init__(self, tasks: FakeList, others: Iterable[FakeList], behaviour: Behaviour) -> None:
        self.uploads: list[RecordedUpload] = []
        self._tasks = tasks
        self._routes = [_Route.of(items) for items in (tasks, *others)]
        self._behaviour = behaviour
        self._deleted_videos: set[str] = set()

    def listed(self, request: web.Request) -> tuple[int, int] | tuple[None, None]:
        """Return page and page limit of a list request, even if its other parameters are wrong."""
        target = self._target(request.path)
        if request.method != "GET" or target is None or target.item_id is not None:
            return None, None
        given = {
            name: request.query.getall(name)
            for name in ("page", "page_limit")
            if name in request.query
        }
        try:
            return paged(given)
        except ParameterError:
            return None, None

    def counted(self, request: web.Request) -> int | None:
        """Count what a list request that arrives now matches; None if it is not a valid one."""
        target = self._target(request.path)
        if request.method != "GET" or target is None or target.item_id is not None:
            return None
        try:
            return target.items.page(self._selection(target, request)).total
        except ParameterError:
            return None

    async def answer(self, request: web.Request, total: int | None = None) -> web.Response:
        """Answer a request whose key is right; `total` was counted before."""
        method, path = request.method, request.path
        if (video := _VIDEO.fullmatch(path)) is not None:
            if method == "DELETE":
                return self._delete_video(*video.groups())
            return refused(answers.no_such_method(method, path), Allow="DELETE")
        target = self._target(path)
        if target is None:
            return refused(answers.no_such_endpoint(path))
        if target.scope in self._behaviour.foreign_index_ids:
            return refused(answers.foreign_index())
        is_task = target.items is self._tasks
        if target.item_id is None:
            if method == "GET":
                return self._list(target, request, total)
            if method == "POST" and is_task:
                return await self._create(request)
            allowed = "GET, POST" if is_task else "GET"
            return refused(answers.no_such_method(method, path), Allow=allowed)
        if method == "GET":
            return self._retrieve(target)
        deletable = is_task or target.items.kind.name == "indexed_assets"
        if method == "DELETE" and deletable:
            return self._delete(target)
        allowed = "DELETE, GET" if deletable else "GET"
        return refused(answers.no_such_method(method, path), Allow=allowed)

    def _target(self, path: str) -> _Target | None:
        for route in self._routes:
            if (found := route.path.fullmatch(path)) is not None:
                parts = found.groupdict()
                item = parts["item"]
                return _Target(route.items, parts.get("scope"), item and item[1:])
        return None

    async def _create(self, request: web.Request) -> web.Response:
        behaviour = self._behaviour
        try:
            form = await read_form(request, max_filesize=behaviour.max_filesize)
        except ParameterError as error:
            return refused(answers.wrong_parameter(error))
        if form.index_id in behaviour.foreign_index_ids:
            return refused(answers.foreign_index())
        if behaviour.index_ids is not None and form.index_id not in behaviour.index_ids:
            return refused(answers.no_such("indexes", form.index_id))
        task_id = self._tasks.add(
            index_id=form.index_id,
            status=self._tasks.kind.steps[0],
            system_metadata={
                "filename": form.filename,
                "duration": 12,
                "width": 1280,
                "height": 720,
            },
        )["_id"]
        # The platform answers at once with the id of the video, which is that of the task.
        upload = RecordedUpload(
            task_id=task_id, video_id=task_id, **attrs.asdict(form, recurse=False)
        )
        self.uploads.append(upload)
        self._tasks.begin(
            task_id, streamed=upload.enable_video_stream, seconds=behaviour.indexing_time
        )
        return answered(answers.created_body(task_id, upload.video_id), 201)

    def _selection(self, target: _Target, request: web.Request) -> Selection:
        return select(
            target.items.kind,
            request.query.items(),
            scope=target.scope,
            dates=self._behaviour.date_filter,
        )

    def _list(self, target: _Target, request: web.Request, total: int | None) -> web.Response:
        behaviour = self._behaviour
        try:
            selection = self._selection(target, request)
        except ParameterError as error:
            return refused(answers.wrong_parameter(error))
        if request.query.get("index_id") in behaviour.foreign_index_ids:
            return refused(answers.foreign_index())
        page = target.items.page(selection)
        if total is not None:
            page = attrs.evolve(page, total=total)
        total_page = math.ceil(page.total / selection.page_limit) or behaviour.empty_total_page
        if behaviour.past_end == "error" and selection.page > max(total_page, 1):
            return refused(answers.no_such_page(selection.page, total_page))
        return answered(answers.page_body(page, selection, total_page))

    def _retrieve(self, target: _Target) -> web.Response:
        record = target.items.read(str(target.item_id), target.scope)
        return refused(_missing(target)) if record is None else answered(record.whole)

    def _delete(self, target: _Target) -> web.Response:
        item_id = str(target.item_id)
        item = target.items.get(item_id)
        if item is None:
            return refused(_missing(target))
        if target.items is self._tasks:
            status = item.get("status")
            has_video = self._behaviour.ready_deletion == "after_video" and status == "ready"
            if status not in _DELETABLE or (
                has_video and item.get("video_id", item_id) not in self._deleted_videos
            ):
                return refused(answers.not_deletable())
        else:
            self._deleted_videos.add(item_id)
        try:
            target.items.delete(item_id)
        except KeyError:  # Another thread was quicker.
            return refused(_missing(target))
        return web.Response(status=204)

    def _delete_video(self, index_id: str, video_id: str) -> web.Response:
        owners = self._tasks.items(index_id=index_id)
        if not any(video_id == task.get("video_id") for task in owners):
            return refused(answers.no_such("videos", video_id))
        self._deleted_videos.add(video_id)
        return web.Response(status=204)


def _missing(target: _Target) -> Refusal:
    return answers.no_such(target.items.kind.name, str(target.item_id))
