"""The endpoints: which path and method does what to which list, and what it answers.

Between finding a page in a list and encoding it nothing is awaited, so a read is atomic.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress

import attrs
import msgspec
from aiohttp import web

from twelvetasks.testing import answers
from twelvetasks.testing.answers import RefusalError, answered, no_such
from twelvetasks.testing.behaviour import Behaviour
from twelvetasks.testing.lists import FakeList
from twelvetasks.testing.parameters import Selection, paged, select
from twelvetasks.testing.uploads import RecordedUpload, read_form

PREFIX = "/v1.3"
"""The path of the API's version, before that of every endpoint."""

_DELETABLE = frozenset(("ready", "failed"))
_VIDEO = re.compile(rf"{PREFIX}/indexes/([^/]+)/videos/([^/]+)")


@attrs.frozen
class _Target:
    """What a request is for."""

    items: FakeList
    scope: str | None
    item_id: str | None

    @property
    def missing(self) -> RefusalError:
        return no_such(self.items.kind.name, str(self.item_id))


class Endpoints:
    """The routes over the lists of one account; the first list is that of the tasks."""

    def __init__(self, lists: Sequence[FakeList], behaviour: Behaviour) -> None:
        self.uploads: list[RecordedUpload] = []
        self._tasks = lists[0]
        self._routes: list[tuple[re.Pattern[str], FakeList]] = []
        for items in lists:
            path = re.sub(r"\{\w+\}", "(?P<scope>[^/]+)", items.kind.path)
            self._routes.append((re.compile(rf"{PREFIX}{path}(/(?P<item>[^/]+))?"), items))
        self._behaviour = behaviour
        self._deleted_videos: set[str] = set()

    def listed(self, request: web.Request) -> tuple[int, int] | tuple[None, None]:
        """Return page and page limit of a list request, even if its other parameters are wrong."""
        if self._listing(request) is not None:
            with suppress(RefusalError):
                return paged({name: request.query.getall(name) for name in request.query})
        return None, None

    def counted(self, request: web.Request) -> int | None:
        """Count what a list request that arrives now matches; None if it is not a valid one."""
        if (target := self._listing(request)) is not None:
            with suppress(RefusalError):
                return target.items.page(self._selection(target, request)).total
        return None

    async def answer(self, request: web.Request, total: int | None = None) -> web.Response:
        """Answer a request with the right key, or raise why not; `total` was counted before."""
        method, path = request.method, request.path
        if (video := _VIDEO.fullmatch(path)) is not None:
            if method != "DELETE":
                raise answers.no_such_method(method, path, "DELETE")
            return self._delete_video(*video.groups())
        target = self._target(path)
        if target is None:
            raise answers.no_such_endpoint(path)
        if target.scope in self._behaviour.foreign_index_ids:
            raise answers.foreign_index()
        kind = target.items.kind
        allowed = kind.methods if target.item_id is None else kind.item_methods
        if method not in allowed.split(", "):
            raise answers.no_such_method(method, path, allowed)
        if method == "POST":
            return await self._create(request)
        if method == "DELETE":
            return self._delete(target)
        return self._list(target, request, total) if target.item_id is None else _retrieve(target)

    def _target(self, path: str) -> _Target | None:
        for pattern, items in self._routes:
            if (found := pattern.fullmatch(path)) is not None:
                parts = found.groupdict()
                return _Target(items, parts.get("scope"), parts["item"])
        return None

    def _listing(self, request: web.Request) -> _Target | None:
        """Return what a request is for, if it is for a page of a list."""
        target = self._target(request.path)
        if request.method != "GET" or target is None or target.item_id is not None:
            return None
        return target

    async def _create(self, request: web.Request) -> web.Response:
        behaviour = self._behaviour
        form = await read_form(request, max_filesize=behaviour.max_filesize)
        if form.index_id in behaviour.foreign_index_ids:
            raise answers.foreign_index()
        if behaviour.index_ids is not None and form.index_id not in behaviour.index_ids:
            raise no_such("indexes", form.index_id)
        metadata = {"filename": form.filename, "duration": 12, "width": 1280, "height": 720}
        task_id = self._tasks.add(
            index_id=form.index_id, status=self._tasks.kind.steps[0], system_metadata=metadata
        )["_id"]
        # The platform answers at once with the id of the video, which is that of the task.
        ids = {"task_id": task_id, "video_id": task_id}
        self.uploads.append(RecordedUpload(**ids, **attrs.asdict(form, recurse=False)))
        self._tasks.begin(
            task_id, streamed=form.enable_video_stream, seconds=behaviour.indexing_time
        )
        return answered(msgspec.json.encode({"_id": task_id, "video_id": task_id}), 201)

    def _selection(self, target: _Target, request: web.Request) -> Selection:
        return select(
            target.items.kind, request.query, scope=target.scope, dates=self._behaviour.date_filter
        )

    def _list(self, target: _Target, request: web.Request, total: int | None) -> web.Response:
        behaviour = self._behaviour
        selection = self._selection(target, request)
        if request.query.get("index_id") in behaviour.foreign_index_ids:
            raise answers.foreign_index()
        page = target.items.page(selection)
        total = page.total if total is None else total
        total_page = math.ceil(total / selection.page_limit) or behaviour.empty_total_page
        if behaviour.past_end == "error" and selection.page > max(total_page, 1):
            reason = f"there is no page {selection.page} of {total_page}"
            raise answers.invalid("page", reason)
        info = {
            "limit_per_page": selection.page_limit,
            "page": selection.page,
            "total_page": total_page,
            "total_results": total,
        }
        # The records were encoded once and for all.
        records = b",".join([record.listed for record in page.records])
        return answered(b'{"data":[%b],"page_info":%b}' % (records, msgspec.json.encode(info)))

    def _delete(self, target: _Target) -> web.Response:
        item_id = str(target.item_id)
        item = target.items.get(item_id)
        if item is None:
            raise target.missing
        if target.items is self._tasks:
            status = item.get("status")
            has_video = self._behaviour.ready_deletion == "after_video" and status == "ready"
            if status not in _DELETABLE or (
                has_video and item.get("video_id", item_id) not in self._deleted_videos
            ):
                # The same error, which the platform sends with 400, too.
                raise attrs.evolve(answers.refusal_of_status(409), status=400)
        else:
            self._deleted_videos.add(item_id)
        try:
            target.items.delete(item_id)
        except KeyError:  # Another thread was quicker.
            raise target.missing from None
        return web.Response(status=204)

    def _delete_video(self, index_id: str, video_id: str) -> web.Response:
        owners = self._tasks.items(index_id=index_id)
        if not any(video_id == task.get("video_id") for task in owners):
            raise no_such("videos", video_id)
        self._deleted_videos.add(video_id)
        return web.Response(status=204)


def _retrieve(target: _Target) -> web.Response:
    record = target.items.read(str(target.item_id), target.scope)
    if record is None:
        raise target.missing
    return answered(record.whole)
